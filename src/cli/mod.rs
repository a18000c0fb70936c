//! The command line: a file for each command, and the only place where everything meets.

mod bench;
mod check;
mod config;
mod copy;
mod demo;
mod deployment;
mod directory;
mod files;
mod folder;
mod login;
mod operator;
mod org;
mod output;
mod process;
mod report;
mod rules;
mod run;
mod runtime;
mod signals;
mod simulate;
mod simulated;
mod tenant;
mod topics;
mod unwatched;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use output::Outcome;

/// The part of `--help` that is the same for every command.
const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed, or the file has errors
  2  wrong usage
  3  the identity is in use by another process";

/// Keeps every contact-centre agent's presence the same in Salesforce Omni-Channel and NICE CXone.
#[derive(Parser)]
#[command(name = "lockstep", version, max_term_width = 100, after_help = EXIT_CODES, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// See two simulated platforms kept in step, with people who behave, in one command
    #[command(after_help = "\
Everything is on this machine and in one folder: a simulated Salesforce and a simulated CXone over
their real protocols, people with their browsers, and Lockstep between them as an operator runs it.
On a terminal it is a live table: choose somebody, change his status on either side, let something go
wrong and watch it heal. Elsewhere it is plain lines. Ctrl-C ends it with a summary; again, at once.
With --for both sides come to rest in the end, 180 s at most. The exit code is 0 when both platforms
then show the same of everybody, by what they say themselves, and nothing was lost.

Examples:
  lockstep demo
  lockstep demo --agents 500 --for 20s --faults hell --json
  lockstep demo --for 1m --seed 7 --data ./look        # leaves its log and what processes said
  lockstep demo --bus kafka --split                    # at KAFKA_BOOTSTRAP_SERVERS, three processes")]
    Demo(Box<demo::Demo>),
    /// Begin, look at and describe a configuration
    #[command(subcommand)]
    Config(config::Config),
    /// Log in to a platform as a person, and try a log-in
    #[command(subcommand)]
    Login(login::Login),
    /// Check presence rules before they can hurt, save them, and put them into force
    #[command(subcommand)]
    Rules(rules::Rules),
    /// Say who is who
    #[command(subcommand)]
    Directory(directory::Directory),
    /// Make and check the topics
    #[command(subcommand)]
    Topics(topics::Topics),
    /// Look whether everything is there and fits together, and say what to do
    #[command(after_help = "\
Nothing is changed anywhere. Each row is ok, a warning, failed or unknown, with what to do. What
could not be asked because something else failed is unknown. The exit code is 1 where something
failed, and 0 with warnings alone.

Calls are made at a tenth of each account's rate, beside those of `lockstep run`. With --agents N
only N linked users of each org are asked for; agents of CXone are listed all the same.

Examples:
  lockstep check
  lockstep check --json | jq '.checks[] | select(.result == \"failed\")'
  lockstep check --data ./site --agents 500")]
    Check(check::Check),
    /// Move a deployment between Kafka and a directory, with its history and its states
    Copy(copy::Copy),
    /// Run Lockstep: everything, or some of its roles
    Run(run::Run),
    /// Run platforms that are none: histories through the engine, or servers that speak a platform's protocol
    #[command(subcommand)]
    Simulate(simulate::Simulate),
    /// Measure how fast Lockstep is on this machine
    #[command(subcommand)]
    Bench(bench::Bench),
}

/// Runs the command that the arguments name.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Demo(command) => demo::run(&command),
        Command::Config(command) => config::run(command),
        Command::Login(command) => login::run(command),
        Command::Rules(command) => rules::run(command),
        Command::Directory(command) => directory::run(command),
        Command::Topics(command) => topics::run(command),
        Command::Check(command) => check::run(&command),
        Command::Copy(command) => copy::run(&command),
        Command::Run(command) => run::run(&command),
        Command::Simulate(command) => simulate::run(command),
        Command::Bench(command) => bench::run(command),
    };
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::from(1),
        Err(e) => {
            output::error(&e);
            ExitCode::from(if is_fenced(&e) { 3 } else { 1 })
        }
    }
}

/// Whether another process has the identity that this one should have.
fn is_fenced(error: &anyhow::Error) -> bool {
    use lockstep::{bus, connectors, control, copy, processor};
    error.chain().any(|cause| {
        let of_bus = cause.downcast_ref::<bus::Error>();
        let of_processor = cause.downcast_ref::<processor::Error>().and_then(|error| match error {
            processor::Error::Bus(error) => Some(error),
            _ => None,
        });
        let of_connector = cause.downcast_ref::<connectors::Error>().and_then(|error| match error {
            connectors::Error::Bus(error) => Some(error),
            _ => None,
        });
        let of_control = cause.downcast_ref::<control::Error>().and_then(|error| match error {
            control::Error::Bus(error) => Some(error),
            _ => None,
        });
        let of_copy = cause.downcast_ref::<copy::Error>().and_then(|error| match error {
            copy::Error::Bus(error) => Some(error),
            _ => None,
        });
        let error = of_bus.or(of_processor).or(of_connector).or(of_control).or(of_copy);
        matches!(error, Some(bus::Error::Fenced { .. } | bus::Error::Owned { .. }))
    })
}
