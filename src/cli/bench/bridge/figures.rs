//! What was measured, and what it must be.

use std::time::Duration;

use serde::Serialize;

use super::latency::Took;
use super::{Case, Transport};
use crate::cli::bench::percentile;

/// What the 99th of 100 changes must be in the log within, in ms.
pub(super) const CHANGE_MUST_MS: Option<f64> = Some(100.0);
/// What the 99th of 100 commands must be in its browser within, in ms.
pub(super) const COMMAND_MUST_MS: Option<f64> = Some(50.0);
/// What a gateway must do with, in MiB: 1 GB.
const MEMORY_MUST_MIB: f64 = 1e9 / 1_048_576.0;
/// So long after the last console of a storm was opened, all of them must be connected.
const STORM_MUST_S: f64 = 1.0;

/// All that was measured.
#[derive(Serialize)]
pub(super) struct Figures {
    pub(super) case: Case,
    pub(super) consoles: u16,
    pub(super) transport: Transport,
    pub(super) tls: bool,
    pub(super) core: Option<u32>,
    pub(super) rate: u32,
    pub(super) seconds: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) storm: Option<Opened>,
    /// The consoles after those of the storm, or all where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) others: Option<Opened>,
    pub(super) memory: Memory,
    pub(super) rest: Rest,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) change_to_log: Option<Times>,
    /// From the moment at which the commit has returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) commit_to_browser: Option<Times>,
    /// From the moment at which the commit began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) commit_and_to_browser: Option<Times>,
    /// Of the gateway from its start to the end.
    pub(super) cpu_s: f64,
}

/// Consoles that were opened.
#[derive(Serialize)]
pub(super) struct Opened {
    consoles: usize,
    /// The last of them was opened so late.
    opened_within_s: f64,
    /// All of them were connected, and held their agents.
    connected_after_s: f64,
    per_s: f64,
    /// Tries that did not succeed, and connections that were lost.
    refused: u64,
    /// Of the gateway.
    cpu_s: f64,
    cpu_ms_each: f64,
    /// Of a storm, whether it is as it must be.
    #[serde(skip_serializing_if = "Option::is_none")]
    holds: Option<bool>,
}

/// How much of the gateway is resident, in MiB.
#[derive(Serialize)]
pub(super) struct Memory {
    before_mib: f64,
    connected_mib: f64,
    peak_mib: f64,
    must_mib: f64,
    holds: bool,
    /// What a connection adds, in KiB.
    each_kib: f64,
}

/// A gateway at rest.
#[derive(Serialize)]
pub(super) struct Rest {
    seconds: u64,
    cpu_s: f64,
    /// Of one core.
    cpu_percent: f64,
    heartbeats: u32,
    /// All that the gateway does, by its heartbeats.
    cpu_us_each: f64,
}

/// How long something took.
#[derive(Serialize)]
pub(super) struct Times {
    count: usize,
    /// Those that never came.
    missing: usize,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// For the p99.
    #[serde(skip_serializing_if = "Option::is_none")]
    must_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    holds: Option<bool>,
}

impl Opened {
    /// So many, the last of them opened after the first time and all of them connected after the second.
    pub(super) fn new(
        consoles: usize,
        (within, took): (Duration, Duration),
        refused: u64,
        cpu_s: f64,
    ) -> Opened {
        let (within, took) = (within.as_secs_f64(), took.as_secs_f64());
        Opened {
            consoles,
            opened_within_s: within,
            connected_after_s: took,
            per_s: consoles as f64 / took,
            refused,
            cpu_s,
            cpu_ms_each: cpu_s * 1e3 / consoles as f64,
            holds: None,
        }
    }

    /// The same as a storm, which is judged.
    pub(super) fn storm(self) -> Opened {
        let is_in_time = self.connected_after_s <= self.opened_within_s + STORM_MUST_S;
        Opened { holds: Some(self.refused == 0 && is_in_time), ..self }
    }
}

impl Memory {
    /// Of a gateway without connections, with so many, and at most.
    pub(super) fn of((before_mib, connected_mib, peak_mib): (f64, f64, f64), consoles: u16) -> Memory {
        Memory {
            before_mib,
            connected_mib,
            peak_mib,
            must_mib: MEMORY_MUST_MIB,
            holds: peak_mib < MEMORY_MUST_MIB,
            each_kib: (connected_mib - before_mib) * 1_024.0 / f64::from(consoles),
        }
    }
}

