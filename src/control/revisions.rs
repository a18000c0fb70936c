//! Revisions as they are kept in `presence.rules`: a manifest, a record for each rule, and the vocabulary in parts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256 as Hasher};

use super::{Control, Error, now};
use crate::bus::{Bus, Topic, TopicName, TopicsPlan, Writer, latest};
use crate::codec::{
    self, Buffer, Codec, Manifest, Operator, Part, Record, RevisionRule, SchemaError, Sha256, Uuid,
    VocabularyPart,
};
use crate::directory::{CxoneVocabulary, SalesforceVocabulary, Vocabulary};
use crate::domain::{Account, Platform, TimeMs};
use crate::engine;
use crate::rules::{Revision, Rule};

/// A part of a vocabulary has about so many bytes at most.
const PART_BYTES: usize = 256 << 10;

/// A revision that was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// What belongs to it.
    pub manifest: Manifest<'static>,
    /// The SHA-256 of the manifest's Avro body: an activation names it.
    pub hash: Sha256,
}

/// The revisions that were saved.
#[derive(Clone, Debug)]
pub struct Revisions {
    topic: TopicName,
}

impl Revisions {
    /// Those of a deployment.
    pub fn new(plan: &TopicsPlan) -> Revisions {
        Revisions { topic: plan.name(Topic::Rules) }
    }

    /// All of them, the oldest first.
    ///
    /// # Errors
    /// The bus cannot be reached, or a manifest cannot be read.
    pub fn list<B: Bus>(&self, bus: &B, codec: &Codec) -> Result<Vec<Saved>, Error> {
        let found = latest(bus, &self.topic, |key| !key.contains('/'))?;
        let mut all = Vec::new();
        for (key, value) in found {
            all.push(self.manifest(codec, &key, &value)?);
        }
        all.sort_by_key(|saved| (saved.manifest.created_at, saved.manifest.revision));
        Ok(all)
    }

    /// The one whose id begins so.
    ///
    /// # Errors
    /// None does, or several do; or the bus cannot be reached.
    pub fn find<B: Bus>(&self, bus: &B, codec: &Codec, begin: &str) -> Result<Saved, Error> {
        let wanted = begin.to_ascii_lowercase();
        let mut found: Vec<Saved> = self.list(bus, codec)?;
        found.retain(|saved| saved.manifest.revision.to_string().starts_with(&wanted));
        match (found.pop(), found.is_empty()) {
            (Some(one), true) => Ok(one),
            (None, _) => Err(Error::NoRevision(begin.to_owned())),
            (Some(_), false) => Err(Error::Ambiguous(begin.to_owned())),
        }
    }

    /// A revision as a whole. With the hash that an activation names it must be just that manifest.
    ///
    /// # Errors
    /// It is not there, or not whole; or the bus cannot be reached.
    pub fn load<B: Bus>(
        &self,
        bus: &B,
        codec: &Codec,
        revision: Uuid,
        hash: Option<Sha256>,
    ) -> Result<(Saved, Revision), Error> {
        let id = revision.to_string();
        let records = latest(bus, &self.topic, |key| key.starts_with(&id))?;
        let value = records.get(&id).ok_or_else(|| Error::NoRevision(id.clone()))?;
        let saved = self.manifest(codec, &id, value)?;
        let damaged = |what: String| Error::Damaged { revision, what };
        if hash.is_some_and(|hash| hash != saved.hash) {
            return Err(damaged("its manifest is not the one that was activated".to_owned()));
        }
        if saved.manifest.engine_version > engine::VERSION {
            return Err(Error::NewerEngine { revision, found: saved.manifest.engine_version });
        }
        let mut whole = Revision {
            rules: Vec::new(),
            vocabulary: Vocabulary::default(),
            settings: saved.manifest.settings.clone(),
        };
        let mut parts = Vec::new();
        for Part { key, hash } in &saved.manifest.parts {
            let value =
                records.get(&**key).ok_or_else(|| damaged(format!("its record {key:?} is missing")))?;
            let body = codec.body(value).map_err(|why| self.unreadable(key, why))?;
            if Sha256::of(body) != *hash {
                return Err(damaged(format!("its record {key:?} is another one")));
            }
            match codec.read::<RevisionRule>(value) {
                Ok(rule) => whole.rules.push(rule.rule),
                Err(codec::Error::Schema(SchemaError::OtherRecord { .. })) => {
                    parts.push(codec.read::<VocabularyPart>(value).map_err(|why| self.unreadable(key, why))?);
                }
                Err(why) => return Err(self.unreadable(key, why)),
            }
        }
        whole.vocabulary = vocabulary(parts);
        Ok((saved, whole))
    }

