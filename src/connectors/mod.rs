//! What reaches the platforms: sources that read them, and sinks that write what was decided.

pub mod cxone;
pub mod http;
pub mod sink;
