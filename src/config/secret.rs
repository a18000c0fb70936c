//! Secrets: where they come from is shown, what they are never is.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::raw::RawSecret;
use crate::document::{Field, Mistakes, Place, Placed};

/// A secret file larger than this is none.
const SIZE_BYTES_MAX: u64 = 64 << 10;

/// Where a secret comes from; serialized as it is written in a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum SecretOrigin {
    /// A file that holds only the secret.
    #[serde(rename = "secret_file")]
    File(PathBuf),
    /// An environment variable.
    #[serde(rename = "secret_env")]
    Env(String),
}

/// A secret, held so that neither `Debug` nor serialization shows it.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Secret {
    /// Where it comes from.
    pub origin: SecretOrigin,
    #[serde(skip)]
    value: SecretString,
}

impl Secret {
    /// The secret itself, for the one call that sends it.
    pub fn expose(&self) -> &str {
        self.value.expose_secret()
    }
}

/// Where secrets are looked up. A test gives its own environment.
pub struct SecretStore<'s> {
    /// The folder that relative paths are taken from: the configuration's.
    pub folder: &'s Path,
    /// An environment variable's value.
    pub env: &'s dyn Fn(&str) -> Option<OsString>,
}

impl SecretStore<'_> {
    pub(super) fn find(&self, key: &str, raw: Placed<RawSecret>, mistakes: &mut Mistakes) -> Option<Secret> {
        let Placed { place, value: raw } = raw;
        if matches!(raw.secret_file, Field::Wrong) || matches!(raw.secret_env, Field::Wrong) {
            return None;
        }
        let origin = match (raw.secret_file.into_given(), raw.secret_env.into_given()) {
            (Some(path), None) => SecretOrigin::File(self.path(&path.value)),
            (None, Some(name)) => SecretOrigin::Env(name.value),
            (Some(_), Some(_)) => {
                mistakes
                    .error(place, "secret", format!("`{key}` has both `secret_file` and `secret_env`"))
                    .mend("keep one of them");
                return None;
            }
            (None, None) => {
                let mend =
                    format!("write {key} = {{ secret_file = \"PATH\" }} or {{ secret_env = \"NAME\" }}");
                mistakes
                    .error(place, "secret", format!("`{key}` does not say where the secret is"))
                    .mend(mend);
                return None;
            }
        };
        let found = match &origin {
            SecretOrigin::File(path) => read(path),
            SecretOrigin::Env(name) => self.variable(name),
        };
        match found {
            Ok(text) if text.trim().is_empty() => {
                mistakes
                    .error(place, "secret", format!("the secret for `{key}` is empty"))
                    .mend("put the secret, and nothing else, where the configuration points");
                None
            }
            Ok(text) => {
                if let SecretOrigin::File(path) = &origin {
                    warn_if_open(path, place, mistakes);
                }
                Some(Secret { origin, value: text.trim_end_matches(['\r', '\n']).into() })
            }
            Err((what, mend)) => {
                mistakes.error(place, "secret", format!("`{key}`: {what}")).mend(mend);
                None
            }
        }
    }

    /// The path of a file that is no secret, such as a certificate, once it is known that it can be read.
    pub(super) fn file(&self, key: &str, text: Placed<String>, mistakes: &mut Mistakes) -> Option<PathBuf> {
        let path = self.path(&text.value);
        let mut wrong = |what: String| {
            mistakes.error(text.place, "file", what).mend(
                "name a file that this user may read (a path is taken from the folder of the configuration)",
            );
        };
        match path.metadata() {
            Ok(found) if !found.is_file() => wrong(format!("what `{key}` names is not a file")),
            found => match found.and_then(|_| File::open(&path)) {
                Ok(_) => return Some(path),
                Err(e) => wrong(format!("cannot read the file that `{key}` names: {e}")),
            },
        }
        None
    }

    /// A path as it is written, taken from the folder of the configuration.
    pub(super) fn path(&self, written: &str) -> PathBuf {
        let path = self.folder.join(written);
        std::path::absolute(&path).unwrap_or(path)
    }

    /// A variable's text, or what is wrong and how to mend it: never its name, which may be the secret itself.
    fn variable(&self, name: &str) -> Result<String, (String, String)> {
        let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(letter) {
            let mend = "write the name of a variable; if this is the secret itself, put it in a file and name that in `secret_file`";
            return Err((
                "`secret_env` is not the name of an environment variable".to_owned(),
                mend.to_owned(),
            ));
        }
        let Some(text) = (self.env)(name) else {
            let mend = "export it before Lockstep starts, or use `secret_file`".to_owned();
            return Err(("the environment variable that `secret_env` names is not set".to_owned(), mend));
        };
        text.into_string().map_err(|_| {
            (
                "the environment variable is not UTF-8 text".to_owned(),
                "set it to the secret, as text".to_owned(),
            )
        })
    }
}

/// The text of a secret file, or what is wrong with it and how to mend it: never its path, which may be the
/// secret itself.
fn read(path: &Path) -> Result<String, (String, String)> {
    let failed = |e: std::io::Error| {
        let mend = "name a file that this user may read (a path is taken from the folder of the configuration), or use `secret_env`";
        (format!("cannot read the file that `secret_file` names: {e}"), mend.to_owned())
    };
    let unfit = |why: &str| {
        let mend = "name a file that holds only the secret, as text".to_owned();
        (format!("what `secret_file` names {why}"), mend)
    };
    if !path.metadata().map_err(failed)?.is_file() {
        return Err(unfit("is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(SIZE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > SIZE_BYTES_MAX {
        return Err(unfit("is larger than 64 KiB"));
    }
    String::from_utf8(bytes).map_err(|_| unfit("is not UTF-8 text"))
}

/// Warns of a file with a secret that other users can read.
pub(super) fn warn_if_open(path: &Path, place: Place, mistakes: &mut Mistakes) {
    use std::os::unix::fs::PermissionsExt;
    let open = path.metadata().is_ok_and(|m| m.permissions().mode() & 0o077 != 0);
    if open {
        let shown = path.display();
        mistakes
            .warning(place, "secret-file-mode", format!("other users of this machine can read {shown}"))
            .mend(format!("chmod 600 {shown}"));
    }
}
