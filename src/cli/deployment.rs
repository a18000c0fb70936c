//! Which deployment a command is about, and the way to it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use lockstep::bus::embedded::{Embedded, Fsync, Settings};
use lockstep::bus::kafka::{ClientCertificate, Connection, Kafka, Sasl, Tls};
use lockstep::bus::{Any, AnyBus, Bus, Found, Replicas, Topic, TopicsPlan};
use lockstep::codec::{Codec, Credentials, Registry};
use lockstep::config::{self, Config, Property, SecretStore};
use lockstep::document::{Document, Error, Mistakes, Syntax};
use secrecy::SecretString;

use super::{output, report, runtime};

/// The file that is read where none is named.
const FILE: &str = "lockstep.toml";
/// After the prefix, the name of the topic that there is in every deployment.
const EVENTS: &str = ".events";
/// For so long another process may own a directory before one that wants to run with it gives up.
const OWNED_FOR_A_MOMENT: Duration = Duration::from_secs(3);

/// Which deployment a command is about.
#[derive(Args, Clone)]
pub(super) struct Configured {
    /// The configuration; default: lockstep.toml
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// A directory that holds everything, on this machine alone and without a Kafka; no configuration is needed, and of one
    /// that is named only the rest holds
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
}

impl Configured {
    fn file(&self) -> &Path {
        self.config.as_deref().unwrap_or(Path::new(FILE))
    }

    /// The file as it is written.
    pub(super) fn document(&self) -> anyhow::Result<Document> {
        if self.data.is_some() && self.config.is_none() {
            return Ok(Document::new("the configuration of --data", "", Syntax::Toml));
        }
        match Document::open(self.file()) {
            Err(Error::Io { path, source }) if source.kind() == ErrorKind::NotFound => {
                let path = path.display();
                anyhow::bail!(
                    "there is no {path}: begin one with `lockstep config init --out {path}`, or name yours with --config; or with --data a directory, where there is no Kafka"
                )
            }
            opened => Ok(opened?),
        }
    }

    /// What it resolves to, with every mistake in it.
    pub(super) fn read(&self, document: &Document) -> (Option<Config>, Mistakes) {
        self.read_with(document, &[])
    }

    fn read_with(&self, document: &Document, env: &[(&str, String)]) -> (Option<Config>, Mistakes) {
        let folder = self.file().parent().unwrap_or(Path::new(""));
        let env = |name: &str| {
            let given = env.iter().find(|(known, _)| *known == name);
            given.map(|(_, value)| value.into()).or_else(|| std::env::var_os(name))
        };
        let mut mistakes = Mistakes::new();
        let config = Config::read(document, &SecretStore { folder, env: &env }, &mut mistakes);
        (config, mistakes)
    }

    /// What it resolves to. Mistakes are printed beside the result.
    ///
    /// # Errors
    /// It cannot be used.
    pub(super) fn load(&self) -> anyhow::Result<Deployment> {
        self.load_with(&[])
    }

    /// The same with these variables, as if they were in the environment.
    ///
    /// # Errors
    /// It cannot be used.
    pub(super) fn load_with(&self, env: &[(&str, String)]) -> anyhow::Result<Deployment> {
        let document = self.document()?;
        let (config, mistakes) = self.read_with(&document, env);
        output::aside(&report::text(&document, &mistakes));
        let config = config.ok_or_else(|| {
            let count = report::count(mistakes.errors(), mistakes.warnings());
            anyhow::anyhow!("{} cannot be used: {count}", document.name())
        })?;
        Ok(Deployment { config, data: self.data.clone(), is_configured: self.config.is_some() })
    }
}

/// A deployment: its configuration, and the directory that holds everything, where it has no Kafka.
pub(super) struct Deployment {
    pub(super) config: Config,
    pub(super) data: Option<PathBuf>,
    /// Whether somebody has written the configuration.
    pub(super) is_configured: bool,
}

