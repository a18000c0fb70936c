//! A tenant: its agents, teams and codes, and what each call does to them. Pure; time is passed in, and never falls.
//!
//! What the contract marks as inferred is a [`Variant`].

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{DurationMs, TimeMs};

/// What the contract leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The status of an answer to a code that is unknown, inactive, or not on the agent's team: 400 or 409.
    pub bad_code_status: u16,
    /// Setting what an agent is in already begins it anew.
    pub set_again_restarts: bool,
    /// Agents who are logged out are in the feed.
    pub shows_logged_out: bool,
    /// Reserved out-states are in the feed; else the agent shows as he was before.
    pub shows_reserved: bool,
}

impl Default for Variant {
    fn default() -> Self {
        Variant {
            bad_code_status: 409,
            set_again_restarts: false,
            shows_logged_out: true,
            shows_reserved: true,
        }
    }
}

/// What an agent is in, as the feed shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// 0 to 8.
    pub state: u8,
    /// The out-state: a code, or a reserved one.
    pub out_state: Option<i32>,
    /// After-call work.
    pub is_acw: bool,
}

impl Shown {
    /// State 0.
    pub const LOGGED_OUT: Shown = Shown::state(0);
    /// State 1.
    pub const AVAILABLE: Shown = Shown::state(1);
    /// State 2 without a code: so it is after a log-in.
    pub const UNAVAILABLE: Shown = Shown::state(2);

    /// A state alone.
    pub const fn state(state: u8) -> Shown {
        Shown { state, out_state: None, is_acw: false }
    }

    /// Unavailable with a code.
    pub const fn code(code: i32) -> Shown {
        Shown { state: 2, out_state: Some(code), is_acw: false }
    }

    /// Whether he is in a contact or what surrounds one: then a set waits for its end.
    pub const fn is_contact(self) -> bool {
        let is_reserved = matches!(self.out_state, Some(number) if number < 0);
        self.is_acw || is_reserved || matches!(self.state, 3..=7)
    }

    /// The name of the state (CXone, agent states API).
    pub const fn name(self) -> &'static str {
        match self.state {
            0 => "LoggedOut",
            1 => "Available",
            2 => "Unavailable",
            3 => "InboundContact",
            4 => "OutboundContact",
            5 => "InboundConsult",
            6 => "OutboundConsult",
            7 => "Dialer",
            _ => "LoggedIn",
        }
    }
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// His number.
    pub id: u32,
    /// His team.
    pub team: u32,
    /// Whether he is one still.
    pub is_active: bool,
    /// What he is in.
    pub shown: Shown,
    /// Since when.
    pub since: TimeMs,
    /// When anything about that changed last.
    pub updated: TimeMs,
    /// When his entry in the list of agents changed last.
    pub edited: TimeMs,
    /// When he logged in last.
    pub logged_in: TimeMs,
    /// What he was in before his contact.
    pub before: Shown,
    /// What is set when his contact ends.
    pub queued: Option<Shown>,
}

/// A team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// Its name.
    pub name: String,
    /// Its codes.
    pub codes: BTreeSet<i32>,
}

/// An unavailable code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// Its name.
    pub name: String,
    /// Whether it can be set.
    pub is_active: bool,
    /// Whether it is for after-call work.
    pub is_acw: bool,
    /// Who stays in it for longer is logged out.
    pub timeout: DurationMs,
}

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such agent.
    UnknownAgent,
    /// No state that can be set.
    BadState,
    /// He is logged out.
    LoggedOut,
    /// No such code, or not one of his team, or not active.
    BadCode,
    /// A code of after-call work, and no contact.
    AfterCallWork,
}

/// Who or what put an agent where he is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// He himself, in his own client; or who stands in for him.
    Agent,
    /// A call of a program.
    Program,
    /// The platform: a contact that is over, a code that has timed out.
    Platform,
}

/// An agent is in something from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// His number.
    pub agent: u32,
    /// In what.
    pub shown: Shown,
    /// Who did it.
    pub by: By,
    /// When, by the tenant's clock.
    pub at: TimeMs,
}

