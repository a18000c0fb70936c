//! The directory: what may be in it, whose it is, and who has it now.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::owner::sync_folder;
use crate::bus::Error;

/// The layout of what is in it. Another is another number.
const LAYOUT: &str = "lockstep data, layout 1\n";
/// What may be in it.
const NAMES: [&str; 7] = ["layout", "machine", "lock", "socket", "store", "store.new", "closed"];
/// What is in it while a copy is made into it.
const UNFINISHED: &str = "unfinished";
/// What is there before `layout` is.
const BEGUN: [&str; 3] = ["machine", "layout.new", "lock"];
/// A socket's path may be so long, by what systems have room for.
const SOCKET_BYTES_MAX: usize = 100;

/// Who has a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    pub(super) pid: u32,
    /// When it took the directory, in ms since 1970.
    pub(super) since_ms: i64,
    /// How it was called, without what may be secret.
    pub(super) command: String,
}

/// A directory that nobody else has, until this is dropped or the process ends, however it ends.
pub(super) struct Held {
    lock: File,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closing is not enough: a process that another thread is just starting has the file open, too, until it is another
        // program.
        let _ = self.lock.unlock();
    }
}

/// A directory that is there or can be made.
pub(super) struct Directory {
    pub(super) path: PathBuf,
}

impl Directory {
    pub(super) fn new(path: &Path) -> Result<Directory, Error> {
        let path = std::path::absolute(path).map_err(|error| refused(path, &error))?;
        let directory = Directory { path };
        if directory.socket().as_os_str().len() > SOCKET_BYTES_MAX {
            return Err(Error::Refused {
                operation: opening(&directory.path),
                why: format!("its path is longer than the {SOCKET_BYTES_MAX} bytes that a socket may have"),
                mend: "name a directory with a shorter path, or a link to this one".to_owned(),
            });
        }
        Ok(directory)
    }

    /// Whether somebody has made it.
    pub(super) fn is_made(&self) -> bool {
        self.path.join("layout").is_file()
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.path.join("socket")
    }

    pub(super) fn store(&self) -> PathBuf {
        self.path.join("store")
    }

