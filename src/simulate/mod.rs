//! A closed loop in virtual time: two platforms that behave badly, an agent who changes both at nasty moments, and
//! the real engine between them. Checkers that know only what the platforms showed judge the end.
//!
//! Everything follows from one seed, so any history can be run again and read.

mod check;
mod crowd;
mod cxone;
mod faults;
mod operator;
mod person;
mod random;
mod rules;
mod salesforce;
mod truth;
mod world;

pub use check::{Finding, Override};
pub use crowd::Crowd;
pub use random::Random;
pub use rules::Mapping;
pub use world::{Record, Report, run};
