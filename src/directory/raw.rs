//! The directory file as it is written, in TOML or JSON.

use serde::Deserialize;

use crate::document::{Entries, Field};

#[derive(Deserialize)]
pub(super) struct RawDirectory {
    pub(super) salesforce: Field<Entries<RawSalesforce>>,
    pub(super) cxone: Field<Entries<RawCxone>>,
    pub(super) links: Field<Vec<Field<RawLink>>>,
}

#[derive(Deserialize)]
pub(super) struct RawSalesforce {
    pub(super) statuses: Field<Vec<Field<RawStatus>>>,
    pub(super) users: Field<Vec<Field<RawUser>>>,
}

#[derive(Deserialize)]
pub(super) struct RawStatus {
    pub(super) id: Field<String>,
    pub(super) developer_name: Field<String>,
    pub(super) label: Field<String>,
    pub(super) channels: Field<Vec<Field<String>>>,
    /// Absent: unknown.
    pub(super) granted_to: Field<Vec<Field<String>>>,
}

#[derive(Deserialize)]
pub(super) struct RawUser {
    pub(super) id: Field<String>,
    pub(super) user_name: Field<Box<str>>,
    pub(super) email: Field<Box<str>>,
    pub(super) profile: Field<Box<str>>,
    pub(super) permission_sets: Field<Vec<Field<Box<str>>>>,
    pub(super) federation_id: Field<Box<str>>,
    pub(super) active: Field<bool>,
}

#[derive(Deserialize)]
pub(super) struct RawCxone {
    pub(super) codes: Field<Vec<Field<RawCode>>>,
    pub(super) teams: Field<Vec<Field<RawTeam>>>,
    pub(super) agents: Field<Vec<Field<RawAgent>>>,
}

#[derive(Deserialize)]
pub(super) struct RawCode {
    pub(super) id: Field<u32>,
    pub(super) name: Field<String>,
    pub(super) active: Field<bool>,
    pub(super) after_call_work: Field<bool>,
}

#[derive(Deserialize)]
pub(super) struct RawTeam {
    pub(super) id: Field<u32>,
    pub(super) name: Field<String>,
    /// Absent: unknown.
    pub(super) codes: Field<Vec<Field<u32>>>,
}

#[derive(Deserialize)]
pub(super) struct RawAgent {
    pub(super) id: Field<u32>,
    pub(super) user_name: Field<Box<str>>,
    pub(super) email: Field<Box<str>>,
    pub(super) team: Field<u32>,
    pub(super) federation_id: Field<Box<str>>,
    pub(super) active: Field<bool>,
}

/// `ACCOUNT/ID` on both platforms.
#[derive(Deserialize)]
pub(super) struct RawLink {
    pub(super) salesforce: Field<String>,
    pub(super) cxone: Field<String>,
}
