//! The presence rules: a TOML file checked whole ([`check()`]), the [`Revision`] that comes of it, and the
//! [`Tables`] by which the engine looks up targets without comparing a text.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod assign;
mod check;
mod draft;
mod raw;
mod revision;
mod settings;
mod tables;
mod term;
#[cfg(test)]
mod tests;
mod trips;
mod vocabulary;

pub use check::{Misfit, check, check_again};
pub use revision::{
    OnConflict, OnLogin, Options, PublisherRow, Revision, Rule, SubscriberRow, WhileOnContact,
};
pub use settings::{FLAP_COMMANDS_MAX, Settings};
pub use tables::{AgentRule, Assignment, CxoneTarget, Row, SalesforceTarget, Tables};
pub use term::{CxoneOrder, CxoneTerm, SalesforceTerm};
