//! A deployment moves from one bus to another, whole: what was written, where it stands in the log and when, and how far
//! it has been dealt with. The state hash of each partition proves it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::bus::{
    self, Bus, Committed, From, Header, Kept, Loader, Member, Membership, Offset, Polled, Progress, Reader,
    Record, Records, Topic, TopicName, TopicPartition, TopicsPlan, Until, Writer, latest,
};
use crate::codec::{self, Codec};
use crate::connectors;
use crate::domain::{Platform, Remedy};
use crate::processor::{self, States};

/// How long it is waited for records before it is looked whether the end has come.
const WAIT: Duration = Duration::from_millis(100);
/// A transaction that a process left open when it died hides what comes after it, until the brokers abort it: after 15 s,
/// which they look for every 10 s.
const SETTLED_WITHIN: Duration = Duration::from_secs(30);
/// How long the source may be away while it is read.
const AWAY_MAX: Duration = Duration::from_secs(60);
/// Who has a name of its own is a member of its group until its session is over, though it has gone.
const IDLE_WITHIN: Duration = Duration::from_secs(60);
/// How long a group may need to give its only member all of its partitions.
const GAINED_WITHIN: Duration = Duration::from_secs(60);

/// A deployment.
#[derive(Debug)]
pub struct Site<'s, B: Bus> {
    /// Its bus.
    pub bus: &'s B,
    /// How its records are written.
    pub codec: &'s Codec,
    /// Its topics.
    pub plan: &'s TopicsPlan,
}

/// What is done.
#[derive(Clone, Copy, Debug)]
pub enum Step<'s> {
    /// The processor's group still has members: who has gone is one until its session is over.
    WaitingForMembers(&'s str),
    /// So many offsets of a partition are done, and of how many.
    Copying(&'s TopicPartition, u64, u64),
}

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Each topic, with how many records it has.
    pub topics: Vec<(TopicName, u64)>,
    /// The states of each partition.
    pub states: Vec<States>,
    /// So many events, decisions and commands were written with schemas that are not ours, or cannot be read at all. They are
    /// as they were.
    pub foreign: u64,
}

/// Why it was not.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A bus does not give or take it.
    #[error(transparent)]
    Bus(#[from] bus::Error),
    /// The states are not those that were committed, or cannot be read.
    #[error(transparent)]
    Processor(#[from] processor::Error),
    /// The schema of a record could not be asked for.
    #[error("{partition}, offset {offset}: {why}")]
    Record {
        /// Where it is.
        partition: TopicPartition,
        /// Its offset.
        offset: Offset,
        /// Why.
        why: codec::Error,
    },
    /// There is nothing to copy.
    #[error("there is no topic {0} to be copied: is `prefix` of [bus] the one that it was made with?")]
    NoTopic(TopicName),
    /// The configuration has another number of partitions.
    #[error("{topic} has {found} partitions, and `partitions` of [bus] is {configured}: write {found}")]
    Partitions {
        /// The topic.
        topic: TopicName,
        /// How many it has.
        found: u32,
        /// How many are configured.
        configured: u32,
    },
    /// It is what a copy left that was cut off.
    #[error(
        "{0} has `message.timestamp.type` {1}, as the topics of a copy have that was not finished: it is no whole deployment, and is not copied"
    )]
    Unfinished(TopicName, String),
    /// What is old would be gone.
    #[error(
        "{topic} keeps its records for {found}, and the target would keep them for {wanted}: set `retention_days` in its [privacy] to as much, or more"
    )]
    Shorter {
        /// The topic.
        topic: TopicName,
        /// How long it keeps records at the source.
        found: String,
        /// How long it would keep them at the target.
        wanted: Kept,
    },
    /// A record of those that everything depends on is not ours.
    #[error(
        "{partition}, offset {offset}: this record is none that this Lockstep can read: nothing may be lost of this topic, so it is not copied"
    )]
    Foreign {
        /// Where it is.
        partition: TopicPartition,
        /// Its offset.
        offset: Offset,
    },
    /// Nothing comes any more.
    #[error("{partition} is read to {next} of {end}, and nothing has come for {} s: the bus is away, or hangs", AWAY_MAX.as_secs())]
    Silent {
        /// What is read.
        partition: TopicPartition,
        /// How far.
        next: Offset,
        /// Where it ends.
        end: Offset,
    },
    /// A processor runs there.
    #[error("somebody is in the group {group} ({members}): stop what runs there, and copy again")]
    Members {
        /// The processor's group.
        group: String,
        /// How many.
        members: usize,
    },
    /// Somebody went on while it was copied.
    #[error(
        "{0} went on while it was copied: stop everything that runs there, delete what was copied so far, and copy again"
    )]
    InUse(TopicPartition),
    /// Something is written there and not finished.
    #[error(
        "a transaction is open on {0}: stop everything that runs there; what a process left open that was killed is closed within half a minute"
    )]
    Open(TopicPartition),
    /// What is there is not what was copied.
    #[error(
        "partition {partition}: {} agents with state hash {} were to be copied, and {} with {} are there: delete what was copied, and copy again",
        wanted.agents, wanted.found, found.agents, found.found
    )]
    Differs {
        /// The partition.
        partition: u32,
        /// What was to be copied.
        wanted: States,
        /// What is there.
        found: States,
    },
}

