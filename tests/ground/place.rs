//! A folder of a test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A path of a test's own, where nothing is yet. What comes to be there goes with the test, and is kept when that fails.
pub(crate) struct Place(pub(crate) PathBuf);

impl Place {
    pub(crate) fn new(test: &str) -> Place {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{test}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        // A process of long ago may have had the same number.
        let _ = fs::remove_dir_all(&path);
        Place(path)
    }

    /// The same, where there is an empty folder.
    pub(crate) fn made(test: &str) -> Place {
        let place = Place::new(test);
        fs::create_dir_all(&place.0).unwrap();
        place
    }

    /// A file of it, with this in it.
    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(&self.0).unwrap();
        // A process may just be reading it.
        let next = self.0.join(format!("{name}.next"));
        fs::write(&next, text).unwrap();
        fs::rename(next, &path).unwrap();
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("all of it is kept: {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
