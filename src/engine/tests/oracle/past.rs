//! Everything that ever happened to one agent, in lists that only grow, and what can be read off them.

use crate::domain::{Both, CxoneStatus, DurationMs, Platform, RowId, SalesforceStatus, TimeMs};
use crate::engine::*;
use crate::rules::{CxoneTarget, OnLogin, Options, Row, SalesforceTarget, Settings, Tables, WhileOnContact};

/// How many of the newest commands to a platform, and of the newest rows of Salesforce, count.
const COMMANDS_KEPT: usize = 8;
const ROWS_KEPT: usize = 4;
const KEPT_FOR: DurationMs = DurationMs::from_seconds(15 * 60);

/// A status that a platform was seen in and that was taken as what it shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) status: Status,
    pub(super) raw: TimeMs,
    pub(super) offset: DurationMs,
    pub(super) row: Option<RowId>,
    pub(super) ours: bool,
    /// The intent that it made, or gave a new start.
    pub(super) made: Option<usize>,
}

impl View {
    /// Its start by our clock.
    pub(super) fn since(&self) -> TimeMs {
        self.raw - self.offset
    }
}

/// An Offline that was inferred from a closed row, and what there was before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inferred {
    pub(super) closed_raw: TimeMs,
    pub(super) replaced: Option<View>,
    pub(super) reach: Option<(TimeMs, bool)>,
    pub(super) intent_before: Option<usize>,
    pub(super) intent_made: Option<usize>,
}

/// The agent's last choice, at the time it was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub(super) status: Status,
    /// By our clock.
    pub(super) since: TimeMs,
    pub(super) offset: DurationMs,
    /// The start of the choice before.
    pub(super) floor: TimeMs,
    pub(super) at_login: bool,
}

/// A contact of CXone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contact {
    pub(super) state: CxoneStatus,
    pub(super) began: TimeMs,
    pub(super) ended: Option<TimeMs>,
}

/// A command, and what became of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) command: Command,
    pub(super) intent: Option<usize>,
    pub(super) outcome: Option<(Verdict, TimeMs)>,
    /// The contact in which the outcome came.
    pub(super) in_contact: Option<usize>,
    /// The raw start of its echo.
    pub(super) matched: Option<TimeMs>,
    /// It is old news: nothing can be said of it any more.
    pub(super) forgotten: bool,
}

impl Sent {
    pub(super) fn is_dead(&self) -> bool {
        use Verdict::{Conflict, Permanent, Superseded, Unreachable};
        matches!(self.outcome, Some((Conflict | Permanent | Superseded | Unreachable, _)))
    }
}

/// What a platform should show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Nothing,
    /// The team lacks the code.
    Lacks(Status),
    Set(Status, Option<Row>),
}

impl Target {
    pub(super) fn status(self) -> Option<Status> {
        match self {
            Target::Nothing => None,
            Target::Lacks(status) | Target::Set(status, _) => Some(status),
        }
    }
}

/// The one timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Armed {
    pub(super) at: TimeMs,
    pub(super) cause: WakeCause,
    pub(super) generation: Generation,
}

/// A close of a row of Salesforce that still has to be dealt with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Close {
    pub(super) row: Option<RowId>,
    pub(super) raw: TimeMs,
    pub(super) offset: DurationMs,
    /// When the grace is over.
    pub(super) due: TimeMs,
}

/// The whole past of one agent since he was linked.
pub(super) struct Past<'t> {
    pub(super) now: TimeMs,
    pub(super) tables: &'t Tables,
    pub(super) membership: Membership,
    pub(super) views: Both<Vec<View>>,
    pub(super) rows: Vec<RowId>,
    /// Each time a platform came within reach, or went out of it.
    pub(super) reach: Both<Vec<(TimeMs, bool)>>,
    pub(super) browsers: Vec<Epoch>,
    pub(super) contacts: Vec<Contact>,
    pub(super) choices: Vec<Choice>,
    pub(super) intent: Option<usize>,
    /// The intents that each platform has caught up with.
    pub(super) caught_up: Both<Vec<usize>>,
    /// What the agent chose in CXone and won with.
    pub(super) won_in_cxone: Vec<CxoneStatus>,
    /// The settable statuses that CXone was seen in.
    pub(super) seen_in_cxone: Vec<CxoneStatus>,
    pub(super) commands: Vec<Sent>,
    pub(super) outstanding: Both<Option<Sequence>>,
    /// For each lapse, how many commands there had been in all.
    pub(super) lapses: Both<Vec<usize>>,
    /// Since so many lapses, the count is anew.
    pub(super) lapses_forgotten: Both<usize>,
    pub(super) given_up: Both<Option<GivenUp>>,
    pub(super) targets: Both<Target>,
    pub(super) closing: Option<Close>,
    pub(super) closed_early: Option<Close>,
    pub(super) inferred: Option<Inferred>,
    /// Each cool-down: from when, and how long.
    pub(super) cool_downs: Vec<(TimeMs, DurationMs)>,
    pub(super) cooling: bool,
    pub(super) armed: Option<Armed>,
    pub(super) armed_ever: u32,
    /// What is known of this event only.
    pub(super) effects: Effects,
    pub(super) was_in_contact: bool,
    pub(super) reissue: bool,
}

