//! Numbers, texts, ids and times.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Error as _, Visitor};
use serde::ser::Serializer;
use sha2::{Digest, Sha256 as Hasher};

use super::bytes::{Input, Malformed, Output, put_long, put_text};
use super::wire::{ByHand, BySerde};
use crate::domain::{
    AccountName, AgentId, CxoneAgentId, DurationMs, OutStateId, PresenceStatusId, RowId, SalesforceId,
    TeamId, TimeMs, UserId,
};
use crate::engine::{Epoch, Generation, Offset, Sequence};
use crate::rules::Row;

/// A UUID that is not an agent's.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sha256(pub [u8; 32]);

/// The hash of all states of a partition.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct StateHash(pub u64);

impl Sha256 {
    /// The one of these bytes.
    pub fn of(bytes: &[u8]) -> Sha256 {
        Sha256(Hasher::digest(bytes).into())
    }

    /// As a UUID of version 8, which is for what one makes up oneself (RFC 9562).
    pub const fn uuid(self) -> Uuid {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = self.0;
        Uuid([a, b, c, d, e, f, g & 0x0f | 0x80, h, i & 0x3f | 0x80, j, k, l, m, n, o, p])
    }
}

/// As UUIDs are written.
impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        AgentId::from_bytes(self.0).fmt(f)
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Takes any number, so that a field may become wider.
struct Number;

impl Visitor<'_> for Number {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_i32<E>(self, number: i32) -> Result<i64, E> {
        Ok(number.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<i64, E> {
        Ok(number)
    }
}

struct Text;

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_string<E>(self, text: String) -> Result<String, E> {
        Ok(text)
    }
}

struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }
}

/// What stands in a record as a number: how to make one of it, and it of one.
macro_rules! numbers {
    ($($type:ty as $as:ident: $put:expr, $take:expr;)*) => {$(
        impl<'b> ByHand<'b> for $type {
            #[inline]
            fn put(&self, out: &mut Output<'_>) {
                let number: fn($type) -> i64 = $put;
                put_long(number(*self), out);
            }

            #[inline]
            fn take(input: &mut Input<'b>) -> Result<Self, Malformed> {
                let value: fn(i64) -> Option<$type> = $take;
                value(input.long()?).ok_or(Malformed::Number)
            }
        }

        impl BySerde for $type {
            fn to_serde<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let number: fn($type) -> i64 = $put;
                numbers!(@write $as, serializer, number(*self))
            }

            fn from_serde<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value: fn(i64) -> Option<$type> = $take;
                value(deserializer.deserialize_any(Number)?).ok_or_else(|| D::Error::custom(Malformed::Number))
            }
        }
    )*};
    (@write long, $serializer:ident, $number:expr) => { $serializer.serialize_i64($number) };
    // What is written so fits: the type it comes from is no wider.
    (@write int, $serializer:ident, $number:expr) => { $serializer.serialize_i32($number as i32) };
}

/// A count that must not be below zero and fits into an Avro long. No epoch is ever above that.
fn positive(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}

numbers! {
    u8 as int: i64::from, |n| n.try_into().ok();
    u16 as int: i64::from, |n| n.try_into().ok();
    Row as int: |row| row.0.into(), |n| n.try_into().ok().map(Row);
    i64 as long: |n| n, Some;
    u32 as long: i64::from, |n| n.try_into().ok();
    Sequence as long: |sequence| sequence.0.into(), |n| n.try_into().ok().map(Sequence);
    Generation as long: |generation| generation.0.into(), |n| n.try_into().ok().map(Generation);
    Epoch as long: |epoch| i64::try_from(epoch.0).unwrap_or(i64::MAX), |n| positive(n).map(Epoch);
    TeamId as long: |id| id.get().into(), |n| n.try_into().ok().map(TeamId::new);
    CxoneAgentId as long: |id| id.get().into(), |n| n.try_into().ok().map(CxoneAgentId::new);
    OutStateId as long: |id| id.get().into(), |n| n.try_into().ok().map(OutStateId::new);
    TimeMs as long: TimeMs::as_unix_ms, |n| Some(TimeMs::from_unix_ms(n));
    DurationMs as long: DurationMs::as_ms, |n| Some(DurationMs::from_ms(n));
    Offset as int: |offset| offset.get().as_ms(), |n| i32::try_from(n).ok().map(|n| Offset::new(DurationMs::from_ms(n.into())));
    AfterMs as int: |after| after.0.into(), |n| n.try_into().ok().map(AfterMs);
    i32 as int: i64::from, |n| n.try_into().ok();
}

/// How long after something, in ms.
#[derive(Clone, Copy)]
pub(super) struct AfterMs(pub(super) i32);

impl ByHand<'_> for bool {
    #[inline]
    fn put(&self, out: &mut Output<'_>) {
        out.byte(u8::from(*self));
    }

    #[inline]
    fn take(input: &mut Input<'_>) -> Result<Self, Malformed> {
        match input.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed::Boolean),
        }
    }
}

