//! A producer that is given records in batches, and the calls of a transaction.

use std::ffi::{CString, c_int, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka_sys as sys;

use super::consumer::ms;
use super::{Client, Fault, Kind, List, client, raw};
use crate::bus::Header;

/// With whom offsets are committed in a transaction.
pub(in crate::bus::kafka) struct GroupMetadata(NonNull<sys::rd_kafka_consumer_group_metadata_t>);

// SAFETY: it is plain data that nobody else holds, and nothing changes it.
unsafe impl Send for GroupMetadata {}

impl GroupMetadata {
    /// Takes it over; none where there is none.
    ///
    /// # Safety
    /// It is null, or nobody else's.
    pub(super) unsafe fn new(
        metadata: *mut sys::rd_kafka_consumer_group_metadata_t,
    ) -> Option<GroupMetadata> {
        NonNull::new(metadata).map(GroupMetadata)
    }

    /// Who this member is to the group; empty while it is not a member.
    pub(super) fn member_id(&self) -> String {
        // SAFETY: the metadata is valid, and so is its text for as long.
        unsafe { client::text(sys::rd_kafka_consumer_group_metadata_member_id(self.0.as_ptr())) }
    }
}

impl Drop for GroupMetadata {
    fn drop(&mut self) {
        // SAFETY: it is ours.
        unsafe { sys::rd_kafka_consumer_group_metadata_destroy(self.0.as_ptr()) };
    }
}

/// Where a record's key and value are in an arena: the value follows the key.
#[derive(Clone, Copy, Debug)]
pub(in crate::bus::kafka) struct Row {
    pub(in crate::bus::kafka) at: usize,
    pub(in crate::bus::kafka) key_bytes: usize,
    /// None deletes.
    pub(in crate::bus::kafka) value_bytes: Option<usize>,
}

/// A producer, for transactions.
pub(in crate::bus::kafka) struct Producer {
    topics: Vec<NonNull<sys::rd_kafka_topic_t>>,
    client: Arc<Client>,
}

// SAFETY: topic handles, like clients, may be used from any thread and from several at once.
unsafe impl Send for Producer {}
// SAFETY: as above.
unsafe impl Sync for Producer {}

impl Producer {
    /// A producer with these properties, for these topics.
    pub(in crate::bus::kafka) fn new<'t>(
        properties: &ClientConfig,
        role: &str,
        topics: impl Iterator<Item = &'t str>,
    ) -> Result<Producer, KafkaError> {
        let mut producer =
            Producer { topics: Vec::new(), client: Client::new(Kind::Producer, properties, role)? };
        for topic in topics {
            let name = CString::new(topic).map_err(KafkaError::Nul)?;
            // SAFETY: the client and the name are valid; the name is copied.
            let handle =
                unsafe { sys::rd_kafka_topic_new(producer.client.rk(), name.as_ptr(), ptr::null_mut()) };
            let handle = NonNull::new(handle)
                .ok_or_else(|| KafkaError::ClientCreation(format!("no handle for topic {topic}")))?;
            producer.topics.push(handle);
        }
        Ok(producer)
    }

    /// Its client.
    pub(in crate::bus::kafka) const fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Gives records of one partition to librdkafka, in their order. Where its queue is full it waits, up to the
    /// deadline.
    pub(in crate::bus::kafka) fn produce(
        &self,
        (topic, partition): (usize, u32),
        arena: &[u8],
        rows: &[Row],
        scratch: &mut Scratch,
        deadline: Instant,
    ) -> Result<(), Fault> {
        let Some(handle) = self.topics.get(topic) else {
            return Err(Fault::of(RDKafkaErrorCode::UnknownTopic as i32));
        };
        scratch.0.clear();
        scratch.0.extend(rows.iter().filter_map(|row| message(arena, row)));
        let mut rest = scratch.0.as_mut_slice();
        while !rest.is_empty() {
            let count = c_int::try_from(rest.len()).unwrap_or(c_int::MAX);
            // SAFETY: the topic's client is valid, and so many messages are there. Their bytes are in the arena, which is
            // borrowed, and are copied. librdkafka notes in each message what became of it.
            unsafe {
                sys::rd_kafka_produce_batch(
                    handle.as_ptr(),
                    partition.cast_signed(),
                    sys::RD_KAFKA_MSG_F_COPY,
                    rest.as_mut_ptr(),
                    count,
                );
            }
            // SAFETY: they are messages of ours.
            let code = |message: &sys::rd_kafka_message_t| unsafe { raw::message_code(message) };
            let Some(refused) = rest.iter().position(|message| code(message) != 0) else { break };
            rest = rest.get_mut(refused..).unwrap_or_default();
            let fault = Fault::of(rest.first().map_or(0, code));
            // Once it was full librdkafka took none of the rest either; after another error it may have taken some.
            if !fault.is(RDKafkaErrorCode::QueueFull) || Instant::now() >= deadline {
                return Err(fault);
            }
            self.serve(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Gives one record with headers to librdkafka, as above.
    pub(in crate::bus::kafka) fn produce_with_headers(
        &self,
        (topic, partition): (usize, u32),
        key: &[u8],
        value: Option<&[u8]>,
        headers: &[Header<'_>],
        deadline: Instant,
    ) -> Result<(), Fault> {
        let invalid = || Fault::of(RDKafkaErrorCode::InvalidArgument as i32);
        let names: Vec<CString> =
            headers.iter().filter_map(|header| CString::new(header.name).ok()).collect();
        let handle = self.topics.get(topic).filter(|_| names.len() == headers.len()).ok_or_else(invalid)?;
        let mut parts = vec![
            part(
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_RKT,
                sys::rd_kafka_vu_s__bindgen_ty_1 { rkt: handle.as_ptr() },
            ),
            part(
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_PARTITION,
                sys::rd_kafka_vu_s__bindgen_ty_1 { i32_: partition.cast_signed() },
            ),
            part(
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS,
                sys::rd_kafka_vu_s__bindgen_ty_1 { i: sys::RD_KAFKA_MSG_F_COPY },
            ),
            part(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY, memory(Some(key))),
            part(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE, memory(value)),
        ];
        parts.extend(names.iter().zip(headers).map(|(name, header)| {
            let header = sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_2 {
                name: name.as_ptr(),
                val: header.value.as_ptr().cast(),
                size: header.value.len().cast_signed(),
            };
            part(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADER, sys::rd_kafka_vu_s__bindgen_ty_1 { header })
        }));
        loop {
            // SAFETY: the client is valid, each part has the member of the union that its type says, and what they point
            // to lives for the call, in which it is copied.
            let produced = unsafe {
                Fault::take(sys::rd_kafka_produceva(self.client.rk(), parts.as_ptr(), parts.len()))
            };
            match produced {
                Err(fault) if fault.is(RDKafkaErrorCode::QueueFull) && Instant::now() < deadline => {
                    self.serve(Duration::from_millis(1));
                }
                produced => return produced,
            }
        }
    }

    /// Runs callbacks, and waits so long for some.
    pub(in crate::bus::kafka) fn serve(&self, wait: Duration) {
        // SAFETY: the client is valid.
        unsafe { sys::rd_kafka_poll(self.client.rk(), ms(wait)) };
    }

    /// Waits until all that was produced is sent and answered. Not with one long call, which would wake up every 100 ms
    /// only; nor with calls that do not wait, since what makes the sender hurry lasts as long as the call.
    pub(in crate::bus::kafka) fn drain(&self, deadline: Instant) -> Result<(), Fault> {
        loop {
            // SAFETY: the client is valid.
            match Fault::check(unsafe { raw::rd_kafka_flush(self.client.rk(), 1) }) {
                Ok(()) => return Ok(()),
                Err(fault) if Instant::now() >= deadline => return Err(fault),
                Err(_) => self.serve(Duration::ZERO),
            }
        }
    }

    /// Forgets what was produced and is not sent or answered yet.
    pub(in crate::bus::kafka) fn purge(&self) {
        let flags =
            sys::RD_KAFKA_PURGE_F_QUEUE | sys::RD_KAFKA_PURGE_F_INFLIGHT | sys::RD_KAFKA_PURGE_F_NON_BLOCKING;
        // SAFETY: the client is valid. Where it cannot be done nothing is lost but memory, until the client goes.
        unsafe { sys::rd_kafka_purge(self.client.rk(), flags) };
        self.serve(Duration::ZERO);
    }

    /// Becomes the one who writes with this transactional id.
    pub(in crate::bus::kafka) fn init(&self, timeout: Duration) -> Result<(), Fault> {
        // SAFETY: the client is valid; the error is ours.
        unsafe { Fault::take(sys::rd_kafka_init_transactions(self.client.rk(), ms(timeout))) }
    }

    /// Begins a transaction.
    pub(in crate::bus::kafka) fn begin(&self) -> Result<(), Fault> {
        // SAFETY: as above.
        unsafe { Fault::take(sys::rd_kafka_begin_transaction(self.client.rk())) }
    }

    /// Adds offsets to the transaction.
    pub(in crate::bus::kafka) fn send_offsets(
        &self,
        offsets: &List,
        group: &GroupMetadata,
        timeout: Duration,
    ) -> Result<(), Fault> {
        // SAFETY: client, list and group are valid; the error is ours.
        unsafe {
            Fault::take(sys::rd_kafka_send_offsets_to_transaction(
                self.client.rk(),
                offsets.as_ptr(),
                group.0.as_ptr(),
                ms(timeout),
            ))
        }
    }

    /// Commits the transaction.
    pub(in crate::bus::kafka) fn commit(&self, timeout: Duration) -> Result<(), Fault> {
        // SAFETY: as above.
        unsafe { Fault::take(sys::rd_kafka_commit_transaction(self.client.rk(), ms(timeout))) }
    }

    /// Aborts the transaction.
    pub(in crate::bus::kafka) fn abort(&self, timeout: Duration) -> Result<(), Fault> {
        // SAFETY: as above.
        unsafe { Fault::take(sys::rd_kafka_abort_transaction(self.client.rk(), ms(timeout))) }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        for topic in &self.topics {
            // SAFETY: the handle is ours, and its client is still there.
            unsafe { sys::rd_kafka_topic_destroy(topic.as_ptr()) };
        }
    }
}

/// Room for messages on their way to librdkafka, kept from call to call.
#[derive(Default)]
pub(in crate::bus::kafka) struct Scratch(Vec<sys::rd_kafka_message_t>);

// SAFETY: what is left in it from the last call is never looked at.
unsafe impl Send for Scratch {}

/// A row as librdkafka wants it; none where it is not in the arena.
fn message(arena: &[u8], row: &Row) -> Option<sys::rd_kafka_message_t> {
    let bytes = arena.get(row.at..row.at + row.key_bytes + row.value_bytes.unwrap_or(0))?;
    let (key, value) = bytes.split_at_checked(row.key_bytes)?;
    let pointer = |bytes: &[u8]| bytes.as_ptr().cast_mut().cast::<c_void>();
    Some(sys::rd_kafka_message_t {
        err: sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR,
        rkt: ptr::null_mut(),
        partition: 0,
        payload: if row.value_bytes.is_some() { pointer(value) } else { ptr::null_mut() },
        len: value.len(),
        key: pointer(key),
        key_len: key.len(),
        offset: 0,
        _private: ptr::null_mut(),
    })
}

fn memory(bytes: Option<&[u8]>) -> sys::rd_kafka_vu_s__bindgen_ty_1 {
    let (pointer, size) =
        bytes.map_or((ptr::null_mut(), 0), |bytes| (bytes.as_ptr().cast_mut().cast(), bytes.len()));
    sys::rd_kafka_vu_s__bindgen_ty_1 {
        mem: sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr: pointer, size },
    }
}

const fn part(vtype: sys::rd_kafka_vtype_t, u: sys::rd_kafka_vu_s__bindgen_ty_1) -> sys::rd_kafka_vu_t {
    sys::rd_kafka_vu_t { vtype, u }
}
