//! What is shown while a demo runs: a live table on a terminal, else plain lines.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use lockstep::domain::{CxoneStatus, SalesforceStatus, Status};
use lockstep::simulators::cxone::Shown;

use super::choices::{self, CHOICES, Pair};
use super::decisions::Decided;
use super::running::Running;
use super::screen::{Asked, Fault, Lines, Person, Screen, Standing, Totals, View};
use super::watch::Times;

/// A frame on the screen, and a line of totals.
const FRAME_EACH: Duration = Duration::from_millis(250);
const LINE_EACH: Duration = Duration::from_secs(5);
/// News are told so soon.
const LINES_EACH: Duration = Duration::from_millis(500);

/// Where it is shown.
enum Place {
    Screen(Box<Screen>),
    Lines(Lines),
    /// It is over.
    Nowhere,
}

/// What is shown while it runs.
pub(super) struct Live {
    place: Place,
    shown: Option<Instant>,
    /// So often somebody has asked for the end.
    times_asked: usize,
}

impl Live {
    /// A table where there is a terminal, and nobody wants JSON of it.
    pub(super) fn new(is_json: bool) -> anyhow::Result<Live> {
        let is_terminal = !is_json && io::stdout().is_terminal() && io::stdin().is_terminal();
        let place = if is_terminal {
            Place::Screen(Box::new(Screen::begin(
                CHOICES.iter().map(|choice| choice.salesforce.to_owned()).collect(),
            )?))
        } else {
            Place::Lines(Lines::new(LINE_EACH, is_json))
        };
        Ok(Live { place, shown: None, times_asked: 0 })
    }

    pub(super) const fn times_asked(&self) -> usize {
        self.times_asked
    }

    /// Nothing is shown any more.
    pub(super) fn end(&mut self) {
        self.place = Place::Nowhere;
    }

    /// Whether it is time to show something again.
    fn is_due(&self) -> bool {
        let each = match self.place {
            Place::Screen(_) => FRAME_EACH,
            Place::Lines(_) => LINES_EACH,
            Place::Nowhere => return false,
        };
        self.shown.is_none_or(|shown| shown.elapsed() >= each)
    }

    /// What is to be shown now, if something is.
    pub(super) fn view(running: &Running, now: Duration) -> Option<View> {
        running.live.is_due().then(|| view(running, now, matches!(running.live.place, Place::Screen(_))))
    }

    /// Shows it. Tells what somebody has asked for at the keyboard.
    pub(super) fn show(&mut self, view: &Option<View>) -> anyhow::Result<Vec<Asked>> {
        if view.is_some() {
            self.shown = Some(Instant::now());
        }
        let asked = match (&mut self.place, view) {
            (Place::Screen(screen), view) => {
                if let Some(view) = view {
                    screen.show(view)?;
                }
                screen.asked()?
            }
            (Place::Lines(lines), Some(view)) => {
                match lines.show(view) {
                    // Nobody reads it any more: what comes of it is told all the same.
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.place = Place::Nowhere,
                    shown => shown?,
                }
                Vec::new()
            }
            _ => Vec::new(),
        };
        self.times_asked += asked.iter().filter(|asked| **asked == Asked::Quit).count();
        Ok(asked)
    }
}

fn view(running: &Running, now: Duration, has_people: bool) -> View {
    running.decisions.with(|decided| view_of(running, now, has_people, decided))
}

fn view_of(running: &Running, now: Duration, has_people: bool, decided: &Decided) -> View {
    let watch = &running.watch;
    let name = |status: Status| match status {
        Status::Salesforce(status) => watch.statuses().name(status),
        Status::Cxone(status) => cxone_name(status),
    };
    let person = |place: usize, one: &super::platforms::Person| {
        let seen = watch.seen(place);
        let salesforce = seen.map_or(SalesforceStatus::Offline, |seen| seen.salesforce);
        let cxone = seen.map_or(Shown::LOGGED_OUT, |seen| seen.cxone);
        Person {
            number: one.number,
            salesforce: watch.statuses().name(salesforce),
            cxone: choices::name_in_cxone(cxone),
            standing: match watch.pair(place) {
                Pair::InStep => Standing::InStep,
                Pair::OnContact => Standing::Busy,
                Pair::Off => Standing::Off,
                Pair::Apart if watch.is_apart_for_long(place, lockstep::connectors::http::now()) => {
                    Standing::Out
                }
                Pair::Apart => Standing::Waiting,
            },
            decision: decided.last.get(&one.agent).map(|last| last.words(name)).unwrap_or_default(),
        }
    };
    let people = running.platforms.people.iter().enumerate().filter(|_| has_people);
    let [(_, salesforce), (_, cxone)] = running.calls();
    let sync = Times::figures(watch.all_times()).map(|[p50, p99, _]| (p50.into(), p99.into()));
    View {
        elapsed: now,
        people: people.map(|(place, one)| person(place, one)).collect(),
        totals: Totals {
            agents: running.platforms.people.len() as u64,
            in_step: watch.in_step() as u64,
            changes: watch.changes(),
            commands: decided.commands,
            echoes: decided.echoes,
            corrections: decided.corrections,
            diverged: decided.diverged(),
            dead_letters: decided.dead_letters,
            sync_ms: sync,
            calls: (salesforce, cxone),
        },
        faults: running
            .offered()
            .filter_map(|fault| {
                Some(Fault { key: fault.key?, name: fault.name, is_on: running.trouble.is_on(fault.kind) })
            })
            .collect(),
        news: running.news.iter().cloned().collect(),
    }
}

fn cxone_name(status: CxoneStatus) -> String {
    let shown = match status {
        CxoneStatus::LoggedOut => Shown::LOGGED_OUT,
        CxoneStatus::Available => Shown::AVAILABLE,
        CxoneStatus::Unavailable => Shown::UNAVAILABLE,
        CxoneStatus::Code(code) => Shown::code(code.get().cast_signed()),
        CxoneStatus::Contact(state) => return state.name().to_owned(),
        CxoneStatus::AfterCallWork(_) => return "after-call work".to_owned(),
        _ => return "reserved".to_owned(),
    };
    choices::name_in_cxone(shown)
}
