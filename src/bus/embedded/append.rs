//! Writing: all of a transaction at once, with how far its member has read.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;

use super::batch::{self, Head};
use super::groups::Session;
use super::owner::{Core, End, Fsync, Owner, gone, read_note};
use super::request::{Answer, Appended, Claim, Written};
use super::store::{Changes, Fault};
use crate::bus::{Committed, Error, Offset, Progress, TopicName};
use crate::fail;

/// So much is free again before a disk that was full is written again.
const ROOM_AGAIN_BYTES: u64 = 16 << 20;
const COMMITTING: &str = "committing a transaction";

impl Owner {
    /// Somebody becomes the one who writes as an identity; who was it before is fenced.
    pub(super) fn claim(&self, identity: String, topics: &[TopicName]) -> Result<Answer, Error> {
        let mut core = self.core();
        let partitions = topics.iter().map(|topic| {
            let known = core.topics.get(topic).ok_or_else(|| Error::UnknownTopic(topic.clone()))?;
            Ok(known.partitions.len() as u32)
        });
        let partitions = partitions.collect::<Result<_, Error>>()?;
        let (epoch, attempt) = core.claims.get(&identity).map_or((1, 0), |(epoch, _)| (epoch + 1, 0));
        core.claims.insert(identity.clone(), (epoch, attempt));
        Ok(Answer::Claimed(Claim { owner: core.number, identity, epoch, attempt }, partitions))
    }

    /// Whether somebody is still the one who writes, and whether there is somewhere to write. Who wrote at an owner before
    /// this one goes on, if nobody else has become the one meanwhile. What he has sent and is still under way is not written
    /// any more.
    pub(super) fn confirm(&self, claim: Claim) -> Result<Answer, Error> {
        let operation = "beginning a transaction anew";
        let mut core = self.core();
        if claim.owner == core.number || core.claims.contains_key(&claim.identity) {
            check(&core, &claim)?;
        }
        let was_full = self.was_full.load(Ordering::Relaxed);
        self.has_room(operation, 0)?;
        if was_full {
            // What the store did in the background may have failed as well, and it does not say so.
            self.close_store();
        }
        self.open_again(&mut core, operation)?;
        let owner = core.number;
        let known = core.claims.entry(claim.identity.clone()).or_insert((1, 0));
        known.1 += 1;
        let (epoch, attempt) = *known;
        Ok(Answer::Claimed(Claim { owner, identity: claim.identity, epoch, attempt }, Vec::new()))
    }

    /// Appends batches, and notes how far a member has read: all of it, or nothing.
    pub(super) fn append(
        &self,
        claim: &Claim,
        batches: &[Appended],
        read: Option<&(Session, Vec<Progress>)>,
        written: Written,
    ) -> Result<(), Error> {
        let mut core = self.core();
        let attempt = check(&core, claim)?;
        if claim.attempt != attempt {
            let why = "it was given up while it was under way".to_owned();
            return Err(Error::Aborted { operation: COMMITTING.to_owned(), why });
        }
        if let Some((session, all)) = read {
            let places = all.iter().map(|progress| &progress.partition);
            core.groups.owns(session, places).map_err(|why| gone(why, session, COMMITTING))?;
        }
        self.has_room(COMMITTING, written.iter().map(Vec::len).sum()).map_err(given_up)?;
        if batches.len() != written.len() {
            return Err(nonsense());
        }
        let mut changes = Changes::default();
        let mut ends = BTreeMap::new();
        let now = (self.settings.clock)();
        for (appended, mut bytes) in batches.iter().zip(written) {
            let at = &appended.partition;
            let (place, end) = core.find(at)?;
            let end: &mut End = ends.entry(at.clone()).or_insert(end);
            // However the clock is set, times never fall.
            end.appended_at = end.appended_at.max(now);
            let next = end.next.0.checked_add(appended.span).map(Offset);
            let is_sound = bytes.len() >= batch::HEAD_BYTES
                && appended.records > 0
                && appended.span >= u64::from(appended.records);
            let next = next.filter(|_| is_sound).ok_or_else(nonsense)?;
            let (first, bytes_before) = (end.next, end.bytes);
            let head =
                Head { appended_at: end.appended_at, first, next, bytes_before, records: appended.records };
            batch::seal(&mut bytes, &head);
            end.next = next;
            end.bytes += bytes.len() as u64;
            changes.batches.push((place, first, bytes));
        }
        if let Some((session, all)) = read {
            for progress in all {
                let note = Committed { next: progress.next, metadata: progress.metadata.clone() };
                let note = serde_json::to_vec(&note).map_err(|why| odd(&why))?;
                changes.notes.push((read_note(&session.group, &progress.partition), note));
            }
        }
        fail::point("before the directory is written");
        self.write_transaction(changes)?;
        fail::point("after the directory is written");
        for (at, end) in ends {
            let known = core.topics.get_mut(&at.topic);
            if let Some(known) = known.and_then(|known| known.partitions.get_mut(at.partition.0 as usize)) {
                *known = end;
            }
        }
        drop(core);
        self.changed.notify_all();
        Ok(())
    }