impl<'t> Past<'t> {
    pub(super) fn new(membership: Membership, tables: &'t Tables) -> Self {
        Past {
            now: TimeMs::default(),
            tables,
            membership,
            views: Both::default(),
            rows: Vec::new(),
            reach: Both::default(),
            browsers: Vec::new(),
            contacts: Vec::new(),
            choices: Vec::new(),
            intent: None,
            caught_up: Both::default(),
            won_in_cxone: Vec::new(),
            seen_in_cxone: Vec::new(),
            commands: Vec::new(),
            outstanding: Both::default(),
            lapses: Both::default(),
            lapses_forgotten: Both::default(),
            given_up: Both::default(),
            targets: Both { salesforce: Target::Nothing, cxone: Target::Nothing },
            closing: None,
            closed_early: None,
            inferred: None,
            cool_downs: Vec::new(),
            cooling: false,
            armed: None,
            armed_ever: 0,
            effects: Effects::of(Reason::Linked),
            was_in_contact: false,
            reissue: false,
        }
    }

    pub(super) fn settings(&self) -> &'t Settings {
        self.tables.settings()
    }

    pub(super) fn options(&self) -> Option<Options> {
        self.membership.assignment.and_then(|a| self.tables.options(a))
    }

    pub(super) fn holds(&self) -> bool {
        self.options().is_none_or(|o| o.while_on_contact == WhileOnContact::Hold)
    }

    pub(super) fn adopts(&self) -> bool {
        self.options().is_none_or(|o| o.on_login == OnLogin::Adopt)
    }

    pub(super) fn observed(&self, platform: Platform) -> Option<View> {
        self.views.of(platform).last().copied()
    }

    /// What a platform counts as showing: CXone in a contact, the status before it.
    pub(super) fn shown(&self, platform: Platform) -> Option<View> {
        let is_contact = |status| matches!(status, Status::Cxone(status) if status.is_contact());
        self.views.of(platform).iter().rev().find(|view| !is_contact(view.status)).copied()
    }

    pub(super) fn is_reachable(&self, platform: Platform) -> bool {
        self.reach.of(platform).last().is_some_and(|(_, up)| *up)
    }

    pub(super) fn up_at(&self, platform: Platform) -> Option<TimeMs> {
        self.reach.of(platform).iter().rev().find(|(_, up)| *up).map(|(at, _)| *at)
    }

    /// A platform is within reach from now on, or no longer.
    pub(super) fn set_reach(&mut self, platform: Platform, up: bool) {
        if up && !self.is_reachable(platform) {
            self.forget_lapses(platform);
        }
        self.reach.of_mut(platform).push((self.now, up));
    }

    pub(super) fn contact(&self) -> Option<Contact> {
        self.contacts.last().copied().filter(|contact| contact.ended.is_none())
    }

    pub(super) fn choice(&self) -> Option<Choice> {
        self.intent.map(|i| self.choices[i])
    }

    pub(super) fn new_intent(&mut self, o: &Observation, at_login: bool) {
        let Observation { status, offset, .. } = *o;
        let since = o.since_raw - offset;
        let floor = self.choice().map_or(since, |c| c.since);
        self.choices.push(Choice { status, since: since.max(floor), offset, floor, at_login });
        self.intent = Some(self.choices.len() - 1);
        self.forget_all_lapses();
    }

    /// Whether P showed what the intent wants since there is that intent.
    pub(super) fn has_caught_up(&self, platform: Platform) -> bool {
        let own = self.choice().is_some_and(|c| c.status.platform() == platform);
        own || self.intent.is_some_and(|intent| self.caught_up.of(platform).contains(&intent))
    }

    /// What the agent last chose in CXone; until he has chosen, what he was first seen in.
    pub(super) fn previous(&self) -> Option<CxoneStatus> {
        self.won_in_cxone.last().or(self.seen_in_cxone.first()).copied()
    }

    /// The last four rows that were taken.
    pub(super) fn knows(&self, row: RowId) -> bool {
        self.rows.iter().rev().take(ROWS_KEPT).any(|known| *known == row)
    }

    /// The last eight commands to a platform, without those that are forgotten.
    pub(super) fn ring(&self, platform: Platform) -> Vec<Sent> {
        let of_platform = self.commands.iter().filter(|sent| sent.command.platform() == platform);
        let known: Vec<Sent> = of_platform.filter(|sent| !sent.forgotten).copied().collect();
        known[known.len().saturating_sub(COMMANDS_KEPT)..].to_vec()
    }

    pub(super) fn sent_mut(&mut self, sequence: Sequence) -> Option<&mut Sent> {
        self.commands.iter_mut().find(|sent| sent.command.sequence == sequence)
    }

    pub(super) fn outstanding(&self, platform: Platform) -> Option<Sent> {
        let sequence = (*self.outstanding.of(platform))?;
        self.commands.iter().find(|sent| sent.command.sequence == sequence && !sent.forgotten).copied()
    }

    /// What is matched or dead or passed over, and 15 minutes old, is old news; and so is what eight newer ones pushed
    /// out.
    pub(super) fn forget_old(&mut self) {
        for platform in Platform::ALL {
            let answered = self.newest_answered(platform);
            let ring: Vec<_> = self.ring(platform).iter().map(|sent| sent.command.sequence).collect();
            for sent in &mut self.commands {
                if sent.command.platform() == platform {
                    let old = self.now.since(sent.command.issued) >= KEPT_FOR;
                    let passed = sent.outcome.is_none() && Some(sent.command.sequence) < answered;
                    let done = sent.matched.is_some() || sent.is_dead() || passed;
                    let over = *self.outstanding.of(platform) != Some(sent.command.sequence);
                    sent.forgotten |= !ring.contains(&sent.command.sequence) || (old && done && over);
                }
            }
        }
    }

    /// How often commands for today's target have lapsed.
    pub(super) fn lapsed(&self, platform: Platform) -> usize {
        self.lapses.of(platform).len() - self.lapses_forgotten.of(platform)
    }

    pub(super) fn forget_lapses(&mut self, platform: Platform) {
        *self.lapses_forgotten.of_mut(platform) = self.lapses.of(platform).len();
        *self.given_up.of_mut(platform) = None;
    }

    pub(super) fn forget_all_lapses(&mut self) {
        self.forget_lapses(Platform::Salesforce);
        self.forget_lapses(Platform::Cxone);
    }

    /// What the platform should show.
    pub(super) fn target(&self, platform: Platform) -> Target {
        let (Some(choice), assignment) = (self.choice(), self.membership.assignment) else {
            return Target::Nothing;
        };
        let chosen_in = choice.status.platform();
        if let (Platform::Salesforce, Some(contact), Some(assignment)) =
            (platform, self.contact(), assignment)
            && !(chosen_in == Platform::Salesforce && choice.since > contact.began)
            && let SalesforceTarget::Set(status, row) =
                self.tables.salesforce_target(assignment, contact.state)
        {
            return Target::Set(Status::Salesforce(status), Some(row));
        }
        if chosen_in == platform {
            return Target::Set(choice.status, None);
        }
        let Some(assignment) = assignment else { return Target::Nothing };
        match choice.status {
            Status::Cxone(status) => match self.tables.salesforce_target(assignment, status) {
                SalesforceTarget::Nothing => Target::Nothing,
                SalesforceTarget::Set(status, row) => Target::Set(Status::Salesforce(status), Some(row)),
            },
            Status::Salesforce(status) => self.cxone_target(assignment, status),
        }
    }

    fn cxone_target(&self, assignment: Assignment, status: SalesforceStatus) -> Target {
        match self.tables.cxone_target(assignment, status) {
            CxoneTarget::Nothing => Target::Nothing,
            CxoneTarget::Lacks(code, _) => Target::Lacks(Status::Cxone(CxoneStatus::Code(code))),
            CxoneTarget::Set(status, row) => Target::Set(Status::Cxone(status), Some(row)),
            CxoneTarget::Previous(row) => match self.previous() {
                Some(status) => self.if_team_has(Status::Cxone(status), Some(row)),
                None => Target::Nothing,
            },
        }
    }

    /// A status, or what is set in its place if the team lacks its code.
    fn if_team_has(&self, status: Status, row: Option<Row>) -> Target {
        let lacks = |assignment, status| self.tables.team_lacks(assignment, status);
        match (self.membership.assignment, status) {
            (Some(assignment), Status::Cxone(code)) if lacks(assignment, code) => {
                if self.options().is_some_and(|o| o.skip_code_validation) {
                    Target::Set(Status::Cxone(CxoneStatus::Unavailable), row)
                } else {
                    Target::Lacks(status)
                }
            }
            _ => Target::Set(status, row),
        }
    }

    /// Whether the platform shows its target.
    pub(super) fn shows_target(&self, platform: Platform) -> bool {
        let target = self.target(platform).status();
        target.is_some() && self.shown(platform).map(|view| view.status) == target
    }
}
