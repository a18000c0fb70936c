//! Lockstep itself: processes of this very program, as an operator runs them, which can be killed and started again.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

use super::site::Site;
use crate::cli::process::{last_lines, memory_kib};

/// The processes there are, by their names: one with every role, or three that share them.
pub(super) const NAMES: [&str; 3] = ["lockstep", "processor", "bridge"];
/// A process that was asked to stop has so long.
const STOP_WITHIN: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A process of Lockstep.
pub(super) struct Process {
    name: &'static str,
    roles: &'static str,
    child: Child,
    /// What it needed at most, over all its lives.
    needed: Needed,
    starts: u32,
    ended_by_itself: u32,
    is_reaped: bool,
}

/// What a process has needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Needed {
    pub(super) memory_kib_max: u64,
    pub(super) files_max: u64,
    /// Now, and when it was looked first after everybody had logged in: what is flat stays.
    pub(super) memory_kib: u64,
    pub(super) files: u64,
}

/// All processes of a demo.
pub(super) struct Processes {
    program: PathBuf,
    folder: PathBuf,
    data: Option<PathBuf>,
    all: Vec<Process>,
    next: usize,
}

impl Processes {
    /// None runs yet.
    pub(super) fn new(site: &Site) -> anyhow::Result<Processes> {
        let program = std::env::current_exe().context("this program's own file is not told")?;
        let (folder, data) = (site.folder.path.clone(), site.data.clone());
        Ok(Processes { program, folder, data, all: Vec::new(), next: 0 })
    }

    /// Starts every role: in one process, or in three.
    pub(super) fn start(&mut self, is_split: bool) -> anyhow::Result<()> {
        let roles: &[&'static str] = if is_split {
            &["source,sink", "processor", "bridge"]
        } else {
            &["source,processor,sink,bridge"]
        };
        for (name, roles) in NAMES.into_iter().zip(roles) {
            let child = self.spawn(name, roles)?;
            self.all.push(Process {
                name,
                roles,
                child,
                needed: Needed::default(),
                starts: 1,
                ended_by_itself: 0,
                is_reaped: false,
            });
        }
        Ok(())
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }

    fn spawn(&self, name: &str, roles: &str) -> anyhow::Result<Child> {
        let log =
            OpenOptions::new().create(true).append(true).open(self.log(name)).context("opening a log")?;
        let mut command = self.command(name, &["run", "--roles", roles, "--name", name, "--end-with-stdin"]);
        command.args(["--log-format", "text"]);
        // It has a way to notice that this process is gone, whatever ends it; and no Ctrl-C of the terminal.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).process_group(0);
        command.spawn().with_context(|| format!("starting {}", self.program.display()))
    }

