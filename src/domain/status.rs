//! What an agent can be in, on either platform.

use std::fmt;

use super::{OutStateId, Platform, PresenceStatusId};

/// A number that CXone does not document as a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusError {
    /// The number.
    pub state: i64,
}

impl fmt::Display for StatusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no CXone agent state (0 to 8)", self.state)
    }
}

impl std::error::Error for StatusError {}

/// What a Salesforce agent is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SalesforceStatus {
    /// Logged out of Omni-Channel: the absence of a current `UserServicePresence` row.
    Offline,
    /// In a presence status.
    Presence(PresenceStatusId),
}

impl SalesforceStatus {
    /// Whether the agent is logged out.
    pub const fn is_off(self) -> bool {
        matches!(self, SalesforceStatus::Offline)
    }
}

/// Whether a presence status takes work. Salesforce has no field for it: a status with service
/// channels is *Online*, one without is *Busy* (`ServiceChannelStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PresenceKind {
    /// Takes work from at least one service channel.
    Online,
    /// Takes none.
    Busy,
}

/// The nine agent states of CXone, by their numbers (CXone, agent states API).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum CxoneState {
    /// No session.
    LoggedOut = 0,
    /// Takes contacts.
    Available = 1,
    /// Takes none; the out-state says why.
    Unavailable = 2,
    /// On an inbound contact.
    InboundContact = 3,
    /// On an outbound contact.
    OutboundContact = 4,
    /// Called by another agent.
    InboundConsult = 5,
    /// Calling another agent.
    OutboundConsult = 6,
    /// In the hands of a dialer.
    Dialer = 7,
    /// A session was begun and has no state yet.
    LoggedIn = 8,
}

impl CxoneState {
    /// The state that CXone gives this number.
    ///
    /// # Errors
    /// The number is none of 0 to 8.
    pub const fn from_number(number: i64) -> Result<Self, StatusError> {
        Ok(match number {
            0 => CxoneState::LoggedOut,
            1 => CxoneState::Available,
            2 => CxoneState::Unavailable,
            3 => CxoneState::InboundContact,
            4 => CxoneState::OutboundContact,
            5 => CxoneState::InboundConsult,
            6 => CxoneState::OutboundConsult,
            7 => CxoneState::Dialer,
            8 => CxoneState::LoggedIn,
            state => return Err(StatusError { state }),
        })
    }
}

/// The states 3 to 7, in which an agent is on a contact. CXone's own screen shows them as "Working".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContactState {
    /// State 3.
    InboundContact,
    /// State 4.
    OutboundContact,
    /// State 5.
    InboundConsult,
    /// State 6.
    OutboundConsult,
    /// State 7.
    Dialer,
}

impl ContactState {
    /// All of them, by number.
    pub const ALL: [ContactState; 5] = [
        ContactState::InboundContact,
        ContactState::OutboundContact,
        ContactState::InboundConsult,
        ContactState::OutboundConsult,
        ContactState::Dialer,
    ];

    /// The name in CXone's API.
    pub const fn name(self) -> &'static str {
        match self {
            ContactState::InboundContact => "InboundContact",
            ContactState::OutboundContact => "OutboundContact",
            ContactState::InboundConsult => "InboundConsult",
            ContactState::OutboundConsult => "OutboundConsult",
            ContactState::Dialer => "Dialer",
        }
    }
}

/// A reserved out-state below 0: CXone's own, transient, shown but never set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReservedOutState(i32);