impl Error {
    /// What to do about it.
    pub const fn remedy(&self) -> Remedy {
        match self {
            Error::Bus(error) => error.remedy(),
            Error::Processor(error) => error.remedy(),
            Error::Record { why, .. } => why.remedy(),
            _ => Remedy::Stop,
        }
    }
}

/// How far all is written and dealt with.
struct Standing {
    bounds: BTreeMap<TopicPartition, Range<Offset>>,
    groups: Vec<Group>,
}

/// Who has read something, and how far. It moves along.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    /// The account of a source and a sink; none for the processor.
    account: Option<String>,
    read: Vec<(Topic, u32, Option<Committed>)>,
}

impl Group {
    fn name(&self, plan: &TopicsPlan) -> String {
        match &self.account {
            None => processor::group(plan),
            Some(account) => connectors::identity(plan, account),
        }
    }

    /// What its members join for.
    const fn joins(&self) -> Topic {
        match self.account {
            None => Topic::Events,
            Some(_) => Topic::Positions,
        }
    }
}

impl Standing {
    /// What has gone on since then. That old records go changes nothing.
    fn went_on(&self, before: &Standing, plan: &TopicsPlan) -> Option<TopicPartition> {
        let end = |standing: &Standing, place: &TopicPartition| standing.bounds.get(place).map(|all| all.end);
        let grown = before.bounds.keys().find(|place| end(self, place) != end(before, place));
        let all = |standing: &Standing| -> Vec<_> {
            standing.groups.iter().flat_map(|group| group.read.iter().cloned()).collect()
        };
        let (now, then) = (all(self), all(before));
        let read =
            now.iter().zip(&then).find(|(now, then)| now != then).map(|(now, _)| now).or(now.get(then.len()));
        grown.cloned().or_else(|| read.map(|(topic, number, _)| plan.name(*topic).partition(*number)))
    }
}

