//! `lockstep`: arguments in, an exit code out. Errors are one readable chain on stderr.

use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    cli::main()
}
