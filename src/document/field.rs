//! The building blocks of raw structs: values that know their place and survive a mistake beside them.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::{Mistakes, Place};

/// The serde struct name by which a [`Placed`] asks the reader for a place and a value.
pub(super) const PLACED: &str = "$lockstep::document::Placed";
/// The same for a [`Field`], whose mistakes the reader records.
pub(super) const FIELD: &str = "$lockstep::document::Field";

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    /// Where it begins.
    pub place: Place,
    /// The value.
    pub value: T,
}

/// A field of a raw struct.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Field<T> {
    /// Not in the text.
    #[default]
    Absent,
    /// In the text, but of the wrong shape: the mistake is already recorded.
    Wrong,
    /// In the text.
    Given(Placed<T>),
}

impl<T> Field<T> {
    /// The value with its place, where it was given.
    pub fn given(&self) -> Option<&Placed<T>> {
        match self {
            Field::Given(placed) => Some(placed),
            Field::Absent | Field::Wrong => None,
        }
    }

    /// The value with its place, taken out, where it was given.
    pub fn into_given(self) -> Option<Placed<T>> {
        match self {
            Field::Given(placed) => Some(placed),
            Field::Absent | Field::Wrong => None,
        }
    }

    /// The value alone, where it was given.
    pub fn value(&self) -> Option<&T> {
        self.given().map(|placed| &placed.value)
    }

    /// The value, taken out, or this one.
    pub fn or(self, default: T) -> T {
        self.into_given().map_or(default, |placed| placed.value)
    }

    /// The value with its place; where it is absent, an error at the place of what should have it.
    /// `mend` says what to write.
    pub fn required(self, mistakes: &mut Mistakes, owner: Place, key: &str, mend: &str) -> Option<Placed<T>> {
        if matches!(self, Field::Absent) {
            mistakes.error(owner, "missing", format!("`{key}` is missing")).mend(mend);
        }
        self.into_given()
    }
}

/// A table whose keys are names that people chose, in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entries<T>(pub Vec<(Placed<String>, Field<T>)>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Entries(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct(PLACED, &[], PlacedVisitor(PhantomData))
    }
}

struct PlacedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for PlacedVisitor<T> {
    type Value = Placed<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value with its place")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        let place = next(&mut parts)?;
        Ok(Placed { place: Place::at(place), value: next(&mut parts)? })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(FieldVisitor(PhantomData))
    }
}

/// Asked twice: first whether there is a value, then for its place and the value itself.
struct FieldVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for FieldVisitor<T> {
    type Value = Field<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(Field::Absent)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_struct(FIELD, &[], self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        let place = next(&mut parts)?;
        // The reader records what is wrong with the value before it says so here.
        Ok(parts
            .next_element()
            .ok()
            .flatten()
            .map_or(Field::Wrong, |value| Field::Given(Placed { place: Place::at(place), value })))
    }
}

fn next<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(parts: &mut A) -> Result<T, A::Error> {
    parts.next_element()?.ok_or_else(|| A::Error::custom("only a document tells places"))
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
    type Value = Entries<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::with_capacity(entries.size_hint().unwrap_or(0));
        while let Some(entry) = entries.next_entry()? {
            all.push(entry);
        }
        Ok(Entries(all))
    }
}

impl<T: JsonSchema> JsonSchema for Field<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }
}

impl<T: JsonSchema> JsonSchema for Entries<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("NamesTo{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        std::collections::BTreeMap::<String, T>::json_schema(generator)
    }

    fn inline_schema() -> bool {
        true
    }
}
