//! The bus in one directory: for a demo, and for a small site with one machine.
//!
//! One process owns the directory. It reads and writes an embedded store there, and answers all others at a socket beside it. A
//! transaction is in its writer's memory until it is committed, and is then written as one; so nothing that is open or
//! was given up is ever on disk. Within a partition offsets have no gaps but those that compaction leaves.

mod append;
mod batch;
mod clients;
mod directory;
mod groups;
mod journal;
mod loader;
mod owner;
mod records;
mod request;
mod socket;
mod store;
mod upkeep;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{
    Bus, Committed, Error, Found, From, Membership, Offset, TopicName, TopicPartition, TopicSpec, Until,
};

pub use clients::{EmbeddedMember, EmbeddedReader, EmbeddedWriter};
pub use loader::EmbeddedLoader;
pub use owner::{Fsync, Settings};
pub use records::EmbeddedRecords;

use clients::{Asked, unexpected};
use directory::{Directory, Held, Holder};
use owner::Owner;
use request::{Answer, Ask, Read, Request, Written};
use socket::{Remote, Server};

/// How long an owner who has just taken the directory may need before he answers.
const BEGINS_WITHIN: Duration = Duration::from_secs(10);

/// The bus in a directory.
#[derive(Clone)]
pub struct Embedded {
    directory: Arc<Directory>,
    /// None where another process owns it.
    ours: Option<Arc<Ours>>,
}

/// Whom an owner answers.
#[derive(Clone, Copy)]
enum Company {
    Others,
    Nobody,
}

/// What an owner has, in the order in which it goes.
struct Ours {
    server: Option<Server>,
    upkeep: Option<JoinHandle<()>>,
    owner: Arc<Owner>,
    _held: Held,
}

impl Drop for Ours {
    fn drop(&mut self) {
        self.owner.core().is_over = true;
        self.owner.changed.notify_all();
        self.server = None;
        if let Some(upkeep) = self.upkeep.take() {
            let _ = upkeep.join();
        }
        if let Err(error) = self.owner.end() {
            tracing::warn!("{error}");
        }
    }
}

/// An owner's own process asks him directly.
impl Ask for Ours {
    fn ask(&self, request: Request, written: Written) -> Result<(Answer, Read), Error> {
        self.owner.answer(request, written)
    }

    fn directory(&self) -> &Path {
        &self.owner.directory
    }
}

impl Embedded {
    /// Opens a directory: as its owner, or by way of who owns it now.
    ///
    /// # Errors
    /// It cannot be used, or its owner does not answer.
    pub fn open(path: &Path, settings: Settings) -> Result<Embedded, Error> {
        Embedded::open_in(path, settings, Company::Others)
    }

    /// Opens a directory for a look: by way of who owns it now, or as an owner who answers nobody else and deletes nothing. Others
    /// wait until this is dropped, so it should be soon.
    ///
    /// # Errors
    /// As for [`open`](Embedded::open).
    pub fn look(path: &Path, settings: Settings) -> Result<Embedded, Error> {
        Embedded::open_in(path, settings, Company::Nobody)
    }

    fn open_in(path: &Path, settings: Settings, company: Company) -> Result<Embedded, Error> {
        let directory = Arc::new(Directory::new(path)?);
        let begun = Instant::now();
        loop {
            match Embedded::take(&directory, settings, company)? {
                Ok(embedded) => return Ok(embedded),
                Err(holder) => {
                    let remote = Embedded { directory: Arc::clone(&directory), ours: None };
                    match remote.describe(&[]) {
                        // He may have begun just now, or ended.
                        Err(Error::Unreachable { .. }) if begun.elapsed() < BEGINS_WITHIN => {
                            std::thread::sleep(Duration::from_millis(50));
                        }
                        // He answers nobody.
                        Err(Error::Unreachable { .. }) => return Err(directory.owned_by(holder)),
                        answered => return answered.map(|_| remote),
                    }
                }
            }
        }
    }

    /// Opens a directory as its owner.
    ///
    /// # Errors
    /// It cannot be used; [`Error::Owned`] where another process owns it.
    pub fn own(path: &Path, settings: Settings) -> Result<Embedded, Error> {
        let directory = Arc::new(Directory::new(path)?);
        Embedded::take(&directory, settings, Company::Others)?.map_err(|holder| directory.owned_by(holder))
    }

    /// Opens a directory as its owner, who answers nobody else, and deletes nothing by and by.
    ///
    /// # Errors
    /// As for [`own`](Embedded::own).
    pub fn own_alone(path: &Path, settings: Settings) -> Result<Embedded, Error> {
        let directory = Arc::new(Directory::new(path)?);
        Embedded::take(&directory, settings, Company::Nobody)?.map_err(|holder| directory.owned_by(holder))
    }

    /// The way to who owns a directory, now or later. This never owns it; while nobody does, nothing is answered.
    ///
    /// # Errors
    /// The path cannot be one of a directory.
    pub fn attach(path: &Path) -> Result<Embedded, Error> {
        Ok(Embedded { directory: Arc::new(Directory::new(path)?), ours: None })
    }

    /// Whether there is a directory of this kind at a path. Nothing is made.
    ///
    /// # Errors
    /// The path cannot be one of a directory.
    pub fn is_at(path: &Path) -> Result<bool, Error> {
        Ok(Directory::new(path)?.is_made())
    }

