//! What every bus must do, asked sentence by sentence. An implementation is a [`Rig`]; `conforms!` makes a test of each
//! case for it.

pub(crate) mod groups;
pub(crate) mod killed;
pub(crate) mod loading;
#[path = "../ground/random.rs"]
mod random;
pub(crate) mod reading;
pub(crate) mod writing;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lockstep::bus::{
    Bus, Error, From, Header, Kept, Member, Membership, Offset, Outgoing, Partition, Polled, Progress,
    Reader, Record, Records, Replicas, TopicName, TopicPartition, TopicSpec, Until, Writer,
};
pub(crate) use random::Random;

/// Waiting for something that has to come. Only a test that fails waits for so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
/// What a client waits for at once.
pub(crate) const WAIT: Duration = Duration::from_millis(100);

/// An implementation, and names of a test's own.
pub(crate) trait Rig: Sized + Send + Sync + 'static {
    /// The ignored test that every implementation has: it runs [`killed::copy`].
    const CHILD: &'static str = "child_that_copies";
    /// How many records the children copy.
    const COPIED: usize = 3_000;
    /// How long a child works that is killed at any moment.
    const WORKS_FOR_MS: std::ops::Range<u64> = 300..700;

    type Bus: Bus;

    /// The rig of these names; another process that gives the same shares the topics.
    fn named(names: String) -> Self;

    /// What topics, groups and identities of this test begin with.
    fn names(&self) -> &str;

    /// A handle to the bus. Two handles see the same topics.
    fn bus(&self) -> Self::Bus;

    /// A new compacted topic with one partition, where compaction may happen soon.
    fn quickly_compacted(&self) -> TopicName;

    /// Makes compaction happen there, until at most so many records are left. What it writes to that end has keys that begin
    /// with `filler`.
    fn compact(&self, topic: &TopicName, records_max: usize);

    /// What lies in the log of a partition, be it open or aborted. None where nothing lies there before it is committed.
    fn log_end(&self, place: &TopicPartition) -> Option<Offset>;

    /// Sends off what was added, and waits until it lies in the log, where it can.
    fn push_to_log(&self, writer: &mut <Self::Bus as Bus>::Writer, place: &TopicPartition) {
        let before = self.log_end(place);
        writer.push().unwrap();
        let begun = Instant::now();
        while before.is_some() && self.log_end(place) == before {
            assert!(begun.elapsed() < PATIENCE, "what was pushed does not reach the log");
        }
    }

    /// The rig of a test.
    fn new(test: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let (number, process) = (NEXT.fetch_add(1, Ordering::Relaxed), std::process::id());
        Self::named(format!("{test}-{process}-{number}-{}", now.as_millis()))
    }

    /// A name of this test's own.
    fn name(&self, what: &str) -> String {
        format!("{}.{what}", self.names())
    }

    /// The name of a topic of this test's own.
    fn topic_name(&self, what: &str) -> TopicName {
        TopicName::new(&self.name(what))
    }

    /// A new topic.
    fn topic(&self, what: &str, partitions: u32) -> TopicName {
        let name = self.topic_name(what);
        let replicas = Replicas { replication_factor: 1, in_sync_min: 1 };
        let spec = TopicSpec { name: name.clone(), partitions, kept: Kept::Days(7), replicas };
        self.bus().create(&[spec]).unwrap();
        name
    }
}

/// A record that outlives what it was read with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) partition: u32,
    pub(crate) offset: u64,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Option<Vec<u8>>,
}

impl Owned {
    pub(crate) fn of(record: &Record<'_>) -> Owned {
        Owned {
            partition: record.partition.0,
            offset: record.offset.0,
            key: record.key.unwrap_or_default().to_vec(),
            value: record.value.map(<[u8]>::to_vec),
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default()).into_owned()
    }
}

/// A record to be written to the first topic of a writer.
pub(crate) fn outgoing<'b>(partition: u32, key: &'b [u8], value: &'b [u8]) -> Outgoing<'b> {
    Outgoing { topic: 0, partition: Partition(partition), key, value: Some(value), headers: &[] }
}

/// Writes texts in one transaction.
pub(crate) fn write<R: Rig>(rig: &R, topic: &TopicName, partition: u32, texts: &[&str]) {
    let mut writer = rig.bus().writer(&rig.name("write"), std::slice::from_ref(topic)).unwrap();
    for text in texts {
        writer.add(&outgoing(partition, b"key", text.as_bytes())).unwrap();
    }
    writer.commit(None).unwrap();
}

/// All partitions of a topic, from the beginning.
pub(crate) fn beginnings(topic: &TopicName, partitions: u32) -> Vec<(TopicPartition, From)> {
    (0..partitions).map(|partition| (topic.partition(partition), From::Beginning)).collect()
}

/// Reads to the end.
pub(crate) fn drain<R: Reader>(mut reader: R) -> Vec<Owned> {
    let begun = Instant::now();
    let mut all = Vec::new();
    while !reader.is_at_end() {
        assert!(begun.elapsed() < PATIENCE, "no end after {} records", all.len());
        all.extend(reader.read(WAIT).unwrap().iter().map(|record| Owned::of(&record)));
    }
    all
}

