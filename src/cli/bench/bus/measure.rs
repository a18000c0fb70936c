//! What is measured.

use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset as RdOffset, TopicPartitionList};

use lockstep::bus::{
    Bus, From, Member, Membership, Offset, Outgoing, Partition, Polled, Progress, Reader, Records, TopicName,
    TopicPartition, Until, Writer, partition_for,
};

use super::scratch::Scratch;
use super::{Commits, Run, Times};
use crate::cli::bench::cpu_s;

/// Sizes as in the raw loop (`benches/raw_loop.rs`), so that the two can be compared.
pub(super) const KEY_BYTES: usize = 15;
pub(super) const EVENT_BYTES: usize = 120;
const STATE_BYTES: usize = 100;
const DECISION_BYTES: usize = 150;
const COMMAND_BYTES: usize = 100;
const AGENTS: u32 = 100_000;

const WAIT: Duration = Duration::from_millis(100);
/// Between two transactions, where the brokers are to have done with the last one.
const REST: Duration = Duration::from_millis(50);
/// Longer than this without a record, and something is wrong.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Wall and CPU time of a stretch.
struct Stretch {
    began: Instant,
    cpu_s: f64,
}

impl Stretch {
    fn begin() -> Stretch {
        Stretch { began: Instant::now(), cpu_s: cpu_s("self") }
    }

    fn end(&self, records: u32) -> Run {
        Run {
            per_s: f64::from(records) / self.began.elapsed().as_secs_f64(),
            cpu_s_per_million: (cpu_s("self") - self.cpu_s) * 1e6 / f64::from(records),
        }
    }
}

