//! Processes of this very program that a command of it starts.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

/// So many lines of what a process has said are its last ones.
const LAST_LINES: usize = 5;

/// This program, for a process of its own: on a core, by `taskset` of util-linux, where one is named.
///
/// # Errors
/// The system does not tell where it is.
pub(super) fn this_program(core: Option<u32>) -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("this program's own file is not told")?;
    Ok(match core {
        None => Command::new(program),
        Some(core) => {
            let mut taskset = Command::new("taskset");
            taskset.args(["-c", &core.to_string()]).arg(program);
            taskset
        }
    })
}

/// Memory that a process has resident (`VmRSS:`), or ever had (`VmHWM:`); this one is called `self`. None where the system does not
/// tell, as when it has ended.
pub(super) fn memory_kib(process: &str, which: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(which))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What a process has said last, by its log.
pub(super) fn last_lines(log: &Path, between: &str) -> String {
    let said = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = said.lines().collect();
    lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default().join(between)
}
