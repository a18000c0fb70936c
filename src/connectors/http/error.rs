//! What can go wrong with a call.

use std::time::Duration;

use super::observer::CallClass;
use crate::domain::Remedy;

/// What went wrong with a call.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A setting cannot be used.
    #[error("{what} cannot be used: {why}")]
    Setting {
        /// Which.
        what: String,
        /// Why.
        why: String,
    },
    /// It was not tried: the platform is out of order, or wants no calls for a while.
    #[error("{call}: not tried, the platform is left alone for {} ms more", wait.as_millis())]
    LeftAlone {
        /// The call.
        call: &'static str,
        /// How long.
        wait: Duration,
    },
    /// It was not sent: this process may not do that any more.
    #[error("{call}: not sent, another process may do that by now")]
    Withheld {
        /// The call.
        call: &'static str,
    },
    /// Nobody was reached: it was not done.
    #[error("{call}: the platform is not reached: {why}")]
    NotSent {
        /// The call.
        call: &'static str,
        /// Why.
        why: String,
    },
    /// No whole answer came: it may have been done.
    #[error("{call}: no answer, and it is not known whether it was done: {why}")]
    NoAnswer {
        /// The call.
        call: &'static str,
        /// Why.
        why: String,
    },
    /// What came is no answer to that.
    #[error("{call}: status {status}, and not what should come: {why}{}", quoted(shown.as_deref()))]
    Odd {
        /// The call.
        call: &'static str,
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        why: String,
        /// How it begins, where that may be shown.
        shown: Option<String>,
    },
    /// It was refused.
    #[error("{call}: status {status}{}", quoted(shown.as_deref()))]
    Refused {
        /// The call.
        call: &'static str,
        /// The HTTP status.
        status: u16,
        /// What it says, where that may be shown.
        shown: Option<String>,
    },
}

fn quoted(shown: Option<&str>) -> String {
    shown.filter(|shown| !shown.is_empty()).map_or_else(String::new, |shown| format!(": {shown:?}"))
}

impl Error {
    /// What to do about it. Whether a call that was refused is to be made again, its caller knows better.
    pub const fn remedy(&self) -> Remedy {
        match self {
            Error::Setting { .. } => Remedy::Stop,
            Error::LeftAlone { .. }
            | Error::Withheld { .. }
            | Error::NotSent { .. }
            | Error::NoAnswer { .. }
            | Error::Odd { .. } => Remedy::Retry,
            Error::Refused { status: 429 | 500.., .. } => Remedy::Retry,
            Error::Refused { .. } => Remedy::Reject,
        }
    }

    /// Whether it was refused for who we are, or for what we asked: what is the same the next time.
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Error::Refused { status: 400..=428, .. })
    }

    /// The call that it is about; none where it is about no call.
    pub const fn call(&self) -> Option<&'static str> {
        match self {
            Error::Setting { .. } => None,
            Error::LeftAlone { call, .. }
            | Error::Withheld { call }
            | Error::NotSent { call, .. }
            | Error::NoAnswer { call, .. }
            | Error::Odd { call, .. }
            | Error::Refused { call, .. } => Some(*call),
        }
    }

    /// What no answer at all says.
    pub(super) fn of(call: &'static str, error: &reqwest::Error) -> Error {
        let why = causes(error);
        // A time-out of the connection is none of the answer.
        if error.is_connect() || error.is_builder() {
            Error::NotSent { call, why }
        } else {
            Error::NoAnswer { call, why }
        }
    }

    /// What an answer says that ends too early.
    pub(super) fn cut_off(call: &'static str, error: &reqwest::Error) -> Error {
        Error::NoAnswer { call, why: format!("the answer ends too early: {}", causes(error)) }
    }

    pub(super) const fn class(&self) -> CallClass {
        match self {
            Error::Setting { .. }
            | Error::LeftAlone { .. }
            | Error::Withheld { .. }
            | Error::NotSent { .. } => CallClass::NotSent,
            Error::NoAnswer { .. } => CallClass::NoAnswer,
            Error::Odd { .. } => CallClass::Odd,
            Error::Refused { status, .. } => CallClass::of(*status),
        }
    }
}

/// Why, down to the last cause; without the address, which may have ids of people in it.
fn causes(error: &reqwest::Error) -> String {
    let mut why = if error.is_timeout() { "it took too long".to_owned() } else { String::new() };
    let mut cause = std::error::Error::source(error);
    while let Some(one) = cause {
        why = if why.is_empty() { one.to_string() } else { format!("{why}: {one}") };
        cause = one.source();
    }
    if why.is_empty() { "the connection ended".to_owned() } else { why }
}