    fn manifest(&self, codec: &Codec, key: &str, value: &[u8]) -> Result<Saved, Error> {
        let unreadable = |why| self.unreadable(key, why);
        let hash = Sha256::of(codec.body(value).map_err(unreadable)?);
        let manifest: Manifest<'_> = codec.read(value).map_err(unreadable)?;
        Ok(Saved { manifest: owned(manifest), hash })
    }

    fn unreadable(&self, key: &str, why: codec::Error) -> Error {
        Error::Record { topic: self.topic.as_str().to_owned(), key: key.to_owned(), why }
    }
}

fn owned(manifest: Manifest<'_>) -> Manifest<'static> {
    let Manifest { revision, created_at, operator, engine_version, parts, settings } = manifest;
    let Operator { actor, reason } = operator;
    let operator =
        Operator { actor: Cow::Owned(actor.into_owned()), reason: Cow::Owned(reason.into_owned()) };
    let parts = parts.into_iter().map(|Part { key, hash }| Part { key: Cow::Owned(key.into_owned()), hash });
    Manifest { revision, created_at, operator, engine_version, parts: parts.collect(), settings }
}

/// A record of a revision, ready to be written.
struct Piece {
    key: String,
    value: Vec<u8>,
    hash: Sha256,
}

impl<B: Bus> Control<'_, B> {
    /// Saves a revision, unless just the same was saved before. Says whether it is new.
    ///
    /// # Errors
    /// A record would be too large, or the bus does not take it.
    pub fn save(&mut self, revision: &Revision, operator: &Operator<'_>) -> Result<(Saved, bool), Error> {
        let id = id_of(self.codec, revision)?;
        let revisions = Revisions::new(self.plan);
        match revisions.load(self.bus, self.codec, id, None) {
            Ok((saved, _)) => return Ok((saved, false)),
            // What is not whole is written anew.
            Err(Error::NoRevision(_) | Error::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
        let pieces = pieces(self.codec, revision, id)?;
        for piece in &pieces {
            self.writer.add(&super::outgoing(Topic::Rules, 0, &piece.key, Some(&piece.value)))?;
        }
        let part = |piece: &Piece| Part { key: Cow::Owned(piece.key.clone()), hash: piece.hash };
        let manifest = owned(Manifest {
            revision: id,
            created_at: now(),
            operator: operator.clone(),
            engine_version: engine::VERSION,
            parts: pieces.iter().map(part).collect(),
            settings: revision.settings.clone(),
        });
        self.put((Topic::Rules, 0), &id.to_string(), &manifest)?;
        let hash = Sha256::of(self.codec.body(self.buffer.as_slice())?);
        self.commit()?;
        Ok((Saved { manifest, hash }, true))
    }
}

/// The id of a revision: it follows from all that is in it, so that the same rules are the same revision.
fn id_of(codec: &Codec, revision: &Revision) -> Result<Uuid, Error> {
    let nobody = Operator { actor: Cow::Borrowed(""), reason: Cow::Borrowed("") };
    let manifest = Manifest {
        revision: Uuid::default(),
        created_at: TimeMs::ZERO,
        operator: nobody,
        engine_version: engine::VERSION,
        parts: Vec::new(),
        settings: revision.settings.clone(),
    };
    let mut buffer = Buffer::new();
    let framing = codec.encode(&manifest, &mut buffer)?;
    let mut hasher = Hasher::new();
    hasher.update(buffer.as_slice().get(framing..).unwrap_or_default());
    for piece in pieces(codec, revision, Uuid::default())? {
        hasher.update(piece.hash.0);
    }
    Ok(Sha256(hasher.finalize().into()).uuid())
}

/// The records of a revision: its rules, in their order, then its vocabularies.
fn pieces(codec: &Codec, revision: &Revision, id: Uuid) -> Result<Vec<Piece>, Error> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (number, rule) in (0..).zip(&revision.rules) {
        let record = RevisionRule { revision: id, number, rule: Rule::clone(rule) };
        pieces.push(piece(codec, format!("{id}/{}", rule.name), &record)?);
    }
    for (account, vocabulary) in &revision.vocabulary.salesforce {
        let account = Account { platform: Platform::Salesforce, name: *account };
        push_parts(codec, id, account, Items::salesforce(vocabulary), &mut pieces)?;
    }
    for (account, vocabulary) in &revision.vocabulary.cxone {
        let account = Account { platform: Platform::Cxone, name: *account };
        push_parts(codec, id, account, Items::cxone(vocabulary), &mut pieces)?;
    }
    let mut keys: Vec<&str> = pieces.iter().map(|piece| &*piece.key).collect();
    keys.sort_unstable();
    let twice = keys.windows(2).find(|pair| pair.first() == pair.last()).and_then(<[_]>::first);
    match twice {
        Some(key) => Err(Error::SameKey((*key).to_owned())),
        None => Ok(pieces),
    }
}

fn piece<'b, R: Record<'b>>(codec: &Codec, key: String, record: &R) -> Result<Piece, Error> {
    let mut buffer = Buffer::new();
    let framing = codec.encode(record, &mut buffer)?;
    let value = buffer.as_slice().to_vec();
    let hash = Sha256::of(value.get(framing..).unwrap_or_default());
    Ok(Piece { key, value, hash })
}

/// What is in the vocabulary of an account.
#[derive(Default)]
struct Items {
    statuses: Vec<crate::directory::PresenceStatus>,
    codes: Vec<crate::directory::Code>,
    teams: Vec<crate::directory::TeamEntry>,
}

impl Items {
    fn salesforce(vocabulary: &SalesforceVocabulary) -> Items {
        Items { statuses: vocabulary.statuses().to_vec(), ..Items::default() }
    }

    fn cxone(vocabulary: &CxoneVocabulary) -> Items {
        Items { codes: vocabulary.codes().to_vec(), teams: vocabulary.teams().to_vec(), ..Items::default() }
    }

    fn count(&self) -> usize {
        self.statuses.len() + self.codes.len() + self.teams.len()
    }

    /// The first half goes on, the second is given back.
    fn split(&mut self) -> Items {
        Items {
            statuses: self.statuses.split_off(self.statuses.len().div_ceil(2)),
            codes: self.codes.split_off(self.codes.len().div_ceil(2)),
            teams: self.teams.split_off(self.teams.len().div_ceil(2)),
        }
    }
}

/// Adds a vocabulary, halved until each part is small enough. An empty one is there all the same: it names an account.
fn push_parts(
    codec: &Codec,
    revision: Uuid,
    account: Account,
    items: Items,
    pieces: &mut Vec<Piece>,
) -> Result<(), Error> {
    let (mut todo, mut part) = (vec![items], 0);
    while let Some(mut items) = todo.pop() {
        let is_divisible = items.count() > 1;
        let Items { statuses, codes, teams } = &items;
        let record = VocabularyPart {
            revision,
            account,
            part,
            statuses: statuses.clone(),
            codes: codes.clone(),
            teams: teams.clone(),
        };
        match piece(codec, format!("{revision}/{account}/{part}"), &record) {
            Ok(piece) if piece.value.len() <= PART_BYTES || !is_divisible => {
                pieces.push(piece);
                part += 1;
            }
            Err(error) if !is_divisible => return Err(error),
            Err(error) if !matches!(error, Error::Codec(codec::Error::TooLarge(_))) => return Err(error),
            Ok(_) | Err(_) => {
                let rest = items.split();
                todo.extend([rest, items]);
            }
        }
    }
    Ok(())
}

fn vocabulary(parts: Vec<VocabularyPart>) -> Vocabulary {
    let mut by_account: BTreeMap<Account, Items> = BTreeMap::new();
    for VocabularyPart { account, statuses, codes, teams, .. } in parts {
        let items = by_account.entry(account).or_default();
        items.statuses.extend(statuses);
        items.codes.extend(codes);
        items.teams.extend(teams);
    }
    let mut whole = Vocabulary::default();
    for (Account { platform, name }, Items { statuses, codes, teams }) in by_account {
        match platform {
            Platform::Salesforce => {
                whole.salesforce.insert(name, SalesforceVocabulary::new(statuses));
            }
            Platform::Cxone => {
                whole.cxone.insert(name, CxoneVocabulary::new(codes, teams));
            }
        }
    }
    whole
}
