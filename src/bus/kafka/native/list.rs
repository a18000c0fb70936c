//! Lists of partitions, as librdkafka wants them. (Those of the rdkafka package panic where a foreign program noted
//! something with an offset that is no text.)

use std::ffi::{CString, c_int};
use std::ptr::{self, NonNull};
use std::slice;

use rdkafka_sys as sys;

use super::client::text;
use super::raw;
use crate::bus::{TopicName, TopicPartition};

/// A list of partitions.
pub(in crate::bus::kafka) struct List(NonNull<sys::rd_kafka_topic_partition_list_t>);

// SAFETY: it belongs to whoever holds it.
unsafe impl Send for List {}

/// One of its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::bus::kafka) struct Entry {
    pub(in crate::bus::kafka) topic: String,
    pub(in crate::bus::kafka) partition: i32,
    /// An offset, or one of librdkafka's numbers below 0 for those that are not known yet.
    pub(in crate::bus::kafka) offset: i64,
    pub(in crate::bus::kafka) metadata: Vec<u8>,
    /// What went wrong with it; 0 if nothing.
    pub(in crate::bus::kafka) code: i32,
}

impl Entry {
    /// The partition.
    pub(in crate::bus::kafka) fn place(&self) -> TopicPartition {
        TopicName::new(&self.topic).partition(self.partition.cast_unsigned())
    }
}

impl List {
    /// These partitions with offsets.
    pub(in crate::bus::kafka) fn of<'p>(
        partitions: impl IntoIterator<Item = (&'p TopicPartition, i64)>,
    ) -> List {
        let mut list = List::new();
        for (place, offset) in partitions {
            list.add(place.topic.as_str(), place.partition.0.cast_signed(), offset, &[]);
        }
        list
    }

    /// An empty list.
    pub(in crate::bus::kafka) fn new() -> List {
        // SAFETY: it has no precondition.
        let list = unsafe { sys::rd_kafka_topic_partition_list_new(8) };
        // librdkafka aborts where there is no memory, as Rust does.
        List(NonNull::new(list).unwrap_or_else(|| std::process::abort()))
    }

    /// Adds a partition. A topic with a zero in its name is none, and is left out.
    pub(in crate::bus::kafka) fn add(&mut self, topic: &str, partition: i32, offset: i64, metadata: &[u8]) {
        let Ok(topic) = CString::new(topic) else { return };
        // SAFETY: the list is ours, the name lives for the call and is copied. The metadata is allocated as the list
        // frees it, and filled to its length.
        unsafe {
            let entry = sys::rd_kafka_topic_partition_list_add(self.as_ptr(), topic.as_ptr(), partition);
            (*entry).offset = offset;
            if !metadata.is_empty() {
                let copy = sys::rd_kafka_mem_malloc(ptr::null_mut(), metadata.len());
                ptr::copy_nonoverlapping(metadata.as_ptr(), copy.cast(), metadata.len());
                (*entry).metadata = copy;
                (*entry).metadata_size = metadata.len();
            }
        }
    }

    /// What is in it.
    pub(in crate::bus::kafka) fn entries(&self) -> Vec<Entry> {
        // SAFETY: the list is ours and valid.
        unsafe { entries(self.as_ptr()) }
    }

    pub(super) const fn as_ptr(&self) -> *mut sys::rd_kafka_topic_partition_list_t {
        self.0.as_ptr()
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: it is ours, and this is the end of it.
        unsafe { sys::rd_kafka_topic_partition_list_destroy(self.as_ptr()) };
    }
}

/// A copy of what is in a list of librdkafka's.
///
/// # Safety
/// `list` is null, or valid for the call.
pub(super) unsafe fn entries(list: *const sys::rd_kafka_topic_partition_list_t) -> Vec<Entry> {
    if list.is_null() {
        return Vec::new();
    }
    // SAFETY: by contract it is valid, and has as many entries as it says.
    unsafe {
        let count = usize::try_from((*list).cnt as c_int).unwrap_or(0);
        if count == 0 {
            return Vec::new();
        }
        let copied = |at: usize| {
            let entry = (*list).elems.add(at);
            let metadata = (*entry).metadata;
            let metadata = if metadata.is_null() {
                Vec::new()
            } else {
                slice::from_raw_parts(metadata.cast::<u8>(), (*entry).metadata_size).to_vec()
            };
            Entry {
                topic: text((*entry).topic),
                partition: (*entry).partition,
                offset: (*entry).offset,
                metadata,
                code: raw::entry_code(entry),
            }
        };
        (0..count).map(copied).collect()
    }
}
