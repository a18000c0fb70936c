//! What reaches the platforms: sources that read them, and sinks that write what was decided.

pub mod cxone;
mod error;
pub mod http;
mod lease;
mod links;
mod observer;
mod outbox;
pub mod sink;

pub use error::Error;
pub use lease::Lease;
pub use links::{Linking, Links};
pub use observer::{Noted, Observer};
pub use outbox::{Author, Outbox};
