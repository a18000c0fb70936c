//! Lockstep.
pub mod config;
pub mod directory;
pub mod document;
pub mod domain;
