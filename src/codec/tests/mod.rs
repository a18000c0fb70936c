//! What the codec promises.

mod arbitrary;
mod evolution;
mod hostile;
mod released;
mod remedies;
mod same_bytes;
