//! What stands in several records: accounts, people, statuses, operators.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, EnumAccess, Error as _, VariantAccess, Visitor};
use serde::ser::Serializer;

use super::bytes::{Input, Malformed, Output, put_long};
use super::wire::{ByHand, BySerde, FromSerde, Identifier, ToSerde, fields};
use crate::domain::{
    Account, CxoneAgent, CxoneState, CxoneStatus, Link, OutStateId, PresenceStatusId, ReservedOutState,
    SalesforceStatus, SalesforceUser, Status, Team,
};
use crate::domain::{ContactState, Platform};

/// Who did something by hand, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator<'b> {
    /// Whose account it was; never the name or address of an agent.
    pub actor: Cow<'b, str>,
    /// Why, in his words.
    pub reason: Cow<'b, str>,
}

/// Who an agent is on the platform that a command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressee {
    /// A user of a Salesforce org.
    Salesforce(SalesforceUser),
    /// An agent of a CXone tenant.
    Cxone(CxoneAgent),
}

impl Addressee {
    /// The platform.
    pub const fn platform(&self) -> Platform {
        match self {
            Addressee::Salesforce(_) => Platform::Salesforce,
            Addressee::Cxone(_) => Platform::Cxone,
        }
    }
}

fields!(['b] Operator<'b> as "Operator" { actor => "actor", reason => "reason" });
fields!(['b] Account as "Account" { platform => "platform", name => "name" });
fields!(['b] SalesforceUser as "SalesforceUser" { account => "account", user => "user_id" });
fields!(['b] CxoneAgent as "CxoneAgent" { account => "account", agent => "agent_id" });
fields!(['b] Link as "Link" { salesforce => "salesforce", cxone => "cxone" });
fields!(['b] Team as "Team" { account => "account", team => "team_id" });

/// A Salesforce status as its record has it.
#[derive(Clone, Copy)]
struct SalesforceParts {
    presence_status_id: Stated<PresenceStatusId>,
}

/// What may be null, and yet has to be there: another record that lacks it is not one that has null.
#[derive(Clone, Copy)]
struct Stated<T>(Option<T>);

impl<'b, T: ByHand<'b>> ByHand<'b> for Stated<T> {
    #[inline]
    fn put(&self, out: &mut Output<'_>) {
        self.0.put(out);
    }

    #[inline]
    fn take(input: &mut Input<'b>) -> Result<Self, Malformed> {
        ByHand::take(input).map(Stated)
    }
}

impl<T: BySerde> BySerde for Stated<T> {
    fn to_serde<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.to_serde(serializer)
    }

    fn from_serde<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BySerde::from_serde(deserializer).map(Stated)
    }
}

fields!(['b] SalesforceParts as "SalesforceStatus" { presence_status_id => "presence_status_id" });

/// A CXone status as its record has it.
#[derive(Clone, Copy)]
struct CxoneParts {
    state: CxoneState,
    out_state_id: Option<i64>,
    after_call_work: bool,
}

fields!(['b] CxoneParts as "CxoneStatus" {
    state => "state", out_state_id => "out_state_id", after_call_work => "after_call_work",
});

impl SalesforceParts {
    const fn of(status: SalesforceStatus) -> Self {
        SalesforceParts {
            presence_status_id: Stated(match status {
                SalesforceStatus::Offline => None,
                SalesforceStatus::Presence(id) => Some(id),
            }),
        }
    }

    fn whole(self) -> Result<SalesforceStatus, Malformed> {
        Ok(self.presence_status_id.0.map_or(SalesforceStatus::Offline, SalesforceStatus::Presence))
    }
}

impl CxoneParts {
    fn of(status: CxoneStatus) -> Self {
        let (state, out_state_id, after_call_work) = match status {
            CxoneStatus::LoggedOut => (CxoneState::LoggedOut, None, false),
            CxoneStatus::Available => (CxoneState::Available, None, false),
            CxoneStatus::Unavailable => (CxoneState::Unavailable, None, false),
            CxoneStatus::Code(code) => (CxoneState::Unavailable, Some(code.get().into()), false),
            CxoneStatus::Contact(ContactState::InboundContact) => (CxoneState::InboundContact, None, false),
            CxoneStatus::Contact(ContactState::OutboundContact) => (CxoneState::OutboundContact, None, false),
            CxoneStatus::Contact(ContactState::InboundConsult) => (CxoneState::InboundConsult, None, false),
            CxoneStatus::Contact(ContactState::OutboundConsult) => (CxoneState::OutboundConsult, None, false),
            CxoneStatus::Contact(ContactState::Dialer) => (CxoneState::Dialer, None, false),
            CxoneStatus::AfterCallWork(code) => {
                (CxoneState::Unavailable, code.map(|code| code.get().into()), true)
            }
            CxoneStatus::Reserved(state) => (CxoneState::Unavailable, Some(state.get().into()), false),
            CxoneStatus::LoggedIn => (CxoneState::LoggedIn, None, false),
        };
        CxoneParts { state, out_state_id, after_call_work }
    }

    /// The status, where it is in the normal form in which it is written.
    fn whole(self) -> Result<CxoneStatus, Malformed> {
        const ODD: Malformed = Malformed::Value("a CXone status is not in its normal form");
        let code = |number: i64| u32::try_from(number).map(OutStateId::new).map_err(|_| ODD);
        Ok(match (self.state, self.out_state_id, self.after_call_work) {
            (CxoneState::Unavailable, code_id, true) => {
                CxoneStatus::AfterCallWork(code_id.map(code).transpose()?)
            }
            (CxoneState::Unavailable, None, false) => CxoneStatus::Unavailable,
            (CxoneState::Unavailable, Some(number), false) if number < 0 => {
                let reserved = i32::try_from(number).ok().and_then(ReservedOutState::new);
                CxoneStatus::Reserved(reserved.ok_or(ODD)?)
            }
            (CxoneState::Unavailable, Some(number), false) => CxoneStatus::Code(code(number)?),
            (_, Some(_), _) | (_, _, true) => return Err(ODD),
            (CxoneState::LoggedOut, ..) => CxoneStatus::LoggedOut,
            (CxoneState::Available, ..) => CxoneStatus::Available,
            (CxoneState::InboundContact, ..) => CxoneStatus::Contact(ContactState::InboundContact),
            (CxoneState::OutboundContact, ..) => CxoneStatus::Contact(ContactState::OutboundContact),
            (CxoneState::InboundConsult, ..) => CxoneStatus::Contact(ContactState::InboundConsult),
            (CxoneState::OutboundConsult, ..) => CxoneStatus::Contact(ContactState::OutboundConsult),
            (CxoneState::Dialer, ..) => CxoneStatus::Contact(ContactState::Dialer),
            (CxoneState::LoggedIn, ..) => CxoneStatus::LoggedIn,
        })
    }
}

/// A value that stands in a record by its parts.
macro_rules! by_parts {
    ($([$life:lifetime] $type:ty as $parts:ty;)*) => {$(
        impl<$life> $crate::codec::wire::ByHand<$life> for $type {
            #[inline]
            fn put(&self, out: &mut $crate::codec::bytes::Output<'_>) {
                <$parts>::of(*self).put(out);
            }

            #[inline]
            fn take(
                input: &mut $crate::codec::bytes::Input<$life>,
            ) -> Result<Self, $crate::codec::bytes::Malformed> {
                <$parts as $crate::codec::wire::ByHand>::take(input)?.whole()
            }
        }

        impl<$life> $crate::codec::wire::BySerde for $type {
            fn to_serde<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                <$parts>::of(*self).to_serde(serializer)
            }

            fn from_serde<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let parts = <$parts as $crate::codec::wire::BySerde>::from_serde(deserializer)?;
                parts.whole().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
pub(super) use by_parts;

by_parts! {
    ['b] SalesforceStatus as SalesforceParts;
    ['b] CxoneStatus as CxoneParts;
}

/// A union of two records that is an enum of ours.
macro_rules! unions {
    ($($type:ty as $name:literal: $first:path as $first_name:literal, $second:path as $second_name:literal;)*) => {$(
        impl<'b> ByHand<'b> for $type {
            #[inline]
            fn put(&self, out: &mut $crate::codec::bytes::Output<'_>) {
                match self {
                    $first(value) => {
                        put_long(0, out);
                        value.put(out);
                    }
                    $second(value) => {
                        put_long(1, out);
                        value.put(out);
                    }
                }
            }

            #[inline]
            fn take(input: &mut Input<'b>) -> Result<Self, Malformed> {
                match input.long()? {
                    0 => ByHand::take(input).map($first),
                    1 => ByHand::take(input).map($second),
                    _ => Err(Malformed::Branch),
                }
            }
        }

        impl BySerde for $type {
            fn to_serde<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $first(value) => serializer.serialize_newtype_variant($name, 0, $first_name, &ToSerde(value)),
                    $second(value) => serializer.serialize_newtype_variant($name, 1, $second_name, &ToSerde(value)),
                }
            }

            fn from_serde<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Branch;
                impl<'de> Visitor<'de> for Branch {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!("a union ", $name))
                    }

                    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<$type, A::Error> {
                        match access.variant::<Identifier>()? {
                            (Identifier::Number(0), value) => value.newtype_variant_seed(FromSerde::new()).map($first),
                            (Identifier::Number(1), value) => value.newtype_variant_seed(FromSerde::new()).map($second),
                            _ => Err(A::Error::custom(Malformed::Branch)),
                        }
                    }
                }
                deserializer.deserialize_enum($name, &[$first_name, $second_name], Branch)
            }
        }
    )*};
}

unions! {
    Status as "Status": Status::Salesforce as "SalesforceStatus", Status::Cxone as "CxoneStatus";
    Addressee as "Addressee": Addressee::Salesforce as "SalesforceUser", Addressee::Cxone as "CxoneAgent";
}
