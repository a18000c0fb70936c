//! What is committed with an offset: enough to begin again from there, and to know that nothing is missing.

use std::collections::BTreeMap;
use std::fmt;

use super::Error;
use crate::codec::{Sha256, StateHash, Uuid};
use crate::domain::{AgentId, TimeMs};
use crate::engine::{self, Epoch};

/// Where a partition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checkpoint {
    /// The sum of the hashes of all state records.
    pub(super) hash: StateHash,
    /// The time of the last event.
    pub(super) clock: TimeMs,
    /// The engine version in force.
    pub(super) engine_version: u16,
    /// The activation in force; 0 where none was yet.
    pub(super) epoch: Epoch,
    /// Its revision, and the hash of the manifest.
    pub(super) revision: Option<(Uuid, Sha256)>,
    /// The last snapshot that is whole in the log; 0 where none is.
    pub(super) snapshot: i64,
}

impl Checkpoint {
    /// Before the first event.
    pub(super) const BEGINNING: Checkpoint = Checkpoint {
        hash: StateHash(0),
        clock: TimeMs::ZERO,
        engine_version: 1,
        epoch: Epoch(0),
        revision: None,
        snapshot: 0,
    };

    /// Reads what was committed.
    ///
    /// # Errors
    /// Lockstep did not write it, or a newer one did.
    pub(super) fn parse(text: &str) -> Result<Checkpoint, Error> {
        let odd = || Error::Checkpoint(text.to_owned());
        let mut words = text.split(' ');
        if words.next() != Some(FORM) {
            return Err(odd());
        }
        let values: BTreeMap<&str, &str> = words.filter_map(|word| word.split_once('=')).collect();
        let value = |key: &str| values.get(key).copied().ok_or_else(odd);
        let number = |key: &str| value(key)?.parse::<i64>().map_err(|_| odd());
        let hash = u64::from_str_radix(value("hash")?, 16).map_err(|_| odd())?;
        let revision = match (values.get("revision"), values.get("manifest")) {
            (Some(revision), Some(manifest)) => {
                let id: AgentId = revision.parse().map_err(|_| odd())?;
                Some((Uuid(*id.as_bytes()), sha_256(manifest).ok_or_else(odd)?))
            }
            (None, None) => None,
            _ => return Err(odd()),
        };
        let checkpoint = Checkpoint {
            hash: StateHash(hash),
            clock: TimeMs::from_unix_ms(number("clock")?),
            engine_version: u16::try_from(number("engine")?).map_err(|_| odd())?,
            epoch: Epoch(u64::try_from(number("epoch")?).map_err(|_| odd())?),
            revision,
            snapshot: number("snapshot")?,
        };
        if checkpoint.engine_version > engine::VERSION {
            return Err(Error::NewerEngine { found: checkpoint.engine_version });
        }
        Ok(checkpoint)
    }
}

/// How this text is made; another form has another number.
const FORM: &str = "lockstep/1";

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Checkpoint { hash, clock, engine_version, epoch, revision, snapshot } = self;
        let (clock, epoch) = (clock.as_unix_ms(), epoch.0);
        write!(
            f,
            "{FORM} hash={hash} clock={clock} engine={engine_version} epoch={epoch} snapshot={snapshot}"
        )?;
        match revision {
            Some((revision, manifest)) => write!(f, " revision={revision} manifest={manifest}"),
            None => Ok(()),
        }
    }
}

fn sha_256(text: &str) -> Option<Sha256> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in (0..).step_by(2).zip(&mut hash) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(Sha256(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_read_as_it_was_written() {
        let revision = Some((Uuid([7; 16]), Sha256([0xab; 32])));
        for checkpoint in [
            Checkpoint::BEGINNING,
            Checkpoint {
                hash: StateHash(u64::MAX),
                clock: TimeMs::from_unix_ms(1_770_000_000_123),
                engine_version: engine::VERSION,
                epoch: Epoch(9),
                revision,
                snapshot: 497_123,
            },
        ] {
            assert_eq!(Checkpoint::parse(&checkpoint.to_string()).unwrap(), checkpoint);
        }
    }

    #[test]
    fn what_is_none_is_refused_and_a_newer_engine_too() {
        let good = Checkpoint::BEGINNING.to_string();
        for bad in [
            "",
            "x",
            &good.replace("/1", "/2"),
            &good.replace("hash=", "hash=g"),
            &good.replace(" clock=0", ""),
            &format!("{good} revision=1"),
        ] {
            assert!(matches!(Checkpoint::parse(bad), Err(Error::Checkpoint(text)) if text == bad), "{bad}");
        }
        let newer = good.replace("engine=1", &format!("engine={}", engine::VERSION + 1));
        assert!(matches!(Checkpoint::parse(&newer), Err(Error::NewerEngine { .. })));
    }
}
