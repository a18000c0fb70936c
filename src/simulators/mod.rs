//! The platforms as servers that speak their real protocols, with people who behave and faults: for the demo, for tests, and
//! for who wants to see what Lockstep does before he lets it at a real tenant.

pub mod cxone;
mod faults;
pub mod salesforce;
mod wire;
