//! The serde deserializer over the tree. It goes on after a mistake, and never repeats a value in a
//! message: a value may be a secret in the wrong place.

use std::cell::RefCell;
use std::fmt;
use std::slice;

use serde::de::value::{StrDeserializer, UsizeDeserializer};
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::field::{FIELD, PLACED};
use super::{Mistakes, Node, Place, Value, nearest, one_of, quoted};

/// Reads a tree into `T`, recording mistakes. `None` only where the outermost shape is wrong.
pub(super) fn read<'n, T: Deserialize<'n>>(node: &'n Node<'n>, mistakes: &mut Mistakes) -> Option<T> {
    let recorded = RefCell::new(std::mem::take(mistakes));
    let result = T::deserialize(Reader { node, key: None, mistakes: &recorded });
    *mistakes = recorded.into_inner();
    result.map_err(|wrong| wrong.record(node.place, mistakes)).ok()
}

/// What is wrong with one value.
#[derive(Debug)]
struct Wrong {
    /// The innermost value that is wrong, once known.
    place: Option<Place>,
    /// The key that it stands under, as it is shown.
    key: Option<String>,
    what: String,
    mend: Option<String>,
}

impl Wrong {
    fn new(what: String, mend: Option<String>) -> Self {
        Wrong { place: None, key: None, what, mend }
    }

    fn at(mut self, reader: Reader<'_, '_>) -> Self {
        if self.place.is_none() {
            self.place = Some(reader.node.place);
            self.key = reader.key.map(Key::shown);
        }
        self
    }

    fn record(self, place: Place, mistakes: &mut Mistakes) {
        let what = match self.key {
            Some(key) => format!("{key}: {}", self.what),
            None => self.what,
        };
        mistakes.error(self.place.unwrap_or(place), "value", what).mend_if(self.mend);
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Wrong::new(message.to_string(), None)
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Bool(_) => "a boolean",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a number",
            Unexpected::Float(_) => "a fraction",
            Unexpected::Str(_) => "a text",
            Unexpected::Seq => "a list",
            Unexpected::Map => "a table",
            Unexpected::Other(kind) => kind,
            _ => "something else",
        };
        let words = in_words(expected);
        // Who expects something that has a form of its own says it after a colon.
        let (expected, form) =
            words.split_once(": ").map_or((&*words, None), |(expected, form)| (expected, Some(form)));
        let mend = match (expected, found) {
            ("a list", "a text") => Some("put it in brackets: [\"...\"]"),
            ("a list", "a table") => Some("write the section's name in double brackets: [[...]]"),
            ("a list", _) => Some("write a list in brackets: [...]"),
            ("a table", "a list") => Some("write the section's name in single brackets: [...]"),
            ("a table", _) => {
                Some("begin a section of its own: [SECTION], or [SECTION.NAME] where it needs a name")
            }
            ("a text in quotes", "a number" | "a fraction" | "a boolean") => {
                Some("put it in quotes: \"...\"")
            }
            ("a text in quotes", "a list") => Some("write one text, without brackets"),
            ("a text in quotes", "a table") => Some("write one text: \"...\""),
            ("true or false", "a text") => Some("write it without quotes"),
            ("true or false", _) => Some("write true or false"),
            (number, "a text") if number.starts_with("a whole number") => {
                Some("write it in digits, without quotes")
            }
            (number, "a fraction") if number.starts_with("a whole number") => {
                Some("write it without a point")
            }
            (number, _) if number.starts_with("a whole number") => Some("write it in digits"),
            _ => None,
        };
        let mend = mend.map(str::to_owned).or_else(|| form.map(|form| format!("write {form}")));
        Wrong::new(format!("expected {expected}, found {found}"), mend)
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Wrong::new(format!("expected {}", in_words(expected)), None)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let choice = one_of(expected.iter().copied());
        let mend = match nearest(variant, expected.iter().copied()) {
            Some(name) => format!("write \"{name}\""),
            None => ONE_OF_THEM.to_owned(),
        };
        Wrong::new(format!("expected one of {choice}"), Some(mend))
    }
}

/// What to write where there is a choice and nothing says what was meant.
const ONE_OF_THEM: &str = "write one of them, in quotes";

/// serde's names for shapes, in the words of a person who writes a file.
fn in_words(expected: &dyn Expected) -> String {
    match expected.to_string().as_str() {
        "a string" => "a text in quotes".to_owned(),
        "a sequence" => "a list".to_owned(),
        "u8" => "a whole number from 0 to 255".to_owned(),
        "u16" => "a whole number from 0 to 65535".to_owned(),
        "u32" => "a whole number from 0 to 4294967295".to_owned(),
        "u64" => "a whole number, 0 or more".to_owned(),
        "i64" => "a whole number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        other => other.strip_prefix("struct ").map_or(other.to_owned(), |_| "a table".to_owned()),
    }
}

/// The key that a value stands under.
#[derive(Clone, Copy)]
enum Key<'n> {
    /// One of those that there may be.
    Known(&'n str),
    /// A name that somebody chose.
    Chosen(&'n str),
}

impl Key<'_> {
    fn shown(self) -> String {
        match self {
            Key::Known(key) => format!("`{key}`"),
            Key::Chosen(name) => quoted(name),
        }
    }
}

#[derive(Clone, Copy)]
struct Reader<'n, 'm> {
    node: &'n Node<'n>,
    /// What the value stands under; of an entry of a list, what the list does.
    key: Option<Key<'n>>,
    mistakes: &'m RefCell<Mistakes>,
}