    /// Takes it. `Err` of the holder, where somebody has it; a lock that a process left when it was killed, or the machine
    /// when it went down, is nobody's.
    pub(super) fn take(&self, now_ms: i64) -> Result<Result<Held, Option<Holder>>, Error> {
        let failed = |error: io::Error| refused(&self.path, &error);
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path).map_err(failed)?;
        let is_begun = self.is_begun()?;
        let lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.path.join("lock"))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Err(self.holder())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let held = Held { lock };
        if !is_begun {
            self.begin().map_err(failed)?;
        }
        self.check()?;
        self.close_to_others().map_err(failed)?;
        let holder = Holder { pid: std::process::id(), since_ms: now_ms, command: command() };
        let told = serde_json::to_vec(&holder).unwrap_or_default();
        let mut lock = &held.lock;
        lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| lock.write_all(&told)).map_err(failed)?;
        Ok(Ok(held))
    }

    /// Who has it, as far as he has said.
    fn holder(&self) -> Option<Holder> {
        let mut text = String::new();
        File::open(self.path.join("lock")).ok()?.read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// That somebody has it.
    pub(super) fn owned_by(&self, holder: Option<Holder>) -> Error {
        let holder = holder.map_or_else(
            || "a process that has not said which".to_owned(),
            |holder| format!("process {}, `{}`", holder.pid, holder.command),
        );
        Error::Owned { directory: self.path.display().to_string(), holder }
    }

    /// Whether it was made. One that holds other things is not ours.
    fn is_begun(&self) -> Result<bool, Error> {
        let failed = |error: io::Error| refused(&self.path, &error);
        match std::fs::read_to_string(self.path.join("layout")) {
            Ok(found) if found == LAYOUT => return Ok(true),
            Ok(found) => return Err(self.other_layout(&found)),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            Err(_) => {}
        }
        let mut all = std::fs::read_dir(&self.path).map_err(failed)?;
        // A process that was killed while it made it has left nothing but these.
        let is_other = |entry: &std::fs::DirEntry| !BEGUN.iter().any(|name| entry.file_name() == *name);
        if let Some(other) = all.find_map(|entry| entry.ok().filter(is_other)) {
            // Or another process has made it just now.
            if std::fs::read_to_string(self.path.join("layout")).is_ok_and(|found| found == LAYOUT) {
                return Ok(true);
            }
            return Err(Error::Refused {
                operation: opening(&self.path),
                why: format!(
                    "it is no data directory of Lockstep's, and holds {}",
                    other.file_name().display()
                ),
                mend: "name one that is absent or empty".to_owned(),
            });
        }
        Ok(false)
    }

    /// Makes it.
    fn begin(&self) -> io::Result<()> {
        write_synced(&self.path.join("machine"), &machine())?;
        // Last, and whole.
        let new = self.path.join("layout.new");
        write_synced(&new, LAYOUT)?;
        std::fs::rename(&new, self.path.join("layout"))?;
        sync_folder(&self.path)
    }

    /// It may have been made by somebody else, and what is in it is private.
    fn close_to_others(&self) -> io::Result<()> {
        let mut permissions = std::fs::metadata(&self.path)?.permissions();
        if permissions.mode() & 0o077 == 0 {
            return Ok(());
        }
        permissions.set_mode(0o700);
        match std::fs::set_permissions(&self.path, permissions) {
            // It is another user's, who lets us in by a group: a mounted volume, mostly.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                tracing::warn!(directory = %self.path.display(), "others may read it, and its mode is not ours to change");
                Ok(())
            }
            set => set,
        }
    }

    /// Whether what is in it is what may be, and from here.
    fn check(&self) -> Result<(), Error> {
        let failed = |error: io::Error| refused(&self.path, &error);
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if name == UNFINISHED {
                return Err(Error::Refused {
                    operation: opening(&self.path),
                    why: "a copy into it was not finished".to_owned(),
                    mend: "delete the directory, and copy again".to_owned(),
                });
            }
            if !NAMES.iter().any(|known| name == *known) && name != "layout.new" {
                return Err(Error::Refused {
                    operation: opening(&self.path),
                    why: format!("{} in it is not Lockstep's", name.display()),
                    mend: "move it somewhere else: nobody else may write here".to_owned(),
                });
            }
        }
        let file = self.path.join("machine");
        match std::fs::read_to_string(&file) {
            Ok(found) if is_here(&found, &machine()) => Ok(()),
            Ok(found) => Err(Error::Refused {
                operation: opening(&self.path),
                why: format!(
                    "it was used on another machine ({}) before",
                    found.lines().next().unwrap_or_default()
                ),
                mend: format!(
                    "two copies would both go on, each for itself: make sure that the other is used no more, then delete {}",
                    file.display()
                ),
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                write_synced(&file, &machine()).map_err(failed)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// From now on nobody opens it any more.
    pub(super) fn mark_unfinished(&self) -> Result<(), Error> {
        let file = self.path.join(UNFINISHED);
        let written = write_synced(&file, "").and_then(|()| sync_folder(&self.path));
        written.map_err(|error| refused(&self.path, &error))
    }

    /// Everything is in it.
    pub(super) fn mark_finished(&self) -> Result<(), Error> {
        let removed = std::fs::remove_file(self.path.join(UNFINISHED));
        removed.and_then(|()| sync_folder(&self.path)).map_err(|error| refused(&self.path, &error))
    }

    fn other_layout(&self, found: &str) -> Error {
        let number = |text: &str| text.trim().strip_prefix("lockstep data, layout ")?.parse::<u32>().ok();
        let (why, mend) = match (number(found), number(LAYOUT)) {
            (Some(found), Some(ours)) if found > ours => (
                format!("it has layout {found}, and this Lockstep knows {ours}"),
                "upgrade this Lockstep".to_owned(),
            ),
            (Some(found), Some(ours)) => (
                format!("it has layout {found} of an older Lockstep, and this one knows {ours}"),
                "use the Lockstep that made it".to_owned(),
            ),
            _ => (
                format!("{} does not say which layout it has", self.path.join("layout").display()),
                "put a copy of the directory in its place, or name another".to_owned(),
            ),
        };
        Error::Refused { operation: opening(&self.path), why, mend }
    }
}

/// Whether what was noted is this machine. Its name may change; without an id it is all there is.
fn is_here(noted: &str, here: &str) -> bool {
    let id = |text: &str| text.lines().nth(1).map(str::to_owned).filter(|id| !id.is_empty());
    match (id(noted), id(here)) {
        (Some(noted), Some(here)) => noted == here,
        _ => noted == here,
    }
}

fn write_synced(file: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(file)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn opening(path: &Path) -> String {
    format!("opening the data directory {}", path.display())
}

fn refused(path: &Path, error: &io::Error) -> Error {
    let mend = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make space on its disk",
        ErrorKind::ReadOnlyFilesystem => "name one on a disk that is not mounted read-only",
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => "name a directory, or one that is absent",
        _ => "name a directory that this user may write",
    };
    Error::Refused { operation: opening(path), why: error.to_string(), mend: mend.to_owned() }
}

/// The program and its first arguments, up to the first option: values of options may be secret.
fn command() -> String {
    let mut words = std::env::args();
    let program = words.next().unwrap_or_default();
    let program = Path::new(&program).file_name().map_or_else(String::new, |name| name.display().to_string());
    let words = words.take_while(|word| !word.starts_with('-'));
    std::iter::once(program).chain(words).collect::<Vec<_>>().join(" ")
}

/// This machine: its name, and what tells it from another of the name.
fn machine() -> String {
    let read =
        |path: &str| std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
    format!("{}\n{}\n", read("/proc/sys/kernel/hostname"), read("/etc/machine-id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that is just being started shares what is open for a moment: whoever gives the directory back does not wait
    /// for it.
    #[test]
    fn what_was_given_back_is_nobodys_though_the_file_is_still_open() {
        let path = std::env::temp_dir().join(format!("lockstep-held-{}", std::process::id()));
        let directory = Directory::new(&path).unwrap();
        let held = directory.take(0).unwrap().unwrap_or_else(|holder| panic!("{holder:?} has it"));
        let _shared = held.lock.try_clone().unwrap();
        assert!(directory.take(0).unwrap().is_err(), "two have it");
        drop(held);
        assert!(directory.take(0).unwrap().is_ok(), "nobody has it, and it is not to be had");
        std::fs::remove_dir_all(path).unwrap();
    }
}
