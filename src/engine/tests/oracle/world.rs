//! A drawn history becomes events, while the real engine goes along: an echo needs a command to echo.

use super::history::{History, Move, RowOf, Shown, Start, Wake};
use crate::directory::Directory;
use crate::domain::{Both, DurationMs, Platform, RowId, Status, Team, TimeMs};
use crate::engine::tests::script;
use crate::engine::*;
use crate::rules::Tables;

/// The statuses that are drawn.
pub(super) const SALESFORCE: [&str; 7] =
    ["Free", "Break", "OnCall", "Meeting", "Back", "Training", "Offline"];
pub(super) const CXONE: [&str; 11] = [
    "Available",
    "Unavailable",
    "Lunch",
    "Mtg",
    "Tea",
    "Call",
    "Outbound",
    "Wrap",
    "Refused",
    "LoggedIn",
    "LoggedOut",
];

/// An event under the rules that held, and what the engine answered.
#[derive(Clone, Copy)]
pub(super) struct Happened {
    pub(super) event: Event,
    /// Which rules.
    pub(super) rules: usize,
    pub(super) answer: Effects,
}

/// All rules that are drawn from, and the agent.
pub(super) struct Setting {
    directory: Directory,
    pub(super) tables: Vec<Tables>,
}

const FEW: &str = "[rule.cxone_to_salesforce]\n\"Available\" = \"Free\"\n\"Unavailable/Lunch\" = \"Break\"\n\
    [rule.salesforce_to_cxone]\n\"Free\" = \"Available\"\n\"Break\" = \"previous\"\n\"Back\" = \"previous\"\n";
const MANY_TO_ONE: &str = "[rule.cxone_to_salesforce]\n\"Available\" = \"Free\"\n\"Unavailable\" = \"Break\"\n\
    \"Unavailable/Lunch\" = \"Break\"\n\"Unavailable/Mtg\" = \"Break\"\n\"Unavailable/Tea\" = \"Break\"\n\
    \"InboundContact\" = \"OnCall\"\n\"OutboundContact\" = \"Meeting\"\n\"AfterCallWork\" = \"Break\"\n\"LoggedOut\" = \"Offline\"\n\
    [rule.salesforce_to_cxone]\n\"Free\" = \"Available\"\n\"Break\" = \"Unavailable\"\n\"Meeting\" = \"Unavailable/Mtg\"\n\
    \"OnCall\" = \"Unavailable/Tea\"\n\"Training\" = \"Unavailable/Tea\"\n\"Back\" = \"previous\"\n";
impl Setting {
    pub(super) fn new() -> Self {
        let directory = script::directory();
        let all = [
            ("", script::ROWS),
            ("on_conflict = \"salesforce\"", script::ROWS),
            ("on_conflict = \"cxone\"\nwhile_on_contact = \"send\"", script::ROWS),
            ("skip_code_validation = true\non_login = \"publish\"", script::ROWS),
            ("while_on_contact = \"send\"", MANY_TO_ONE),
            ("skip_code_validation = true\nwhile_on_contact = \"send\"", FEW),
            ("on_conflict = \"cxone\"", FEW),
        ];
        let mut tables: Vec<Tables> =
            all.map(|(options, rows)| script::tables(&directory, options, rows)).into();
        // Rows that chase each other: a check refuses them, the engine has to bear them.
        let mut chasing = script::revision(&directory, "on_login = \"publish\"", script::ROWS);
        let [first, second, ..] = chasing.rules[0].publisher.as_mut_slice() else { unreachable!() };
        std::mem::swap(&mut first.to, &mut second.to);
        tables.push(Tables::compile(&chasing));
        Setting { directory, tables }
    }

    /// What the engine makes of a history, event by event.
    pub(super) fn live(&self, history: &History) -> Vec<Happened> {
        let mut world = World {
            setting: self,
            slot: None,
            now: TimeMs::from_unix_ms(1_000_000_000),
            rules: history.rules,
            team: 0,
            timer: None,
            stale: None,
            sent: Both::default(),
            shown: Both::default(),
            closed_raw: TimeMs::default(),
            next_row: 1,
            newest_browser: 0,
            happened: Vec::new(),
        };
        world.apply(What::Linked(world.membership()));
        for step in &history.steps {
            if world.slot.is_none() && world.happened.len().is_multiple_of(3) {
                world.apply(What::Linked(world.membership()));
            }
            world.wait(step.pause, history.prompt);
            world.make(&step.what);
        }
        world.happened
    }
}

/// One agent, and what is known of him to those who draw his history.
struct World<'s> {
    setting: &'s Setting,
    slot: Option<AgentState>,
    now: TimeMs,
    rules: usize,
    team: usize,
    timer: Option<(TimeMs, WakeUp)>,
    stale: Option<WakeUp>,
    sent: Both<Vec<(Sequence, Status, TimeMs)>>,
    shown: Both<Option<(Status, TimeMs)>>,
    closed_raw: TimeMs,
    next_row: u32,
    newest_browser: u64,
    happened: Vec<Happened>,
}

