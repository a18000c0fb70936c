//! The walls of the house: which room may import which, and which packages. Reads every import and every path
//! in `src/` and names each that breaks a wall.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::Visit;

/// (room, rooms it may import, packages it may use). `std` is open to all.
const WALLS: &[(&str, &[&str], &[&str])] = &[
    ("domain", &[], &[]),
    (
        "document",
        &[],
        &["schemars", "serde", "serde_json", "strsim", "thiserror", "toml", "unicode_normalization"],
    ),
    ("directory", &["domain", "document"], &["serde", "uuid"]),
    ("rules", &["domain", "document", "directory"], &["serde"]),
    ("engine", &["domain", "rules"], &["smallvec"]),
    ("simulate", &["domain", "directory", "document", "engine", "rules"], &[]),
    (
        "codec",
        &["domain", "directory", "engine", "rules"],
        &[
            "apache_avro",
            "moka",
            "reqwest",
            "secrecy",
            "serde",
            "serde_json",
            "sha2",
            "thiserror",
            "tokio",
            "url",
        ],
    ),
    ("fail", &[], &["tracing"]),
    (
        "bus",
        &["domain", "fail"],
        &[
            "fjall",
            "rdkafka",
            "rdkafka_sys",
            "rustix",
            "secrecy",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "tracing",
            "twox_hash",
        ],
    ),
    ("control", &["bus", "codec", "directory", "domain", "engine", "rules"], &["sha2", "thiserror"]),
    (
        "processor",
        &["bus", "codec", "control", "directory", "domain", "engine", "fail", "rules"],
        &["thiserror", "tracing", "twox_hash"],
    ),
    ("copy", &["bus", "codec", "connectors", "domain", "processor"], &["thiserror"]),
    (
        "connectors",
        &["bus", "codec", "domain", "engine"],
        &[
            "axum",
            "base64",
            "jiff",
            "jsonwebtoken",
            "moka",
            "oauth2",
            "reqwest",
            "secrecy",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "tracing",
            "url",
        ],
    ),
    ("listen", &[], &["aws_lc_rs", "thiserror", "tokio", "tokio_rustls"]),
    (
        "simulators",
        &["connectors", "domain", "listen"],
        &[
            "aws_lc_rs",
            "axum",
            "base64",
            "futures_util",
            "jiff",
            "jsonwebtoken",
            "reqwest",
            "secrecy",
            "serde",
            "serde_json",
            "sha2",
            "thiserror",
            "tokio",
            "tokio_rustls",
            "tokio_tungstenite",
            "url",
        ],
    ),
    ("metrics", &["bus", "codec", "connectors", "domain", "engine", "processor"], &["prometheus"]),
    (
        "http",
        &["bus", "codec", "connectors", "domain", "engine", "listen", "metrics"],
        &[
            "axum",
            "futures_util",
            "jiff",
            "jsonwebtoken",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "tokio_tungstenite",
            "tracing",
        ],
    ),
    ("config", &["domain", "document", "listen"], &["schemars", "secrecy", "serde", "url"]),
    // The binary: the only place where everything meets, and where `anyhow` may be.
    (
        "cli",
        &[
            "bus",
            "codec",
            "config",
            "connectors",
            "control",
            "copy",
            "directory",
            "document",
            "domain",
            "engine",
            "http",
            "listen",
            "metrics",
            "processor",
            "rules",
            "simulate",
            "simulators",
        ],
        &[
            "anstream",
            "anstyle",
            "anyhow",
            "apache_avro",
            "clap",
            "crossterm",
            "jiff",
            "rdkafka",
            "reqwest",
            "rustix",
            "secrecy",
            "serde",
            "serde_json",
            "tokio",
            "toml",
            "tracing",
            "tracing_subscriber",
            "unicode_width",
        ],
    ),
];

#[test]
fn no_import_breaks_a_wall() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let packages = packages();
    let mut files = Vec::new();
    collect(&source, &mut files);
    assert!(files.len() > 30, "only {} files found in {}", files.len(), source.display());
    let mut broken = Vec::new();
    let mut rooms = BTreeSet::new();
    for file in files {
        let inside = file.strip_prefix(&source).unwrap();
        let modules = modules(inside);
        let Some(room) = modules.first().cloned() else { continue };
        rooms.insert(room);
        let text = fs::read_to_string(&file).unwrap();
        broken.extend(
            breaches(&text, &modules, &packages).into_iter().map(|b| format!("src/{}:{b}", inside.display())),
        );
    }
    for room in rooms {
        if !WALLS.iter().any(|(name, ..)| *name == room) {
            broken.push(format!("the room {room} has no walls: add it to WALLS in tests/walls.rs"));
        }
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn a_broken_wall_is_found() {
    let packages = packages();
    let found = |text: &str, modules: &[&str]| {
        let modules: Vec<String> = modules.iter().map(|m| (*m).to_owned()).collect();
        breaches(text, &modules, &packages)
    };
    let domain = &["domain", "id"];
    let cases: &[(&str, &[&str], &str)] = &[
        ("use serde::Deserialize;", domain, "1: domain uses the package serde"),
        ("use ::toml::de as x;", domain, "1: domain uses the package toml"),
        ("\nuse crate::{rules::Row, domain::TimeMs};", domain, "2: domain imports rules"),
        ("use super::super::config::Config;", domain, "1: domain imports config"),
        ("fn f() { crate::config::Config::schema(); }", domain, "1: domain imports config"),
        ("fn f() { println!(\"{}\", crate::config::TEMPLATE); }", domain, "1: domain imports config"),
        ("mod m { use super::super::super::rules; }", domain, "1: domain imports rules"),
        ("#[derive(serde::Serialize)] struct S;", domain, "1: domain uses the package serde"),
        ("use anyhow::Result;", &["rules", "check"], "1: rules uses the package anyhow"),
        ("use crate::cli;", &["rules", "check"], "1: rules imports cli"),
        ("use lockstep::nowhere;", &["cli", "rules"], "1: cli imports nowhere"),
    ];
    for (text, modules, breach) in cases {
        assert_eq!(found(text, modules), [*breach], "{text}");
    }
    let fine: &[(&str, &[&str])] = &[
        ("use std::fmt; use crate::domain::TimeMs; use super::IdError;", domain),
        ("#[cfg(test)] mod tests { use proptest::prelude::*; use crate::config::Config; }", domain),
        ("// use serde::Deserialize;", domain),
        ("use crate::document::Field; use serde::Deserialize;", &["rules", "raw"]),
        ("use lockstep::rules; use super::output;", &["cli", "rules"]),
    ];
    for (text, modules) in fine {
        assert_eq!(found(text, modules), Vec::<String>::new(), "{text}");
    }
}

/// Every package of Cargo.toml, as it is called in code.
fn packages() -> BTreeSet<String> {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = toml::from_str(&manifest).unwrap();
    let names = ["dependencies", "dev-dependencies"].map(|kind| manifest[kind].as_table().unwrap().keys());
    names.into_iter().flatten().map(|name| name.replace('-', "_")).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // Tests may look over walls.
            if path.file_name().unwrap() != "tests" {
                collect(&path, files);
            }
        } else if path.extension().is_some_and(|e| e == "rs") && path.file_name().unwrap() != "tests.rs" {
            files.push(path);
        }
    }
}

