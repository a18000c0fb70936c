//! The processor of a site as a process of its own.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::PathBuf;

pub(crate) use crate::child::Process;
use crate::ground::{Brokers, Ground};
use crate::site::Site;

/// The configuration of a site, in a folder of its own.
pub(crate) fn config(site: &Site) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(&site.plan.prefix);
    fs::create_dir_all(&folder).unwrap();
    let config = folder.join("lockstep.toml");
    let (prefix, partitions) = (&site.plan.prefix, site.plan.partitions);
    let servers = match &site.ground {
        Ground::Kafka(Brokers { servers, through, .. }) => through.as_ref().unwrap_or(servers),
        // None: what a directory holds needs no server.
        Ground::Directory(_) => "127.0.0.1:9",
    };
    let servers = servers.replace(',', "\", \"");
    let replicas = site.plan.replicas;
    let (factor, in_sync_min) = (replicas.replication_factor, replicas.in_sync_min);
    let text = format!(
        "[bus]\nbootstrap_servers = [\"{servers}\"]\nprefix = \"{prefix}\"\npartitions = {partitions}\nreplication_factor = {factor}\nmin_insync_replicas = {in_sync_min}\n[privacy]\nretention_days = 7\n[processor]\ncommit_interval_ms = 20\n[ops]\nlisten = \"127.0.0.1:0\"\n"
    );
    fs::write(&config, text).unwrap();
    config
}

impl Process {
    /// Starts the processor of a site, with this in its environment.
    pub(crate) fn start(site: &Site, name: &str, env: &[(&str, &str)]) -> Process {
        let config = config(site);
        let mut arguments: Vec<OsString> = ["--roles", "processor"].map(OsString::from).into();
        if let Ground::Directory(folder) = &site.ground {
            arguments.extend([OsStr::new("--data"), folder.path.as_os_str()].map(OsStr::to_owned));
        }
        Process::run(&config, name, arguments, env)
    }
}
