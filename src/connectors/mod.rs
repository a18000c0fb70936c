//! What reaches the platforms: sources that read them, and sinks that write what was decided.

mod connector;
pub mod cxone;
mod edge;
mod error;
mod holding;
pub mod http;
mod lease;
mod links;
mod observer;
mod outbox;
pub mod salesforce;
mod schedule;
pub mod sink;

use crate::bus::TopicsPlan;

pub use connector::{Connected, Connector};
pub use edge::{Edge, Source};
pub use error::Error;
pub use lease::Lease;
pub use links::{Linking, Links};
pub use observer::{Noted, Observer};
pub use outbox::{Author, Outbox};
pub use schedule::Asked;

/// The group whose only partition is the lease of an account, and the identity of who writes for it. It has read the commands
/// of the account's platform, too.
pub fn identity(plan: &TopicsPlan, account: &str) -> String {
    format!("{}.source.{account}", plan.prefix)
}
