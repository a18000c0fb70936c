//! What is in force in a partition: a revision with its tables, by the activation that put it there.

use crate::codec::{Sha256, Uuid};
use crate::directory::Vocabulary;
use crate::engine::Epoch;
use crate::rules::{Assignment, Revision, Settings, Tables};

/// A revision in force.
#[derive(Debug)]
pub(super) struct InForce {
    /// The activation; 0 where none was yet.
    pub(super) epoch: Epoch,
    /// The revision and the hash of its manifest.
    pub(super) revision: Option<(Uuid, Sha256)>,
    pub(super) tables: std::sync::Arc<Compiled>,
}

/// A revision, ready to decide by.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) tables: Tables,
    names: Vec<String>,
}

impl Compiled {
    pub(super) fn new(revision: &Revision) -> Compiled {
        let names = revision.rules.iter().map(|rule| rule.name.clone()).collect();
        Compiled { tables: Tables::compile(revision), names }
    }

    /// The name of the rule that an assignment stands for.
    pub(super) fn rule(&self, assignment: Option<Assignment>) -> Option<&str> {
        self.names.get(self.tables.rule(assignment?)).map(String::as_str)
    }
}

impl InForce {
    /// What is in force before the first activation: no rules.
    pub(super) fn nothing() -> InForce {
        let revision =
            Revision { rules: Vec::new(), vocabulary: Vocabulary::default(), settings: Settings::default() };
        InForce { epoch: Epoch(0), revision: None, tables: Compiled::new(&revision).into() }
    }
}
