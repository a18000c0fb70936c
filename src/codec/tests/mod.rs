//! What the codec promises.

mod arbitrary;
mod evolution;
mod hostile;
mod same_bytes;
