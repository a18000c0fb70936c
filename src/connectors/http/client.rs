//! Calls to a platform of one account: within its budget, not while it is out of order, and with everything that can go wrong
//! told apart by what the caller has to know: whether it may have been done.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Url, tls};
use tracing::Instrument;

use super::breaker::{Breaker, Limits, Turned};
use super::budget::{Budget, Left, Rate};
use super::clock::{ClockOffset, http_date, retry_after};
use super::error::Error;
use super::observer::{CallClass, Observer};
use crate::domain::TimeMs;

/// An answer may have so many bytes: a page of a thousand agents has half of one MiB.
const ANSWER_BYTES_MAX: usize = 32 << 20;
/// How long a platform is left alone that says it is busy, and not for how long.
const BUSY_FOR: Duration = Duration::from_secs(1);
const LIMIT_INFO: &str = "sforce-limit-info";
/// Redirects that are followed, within a host.
const REDIRECTS_MAX: usize = 5;
/// So much of an answer that is none is shown.
const SHOWN_CHARS_MAX: usize = 200;

/// How a platform is reached.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How fast it may be called.
    pub rate: Rate,
    /// When it is left alone.
    pub limits: Limits,
    /// How long a connection may take. It is to be less than any answer may: else it could not be told that nothing was sent.
    pub connect_timeout: Duration,
    /// How long an answer may take.
    pub answer_timeout: Duration,
    /// The way out, where there is one.
    pub proxy: Option<Url>,
    /// PEM file of authorities beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Whether errors show the beginning of answers that are none: they may have names in them.
    pub shows_answers: bool,
}

/// A platform, as it is called for one account.
pub struct Platform {
    client: Client,
    setting_client: Client,
    settings: Settings,
    gate: Mutex<Gate>,
    observer: Arc<dyn Observer>,
}

/// Through which calls go.
#[derive(Debug)]
struct Gate {
    budget: Budget,
    breaker: Breaker,
    offset: ClockOffset,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The call.
    pub call: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What it says.
    pub body: Vec<u8>,
    /// `Sforce-Limit-Info`, where there is one: what of the platform's allowance is used.
    pub limit_info: Option<String>,
}

impl Platform {
    /// A platform that was not called yet.
    ///
    /// # Errors
    /// A setting cannot be used.
    pub fn new(settings: Settings, observer: Arc<dyn Observer>) -> Result<Platform, Error> {
        let reading = build(&settings, within_the_host())?;
        // A redirect makes another call of one that sets something.
        let setting = build(&settings, Policy::none())?;
        let gate = Gate {
            budget: Budget::new(settings.rate, Instant::now()),
            breaker: Breaker::new(settings.limits),
            offset: ClockOffset::default(),
        };
        let gate = Mutex::new(gate);
        Ok(Platform { client: reading, setting_client: setting, settings, gate, observer })
    }

    /// For requests that read; they go out with [`Platform::send`].
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// For requests that set something: no redirect is followed.
    pub const fn setting_client(&self) -> &Client {
        &self.setting_client
    }

