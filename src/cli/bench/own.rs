//! A deployment of a benchmark's own beside the one that is configured, which goes with it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use clap::{Args, ValueEnum};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;

use lockstep::bus::TopicName;

use crate::cli::deployment::{self, Configured, Deployment};
use crate::cli::folder::{Folder, own_name};
use crate::cli::{output, runtime};

/// What is measured.
#[derive(Args)]
pub(super) struct Measured {
    #[command(flatten)]
    configured: Configured,
    /// What keeps the bus: Kafka, or a directory; default: a directory where --data names one. One that is not named is made
    /// among the temporary files
    #[arg(long, value_enum)]
    bus: Option<Keeper>,
}

/// What keeps a bus.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Keeper {
    Kafka,
    Embedded,
}

impl Measured {
    /// Which deployment that is.
    pub(super) fn configured(&self) -> anyhow::Result<Configured> {
        let Configured { config, data } = self.configured.clone();
        let data = match (self.bus, data) {
            (Some(Keeper::Kafka), Some(_)) => {
                anyhow::bail!("--bus kafka and --data exclude each other: leave one of them out")
            }
            (Some(Keeper::Embedded), None) => Some(std::env::temp_dir()),
            (_, data) => data,
        };
        Ok(Configured { config, data })
    }
}

/// The same cluster with a prefix of its own, or a directory in the one that was named.
pub(super) fn deployment(configured: &Configured) -> anyhow::Result<Deployment> {
    let mut deployment = configured.load()?;
    let name = own_name("bench")?;
    let bus = &mut deployment.config.bus;
    bus.prefix = format!("{}.{name}", bus.prefix);
    deployment.data = deployment.data.map(|data| data.join(name));
    Ok(deployment)
}

/// One in a folder among the temporary files, with which it goes.
pub(super) fn temporary() -> anyhow::Result<(Deployment, Folder)> {
    let folder = Folder::temporary("bench")?;
    let deployment = Configured { config: None, data: Some(folder.file("log")) }.load()?;
    Ok((deployment, folder))
}

/// What its directory takes on the disk; none on a cluster.
pub(super) fn disk_bytes(deployment: &Deployment) -> Option<u64> {
    folder_bytes(deployment.data.as_ref()?).ok()
}

fn folder_bytes(folder: &Path) -> std::io::Result<u64> {
    const BLOCK_BYTES: u64 = 512;
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let known = entry.metadata()?;
        bytes += if known.is_dir() { folder_bytes(&entry.path())? } else { known.blocks() * BLOCK_BYTES };
    }
    Ok(bytes)
}

/// Deletes what was made of it; where that fails, it is said.
pub(super) fn delete(deployment: &Deployment, topics: &[TopicName]) {
    let gone = match &deployment.data {
        Some(data) => std::fs::remove_dir_all(data).map_err(anyhow::Error::from),
        None => delete_topics(&deployment::connection(&deployment.config.bus).common(), topics),
    };
    if let Err(error) = gone {
        output::aside(&format!(
            "the topics {}.* could not be deleted: {error:#}\n",
            deployment.config.bus.prefix
        ));
    }
}

/// Deletes topics of a cluster.
pub(in crate::cli) fn delete_topics(properties: &ClientConfig, names: &[TopicName]) -> anyhow::Result<()> {
    let names: Vec<&str> = names.iter().map(TopicName::as_str).collect();
    let admin: AdminClient<DefaultClientContext> = properties.create()?;
    let runtime = runtime::here("ask Kafka")?;
    for deleted in runtime.block_on(admin.delete_topics(&names, &AdminOptions::new()))? {
        deleted.map_err(|(topic, code)| anyhow::anyhow!("{topic}: {code}"))?;
    }
    Ok(())
}