    /// Another command of this program about the same deployment.
    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).arg("--config").arg(self.folder.join(format!("{name}.toml")));
        if let Some(data) = &self.data {
            command.arg("--data").arg(data);
        }
        command.envs(Site::secrets());
        // All of it is on this machine, whatever way others take out of it.
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
            command.env_remove(name);
        }
        command
    }

    /// What an operator does: a command that runs to its end.
    pub(super) fn operator(&self, arguments: &[&str]) -> Operator {
        let mut command = self.command(NAMES[0], arguments);
        command.stdin(Stdio::null());
        Operator { said: arguments.iter().take(2).map(OsString::from).collect(), command }
    }

    /// The same with a configuration that is a mistake.
    pub(super) fn mistaken(&self) -> Operator {
        let mut command = self.command("mistaken", &["run"]);
        command.stdin(Stdio::null());
        Operator { said: vec!["run".into(), "with a mistake".into()], command }
    }

    /// The name of the process whose turn it is.
    fn turn(&mut self) -> Option<&mut Process> {
        let place = self.next % self.all.len().max(1);
        self.next += 1;
        self.all.get_mut(place)
    }

    /// Ends one at once, as a power failure does, and starts it again. Each has its turn.
    pub(super) fn kill_one(&mut self) -> anyhow::Result<String> {
        let Some(process) = self.turn() else { anyhow::bail!("no process runs") };
        process.reap()?;
        process.child.kill().context("killing a process")?;
        process.child.wait().context("waiting for a process")?;
        let name = process.name;
        self.restart(name)
    }

    /// Ends all at once.
    pub(super) fn kill(&mut self) {
        for process in &mut self.all {
            // Who has ended is not there any more.
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }

    /// Asks one to stop, waits until it has, and starts it again.
    pub(super) fn restart_one(&mut self) -> anyhow::Result<String> {
        let Some(process) = self.turn() else { anyhow::bail!("no process runs") };
        process.reap()?;
        let (name, status) = (process.name, process.stop()?);
        if !is_clean(status) {
            process.ended_by_itself += 1;
        }
        self.restart(name)
    }

    /// Starts one again that has ended.
    pub(super) fn restart(&mut self, name: &str) -> anyhow::Result<String> {
        let roles = self.all.iter().find(|one| one.name == name).map_or("", |one| one.roles);
        let child = self.spawn(name, roles)?;
        if let Some(process) = self.all.iter_mut().find(|one| one.name == name) {
            process.child = child;
            process.starts += 1;
            process.is_reaped = false;
        }
        Ok(name.to_owned())
    }

    /// Who has ended without being asked, and how.
    pub(super) fn ended(&mut self) -> anyhow::Result<Option<(String, ExitStatus)>> {
        for process in &mut self.all {
            if let Some(status) = process.reap()? {
                return Ok(Some((process.name.to_owned(), status)));
            }
        }
        Ok(None)
    }

    /// How often one has.
    pub(super) fn ended_by_themselves(&self) -> u32 {
        self.all.iter().map(|process| process.ended_by_itself).sum()
    }

    /// Looks what they need at the moment.
    pub(super) fn look(&mut self) {
        self.all.iter_mut().for_each(Process::look);
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.all.iter().map(|process| process.name)
    }

    pub(super) fn needed(&self) -> impl Iterator<Item = (&'static str, Needed, u32)> {
        self.all.iter().map(|process| (process.name, process.needed, process.starts))
    }

    /// Asks all to stop, and waits until they have.
    pub(super) fn stop(&mut self) -> anyhow::Result<()> {
        self.look();
        let mut wrong = Vec::new();
        for process in &mut self.all {
            let status = process.stop()?;
            if !is_clean(status) {
                wrong.push(format!("{} ended with {status}", process.name));
            }
        }
        anyhow::ensure!(wrong.is_empty(), "{}; see {}", wrong.join(", "), self.folder.display());
        Ok(())
    }

    /// The last lines that a process has said.
    pub(super) fn last_words(&self, name: &str) -> String {
        last_lines(&self.log(name), "\n")
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether one ended as it should who was asked to: or was so young that he could not hear it yet.
fn is_clean(status: ExitStatus) -> bool {
    status.success() || status.signal() == Some(Signal::TERM.as_raw())
}

impl Process {
    /// Whether he has ended by himself, and how. It is counted once.
    fn reap(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        let ended = self.child.try_wait().context("looking after a process")?;
        if ended.is_some() && !self.is_reaped {
            self.is_reaped = true;
            self.ended_by_itself += 1;
        }
        Ok(ended)
    }

    fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            // One that has ended meanwhile has no need of it.
            let _ = kill_process(pid, Signal::TERM);
        }
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().context("waiting for a process")? {
                return Ok(status);
            }
            anyhow::ensure!(begun.elapsed() < STOP_WITHIN, "{} does not stop", self.name);
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    fn look(&mut self) {
        let (process, needed) = (self.child.id().to_string(), &mut self.needed);
        needed.memory_kib = memory_kib(&process, "VmRSS:").unwrap_or(needed.memory_kib);
        needed.memory_kib_max = needed.memory_kib_max.max(memory_kib(&process, "VmHWM:").unwrap_or(0));
        let files = std::fs::read_dir(format!("/proc/{process}/fd"));
        needed.files = files.map_or(needed.files, |all| all.count() as u64);
        needed.files_max = needed.files_max.max(needed.files);
    }
}

/// A command of an operator.
pub(super) struct Operator {
    said: Vec<OsString>,
    command: Command,
}

impl Operator {
    /// Runs it to its end. What it prints is told when it fails.
    pub(super) fn run(&mut self) -> anyhow::Result<()> {
        let done = self.command.output().context("running a command")?;
        let said = || self.said.join(std::ffi::OsStr::new(" ")).to_string_lossy().into_owned();
        anyhow::ensure!(
            done.status.success(),
            "`lockstep {}` failed ({}): {}",
            said(),
            done.status,
            String::from_utf8_lossy(&done.stderr).trim()
        );
        Ok(())
    }

    /// Runs it to its end, which has to be a refusal with exit code 1.
    pub(super) fn refused(&mut self) -> anyhow::Result<()> {
        let done = self.command.output().context("running a command")?;
        let said = String::from_utf8_lossy(&done.stderr);
        anyhow::ensure!(
            done.status.code() == Some(1) && said.contains("poll_interval_s"),
            "a mistaken configuration was not refused for its mistake: {} {said}",
            done.status
        );
        Ok(())
    }
}

/// Lets a process on this machine stand still, or go on.
pub(super) fn stand_still(pid: u32, is_still: bool) -> anyhow::Result<()> {
    let known = Pid::from_raw(pid.cast_signed()).context("0 is no process")?;
    let signal = if is_still { Signal::STOP } else { Signal::CONT };
    kill_process(known, signal).with_context(|| format!("process {pid} of a broker"))
}