/// A tenant.
#[derive(Clone, Debug, Default)]
pub struct Tenant {
    /// What the contract leaves open.
    pub variant: Variant,
    /// By number.
    pub agents: BTreeMap<u32, Agent>,
    /// By number.
    pub teams: BTreeMap<u32, Team>,
    /// By number.
    pub codes: BTreeMap<i32, Code>,
    /// Agents by when they changed last.
    changed: BTreeSet<(TimeMs, u32)>,
    /// When who is in a code is logged out.
    timeouts: BTreeSet<(TimeMs, u32)>,
    /// What has changed since somebody took it.
    news: Vec<Changed>,
    now: TimeMs,
}

impl Tenant {
    /// One without anybody.
    pub fn new(variant: Variant) -> Tenant {
        Tenant { variant, ..Tenant::default() }
    }

    /// Adds an agent, who is logged out.
    pub fn add(&mut self, id: u32, team: u32, now: TimeMs) {
        let now = self.at(now);
        let (shown, before) = (Shown::LOGGED_OUT, Shown::UNAVAILABLE);
        let agent = Agent {
            id,
            team,
            is_active: true,
            shown,
            since: now,
            updated: now,
            edited: now,
            logged_in: TimeMs::ZERO,
            before,
            queued: None,
        };
        self.changed.insert((now, id));
        self.agents.insert(id, agent);
    }

    /// Time goes on: who has been in a code for too long is logged out.
    pub fn go_on(&mut self, now: TimeMs) {
        let now = self.at(now);
        while let Some((at, id)) = self.timeouts.first().copied().filter(|(at, _)| *at <= now) {
            self.timeouts.remove(&(at, id));
            self.show(id, Shown::LOGGED_OUT, By::Platform, at);
        }
    }

    /// What has changed since this was asked last.
    pub fn take_news(&mut self) -> Vec<Changed> {
        std::mem::take(&mut self.news)
    }

    fn at(&mut self, now: TimeMs) -> TimeMs {
        self.now = self.now.max(now);
        self.now
    }

    /// Whoever changed at that time or later, the longest ago first.
    pub fn changed_since(&self, since: TimeMs) -> impl Iterator<Item = &Agent> {
        let changed = self.changed.range((since, 0)..);
        let agents = changed.filter_map(|(_, id)| self.agents.get(id));
        agents.filter(|agent| self.variant.shows_logged_out || agent.shown != Shown::LOGGED_OUT)
    }

    /// What the feed shows of him.
    pub fn shown(&self, agent: &Agent) -> Shown {
        let is_reserved = agent.shown.out_state.is_some_and(|number| number < 0);
        if is_reserved && !self.variant.shows_reserved { agent.before } else { agent.shown }
    }

    /// He puts himself into something.
    pub fn put(&mut self, id: u32, shown: Shown, now: TimeMs) {
        self.show(id, shown, By::Agent, now);
    }

    /// He is in something from now on.
    fn show(&mut self, id: u32, shown: Shown, by: By, now: TimeMs) {
        let now = self.at(now);
        let timeout = shown.out_state.and_then(|code| self.codes.get(&code)).map(|code| code.timeout);
        let Some(agent) = self.agents.get_mut(&id) else { return };
        self.changed.remove(&(agent.updated, id));
        if let Some(code) = agent.shown.out_state.and_then(|code| self.codes.get(&code)) {
            self.timeouts.remove(&(agent.since + code.timeout, id));
        }
        if shown.is_contact() && !agent.shown.is_contact() {
            agent.before = agent.shown;
        }
        if shown == Shown::LOGGED_OUT {
            agent.queued = None;
        } else if agent.shown == Shown::LOGGED_OUT {
            agent.logged_in = now;
        }
        (agent.shown, agent.since, agent.updated) = (shown, now, now);
        self.news.push(Changed { agent: id, shown, by, at: now });
        self.changed.insert((now, id));
        if let Some(timeout) = timeout.filter(|_| !shown.is_acw && shown.state == 2) {
            self.timeouts.insert((now + timeout, id));
        }
    }

