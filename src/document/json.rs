//! JSON text into the tree.
//!
//! `serde_json` tells no places, but a borrowed [`RawValue`] is a slice of the text, and a slice knows where
//! it stands. Each level of the text is read as raw values, so a text is scanned once for each level.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{DEPTH_MAX, Mistakes, Node, Place, Value};

/// Parses a text; `None` where its syntax is broken.
pub(super) fn parse<'t>(text: &'t str, mistakes: &mut Mistakes) -> Option<Node<'t>> {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) => node(text, raw, DEPTH_MAX, mistakes),
        Err(complaint) => {
            let start = offset(text, complaint.line(), complaint.column());
            let message = complaint.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            mistakes.error(Place::at(start), "syntax", format!("not JSON: {message}"));
            None
        }
    }
}

fn node<'t>(
    text: &'t str,
    raw: &'t RawValue,
    depth_left: usize,
    mistakes: &mut Mistakes,
) -> Option<Node<'t>> {
    let slice = raw.get();
    let place = Place::at(slice.as_ptr().addr() - text.as_ptr().addr());
    let mut wrong = |kind, what: String| {
        mistakes.error(place, kind, what);
        None
    };
    if depth_left == 0 {
        return wrong("syntax", format!("nested deeper than {DEPTH_MAX} levels"));
    }
    let value = match slice.as_bytes().first() {
        Some(b'n') => Value::Null,
        Some(b't') => Value::Boolean(true),
        Some(b'f') => Value::Boolean(false),
        Some(b'"') => match string(slice) {
            Ok(string) => Value::String(string),
            Err(e) => return wrong("syntax", format!("not JSON: {e}")),
        },
        Some(b'[') => match serde_json::Deserializer::from_str(slice).deserialize_seq(Items) {
            Ok(items) => Value::Array(
                items
                    .into_iter()
                    .map(|item| node(text, item, depth_left - 1, mistakes))
                    .collect::<Option<_>>()?,
            ),
            Err(e) => return wrong("syntax", format!("not JSON: {e}")),
        },
        Some(b'{') => match serde_json::Deserializer::from_str(slice).deserialize_map(Items) {
            Ok(items) => table(text, &items, depth_left - 1, mistakes)?,
            Err(e) => return wrong("syntax", format!("not JSON: {e}")),
        },
        _ => match slice.parse() {
            Ok(number) => Value::Integer(number),
            Err(_) => match slice.parse() {
                Ok(number) => Value::Float(number),
                Err(_) => return wrong("number", "not a number that can be read".to_owned()),
            },
        },
    };
    Some(Node { place, value })
}

/// Keys and values alternate in `items`.
fn table<'t>(
    text: &'t str,
    items: &[&'t RawValue],
    depth_left: usize,
    mistakes: &mut Mistakes,
) -> Option<Value<'t>> {
    let mut entries: Vec<(Node<'t>, Node<'t>)> = Vec::with_capacity(items.len() / 2);
    let mut keys = std::collections::BTreeSet::new();
    for pair in items.chunks_exact(2) {
        let [key, value] = pair else { continue };
        let key = node(text, key, DEPTH_MAX, mistakes)?;
        let value = node(text, value, depth_left, mistakes)?;
        let Value::String(name) = &key.value else { continue };
        if keys.insert(name.clone()) {
            entries.push((key, value));
        } else {
            let what = format!("{} is given twice", super::quoted(name));
            mistakes.error(key.place, "duplicate-key", what).mend("keep one of the two");
        }
    }
    Some(Value::Table(entries))
}

fn string(slice: &str) -> Result<Cow<'_, str>, serde_json::Error> {
    let inner = slice.get(1..slice.len().saturating_sub(1)).unwrap_or_default();
    if inner.contains('\\') { serde_json::from_str(slice).map(Cow::Owned) } else { Ok(Cow::Borrowed(inner)) }
}

fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut start = (before + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    start
}

/// The items of a list, or the keys and values of a table in turn, each as the slice it is.
struct Items;

impl<'t> Visitor<'t> for Items {
    type Value = Vec<&'t RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or a table")
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(all)
    }

    fn visit_map<A: MapAccess<'t>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some((key, value)) = entries.next_entry()? {
            all.push(key);
            all.push(value);
        }
        Ok(all)
    }
}
