//! The program, as somebody runs it at a command line.

use std::ffi::OsStr;
use std::process::{Command, Output};

use serde_json::Value;

/// A command of the program.
pub(crate) fn lockstep(words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command.args(words);
    command
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Runs a command to its end.
    pub(crate) fn by(command: &mut Command) -> Said {
        Said::of(command.output().unwrap())
    }

    pub(crate) fn of(output: Output) -> Said {
        let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert!(!err.contains("panicked"), "{err}");
        Said { code: output.status.code(), out, err }
    }

    /// All of it.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// It has succeeded. Tells what it printed.
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.text());
        self.out
    }

    /// The same of what it printed as JSON.
    pub(crate) fn told(self) -> Value {
        let out = self.done();
        serde_json::from_str(&out).unwrap_or_else(|why| panic!("{why}: {out}"))
    }
}
