//! librdkafka in batches. All that is unsafe is in here, and what is outside cannot misuse it.

use std::ffi::{CStr, CString, c_void};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow, bail};
use rdkafka::config::ClientConfig;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka_sys as sys;

/// `RD_KAFKA_PARTITION_UA`, a macro that the bindings leave out.
const ANY_PARTITION: i32 = -1;
const REQUEST_MS_MAX: i32 = 30_000;
const BATCH: usize = 1024;
/// `rd_kafka_consume_batch_queue` returns when the batch is full or this is over, never in between.
const BATCH_MS: i32 = 1;

/// Partitions were taken away: it happens to the only member of a group when its session ends.
static REVOKED: AtomicBool = AtomicBool::new(false);

type Settings<'a> = [(&'a str, &'a str)];

struct Client(NonNull<sys::rd_kafka_t>);

impl Client {
    fn new(kind: sys::rd_kafka_type_t, settings: &Settings<'_>) -> Result<Self> {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config = settings.collect::<ClientConfig>().create_native_config()?;
        let mut why = [0; 512];
        // SAFETY: the copy is the new client's, `why` is as long as it says, and what is in it ends with a zero.
        unsafe {
            let copy = sys::rd_kafka_conf_dup(config.ptr());
            if kind == sys::rd_kafka_type_t::RD_KAFKA_CONSUMER {
                sys::rd_kafka_conf_set_rebalance_cb(copy, Some(rebalance));
            }
            let client = sys::rd_kafka_new(kind, copy, why.as_mut_ptr(), why.len());
            NonNull::new(client)
                .map(Self)
                .with_context(|| CStr::from_ptr(why.as_ptr()).to_string_lossy().into_owned())
        }
    }

    fn raw(&self) -> *mut sys::rd_kafka_t {
        self.0.as_ptr()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: what comes of a client borrows it or goes before it, so nobody has it any more.
        unsafe { sys::rd_kafka_destroy(self.raw()) }
    }
}

/// Where none is set, librdkafka gives all partitions up at each rebalance that a batch meets.
unsafe extern "C" fn rebalance(
    client: *mut sys::rd_kafka_t,
    what: sys::rd_kafka_resp_err_t,
    partitions: *mut sys::rd_kafka_topic_partition_list_t,
    _: *mut c_void,
) {
    let assigned = Code::from(what) == Code::AssignPartitions;
    REVOKED.store(!assigned, Ordering::Relaxed);
    // SAFETY: librdkafka hands in its own client and a list that lives through the call; null takes all away.
    unsafe { sys::rd_kafka_assign(client, if assigned { partitions } else { ptr::null_mut() }) };
}

fn done(what: &str, code: sys::rd_kafka_resp_err_t) -> Result<()> {
    match Code::from(code) {
        Code::NoError => Ok(()),
        other => Err(anyhow!("{what}: {other}")),
    }
}

/// SAFETY: `error` is null, or the caller's to destroy.
unsafe fn finished(what: &str, error: *mut sys::rd_kafka_error_t) -> Result<()> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: its text is copied before it is destroyed.
    unsafe {
        let text = CStr::from_ptr(sys::rd_kafka_error_string(error)).to_string_lossy().into_owned();
        sys::rd_kafka_error_destroy(error);
        Err(anyhow!("{what}: {text}"))
    }
}

/// A record as it lies in librdkafka's memory.
pub(crate) struct Record<'a> {
    pub(crate) partition: usize,
    pub(crate) offset: i64,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
}

pub(crate) struct Consumer {
    client: Client,
    queue: *mut sys::rd_kafka_queue_t,
    batch: Vec<*mut sys::rd_kafka_message_t>,
    /// How many partitions were read to their end, if `enable.partition.eof` is on.
    pub(crate) ends: usize,
}

impl Consumer {
    /// Of so many partitions from their beginning; else as a member of a group.
    pub(crate) fn new(topic: &str, partitions: Option<usize>, settings: &Settings<'_>) -> Result<Self> {
        let client = Client::new(sys::rd_kafka_type_t::RD_KAFKA_CONSUMER, settings)?;
        let mut list = TopicPartitionList::new();
        match partitions {
            None => _ = list.add_partition(topic, ANY_PARTITION),
            Some(count) => {
                (0..count as i32).try_for_each(|n| list.add_partition_offset(topic, n, Offset::Beginning))?;
            }
        }
        // SAFETY: client and list live; the queue is given back before the client goes.
        let queue = unsafe {
            sys::rd_kafka_poll_set_consumer(client.raw());
            match partitions {
                None => done("subscribe", sys::rd_kafka_subscribe(client.raw(), list.ptr()))?,
                Some(_) => done("assign", sys::rd_kafka_assign(client.raw(), list.ptr()))?,
            }
            sys::rd_kafka_queue_get_consumer(client.raw())
        };
        Ok(Self { client, queue, batch: vec![ptr::null_mut(); BATCH], ends: 0 })
    }

