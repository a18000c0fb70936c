//! The sink of an account: commands, as they are sent, and what became of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backlog::{Backlog, Job, PutBack};
use super::hold::Hold;
use super::set::{Done, Fate, Setter};
use crate::bus::{Offset, Record};
use crate::codec::{
    self, Addressee, Codec, Command, HeldCause, Order, Outcome, PlatformHeld, PlatformResumed, What,
};
use crate::connectors::http::now;
use crate::connectors::observer::{Noted, Observer};
use crate::connectors::outbox::Outbox;
use crate::domain::{Account, Remedy};
use crate::engine::Verdict;

/// So many agents who are refused one after the other are no matter of these agents.
const FORBIDDEN_MAX: usize = 3;
/// One who is refused alone is that after so long.
const FORBIDDEN_FOR: Duration = Duration::from_secs(10);
/// A key that is longer is none of ours.
const KEY_BYTES_MAX: usize = 256;
/// How much is to be done is told so often.
const TOLD_EVERY: Duration = Duration::from_millis(500);

/// What became of a call.
pub(in crate::connectors) struct Called {
    job: Job,
    began: Instant,
    fate: Fate,
}

/// What is to be done next.
pub(in crate::connectors) enum Next<F> {
    /// A call.
    Call(F),
    /// A call, after so long.
    Wait(Duration),
    /// Nothing, before something else happens.
    Nothing,
}

/// The sink of an account, while this process has it.
pub(in crate::connectors) struct Sink {
    account: Account,
    /// None where something else does what commands say; then it is given none.
    setter: Option<Arc<dyn Setter>>,
    observer: Arc<dyn Observer>,
    backlog: Backlog,
    hold: Hold,
    /// Calls that are on their way.
    calls: usize,
    calls_max: usize,
    /// Refused for a permission, and not known yet whether all are.
    forbidden: Vec<(Job, Instant, String)>,
    /// What became of them is not known: a newer one waits until nothing of them can come any more.
    resting: Vec<(Job, Instant)>,
    rests_for: Duration,
    /// What is read was another's, who may have been in the middle of a call: of no command is it certain that it was not sent.
    is_inherited: bool,
    told_at: Option<Instant>,
}

/// What is known of who had the account before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::connectors) struct Before {
    /// He may be in the middle of a call.
    pub(in crate::connectors) may_be_in_a_call: bool,
    /// He has told that the platform is held, and not that it is over.
    pub(in crate::connectors) was_held: bool,
}

impl Sink {
    pub(in crate::connectors) fn new(
        account: Account,
        setter: Option<Arc<dyn Setter>>,
        observer: Arc<dyn Observer>,
        (calls_max, call_timeout): (usize, Duration),
        before: Before,
    ) -> Sink {
        Sink {
            account,
            setter,
            observer,
            backlog: Backlog::default(),
            hold: if before.was_held { Hold::inherited() } else { Hold::default() },
            calls: 0,
            calls_max,
            forbidden: Vec::new(),
            resting: Vec::new(),
            rests_for: call_timeout,
            is_inherited: before.may_be_in_a_call,
            told_at: None,
        }
    }

    /// All that was there at the beginning was read: what comes now is for this process alone.
    pub(in crate::connectors) const fn is_caught_up(&mut self) {
        self.is_inherited = false;
    }

    /// How far the commands were dealt with.
    pub(in crate::connectors) fn progress(&self) -> impl Iterator<Item = (u32, Offset)> {
        self.backlog.progress()
    }

    /// Whether somebody waits for a call.
    pub(in crate::connectors) fn has_work(&self) -> bool {
        self.backlog.has_next()
    }

    /// Whether there is nothing to do.
    pub(in crate::connectors) fn is_done(&self) -> bool {
        self.backlog.is_empty()
    }

    /// Whether nothing of a call can come any more.
    pub(in crate::connectors) const fn is_at_rest(&self) -> bool {
        self.calls == 0 && self.resting.is_empty()
    }

    /// Whether the platform is held.
    pub(in crate::connectors) const fn is_held(&self) -> bool {
        self.hold.cause().is_some()
    }

    /// How many calls are on their way.
    pub(in crate::connectors) const fn calls(&self) -> usize {
        self.calls
    }

    /// A partition of the commands begins there.
    pub(in crate::connectors) fn begins(&mut self, partition: u32, at: Offset) {
        self.backlog.read(partition, at);
    }