impl World<'_> {
    fn apply(&mut self, what: What) {
        let event = Event { now: self.now, what };
        let answer = apply(&mut self.slot, &event, &self.setting.tables[self.rules]);
        self.happened.push(Happened { event, rules: self.rules, answer });
        match answer.timer {
            Some(Timer::Arm { at, cause, generation }) => {
                self.stale = self.timer.map(|(_, wake_up)| wake_up).or(self.stale);
                self.timer = Some((at, WakeUp { cause, generation }));
            }
            Some(Timer::Disarm) => self.timer = None,
            None => {}
        }
        for command in answer.commands.into_array().into_iter().flatten() {
            let sent = self.sent.of_mut(command.platform());
            sent.push((command.sequence, command.status, command.issued));
        }
    }

    /// Lets time pass; timers come due in their order, if they are prompt.
    fn wait(&mut self, ms: i64, prompt: bool) {
        let until = self.now + DurationMs::from_ms(ms);
        while let Some((at, wake_up)) = self.timer.filter(|(at, _)| prompt && *at <= until) {
            self.timer = None;
            self.now = self.now.max(at);
            self.apply(What::WakeUp(wake_up));
        }
        self.now = until;
    }

    fn make(&mut self, what: &Move) {
        let ms = DurationMs::from_ms;
        let what = match *what {
            Move::Observe { platform, status, start, row, cause, offset, asked } => {
                let Some(status) = self.status(platform, status) else { return };
                let since_raw = self.start(platform, start, ms(offset));
                let has_row = platform == Platform::Salesforce && !status.is_off();
                let row = if has_row { self.row(row, true) } else { None };
                let asked = asked.map(|ago| self.now - ms(ago));
                *self.shown.of_mut(platform) = Some((status, since_raw));
                What::Observation(Observation { status, since_raw, offset: ms(offset), row, cause, asked })
            }
            Move::Close { row, start, offset, asked } => {
                let at_raw = self.start(Platform::Salesforce, start, ms(offset));
                let row = self.row(row, false);
                let asked = asked.or(Some(0).filter(|_| row.is_none())).map(|ago| self.now - ms(ago));
                self.closed_raw = at_raw;
                What::RowClosed(RowClosed { row, at_raw, offset: ms(offset), asked })
            }
            Move::Outcome { platform, back, verdict } => {
                // Where nothing was sent, the other platform is meant.
                let nothing = self.sent.of(platform).is_empty();
                let platform = if nothing { platform.other() } else { platform };
                if self.sent.of(platform).is_empty() && back == 0 {
                    return;
                }
                let sent = self.sent.of(platform).iter().rev().nth(back);
                let command = sent.map_or(Sequence(99), |(sequence, ..)| *sequence);
                What::Outcome(Outcome { platform, command, verdict })
            }
            Move::Wake(wake) => return self.wake(wake),
            Move::Connected(epoch) => {
                self.newest_browser =
                    self.newest_browser.max((self.newest_browser + epoch).saturating_sub(1));
                What::Connected(Epoch((self.newest_browser + epoch).saturating_sub(1)))
            }
            Move::Disconnected(back) => What::Disconnected(Epoch(self.newest_browser.saturating_sub(back))),
            Move::Rules(rules) => {
                self.rules = rules;
                What::Activated { assignment: self.membership().assignment }
            }
            Move::Team(team) => {
                self.team = team;
                What::TeamMoved(self.membership())
            }
            Move::Retry => What::Retry,
            Move::Link => What::Linked(self.membership()),
            Move::Unlink => What::Unlinked,
            Move::Forget => What::Forgotten,
        };
        self.apply(what);
    }

    fn wake(&mut self, wake: Wake) {
        let armed = self.timer;
        let wake_up = match (wake, armed) {
            (Wake::Due, Some((at, wake_up))) => {
                self.now = self.now.max(at);
                Some(wake_up)
            }
            (Wake::WrongCause, Some((_, wake_up))) => {
                let cause = match wake_up.cause {
                    WakeCause::Grace => WakeCause::CoolDown,
                    _ => WakeCause::Grace,
                };
                Some(WakeUp { cause, ..wake_up })
            }
            (Wake::Now, Some((_, wake_up))) => Some(wake_up),
            _ => self.stale,
        };
        if let Some(wake_up) = wake_up {
            self.apply(What::WakeUp(wake_up));
        }
    }

    fn membership(&self) -> Membership {
        let person = &self.setting.directory.people[0];
        let account = person.link.cxone.account;
        let teams = self.setting.directory.vocabulary.cxone.values().next().unwrap().teams();
        let team = teams.get(self.team).map(|team| team.id);
        let full = team.map(|team| Team { account, team });
        let tables = &self.setting.tables[self.rules];
        Membership { team, assignment: tables.assignment(person.agent, &person.link, full) }
    }

    fn status(&self, platform: Platform, shown: Shown) -> Option<Status> {
        match shown {
            Shown::Listed(i) => Some(match platform {
                Platform::Salesforce => script::status("SF", SALESFORCE[i % SALESFORCE.len()]),
                Platform::Cxone => script::status("CX", CXONE[i % CXONE.len()]),
            }),
            Shown::Commanded(back) => {
                self.sent.of(platform).iter().rev().nth(back).map(|(_, status, _)| *status)
            }
            Shown::Again => self.shown.of(platform).map(|(status, _)| status),
        }
    }

    fn start(&self, platform: Platform, start: Start, offset: DurationMs) -> TimeMs {
        let ms = DurationMs::from_ms;
        match start {
            Start::Ago(ago) => self.now - ms(ago) + offset,
            Start::Ahead(ahead) => self.now + ms(ahead) + offset,
            Start::AfterCommand(after) => {
                self.sent.of(platform).last().map_or(self.now, |(.., issued)| *issued) + ms(after) + offset
            }
            Start::AfterShown(after) => self.shown.of(platform).map_or(self.now, |(_, raw)| raw) + ms(after),
            Start::AfterClose(after) => self.closed_raw + ms(after),
        }
    }

    fn row(&mut self, row: RowOf, opens: bool) -> Option<RowId> {
        match row {
            RowOf::Unnamed => None,
            RowOf::New => {
                let new = self.next_row;
                self.next_row += u32::from(opens);
                Some(script::row_id(new))
            }
            RowOf::Back(back) => Some(script::row_id(self.next_row.saturating_sub(1 + back).max(1))),
        }
    }
}
