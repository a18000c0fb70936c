//! The rules file as it is written.

use serde::Deserialize;

use super::{OnConflict, OnLogin, WhileOnContact};
use crate::document::{Entries, Field};

#[derive(Deserialize)]
pub(super) struct RawRules {
    pub(super) rule: Field<Vec<Field<RawRule>>>,
    pub(super) settings: Field<RawSettings>,
}

#[derive(Deserialize)]
pub(super) struct RawRule {
    pub(super) name: Field<String>,
    pub(super) teams: Field<Vec<Field<String>>>,
    pub(super) agents: Field<Vec<Field<String>>>,
    pub(super) skip_code_validation: Field<bool>,
    pub(super) on_conflict: Field<OnConflict>,
    pub(super) while_on_contact: Field<WhileOnContact>,
    pub(super) on_login: Field<OnLogin>,
    pub(super) cxone_to_salesforce: Field<Entries<String>>,
    pub(super) salesforce_to_cxone: Field<Entries<String>>,
}

#[derive(Default, Deserialize)]
pub(super) struct RawSettings {
    pub(super) confirm_ms: Field<u32>,
    pub(super) grace_ms: Field<u32>,
    pub(super) concurrent_ms: Field<u32>,
    pub(super) echo_early_ms: Field<u32>,
    pub(super) echo_late_ms: Field<u32>,
    pub(super) corrections: Field<u32>,
    pub(super) flap_commands: Field<u32>,
    pub(super) flap_window_ms: Field<u32>,
    pub(super) cool_down_ms: Field<u32>,
    pub(super) cool_down_ms_max: Field<u32>,
}