impl BySerde for bool {
    fn to_serde<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(*self)
    }

    fn from_serde<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::Deserialize::deserialize(deserializer)
    }
}

impl<'b> ByHand<'b> for Cow<'b, str> {
    #[inline]
    fn put(&self, out: &mut Output<'_>) {
        put_text(self.as_bytes(), out);
    }

    #[inline]
    fn take(input: &mut Input<'b>) -> Result<Self, Malformed> {
        input.text().map(Cow::Borrowed)
    }
}

impl BySerde for Cow<'_, str> {
    fn to_serde<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }

    fn from_serde<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text).map(Cow::Owned)
    }
}

/// Texts that are kept.
macro_rules! owned_texts {
    ($($type:ty),*) => {$(
        impl ByHand<'_> for $type {
            fn put(&self, out: &mut Output<'_>) {
                put_text(self.as_bytes(), out);
            }

            fn take(input: &mut Input<'_>) -> Result<Self, Malformed> {
                input.text().map(Into::into)
            }
        }

        impl BySerde for $type {
            fn to_serde<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self)
            }

            fn from_serde<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Text).map(Into::into)
            }
        }
    )*};
}

owned_texts!(String, Box<str>);

impl<'b> ByHand<'b> for Cow<'b, [u8]> {
    fn put(&self, out: &mut Output<'_>) {
        put_long(self.len() as i64, out);
        out.bytes(self);
    }

    fn take(input: &mut Input<'b>) -> Result<Self, Malformed> {
        let length = usize::try_from(input.long()?).map_err(|_| Malformed::Length)?;
        input.bytes(length).map(Cow::Borrowed)
    }
}

impl BySerde for Cow<'_, [u8]> {
    fn to_serde<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self)
    }

    fn from_serde<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Bytes).map(Cow::Owned)
    }
}

/// What stands in a record as bytes of a fixed number.
macro_rules! fixed {
    ($($type:ty: $bytes:expr, $of:expr;)*) => {$(
        impl<'b> ByHand<'b> for $type {
            #[inline]
            fn put(&self, out: &mut Output<'_>) {
                out.array(&$bytes(*self));
            }

            #[inline]
            fn take(input: &mut Input<'b>) -> Result<Self, Malformed> {
                input.array().map($of)
            }
        }

        impl BySerde for $type {
            fn to_serde<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let bytes = $bytes(*self);
                serializer.serialize_bytes(&bytes)
            }

            fn from_serde<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let bytes = deserializer.deserialize_any(Bytes)?;
                bytes.try_into().map($of).map_err(|_| D::Error::custom(Malformed::Length))
            }
        }
    )*};
}

fixed! {
    Uuid: |id: Uuid| id.0, Uuid;
    AgentId: |id: AgentId| *id.as_bytes(), AgentId::from_bytes;
    Sha256: |hash: Sha256| hash.0, Sha256;
    StateHash: |hash: StateHash| hash.0.to_be_bytes(), |bytes| StateHash(u64::from_be_bytes(bytes));
}

/// What stands in a record as a text of 15 characters.
macro_rules! salesforce_ids {
    ($($type:ty: $what:literal;)*) => {$(
        impl<'b> ByHand<'b> for $type {
            #[inline]
            fn put(&self, out: &mut Output<'_>) {
                let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o] = self.id().characters();
                out.array(&[30, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o]);
            }

            #[inline]
            fn take(input: &mut Input<'b>) -> Result<Self, Malformed> {
                let odd = |_| Malformed::Value($what);
                // 15 characters are what we write; the long form is as good.
                if let [30, rest @ ..] = input.0
                    && let Some((characters, rest)) = rest.split_first_chunk()
                {
                    input.0 = rest;
                    let id = SalesforceId::from_characters(characters).map_err(odd)?;
                    return id.try_into().map_err(|_| Malformed::Value($what));
                }
                input.text()?.parse().map_err(odd)
            }
        }

        impl BySerde for $type {
            fn to_serde<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }

            fn from_serde<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = deserializer.deserialize_any(Text)?;
                text.parse().map_err(|_| D::Error::custom(Malformed::Value($what)))
            }
        }
    )*};
}

salesforce_ids! {
    UserId: "a text is not the id of a Salesforce user";
    PresenceStatusId: "a text is not the id of a presence status";
    RowId: "a text is not the id of a Salesforce record";
}

const NO_ACCOUNT_NAME: Malformed = Malformed::Value("a text is not the name of an account");

impl ByHand<'_> for AccountName {
    #[inline]
    fn put(&self, out: &mut Output<'_>) {
        let (bytes, length) = self.padded();
        put_long(length as i64, out);
        out.first_of(bytes, length);
    }

    #[inline]
    fn take(input: &mut Input<'_>) -> Result<Self, Malformed> {
        input.text()?.parse().map_err(|_| NO_ACCOUNT_NAME)
    }
}

impl BySerde for AccountName {
    fn to_serde<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }

    fn from_serde<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(Text)?;
        text.parse().map_err(|_| D::Error::custom(NO_ACCOUNT_NAME))
    }
}
