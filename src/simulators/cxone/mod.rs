//! NICE CXone, as far as its contract goes: log-in, the feed of states with its cursor and pages, setting with what waits for the
//! end of a contact, agents, teams, codes, users. What the contract leaves open is a setting.

mod answer;
mod control;
mod floor;
mod people;
mod server;
mod sessions;
mod settings;
mod tenant;
mod tokens;
mod views;
mod world;

pub use super::wire::Addresses;
pub use floor::Floor;
pub use server::{Simulator, serve};
pub use settings::{Credentials, Settings};
pub use tenant::{Agent, By, Changed, Code, Refusal, Shown, Team, Tenant, Variant};
pub use world::Called;