/// `domain/id.rs` is the module `domain::id`; `domain/mod.rs` is `domain`; `lib.rs` and `main.rs` are the root.
fn modules(file: &Path) -> Vec<String> {
    let mut modules: Vec<String> =
        file.with_extension("").iter().map(|p| p.to_string_lossy().into_owned()).collect();
    if modules.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
        modules.pop();
    }
    modules
}

/// `LINE: what is broken` for each import or path of a module that breaks a wall.
fn breaches(text: &str, modules: &[String], packages: &BTreeSet<String>) -> Vec<String> {
    let file = syn::parse_file(text).unwrap_or_else(|e| panic!("{modules:?}: {e}"));
    let mut reader = Reader { modules: modules.to_vec(), packages, breaches: BTreeSet::new() };
    reader.visit_file(&file);
    reader.breaches.into_iter().map(|(line, what)| format!("{line}: {what}")).collect()
}

struct Reader<'r> {
    /// Where the code stands, inline modules included.
    modules: Vec<String>,
    packages: &'r BTreeSet<String>,
    breaches: BTreeSet<(usize, String)>,
}

impl Reader<'_> {
    /// Looks at a path, which `rooted` says began with `::`.
    fn path(&mut self, segments: &[(String, usize)], rooted: bool) {
        let Some((first, line)) = segments.first() else { return };
        let room = &self.modules[0];
        let (_, rooms, packages) = WALLS.iter().find(|(name, ..)| name == room).unwrap_or(&("", &[], &[]));
        let in_crate = |skip: usize| segments.get(skip).map(|(name, _)| name.as_str());
        let supers = segments.iter().take_while(|(name, _)| name == "super").count();
        let target = match first.as_str() {
            "crate" | "lockstep" if !rooted => in_crate(1),
            "super" if supers >= self.modules.len() => in_crate(supers),
            _ => None,
        };
        if let Some(target) = target {
            // A name that begins with a capital is an item, not a room.
            let is_room = target.starts_with(char::is_lowercase);
            if is_room && target != room && !rooms.contains(&target) {
                self.breaches.insert((*line, format!("{room} imports {target}")));
            }
        } else if segments.len() > 1 && self.packages.contains(first) && !packages.contains(&first.as_str()) {
            self.breaches.insert((*line, format!("{room} uses the package {first}")));
        }
    }

    fn use_tree(&mut self, tree: &syn::UseTree, before: &mut Vec<(String, usize)>, rooted: bool) {
        let depth = before.len();
        let mut push = |ident: &syn::Ident| before.push((ident.to_string(), ident.span().start().line));
        match tree {
            syn::UseTree::Path(path) => {
                push(&path.ident);
                self.use_tree(&path.tree, before, rooted);
            }
            syn::UseTree::Name(name) => {
                push(&name.ident);
                self.path(before, rooted);
            }
            syn::UseTree::Rename(name) => {
                push(&name.ident);
                self.path(before, rooted);
            }
            syn::UseTree::Glob(_) => self.path(before, rooted),
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.use_tree(tree, before, rooted))
            }
        }
        before.truncate(depth);
    }

    /// Macros are not parsed: their tokens are read for `a::b`.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<(String, usize)> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(p) if p.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.path(&std::mem::take(&mut path), false);
                    }
                    path.push((ident.to_string(), ident.span().start().line));
                }
                TokenTree::Group(group) => self.tokens(group.stream()),
                _ => self.path(&std::mem::take(&mut path), false),
            }
            colons = 0;
        }
        self.path(&path, false);
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|a| {
        a.path().is_ident("cfg")
            && matches!(&a.meta, syn::Meta::List(list) if list.tokens.to_string() == "test")
    })
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_test(&item.attrs) {
            self.use_tree(&item.tree, &mut Vec::new(), item.leading_colon.is_some());
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            self.modules.push(item.ident.to_string());
            syn::visit::visit_item_mod(self, item);
            self.modules.pop();
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter().map(|s| (s.ident.to_string(), s.ident.span().start().line));
        self.path(&segments.collect::<Vec<_>>(), path.leading_colon.is_some());
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        self.visit_path(&mac.path);
        self.tokens(mac.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }
}
