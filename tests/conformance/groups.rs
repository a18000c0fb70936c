//! Reading as one of a group.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use lockstep::domain::Remedy;

use super::*;

/// A member that comes back under its name, or another one, begins where the last transaction ended.
pub(crate) fn a_member_goes_on_where_the_group_left_off<R: Rig>(rig: &R) {
    let input = rig.topic("events", 1);
    let output = rig.topic("decisions", 1);
    let bus = rig.bus();
    write(rig, &input, 0, &["a", "b", "c", "d"]);
    let membership = membership(rig, &input, Some("member"));
    let mut writer = bus.writer(&rig.name("writer"), std::slice::from_ref(&output)).unwrap();
    for expected in [["a", "b"], ["c", "d"]] {
        let mut member = join(&bus, &membership, 1);
        // All that is left comes, and only two of them are dealt with.
        let read = poll_some(&mut member, 2);
        for record in &read[..2] {
            writer.add(&outgoing(0, &record.key, record.value.as_deref().unwrap())).unwrap();
        }
        assert_eq!(read[..2].iter().map(Owned::text).collect::<Vec<_>>(), expected);
        let all = [progress(input.partition(0), read[1].offset + 1, "")];
        writer.commit(Some((&member, &all))).unwrap();
    }
    assert_eq!(texts(&bus, &output), ["a", "b", "c", "d"]);
}

/// After a transaction was given up, starting again from the committed offset reads the same records again.
pub(crate) fn what_was_not_committed_is_read_again<R: Rig>(rig: &R) {
    let input = rig.topic("events", 2);
    let bus = rig.bus();
    for partition in 0..2 {
        write(rig, &input, partition, &["a", "b", "c"]);
    }
    let mut member = join(&bus, &membership(rig, &input, Some("member")), 2);
    let places = [input.partition(0), input.partition(1)];
    let sorted = |mut read: Vec<Owned>| {
        read.sort_by_key(|record| (record.partition, record.offset));
        read
    };
    let first = sorted(poll_some(&mut member, 6));
    for _ in 0..3 {
        start(&mut member, &places);
        assert_eq!(sorted(poll_some(&mut member, 6)), first);
    }
    // One of the two alone.
    member.start(&[(places[1].clone(), Offset(first[4].offset))]).unwrap();
    assert_eq!(poll_some(&mut member, 2), first[4..]);
    let stranger = rig.topic("other", 1).partition(0);
    let error = member.start(&[(stranger, Offset(0))]).unwrap_err();
    assert_eq!(error.remedy(), Remedy::Abort, "{error}");
}

/// Who asks from outside knows how many there are. Nobody is in a group that nobody knows.
pub(crate) fn members_are_counted<R: Rig>(rig: &R) {
    let input = rig.topic("events", 2);
    let (bus, membership) = (rig.bus(), membership(rig, &input, None));
    assert_eq!(bus.members(&membership.group), Ok(0));
    let member = join(&bus, &membership, 2);
    assert_eq!(bus.members(&membership.group), Ok(1));
    drop(member);
    let begun = Instant::now();
    while bus.members(&membership.group) != Ok(0) {
        assert!(begun.elapsed() < PATIENCE, "{:?}", bus.members(&membership.group));
        std::thread::sleep(WAIT);
    }
}

/// Where others have them all the group says that, too: who waits for nothing is told apart from who has heard nothing.
pub(crate) fn who_has_nothing_is_told_so<R: Rig>(rig: &R) {
    let input = rig.topic("events", 1);
    let (bus, membership) = (rig.bus(), membership(rig, &input, None));
    let mut has_it = bus.join(&membership).unwrap();
    assert!(!has_it.is_told(), "nobody has answered yet");
    let begun = Instant::now();
    while !has_it.is_told() {
        assert!(begun.elapsed() < PATIENCE, "the first is told nothing");
        if let Polled::Gained(gained) = has_it.poll(WAIT).unwrap() {
            start(&mut has_it, &gained);
        }
    }
    let mut has_nothing = bus.join(&membership).unwrap();
    while !has_nothing.is_told() {
        assert!(begun.elapsed() < PATIENCE, "the second is told nothing");
        assert_eq!(moved(&has_it.poll(WAIT).unwrap()), None, "who has one keeps it");
        assert_eq!(moved(&has_nothing.poll(WAIT).unwrap()), None, "there is one partition");
    }
}