    fn take(
        directory: &Arc<Directory>,
        settings: Settings,
        company: Company,
    ) -> Result<Result<Embedded, Option<Holder>>, Error> {
        let held = match directory.take((settings.clock)().as_unix_ms())? {
            Ok(held) => held,
            Err(holder) => return Ok(Err(holder)),
        };
        let owner = Arc::new(Owner::open(&directory.path, directory.store(), settings)?);
        let failed =
            |error: std::io::Error| owner.failed("opening the directory", store::Fault::of_io(error));
        let (server, upkeep) = match company {
            Company::Nobody => (None, None),
            Company::Others => (
                Some(Server::start(Arc::clone(&owner), &directory.socket()).map_err(failed)?),
                Some(upkeep::start(&owner).map_err(failed)?),
            ),
        };
        let ours = Ours { server, upkeep, owner, _held: held };
        Ok(Ok(Embedded { directory: Arc::clone(directory), ours: Some(Arc::new(ours)) }))
    }

    /// Whether this process owns the directory.
    pub const fn is_owner(&self) -> bool {
        self.ours.is_some()
    }

    /// Compacts a topic now, which is otherwise done by and by.
    ///
    /// # Errors
    /// The topic is unknown, or the directory cannot be read or written.
    pub fn compact(&self, topic: &TopicName) -> Result<(), Error> {
        self.done("compacting a topic", Request::Compact(topic.clone()))
    }

    /// Does now what is done by and by: old records go, topics are compacted.
    ///
    /// # Errors
    /// Another process owns the directory, or it cannot be read or written.
    pub fn tend(&self) -> Result<(), Error> {
        let operation = "deleting old records".to_owned();
        let ours = self.ours.as_ref().ok_or(Error::Closed { operation })?;
        ours.owner.tend(&mut upkeep::Compacted::new())
    }

    /// The topics that there are.
    ///
    /// # Errors
    /// The owner does not answer.
    pub fn topics(&self) -> Result<Vec<TopicName>, Error> {
        match self.asked().ask(Request::Topics, Vec::new())?.0 {
            Answer::Topics(topics) => Ok(topics),
            other => Err(unexpected("asking for topics", &other)),
        }
    }

    /// Bytes on disk, where this process owns the directory.
    pub fn disk_bytes(&self) -> Option<u64> {
        let store = self.ours.as_ref()?.owner.store();
        store.as_ref()?.disk_bytes().ok()
    }

    /// Somebody to ask, for one client.
    fn asked(&self) -> Asked {
        match &self.ours {
            Some(ours) => Arc::clone(ours) as Asked,
            None => Arc::new(Remote::new(&self.directory.path, &self.directory.socket())),
        }
    }

    fn done(&self, operation: &str, request: Request) -> Result<(), Error> {
        match self.asked().ask(request, Vec::new())?.0 {
            Answer::Done => Ok(()),
            other => Err(unexpected(operation, &other)),
        }
    }
}

impl Bus for Embedded {
    type Reader = EmbeddedReader;
    type Member = EmbeddedMember;
    type Writer = EmbeddedWriter;
    type Loader = EmbeddedLoader;

    fn reader(&self, starts: &[(TopicPartition, From)], until: Until) -> Result<EmbeddedReader, Error> {
        EmbeddedReader::new(self.asked(), starts, until)
    }

    fn join(&self, membership: &Membership) -> Result<EmbeddedMember, Error> {
        EmbeddedMember::new(self.asked(), membership)
    }

    fn writer(&self, identity: &str, topics: &[TopicName]) -> Result<EmbeddedWriter, Error> {
        EmbeddedWriter::new(self.asked(), identity, topics)
    }

    fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<Committed>>, Error> {
        clients::committed(&*self.asked(), group, partitions)
    }

    fn load(&self, topics: &[TopicSpec]) -> Result<EmbeddedLoader, Error> {
        EmbeddedLoader::new(self.clone(), topics)
    }

    fn members(&self, group: &str) -> Result<usize, Error> {
        match self.asked().ask(Request::Members(group.to_owned()), Vec::new())?.0 {
            Answer::Members(members) => Ok(members),
            other => Err(unexpected("asking for the members of a group", &other)),
        }
    }

    fn bounds(&self, partition: &TopicPartition) -> Result<Range<Offset>, Error> {
        match self.asked().ask(Request::Bounds(partition.clone()), Vec::new())?.0 {
            Answer::Bounds(start, end) => Ok(start..end),
            other => Err(unexpected("asking for the bounds of a partition", &other)),
        }
    }

    /// Nothing that is open is ever in the log.
    fn log_ends(&self, partitions: &[TopicPartition]) -> Result<Vec<Offset>, Error> {
        partitions.iter().map(|partition| Ok(self.bounds(partition)?.end)).collect()
    }

    fn describe(&self, topics: &[TopicName]) -> Result<Vec<Option<Found>>, Error> {
        match self.asked().ask(Request::Describe(topics.to_vec()), Vec::new())?.0 {
            Answer::Found(found) => Ok(found),
            other => Err(unexpected("describing topics", &other)),
        }
    }

    fn create(&self, topics: &[TopicSpec]) -> Result<(), Error> {
        self.done("making topics", Request::Create(topics.to_vec()))
    }
}
