//! The good configuration with its files in a folder, and what the program says to another one in its place.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use crate::place::Place;
use crate::program::{Said, lockstep};

/// A secret that must appear in no message.
pub(crate) const CANARY: &str = "canary-5f1e-hunter2";
/// The configuration that is good.
pub(crate) const GOOD: &str = include_str!("good.toml");
/// The file that is read.
pub(crate) const FILE: &str = "wrong.toml";
/// A command that waits for nobody is over by then.
const SOON: Duration = Duration::from_secs(1);
/// A machine that is busy with something else may be slow for a moment, and not so often.
const TRIES: u32 = 3;

/// A folder with what the configuration names, gone with the test.
pub(crate) struct Ground(Place);

/// A mistake of which it told, with what to write instead.
#[derive(Debug)]
pub(crate) struct Told<'s> {
    pub(crate) line: usize,
    pub(crate) what: &'s str,
    pub(crate) mend: &'s str,
}

impl Ground {
    pub(crate) fn new(test: &str) -> Ground {
        let ground = Ground(Place::new(&format!("configuration-{test}")));
        fs::create_dir_all(ground.0.0.join("files")).unwrap();
        let key = format!("-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n");
        ground.file("private.key", 0o600, key.as_bytes());
        ground.file("canary.secret", 0o600, format!("{CANARY}\n").as_bytes());
        ground.file("own.key", 0o600, CANARY.as_bytes());
        ground.file("trial.token", 0o600, CANARY.as_bytes());
        ground.file("own.pem", 0o644, b"");
        ground.file("ca.pem", 0o644, b"");
        ground.file("bytes.secret", 0o600, &[0xff, 0xfe]);
        ground.file("large.secret", 0o600, &[b'x'; (64 << 10) + 1]);
        ground
    }

    /// Writes a file that a configuration can name as `files/NAME`.
    pub(crate) fn file(&self, name: &str, mode: u32, bytes: &[u8]) {
        let path = self.0.0.join("files").join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }

    /// What the program says to a configuration, within a second.
    pub(crate) fn says(&self, words: &[&str], configuration: &str) -> Said {
        self.0.file(FILE, configuration);
        for _ in 0..TRIES {
            let begun = Instant::now();
            let mut program = lockstep(words);
            program.args(["--config", FILE]).current_dir(&self.0.0);
            program.envs([("CANARY", CANARY), ("EMPTY", " \n")]).env_remove("UNSET");
            let said = Said::by(&mut program);
            if begun.elapsed() < SOON {
                return said;
            }
        }
        panic!("{words:?} takes longer than {SOON:?} with\n{configuration}");
    }

    /// The same for one that nobody can use: the program says so and where, shows no secret, and does nothing.
    pub(crate) fn refuses(&self, words: &[&str], configuration: &str) -> Said {
        let said = self.says(words, configuration);
        assert_eq!(said.code, Some(1), "{said:#?}\n{configuration}");
        assert!(!said.out.contains(CANARY) && !said.err.contains(CANARY), "a secret is shown: {said:#?}");
        assert_eq!(said.out, "", "{said:#?}");
        let last = said.err.lines().last().unwrap_or_default();
        assert!(last.starts_with(&format!("error: {FILE} cannot be used: ")), "{said:#?}");
        assert!(!said.mistakes().is_empty(), "{said:#?}");
        said
    }
}

impl Said {
    /// The errors of which it told; each says what to write instead.
    pub(crate) fn mistakes(&self) -> Vec<Told<'_>> {
        let mut told = Vec::new();
        let mut lines = self.err.lines().peekable();
        while let Some(line) = lines.next() {
            let place = line.strip_prefix(FILE).and_then(|rest| rest.strip_prefix(':'));
            let Some((place, what)) = place.and_then(|rest| rest.split_once(": error: ")) else { continue };
            let line = place.split(':').next().unwrap().parse().unwrap();
            let mend = lines.next_if(|next| next.starts_with("    mend: "));
            let mend = mend.unwrap_or_else(|| panic!("nothing says what to write instead: {self:#?}"));
            told.push(Told { line, what, mend });
        }
        told
    }
}

/// The good configuration with lines in place of one, which is counted from 1.
pub(crate) fn with_line(line: usize, instead: &str) -> String {
    let lines = GOOD.lines().enumerate().map(|(i, good)| if i + 1 == line { instead } else { good });
    lines.collect::<Vec<_>>().join("\n")
}
