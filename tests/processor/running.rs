//! The processor of a site as a process of its own.

use std::path::PathBuf;

pub(crate) use crate::process::Process;
use crate::site::Site;

const FURTHER: &str = "[processor]\ncommit_interval_ms = 20\n[ops]\nlisten = \"127.0.0.1:0\"\n";

/// The configuration of a site.
pub(crate) fn config(site: &Site) -> PathBuf {
    site.configure("lockstep", FURTHER)
}

impl Process {
    /// Starts the processor of a site, with this in its environment.
    pub(crate) fn of(site: &Site, name: &str, env: &[(&str, &str)]) -> Process {
        let config = config(site);
        let arguments = site.arguments(&config, "processor");
        Process::run(&site.place.0, name, arguments, env.iter().copied())
    }
}
