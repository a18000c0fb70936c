//! Secrets: where they come from is shown, what they are never is.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::raw::RawSecret;
use crate::document::{Mistakes, Place, Placed, quoted};

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
    pub env: &'s dyn Fn(&str) -> Option<String>,
}

impl SecretStore<'_> {
    pub(super) fn find(&self, key: &str, raw: Placed<RawSecret>, mistakes: &mut Mistakes) -> Option<Secret> {
        let Placed { place, value: raw } = raw;
        let origin = match (raw.secret_file.into_given(), raw.secret_env.into_given()) {
            (Some(path), None) => SecretOrigin::File(self.folder.join(path.value)),
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
            SecretOrigin::Env(name) => (self.env)(name).ok_or_else(|| {
                (format!("the environment variable {} is not set", quoted(name)), format!("export {name}"))
            }),
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
                mistakes.error(place, "secret", what).mend(mend);
                None
            }
        }
    }
}

/// The text of a secret file, or what is wrong with it and how to mend it.
fn read(path: &Path) -> Result<String, (String, String)> {
    let shown = path.display();
    let failed = |e: std::io::Error| {
        let mend = "name a file that this user may read, or use `secret_env`".to_owned();
        (format!("cannot read the secret file {shown}: {e}"), mend)
    };
    let unfit = |why: &str| {
        let mend = "name a file that holds only the secret, as text".to_owned();
        (format!("the secret file {shown} {why}"), mend)
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

fn warn_if_open(path: &Path, place: Place, mistakes: &mut Mistakes) {
    use std::os::unix::fs::PermissionsExt;
    let open = path.metadata().is_ok_and(|m| m.permissions().mode() & 0o077 != 0);
    if open {
        let shown = path.display();
        mistakes
            .warning(place, "secret-file-mode", format!("other users of this machine can read {shown}"))
            .mend(format!("chmod 600 {shown}"));
    }
}
