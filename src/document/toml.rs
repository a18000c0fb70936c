//! TOML text into the tree.

use std::collections::BTreeSet;

use toml::de::{DeTable, DeValue};

use super::{Document, Mistakes, Node, Place, Value, quoted};

/// One slip in TOML makes the parser complain about what follows it: so many complaints are shown.
const SYNTAX_SHOWN_MAX: usize = 5;

/// Parses a text; `None` where its syntax is broken. A key given twice is a mistake, but no broken syntax.
pub(super) fn parse<'t>(document: &'t Document, mistakes: &mut Mistakes) -> Option<Node<'t>> {
    let text = &document.text;
    let (root, complaints) = DeTable::parse_recoverable(text);
    let mut broken_lines = BTreeSet::new();
    for complaint in &complaints {
        let span = complaint.span().unwrap_or_default();
        let place = Place::at(span.start);
        if complaint.message() == "duplicate key" {
            let key = text.get(span).unwrap_or_default().trim_matches(['"', '\'']);
            mistakes
                .error(place, "duplicate-key", format!("{} is given twice", quoted(key)))
                .mend("keep one of the two; of two sections, put the lines together");
        } else if broken_lines.len() < SYNTAX_SHOWN_MAX && broken_lines.insert(document.line(place)) {
            broken(text, complaint.message(), place, mistakes);
        }
    }
    if !broken_lines.is_empty() {
        return None;
    }
    Some(Node { place: Place::at(0), value: table(root.into_inner()) })
}

fn broken(text: &str, message: &str, place: Place, mistakes: &mut Mistakes) {
    let what = message.split(", expected").next().unwrap_or_default();
    let mend = if text.trim_start().starts_with('{') {
        "if the file is JSON, give it a name that ends in .json"
    } else if what.contains("string") {
        "put texts between double quotes: \"...\""
    } else {
        "see whether a quote, bracket, comma or equals sign is missing or too many, here or in the line before"
    };
    mistakes.error(place, "syntax", format!("not TOML: {what}")).mend(mend);
}

fn table(entries: DeTable<'_>) -> Value<'_> {
    let mut entries: Vec<_> = entries
        .into_iter()
        .map(|(key, value)| {
            let key_place = Place::at(key.span().start);
            let value_place = Place::at(value.span().start);
            let key = Node { place: key_place, value: Value::String(key.into_inner()) };
            (key, node(value_place, value.into_inner()))
        })
        .collect();
    entries.sort_by_key(|(key, _)| key.place);
    Value::Table(entries)
}

fn node(place: Place, value: DeValue<'_>) -> Node<'_> {
    let value = match value {
        DeValue::String(text) => Value::String(text),
        DeValue::Boolean(b) => Value::Boolean(b),
        DeValue::Datetime(moment) => Value::String(moment.to_string().into()),
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        // What does not fit is out of every range that is asked for.
        DeValue::Integer(number) => {
            let bound = if number.as_str().starts_with('-') { i64::MIN } else { i64::MAX };
            Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).unwrap_or(bound))
        }
        DeValue::Array(items) => Value::Array(
            items.into_iter().map(|item| node(Place::at(item.span().start), item.into_inner())).collect(),
        ),
        DeValue::Table(entries) => table(entries),
    };
    Node { place, value }
}
