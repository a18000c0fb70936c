//! Folders that are made for a while.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;

use super::output;

/// What is made for a while is called so: after what it is for, and unlike all others. In containers ids of processes are the
/// same again and again.
///
/// # Errors
/// The clock is not set.
pub(super) fn own_name(what: &str) -> anyhow::Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock stands before 1970")?;
    Ok(format!("{what}-{}-{}", std::process::id(), now.as_millis()))
}

/// A folder that nobody else may look into. It goes with this, unless it is to stay.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) stays: bool,
}

impl Folder {
    /// The one that was named, which is made if it is not there, and stays.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn named(path: &Path) -> anyhow::Result<Folder> {
        Folder::make(path, true)
    }

    /// A new one among the temporary files, which goes.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn temporary(what: &str) -> anyhow::Result<Folder> {
        let all = std::env::temp_dir();
        fs::create_dir_all(&all).with_context(|| format!("making {}", all.display()))?;
        Folder::make(&all.join(format!("lockstep-{}", own_name(what)?)), false)
    }

    fn make(path: &Path, is_named: bool) -> anyhow::Result<Folder> {
        let mut builder = DirBuilder::new();
        let made = builder.mode(0o700).recursive(is_named).create(path);
        made.with_context(|| format!("making {}", path.display()))?;
        let path = fs::canonicalize(path).with_context(|| format!("finding {}", path.display()))?;
        Ok(Folder { path, stays: is_named })
    }

    /// Where a file of it is.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file that is not there yet, and that nobody else may read.
    ///
    /// # Errors
    /// It is there, or it cannot be written.
    pub(super) fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.file(name);
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        opened
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .with_context(|| format!("writing {}", path.display()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.stays {
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.path) {
            output::aside(&format!("{} could not be deleted: {error}\n", self.path.display()));
        }
    }
}
