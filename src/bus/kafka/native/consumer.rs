//! A consumer that takes its messages in batches, and its rebalances as news.

use std::ffi::{CString, c_int, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka_sys as sys;

use super::batch;
use super::client::{self, locked};
use super::list::{self, Entry, List};
use super::producer::GroupMetadata;
use super::{Batch, Client, Fault, Kind, raw};

/// So many messages are taken at once.
const MESSAGES_MAX: usize = 1024;

/// Partitions that come or go, and wait for an answer: [`Consumer::assign`] or [`Consumer::unassign`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::bus::kafka) enum Rebalance {
    /// These come.
    Assigned(Vec<Entry>),
    /// These go, once they are let go.
    Revoked(Vec<Entry>),
    /// These are gone.
    Lost(Vec<Entry>),
}

/// What was consumed at once.
pub(in crate::bus::kafka) struct Consumed {
    /// The records.
    pub(in crate::bus::kafka) batch: Batch,
    /// Everything else, with the partition that it is about: ends that were reached, and errors.
    pub(in crate::bus::kafka) told: Vec<(Entry, Fault)>,
}

/// A consumer.
pub(in crate::bus::kafka) struct Consumer {
    queue: NonNull<sys::rd_kafka_queue_t>,
    buffer: Vec<*mut sys::rd_kafka_message_t>,
    client: Arc<Client>,
}

// SAFETY: the queue may be used from any thread; `&mut self` keeps consuming to one at a time. The buffer is empty
// between calls.
unsafe impl Send for Consumer {}

impl Consumer {
    /// A consumer with these properties.
    pub(in crate::bus::kafka) fn new(properties: &ClientConfig, role: &str) -> Result<Consumer, KafkaError> {
        let client = Client::new(Kind::Consumer, properties, role)?;
        // SAFETY: the client is a consumer. Its main queue, with what callbacks are told, joins the consumer's queue.
        let queue = unsafe {
            sys::rd_kafka_poll_set_consumer(client.rk());
            sys::rd_kafka_queue_get_consumer(client.rk())
        };
        let queue = NonNull::new(queue)
            .ok_or_else(|| KafkaError::ClientCreation("group.id is not set: there is no queue".to_owned()))?;
        Ok(Consumer { queue, buffer: vec![ptr::null_mut(); MESSAGES_MAX], client })
    }

