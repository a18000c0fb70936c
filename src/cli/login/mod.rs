//! `lockstep login`.

mod salesforce;

use clap::Subcommand;

use super::output::Outcome;

#[derive(Subcommand)]
pub(super) enum Login {
    /// Log in to an org in a browser and keep what comes of it, or try whether its log-in works
    #[command(after_help = "\
With `refresh_token_file` a person allows the app in a browser, as the integration user. The browser
comes back to http://localhost:PORT/callback, which must be a callback url of the app. The refresh
token goes into the file, which only this user can read, and is shown nowhere. Then, and with every
other way to log in, the log-in is tried. docs/salesforce.md says what to set up.

Examples:
  lockstep login salesforce main
  lockstep login salesforce main --no-browser --port 9000")]
    Salesforce(salesforce::Salesforce),
}

pub(super) fn run(command: Login) -> anyhow::Result<Outcome> {
    match command {
        Login::Salesforce(command) => salesforce::run(&command),
    }
}