impl Deployment {
    /// Reaches its bus, which may be another process's.
    pub(super) fn bus(&self) -> anyhow::Result<AnyBus> {
        Ok(match &self.data {
            Some(path) => Any::Embedded(Embedded::open(path, settings(&self.config.data))?),
            None => Any::Kafka(Kafka::connect(connection(&self.config.bus))?),
        })
    }

    /// That there is something to read. Who only reads makes no directory: a name with a mistake in it would be a new deployment.
    ///
    /// # Errors
    /// It is to be in a directory that nobody has made yet.
    pub(super) fn is_there(&self) -> anyhow::Result<()> {
        let Some(path) = &self.data else { return Ok(()) };
        anyhow::ensure!(
            Embedded::is_at(path)?,
            "{} is no directory that Lockstep has made: name the one that `lockstep run --data` has (`run`, `topics create`, `directory import`, `directory refresh`, `rules apply` and `copy --to` make one)",
            path.display()
        );
        Ok(())
    }

    /// Its bus, for a look that changes nothing, and is soon over.
    ///
    /// # Errors
    /// It is not reached.
    pub(super) fn bus_to_look(&self) -> anyhow::Result<AnyBus> {
        match &self.data {
            Some(path) => Ok(Any::Embedded(Embedded::look(path, settings(&self.config.data))?)),
            None => self.bus(),
        }
    }

    /// Its bus, for who runs it: of a directory he is the owner.
    pub(super) fn own_bus(&self) -> Result<AnyBus, lockstep::bus::Error> {
        Ok(match &self.data {
            Some(path) => Any::Embedded(for_a_moment(|| Embedded::own(path, settings(&self.config.data)))?),
            None => Any::Kafka(Kafka::connect(connection(&self.config.bus))?),
        })
    }

    /// Its bus, for who wants to be alone with it.
    pub(super) fn bus_alone(&self) -> Result<AnyBus, lockstep::bus::Error> {
        Ok(match &self.data {
            Some(path) => {
                Any::Embedded(for_a_moment(|| Embedded::own_alone(path, settings(&self.config.data)))?)
            }
            None => Any::Kafka(Kafka::connect(connection(&self.config.bus))?),
        })
    }

    /// Its topics: as they are in a directory of which nobody has written a configuration, else as the configuration has them.
    ///
    /// # Errors
    /// The directory does not answer, or has other deployments and not this one.
    pub(super) fn topics_at(&self, bus: &AnyBus) -> anyhow::Result<TopicsPlan> {
        let plan = self.topics();
        let (Any::Embedded(directory), Some(path)) = (bus, &self.data) else { return Ok(plan) };
        let names = directory.topics()?;
        let mut prefixes: Vec<_> =
            names.iter().filter_map(|name| name.as_str().strip_suffix(EVENTS)).collect();
        if prefixes.contains(&plan.prefix.as_str()) {
            prefixes.retain(|prefix| *prefix == plan.prefix);
        }
        let prefix = match prefixes.as_slice() {
            [] => return Ok(plan),
            [prefix] if !self.is_configured || *prefix == plan.prefix => (*prefix).to_owned(),
            others => anyhow::bail!(
                "{} has {}, and nothing of `{}`: write `prefix` in [bus] of a configuration, and name it with --config",
                path.display(),
                others.join(", "),
                plan.prefix
            ),
        };
        if self.is_configured {
            return Ok(plan);
        }
        let events = TopicsPlan { prefix, ..plan.clone() }.name(Topic::Events);
        let found = directory.describe(std::slice::from_ref(&events))?.pop().flatten();
        let prefix = events.as_str().trim_end_matches(EVENTS).to_owned();
        let days = found.as_ref().and_then(Found::kept_days).map(|days| days as u16);
        Ok(TopicsPlan {
            prefix,
            partitions: found.map_or(plan.partitions, |found| found.partitions),
            retention_days: days.unwrap_or(plan.retention_days),
            ..plan
        })
    }

