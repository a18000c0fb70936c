//! Salesforce, as far as its contract goes: log-in over OAuth, queries and their pages, limits, and the presence of users, which no
//! call can set: their browsers do, through [`Org`]. What the contract leaves open is a setting.

mod bridge;
pub mod consoles;
mod control;
mod handle;
mod ids;
mod oauth;
mod people;
mod presence;
mod records;
mod rest;
mod server;
mod sessions;
mod settings;
mod soql;
#[cfg(test)]
mod tests;
mod times;
mod world;

pub use super::wire::Addresses;
pub use bridge::BridgeError;
pub use consoles::Consoles;
pub use handle::{Changed, Current, Org};
pub use presence::{Reason, Refusal, Row};
pub use records::User;
pub use server::{Simulator, serve};
pub use settings::{BridgeKey, Credentials, Settings, Variants};
