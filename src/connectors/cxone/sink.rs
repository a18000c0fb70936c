//! The sink of a tenant: commands, as they are sent, and what became of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::set::{Fate, Setter};
use super::tenant::Tenant;
use crate::bus::{Offset, Record};
use crate::codec::{
    self, Addressee, Codec, Command, HeldCause, Order, Outcome, PlatformHeld, PlatformResumed, What,
};
use crate::connectors::http::now;
use crate::connectors::observer::{Noted, Observer};
use crate::connectors::outbox::Outbox;
use crate::connectors::sink::{Backlog, Hold, Job};
use crate::domain::{AccountName, Platform, Remedy, Status};
use crate::engine::Verdict;

/// So many agents who are refused one after the other are no matter of these agents.
const FORBIDDEN_MAX: usize = 3;
/// One who is refused alone is that after so long.
const FORBIDDEN_FOR: Duration = Duration::from_secs(10);

/// What became of a call.
pub(super) struct Called {
    job: Job,
    began: Instant,
    fate: Fate,
}

/// What is to be done next.
pub(super) enum Next<F> {
    /// A call.
    Call(F),
    /// A call, after so long.
    Wait(Duration),
    /// Nothing, before something else happens.
    Nothing,
}

/// The sink of a tenant, while this process has its account.
pub(super) struct Sink {
    account: AccountName,
    tenant: Arc<Tenant>,
    setter: Arc<Setter>,
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
}

impl Sink {
    pub(super) fn new(
        account: AccountName,
        (tenant, setter): (Arc<Tenant>, Arc<Setter>),
        observer: Arc<dyn Observer>,
        (calls_max, call_timeout): (usize, Duration),
        is_inherited: bool,
    ) -> Sink {
        Sink {
            account,
            tenant,
            setter,
            observer,
            backlog: Backlog::default(),
            hold: Hold::default(),
            calls: 0,
            calls_max,
            forbidden: Vec::new(),
            resting: Vec::new(),
            rests_for: call_timeout,
            is_inherited,
        }
    }

    /// All that was there at the beginning was read: what comes now is for this process alone.
    pub(super) const fn is_caught_up(&mut self) {
        self.is_inherited = false;
    }

    /// How far the commands were dealt with.
    pub(super) fn progress(&self) -> impl Iterator<Item = (u32, Offset)> {
        self.backlog.progress()
    }

    /// Whether somebody waits for a call.
    pub(super) fn has_work(&self) -> bool {
        self.backlog.len().0 > 0
    }

    /// How many calls are on their way.
    pub(super) const fn calls(&self) -> usize {
        self.calls
    }

    /// A partition of the commands begins there.
    pub(super) fn begins(&mut self, partition: u32, at: Offset) {
        self.backlog.read(partition, at);
    }