impl Rest {
    /// So much of the CPU in this time, for so many heartbeats.
    pub(super) fn of(length: Duration, cpu_s: f64, heartbeats: u32) -> Rest {
        Rest {
            seconds: length.as_secs(),
            cpu_s,
            cpu_percent: cpu_s * 100.0 / length.as_secs_f64(),
            heartbeats,
            cpu_us_each: cpu_s * 1e6 / f64::from(heartbeats),
        }
    }
}

impl Times {
    /// Those of what was measured, the shortest first, of which 99 of 100 must take no longer than this.
    pub(super) fn of(took: &Took, must_ms: Option<f64>) -> Times {
        let Took { took_ms, missing } = took;
        let p99_ms = percentile(took_ms, 0.99);
        Times {
            count: took_ms.len(),
            missing: *missing,
            p50_ms: percentile(took_ms, 0.5),
            p99_ms,
            max_ms: took_ms.last().copied().unwrap_or_default(),
            must_ms,
            holds: must_ms.map(|must| *missing == 0 && !took_ms.is_empty() && p99_ms <= must),
        }
    }
}

impl Figures {
    /// In words, with what they must be beside them.
    pub(super) fn text(&self) -> String {
        let Figures { consoles, rate, seconds, rest, memory, .. } = self;
        let (carrier, tls) = (
            match self.transport {
                Transport::Websocket => "WebSockets",
                Transport::Events => "server-sent events",
            },
            if self.tls { "TLS" } else { "no TLS" },
        );
        let mut text = format!("one gateway with {consoles} consoles over {carrier}, {tls}");
        match self.core {
            Some(core) => text += &format!(", on core {core}\n"),
            None => text += ", on any core\n",
        }
        if let Some(storm) = &self.storm {
            text += &storm.text("a storm of logins");
        }
        if let Some(others) = &self.others {
            text += &others.text("consoles");
        }
        text += &line("MiB resident, without consoles", memory.before_mib, 0, "");
        text += &line("MiB resident, with all of them", memory.connected_mib, 0, "");
        let must = judged(&format!("under {:.0}", memory.must_mib), memory.holds);
        text += &line("MiB resident at most", memory.peak_mib, 0, &must);
        text += &line("KiB that a console adds", memory.each_kib, 1, "");
        text += &line("at rest, % of a core", rest.cpu_percent, 1, "");
        text += &line("CPU of a heartbeat, us", rest.cpu_us_each, 1, "");
        if self.change_to_log.is_some() {
            text += &format!("{rate} changes and {rate} commands a second, for {seconds} s\n");
        }
        for (what, times) in [
            ("change in the browser to the log", &self.change_to_log),
            ("commit to browser", &self.commit_to_browser),
            ("commit and to browser", &self.commit_and_to_browser),
        ] {
            text += &times.as_ref().map(|times| times.text(what)).unwrap_or_default();
        }
        text + &line("CPU-s of the gateway, all in all", self.cpu_s, 1, "")
    }
}

impl Opened {
    fn text(&self, what: &str) -> String {
        let mut text = format!("{what}: {} are opened within {:.0} s\n", self.consoles, self.opened_within_s);
        let must = |what: &str| self.holds.map_or_else(String::new, |holds| judged(what, holds));
        let latest = format!("0, and {:.0} s until all are connected", self.opened_within_s + STORM_MUST_S);
        text += &line("refused or lost", self.refused as f64, 0, &must(&latest));
        text += &line("all connected after s", self.connected_after_s, 1, "");
        text += &line("consoles a second", self.per_s, 0, "");
        text + &line("CPU of the gateway for each, ms", self.cpu_ms_each, 2, "")
    }
}

impl Times {
    fn text(&self, what: &str) -> String {
        let mut text = line(&format!("{what}, p50 ms"), self.p50_ms, 1, "");
        let must = self.must_ms.zip(self.holds).map(|(must, holds)| judged(&format!("{must:.0}"), holds));
        text += &line(&format!("{what}, p99 ms"), self.p99_ms, 1, &must.unwrap_or_default());
        text += &line(&format!("{what}, at most ms"), self.max_ms, 1, "");
        if self.missing > 0 {
            text += &line(&format!("{what}, never came"), self.missing as f64, 0, "must be 0");
        }
        text
    }
}

/// What a figure must be, and whether it is.
fn judged(must: &str, holds: bool) -> String {
    format!("must be {must}: {}", if holds { "holds" } else { "does not hold" })
}

fn line(what: &str, value: f64, digits: usize, must: &str) -> String {
    let line = format!("{what:44} {value:>10.digits$}  {must}");
    format!("{}\n", line.trim_end())
}