impl ReservedOutState {
    /// The documented ones with their names (CXone, agent states API).
    pub const NAMED: [(ReservedOutState, &'static str); 11] = [
        (ReservedOutState(-13), "PreviewNotification"),
        (ReservedOutState(-12), "LogoffPending"),
        (ReservedOutState(-9), "PromisePending"),
        (ReservedOutState(-8), "CallbackPending"),
        (ReservedOutState(-7), "TransferPending"),
        (ReservedOutState(-6), "DialerPending"),
        (ReservedOutState(-5), "ConsultPending"),
        (ReservedOutState(-4), "OutboundPending"),
        (ReservedOutState(-3), "InboundPending"),
        (ReservedOutState(-2), "HeldPartyAbandoned"),
        (ReservedOutState(-1), "Refused"),
    ];

    /// The reserved out-state of this number, which is below 0, else `None`.
    pub const fn new(number: i32) -> Option<Self> {
        if number < 0 { Some(ReservedOutState(number)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> i32 {
        self.0
    }

    /// The documented name, where there is one.
    pub fn name(self) -> Option<&'static str> {
        Self::NAMED.iter().find(|(state, _)| *state == self).map(|(_, name)| *name)
    }
}

/// What a CXone agent is in, in one normal form: however a feed spells a status, it is one value here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CxoneStatus {
    /// State 0.
    LoggedOut,
    /// State 1.
    Available,
    /// State 2 without a code: the default, also the state at login.
    Unavailable,
    /// State 2 with a code of the tenant.
    Code(OutStateId),
    /// States 3 to 7.
    Contact(ContactState),
    /// After-call work (`isACW`), with its code where the feed names one.
    AfterCallWork(Option<OutStateId>),
    /// A reserved out-state.
    Reserved(ReservedOutState),
    /// State 8.
    LoggedIn,
}

impl CxoneStatus {
    /// The highest reserved out-state: 0 Available, 1 ACD, 2 Outbound, 3 Unavailable. Above are the tenant's codes.
    const RESERVED_MAX: i64 = 3;

    /// The status that a feed shows as a state, an out-state and the mark of after-call work.
    ///
    /// No session and a session without a state are just that, whatever else the record holds; then
    /// after-call work counts, then a contact, then a reserved out-state. An out-state beside Available
    /// says nothing. A number no out-state can have counts as none.
    pub fn from_feed(state: CxoneState, out_state: Option<i64>, after_call_work: bool) -> Self {
        let code = out_state
            .filter(|number| *number > Self::RESERVED_MAX)
            .and_then(|number| u32::try_from(number).ok())
            .map(OutStateId::new);
        let reserved =
            out_state.and_then(|number| i32::try_from(number).ok()).and_then(ReservedOutState::new);
        match (state, reserved) {
            (CxoneState::LoggedOut, _) => CxoneStatus::LoggedOut,
            (CxoneState::LoggedIn, _) => CxoneStatus::LoggedIn,
            _ if after_call_work => CxoneStatus::AfterCallWork(code),
            (CxoneState::InboundContact, _) => CxoneStatus::Contact(ContactState::InboundContact),
            (CxoneState::OutboundContact, _) => CxoneStatus::Contact(ContactState::OutboundContact),
            (CxoneState::InboundConsult, _) => CxoneStatus::Contact(ContactState::InboundConsult),
            (CxoneState::OutboundConsult, _) => CxoneStatus::Contact(ContactState::OutboundConsult),
            (CxoneState::Dialer, _) => CxoneStatus::Contact(ContactState::Dialer),
            (CxoneState::Available | CxoneState::Unavailable, Some(reserved)) => {
                CxoneStatus::Reserved(reserved)
            }
            (CxoneState::Available, None) => CxoneStatus::Available,
            (CxoneState::Unavailable, None) => code.map_or(CxoneStatus::Unavailable, CxoneStatus::Code),
        }
    }

    /// Whether the agent is logged out.
    pub const fn is_off(self) -> bool {
        matches!(self, CxoneStatus::LoggedOut)
    }

    /// Whether the agent is on a contact or in what surrounds one: states 3 to 7, after-call work, and
    /// every reserved out-state.
    pub const fn is_contact(self) -> bool {
        matches!(self, CxoneStatus::Contact(_) | CxoneStatus::AfterCallWork(_) | CxoneStatus::Reserved(_))
    }

    /// Whether an agent can be put into it and work on: Available, the default Unavailable or a code.
    /// (Logging out is another call. Whether a code is active is for the vocabulary to say.)
    pub const fn is_settable(self) -> bool {
        matches!(self, CxoneStatus::Available | CxoneStatus::Unavailable | CxoneStatus::Code(_))
    }
}

/// A status of either platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Of Salesforce.
    Salesforce(SalesforceStatus),
    /// Of CXone.
    Cxone(CxoneStatus),
}

impl Status {
    /// The platform it is of.
    pub const fn platform(self) -> Platform {
        match self {
            Status::Salesforce(_) => Platform::Salesforce,
            Status::Cxone(_) => Platform::Cxone,
        }
    }

