//! NICE CXone: log-in, calls, and what they answer. The contract of its API with how sure each fact is stands in the project's
//! documents; what is not sure is survived in every form.

mod connector;
mod feed;
mod holding;
mod login;
mod schedule;
mod set;
mod sink;
mod source;
mod tenant;
mod wire;

pub use connector::{Connected, Connector};
pub use feed::{Asked, Change, Feed, ODD_MAX, Taken};
pub use login::{AccessKey, Login, Way};
pub use set::SetBy;
pub use tenant::{AgentEntry, Agents, CodeEntry, Poll, Seen, Settings, TeamEntry, Tenant, UserEntry};
