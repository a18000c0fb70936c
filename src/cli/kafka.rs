//! From a configuration to the bus.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;

use lockstep::bus::kafka::{ClientCertificate, Connection, Kafka, Sasl, Tls};
use lockstep::bus::{Replicas, TopicsPlan};
use lockstep::codec::{Codec, Credentials, Registry};
use lockstep::config::{self, Config, Property, SecretStore};
use lockstep::document::{Document, Error, Mistakes};
use secrecy::SecretString;

use super::{output, report};

/// Which configuration a command takes.
#[derive(Args)]
pub(super) struct Configured {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "lockstep.toml")]
    pub(super) config: PathBuf,
}

impl Configured {
    /// The file as it is written.
    pub(super) fn document(&self) -> anyhow::Result<Document> {
        match Document::open(&self.config) {
            Err(Error::Io { path, source }) if source.kind() == ErrorKind::NotFound => {
                let path = path.display();
                anyhow::bail!(
                    "there is no {path}: begin one with `lockstep config init --out {path}`, or name yours with --config"
                )
            }
            opened => Ok(opened?),
        }
    }

    /// What it resolves to, with every mistake in it.
    pub(super) fn read(&self, document: &Document) -> (Option<Config>, Mistakes) {
        let folder = self.config.parent().unwrap_or(Path::new(""));
        let env = |name: &str| std::env::var_os(name);
        let mut mistakes = Mistakes::new();
        let config = Config::read(document, &SecretStore { folder, env: &env }, &mut mistakes);
        (config, mistakes)
    }

    /// What it resolves to. Mistakes are printed beside the result.
    ///
    /// # Errors
    /// It cannot be used.
    pub(super) fn load(&self) -> anyhow::Result<Config> {
        let document = self.document()?;
        let (config, mistakes) = self.read(&document);
        output::aside(&report::text(&document, &mistakes));
        config.ok_or_else(|| {
            let count = report::count(mistakes.errors(), mistakes.warnings());
            anyhow::anyhow!("{} cannot be used: {count}", document.name())
        })
    }
}

/// Reaches the Kafka of a configuration.
pub(super) fn connect(config: &Config) -> anyhow::Result<Kafka> {
    Ok(Kafka::connect(connection(&config.bus))?)
}

/// How records of a configuration are written and read.
pub(super) async fn codec(config: &Config) -> anyhow::Result<Codec> {
    let Some(known) = &config.bus.schema_registry else { return Ok(Codec::single_object()?) };
    let credentials = known.login.as_ref().map(|login| Credentials {
        user: login.user.clone(),
        password: SecretString::from(login.password.expose()),
    });
    let registry = Registry::new(known.url.clone(), credentials, config.bus.allow_plaintext)?;
    Ok(Codec::registered(registry, &config.bus.prefix).await?)
}

/// The topics of a configuration.
pub(super) fn topics(config: &Config) -> TopicsPlan {
    let bus = &config.bus;
    TopicsPlan {
        prefix: bus.prefix.clone(),
        partitions: bus.partitions.into(),
        retention_days: config.privacy.retention_days,
        replicas: Replicas {
            replication_factor: bus.replication_factor,
            in_sync_min: bus.min_insync_replicas,
        },
    }
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
