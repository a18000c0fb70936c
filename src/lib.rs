//! Lockstep.
pub mod config;
pub mod document;
pub mod domain;