    /// Whether the agent is logged out there.
    pub const fn is_off(self) -> bool {
        match self {
            Status::Salesforce(status) => status.is_off(),
            Status::Cxone(status) => status.is_off(),
        }
    }
    /// Whether an agent can be put there at all, be it by logging him out.
    pub const fn can_be_commanded(self) -> bool {
        match self {
            Status::Salesforce(_) => true,
            Status::Cxone(status) => status.is_settable() || status.is_off(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(number: u32) -> OutStateId {
        OutStateId::new(number)
    }

    #[test]
    fn a_feed_has_one_normal_form() {
        let reserved = |n| CxoneStatus::Reserved(ReservedOutState::new(n).unwrap());
        // state, out-state, after-call work -> status
        let cases = [
            (0, None, false, CxoneStatus::LoggedOut),
            (0, Some(-12), true, CxoneStatus::LoggedOut),
            (1, None, false, CxoneStatus::Available),
            (1, Some(0), false, CxoneStatus::Available),
            (1, Some(1017), false, CxoneStatus::Available),
            (1, Some(-3), false, reserved(-3)),
            (2, None, false, CxoneStatus::Unavailable),
            (2, Some(0), false, CxoneStatus::Unavailable),
            (2, Some(3), false, CxoneStatus::Unavailable),
            (2, Some(1017), false, CxoneStatus::Code(code(1017))),
            (2, Some(i64::MAX), false, CxoneStatus::Unavailable),
            (2, Some(-1), false, reserved(-1)),
            (2, Some(-99), false, reserved(-99)),
            (2, Some(1020), true, CxoneStatus::AfterCallWork(Some(code(1020)))),
            (2, None, true, CxoneStatus::AfterCallWork(None)),
            (3, Some(1), false, CxoneStatus::Contact(ContactState::InboundContact)),
            (4, Some(-2), false, CxoneStatus::Contact(ContactState::OutboundContact)),
            (5, None, false, CxoneStatus::Contact(ContactState::InboundConsult)),
            (6, None, false, CxoneStatus::Contact(ContactState::OutboundConsult)),
            (7, None, false, CxoneStatus::Contact(ContactState::Dialer)),
            (8, Some(1017), true, CxoneStatus::LoggedIn),
        ];
        for (state, out_state, after_call_work, status) in cases {
            let state = CxoneState::from_number(state).unwrap();
            let seen = CxoneStatus::from_feed(state, out_state, after_call_work);
            assert_eq!(seen, status, "{state:?} {out_state:?} acw={after_call_work}");
        }
    }

    #[test]
    fn other_numbers_are_no_states() {
        for number in [-1, 9, i64::MIN, i64::MAX] {
            assert_eq!(CxoneState::from_number(number), Err(StatusError { state: number }));
        }
    }

    #[test]
    fn what_can_be_set_is_no_contact() {
        let refused = ReservedOutState::new(-1).unwrap();
        // status, off, contact, settable
        let cases = [
            (CxoneStatus::LoggedOut, true, false, false),
            (CxoneStatus::Available, false, false, true),
            (CxoneStatus::Unavailable, false, false, true),
            (CxoneStatus::Code(code(1017)), false, false, true),
            (CxoneStatus::Contact(ContactState::Dialer), false, true, false),
            (CxoneStatus::AfterCallWork(None), false, true, false),
            (CxoneStatus::Reserved(refused), false, true, false),
            (CxoneStatus::LoggedIn, false, false, false),
        ];
        for (status, off, contact, settable) in cases {
            assert_eq!(
                (status.is_off(), status.is_contact(), status.is_settable()),
                (off, contact, settable),
                "{status:?}"
            );
        }
        assert_eq!(refused.name(), Some("Refused"));
    }

    #[test]
    fn statuses_are_small() {
        assert_eq!(size_of::<SalesforceStatus>(), 16);
        assert_eq!(size_of::<CxoneStatus>(), 8);
    }
}