    /// Hands the next records to `each`. How many there were: none within a millisecond.
    pub(crate) fn next(&mut self, mut each: impl FnMut(&Record<'_>)) -> Result<usize> {
        let (mut records, mut failed) = (0, None);
        let batch = &mut self.batch;
        // SAFETY: the batch is as long as it says.
        let count = unsafe {
            sys::rd_kafka_consume_batch_queue(self.queue, BATCH_MS, batch.as_mut_ptr(), batch.len())
        };
        for &message in batch.iter().take(usize::try_from(count)?) {
            // SAFETY: so many messages are ours until they are destroyed. The record of one ends before, with `each`.
            unsafe {
                let found = &*message;
                match found.err.into() {
                    Code::NoError => {
                        records += 1;
                        each(&Record {
                            partition: found.partition as usize,
                            offset: found.offset,
                            key: bytes(found.key, found.key_len),
                            value: bytes(found.payload, found.len),
                        });
                    }
                    Code::PartitionEOF => self.ends += 1,
                    other => failed = Some(other),
                }
                sys::rd_kafka_message_destroy(message);
            }
        }
        match failed {
            Some(code) => Err(anyhow!("reading: {code}")),
            None if REVOKED.load(Ordering::Relaxed) => {
                Err(anyhow!("reading: the partitions were taken away"))
            }
            None => Ok(records),
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        // SAFETY: no message is left, and the queue is given back once. A closed consumer has left its group.
        unsafe {
            sys::rd_kafka_queue_destroy(self.queue);
            sys::rd_kafka_consumer_close(self.client.raw());
        }
    }
}

/// SAFETY: null, or `len` bytes that outlive what the caller makes of them.
unsafe fn bytes<'a>(at: *const c_void, len: usize) -> &'a [u8] {
    // SAFETY: as the caller says.
    if at.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(at.cast(), len) } }
}

/// It asks for no reports of deliveries: where one fails the commit fails.
pub(crate) struct Producer(Client);

impl Producer {
    pub(crate) fn new(settings: &Settings<'_>) -> Result<Self> {
        Client::new(sys::rd_kafka_type_t::RD_KAFKA_PRODUCER, settings).map(Self)
    }

    pub(crate) fn init(&self) -> Result<()> {
        // SAFETY: the client lives, and the error is ours. So in the next two.
        unsafe {
            finished("init_transactions", sys::rd_kafka_init_transactions(self.0.raw(), REQUEST_MS_MAX))
        }
    }

    pub(crate) fn begin(&self) -> Result<()> {
        // SAFETY: as in `init`.
        unsafe { finished("begin_transaction", sys::rd_kafka_begin_transaction(self.0.raw())) }
    }

    pub(crate) fn commit(&self) -> Result<()> {
        // SAFETY: as in `init`.
        unsafe {
            finished("commit_transaction", sys::rd_kafka_commit_transaction(self.0.raw(), REQUEST_MS_MAX))
        }
    }

    /// The next offset of each partition goes into the transaction, where it is known.
    pub(crate) fn send_offsets(&self, of: &Consumer, topic: &str, next: &[Option<i64>]) -> Result<()> {
        let mut list = TopicPartitionList::new();
        for (partition, next) in (0..).zip(next) {
            if let Some(offset) = next {
                list.add_partition_offset(topic, partition, Offset::Offset(*offset))?;
            }
        }
        // SAFETY: clients and list live; the group's metadata are ours to destroy after their last use.
        unsafe {
            let (client, group) = (self.0.raw(), sys::rd_kafka_consumer_group_metadata(of.client.raw()));
            let sent = sys::rd_kafka_send_offsets_to_transaction(client, list.ptr(), group, REQUEST_MS_MAX);
            sys::rd_kafka_consumer_group_metadata_destroy(group);
            finished("send_offsets_to_transaction", sent)
        }
    }

