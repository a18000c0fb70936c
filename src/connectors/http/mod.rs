//! What the connectors of both platforms share: calls over HTTP within a budget.

mod breaker;
mod budget;
mod client;
mod clock;
mod error;
mod observer;

pub use breaker::{Breaker, Limits, Turned};
pub use budget::{Budget, Rate};
pub use client::{Answer, Platform, Settings, now};
pub use clock::{ClockOffset, http_date, moved, retry_after};
pub use error::Error;
pub use observer::{CallClass, Observer};