    /// Who watches the calls.
    pub(in crate::connectors) fn observer(&self) -> &dyn Observer {
        &*self.observer
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a call out of the budget.
    ///
    /// # Errors
    /// How long it is until there is one, or until the platform is tried again.
    pub fn turn(&self) -> Result<(), Duration> {
        let now = Instant::now();
        let mut gate = self.gate();
        let wait = gate.budget.wait(now);
        if !wait.is_zero() {
            return Err(wait);
        }
        gate.breaker.pass(now)?;
        gate.budget.take(now)
    }

    /// Waits for its turn: for as long as it is between two calls at this rate, and an answer may take.
    ///
    /// # Errors
    /// [`Error::LeftAlone`] where that would take longer.
    pub async fn await_turn(&self, call: &'static str) -> Result<(), Error> {
        // Who goes slowly of his own will is not left alone by the platform.
        let interval = Duration::from_secs(60) / self.settings.rate.calls_per_minute.max(1);
        let deadline = Instant::now() + interval + self.settings.answer_timeout;
        loop {
            match self.turn() {
                Ok(()) => return Ok(()),
                Err(wait) if Instant::now() + wait > deadline => return Err(Error::LeftAlone { call, wait }),
                Err(wait) => tokio::time::sleep(wait).await,
            }
        }
    }

    /// How far the platform's clock is ahead of ours, in ms.
    pub fn offset_ms(&self) -> i64 {
        self.gate().offset.ms()
    }

    /// What is left of the budget now.
    pub fn budget(&self) -> Left {
        let calls = self.gate().budget.left(Instant::now());
        Left { calls, calls_per_minute: self.settings.rate.calls_per_minute }
    }

    /// Whether calls pass, or it is left alone.
    pub fn is_left_alone(&self) -> bool {
        !self.gate().breaker.is_closed()
    }

    /// Makes a call that has had its turn. Any status is an answer.
    ///
    /// # Errors
    /// Nothing was sent, or it is not known what became of it.
    pub async fn send(&self, call: &'static str, request: RequestBuilder) -> Result<Answer, Error> {
        self.send_within(call, request).instrument(tracing::info_span!("call", call)).await
    }

    async fn send_within(&self, call: &'static str, request: RequestBuilder) -> Result<Answer, Error> {
        let asked = (Instant::now(), now());
        let sent = self.exchange(call, request, asked.1).await;
        let took = asked.0.elapsed();
        let (class, has_failed) = match &sent {
            Ok(answer) => (CallClass::of(answer.status), answer.status >= 500),
            Err(error) => (error.class(), true),
        };
        self.observer.called(call, class, took);
        match self.gate().breaker.note(Instant::now(), has_failed) {
            Some(Turned::Open) => tracing::warn!(call, "the platform is out of order, and is left alone"),
            Some(Turned::Closed) => tracing::info!("the platform answers again"),
            None => {}
        }
        sent
    }

    async fn exchange(
        &self,
        call: &'static str,
        request: RequestBuilder,
        asked: TimeMs,
    ) -> Result<Answer, Error> {
        let mut response = request.send().await.map_err(|error| Error::of(call, &error))?;
        self.note(call, response.status().as_u16(), response.headers(), asked);
        let status = response.status().as_u16();
        let limit_info = response.headers().get(LIMIT_INFO).and_then(|value| value.to_str().ok());
        let limit_info = limit_info.map(str::to_owned);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| Error::cut_off(call, &error))? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                let why = format!("it has more than {ANSWER_BYTES_MAX} bytes");
                return Err(Error::Odd { call, status, why, shown: None });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { call, status, body, limit_info })
    }

    /// What the headers of an answer say of time.
    fn note(&self, call: &'static str, status: u16, headers: &HeaderMap, asked: TimeMs) {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let date = text(DATE).and_then(http_date);
        let mut gate = self.gate();
        if let Some(offset_ms) = date.and_then(|date| gate.offset.note(date, asked, now())) {
            self.observer.clock(offset_ms);
            tracing::info!(offset_ms, "how far the platform's clock is ahead of ours");
        }
        if status == 429 || status == 503 {
            let wait = text(RETRY_AFTER).and_then(|text| retry_after(text, date)).unwrap_or(BUSY_FOR);
            gate.budget.hold(Instant::now() + wait);
            tracing::info!(call, status, wait_ms = wait.as_millis() as u64, "the platform wants no calls");
        }
    }

    /// The beginning of an answer that is none, where it may be shown.
    pub fn shown(&self, body: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(body.get(..SHOWN_CHARS_MAX * 4).unwrap_or(body));
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        self.settings.shows_answers.then(|| line.chars().take(SHOWN_CHARS_MAX).collect())
    }
}

fn build(settings: &Settings, redirects: Policy) -> Result<Client, Error> {
    let setting = |what: &str, why: &dyn std::fmt::Display| Error::Setting {
        what: what.to_owned(),
        why: why.to_string(),
    };
    let mut builder = Client::builder()
        .connect_timeout(settings.connect_timeout)
        .timeout(settings.answer_timeout)
        .tls_version_min(tls::Version::TLS_1_2)
        .redirect(redirects)
        .user_agent(concat!("lockstep/", env!("CARGO_PKG_VERSION")));
    if let Some(file) = &settings.ca_file {
        let pem = std::fs::read(file).map_err(|error| setting(&file.display().to_string(), &error))?;
        let all = reqwest::Certificate::from_pem_bundle(&pem);
        for one in all.map_err(|error| setting(&file.display().to_string(), &error))? {
            builder = builder.add_root_certificate(one);
        }
    }
    if let Some(url) = &settings.proxy {
        let proxy = reqwest::Proxy::all(url.clone()).map_err(|error| setting("the proxy", &error))?;
        builder = builder.proxy(proxy);
    }
    builder.build().map_err(|error| setting("TLS", &error))
}

/// A token must not be carried to another host, nor to one without TLS.
fn within_the_host() -> Policy {
    Policy::custom(|attempt| {
        let origin = |url: &Url| {
            (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default())
        };
        let is_same = attempt.previous().first().is_some_and(|first| origin(first) == origin(attempt.url()));
        if is_same && attempt.previous().len() <= REDIRECTS_MAX { attempt.follow() } else { attempt.stop() }
    })
}

/// The time by this machine's clock.
pub fn now() -> TimeMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimeMs::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
