//! Plain values that the whole house speaks in: platforms, accounts, ids, statuses, causes, links, times.
//!
//! This room imports only `std`. Nothing here allocates, reads a clock or fails other than by value.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod account;
mod cause;
mod id;
mod link;
mod remedy;
mod status;
mod time;

pub use account::{Account, AccountName, Both, Platform};
pub use cause::{Cause, Feed};
pub use id::{
    AgentId, CxoneAgentId, IdError, OrganisationId, OutStateId, PresenceStatusId, RowId, SalesforceId,
    TeamId, UserId,
};
pub use link::{CxoneAgent, Link, SalesforceUser, Team};
pub use remedy::Remedy;
pub use status::{
    ContactState, CxoneState, CxoneStatus, PresenceKind, ReservedOutState, SalesforceStatus, Status,
    StatusError,
};
pub use time::{DurationMs, TimeMs};
