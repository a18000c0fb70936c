//! NICE CXone: log-in, calls, and what they answer. The contract of its API with how sure each fact is stands in the project's
//! documents; what is not sure is survived in every form.

mod edge;
mod feed;
mod login;
mod set;
mod source;
mod tenant;
mod wire;

pub use edge::Attached;
pub use feed::{Change, Feed, ODD_MAX, Taken};
pub use login::{AccessKey, Login, Way};
pub use set::SetBy;
pub use tenant::{AgentEntry, Agents, CodeEntry, Poll, Seen, Settings, TeamEntry, Tenant, UserEntry};
