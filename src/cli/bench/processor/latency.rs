//! From an event to its committed decision.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;

use lockstep::bus::{Reader, Records, Topic};
use lockstep::codec::{Decision, Uuid};

use super::centre::Centre;
use super::job::Until;
use super::{Processor, child, is_ready};
use crate::cli::bench::{log, memory_mib, percentile};
use crate::cli::output::{self, Outcome};

/// What comes at first is not counted: topics and connections are cold.
const WARM_UP: Duration = Duration::from_secs(2);
/// Events are written together for so long, as a source does.
const TICK: Duration = Duration::from_millis(5);
/// How long the last decisions may take.
const LAST_WITHIN: Duration = Duration::from_secs(10);

#[derive(Serialize)]
struct Told {
    rate: u32,
    seconds: u32,
    partitions: u32,
    commit_ms: u16,
    decisions: usize,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// Resident in the processor, after each tenth of the time.
    rss_mb: Vec<f64>,
}

/// What was seen of a processor while events came.
struct Measured {
    took_ms: Vec<f64>,
    rss_mb: Vec<f64>,
}

pub(super) fn run(command: &Processor) -> anyhow::Result<Outcome> {
    let rate = command.rate.context("a rate")?;
    output::aside("a centre is made ...\n");
    let mut centre = Centre::new(&command.measured.configured()?, command.partitions, command.agents)?;
    centre.begin(command.core)?;
    let mut processor = child(&centre.job(command.commit_ms, Until::Killed), command.core)?;
    let measured =
        is_ready(&mut processor).and_then(|()| measure(&mut centre, rate, command.seconds, processor.id()));
    let _ = processor.kill();
    let _ = processor.wait();
    let Measured { took_ms: mut took, rss_mb } = measured?;
    took.sort_by(f64::total_cmp);
    let told = Told {
        rate,
        seconds: command.seconds,
        partitions: command.partitions,
        commit_ms: command.commit_ms,
        decisions: took.len(),
        p50_ms: percentile(&took, 0.5),
        p99_ms: percentile(&took, 0.99),
        max_ms: took.last().copied().unwrap_or_default(),
        rss_mb,
    };
    if command.json {
        output::json(&told)?;
    } else {
        let rss: Vec<String> = told.rss_mb.iter().map(|mb| format!("{mb:.0}")).collect();
        output::result(&format!(
            "{} events/s for {} s, {} partitions, commits every {} ms: event to committed decision p50 {:.0} ms, p99 {:.0} ms, at most {:.0} ms ({} decisions)\nMiB resident after each tenth of the time: {}\n",
            told.rate,
            told.seconds,
            told.partitions,
            told.commit_ms,
            told.p50_ms,
            told.p99_ms,
            told.max_ms,
            told.decisions,
            rss.join(", ")
        ))?;
    }
    Ok(Outcome::Done)
}

/// Writes events at a rate for a processor, while another thread reads decisions; tells how long each took.
fn measure(centre: &mut Centre, rate: u32, seconds: u32, processor: u32) -> anyhow::Result<Measured> {
    let plan = centre.plan.clone();
    let mut reader = log::read_from_now(centre.bus()?, &plan, Topic::Decisions)?;
    let written: Mutex<HashMap<Uuid, Instant>> = Mutex::default();
    let is_over = AtomicBool::new(false);
    let codec = lockstep::codec::Codec::single_object()?;
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| -> anyhow::Result<Vec<f64>> {
            let mut took = Vec::new();
            let mut last = Instant::now();
            loop {
                let records = reader.read(Duration::from_millis(20))?;
                let now = Instant::now();
                let mut open = written.lock().unwrap_or_else(PoisonError::into_inner);
                for record in records.iter() {
                    let decision: Decision<'_> = codec.decode(record.value.unwrap_or_default())?;
                    if let Some(at) = open.remove(&decision.event) {
                        took.push((now - at).as_secs_f64() * 1e3);
                    }
                }
                if !is_over.load(Ordering::Relaxed) {
                    last = now;
                } else if open.is_empty() || last.elapsed() > LAST_WITHIN {
                    anyhow::ensure!(open.is_empty(), "{} events were never decided", open.len());
                    return Ok(took);
                }
            }
        });
        let wrote = write(centre, (rate, seconds), processor, &written);
        is_over.store(true, Ordering::Relaxed);
        let took = reading.join().map_err(|_| anyhow::anyhow!("the reader of decisions panicked"))?;
        Ok(Measured { rss_mb: wrote?, took_ms: took? })
    })
}

/// Tells how much memory the processor had after each tenth of the time.
fn write(
    centre: &mut Centre,
    (rate, seconds): (u32, u32),
    processor: u32,
    written: &Mutex<HashMap<Uuid, Instant>>,
) -> anyhow::Result<Vec<f64>> {
    let begun = Instant::now();
    let length = Duration::from_secs(seconds.into()) + WARM_UP;
    let mut number = 0_u64;
    let mut rss_mb = Vec::new();
    while begun.elapsed() < length {
        let due = (begun.elapsed().as_secs_f64() * f64::from(rate)) as u64;
        if due > number {
            let at = Instant::now();
            let agents = centre.agents.len() as u64;
            for number in number..due {
                let id = Uuid(u128::from(number).to_be_bytes());
                let (place, round) = ((number % agents) as usize, (number / agents) as u32 + 1);
                let (agent, _) = centre.agents.get(place).copied().context("an agent of the benchmark")?;
                let what = centre.choice(place, round)?;
                centre.add(agent, id, what)?;
                if begun.elapsed() > WARM_UP {
                    written.lock().unwrap_or_else(PoisonError::into_inner).insert(id, at);
                }
            }
            number = due;
            centre.commit()?;
        }
        if begun.elapsed()
            > WARM_UP + Duration::from_secs(seconds.into()).mul_f64((rss_mb.len() + 1) as f64 / 10.0)
        {
            rss_mb.push(memory_mib(&processor.to_string(), "VmRSS:").unwrap_or_default());
        }
        std::thread::sleep(TICK);
    }
    rss_mb.push(memory_mib(&processor.to_string(), "VmRSS:").unwrap_or_default());
    Ok(rss_mb)
}