fn key(agent: u32) -> [u8; KEY_BYTES] {
    let mut key = *b"agent-000000000";
    let mut rest = agent;
    for digit in key.iter_mut().rev().take(9) {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

fn outgoing<'b>(topic: usize, partition: u32, key: &'b [u8], value: &'b [u8]) -> Outgoing<'b> {
    Outgoing { topic, partition: Partition(partition), key, value: Some(value), headers: &[] }
}

fn starts(scratch: &Scratch, topic: &TopicName) -> Vec<(TopicPartition, From)> {
    (0..scratch.partitions).map(|partition| (topic.partition(partition), From::Beginning)).collect()
}

pub(super) fn produce(scratch: &Scratch, log: &TopicName, records: u32) -> anyhow::Result<Run> {
    let mut writer = scratch.bus.writer(&scratch.name("writer"), std::slice::from_ref(log))?;
    let stretch = Stretch::begin();
    let mut committed = Instant::now();
    for number in 0..records {
        // A step that shares no factor with their number visits all agents.
        let key = key((number.wrapping_mul(61_001)) % AGENTS);
        let mut value = [0x5a; EVENT_BYTES];
        value.iter_mut().zip(number.to_le_bytes()).for_each(|(byte, of)| *byte = of);
        let partition = partition_for(&key, scratch.partitions).0;
        writer.add(&outgoing(0, partition, &key, &value))?;
        if number % 1024 == 0 && committed.elapsed() >= WAIT {
            writer.commit(None)?;
            committed = Instant::now();
        }
    }
    writer.commit(None)?;
    Ok(stretch.end(records))
}

pub(super) fn read_in_batches(scratch: &Scratch, log: &TopicName, records: u32) -> anyhow::Result<Run> {
    let mut reader = scratch.bus.reader(&starts(scratch, log), Until::End)?;
    let (mut count, mut bytes, mut stretch) = (0u32, 0, None);
    while !reader.is_at_end() {
        let batch = reader.read(WAIT)?;
        if stretch.is_none() && !batch.is_empty() {
            stretch = Some(Stretch::begin());
        }
        for record in batch.iter() {
            bytes += record.value.map_or(0, |value| value.len());
            count += 1;
        }
    }
    anyhow::ensure!(count == records, "{count} records were read of {records}");
    anyhow::ensure!(bytes == EVENT_BYTES * records as usize, "{bytes} bytes were read");
    Ok(stretch.context("nothing was read")?.end(records))
}

/// None where there is no cluster that another client could read.
pub(super) fn read_one_by_one(
    scratch: &Scratch,
    log: &TopicName,
    records: u32,
) -> anyhow::Result<Option<Run>> {
    let Some(mut properties) = scratch.properties() else { return Ok(None) };
    properties.set("group.id", scratch.name("poll")).set("isolation.level", "read_committed");
    properties.set("enable.auto.commit", "false").set("fetch.queue.backoff.ms", "5");
    let consumer: BaseConsumer = properties.create()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..scratch.partitions {
        list.add_partition_offset(log.as_str(), partition.cast_signed(), RdOffset::Beginning)?;
    }
    consumer.assign(&list)?;
    let (mut count, mut stretch) = (0u32, None);
    let mut heard = Instant::now();
    while count < records {
        if let Some(message) = consumer.poll(WAIT) {
            stretch.get_or_insert_with(Stretch::begin);
            count += u32::from(message?.payload().is_some());
            heard = Instant::now();
        }
        anyhow::ensure!(heard.elapsed() < SILENCE_MAX, "{count} records were read of {records}");
    }
    Ok(Some(stretch.context("nothing was read")?.end(records)))
}

/// A member that owns all partitions of a topic, and reads them from the beginning.
fn member<B: Bus>(bus: &B, scratch: &Scratch, log: &TopicName) -> anyhow::Result<B::Member> {
    let name = format!("{}-member", log.as_str());
    let topics = vec![log.clone()];
    let mut member = bus.join(&Membership { group: name.clone(), name: Some(name), topics })?;
    let mut owned = 0;
    let began = Instant::now();
    while owned < scratch.partitions as usize {
        anyhow::ensure!(began.elapsed() < SILENCE_MAX, "the group gave no partitions");
        if let Polled::Gained(gained) = member.poll(WAIT)? {
            owned += gained.len();
            let at: Vec<_> = gained.into_iter().map(|partition| (partition, Offset(0))).collect();
            member.start(&at)?;
        }
    }
    Ok(member)
}

/// What has been read and is to be committed, by partition.
struct Read {
    log: TopicName,
    next: Vec<Option<u64>>,
}

impl Read {
    fn progress(&mut self) -> Vec<Progress> {
        let taken = self.next.iter_mut().enumerate().filter_map(|(partition, next)| {
            let partition = self.log.partition(u32::try_from(partition).ok()?);
            Some(Progress { partition, next: Offset(next.take()?), metadata: "0123456789abcdef".to_owned() })
        });
        taken.collect()
    }
}

pub(super) fn exactly_once(
    scratch: &Scratch,
    log: &TopicName,
    records: u32,
    commit_ms: u32,
) -> anyhow::Result<Run> {
    let outputs = [scratch.topic("decisions")?, scratch.topic("state")?, scratch.topic("commands")?];
    let mut writer = scratch.bus.writer(&scratch.name("loop"), &outputs)?;
    let mut member = member(&scratch.bus, scratch, log)?;
    let mut read = Read { log: log.clone(), next: vec![None; scratch.partitions as usize] };
    let (mut count, mut stretch, mut committed) = (0u32, None, Instant::now());
    let interval = Duration::from_millis(commit_ms.into());
    let mut heard = Instant::now();
    while count < records {
        let due = interval.saturating_sub(committed.elapsed());
        if let Polled::Records(batch) = member.poll(due)? {
            if !batch.is_empty() {
                heard = Instant::now();
                stretch.get_or_insert_with(|| {
                    committed = heard;
                    Stretch::begin()
                });
            }
            for record in batch.iter() {
                let (partition, key) = (record.partition.0, record.key.unwrap_or_default());
                writer.add(&outgoing(0, partition, key, &[1; DECISION_BYTES]))?;
                writer.add(&outgoing(1, partition, key, &[2; STATE_BYTES]))?;
                if record.offset.0 % 2 == 0 {
                    writer.add(&outgoing(2, partition, key, &[3; COMMAND_BYTES]))?;
                }
                if let Some(next) = read.next.get_mut(partition as usize) {
                    *next = Some(record.offset.0 + 1);
                }
                count += 1;
            }
        }
        writer.push()?;
        if committed.elapsed() >= interval || count >= records {
            writer.commit(Some((&member, &read.progress())))?;
            committed = Instant::now();
        }
        anyhow::ensure!(heard.elapsed() < SILENCE_MAX, "{count} records were read of {records}");
    }
    Ok(stretch.context("nothing was read")?.end(records))
}

/// Transactions of 100 records over so many partitions of three topics.
pub(super) fn commits(scratch: &Scratch, transactions: u32) -> anyhow::Result<Vec<Commits>> {
    let input = scratch.topic("input")?;
    let outputs = [scratch.topic("a")?, scratch.topic("b")?, scratch.topic("c")?];
    let mut series = Series {
        partitions_each: scratch.partitions,
        writer: scratch.bus.writer(&scratch.name("commits"), &outputs)?,
        member: member(&scratch.bus, scratch, &input)?,
        input: input.partition(0),
        next: 0,
    };
    let all = scratch.partitions * 3;
    let fewer = [1, 2, 4, 8, 16, 24].into_iter().filter(|count| *count < all);
    let measured = fewer.chain([all]).map(|partitions| {
        let at_once = series.times(partitions, transactions, Duration::ZERO)?;
        let rested = series.times(partitions, transactions, REST)?;
        Ok(Commits { partitions, at_once, rested })
    });
    measured.collect()
}

struct Series<W: Writer> {
    partitions_each: u32,
    writer: W,
    member: W::Member,
    input: TopicPartition,
    next: u64,
}

impl<W: Writer> Series<W> {
    fn times(&mut self, partitions: u32, transactions: u32, rest: Duration) -> anyhow::Result<Times> {
        const RECORDS: u32 = 100;
        /// The first ones find the partitions' leaders, and are not counted.
        const FIRST: u32 = 5;
        let mut took_ms = Vec::new();
        for transaction in 0..transactions + FIRST {
            std::thread::sleep(rest);
            for record in 0..RECORDS {
                let place = record % partitions;
                let topic = (place / self.partitions_each) as usize;
                let partition = place % self.partitions_each;
                self.writer.add(&outgoing(topic, partition, &key(record), &[7; STATE_BYTES]))?;
            }
            let began = Instant::now();
            self.next += 1;
            let progress =
                Progress { partition: self.input.clone(), next: Offset(self.next), metadata: String::new() };
            self.writer.commit(Some((&self.member, &[progress])))?;
            if transaction >= FIRST {
                took_ms.push(began.elapsed().as_secs_f64() * 1e3);
            }
        }
        took_ms.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let index = (took_ms.len().saturating_sub(1) as f64 * share).round() as usize;
            took_ms.get(index).copied().unwrap_or_default()
        };
        Ok(Times { p50_ms: at(0.5), p99_ms: at(0.99) })
    }
}
