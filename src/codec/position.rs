//! Positions: what is in `presence.positions`.

use std::borrow::Cow;

use super::wire::{fields, records};
use crate::domain::{Account, TimeMs};

/// How far a source has read an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position<'b> {
    /// The account.
    pub account: Account,
    /// When it was read up to there.
    pub read_at: TimeMs,
    /// The process that wrote it: `ROLE/ACCOUNT/NAME`.
    pub writer: Cow<'b, str>,
    /// Salesforce: the replay id of the last change event, as it was given.
    pub replay_id: Option<Cow<'b, [u8]>>,
    /// CXone: the `lastPollTime` of the last answer, as it was given. Salesforce: until when rows were asked for, by its clock.
    pub last_poll_time: Option<Cow<'b, str>>,
}

fields!(['b] Position<'b> as "Position" {
    account => "account", read_at => "read_at", writer => "writer", replay_id => "replay_id",
    last_poll_time => "last_poll_time",
});
records! { ['b] Position<'b>: Position; }
