//! The calls of librdkafka that the rdkafka package does not offer, or not without a cost that a figure shows: records
//! in batches, and transactions that are drained before they are committed (`lockstep bench bus`).
//!
//! # Why this is safe
//! This folder is the only one of the library with `unsafe` in it, and what it exports is safe to call in any order.
//!
//! - **A client lives as long as what came from it.** [`Client`] owns the `rd_kafka_t` and is only held in an `Arc`.
//!   Whatever librdkafka wants gone before its client (messages, queues, topic handles) holds that `Arc`, and gives up
//!   its own pointer first (a type's `Drop` runs before that of its fields).
//! - **Callbacks see what lives.** The opaque pointer of a client is one to its [`Heard`], which the `Client` owns and
//!   drops after `rd_kafka_destroy` returned, and after that no callback runs. Callbacks do not unwind: they take no
//!   lock that can be poisoned by a panic of theirs, and call nothing of ours that panics.
//! - **Borrowed bytes stay.** A message's key, value and headers are valid until `rd_kafka_message_destroy`, which only
//!   the `Drop` of the [`Batch`] calls that lent them out. What is produced is copied before the call returns
//!   (`RD_KAFKA_MSG_F_COPY`), so its bytes need to live for the call only.
//! - **Threads.** librdkafka's handles may be used from any thread at once. Two things may not, and are kept apart by
//!   `&mut self`: consuming (its callbacks run on the caller's thread), and filling a batch.
//! - **Codes.** A broker may send a code that the bindings' enum has no name for. So where one can come from a broker it
//!   is read as the number it is.

#![allow(unsafe_code, reason = "the calls of a C library; the argument is above")]

mod batch;
mod client;
mod consumer;
mod list;
mod producer;
mod raw;

pub use batch::Batch;
pub(super) use batch::{COPIED, GAP, RECORD, Run};
pub(super) use client::{Client, Fault, Heard, Kind};
pub(super) use consumer::{Consumer, Rebalance};
pub(super) use list::{Entry, List};
pub(super) use producer::{GroupMetadata, Producer, Row, Scratch};
