//! Dead letters: what is in `presence.dead-letters`.

use std::borrow::Cow;

use super::scalar::Sha256;
use super::symbols::symbols;
use super::wire::{fields, records};
use crate::domain::TimeMs;

/// What could not be read or done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter<'b> {
    /// The topic it was read from.
    pub topic: Cow<'b, str>,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The record time of the input.
    pub at: TimeMs,
    /// The process that could not read or do it: `ROLE/ACCOUNT/NAME`.
    pub reader: Cow<'b, str>,
    /// Why, as a class.
    pub cause: DeadCause,
    /// Why, for people.
    pub message: Cow<'b, str>,
    /// How many bytes the payload has.
    pub size: i64,
    /// The SHA-256 of the payload.
    pub hash: Sha256,
    /// The payload, where the privacy setting allows it.
    pub payload: Option<Cow<'b, [u8]>>,
}

/// Where something came from that could not be read or done.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'o> {
    /// The topic, or the list of a platform.
    pub topic: &'o str,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// Its time.
    pub at: TimeMs,
}

/// A payload that is larger is left out: the letter would not fit into a record with it.
const PAYLOAD_BYTES_MAX: usize = 512 << 10;
/// So much of an error is told.
const MESSAGE_LENGTH_MAX: usize = 500;

impl<'b> DeadLetter<'b> {
    /// Sets something aside; with its payload, where that may be kept.
    pub fn new(
        origin: &Origin<'b>,
        reader: &'b str,
        (cause, message): (DeadCause, &'b str),
        (payload, is_kept): (&'b [u8], bool),
    ) -> DeadLetter<'b> {
        let end = message.char_indices().map(|(at, _)| at).nth(MESSAGE_LENGTH_MAX);
        DeadLetter {
            topic: Cow::Borrowed(origin.topic),
            partition: origin.partition,
            offset: origin.offset,
            at: origin.at,
            reader: Cow::Borrowed(reader),
            cause,
            message: Cow::Borrowed(end.and_then(|end| message.get(..end)).unwrap_or(message)),
            size: payload.len() as i64,
            hash: Sha256::of(payload),
            payload: (is_kept && payload.len() <= PAYLOAD_BYTES_MAX).then_some(Cow::Borrowed(payload)),
        }
    }
}

/// Why something could not be read or done, as a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadCause {
    /// A newer Lockstep knows why.
    Unknown,
    /// It does not begin as a record does.
    Framing,
    /// Its schema is not to be had, or not to be used.
    Schema,
    /// Its bytes are not a record of its schema.
    Malformed,
    /// It says something that cannot be.
    Contradiction,
    /// It is larger than a record may be.
    TooLarge,
    /// A platform refused it for good.
    Refused,
}

symbols! {
    DeadCause as "DeadCause" or DeadCause::Unknown {
        0 "UNKNOWN" (DeadCause::Unknown)
        1 "FRAMING" (DeadCause::Framing)
        2 "SCHEMA" (DeadCause::Schema)
        3 "MALFORMED" (DeadCause::Malformed)
        4 "CONTRADICTION" (DeadCause::Contradiction)
        5 "TOO_LARGE" (DeadCause::TooLarge)
        6 "REFUSED" (DeadCause::Refused)
    }
}

fields!(['b] DeadLetter<'b> as "DeadLetter" {
    topic => "topic", partition => "partition", offset => "offset", at => "at", reader => "reader",
    cause => "cause", message => "message", size => "size", hash => "hash", payload => "payload",
});
records! { ['b] DeadLetter<'b>: DeadLetter; }