    /// Takes a command. One of another account only moves on.
    pub(super) fn take(
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
                let key = record.key.and_then(|key| std::str::from_utf8(key).ok()).unwrap_or_default();
                tracing::warn!("a command cannot be read, and is set aside: {why}");
                return outbox.put_dead_letter(&origin, key, (why.cause(), &why.to_string()), value);
            }
            Err(why) => return Err(why),
        };
        let Addressee::Cxone(to) = command.to else { return Ok(()) };
        if to.account != self.account {
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
                };
                if let Some(before) = self.backlog.add(job) {
                    let sent = self.is_inherited.then_some(Verdict::Unknown);
                    self.over(&before, sent.unwrap_or(Verdict::Superseded), None, outbox)?;
                }
            }
        }
        Ok(())
    }

    /// The next call, where one may be made.
    ///
    /// # Errors
    /// What it has to tell cannot be written.
    pub(super) fn next(
        &mut self,
        at: Instant,
        outbox: &mut Outbox,
    ) -> Result<Next<impl Future<Output = Called> + use<>>, codec::Error> {
        let calls_max = if self.hold.is_trying() { 1 } else { self.calls_max };
        if !self.has_work() || self.calls >= calls_max {
            return Ok(Next::Nothing);
        }
        let wait = self.hold.wait(at);
        if !wait.is_zero() {
            return Ok(Next::Wait(wait));
        }
        if let Err(wait) = self.tenant.platform().turn() {
            let held = if self.tenant.platform().is_left_alone() {
                self.hold.failed(at, HeldCause::BreakerOpen)
            } else {
                self.hold.is_to_wait(wait)
            };
            self.tell_held(held, "the platform wants no calls for a while", outbox)?;
            return Ok(Next::Wait(wait));
        }
        let Some(job) = self.backlog.take() else { return Ok(Next::Nothing) };
        self.calls += 1;
        let setter = Arc::clone(&self.setter);
        Ok(Next::Call(async move {
            let began = Instant::now();
            let fate = match (job.to, job.status) {
                (Addressee::Cxone(to), Status::Cxone(status)) => setter.set(to.agent, status).await,
                // `take` lets no other pass.
                _ => Fate::Over(Verdict::Permanent, None),
            };
            Called { job, began, fate }
        }))
    }

    /// The platform was away and answers again.
    pub(super) const fn may_work_again(&mut self) {
        self.hold.may_work_again();
    }

    /// A call came back.
    pub(super) fn done(&mut self, called: Called, outbox: &mut Outbox) -> Result<(), codec::Error> {
        let Called { job, began, fate } = called;
        self.calls -= 1;
        let at = Instant::now();
        match fate {
            Fate::Over(verdict, detail) => {
                if verdict != Verdict::Unknown {
                    self.works(outbox)?;
                    self.backlog.done(&job);
                } else {
                    // A platform that answers too late may still do it. What is newer comes after that.
                    self.resting.push((job, began + 2 * self.rests_for));
                }
                self.over(&job, verdict, detail, outbox)
            }
            Fate::Forbidden(detail) => {
                self.forbidden.push((job, at, detail));
                self.look_at_the_forbidden(at, outbox)
            }
            Fate::Later(cause, detail) => {
                self.put_back(&job, outbox)?;
                let held = self.hold.failed(at, cause);
                self.tell_held(held, &detail, outbox)
            }
            Fate::NotSent => self.put_back(&job, outbox),
        }
    }

    /// What time alone brings.
    pub(super) fn go_on(&mut self, at: Instant, outbox: &mut Outbox) -> Result<(), codec::Error> {
        for (job, _) in self.resting.extract_if(.., |(_, until)| *until <= at) {
            self.backlog.done(&job);
        }
        self.look_at_the_forbidden(at, outbox)?;
        if self.backlog.is_empty() && self.hold.cause().is_some() {
            // Nobody is left who could find out.
            self.works(outbox)?;
        }
        let (waiting, under_way) = self.backlog.len();
        self.observer.note(Noted::Backlog { waiting, under_way });
        Ok(())
    }

    /// Whether one or all are refused: a missing permission of ours concerns all, a barred agent only himself.
    fn look_at_the_forbidden(&mut self, at: Instant, outbox: &mut Outbox) -> Result<(), codec::Error> {
        let is_certain = self.hold.cause() == Some(HeldCause::Forbidden);
        if is_certain || self.forbidden.len() >= FORBIDDEN_MAX {
            let detail = self.forbidden.last().map(|(.., detail)| detail.clone());
            for (job, ..) in std::mem::take(&mut self.forbidden) {
                self.put_back(&job, outbox)?;
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

    /// The platform does what it is told.
    fn works(&mut self, outbox: &mut Outbox) -> Result<(), codec::Error> {
        if self.hold.worked() {
            let kept = self.backlog.len().0 as u32;
            tracing::info!(kept, "platform resumed");
            self.observer.note(Noted::Held(None));
            outbox.put_for_all(What::PlatformResumed(PlatformResumed { kept }), now())?;
        }
        let alone = std::mem::take(&mut self.forbidden);
        self.refuse(alone, outbox)
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

    fn put_back(&mut self, job: &Job, outbox: &mut Outbox) -> Result<(), codec::Error> {
        if self.backlog.put_back(job) {
            return self.over(job, Verdict::Superseded, None, outbox);
        }
        Ok(())
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
            platform: Platform::Cxone,
            sequence: job.sequence,
            issued: job.issued,
            verdict,
            detail: detail.map(Into::into),
        };
        outbox.put_event(job.agent, What::Outcome(outcome), now())
    }
}