/// Copies a deployment to where there is none of it yet, and tells what is done.
///
/// # Errors
/// Something runs at the source, or its states are damaged; there is something at the target; one of both does not answer.
/// What was copied by then is of no use.
pub fn copy<S: Bus, T: Bus>(
    from: &Site<'_, S>,
    to: &Site<'_, T>,
    tell: &mut dyn FnMut(Step<'_>),
) -> Result<Copied, Error> {
    patiently(|| expect_topics(from, to.plan))?;
    if from.plan.partitions != to.plan.partitions {
        let (found, configured) = (from.plan.partitions, to.plan.partitions);
        return Err(Error::Partitions { topic: from.plan.name(Topic::Events), found, configured });
    }
    is_idle(from, tell)?;
    let before = standing(from)?;
    let wanted = states(from)?;
    wanted.iter().try_for_each(|states| states.check(from.plan))?;
    let mut loader = to.bus.load(&to.plan.specs())?;
    let mut copied = Copied { topics: Vec::new(), states: Vec::new(), foreign: 0 };
    for topic in Topic::ALL {
        let (mut records, name) = (0, from.plan.name(topic));
        for (place, bounds) in before.bounds.iter().filter(|(place, _)| place.topic == name) {
            let target = to.plan.name(topic).partition(place.partition.0);
            loader.begin(&target, bounds.clone())?;
            let reading = Reading { from, to: to.codec, topic, place, bounds };
            let (here, foreign) = reading.copy(&mut loader, tell)?;
            loader.end()?;
            records += here;
            copied.foreign += foreign;
        }
        copied.topics.push((to.plan.name(topic), records));
    }
    is_idle(from, tell)?;
    if let Some(place) = standing(from)?.went_on(&before, from.plan) {
        return Err(Error::InUse(place));
    }
    before.groups.iter().try_for_each(|group| patiently(|| commit(to, group)))?;
    let found = states(to)?;
    for (wanted, found) in wanted.into_iter().zip(&found) {
        if wanted != *found {
            return Err(Error::Differs { partition: wanted.partition, wanted, found: *found });
        }
    }
    loader.finish()?;
    Ok(Copied { states: found, ..copied })
}

/// Asks again while nobody answers, for as long as that may be.
fn patiently<T>(mut ask: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let begun = Instant::now();
    loop {
        match ask() {
            Err(error) if error.remedy() == Remedy::Retry && begun.elapsed() < AWAY_MAX => {
                std::thread::sleep(WAIT);
            }
            answered => return answered,
        }
    }
}

fn states<B: Bus>(site: &Site<'_, B>) -> Result<Vec<States>, Error> {
    patiently(|| Ok(processor::states(site.bus, site.codec, site.plan)?))
}

/// The topics are there, whole, and such that nothing is lost by the move.
fn expect_topics<B: Bus>(site: &Site<'_, B>, target: &TopicsPlan) -> Result<(), Error> {
    let specs = site.plan.specs();
    let names: Vec<_> = specs.iter().map(|spec| spec.name.clone()).collect();
    for ((spec, found), target) in specs.into_iter().zip(site.bus.describe(&names)?).zip(target.specs()) {
        let Some(found) = found else { return Err(Error::NoTopic(spec.name)) };
        if found.partitions != spec.partitions {
            let (found, configured) = (found.partitions, spec.partitions);
            return Err(Error::Partitions { topic: spec.name, found, configured });
        }
        if let Some(times) = found.writers_times() {
            return Err(Error::Unfinished(spec.name, times.to_owned()));
        }
        let wanted = target.kept;
        match (wanted, found.kept_days()) {
            (Kept::Days(days), Some(kept)) if kept <= f64::from(days) => {}
            (Kept::Days(_), kept) => {
                let found = kept.map_or_else(|| "ever".to_owned(), |days| format!("{days} days"));
                return Err(Error::Shorter { topic: spec.name, found, wanted });
            }
            (Kept::Compacted, _) => {}
        }
    }
    Ok(())
}

fn places<B: Bus>(site: &Site<'_, B>) -> Vec<TopicPartition> {
    let mut all = Vec::new();
    for spec in site.plan.specs() {
        all.extend((0..spec.partitions).map(|number| spec.name.partition(number)));
    }
    all
}

/// Waits until no processor, source or sink is there, and nothing is open any more.
fn is_idle<B: Bus>(site: &Site<'_, B>, tell: &mut dyn FnMut(Step<'_>)) -> Result<(), Error> {
    let begun = Instant::now();
    for group in patiently(|| groups(site))? {
        let (group, mut is_told) = (group.name(site.plan), false);
        loop {
            let members = patiently(|| Ok(site.bus.members(&group)?))?;
            if members == 0 {
                break;
            }
            if begun.elapsed() >= IDLE_WITHIN {
                return Err(Error::Members { group, members });
            }
            if !std::mem::replace(&mut is_told, true) {
                tell(Step::WaitingForMembers(&group));
            }
            std::thread::sleep(WAIT);
        }
    }
    let (places, begun) = (places(site), Instant::now());
    while let Some(place) = patiently(|| open(site, &places))? {
        if begun.elapsed() >= SETTLED_WITHIN {
            return Err(Error::Open(place));
        }
        std::thread::sleep(WAIT);
    }
    Ok(())
}

/// Where something is open.
fn open<B: Bus>(site: &Site<'_, B>, places: &[TopicPartition]) -> Result<Option<TopicPartition>, Error> {
    for (place, end) in places.iter().zip(site.bus.log_ends(places)?) {
        if site.bus.bounds(place)?.end < end {
            return Ok(Some(place.clone()));
        }
    }
    Ok(None)
}

fn standing<B: Bus>(site: &Site<'_, B>) -> Result<Standing, Error> {
    let mut bounds = BTreeMap::new();
    for place in places(site) {
        let here = patiently(|| Ok(site.bus.bounds(&place)?))?;
        bounds.insert(place, here);
    }
    let mut groups = patiently(|| groups(site))?;
    for group in &mut groups {
        let name = group.name(site.plan);
        let places: Vec<_> =
            group.read.iter().map(|(topic, number, _)| site.plan.name(*topic).partition(*number)).collect();
        let committed = patiently(|| Ok(site.bus.committed(&name, &places)?))?;
        group.read.iter_mut().zip(committed).for_each(|((.., known), committed)| *known = committed);
    }
    Ok(Standing { bounds, groups })
}

/// The processor, and the source and sink of each account that was ever read.
fn groups<B: Bus>(site: &Site<'_, B>) -> Result<Vec<Group>, Error> {
    let all = |topic: Topic| (0..site.plan.partitions).map(move |number| (topic, number, None));
    let mut groups = vec![Group { account: None, read: all(Topic::Events).collect() }];
    for account in latest(site.bus, &site.plan.name(Topic::Positions), |_| true)?.into_keys() {
        let commands = match account.starts_with(Platform::Cxone.name()) {
            true => Topic::CommandsCxone,
            false => Topic::CommandsSalesforce,
        };
        let read = std::iter::once((Topic::Positions, 0, None)).chain(all(commands)).collect();
        groups.push(Group { account: Some(account), read });
    }
    Ok(groups)
}