    /// Its client.
    pub(in crate::bus::kafka) const fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Joins the group for these topics.
    pub(in crate::bus::kafka) fn subscribe<'t>(
        &self,
        topics: impl Iterator<Item = &'t str>,
    ) -> Result<(), Fault> {
        let mut list = List::new();
        // No partition: the group says which.
        topics.for_each(|topic| list.add(topic, -1, 0, &[]));
        // SAFETY: the client and the list are valid; the list is copied.
        Fault::check(unsafe { raw::rd_kafka_subscribe(self.client.rk(), list.as_ptr()) })
    }

    /// Reads just these partitions, without a group.
    pub(in crate::bus::kafka) fn assign_alone(&self, list: &List) -> Result<(), Fault> {
        // SAFETY: the client and the list are valid; the list is copied.
        Fault::check(unsafe { raw::rd_kafka_assign(self.client.rk(), list.as_ptr()) })
    }

    /// Begins to read partitions that the group gave, from the offsets of the list.
    pub(in crate::bus::kafka) fn assign(&self, list: &List) -> Result<(), Fault> {
        // SAFETY: as above; the error is ours.
        unsafe { Fault::take(sys::rd_kafka_incremental_assign(self.client.rk(), list.as_ptr())) }
    }

    /// Lets partitions go.
    pub(in crate::bus::kafka) fn unassign(&self, list: &List) -> Result<(), Fault> {
        // SAFETY: as above.
        unsafe { Fault::take(sys::rd_kafka_incremental_unassign(self.client.rk(), list.as_ptr())) }
    }

    /// Reads partitions that are read already from other offsets.
    pub(in crate::bus::kafka) fn seek(&self, list: &List, timeout: Duration) -> Result<(), Fault> {
        // SAFETY: as above; librdkafka notes in the list what became of each.
        unsafe {
            Fault::take(sys::rd_kafka_seek_partitions(self.client.rk(), list.as_ptr(), ms(timeout)))?;
        }
        list.entries().iter().try_for_each(|entry| Fault::check(entry.code))
    }

    /// How far the group has read the partitions of the list.
    pub(in crate::bus::kafka) fn committed(
        &self,
        list: &List,
        timeout: Duration,
    ) -> Result<Vec<Entry>, Fault> {
        // SAFETY: the client and the list are valid; the answer is written into the list.
        Fault::check(unsafe { raw::rd_kafka_committed(self.client.rk(), list.as_ptr(), ms(timeout)) })?;
        Ok(list.entries())
    }

    /// The first offsets at or after the times (in ms) that stand in the list as offsets.
    pub(in crate::bus::kafka) fn offsets_for_times(
        &self,
        list: &List,
        timeout: Duration,
    ) -> Result<Vec<Entry>, Fault> {
        // SAFETY: as above.
        Fault::check(unsafe {
            raw::rd_kafka_offsets_for_times(self.client.rk(), list.as_ptr(), ms(timeout))
        })?;
        Ok(list.entries())
    }

    /// The oldest offset that is kept, and the one after the last that this may read.
    pub(in crate::bus::kafka) fn bounds(
        &self,
        topic: &str,
        partition: i32,
        timeout: Duration,
    ) -> Result<(i64, i64), Fault> {
        let (mut low, mut high) = (0, 0);
        let Ok(topic) = CString::new(topic) else {
            return Err(Fault::of(RDKafkaErrorCode::UnknownTopic as i32));
        };
        // SAFETY: the client and the name are valid, and the numbers are ours to be written.
        let code = unsafe {
            raw::rd_kafka_query_watermark_offsets(
                self.client.rk(),
                topic.as_ptr(),
                partition,
                &raw mut low,
                &raw mut high,
                ms(timeout),
            )
        };
        Fault::check(code).map(|()| (low, high))
    }

    /// With whom offsets are committed in a transaction: the group, this member, and the group's generation. None from
    /// when the group gave this member up until it is told what is its own now. The order matters: what is found before
    /// the loss the brokers refuse after it.
    pub(in crate::bus::kafka) fn group_metadata(&self) -> Option<GroupMetadata> {
        // SAFETY: the client is valid, and what comes is ours.
        let metadata =
            unsafe { GroupMetadata::new(sys::rd_kafka_consumer_group_metadata(self.client.rk())) }?;
        // SAFETY: the client is valid.
        let is_lost = unsafe { sys::rd_kafka_assignment_lost(self.client.rk()) != 0 };
        // Of who is given up while he joins anew librdkafka notes no loss, and brokers take offsets of who is no member.
        let member_id = metadata.member_id();
        let is_same = !member_id.is_empty() && member_id == *locked(&self.client.heard().member_id);
        (is_same && !is_lost).then_some(metadata)
    }

    /// The next partitions that come or go.
    pub(in crate::bus::kafka) fn rebalance(&self) -> Option<Rebalance> {
        locked(&self.client.heard().rebalances).pop_front()
    }

    /// Whether partitions came or went, and nobody has heard of it yet.
    pub(in crate::bus::kafka) fn has_rebalances(&self) -> bool {
        !locked(&self.client.heard().rebalances).is_empty()
    }

    /// Leaves the group, so that others have the partitions at once; or soon, where this member has a name and may come
    /// back. Every rebalance must have been answered.
    pub(in crate::bus::kafka) fn leave(&self) {
        self.client.heard().is_closing.store(true, Ordering::Release);
        // SAFETY: the client is valid; `on_rebalance` lets the partitions go meanwhile. What comes of it changes nothing.
        unsafe { raw::rd_kafka_consumer_close(self.client.rk()) };
    }

    /// What is there, waiting so long where nothing is. `rd_kafka_consume_batch_queue` alone would wait until the batch
    /// is full.
    pub(in crate::bus::kafka) fn consume(&mut self, wait: Duration) -> Consumed {
        let mut count = self.take(0);
        if count == 0 && !wait.is_zero() {
            let may_yield = &self.client.heard().may_yield;
            may_yield.store(true, Ordering::Release);
            // SAFETY: the queue is valid; the message that comes is ours.
            let first = unsafe { sys::rd_kafka_consume_queue(self.queue.as_ptr(), ms(wait)) };
            may_yield.store(false, Ordering::Release);
            if let (false, Some(slot)) = (first.is_null(), self.buffer.first_mut()) {
                *slot = first;
                count = 1 + self.take(1);
            }
        }
        let mut messages = Vec::with_capacity(count);
        let mut told = Vec::new();
        for message in self.buffer.iter_mut().take(count) {
            let Some(message) = NonNull::new(std::mem::replace(message, ptr::null_mut())) else { continue };
            // SAFETY: librdkafka gave it, and it is ours.
            unsafe {
                match raw::message_code(message.as_ptr()) {
                    0 if batch::fills_a_gap(message.as_ptr()) => {
                        sys::rd_kafka_message_destroy(message.as_ptr());
                    }
                    0 => messages.push(message),
                    code => {
                        told.push(tell(message.as_ptr(), code));
                        sys::rd_kafka_message_destroy(message.as_ptr());
                    }
                }
            }
        }
        // SAFETY: they came from this client, have no error, and are ours.
        let batch = unsafe { Batch::new(messages, Arc::clone(&self.client)) };
        Consumed { batch, told }
    }

    /// Fills the buffer from there with what is at hand, and tells how much that is.
    fn take(&mut self, from: usize) -> usize {
        let free = self.buffer.get_mut(from..).unwrap_or_default();
        // SAFETY: the queue is valid, and the buffer has as much room as is told.
        let count = unsafe {
            sys::rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, free.as_mut_ptr(), free.len())
        };
        usize::try_from(count).unwrap_or(0)
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        // SAFETY: the queue is ours; the client outlives this.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}