    /// A contact, or what surrounds one, begins.
    pub fn begin_contact(&mut self, id: u32, contact: Shown, now: TimeMs) {
        if self.agents.get(&id).is_some_and(|agent| agent.shown != Shown::LOGGED_OUT) {
            self.put(id, contact, now);
        }
    }

    /// It ends: what was queued is set, else he is where he was.
    pub fn end_contact(&mut self, id: u32, now: TimeMs) {
        let Some(agent) = self.agents.get_mut(&id).filter(|agent| agent.shown.is_contact()) else { return };
        let (next, by) = match agent.queued.take() {
            Some(queued) => (queued, By::Program),
            None => (agent.before, By::Platform),
        };
        self.show(id, next, by, now);
    }

    /// What an agent is to be in by an admin call, or by that of a session.
    ///
    /// # Errors
    /// It is refused.
    pub fn wanted(&self, id: u32, state: &str, code: Option<i64>) -> Result<Shown, Refusal> {
        let agent = self.agents.get(&id).ok_or(Refusal::UnknownAgent)?;
        let wanted = match state.to_ascii_lowercase().as_str() {
            "available" => Shown::AVAILABLE,
            "unavailable" => match code {
                None | Some(0..=3) => Shown::UNAVAILABLE,
                Some(number) => Shown::code(i32::try_from(number).map_err(|_| Refusal::BadCode)?),
            },
            _ => return Err(Refusal::BadState),
        };
        if agent.shown == Shown::LOGGED_OUT {
            return Err(Refusal::LoggedOut);
        }
        if let Some(number) = wanted.out_state {
            let code = self.codes.get(&number).filter(|code| code.is_active).ok_or(Refusal::BadCode)?;
            if code.is_acw && !agent.shown.is_contact() {
                return Err(Refusal::AfterCallWork);
            }
            if !self.teams.get(&agent.team).is_some_and(|team| team.codes.contains(&number)) {
                return Err(Refusal::BadCode);
            }
        }
        Ok(wanted)
    }

    /// Whether he can be logged out.
    ///
    /// # Errors
    /// It is refused.
    pub fn log_out_wanted(&self, id: u32) -> Result<Shown, Refusal> {
        let agent = self.agents.get(&id).ok_or(Refusal::UnknownAgent)?;
        if agent.shown == Shown::LOGGED_OUT { Err(Refusal::LoggedOut) } else { Ok(Shown::LOGGED_OUT) }
    }

    /// Sets what is wanted: now, or when his contact ends.
    pub fn apply(&mut self, id: u32, wanted: Shown, now: TimeMs) {
        let now = self.at(now);
        let Some(agent) = self.agents.get_mut(&id) else { return };
        if agent.shown.is_contact() {
            let is_acw =
                wanted.out_state.and_then(|code| self.codes.get(&code)).is_some_and(|code| code.is_acw);
            agent.queued = Some(Shown { is_acw, ..wanted });
        } else if agent.shown != Shown::LOGGED_OUT
            && (agent.shown != wanted || self.variant.set_again_restarts)
        {
            self.show(id, wanted, By::Program, now);
        }
    }

    /// He is one from now on, or one no more: then he is logged out.
    pub fn activate(&mut self, id: u32, is_active: bool, now: TimeMs) {
        let now = self.at(now);
        if let Some(agent) = self.agents.get_mut(&id) {
            (agent.is_active, agent.edited) = (is_active, now);
        }
        if !is_active {
            self.put(id, Shown::LOGGED_OUT, now);
        }
    }

