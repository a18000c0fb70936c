//! The bridge: browsers of agents connect, are given commands, and tell what became of them and what their users are in.
//! `docs/bridge-protocol.md` has what is said; ARCHITECTURE.md why it is so.

mod connection;
mod gateway;
mod hub;
mod message;
mod reading;
mod seat;
mod server;
mod socket;
mod stream;
#[cfg(test)]
mod tests;
mod token;
mod writing;

pub use gateway::{Gateway, Port, Settings};
pub use server::{Bridge, SUBPROTOCOL};
pub use token::{Door, KeyError, TokenError, Trusted};