    /// Takes a command. One of another account only moves on.
    pub(in crate::connectors) fn take(
        &mut self,
        codec: &Codec,
        record: &Record<'_>,
        outbox: &mut Outbox,
        topic: &str,
    ) -> Result<(), codec::Error> {
        let (partition, offset) = (record.partition.0, record.offset);
        self.backlog.read(partition, Offset(offset.0 + 1));
        let value = record.value.unwrap_or_default();
        let command = match codec.read::<Command<'_>>(value) {
            Ok(command) => command,
            Err(why) if why.remedy() == Remedy::Reject => {
                let at = record.appended_at.unwrap_or_default();
                let (partition, offset) = (partition.cast_signed(), offset.0.cast_signed());
                let origin = codec::Origin { topic, partition, offset, at };
                let key = record.key.filter(|key| key.len() <= KEY_BYTES_MAX);
                let key = key.and_then(|key| std::str::from_utf8(key).ok()).unwrap_or_default();
                tracing::warn!("a command cannot be read, and is set aside: {why}");
                return outbox.put_dead_letter(&origin, key, (why.cause(), &why.to_string()), value);
            }
            Err(why) => return Err(why),
        };
        let name = match command.to {
            Addressee::Salesforce(to) => to.account,
            Addressee::Cxone(to) => to.account,
        };
        if (command.to.platform(), name) != (self.account.platform, self.account.name) {
            return Ok(());
        }
        match command.order {
            Order::Void => self.backlog.void(command.agent, partition, offset),
            Order::Set(set) => {
                let job = Job {
                    agent: command.agent,
                    to: command.to,
                    sequence: set.sequence,
                    issued: set.issued,
                    status: set.status,
                    partition,
                    offset,
                    may_have_been_sent: self.is_inherited,
                };
                if let Some(before) = self.backlog.add(job, Instant::now()) {
                    self.superseded(&before, outbox)?;
                }
            }
        }
        Ok(())
    }

    /// The next call, where one may be made.
    ///
    /// # Errors
    /// What it has to tell cannot be written.
    pub(in crate::connectors) fn next(
        &mut self,
        at: Instant,
        outbox: &mut Outbox,
    ) -> Result<Next<impl Future<Output = Called> + use<>>, codec::Error> {
        let calls_max = if self.hold.is_trying() { 1 } else { self.calls_max };
        let Some(setter) = self.setter.clone() else { return Ok(Next::Nothing) };
        if !self.has_work() || self.calls >= calls_max {
            return Ok(Next::Nothing);
        }
        let wait = self.hold.wait(at);
        if !wait.is_zero() {
            return Ok(Next::Wait(wait));
        }
        if let Err(wait) = setter.turn() {
            let held = if setter.is_left_alone() {
                self.hold.failed(at, HeldCause::BreakerOpen)
            } else {
                self.hold.is_to_wait(wait)
            };
            self.tell_held(held, "the platform wants no calls for a while", outbox)?;
            return Ok(Next::Wait(wait));
        }
        let Some(job) = self.backlog.take() else { return Ok(Next::Nothing) };
        self.calls += 1;
        Ok(Next::Call(async move {
            let began = Instant::now();
            let fate = setter.set(job).await;
            Called { job, began, fate }
        }))
    }

    /// The platform was away and answers again.
    pub(in crate::connectors) const fn may_work_again(&mut self) {
        self.hold.may_work_again();
    }

    /// A call came back.
    pub(in crate::connectors) fn done(
        &mut self,
        called: Called,
        outbox: &mut Outbox,
    ) -> Result<(), codec::Error> {
        let Called { job, began, fate } = called;
        self.calls -= 1;
        let at = Instant::now();
        match fate {
            Fate::Over(verdict, detail) => {
                match verdict {
                    Verdict::Unknown => {
                        // A platform that answers too late may still do it. What is newer comes after that.
                        self.resting.push((job, at + self.rests_for));
                        let held = self.hold.failed(at, HeldCause::Unavailable);
                        self.tell_held(held, detail.as_deref().unwrap_or_default(), outbox)?;
                    }
                    Verdict::Accepted => {
                        self.works(began, outbox)?;
                        // A permission that is there for others is missing for those alone.
                        let is_before = |one: &(Job, Instant, String)| one.1 <= began;
                        let alone = self.forbidden.extract_if(.., |one| is_before(one)).collect();
                        self.refuse(alone, outbox)?;
                        self.backlog.done(&job);
                    }
                    _ => {
                        self.works(began, outbox)?;
                        self.backlog.done(&job);
                    }
                }
                self.over(&job, verdict, detail, outbox)
            }
            Fate::Forbidden(detail) => {
                self.forbidden.push((job, at, detail));
                self.look_at_the_forbidden(at, outbox)
            }
            Fate::Later(cause, detail, done) => {
                if done == Done::Perhaps && self.backlog.is_replaced(&job) {
                    self.resting.push((job, at + self.rests_for));
                    self.over(&job, Verdict::Unknown, Some(detail.clone()), outbox)?;
                } else {
                    self.put_back(&job, done == Done::Perhaps, outbox)?;
                }
                let held = self.hold.failed(at, cause);
                self.tell_held(held, &detail, outbox)
            }
            Fate::NotSent => self.put_back(&job, false, outbox),
        }
    }

    /// What time alone brings.
    pub(in crate::connectors) fn go_on(
        &mut self,
        at: Instant,
        outbox: &mut Outbox,
    ) -> Result<(), codec::Error> {
        for (job, _) in self.resting.extract_if(.., |(_, until)| *until <= at) {
            self.backlog.done(&job);
        }
        self.backlog.go_on(at);
        self.look_at_the_forbidden(at, outbox)?;
        if self.backlog.is_empty() && self.hold.cause().is_some() {
            // Nobody is left who could find out.
            self.works(at, outbox)?;
        }
        if self.told_at.is_none_or(|told| at.saturating_duration_since(told) >= TOLD_EVERY) {
            let (waiting, under_way) = self.backlog.len();
            self.observer.note(Noted::Backlog { waiting, under_way });
            self.told_at = Some(at);
        }
        Ok(())
    }

    /// Whether one or all are refused: a missing permission of ours concerns all, a barred agent only himself.
    fn look_at_the_forbidden(&mut self, at: Instant, outbox: &mut Outbox) -> Result<(), codec::Error> {
        let is_certain = self.hold.cause() == Some(HeldCause::Forbidden);
        if is_certain || self.forbidden.len() >= FORBIDDEN_MAX {
            let detail = self.forbidden.last().map(|(.., detail)| detail.clone());
            for (job, ..) in std::mem::take(&mut self.forbidden) {
                self.put_back(&job, false, outbox)?;
            }
            if let Some(detail) = detail {
                let held = self.hold.failed(at, HeldCause::Forbidden);
                return self.tell_held(held, &detail, outbox);
            }
            return Ok(());
        }
        let is_late = |(_, since, _): &(Job, Instant, String)| at.duration_since(*since) >= FORBIDDEN_FOR;
        let late: Vec<_> = self.forbidden.extract_if(.., |one| is_late(one)).collect();
        self.refuse(late, outbox)
    }

    fn refuse(
        &mut self,
        forbidden: Vec<(Job, Instant, String)>,
        outbox: &mut Outbox,
    ) -> Result<(), codec::Error> {
        for (job, _, detail) in forbidden {
            self.backlog.done(&job);
            self.over(&job, Verdict::Permanent, Some(detail), outbox)?;
        }
        Ok(())
    }

    /// The platform has answered a call that began then.
    fn works(&mut self, began: Instant, outbox: &mut Outbox) -> Result<(), codec::Error> {
        if self.hold.worked(began) {
            let kept = self.backlog.len().0 as u32;
            tracing::info!(kept, "platform resumed");
            self.observer.note(Noted::Held(None));
            outbox.put_for_all(What::PlatformResumed(PlatformResumed { kept }), now())?;
        }
        Ok(())
    }

    fn tell_held(
        &self,
        held: Option<HeldCause>,
        detail: &str,
        outbox: &mut Outbox,
    ) -> Result<(), codec::Error> {
        let Some(cause) = held else { return Ok(()) };
        let kept = self.backlog.len().0;
        tracing::warn!(?cause, kept, "platform held: {detail}; commands are kept and sent when it is over");
        self.observer.note(Noted::Held(Some(cause)));
        outbox.put_for_all(What::PlatformHeld(PlatformHeld { cause, detail: detail.into() }), now())
    }

    fn put_back(&mut self, job: &Job, may_be_sent: bool, outbox: &mut Outbox) -> Result<(), codec::Error> {
        match self.backlog.put_back(job, may_be_sent) {
            PutBack::Replaced => self.superseded(job, outbox),
            PutBack::Waits | PutBack::Void => Ok(()),
        }
    }

    /// A newer one has taken its place. One that may have been sent may be seen, and is no choice of the agent then.
    fn superseded(&self, job: &Job, outbox: &mut Outbox) -> Result<(), codec::Error> {
        let verdict = if job.may_have_been_sent { Verdict::Unknown } else { Verdict::Superseded };
        self.over(job, verdict, None, outbox)
    }

    fn over(
        &self,
        job: &Job,
        verdict: Verdict,
        detail: Option<String>,
        outbox: &mut Outbox,
    ) -> Result<(), codec::Error> {
        self.observer.note(Noted::Outcome(verdict));
        let outcome = Outcome {
            platform: self.account.platform,
            sequence: job.sequence,
            issued: job.issued,
            verdict,
            detail: detail.map(Into::into),
        };
        outbox.put_event(job.agent, What::Outcome(outcome), now())
    }
}