    /// He belongs to another team from now on.
    pub fn move_to(&mut self, id: u32, team: u32, now: TimeMs) {
        let now = self.at(now);
        if let Some(agent) = self.agents.get_mut(&id) {
            (agent.team, agent.edited) = (team, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LUNCH: i32 = 1017;
    const WRAP_UP: i32 = 1020;
    const OLD: i32 = 1021;
    const ELSEWHERE: i32 = 1022;

    fn at(seconds: i64) -> TimeMs {
        TimeMs::from_unix_ms(1_767_607_200_000 + seconds * 1_000)
    }

    fn tenant() -> Tenant {
        let mut tenant = Tenant::default();
        for (number, is_active, is_acw) in
            [(LUNCH, true, false), (WRAP_UP, true, true), (OLD, false, false), (ELSEWHERE, true, false)]
        {
            let (name, timeout) = (format!("code {number}"), DurationMs::from_seconds(7_200));
            tenant.codes.insert(number, Code { name, is_active, is_acw, timeout });
        }
        let codes = BTreeSet::from([LUNCH, WRAP_UP, OLD]);
        tenant.teams.insert(1, Team { name: "Support".to_owned(), codes });
        tenant.add(7, 1, at(0));
        tenant.put(7, Shown::UNAVAILABLE, at(1));
        tenant
    }

    fn shown(tenant: &Tenant) -> Shown {
        tenant.agents[&7].shown
    }

    fn set(tenant: &mut Tenant, state: &str, code: Option<i64>, now: TimeMs) -> Result<(), Refusal> {
        tenant.wanted(7, state, code).map(|wanted| tenant.apply(7, wanted, now))
    }

    fn log_out(tenant: &mut Tenant, now: TimeMs) -> Result<(), Refusal> {
        tenant.log_out_wanted(7).map(|wanted| tenant.apply(7, wanted, now))
    }

    #[test]
    fn what_may_be_set_is_and_the_rest_is_refused() {
        let cases = [
            ("Available", None, Ok(Shown::AVAILABLE)),
            ("available", Some(i64::from(LUNCH)), Ok(Shown::AVAILABLE)),
            ("Unavailable", None, Ok(Shown::UNAVAILABLE)),
            ("Unavailable", Some(0), Ok(Shown::UNAVAILABLE)),
            ("Unavailable", Some(i64::from(LUNCH)), Ok(Shown::code(LUNCH))),
            ("Unavailable", Some(i64::from(WRAP_UP)), Err(Refusal::AfterCallWork)),
            ("Unavailable", Some(i64::from(OLD)), Err(Refusal::BadCode)),
            ("Unavailable", Some(i64::from(ELSEWHERE)), Err(Refusal::BadCode)),
            ("Unavailable", Some(-1), Err(Refusal::BadCode)),
            ("Unavailable", Some(i64::MAX), Err(Refusal::BadCode)),
            ("InboundContact", None, Err(Refusal::BadState)),
            ("LoggedOut", None, Err(Refusal::BadState)),
            ("", None, Err(Refusal::BadState)),
        ];
        for (state, code, expected) in cases {
            let mut tenant = tenant();
            assert_eq!(set(&mut tenant, state, code, at(2)), expected.map(|_| ()), "{state} {code:?}");
            assert_eq!(shown(&tenant), expected.unwrap_or(Shown::UNAVAILABLE), "{state} {code:?}");
        }
        assert_eq!(tenant().wanted(8, "Available", None), Err(Refusal::UnknownAgent));
    }

    #[test]
    fn in_a_contact_a_set_waits_for_its_end() {
        let mut tenant = tenant();
        tenant.begin_contact(7, Shown::state(3), at(2));
        assert_eq!(set(&mut tenant, "Available", None, at(3)), Ok(()));
        assert_eq!(set(&mut tenant, "Unavailable", Some(LUNCH.into()), at(4)), Ok(()));
        let wrap_up = Shown { state: 2, out_state: Some(WRAP_UP), is_acw: true };
        tenant.put(7, wrap_up, at(5));
        assert_eq!(shown(&tenant), wrap_up);
        tenant.end_contact(7, at(6));
        assert_eq!((shown(&tenant), tenant.agents[&7].since), (Shown::code(LUNCH), at(6)));
        // Without one he is where he was.
        tenant.begin_contact(7, Shown::state(4), at(7));
        tenant.end_contact(7, at(8));
        assert_eq!(shown(&tenant), Shown::code(LUNCH));
        tenant.begin_contact(7, Shown::state(3), at(9));
        assert_eq!(log_out(&mut tenant, at(10)), Ok(()));
        tenant.end_contact(7, at(11));
        assert_eq!(shown(&tenant), Shown::LOGGED_OUT);
        // After-call work is what follows a contact.
        tenant.put(7, Shown::AVAILABLE, at(12));
        tenant.begin_contact(7, Shown::state(3), at(12));
        assert_eq!(set(&mut tenant, "Unavailable", Some(WRAP_UP.into()), at(12)), Ok(()));
        tenant.end_contact(7, at(12));
        assert_eq!(shown(&tenant), wrap_up);
        tenant.end_contact(7, at(12));
        assert_eq!(shown(&tenant), Shown::AVAILABLE);
        tenant.put(7, Shown::LOGGED_OUT, at(12));
        assert_eq!(set(&mut tenant, "Available", None, at(12)), Err(Refusal::LoggedOut));
        assert_eq!(log_out(&mut tenant, at(12)), Err(Refusal::LoggedOut));
    }

    #[test]
    fn who_is_in_a_code_for_too_long_is_logged_out() {
        let mut tenant = tenant();
        set(&mut tenant, "Unavailable", Some(LUNCH.into()), at(10)).unwrap();
        set(&mut tenant, "Available", None, at(20)).unwrap();
        set(&mut tenant, "Unavailable", Some(LUNCH.into()), at(30)).unwrap();
        tenant.go_on(at(7_229));
        assert_eq!(shown(&tenant), Shown::code(LUNCH));
        tenant.go_on(at(7_500));
        assert_eq!(shown(&tenant), Shown::LOGGED_OUT);
    }

    #[test]
    fn the_last_state_wins_between_two_looks() {
        let mut tenant = tenant();
        tenant.add(8, 1, at(1));
        let seen = |tenant: &Tenant, since| {
            tenant.changed_since(since).map(|agent| (agent.id, agent.shown)).collect::<Vec<_>>()
        };
        assert_eq!(seen(&tenant, at(0)), [(7, Shown::UNAVAILABLE), (8, Shown::LOGGED_OUT)]);
        set(&mut tenant, "Available", None, at(2)).unwrap();
        set(&mut tenant, "Unavailable", None, at(2)).unwrap();
        assert_eq!(seen(&tenant, at(2)), [(7, Shown::UNAVAILABLE)]);
        assert_eq!(seen(&tenant, at(3)), []);
        tenant.variant.shows_logged_out = false;
        assert_eq!(seen(&tenant, at(0)), [(7, Shown::UNAVAILABLE)]);
        // Time does not fall, whatever the clock says.
        set(&mut tenant, "Available", None, at(1)).unwrap();
        assert_eq!(tenant.agents[&7].since, at(2));
        tenant.put(7, Shown { state: 2, out_state: Some(-1), is_acw: false }, at(4));
        tenant.variant.shows_reserved = false;
        assert_eq!(tenant.shown(&tenant.agents[&7]), Shown::AVAILABLE);
    }

    #[test]
    fn who_is_one_no_more_is_logged_out() {
        let mut tenant = tenant();
        tenant.activate(7, false, at(2));
        assert_eq!((tenant.agents[&7].is_active, shown(&tenant)), (false, Shown::LOGGED_OUT));
        assert_eq!(tenant.agents[&7].edited, at(2));
        tenant.activate(7, true, at(3));
        assert_eq!((tenant.agents[&7].is_active, shown(&tenant)), (true, Shown::LOGGED_OUT));
    }

    #[test]
    fn what_he_is_in_already_begins_anew_in_one_variant() {
        for (set_again_restarts, since) in [(false, at(1)), (true, at(5))] {
            let mut tenant = tenant();
            tenant.variant.set_again_restarts = set_again_restarts;
            set(&mut tenant, "Unavailable", None, at(5)).unwrap();
            assert_eq!(tenant.agents[&7].since, since);
        }
    }
}