    /// Waits until all is delivered, in slices of a millisecond: librdkafka cuts the linger short only while a flush
    /// runs, and a commit that itself waits for deliveries looks every 10 ms.
    pub(crate) fn drain(&self) -> Result<()> {
        loop {
            // SAFETY: the client lives.
            match Code::from(unsafe { sys::rd_kafka_flush(self.0.raw(), 1) }) {
                Code::NoError => return Ok(()),
                Code::OperationTimedOut => self.poll(0),
                other => bail!("flush: {other}"),
            }
        }
    }

    fn poll(&self, wait_ms: i32) {
        // SAFETY: the client lives, and has no callback that this could call.
        unsafe { sys::rd_kafka_poll(self.0.raw(), wait_ms) };
    }
}

/// A topic to write to, with keys of one length and values of one length. What is added waits in a lane for each partition
/// until it is sent.
pub(crate) struct Topic<'a> {
    producer: &'a Producer,
    topic: NonNull<sys::rd_kafka_topic_t>,
    key: usize,
    record: usize,
    by_key: bool,
    lanes: Vec<Vec<u8>>,
    messages: Vec<sys::rd_kafka_message_t>,
}

impl<'a> Topic<'a> {
    /// Without a number of partitions there is one lane, and librdkafka chooses by the key.
    pub(crate) fn new(
        producer: &'a Producer,
        name: &str,
        (key, value): (usize, usize),
        partitions: Option<usize>,
    ) -> Result<Self> {
        let c_name = CString::new(name)?;
        // SAFETY: the client lives for longer than the topic; null is the default configuration.
        let topic = unsafe { sys::rd_kafka_topic_new(producer.0.raw(), c_name.as_ptr(), ptr::null_mut()) };
        let topic = NonNull::new(topic).with_context(|| format!("no topic {name}"))?;
        let lanes = vec![Vec::new(); partitions.unwrap_or(1)];
        let (by_key, record) = (partitions.is_none(), key + value);
        Ok(Self { producer, topic, key, record, by_key, lanes, messages: Vec::new() })
    }

    /// Adds a record. Its value, all zero, is for the caller to write.
    pub(crate) fn add(&mut self, lane: usize, key: &[u8]) -> &mut [u8] {
        let lane = &mut self.lanes[lane];
        let at = lane.len();
        lane.resize(at + self.record, 0);
        let (begin, value) = lane[at..].split_at_mut(self.key);
        begin.copy_from_slice(key);
        value
    }

    /// Hands all that waits to librdkafka, and waits while that has no room.
    pub(crate) fn send(&mut self) -> Result<()> {
        // SAFETY: a message is plain data, and all zero is an empty one.
        let empty: sys::rd_kafka_message_t = unsafe { std::mem::zeroed() };
        for (partition, lane) in (0..).zip(&mut self.lanes) {
            self.messages.clear();
            self.messages.extend(lane.chunks_exact_mut(self.record).map(|record| {
                let (key, value) = record.split_at_mut(self.key);
                let (key, key_len, payload, len) =
                    (key.as_mut_ptr(), key.len(), value.as_mut_ptr(), value.len());
                sys::rd_kafka_message_t { key: key.cast(), key_len, payload: payload.cast(), len, ..empty }
            }));
            let partition = if self.by_key { ANY_PARTITION } else { partition };
            let mut left = self.messages.as_mut_slice();
            while !left.is_empty() {
                let (topic, copy) = (self.topic.as_ptr(), sys::RD_KAFKA_MSG_F_COPY);
                let (first, count) = (left.as_mut_ptr(), left.len() as i32);
                // SAFETY: the topic lives; the messages are as many; the lane that they point into stays as it is, and
                // is copied before the call returns.
                let taken = unsafe { sys::rd_kafka_produce_batch(topic, partition, copy, first, count) };
                left = &mut left[usize::try_from(taken)?..];
                match left.first().map(|refused| refused.err.into()) {
                    None => {}
                    Some(Code::QueueFull) => self.producer.poll(1),
                    Some(other) => bail!("writing: {other}"),
                }
            }
            lane.clear();
        }
        Ok(())
    }
}

impl Drop for Topic<'_> {
    fn drop(&mut self) {
        // SAFETY: the client lives, and this is the only owner.
        unsafe { sys::rd_kafka_topic_destroy(self.topic.as_ptr()) }
    }
}