/// A partition that is read, to be copied.
struct Reading<'r, S: Bus> {
    from: &'r Site<'r, S>,
    to: &'r Codec,
    topic: Topic,
    place: &'r TopicPartition,
    bounds: &'r Range<Offset>,
}

impl<S: Bus> Reading<'_, S> {
    /// Tells how many records there were, and how many of them were foreign.
    fn copy(&self, loader: &mut impl Loader, tell: &mut dyn FnMut(Step<'_>)) -> Result<(u64, u64), Error> {
        let Reading { place, bounds, .. } = *self;
        let (mut count, mut foreign) = (0, 0);
        if bounds.is_empty() {
            return Ok((count, foreign));
        }
        let all = bounds.end.0 - bounds.start.0;
        let starts = [(place.clone(), From::Beginning)];
        let mut reader = patiently(|| Ok(self.from.bus.reader(&starts, Until::End)?))?;
        let (mut heard, mut next) = (Instant::now(), bounds.start);
        loop {
            let is_late = heard.elapsed() >= AWAY_MAX;
            let records = match reader.read(WAIT) {
                Err(error) if error.remedy() == Remedy::Retry && !is_late => continue,
                read => read?,
            };
            for (row, record) in records.iter().enumerate().filter(|(_, record)| record.offset < bounds.end) {
                foreign += u64::from(!self.add(loader, &record, &records.headers(row))?);
                count += 1;
                if count % 10_000 == 0 {
                    tell(Step::Copying(place, record.offset.0 - bounds.start.0, all));
                }
            }
            if let Some(last) = records.iter().last() {
                (heard, next) = (Instant::now(), Offset(last.offset.0 + 1));
            }
            if next > bounds.end || records.is_empty() && reader.is_at_end() {
                tell(Step::Copying(place, all, all));
                return Ok((count, foreign));
            }
            if records.is_empty() && is_late {
                return Err(Error::Silent { partition: place.clone(), next, end: bounds.end });
            }
        }
    }

    /// Tells whether it is ours.
    fn add(
        &self,
        loader: &mut impl Loader,
        record: &Record<'_>,
        headers: &[Header<'_>],
    ) -> Result<bool, Error> {
        let (partition, offset) = (self.place.clone(), record.offset);
        let reframed = record.value.map(|value| reframed(self.from.codec, self.to, value)).transpose();
        let reframed = reframed.map_err(|why| Error::Record { partition: partition.clone(), offset, why })?;
        let (value, is_ours) = reframed.map_or((None, true), |(value, is_ours)| (Some(value), is_ours));
        if !is_ours && matches!(self.topic, Topic::State | Topic::Rules | Topic::Directory) {
            return Err(Error::Foreign { partition, offset });
        }
        loader.add(&Record { value: value.as_deref(), ..*record }, headers)?;
        Ok(is_ours)
    }
}

fn reframed<'b>(from: &Codec, to: &Codec, value: &'b [u8]) -> Result<(Cow<'b, [u8]>, bool), codec::Error> {
    match from.reframed(value, to) {
        Err(codec::Error::NotLoaded(id)) => {
            from.load_blocking(id)?;
            from.reframed(value, to)
        }
        reframed => reframed,
    }
}

/// Notes how far a group has come.
fn commit<B: Bus>(to: &Site<'_, B>, group: &Group) -> Result<(), Error> {
    let (name, joined) = (group.name(to.plan), to.plan.name(group.joins()));
    let progress: Vec<Progress> = group
        .read
        .iter()
        .filter_map(|(topic, number, committed)| {
            let Committed { next, metadata } = committed.clone()?;
            Some(Progress { partition: to.plan.name(*topic).partition(*number), next, metadata })
        })
        .collect();
    if progress.is_empty() {
        return Ok(());
    }
    let wanted = group.read.iter().filter(|(topic, ..)| *topic == group.joins()).count();
    let membership = Membership { group: name.clone(), name: None, topics: vec![joined.clone()] };
    let mut member = to.bus.join(&membership)?;
    let (begun, mut gained) = (Instant::now(), 0);
    while gained < wanted {
        if let Polled::Gained(places) = member.poll(WAIT)? {
            let known =
                |place: &TopicPartition| progress.iter().find(|progress| progress.partition == *place);
            let next = |place| known(place).map_or(Offset(0), |progress| progress.next);
            let starts: Vec<_> = places.iter().map(|place| (place.clone(), next(place))).collect();
            member.start(&starts)?;
            gained += starts.len();
        }
        if begun.elapsed() > GAINED_WITHIN {
            let operation = format!("noting how far the group {name} has come");
            let why = "it has other members: stop what runs there".to_owned();
            return Err(bus::Error::Odd { operation, why }.into());
        }
    }
    let mut writer = to.bus.writer(&format!("{}.copy", to.plan.prefix), &[joined])?;
    Ok(writer.commit(Some((&member, &progress)))?)
}