/// What copies a topic to another, and notes who owned what.
struct Copier<'r, R: Rig> {
    rig: &'r R,
    input: TopicName,
    output: TopicName,
    /// Who owns each partition, as the members themselves see it.
    owners: Mutex<Vec<Option<String>>>,
    copied: AtomicUsize,
    /// How often a partition came to somebody.
    gains: AtomicUsize,
    /// How many have copied what they should.
    ended: AtomicUsize,
    is_over: AtomicBool,
}

impl<'r, R: Rig> Copier<'r, R> {
    fn new(rig: &'r R, partitions: u32) -> Self {
        Copier {
            rig,
            input: rig.topic("events", partitions),
            output: rig.topic("decisions", partitions),
            owners: Mutex::new(vec![None; partitions as usize]),
            copied: AtomicUsize::new(0),
            gains: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        }
    }

    fn own(&self, name: &str, places: &[TopicPartition], owns: bool) {
        let mut owners = self.owners.lock().unwrap();
        for place in places {
            let owner = &mut owners[place.partition.0 as usize];
            if owns {
                assert_eq!(*owner, None, "{place} came to {name} while another owned it");
                *owner = Some(name.to_owned());
            } else if owner.as_deref() == Some(name) {
                *owner = None;
            }
        }
    }

    /// Copies until it is over, or so many records were copied by this one.
    fn run(&self, name: &str, records_max: usize) {
        let bus = self.rig.bus();
        let mut member = bus.join(&membership(self.rig, &self.input, None)).unwrap();
        let mut writer = bus.writer(&self.rig.name(name), std::slice::from_ref(&self.output)).unwrap();
        let mut owned: BTreeSet<TopicPartition> = BTreeSet::new();
        let mut mine = 0;
        let begun = Instant::now();
        while !self.is_over.load(Ordering::Relaxed) && mine < records_max {
            assert!(begun.elapsed() < PATIENCE, "{name} does not end");
            match member.poll(WAIT).unwrap() {
                Polled::Records(records) => {
                    let mut next = std::collections::BTreeMap::new();
                    for record in records.iter() {
                        let value = record.value.unwrap();
                        writer.add(&outgoing(record.partition.0, record.key.unwrap(), value)).unwrap();
                        next.insert(record.partition.0, record.offset.0 + 1);
                    }
                    let all: Vec<Progress> = next
                        .into_iter()
                        .map(|(partition, next)| progress(self.input.partition(partition), next, name))
                        .collect();
                    match writer.commit(Some((&member, &all))) {
                        Ok(()) => {
                            mine += records.len();
                            self.copied.fetch_add(records.len(), Ordering::Relaxed);
                        }
                        Err(error) => {
                            assert_eq!(error.remedy(), Remedy::Abort, "{name}: {error}");
                            writer.abort().unwrap();
                            let again: Vec<_> = owned.iter().cloned().collect();
                            start(&mut member, &again);
                        }
                    }
                }
                Polled::Gained(gained) => {
                    self.own(name, &gained, true);
                    self.gains.fetch_add(gained.len(), Ordering::Relaxed);
                    start(&mut member, &gained);
                    owned.extend(gained);
                }
                Polled::Losing(gone) | Polled::Lost(gone) => {
                    self.own(name, &gone, false);
                    owned.retain(|place| !gone.contains(place));
                }
            }
        }
        self.own(name, &owned.into_iter().collect::<Vec<_>>(), false);
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes until so many have copied what they should, and waits until all is copied; then each record is there once,
    /// in its order.
    fn feed_and_check(&self, ended: usize) {
        let bus = self.rig.bus();
        let partitions = self.owners.lock().unwrap().len() as u32;
        let mut writer = bus.writer(&self.rig.name("feeder"), std::slice::from_ref(&self.input)).unwrap();
        let begun = Instant::now();
        let patience = || {
            assert!(begun.elapsed() < PATIENCE, "{:?} were copied, {:?} ended", self.copied, self.ended);
            std::thread::park_timeout(WAIT / 10);
        };
        let mut per_partition = 0;
        let copied = || self.copied.load(Ordering::Relaxed) / partitions as usize;
        while self.ended.load(Ordering::Relaxed) < ended {
            // So much that there is always something open, and so little that it lasts for as long as they come and go.
            if copied() + 100 < per_partition {
                patience();
                continue;
            }
            for number in per_partition..per_partition + 10 {
                for partition in 0..partitions {
                    writer.add(&outgoing(partition, b"key", number.to_string().as_bytes())).unwrap();
                }
            }
            writer.commit(None).unwrap();
            per_partition += 10;
        }
        while copied() < per_partition {
            patience();
        }
        self.is_over.store(true, Ordering::Relaxed);
        let all = read_all(&bus, &self.output, partitions);
        let expected: Vec<String> = (0..per_partition).map(|number| number.to_string()).collect();
        for partition in 0..partitions {
            let of = all.iter().filter(|record| record.partition == partition).map(Owned::text);
            assert_eq!(of.collect::<Vec<_>>(), expected, "partition {partition}");
        }
    }
}

/// While records come: each partition has one owner at a time, and each record is dealt with once.
pub(crate) fn partitions_are_shared_and_handed_over<R: Rig>(rig: &R) {
    let copier = Copier::new(rig, 4);
    std::thread::scope(|scope| {
        scope.spawn(|| copier.run("first", usize::MAX));
        scope.spawn(|| copier.run("second", 200));
        scope.spawn(|| copier.run("third", 300));
        let _over = Over(&copier.is_over);
        copier.feed_and_check(2);
    });
    // All four to somebody, and those of the two that ended to who was left.
    let gains = copier.gains.into_inner();
    assert!(gains >= 6, "partitions came to somebody {gains} times only");
}

/// Members come and go, each after a few records; one stays.
pub(crate) fn twenty_come_and_go<R: Rig>(rig: &R) {
    let copier = Copier::new(rig, 2);
    std::thread::scope(|scope| {
        scope.spawn(|| copier.run("stays", usize::MAX));
        scope.spawn(|| {
            for number in 0..20 {
                copier.run(&format!("visitor-{number}"), 1);
            }
        });
        let _over = Over(&copier.is_over);
        copier.feed_and_check(20);
    });
    // At least one to every visitor.
    let gains = copier.gains.into_inner();
    assert!(gains >= 21, "partitions came to somebody {gains} times only");
}

/// Ends the copiers of a test that failed as well.
struct Over<'o>(&'o AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Of two members with the same name one goes on, and the other is told that it is not the one.
pub(crate) fn of_two_of_a_name_one_goes_on<R: Rig>(rig: &R) {
    let input = rig.topic("events", 1);
    let (bus, other_bus) = (rig.bus(), rig.bus());
    let membership = membership(rig, &input, Some("name"));
    let fenced = Error::Fenced { identity: membership.name.clone().unwrap() };
    let mut first = join(&bus, &membership, 1);
    let Ok(mut second) = other_bus.join(&membership).map_err(|error| assert_eq!(error, fenced)) else {
        return;
    };
    let begun = Instant::now();
    let (mut is_fenced, mut owns) = (false, false);
    while !is_fenced || !owns {
        assert!(begun.elapsed() < PATIENCE, "fenced: {is_fenced}, owns: {owns}");
        if !is_fenced {
            match first.poll(WAIT) {
                Ok(_) => {}
                Err(error) => {
                    assert_eq!(error, fenced);
                    is_fenced = true;
                }
            }
        }
        if let Polled::Gained(gained) = second.poll(WAIT).unwrap() {
            start(&mut second, &gained);
            owns = true;
        }
    }
    write(rig, &input, 0, &["a"]);
    assert_eq!(poll_some(&mut second, 1)[0].text(), "a");
}

/// Beside a partition of his own a member notes how far others were read that he did not join for; alone they are nobody's word.
pub(crate) fn what_others_read_is_noted_with_his_own<R: Rig>(rig: &R) {
    let own = rig.topic("positions", 1);
    let other = rig.topic("commands", 2);
    let bus = rig.bus();
    let membership = membership(rig, &own, None);
    let mut member = bus.join(&membership).unwrap();
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "the partition does not come");
        if let Polled::Gained(gained) = member.poll(WAIT).unwrap() {
            start(&mut member, &gained);
            break;
        }
    }
    let mut writer = bus.writer(&rig.name("writer"), std::slice::from_ref(&own)).unwrap();
    let places = [own.partition(0), other.partition(0), other.partition(1)];
    let [mine, first, second] = places.clone();
    let all = [progress(mine, 0, "held"), progress(first.clone(), 5, ""), progress(second, 7, "seven")];
    writer.commit(Some((&member, &all))).unwrap();
    let noted = bus.committed(&membership.group, &places).unwrap();
    let found: Vec<_> = noted.into_iter().map(|one| one.map(|one| (one.next.0, one.metadata))).collect();
    let noted = |next, metadata: &str| Some((next, metadata.to_owned()));
    assert_eq!(found, [noted(0, "held"), noted(5, ""), noted(7, "seven")]);
    let error = writer.commit(Some((&member, &[progress(first, 6, "")]))).unwrap_err();
    assert_eq!(error.remedy(), Remedy::Abort, "{error}");
    writer.abort().unwrap();
    assert_eq!(bus.committed(&membership.group, &places[1..2]).unwrap()[0].as_ref().unwrap().next.0, 5);
}

