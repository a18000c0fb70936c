//! The Kafka that all tests share.

/// Where it is.
pub(crate) fn servers() -> String {
    std::env::var("KAFKA_BOOTSTRAP_SERVERS").unwrap_or_else(|_| {
        panic!(
            "KAFKA_BOOTSTRAP_SERVERS is not set: run scripts/test, or: scripts/kafka run -- cargo test --profile ci"
        )
    })
}
