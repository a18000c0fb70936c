//! Lockstep keeps every contact-centre agent's presence the same in Salesforce Omni-Channel and NICE CXone.
//!
//! # The rooms, from the ground up
//! | room | holds | may use |
//! |---|---|---|
//! | [`domain`] | agent, account, status, ids, times: plain values | only `std` |
//! | [`document`] | TOML and JSON text into raw structs, every mistake with its place | serde |
//! | [`directory`] | who is who: vocabulary, people, links | `domain`, `document` |
//! | [`rules`] | rules file -> checked revision -> tables | `domain`, `document`, `directory` |
//! | [`engine`] | `apply(state, event, rules) -> effects`: pure, total | `domain`, the tables of `rules` |
//! | [`codec`] | Avro records to values and back, framing, schema registry | `domain`, `directory`, `engine`, `rules` |
//! | [`bus`] | a log of topics that processes share: its contract, and Kafka | `domain` |
//! | [`control`] | what operators say, on its way into the log: revisions, activations, links | all above but `document` |
//! | [`processor`] | events -> decisions, commands, states, exactly once: restore, apply, commit | all above but `document` |
//! | [`copy`] | a deployment moves from one bus to another | `bus`, `codec`, `connectors`, `domain`, `processor` |
//! | [`connectors`] | the way to the platforms: sources and sinks, calls within a budget | `bus`, `codec`, `domain`, `engine` |
//! | [`metrics`] | every name and help text of what operators watch | `connectors`, `processor`, and what they tell |
//! | [`listen`] | a server's end: TLS, and which pages may come | only packages |
//! | [`http`] | the ops endpoints: metrics, health, readiness, status; the bridge to browsers | `connectors`, `metrics`, and what they use |
//! | [`config`] | configuration file -> valid values | `domain`, `document`, `listen` |
//! | [`simulate`] | the platforms, a person and their faults around the engine, in virtual time | all but `document`, `config` |
//! | [`simulators`] | the platforms as servers that speak their real protocols | `connectors`, `domain`, `listen` |
//!
//! `fail` is a point at which tests end a process; any room may have one, and no release has.
//!
//! The binary's `cli` sees all of them; none of them sees it. `tests/walls.rs` reads the imports and names
//! each that breaks a wall. ARCHITECTURE.md says why, and what is deliberately absent.

pub mod bus;
pub mod codec;
pub mod config;
pub mod connectors;
pub mod control;
pub mod copy;
pub mod directory;
pub mod document;
pub mod domain;
pub mod engine;
pub mod fail;
pub mod http;
pub mod listen;
pub mod metrics;
pub mod processor;
pub mod rules;
pub mod simulate;
pub mod simulators;