/// Reads a topic from the beginning to the end.
pub(crate) fn read_all(bus: &impl Bus, topic: &TopicName, partitions: u32) -> Vec<Owned> {
    drain(bus.reader(&beginnings(topic, partitions), Until::End).unwrap())
}

/// The texts of a topic's only partition.
pub(crate) fn texts(bus: &impl Bus, topic: &TopicName) -> Vec<String> {
    read_all(bus, topic, 1).iter().map(Owned::text).collect()
}

/// Reads until so many records have come.
pub(crate) fn read_some<R: Reader>(reader: &mut R, count: usize) -> Vec<Owned> {
    let begun = Instant::now();
    let mut all = Vec::new();
    while all.len() < count {
        assert!(begun.elapsed() < PATIENCE, "{} of {count} records came", all.len());
        all.extend(reader.read(WAIT).unwrap().iter().map(|record| Owned::of(&record)));
    }
    all
}

/// A membership of the topic, alone in a group of its own.
pub(crate) fn membership<R: Rig>(rig: &R, topic: &TopicName, name: Option<&str>) -> Membership {
    Membership {
        group: rig.name("group"),
        name: name.map(|name| rig.name(name)),
        topics: vec![topic.clone()],
    }
}

/// Joins, and starts what is gained where the group left off, until so many partitions are owned.
pub(crate) fn join<B: Bus>(bus: &B, membership: &Membership, partitions: usize) -> B::Member {
    let mut member = bus.join(membership).unwrap();
    let begun = Instant::now();
    let mut owned = 0;
    while owned < partitions {
        assert!(begun.elapsed() < PATIENCE, "{owned} of {partitions} partitions came");
        if let Polled::Gained(gained) = member.poll(WAIT).unwrap() {
            owned += gained.len();
            start(&mut member, &gained);
        }
    }
    member
}

/// Starts partitions where the group left off.
pub(crate) fn start(member: &mut impl Member, gained: &[TopicPartition]) {
    let committed = member.committed(gained, PATIENCE).unwrap();
    let at = gained
        .iter()
        .zip(committed)
        .map(|(place, committed)| (place.clone(), committed.map_or(Offset(0), |committed| committed.next)));
    member.start(&at.collect::<Vec<_>>()).unwrap();
}

/// Polls a member that owns all it needs until so many records have come.
pub(crate) fn poll_some<M: Member>(member: &mut M, count: usize) -> Vec<Owned> {
    let begun = Instant::now();
    let mut all = Vec::new();
    while all.len() < count {
        assert!(begun.elapsed() < PATIENCE, "{} of {count} records came", all.len());
        match member.poll(WAIT).unwrap() {
            Polled::Records(records) => all.extend(records.iter().map(|record| Owned::of(&record))),
            other => panic!("a rebalance came: {:?}", moved(&other)),
        }
    }
    all
}

/// Which partitions come or go.
pub(crate) fn moved<R>(polled: &Polled<R>) -> Option<(&'static str, &[TopicPartition])> {
    match polled {
        Polled::Records(_) => None,
        Polled::Gained(places) => Some(("gained", places)),
        Polled::Losing(places) => Some(("losing", places)),
        Polled::Lost(places) => Some(("lost", places)),
    }
}

pub(crate) fn progress(partition: TopicPartition, next: u64, metadata: &str) -> Progress {
    Progress { partition, next: Offset(next), metadata: metadata.to_owned() }
}

/// Makes a test of each case.
#[macro_export]
macro_rules! conforms {
    ($rig:ty) => {
        conforms!($rig: reading: an_agent_has_one_order, reading_begins_where_it_is_told,
            reading_from_the_end_sees_what_comes_then, reading_from_a_time_begins_with_the_first_record_of_then,
            an_offset_that_is_not_there_is_told, the_end_is_known_where_nothing_is, append_times_never_fall,
            headers_are_kept_in_order, a_compacted_topic_restores_to_the_last_of_each_key,
            what_is_not_there_is_told);
        conforms!($rig: writing: outputs_and_offsets_are_committed_as_one, what_was_aborted_is_never_seen,
            what_is_open_is_not_seen_until_it_is_committed, one_mebibyte_passes_and_more_is_refused,
            of_two_owners_one_goes_on, a_writer_knows_whether_it_is_the_one, nothing_is_a_transaction_too);
        conforms!($rig: groups: a_member_goes_on_where_the_group_left_off, partitions_are_shared_and_handed_over,
            what_was_not_committed_is_read_again, of_two_of_a_name_one_goes_on,
            who_was_given_up_commits_nothing, what_others_read_is_noted_with_his_own, twenty_come_and_go,
            who_stays_goes_on_while_another_comes_and_goes, members_are_counted,
            who_has_nothing_is_told_so);
        conforms!($rig: killed: killed_at_any_moment_nothing_is_lost_or_twice);
    };
    ($rig:ty: $theme:ident: $($case:ident),* $(,)?) => {
        $(#[test]
        fn $case() {
            conformance::$theme::$case(&<$rig as conformance::Rig>::new(stringify!($case)));
        })*
    };
}
