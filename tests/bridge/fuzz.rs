//! What comes from outside may be anything: the process lives, stays small, and serves who behaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::SinkExt;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::apex::token;
use crate::browser::{Address, BOTH, Browser, ORIGIN, from_origin, hello, page, post};
use crate::ground::On;
use crate::log::Said;
use crate::random::{Random, seed};
use crate::site::{BREAK, LUNCH, Person, Site};

/// It ends after so many messages, or so long if a machine is slow: but not before so few.
const MESSAGES: u64 = 1_000_000;
const WITHIN: Duration = Duration::from_secs(45);
const MESSAGES_MIN: u64 = 20_000;
/// The process with all that it has of the bus: so much at the most, in KiB.
const RSS_MAX_KIB: u64 = 400 << 10;
/// Attackers of each kind.
const EACH: u64 = 2;
/// People whose browsers attack. Others behave.
const ATTACKERS: usize = 20;

impl Random {
    fn index(&mut self, end: usize) -> usize {
        self.below(end as u64) as usize
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.index(all.len())]
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.index(most + 1)).map(|_| self.number() as u8).collect()
    }

    /// A value as somebody who knows the protocol, and wants to do harm, would write it.
    fn value(&mut self) -> Value {
        match self.index(14) {
            0 => Value::Null,
            1 => json!(self.number()),
            2 => json!(-1.5e300),
            3 => json!(""),
            4 => json!("x".repeat(self.index(9_000))),
            5 => json!("\u{0}\u{202e}\u{fffd}\u{10ffff}"),
            6 => json!([[[[]]], {}]),
            7 => json!({"id": self.value_of_text(), "since": self.value_of_text()}),
            8 => json!(i64::MIN),
            9 => json!(true),
            _ => json!(self.value_of_text()),
        }
    }

    fn value_of_text(&mut self) -> &'static str {
        self.one_of(&[
            LUNCH,
            BREAK,
            "0Ps5g0000000001",
            "2026-01-05T10:00:00.000Z",
            "-009999-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "2026-13-45",
            "OmniManualStatusChange",
            "done",
            "00000000-0000-5000-8000-000000000001/4294967295/-9223372036854775808",
            "///",
        ])
    }

    /// A message that is one, or nearly.
    fn message(&mut self, person: &str) -> String {
        let fields =
            ["status", "reason", "row", "now", "command", "result", "detail", "protocol", "token", "page"];
        let mut message = match self.index(5) {
            0 => json!({"type": "pong"}),
            1 => json!({"type": "outcome", "command": format!("{person}/1/1"), "result": "done"}),
            2 => json!({"type": self.one_of(&["hello", "status", "outcome", "pong", "ping", "bye", ""])}),
            _ => json!({
                "type": "status", "status": LUNCH, "reason": "OmniManualStatusChange",
                "row": {"id": "0Ps5g0000000001", "since": "2026-01-05T10:00:00.000Z"},
            }),
        };
        for _ in 0..self.index(3) {
            message[self.one_of(&fields)] = self.value();
        }
        message.to_string()
    }

    /// The same with some of it altered, left out or twice.
    fn mutated(&mut self, person: &str) -> Vec<u8> {
        let mut bytes = self.message(person).into_bytes();
        for _ in 0..self.index(4) {
            let (at, to) = (self.index(bytes.len() + 1), self.index(bytes.len() + 1));
            let (from, to) = (at.min(to), at.max(to));
            match self.index(4) {
                0 => drop(bytes.drain(from..to)),
                1 if bytes.len() < 20_000 => bytes.extend_from_within(from..to),
                2 => bytes.insert(from, self.number() as u8),
                _ => bytes[from..to.min(from + 1)].iter_mut().for_each(|byte| *byte ^= 1 << (to % 8)),
            }
        }
        bytes
    }
}