/// Who did not poll while his partitions went to another commits nothing of what he had read.
pub(crate) fn who_was_given_up_commits_nothing<R: Rig>(rig: &R) {
    let input = rig.topic("events", 1);
    let output = rig.topic("decisions", 1);
    let bus = rig.bus();
    write(rig, &input, 0, &["a"]);
    let name = membership(rig, &input, Some("name"));
    let mut first = join(&bus, &name, 1);
    let read = poll_some(&mut first, 1);
    let mut writer = bus.writer(&rig.name("first"), std::slice::from_ref(&output)).unwrap();
    writer.add(&outgoing(0, b"key", b"of who was given up")).unwrap();
    // Another comes with the name, and takes the partition; the first one does not look.
    let other_bus = rig.bus();
    let Ok(mut second) = other_bus.join(&name) else { return };
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "the partition does not come");
        if let Polled::Gained(gained) = second.poll(WAIT).unwrap() {
            start(&mut second, &gained);
            break;
        }
    }
    let all = [progress(input.partition(0), read[0].offset + 1, "")];
    let error = writer.commit(Some((&first, &all))).unwrap_err();
    assert!(matches!(error, Error::Fenced { .. } | Error::Evicted { .. }), "{error}");
    writer.abort().unwrap();
    assert_eq!(texts(&bus, &output), Vec::<String>::new());
    assert_eq!(second.committed(&[input.partition(0)], PATIENCE).unwrap(), [None]);
    assert_eq!(poll_some(&mut second, 1)[0].text(), "a");
}

