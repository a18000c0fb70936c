//! Which keys there are, as the schema has it, and where the good configuration has each.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::ground::GOOD;

/// A key with those that it stands under; `*` is a name that somebody chose.
pub(crate) type Path = Vec<String>;

/// What a key may be.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Number {
        min: i64,
        max: i64,
    },
    Boolean,
    Text,
    Choice(Vec<String>),
    List,
    Secret,
    /// A property of librdkafka.
    Property,
}

/// What the schema says of all keys.
pub(crate) struct Keys {
    schema: Value,
    /// Each key that has a value, and what it may be.
    pub(crate) leaves: BTreeMap<Path, Kind>,
    /// Each key that its table cannot be without.
    pub(crate) required: BTreeSet<Path>,
}

/// A line of the good configuration that gives a key a value.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// As it is written, with the names that were chosen.
    pub(crate) written: Path,
    /// From 1.
    pub(crate) line: usize,
    /// The line of its section's name.
    pub(crate) section: usize,
}

impl Line {
    /// The key alone, as it is written.
    pub(crate) fn key(&self) -> &str {
        self.written.last().unwrap()
    }
}

impl Keys {
    pub(crate) fn new() -> Keys {
        let schema = serde_json::to_value(lockstep::config::Config::schema()).unwrap();
        let mut keys = Keys { schema, leaves: BTreeMap::new(), required: BTreeSet::new() };
        let root = keys.schema.clone();
        keys.walk(&Vec::new(), &root);
        keys
    }

    fn resolved<'s>(&'s self, node: &'s Value) -> &'s Value {
        let Some(name) = node["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/"))
        else {
            return node;
        };
        &self.schema["$defs"][name]
    }

    fn walk(&mut self, path: &Path, node: &Value) {
        let under = |key: &str| path.iter().cloned().chain([key.to_owned()]).collect::<Path>();
        let node = self.resolved(node).clone();
        if let Some(kind) = kind(&node) {
            self.leaves.insert(path.clone(), kind);
            return;
        }
        assert_eq!(node["type"], "object", "{path:?} has a shape that this test does not know: {node}");
        for (key, below) in node["properties"].as_object().into_iter().flatten() {
            self.walk(&under(key), below);
        }
        if node["additionalProperties"].is_object() {
            self.walk(&under("*"), &node["additionalProperties"]);
        }
        for key in node["required"].as_array().into_iter().flatten() {
            self.required.insert(under(key.as_str().unwrap()));
        }
    }

    /// A path as it is written, with `*` in place of names that were chosen.
    pub(crate) fn general(&self, written: &[String]) -> Path {
        let mut node = &self.schema;
        let mut path = Path::new();
        for name in written {
            let table = self.resolved(node);
            let known = &table["properties"][name.as_str()];
            (node, path) = match known {
                Value::Null => (&table["additionalProperties"], [path, vec!["*".to_owned()]].concat()),
                _ => (known, [path, vec![name.clone()]].concat()),
            };
        }
        path
    }
}

/// What a key may be whose value is no table of keys.
fn kind(node: &Value) -> Option<Kind> {
    if node["properties"]["secret_file"].is_object() {
        return Some(Kind::Secret);
    }
    if node["anyOf"].is_array() {
        return Some(Kind::Property);
    }
    if let Some(choices) = node["oneOf"].as_array() {
        let word = |choice: &Value| choice["const"].as_str().unwrap().to_owned();
        return Some(Kind::Choice(choices.iter().map(word).collect()));
    }
    match node["type"].as_str()? {
        "integer" => Some(Kind::Number {
            min: node["minimum"].as_i64().unwrap(),
            max: node["maximum"].as_i64().unwrap(),
        }),
        "boolean" => Some(Kind::Boolean),
        "string" => Some(Kind::Text),
        "array" => Some(Kind::List),
        _ => None,
    }
}

/// The lines of the good configuration that give keys values.
pub(crate) fn lines() -> Vec<Line> {
    let (mut section, mut names) = (0, Path::new());
    let mut lines = Vec::new();
    for (line, text) in (1..).zip(GOOD.lines()) {
        if let Some(name) = text.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            (section, names) = (line, name.split('.').map(str::to_owned).collect());
        } else if let Some((key, _)) = text.split_once(" = ").filter(|_| !text.starts_with('#')) {
            let written = names.iter().cloned().chain([key.trim_matches('"').to_owned()]).collect();
            lines.push(Line { written, line, section });
        }
    }
    lines
}

/// The line of a key as it is written, such as `salesforce.emea.user_name`.
pub(crate) fn line_of<'l>(lines: &'l [Line], written: &str) -> &'l Line {
    let found = lines.iter().find(|line| line.written.join(".") == written);
    found.unwrap_or_else(|| panic!("{written} is not in the good configuration"))
}
