//! What the connectors of both platforms share: calls over HTTP within a budget, and one session for all who call.

mod breaker;
mod budget;
mod client;
mod clock;
mod error;
mod oauth;
mod observer;
mod read;
mod sessions;

pub use breaker::{Breaker, Limits, Turned};
pub use budget::{Budget, Left, Rate};
pub use client::{Answer, Platform, Settings, now};
pub use clock::{ClockOffset, http_date, moved, retry_after};
pub use error::Error;
pub use observer::{CallClass, Observer, Usage};

pub(super) use oauth::{Client, Given, TOKEN, Through, of_grant};
pub(super) use read::{is_here, odd, place, push, read, trusted};
pub(super) use sessions::{LogIn, Numbered, Sessions};
