//! TOML text into the tree.

use toml::de::{DeTable, DeValue};

use super::{Mistakes, Node, Place, Value};

/// One slip in TOML makes the parser complain about what follows it: so many complaints are shown.
const SYNTAX_SHOWN_MAX: usize = 5;

/// Parses a text; `None` where its syntax is broken. A key given twice is a mistake, but no broken syntax.
pub(super) fn parse<'t>(text: &'t str, mistakes: &mut Mistakes) -> Option<Node<'t>> {
    let (root, complaints) = DeTable::parse_recoverable(text);
    let mut broken_lines = Vec::new();
    for complaint in &complaints {
        let start = complaint.span().map_or(0, |span| span.start);
        if complaint.message() == "duplicate key" {
            let key = text.get(complaint.span().unwrap_or_default()).unwrap_or_default().trim_matches('"');
            let what = format!("{} is given twice", super::quoted(key));
            mistakes.error(Place::at(start), "duplicate-key", what).mend("keep one of the two");
            continue;
        }
        let line = text.get(..start).unwrap_or_default().matches('\n').count();
        if broken_lines.len() < SYNTAX_SHOWN_MAX && !broken_lines.contains(&line) {
            let what = complaint.message().split(", expected").next().unwrap_or_default();
            let mend = if what.contains("string") {
                "put texts between double quotes: \"...\""
            } else {
                "see whether a quote, bracket, comma or equals sign is missing or too many, here or in the line before"
            };
            mistakes.error(Place::at(start), "syntax", format!("not TOML: {what}")).mend(mend);
        }
        broken_lines.push(line);
    }
    if !broken_lines.is_empty() {
        return None;
    }
    Some(Node { place: Place::at(0), value: table(root.into_inner(), mistakes) })
}

fn table<'t>(entries: DeTable<'t>, mistakes: &mut Mistakes) -> Value<'t> {
    let mut entries: Vec<_> = entries
        .into_iter()
        .map(|(key, value)| {
            let key_place = Place::at(key.span().start);
            let value_place = Place::at(value.span().start);
            let key = Node { place: key_place, value: Value::String(key.into_inner()) };
            (key, node(value_place, value.into_inner(), mistakes))
        })
        .collect();
    entries.sort_by_key(|(key, _)| key.place);
    Value::Table(entries)
}

fn node<'t>(place: Place, value: DeValue<'t>, mistakes: &mut Mistakes) -> Node<'t> {
    let value = match value {
        DeValue::String(text) => Value::String(text),
        DeValue::Boolean(b) => Value::Boolean(b),
        DeValue::Datetime(moment) => Value::String(moment.to_string().into()),
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => {
                mistakes.error(place, "number", "the number is too large").mend("write a smaller one");
                Value::Integer(0)
            }
        },
        DeValue::Array(items) => Value::Array(
            items
                .into_iter()
                .map(|item| node(Place::at(item.span().start), item.into_inner(), mistakes))
                .collect(),
        ),
        DeValue::Table(entries) => table(entries, mistakes),
    };
    Node { place, value }
}