/// What a message without a record says.
///
/// # Safety
/// `message` is a valid message with an error.
unsafe fn tell(message: *const sys::rd_kafka_message_t, code: i32) -> (Entry, Fault) {
    // SAFETY: by contract; the text of an error lives as long as the message, and a message without a topic has a null.
    unsafe {
        let topic = (*message).rkt;
        let topic =
            if topic.is_null() { String::new() } else { client::text(sys::rd_kafka_topic_name(topic)) };
        let (partition, offset) = ((*message).partition, (*message).offset);
        let entry = Entry { topic, partition, offset, metadata: Vec::new(), code };
        let text = client::text(sys::rd_kafka_message_errstr(message));
        (entry, Fault { text, ..Fault::of(code) })
    }
}

/// Notes what comes and goes; the answer is given later, by who polls. Until then librdkafka waits.
pub(super) unsafe extern "C" fn on_rebalance(
    rk: *mut sys::rd_kafka_t,
    code: sys::rd_kafka_resp_err_t,
    partitions: *mut sys::rd_kafka_topic_partition_list_t,
    opaque: *mut c_void,
) {
    // SAFETY: librdkafka passes its own handle, a list that lives for the call, and the opaque pointer that it was given.
    unsafe {
        let heard = client::heard(opaque);
        let comes = code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if heard.is_closing.load(Ordering::Acquire) {
            // An assignment while closing counts as none, so one answer serves both.
            let error = if comes {
                sys::rd_kafka_incremental_assign(rk, partitions)
            } else {
                sys::rd_kafka_incremental_unassign(rk, partitions)
            };
            if let Err(fault) = Fault::take(error) {
                heard.complain(fault);
            }
            return;
        }
        let entries = list::entries(partitions);
        if comes && let Some(metadata) = GroupMetadata::new(sys::rd_kafka_consumer_group_metadata(rk)) {
            *locked(&heard.member_id) = metadata.member_id();
        }
        if comes && entries.is_empty() {
            // The end of a rebalance that brought nothing. Nobody needs to hear of it, and unanswered it would hold all up.
            if let Err(fault) = Fault::take(sys::rd_kafka_incremental_assign(rk, partitions)) {
                heard.complain(fault);
            }
            return;
        }
        let rebalance = if comes {
            Rebalance::Assigned(entries)
        } else if sys::rd_kafka_assignment_lost(rk) != 0 {
            Rebalance::Lost(entries)
        } else {
            Rebalance::Revoked(entries)
        };
        locked(&heard.rebalances).push_back(rebalance);
        // So that who waits for records hears of it now. A batch call would lose the next message by it.
        if heard.may_yield.load(Ordering::Acquire) {
            sys::rd_kafka_yield(rk);
        }
    }
}

pub(super) fn ms(duration: Duration) -> c_int {
    c_int::try_from(duration.as_millis()).unwrap_or(c_int::MAX)
}
