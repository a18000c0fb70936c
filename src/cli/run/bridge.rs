//! The bridge's part of `lockstep run`.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;

use lockstep::config::{self, Config, DeadLetterPayload};
use lockstep::domain::AccountName;
use lockstep::http::Readiness;
use lockstep::http::bridge::{Bridge, Door, Gateway, Port, Settings, Trusted};
use lockstep::listen::{Origins, Tls};
use tokio::net::TcpListener;

use super::Begun;
use crate::cli::{files, runtime};

/// So often it is looked whether it is to end.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Who is connected when it ends is told within this, or not at all.
const TOLD_WITHIN: Duration = Duration::from_secs(2);
/// After so many looks tokens that have ended are forgotten.
const TIDIED_EACH: u32 = 300;
/// A process has so many files open beside its connections, and those who are at the door.
pub(in crate::cli) const FURTHER_FILES: u64 = 2_200;

/// Starts a gateway for each org, and lets browsers connect.
pub(super) fn start(begun: &Begun, config: &Config) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let Some(bridge) = &config.bridge else {
        tracing::info!("the configuration has no [bridge]: no browser can connect to this process");
        return Ok(Vec::new());
    };
    let (mut threads, mut ports, mut trusted) = (Vec::new(), HashMap::new(), Vec::new());
    for (name, org) in &config.salesforce {
        let name = *name;
        let Some(tokens) = &org.bridge else {
            tracing::warn!("[salesforce.{name}] has no `bridge`: no browser of its agents is let in");
            continue;
        };
        trusted.push(self::trusted(name, tokens)?);
        let settings = Settings {
            account: name,
            name: begun.name.clone(),
            connections_per_user_max: bridge.connections_per_user_max.into(),
            keeps_payload: config.privacy.dead_letter_payload == DeadLetterPayload::Full,
        };
        let gateway = Gateway::new(begun.reached.clone(), settings, begun.ops.metrics.bridge());
        begun.ops.readiness.set(&part(name), false);
        ports.insert(name, gateway.port());
        threads.push(begun.spawn(part(name), move |stop| {
            let span = tracing::info_span!("bridge", account = %name);
            let _inside = span.enter();
            Ok(gateway.run(&|| stop.is_asked())?)
        })?);
    }
    anyhow::ensure!(
        !ports.is_empty(),
        "[bridge] is there, and no org has tokens that let a browser in: write [salesforce.NAME.bridge]"
    );
    let origins = Origins::new(&bridge.origins)?;
    let connections_max = bridge.connections_max.into();
    look_at_files(bridge.connections_max);
    let metrics = begun.ops.metrics.bridge();
    let doors = Doors { ports: ports.clone(), readiness: Arc::clone(&begun.ops.readiness) };
    let served = Bridge::new(Door::new(trusted), ports, origins, connections_max, metrics)
        .context("the system gives nothing that is by chance")?;
    threads.push(serve(begun, bridge, Arc::new(served), doors)?);
    Ok(threads)
}

/// What is ready once the browsers of an org may come.
fn part(name: AccountName) -> String {
    format!("bridge {name}")
}

/// The ways into the gateways, and who is told whether they are open.
struct Doors {
    ports: HashMap<AccountName, Port>,
    readiness: Arc<Readiness>,
}

impl Doors {
    fn look(&self) {
        for (name, port) in &self.ports {
            self.readiness.set(&part(*name), port.is_open());
        }
    }
}

/// Each connection is an open file, and systems let a process have few of them unless it asks for more.
fn look_at_files(connections_max: u16) {
    let Some(files) = files::allow_all() else { return };
    if files < u64::from(connections_max) + FURTHER_FILES {
        tracing::warn!(
            files,
            connections_max,
            "fewer files may be open than browsers may connect: raise that limit (LimitNOFILE), or lower connections_max of [bridge]"
        );
    }
}

/// The keys that sign tokens of an org's browsers.
///
/// # Errors
/// A file cannot be read, or has no key in it.
pub(in crate::cli) fn trusted(name: AccountName, tokens: &config::Trusted) -> anyhow::Result<Trusted> {
    let read = |(key_id, file): (&String, &std::path::PathBuf)| {
        let pem = std::fs::read(file).with_context(|| {
            format!("{}: the key {key_id:?} of [salesforce.{name}.bridge]", file.display())
        })?;
        anyhow::Ok((key_id.clone(), pem))
    };
    let keys = tokens.keys.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    Trusted::new(name, tokens.issuer.clone(), tokens.audience.clone(), &keys)
        .with_context(|| format!("[salesforce.{name}.bridge]"))
}

/// Lets browsers connect, on a thread that does nothing else.
fn serve(
    begun: &Begun,
    configured: &config::Bridge,
    served: Arc<Bridge>,
    doors: Doors,
) -> anyhow::Result<JoinHandle<()>> {
    let files = configured.tls_certificate_file.as_deref().zip(configured.tls_key_file.as_deref());
    let tls = files.map(|(certificate, key)| Tls::of_files(certificate, key)).transpose();
    let tls = tls.context("tls_certificate_file and tls_key_file of [bridge]")?;
    let listen = configured.listen;
    let listener = std::net::TcpListener::bind(listen)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .with_context(|| {
            format!("{listen} cannot be listened on: another process may; name another with --bridge-port, or change `listen` of [bridge]")
        })?;
    let runtime = runtime::here("serve browsers")?;
    tracing::info!(%listen, tls = tls.is_some(), "browsers may connect");
    begun.spawn("bridge server".to_owned(), move |stop| {
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).context("listening for browsers")?;
            let until = async {
                let mut looks = 0;
                while !stop.is_asked() {
                    doors.look();
                    tokio::time::sleep(LOOK_AGAIN).await;
                    looks += 1;
                    if looks % TIDIED_EACH == 0 {
                        served.tidy();
                    }
                }
                // So that those who are connected are told, once the gateways have looked, too; and what they are told is sent.
                let asked = Instant::now();
                while !served.is_empty() && asked.elapsed() < TOLD_WITHIN {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            };
            Arc::clone(&served).serve(listener, tls, until).await.context("serving browsers")
        })
    })
}
