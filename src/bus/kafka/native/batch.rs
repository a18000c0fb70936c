//! Messages that were consumed together.

use std::ffi::CStr;
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

use rdkafka_sys as sys;

use super::Client;
use crate::bus::{Header, Offset, Partition, Record, Records, TopicName, TopicPartition};
use crate::domain::TimeMs;

/// The name of a header that a record of a copy has. [`RECORD`] or [`GAP`] is its value.
pub(in crate::bus::kafka) const COPIED: &CStr = c"lockstep-copied";
/// It is as it was, and its time is when it was appended to where it came from.
pub(in crate::bus::kafka) const RECORD: &[u8] = b"record";
/// It is none, and stands where there was none.
pub(in crate::bus::kafka) const GAP: &[u8] = b"gap";

/// Records that were read together from a cluster.
pub struct Batch {
    /// Records only: every other message was taken out.
    messages: Vec<NonNull<sys::rd_kafka_message_t>>,
    /// Dropped after the messages.
    _client: Arc<Client>,
}

/// Records of one partition that follow each other, with offsets that rise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::bus::kafka) struct Run {
    /// The partition.
    pub(in crate::bus::kafka) place: TopicPartition,
    /// Which records of the batch; never none.
    pub(in crate::bus::kafka) rows: Range<usize>,
}

// SAFETY: a message belongs to whoever consumed it, and may be read and destroyed on any thread; by one at a time, since
// its headers are parsed at the first look.
unsafe impl Send for Batch {}

impl Batch {
    /// Takes messages over.
    ///
    /// # Safety
    /// They came from `client`, have no error, and nobody else destroys them.
    pub(super) unsafe fn new(messages: Vec<NonNull<sys::rd_kafka_message_t>>, client: Arc<Client>) -> Batch {
        Batch { messages, _client: client }
    }

    /// Its runs, in order.
    pub(in crate::bus::kafka) fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        let mut before: Option<&sys::rd_kafka_message_t> = None;
        for row in 0..self.messages.len() {
            let message = self.message(row);
            let goes_on = before.zip(message).is_some_and(|(before, message)| {
                (before.rkt, before.partition) == (message.rkt, message.partition)
                    && before.offset < message.offset
            });
            match runs.last_mut() {
                Some(run) if goes_on => run.end = row + 1,
                _ => runs.push(row..row + 1),
            }
            before = message;
        }
        let named = |rows: Range<usize>| {
            let (topic, message) = self.topic(rows.start).zip(self.message(rows.start))?;
            Some(Run { place: TopicName::new(topic).partition(message.partition.cast_unsigned()), rows })
        };
        runs.into_iter().filter_map(named).collect()
    }

    /// Takes these rows out.
    pub(in crate::bus::kafka) fn remove(&mut self, rows: Range<usize>) {
        for message in self.messages.drain(rows) {
            // SAFETY: it is ours, and nobody borrows it any more.
            unsafe { sys::rd_kafka_message_destroy(message.as_ptr()) };
        }
    }

    fn message(&self, index: usize) -> Option<&sys::rd_kafka_message_t> {
        // SAFETY: it is ours until we are dropped, which the borrow outlives not.
        self.messages.get(index).map(|message| unsafe { message.as_ref() })
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.remove(0..self.messages.len());
    }
}

/// When a message was written by the clock of who wrote it or, `true`, of who appended it.
///
/// # Safety
/// The message is valid.
unsafe fn time(message: *const sys::rd_kafka_message_t) -> (i64, bool) {
    let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    // SAFETY: by contract.
    let at = unsafe { sys::rd_kafka_message_timestamp(message, &raw mut kind) };
    (at, kind == sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME)
}

/// As what a message was copied.
///
/// # Safety
/// The message is valid, and nobody else looks at it.
unsafe fn copied<'b>(message: *const sys::rd_kafka_message_t) -> Option<&'b [u8]> {
    let (mut headers, mut value, mut length) = (ptr::null_mut(), ptr::null(), 0);
    // SAFETY: by contract; what is found belongs to the message, and lives as long.
    unsafe {
        let none = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
        if sys::rd_kafka_message_headers(message, &raw mut headers) != none
            || sys::rd_kafka_header_get_last(headers, COPIED.as_ptr(), &raw mut value, &raw mut length)
                != none
        {
            return None;
        }
        bytes(value, length)
    }
}

/// Whether a message stands where there was none. No topic of ours has writers' times but for what was copied.
///
/// # Safety
/// The message is valid, and nobody else looks at it.
pub(super) unsafe fn fills_a_gap(message: *const sys::rd_kafka_message_t) -> bool {
    // SAFETY: by contract.
    unsafe { !time(message).1 && copied(message) == Some(GAP) }
}

/// The bytes at a pointer, which is null where there are none.
///
/// # Safety
/// Where it is not null so many bytes are there, for as long as `'b`.
unsafe fn bytes<'b>(pointer: *const std::ffi::c_void, length: usize) -> Option<&'b [u8]> {
    // SAFETY: by contract.
    (!pointer.is_null()).then(|| unsafe { slice::from_raw_parts(pointer.cast(), length) })
}

impl Records for Batch {
    fn len(&self) -> usize {
        self.messages.len()
    }

    fn get(&self, index: usize) -> Option<Record<'_>> {
        let message = self.message(index)?;
        // SAFETY: the message is valid for as long as this is borrowed, and so are its key and payload.
        let (at, key, value) = unsafe {
            let (at, is_append_time) = time(message);
            let is_known = is_append_time || copied(message) == Some(RECORD);
            (
                is_known.then(|| TimeMs::from_unix_ms(at)),
                bytes(message.key, message.key_len),
                bytes(message.payload, message.len),
            )
        };
        Some(Record {
            partition: Partition(message.partition.cast_unsigned()),
            offset: Offset(message.offset.cast_unsigned()),
            appended_at: at,
            key,
            value,
        })
    }

    fn topic(&self, index: usize) -> Option<&str> {
        let message = self.message(index)?;
        // SAFETY: a consumed message holds its topic, whose name is a C string that lives as long.
        let name = unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(message.rkt)) };
        name.to_str().ok()
    }

    fn headers(&self, index: usize) -> Vec<Header<'_>> {
        let Some(message) = self.message(index) else { return Vec::new() };
        let mut headers = ptr::null_mut();
        // SAFETY: the message is valid, and what is found belongs to it.
        let found = unsafe { sys::rd_kafka_message_headers(message, &raw mut headers) };
        if found != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Vec::new();
        }
        let mut all = Vec::new();
        for number in 0.. {
            let (mut name, mut value, mut length) = (ptr::null(), ptr::null(), 0);
            // SAFETY: the pointers are ours to be written; name and value live as long as the message.
            let header = unsafe {
                let code = sys::rd_kafka_header_get_all(
                    headers,
                    number,
                    &raw mut name,
                    &raw mut value,
                    &raw mut length,
                );
                if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                    break;
                }
                if CStr::from_ptr(name) == COPIED {
                    continue;
                }
                // A name that is no text is nobody's that we know.
                Header {
                    name: CStr::from_ptr(name).to_str().unwrap_or_default(),
                    value: bytes(value, length).unwrap_or_default(),
                }
            };
            all.push(header);
        }
        all
    }
}
