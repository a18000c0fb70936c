//! Who says something to the log, why, and where the log is.

use std::borrow::Cow;

use clap::Args;

use lockstep::bus::{Any, AnyBus, Bus, TopicsPlan};
use lockstep::codec::{Codec, Operator};
use lockstep::control::Control;

use super::deployment::{self, Configured, Deployment};

/// Why somebody does something that stays in the log.
#[derive(Args)]
pub(super) struct Why {
    /// Why; it stays in the log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who says so, as the log has it; default: the login name. Never the name of an agent.
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
}

impl Why {
    /// Who, and why.
    pub(super) fn operator(&self) -> anyhow::Result<Operator<'static>> {
        anyhow::ensure!(
            !self.reason.trim().is_empty(),
            "--reason is empty: write a sentence, whoever looks later will thank you"
        );
        anyhow::ensure!(
            self.actor.as_ref().is_none_or(|actor| !actor.trim().is_empty()),
            "--actor is empty: write who says so, or leave it away for the login name"
        );
        let named = self.actor.clone().or_else(|| std::env::var("USER").ok());
        let actor = named.or_else(|| std::env::var("LOGNAME").ok()).unwrap_or_else(|| "unknown".to_owned());
        Ok(Operator { actor: Cow::Owned(actor), reason: Cow::Owned(self.reason.clone()) })
    }
}

/// What everything has that somebody says to the log.
#[derive(Args)]
pub(super) struct Said {
    #[command(flatten)]
    pub(super) why: Why,
    #[command(flatten)]
    pub(super) configured: Configured,
    /// Print the result as one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

/// The log of a deployment.
pub(super) struct Log {
    pub(super) bus: AnyBus,
    pub(super) codec: Codec,
    pub(super) plan: TopicsPlan,
}

impl Log {
    /// Reaches that of a deployment that there is.
    ///
    /// # Errors
    /// There is none, or it is not reached.
    pub(super) fn open(configured: &Configured) -> anyhow::Result<Log> {
        Log::of(&configured.load()?)
    }

    /// The same, of one whose configuration was read already.
    ///
    /// # Errors
    /// As for [`open`](Log::open).
    pub(super) fn of(deployment: &Deployment) -> anyhow::Result<Log> {
        deployment.is_there()?;
        Log::make(deployment)
    }

    /// Reaches that of a deployment, which may begin with this.
    ///
    /// # Errors
    /// It is not reached.
    pub(super) fn make(deployment: &Deployment) -> anyhow::Result<Log> {
        let bus = deployment.bus()?;
        let codec = deployment::codec_blocking(&deployment.config)?;
        let plan = deployment.topics_at(&bus)?;
        Ok(Log { bus, codec, plan })
    }

    /// The way in for what somebody says. A directory in which nothing is yet gets its topics.
    pub(super) fn control(&self) -> anyhow::Result<Control<'_, AnyBus>> {
        if matches!(self.bus, Any::Embedded(_)) {
            self.bus.create(&self.plan.specs())?;
        }
        Ok(Control::begin(&self.bus, &self.codec, &self.plan)?)
    }
}

/// A moment as people read it, in UTC.
pub(super) fn when(at: lockstep::domain::TimeMs) -> String {
    jiff::Timestamp::from_millisecond(at.as_unix_ms())
        .map_or_else(|_| at.as_unix_ms().to_string(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}