    fn write_transaction(&self, changes: Changes) -> Result<(), Error> {
        let is_synced = self.settings.fsync == Fsync::EachCommit;
        match self.try_to_write(changes, is_synced) {
            None => Err(given_up(self.failed(COMMITTING, Fault::Broken("a write failed".to_owned())))),
            Some(written) => written.map_err(|fault| Error::Undecided {
                operation: COMMITTING.to_owned(),
                why: self.failed(COMMITTING, fault).to_string(),
            }),
        }
    }

    /// Whether the disk has room for so many bytes more. The store is not let run into a full disk: what it does in the
    /// background would fail as well.
    pub(super) fn has_room(&self, operation: &str, bytes: usize) -> Result<(), Error> {
        let free =
            free_bytes(&self.directory).map_err(|error| self.failed(operation, Fault::of_io(error)))?;
        // Once it was full there must be a little more, or what is begun would not be ended.
        let more = if self.was_full.load(Ordering::Relaxed) { ROOM_AGAIN_BYTES } else { 2 * bytes as u64 };
        let is_full = free < self.settings.free_bytes_min.saturating_add(more);
        self.was_full.store(is_full, Ordering::Relaxed);
        if !is_full {
            return Ok(());
        }
        let (free, least) = (free >> 20, self.settings.free_bytes_min >> 20);
        Err(Error::Unreachable {
            operation: operation.to_owned(),
            servers: self.directory.display().to_string(),
            why: format!(
                "its disk is full, {free} MiB are free and {least} are left to others: make space there"
            ),
        })
    }
}

/// Nothing of the transaction was written.
fn given_up(error: Error) -> Error {
    match error {
        Error::Unreachable { operation, why, .. } => Error::Aborted { operation, why },
        other => other,
    }
}

/// Which attempt of his it is that counts.
fn check(core: &Core, claim: &Claim) -> Result<u64, Error> {
    let known = core.claims.get(&claim.identity);
    if claim.owner != core.number && known.is_none() {
        let why = "the directory has another owner than when it began".to_owned();
        return Err(Error::Aborted { operation: COMMITTING.to_owned(), why });
    }
    match known {
        Some((epoch, attempt)) if claim.owner == core.number && *epoch == claim.epoch => Ok(*attempt),
        _ => Err(Error::Fenced { identity: claim.identity.clone() }),
    }
}

/// What was sent is no transaction: only a program of another version sends such.
fn nonsense() -> Error {
    Error::Odd { operation: COMMITTING.to_owned(), why: "what was sent is no transaction".to_owned() }
}

fn odd(why: &serde_json::Error) -> Error {
    Error::Odd { operation: COMMITTING.to_owned(), why: why.to_string() }
}

/// What is free for us on a folder's disk.
pub(super) fn free_bytes(folder: &Path) -> std::io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::embedded::Settings;
    use crate::bus::{Kept, Outgoing, Partition, Replicas, TopicSpec};

    /// A client that waited for too long for the answer gives the transaction up, and it may be under way still.
    #[test]
    fn what_was_given_up_is_not_written_when_it_comes_late() {
        let path = std::env::temp_dir()
            .join(format!("lockstep-what-was-given-up-comes-late-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let owner = Owner::open(&path, path.join("store"), Settings::default()).unwrap();
        let name = TopicName::new("events");
        let replicas = Replicas { replication_factor: 1, in_sync_min: 1 };
        owner
            .create(vec![TopicSpec { name: name.clone(), partitions: 1, kept: Kept::Days(1), replicas }])
            .unwrap();
        let (place, topics) = (name.partition(0), [name]);
        let written = |claim: &Claim| {
            let mut draft = batch::Draft::new();
            draft.add(&Outgoing {
                topic: 0,
                partition: Partition(0),
                key: b"key",
                value: Some(b"value"),
                headers: &[],
            });
            let appended =
                Appended { partition: place.clone(), records: draft.records(), span: draft.span() };
            owner.append(claim, &[appended], None, vec![draft.into_bytes()])
        };
        let end = || owner.core().find(&place).unwrap().1.next;

        let Ok(Answer::Claimed(first, _)) = owner.claim("writer".to_owned(), &topics) else {
            panic!("claimed")
        };
        written(&first).unwrap();
        let Ok(Answer::Claimed(second, _)) = owner.confirm(first.clone()) else { panic!("confirmed") };
        let late = written(&first).unwrap_err();
        assert!(matches!(late, Error::Aborted { .. }), "{late}");
        assert_eq!(end(), Offset(1));
        // The answer to giving up may be lost as well.
        let Ok(Answer::Claimed(third, _)) = owner.confirm(first) else { panic!("confirmed again") };
        assert!(matches!(written(&second), Err(Error::Aborted { .. })));
        written(&third).unwrap();
        assert_eq!(end(), Offset(2));
        let Ok(Answer::Claimed(..)) = owner.claim("writer".to_owned(), &topics) else { panic!("claimed") };
        assert!(matches!(written(&third), Err(Error::Fenced { .. })));
        owner.end().unwrap();
        std::fs::remove_dir_all(&path).unwrap();
    }
}
