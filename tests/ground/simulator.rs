//! A simulator as a process of its own.

use std::path::Path;

use serde_json::Value;

use crate::process::Process;
use crate::program::lockstep;

/// The simulator that these words of the program start, at ports that are free, and what it tells of itself.
pub(crate) fn simulator(folder: &Path, words: &[impl AsRef<str>]) -> (Process, Value) {
    let mut program = lockstep(words.iter().map(AsRef::as_ref));
    program.args(["--json", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]);
    let process = Process::start(&mut program, "simulator", folder);
    let told = process.comes_to("it tells where it is", || {
        serde_json::Deserializer::from_str(&process.said()).into_iter().next()?.ok()
    });
    (process, told)
}
