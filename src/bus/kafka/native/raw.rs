//! The calls whose codes may come from a broker, declared with the number that they return: as the bindings declare them,
//! a code that they have no name for would be undefined behaviour.

use std::ffi::{c_char, c_int};

use rdkafka_sys as sys;

unsafe extern "C" {
    pub(super) fn rd_kafka_error_code(error: *const sys::rd_kafka_error_t) -> c_int;

    pub(super) fn rd_kafka_committed(
        rk: *mut sys::rd_kafka_t,
        partitions: *mut sys::rd_kafka_topic_partition_list_t,
        timeout_ms: c_int,
    ) -> c_int;

    pub(super) fn rd_kafka_offsets_for_times(
        rk: *mut sys::rd_kafka_t,
        offsets: *mut sys::rd_kafka_topic_partition_list_t,
        timeout_ms: c_int,
    ) -> c_int;

    pub(super) fn rd_kafka_query_watermark_offsets(
        rk: *mut sys::rd_kafka_t,
        topic: *const c_char,
        partition: i32,
        low: *mut i64,
        high: *mut i64,
        timeout_ms: c_int,
    ) -> c_int;

    pub(super) fn rd_kafka_assign(
        rk: *mut sys::rd_kafka_t,
        partitions: *const sys::rd_kafka_topic_partition_list_t,
    ) -> c_int;

    pub(super) fn rd_kafka_subscribe(
        rk: *mut sys::rd_kafka_t,
        topics: *const sys::rd_kafka_topic_partition_list_t,
    ) -> c_int;

    pub(super) fn rd_kafka_consumer_close(rk: *mut sys::rd_kafka_t) -> c_int;

    pub(super) fn rd_kafka_fatal_error(rk: *mut sys::rd_kafka_t, why: *mut c_char, why_size: usize) -> c_int;

    pub(super) fn rd_kafka_flush(rk: *mut sys::rd_kafka_t, timeout_ms: c_int) -> c_int;
}

/// The code of a message.
///
/// # Safety
/// `message` is valid for reading.
pub(super) unsafe fn message_code(message: *const sys::rd_kafka_message_t) -> i32 {
    // SAFETY: by contract; the enum has the size and alignment of a C `int`.
    unsafe { (&raw const (*message).err).cast::<c_int>().read() }
}

/// The code of a partition in a list.
///
/// # Safety
/// `entry` is valid for reading.
pub(super) unsafe fn entry_code(entry: *const sys::rd_kafka_topic_partition_t) -> i32 {
    // SAFETY: as above.
    unsafe { (&raw const (*entry).err).cast::<c_int>().read() }
}
