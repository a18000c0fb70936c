//! The file in which a refresh token is kept. Only who runs Lockstep can read it, and it is replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use secrecy::{ExposeSecret, SecretString};

use super::error::Error;

/// A larger file is none with a token.
const SIZE_BYTES_MAX: u64 = 64 << 10;

/// A file in which a refresh token is kept.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    /// One that Salesforce gave and that could not be written: the one in the file is none any more.
    unwritten: Mutex<Option<SecretString>>,
}

impl TokenFile {
    /// The file at this path, which need not be there yet.
    pub const fn new(path: PathBuf) -> TokenFile {
        TokenFile { path, unwritten: Mutex::new(None) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn unwritten(&self) -> MutexGuard<'_, Option<SecretString>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, what: &'static str, why: impl Into<String>) -> Error {
        Error::TokenFile { path: self.path.clone(), what, why: why.into() }
    }

    /// The token.
    ///
    /// # Errors
    /// There is none yet, others can read the file, or it cannot be read.
    pub fn read(&self) -> Result<SecretString, Error> {
        if let Some(token) = &*self.unwritten() {
            return Ok(token.clone());
        }
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => {
                self.error("read", "there is none yet: get it with `lockstep login salesforce ACCOUNT`")
            }
            _ => self.error("read", error.to_string()),
        };
        let file = File::open(&self.path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        if found.permissions().mode() & 0o077 != 0 {
            let mend = format!("other users of this machine can read it: chmod 600 {}", self.path.display());
            return Err(self.error("read", mend));
        }
        let mut text = String::new();
        file.take(SIZE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
        let token = text.trim();
        if token.is_empty() || token.contains(char::is_whitespace) {
            return Err(
                self.error("read", "it is no token: get one with `lockstep login salesforce ACCOUNT`")
            );
        }
        Ok(SecretString::from(token))
    }

    /// Puts another token in place of the one there is. Whoever reads meanwhile has the old one or the new one.
    ///
    /// # Errors
    /// It cannot be written; this process goes on with it all the same.
    pub fn write(&self, token: &SecretString) -> Result<(), Error> {
        *self.unwritten() = Some(token.clone());
        self.replace(token).map_err(|error| self.error("written", error.to_string()))?;
        *self.unwritten() = None;
        Ok(())
    }

    /// The one that could not be written is refused: that in the file may be newer.
    pub(super) fn forget(&self) {
        *self.unwritten() = None;
    }

    fn replace(&self, token: &SecretString) -> io::Result<()> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let name = self.path.file_name().ok_or_else(|| io::Error::other("it names no file"))?;
        let beside = folder.join(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
        // One that was left behind by a process of this number is nobody's.
        let _ = fs::remove_file(&beside);
        let written = write_new(&beside, token).and_then(|()| fs::rename(&beside, &self.path));
        if written.is_err() {
            let _ = fs::remove_file(&beside);
            return written;
        }
        // The name lasts once its folder is on disk.
        File::open(folder)?.sync_all()
    }
}

fn write_new(path: &Path, token: &SecretString) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(token.expose_secret().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let folder = std::env::temp_dir().join(format!("lockstep-token-{}-{name}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Folder(folder)
        }

        fn file(&self) -> TokenFile {
            TokenFile::new(self.0.join("main.token"))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_token_is_kept_for_its_owner_alone_and_replaced_as_a_whole() {
        let folder = Folder::new("kept");
        let file = folder.file();
        assert!(file.read().unwrap_err().to_string().contains("lockstep login salesforce"));
        for token in ["5Aep861.first", "5Aep861.second"] {
            file.write(&SecretString::from(token)).unwrap();
            assert_eq!(file.read().unwrap().expose_secret(), token);
            assert_eq!(file.path().metadata().unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "nothing is left beside it");
        }
    }

    #[test]
    fn what_others_can_read_or_is_no_token_is_not_used() {
        let folder = Folder::new("odd");
        let file = folder.file();
        file.write(&SecretString::from("token")).unwrap();
        for (mode, text, why) in [
            (0o640, "5Aep861", "chmod 600"),
            (0o604, "5Aep861", "chmod 600"),
            (0o600, " \n", "it is no token"),
            (0o600, "5Aep861 5Aep861", "it is no token"),
        ] {
            fs::write(file.path(), text).unwrap();
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            let error = file.read().unwrap_err();
            assert!(error.to_string().contains(why) && error.is_log_in(), "{error}");
            assert!(!error.to_string().contains("5Aep"), "{error}");
        }
    }

    /// The old one is none any more, so the new one must not be lost while the process runs.
    #[test]
    fn one_that_cannot_be_written_is_used_all_the_same() {
        let folder = Folder::new("unwritten");
        let file = TokenFile::new(folder.0.join("gone").join("main.token"));
        let error = file.write(&SecretString::from("5Aep861.new")).unwrap_err();
        assert!(error.to_string().contains("written") && !error.to_string().contains("5Aep"), "{error}");
        assert_eq!(file.read().unwrap().expose_secret(), "5Aep861.new");
    }
}
