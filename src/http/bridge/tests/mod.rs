//! Who holds an agent, and what tokens let in: a case for each sentence of `docs/bridge-protocol.md`.

mod hub;
mod tokens;