impl<'n> Reader<'n, '_> {
    fn other(self, node: &'n Node<'n>) -> Self {
        Reader { node, ..self }
    }

    fn any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Boolean(b) => visitor.visit_bool(*b),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => visitor.visit_seq(List { reader: self, items: items.iter() }),
            Value::Table(entries) => {
                visitor.visit_map(Table { reader: self, entries: entries.iter(), keys: None, under: None })
            }
        }
    }

    /// A table whose keys are known: the others are mistakes.
    fn known_keys<V: Visitor<'n>>(
        self,
        keys: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match &self.node.value {
            Value::Table(entries) => visitor.visit_map(Table {
                reader: self,
                entries: entries.iter(),
                keys: Some(keys),
                under: None,
            }),
            other => Err(de::Error::invalid_type(Unexpected::Other(other.kind()), &visitor)),
        }
    }
}

impl<'n> Deserializer<'n> for Reader<'n, '_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.any(visitor).map_err(|wrong| wrong.at(self))
    }

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'n>>(
        self,
        name: &'static str,
        keys: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let result = match name {
            PLACED => visitor.visit_seq(Parts { reader: self, given: 0, records: false }),
            FIELD => visitor.visit_seq(Parts { reader: self, given: 0, records: true }),
            _ => self.known_keys(keys, visitor),
        };
        result.map_err(|wrong| wrong.at(self))
    }

    fn deserialize_enum<V: Visitor<'n>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let result = match &self.node.value {
            Value::String(text) => visitor.visit_enum(Choice(text)),
            other => {
                let choice = one_of(variants.iter().copied());
                let what = format!("expected one of {choice}, found {}", other.kind());
                Err(Wrong::new(what, Some(ONE_OF_THEM.to_owned())))
            }
        };
        result.map_err(|wrong| wrong.at(self))
    }

    forward_to_deserialize_any! {
        <W: Visitor<'n>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

/// The place and the value of a [`super::Placed`] or a [`super::Field`].
struct Parts<'n, 'm> {
    reader: Reader<'n, 'm>,
    given: u8,
    records: bool,
}

impl<'n> SeqAccess<'n> for Parts<'n, '_> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<Option<T::Value>, Wrong> {
        self.given += 1;
        let place = self.reader.node.place;
        if self.given == 1 {
            let start: UsizeDeserializer<Wrong> = place.start().into_deserializer();
            return seed.deserialize(start).map(Some);
        }
        match seed.deserialize(self.reader) {
            Ok(value) => Ok(Some(value)),
            Err(wrong) if self.records => {
                wrong.record(place, &mut self.reader.mistakes.borrow_mut());
                Ok(None)
            }
            Err(wrong) => Err(wrong),
        }
    }
}

struct List<'n, 'm> {
    reader: Reader<'n, 'm>,
    items: slice::Iter<'n, Node<'n>>,
}

impl<'n> SeqAccess<'n> for List<'n, '_> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<Option<T::Value>, Wrong> {
        self.items.next().map(|item| seed.deserialize(self.reader.other(item))).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Table<'n, 'm> {
    reader: Reader<'n, 'm>,
    entries: slice::Iter<'n, (Node<'n>, Node<'n>)>,
    /// The only keys there may be, if they are known.
    keys: Option<&'static [&'static str]>,
    /// The value that is next, and what it stands under.
    under: Option<(Option<Key<'n>>, &'n Node<'n>)>,
}

impl Table<'_, '_> {
    fn unknown_key(&self, place: Place, key: &str, known: &'static [&'static str]) {
        let mend = match nearest(key, known.iter().copied()) {
            Some(near) => format!("write `{near}`"),
            None => format!("known here: {}", known.join(", ")),
        };
        let what = format!("unknown key {}", quoted(key));
        self.reader.mistakes.borrow_mut().error(place, "unknown-key", what).mend(mend);
    }
}

impl<'n> MapAccess<'n> for Table<'n, '_> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'n>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        while let Some((key, value)) = self.entries.next() {
            let name = match (&key.value, self.keys) {
                (Value::String(name), Some(known)) if !known.contains(&&**name) => {
                    self.unknown_key(key.place, name, known);
                    continue;
                }
                (Value::String(name), Some(_)) => Some(Key::Known(name)),
                (Value::String(name), None) => Some(Key::Chosen(name)),
                _ => None,
            };
            self.under = Some((name, value));
            return seed.deserialize(self.reader.other(key)).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'n>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let nothing = || Wrong::new("a key without a value".to_owned(), None);
        let (key, node) = self.under.take().ok_or_else(nothing)?;
        seed.deserialize(Reader { node, key, ..self.reader })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// A text that names one of several choices.
struct Choice<'n>(&'n str);

impl<'n> EnumAccess<'n> for Choice<'n> {
    type Error = Wrong;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'n>>(self, seed: V) -> Result<(V::Value, Self), Wrong> {
        let name: StrDeserializer<'n, Wrong> = self.0.into_deserializer();
        seed.deserialize(name).map(|variant| (variant, self))
    }
}

impl<'n> VariantAccess<'n> for Choice<'n> {
    type Error = Wrong;

    fn unit_variant(self) -> Result<(), Wrong> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'n>>(self, _: T) -> Result<T::Value, Wrong> {
        Err(Wrong::new("a choice has no content".to_owned(), None))
    }

    fn tuple_variant<V: Visitor<'n>>(self, _: usize, _: V) -> Result<V::Value, Wrong> {
        Err(Wrong::new("a choice has no content".to_owned(), None))
    }

    fn struct_variant<V: Visitor<'n>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Wrong> {
        Err(Wrong::new("a choice has no content".to_owned(), None))
    }
}