    /// Its topics, as the configuration has them.
    pub(super) fn topics(&self) -> TopicsPlan {
        let bus = &self.config.bus;
        let replicas =
            Replicas { replication_factor: bus.replication_factor, in_sync_min: bus.min_insync_replicas };
        TopicsPlan {
            prefix: bus.prefix.clone(),
            partitions: bus.partitions.into(),
            retention_days: self.config.privacy.retention_days,
            replicas: match self.data {
                Some(_) => Replicas { replication_factor: 1, in_sync_min: 1 },
                None => replicas,
            },
        }
    }
}

/// A command that looks something up owns a directory for a moment: that is waited for.
fn for_a_moment(
    own: impl Fn() -> Result<Embedded, lockstep::bus::Error>,
) -> Result<Embedded, lockstep::bus::Error> {
    let begun = Instant::now();
    loop {
        match own() {
            Err(lockstep::bus::Error::Owned { .. }) if begun.elapsed() < OWNED_FOR_A_MOMENT => {
                std::thread::sleep(Duration::from_millis(50));
            }
            owned => return owned,
        }
    }
}

fn settings(data: &config::Data) -> Settings {
    Settings {
        fsync: match data.fsync_ms {
            0 => Fsync::EachCommit,
            ms => Fsync::Every(Duration::from_millis(ms.into())),
        },
        partition_bytes_max: data.partition_mib_max.map(|mib| u64::from(mib) << 20),
        free_bytes_min: u64::from(data.free_mib_min) << 20,
        ..Settings::default()
    }
}

/// How records of a configuration are written and read.
pub(super) async fn codec(config: &Config) -> anyhow::Result<Codec> {
    let Some(registry) = registry(config)? else { return Ok(Codec::single_object()?) };
    Ok(Codec::registered(registry, &config.bus.prefix).await?)
}

/// The schema registry of a configuration, where there is one. Nobody has asked it yet.
pub(super) fn registry(config: &Config) -> anyhow::Result<Option<Registry>> {
    let Some(known) = &config.bus.schema_registry else { return Ok(None) };
    let credentials = known.login.as_ref().map(|login| Credentials {
        user: login.user.clone(),
        password: SecretString::from(login.password.expose()),
    });
    Ok(Some(Registry::new(known.url.clone(), credentials, config.bus.allow_plaintext)?))
}

/// The same for who has a thread of his own, and waits.
pub(super) fn codec_blocking(config: &Config) -> anyhow::Result<Codec> {
    let runtime = runtime::here("ask the schema registry")?;
    runtime.block_on(codec(config))
}

/// How the Kafka of a configuration is reached.
pub(super) fn connection(bus: &config::Bus) -> Connection {
    let secret = |secret: &config::Secret| SecretString::from(secret.expose());
    let client = |client: &config::ClientCertificate| ClientCertificate {
        certificate_file: client.certificate_file.clone(),
        key_file: client.key_file.clone(),
        key_password: client.key_password.as_ref().map(secret),
    };
    let tls =
        |tls: &config::Tls| Tls { ca_file: tls.ca_file.clone(), client: tls.client.as_ref().map(client) };
    let sasl = |sasl: &config::Sasl| Sasl {
        mechanism: sasl.mechanism.as_str().to_owned(),
        user: sasl.user.clone(),
        password: secret(&sasl.password),
    };
    let property = |(name, value): (&String, &Property)| {
        let value = match value {
            Property::Text(text) => SecretString::from(text.as_str()),
            Property::Secret(known) => secret(known),
        };
        (name.clone(), value)
    };
    Connection {
        servers: bus.bootstrap_servers.clone(),
        prefix: bus.prefix.clone(),
        tls: bus.tls.as_ref().map(tls),
        sasl: bus.sasl.as_ref().map(sasl),
        further: bus.librdkafka.iter().map(property).collect(),
    }
}
