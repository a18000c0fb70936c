//! The Omni toolkit of a page (`lightning:omniToolkitAPI`): calls and events as they are documented, and no others.

use std::fmt;
use std::time::Duration;

use super::super::handle::{Changed, Current, Org};
use super::super::presence::{Reason, Refusal};
use crate::domain::{PresenceStatusId, SalesforceStatus, UserId};

/// How the toolkits of all pages behave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Toolkits {
    /// A call that changes something is answered after so long.
    pub answers_after: Duration,
    /// Of a page's calls that change something, each of so many is rejected, as where Omni-Channel has lost its connection;
    /// 0 is none.
    pub rejects_every: u32,
    /// Whether a log-out comes with a change of status and its reason, too. The contract says nothing of it.
    pub logout_has_reason: bool,
}

/// Why a call is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejected {
    /// It would be again.
    Refused(Refusal),
    /// Omni-Channel does not answer.
    Unavailable,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejected::Refused(refusal) => refusal.fmt(f),
            Rejected::Unavailable => f.write_str("Omni-Channel does not answer"),
        }
    }
}

/// What a page is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// `lightning:omniChannelLoginSuccess`: a change of status comes after it.
    LoginSuccess,
    /// `lightning:omniChannelStatusChanged`.
    StatusChanged { status: SalesforceStatus, reason: Reason },
    /// `lightning:omniChannelLogout`.
    Logout,
}

/// The toolkit of one page.
pub(super) struct Toolkit {
    org: Org,
    user: UserId,
    behaves: Toolkits,
    /// Whether he is logged in, as far as events have told.
    is_in: bool,
    called: u32,
}

impl Toolkit {
    /// That of a page that loads.
    pub(super) fn new(org: Org, user: UserId, behaves: Toolkits) -> Toolkit {
        let is_in = !org.current(user).status.is_off();
        Toolkit { org, user, behaves, is_in, called: 0 }
    }

    /// `getServicePresenceStatusId()`: none where he is not logged in.
    pub(super) fn get_service_presence_status_id(&self) -> Option<PresenceStatusId> {
        match self.org.current(self.user).status {
            SalesforceStatus::Presence(id) => Some(id),
            SalesforceStatus::Offline => None,
        }
    }

    /// `setServicePresenceStatus({statusId})`: logs him in where he is not.
    pub(super) fn set_service_presence_status(
        &mut self,
        id: PresenceStatusId,
    ) -> impl Future<Output = Result<(), Rejected>> + Send + use<> {
        self.set(SalesforceStatus::Presence(id))
    }

    /// `logout()`.
    pub(super) fn logout(&mut self) -> impl Future<Output = Result<(), Rejected>> + Send + use<> {
        self.set(SalesforceStatus::Offline)
    }

    fn set(&mut self, status: SalesforceStatus) -> impl Future<Output = Result<(), Rejected>> + Send + use<> {
        let (org, user, behaves) = (self.org.clone(), self.user, self.behaves);
        self.called = self.called.wrapping_add(1);
        let is_rejected = behaves.rejects_every > 0 && self.called.is_multiple_of(behaves.rejects_every);
        async move {
            // Even no sleep at all takes a millisecond.
            if !behaves.answers_after.is_zero() {
                tokio::time::sleep(behaves.answers_after).await;
            }
            if is_rejected {
                return Err(Rejected::Unavailable);
            }
            org.set(user, status, Reason::Toolkit).map(|_| ()).map_err(Rejected::Refused)
        }
    }

    /// What Apex finds of him, which a page asks beside the toolkit.
    pub(super) fn current(&self) -> Current {
        self.org.current(self.user)
    }

    /// The events that a change in the org is to this page, in their order.
    pub(super) fn events(&mut self, changed: &Changed) -> impl Iterator<Item = Event> + use<> {
        let (was_in, is_in) = (self.is_in, !changed.status.is_off());
        self.is_in = is_in;
        let login = (!was_in && is_in).then_some(Event::LoginSuccess);
        let status = Event::StatusChanged { status: changed.status, reason: changed.reason };
        let status = (is_in || self.behaves.logout_has_reason).then_some(status);
        let logout = (!is_in).then_some(Event::Logout);
        [login, status, logout].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::super::super::ids;
    use super::super::super::settings::Settings;
    use super::super::super::world::World;
    use super::*;
    use crate::simulators::wire::system_time;

    fn org() -> Org {
        let world = World::new(Settings { users: 2, ..Settings::default() }, system_time());
        Org::new(Arc::new(Mutex::new(world)), None)
    }

    #[tokio::test]
    async fn calls_set_what_may_be_set_and_are_rejected_else() {
        let (org, user) = (org(), ids::user(1));
        let mut toolkit =
            Toolkit::new(org.clone(), user, Toolkits { rejects_every: 5, ..Toolkits::default() });
        assert_eq!(toolkit.get_service_presence_status_id(), None);
        let may = org.may_use(user);
        let (one, two) = (may[0], may[1]);
        let refused = Err(Rejected::Refused(Refusal::UnknownStatus));
        for (call, answer, then) in [
            (Some(one), Ok(()), Some(one)),
            (Some(two), Ok(()), Some(two)),
            (Some(ids::status(999)), refused, Some(two)),
            (None, Ok(()), None),
            (Some(one), Err(Rejected::Unavailable), None),
            (Some(one), Ok(()), Some(one)),
        ] {
            let answered = match call {
                Some(id) => toolkit.set_service_presence_status(id).await,
                None => toolkit.logout().await,
            };
            assert_eq!((answered, toolkit.get_service_presence_status_id()), (answer, then), "{call:?}");
        }
    }

    #[test]
    fn changes_are_events_as_they_are_documented() {
        let (org, user) = (org(), ids::user(1));
        let presence = |number| SalesforceStatus::Presence(ids::status(number));
        let (off, login, manual) = (SalesforceStatus::Offline, Reason::Login, Reason::Manual);
        let changed = |status, reason| Event::StatusChanged { status, reason };
        for logout_has_reason in [false, true] {
            let behaves = Toolkits { logout_has_reason, ..Toolkits::default() };
            let mut toolkit = Toolkit::new(org.clone(), user, behaves);
            let logout = if logout_has_reason {
                vec![changed(off, manual), Event::Logout]
            } else {
                vec![Event::Logout]
            };
            for (status, reason, events) in [
                (presence(1), login, vec![Event::LoginSuccess, changed(presence(1), login)]),
                (presence(2), manual, vec![changed(presence(2), manual)]),
                (off, manual, logout.clone()),
                (presence(1), login, vec![Event::LoginSuccess, changed(presence(1), login)]),
            ] {
                let change = Changed { user, status, row: None, reason, at: system_time() };
                assert_eq!(toolkit.events(&change).collect::<Vec<_>>(), events, "{status:?}");
            }
        }
    }
}
