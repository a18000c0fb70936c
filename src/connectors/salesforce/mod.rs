//! Salesforce: log-in, calls, and what they answer. The contract of its API with how sure each fact is stands in the project's
//! documents; what is not sure is survived in every form.

mod edge;
mod error;
mod feed;
mod login;
mod org;
mod reads;
mod source;
mod token_file;
mod usage;
mod web_flow;
mod wire;

pub use edge::Attached;
pub use error::Error;
pub use feed::{Change, Feed, Taken};
pub use login::{App, Login, Way};
pub use org::{Org, Settings};
pub use reads::{Allowance, Allowances, Presence, Row, StatusEntry, UserEntry};
pub use token_file::TokenFile;
pub use web_flow::{Granted, SCOPES, Scope, WebFlow};
