//! The platforms as servers that speak their real protocols, with people who behave and faults: for the demo, for tests, and
//! for who wants to see what Lockstep does before he lets it at a real tenant.

pub mod cxone;
mod faults;
mod rsa_key;
pub mod salesforce;
mod wire;

pub use rsa_key::{NoKey, RsaKey};
