//! Enums.

use std::fmt;

use serde::de::{EnumAccess, VariantAccess, Visitor};

use super::wire::Identifier;
use crate::domain::{Cause, CxoneState, Feed, Platform};
use crate::engine::{GivenUp, Verdict, WakeCause};
use crate::rules::{OnConflict, OnLogin, WhileOnContact};

/// The name of a symbol, whoever knows it.
pub(super) struct Symbol;

impl<'de> Visitor<'de> for Symbol {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a symbol")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<String, A::Error> {
        let (symbol, variant) = access.variant::<Identifier>()?;
        variant.unit_variant()?;
        Ok(symbol.name().to_owned())
    }
}

/// An enum by the names of its symbols.
pub(super) trait Symbolic: Sized {
    /// The value of a symbol, where it is one that is known.
    fn of_symbol(symbol: &str) -> Option<Self>;

    /// The symbol of a value.
    fn symbol(&self) -> &'static str;
}

/// Enums by their symbols. UNKNOWN is symbol 0 of each, and what a reader takes a symbol for that it does not know.
macro_rules! symbols {
    ($($type:ty as $name:literal $(or $unknown:path)? { $($index:literal $symbol:literal $value:tt)* })*) => {$(
        impl<'b> $crate::codec::wire::ByHand<'b> for $type {
            #[inline]
            fn put(&self, out: &mut $crate::codec::bytes::Output<'_>) {
                #[allow(unused_parens, reason = "a value may have parts of its own")]
                let index = match self {
                    $($value => $index,)*
                };
                $crate::codec::bytes::put_long(index, out);
            }

            #[inline]
            fn take(input: &mut $crate::codec::bytes::Input<'b>) -> Result<Self, $crate::codec::bytes::Malformed> {
                #[allow(unused_parens, reason = "a value may have parts of its own")]
                match input.long()? {
                    $($index => Ok($value),)*
                    _ => Err($crate::codec::bytes::Malformed::Symbol($name)),
                }
            }
        }

        impl $crate::codec::symbols::Symbolic for $type {
            fn of_symbol(symbol: &str) -> Option<Self> {
                #[allow(unused_parens, reason = "a value may have parts of its own")]
                match symbol {
                    $($symbol => Some($value),)*
                    _ => None,
                }
            }

            fn symbol(&self) -> &'static str {
                #[allow(unused_parens, reason = "a value may have parts of its own")]
                match self {
                    $($value => $symbol,)*
                }
            }
        }

        impl $crate::codec::wire::BySerde for $type {
            fn to_serde<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                #[allow(unused_parens, reason = "a value may have parts of its own")]
                match self {
                    $($value => serializer.serialize_unit_variant($name, $index, $symbol),)*
                }
            }

            fn from_serde<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let symbol = deserializer.deserialize_any($crate::codec::symbols::Symbol)?;
                match <Self as $crate::codec::symbols::Symbolic>::of_symbol(&symbol) {
                    Some(value) => Ok(value),
                    $(None => Ok($unknown),)?
                    #[allow(unreachable_patterns, reason = "where there is a value for what is not known")]
                    None => Err(serde::de::Error::custom($crate::codec::bytes::Malformed::Symbol($name))),
                }
            }
        }
    )*};
}
pub(super) use symbols;

symbols! {
    Platform as "Platform" {
        1 "SALESFORCE" (Platform::Salesforce)
        2 "CXONE" (Platform::Cxone)
    }
    Cause as "Cause" or Cause::Unknown {
        0 "UNKNOWN" (Cause::Unknown)
        1 "AGENT" (Cause::Agent)
        2 "SUPERVISOR" (Cause::Supervisor)
        3 "TOOLKIT" (Cause::Toolkit)
        4 "DECLINED" (Cause::Declined)
        5 "PUSH_TIMEOUT" (Cause::PushTimeout)
        6 "LOGIN" (Cause::Login)
    }
    Feed as "Feed" or Feed::Unknown {
        0 "UNKNOWN" (Feed::Unknown)
        1 "POLL" (Feed::Poll)
        2 "CHANGE_EVENT" (Feed::ChangeEvent)
        3 "BRIDGE" (Feed::Bridge)
        4 "SNAPSHOT" (Feed::Snapshot)
    }
    Verdict as "Verdict" or Verdict::Unknown {
        0 "UNKNOWN" (Verdict::Unknown)
        1 "ACCEPTED" (Verdict::Accepted)
        2 "REJECTED_PERMANENT" (Verdict::Permanent)
        3 "REJECTED_CONFLICT" (Verdict::Conflict)
        4 "UNREACHABLE" (Verdict::Unreachable)
        5 "SUPERSEDED" (Verdict::Superseded)
    }
    WakeCause as "WakeCause" {
        1 "CONFIRM_SALESFORCE" (WakeCause::Confirm(Platform::Salesforce))
        2 "CONFIRM_CXONE" (WakeCause::Confirm(Platform::Cxone))
        3 "GRACE" (WakeCause::Grace)
        4 "COOL_DOWN" (WakeCause::CoolDown)
    }
    CxoneState as "CxoneState" {
        1 "LOGGED_OUT" (CxoneState::LoggedOut)
        2 "AVAILABLE" (CxoneState::Available)
        3 "UNAVAILABLE" (CxoneState::Unavailable)
        4 "INBOUND_CONTACT" (CxoneState::InboundContact)
        5 "OUTBOUND_CONTACT" (CxoneState::OutboundContact)
        6 "INBOUND_CONSULT" (CxoneState::InboundConsult)
        7 "OUTBOUND_CONSULT" (CxoneState::OutboundConsult)
        8 "DIALER" (CxoneState::Dialer)
        9 "LOGGED_IN" (CxoneState::LoggedIn)
    }
    GivenUp as "GivenUp" {
        1 "NOT_SEEN" (GivenUp::NotSeen)
        2 "REFUSED" (GivenUp::Refused)
    }
    OnConflict as "OnConflict" {
        1 "LATEST" (OnConflict::Latest)
        2 "SALESFORCE" (OnConflict::Salesforce)
        3 "CXONE" (OnConflict::Cxone)
    }
    WhileOnContact as "WhileOnContact" {
        1 "HOLD" (WhileOnContact::Hold)
        2 "SEND" (WhileOnContact::Send)
    }
    OnLogin as "OnLogin" {
        1 "ADOPT" (OnLogin::Adopt)
        2 "PUBLISH" (OnLogin::Publish)
    }
}
