//! Who holds an agent, what tokens let in, and when a connection ends: a case for each sentence of `docs/bridge-protocol.md`.

mod connection;
mod hub;
mod tokens;