/// Who stays goes on reading while another comes, takes some of his partitions, and goes.
pub(crate) fn who_stays_goes_on_while_another_comes_and_goes<R: Rig>(rig: &R) {
    let input = rig.topic("events", 2);
    let bus = rig.bus();
    let membership = membership(rig, &input, None);
    let mut stays = join(&bus, &membership, 2);
    for round in 0..3 {
        let mut comes = bus.join(&membership).unwrap();
        let begun = Instant::now();
        let (mut lost, mut gained) = (Vec::new(), Vec::new());
        while gained.is_empty() {
            assert!(begun.elapsed() < PATIENCE, "round {round}: nothing is handed over");
            if let Some(("losing", places)) = moved(&stays.poll(WAIT).unwrap()) {
                lost.extend_from_slice(places);
            }
            if let Some(("gained", places)) = moved(&comes.poll(WAIT).unwrap()) {
                gained.extend_from_slice(places);
            }
        }
        assert_eq!((lost.len(), &lost), (1, &gained), "round {round}");
        start(&mut comes, &gained);
        let mine = u32::from(gained[0].partition.0 == 0);
        write(rig, &input, mine, &["for who stays"]);
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "round {round}: who stays reads no more");
            if let Polled::Records(records) = stays.poll(WAIT).unwrap()
                && records.iter().any(|record| record.partition.0 == mine)
            {
                break;
            }
        }
        drop(comes);
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "round {round}: what was handed over does not come back");
            if let Polled::Gained(back) = stays.poll(WAIT).unwrap() {
                assert_eq!(back, gained, "round {round}");
                start(&mut stays, &back);
                break;
            }
        }
    }
    // One that goes before he knows what is his.
    drop(bus.join(&membership).unwrap());
}