/// Whom everybody attacks, and for how long.
#[derive(Clone)]
struct Attack {
    address: Address,
    /// Users, and their agents.
    people: Arc<Vec<(String, String)>>,
    sent: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

impl Attack {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Acquire) && self.sent.load(Ordering::Acquire) < MESSAGES
    }

    fn sent(&self) {
        self.sent.fetch_add(1, Ordering::AcqRel);
    }

    fn somebody(&self, random: &mut Random) -> (String, String) {
        self.people[random.index(self.people.len())].clone()
    }

    /// Messages over a WebSocket, of somebody who was let in, or of nobody.
    async fn by_socket(self, mut random: Random) {
        while self.goes_on() {
            let (user, agent) = self.somebody(&mut random);
            let Ok(mut socket) = self.address.socket(Some(ORIGIN)).await else { continue };
            let first = match random.index(8) {
                0 => random.message(&agent),
                _ => hello(&token(&user), &page(), random.number()).to_string(),
            };
            let mut is_open = socket.send(Message::text(first)).await.is_ok();
            // Half of them know what may be said, and are heard for longer.
            let knows = random.index(2) == 0;
            for _ in 0..random.index(300) {
                if !is_open || !self.goes_on() {
                    break;
                }
                let message = match random.index(if knows { 200 } else { 4 }) {
                    0 => Message::binary(random.bytes(300)),
                    1 => Message::text(String::from_utf8_lossy(&random.mutated(&agent)).into_owned()),
                    2 => Message::Ping(random.bytes(100).into()),
                    _ if knows => Message::text(r#"{"type":"pong"}"#),
                    _ => Message::text(random.message(&agent)),
                };
                is_open = socket.send(message).await.is_ok();
                self.sent();
            }
        }
    }

    /// Posts, with a session and without, over connections that are used again.
    async fn by_post(self, mut random: Random) {
        let client = Client::builder().no_proxy().build().unwrap();
        let (stream, messages) =
            (self.address.url("/bridge/v1/stream"), self.address.url("/bridge/v1/messages"));
        while self.goes_on() {
            let (user, agent) = self.somebody(&mut random);
            for _ in 0..random.index(50) {
                let call = client.post(&stream).body(random.mutated(&agent));
                let _ = from_origin(call, Some(ORIGIN)).send().await;
                let session = random.one_of(&["", "0", "../..", "x"]);
                let _ = post(&client, &messages, session, random.message(&agent)).await;
                self.sent();
                self.sent();
            }
            let call = client.post(&stream).body(hello(&token(&user), &page(), 0).to_string());
            let Ok(mut answer) = from_origin(call, Some(ORIGIN)).send().await else { continue };
            let Ok(Some(event)) = answer.chunk().await else { continue };
            let event = String::from_utf8_lossy(&event).into_owned();
            let Some(session) = event.split("\"session\":\"").nth(1).and_then(|rest| rest.split('"').next())
            else {
                continue;
            };
            for _ in 0..random.index(60) {
                let body = String::from_utf8_lossy(&random.mutated(&agent)).into_owned();
                self.sent();
                match post(&client, &messages, session, body).await {
                    Ok(answer) if answer.status() == 204 => {}
                    _ => break,
                }
            }
        }
    }

    /// Anything, on a connection that nobody has agreed on; or where frames should be.
    async fn by_wire(self, mut random: Random) {
        const UPGRADE: &str = "GET /bridge/v1/socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n\
            Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
            Origin: https://emea.lightning.force.com\r\n\r\n";
        while self.goes_on() {
            let Ok(mut wire) = TcpStream::connect(self.address.at).await else { continue };
            let mut first = UPGRADE.as_bytes().to_vec();
            if random.index(2) == 0 {
                first.truncate(random.index(UPGRADE.len()));
                first.extend(random.bytes(50));
            }
            let mut is_open = wire.write_all(&first).await.is_ok();
            for _ in 0..random.index(30) {
                if !is_open {
                    break;
                }
                is_open = wire.write_all(&random.bytes(2_000)).await.is_ok();
                self.sent();
            }
            // A close that gives up what was sent makes room at once.
            let _ = wire.set_zero_linger();
        }
    }
}

#[test]
fn whatever_comes_who_behaves_is_served() {
    let seed = seed("fuzz");
    let site = Site::new(On::Directory, "fuzz", ATTACKERS as u32 + 2);
    let gateway = site.gateway("g");
    let (bad, good) = site.people.split_at(ATTACKERS);
    let people = bad.iter().map(|person| (person.user.clone(), person.agent.to_string())).collect();
    let attack = Attack {
        address: gateway.address.clone(),
        people: Arc::new(people),
        sent: Arc::default(),
        is_over: Arc::default(),
    };
    let browsers: Vec<_> =
        BOTH.into_iter().zip(good).map(|(way, person)| gateway.open(way, person)).collect();
    assert!(browsers.iter().all(|browser| browser.welcome().holds));
    // Apart from the browsers of all tests.
    let attackers =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut tasks = Vec::new();
    for number in 0..EACH {
        let random = |kind: u64| Random::of(seed.wrapping_add((number << 8) | kind));
        tasks.push(attackers.spawn(attack.clone().by_socket(random(1))));
        tasks.push(attackers.spawn(attack.clone().by_post(random(2))));
        tasks.push(attackers.spawn(attack.clone().by_wire(random(3))));
    }
    let (begun, mut served, mut slowest) = (Instant::now(), 0, Duration::ZERO);
    let is_enough = || attack.sent.load(Ordering::Acquire) >= MESSAGES_MIN && begun.elapsed() >= WITHIN;
    while attack.goes_on() && !is_enough() {
        assert!(begun.elapsed() < 6 * WITHIN, "{} messages", attack.sent.load(Ordering::Acquire));
        for (browser, person) in browsers.iter().zip(good) {
            let asked = Instant::now();
            is_served(&site, browser, person, served);
            slowest = slowest.max(asked.elapsed());
        }
        served += 1;
        // An agent who changes ten times a second would be too fast.
        thread::park_timeout(Duration::from_millis(200));
    }
    attack.is_over.store(true, Ordering::Release);
    for task in tasks {
        attackers.block_on(task).unwrap();
    }
    let (sent, rss_kib) = (attack.sent.load(Ordering::Acquire), gateway.process.rss_peak_kib());
    println!(
        "{sent} messages in {:?}; {rss_kib} KiB; {served} served, the slowest in {slowest:?}",
        begun.elapsed()
    );
    assert!(rss_kib < RSS_MAX_KIB, "{rss_kib} KiB");
    for (browser, person) in browsers.iter().zip(good) {
        is_served(&site, browser, person, served);
        assert!(browser.has_heard_nothing());
    }
    assert!(gateway.ended("protocol") > 0 && gateway.ended("too_many") > 0);
    let log = gateway.process.log();
    assert!(!log.contains("panicked"), "{log}");
    gateway.end();
}

/// His status becomes an event, and a command reaches him.
fn is_served(site: &Site, browser: &Browser, person: &Person, round: u32) {
    let status = if round.is_multiple_of(2) { LUNCH } else { BREAK };
    browser.say(&json!({"type": "status", "status": status}));
    browser.does(&site.command(person, round + 1, Some(status)));
    let said = site.comes_to_say_so_much(person, 1 + 2 * (round as usize + 1));
    assert!(said.iter().skip(1).all(|said| matches!(said, Said::Shows(_) | Said::Outcome { .. })));
}
