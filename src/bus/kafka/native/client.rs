//! A client of librdkafka, and what it says by itself.

use std::collections::VecDeque;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::NonNull;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka_sys as sys;

use super::consumer::{self, Rebalance};
use super::raw;

/// So many of the last complaints are kept.
const COMPLAINTS_MAX: usize = 16;

/// An error as librdkafka tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::bus::kafka) struct Fault {
    /// Its number.
    pub(in crate::bus::kafka) code: i32,
    /// What librdkafka says of it.
    pub(in crate::bus::kafka) text: String,
    /// The client is of no use any more.
    pub(in crate::bus::kafka) is_fatal: bool,
    /// The same call may succeed later.
    pub(in crate::bus::kafka) is_retriable: bool,
    /// The transaction has to be aborted.
    pub(in crate::bus::kafka) wants_abort: bool,
}

impl Fault {
    /// An error that the rdkafka package told.
    pub(in crate::bus::kafka) fn new(code: RDKafkaErrorCode, text: &str) -> Fault {
        Fault { text: text.to_owned(), ..Fault::of(code as i32) }
    }

    pub(in crate::bus::kafka) fn of(code: i32) -> Fault {
        let text = match name(code) {
            Some(known) => known.to_string(),
            None => format!("error {code}, which this version of librdkafka has no name for"),
        };
        Fault { code, text, is_fatal: false, is_retriable: false, wants_abort: false }
    }

    /// Whether it is this one.
    pub(in crate::bus::kafka) fn is(&self, code: RDKafkaErrorCode) -> bool {
        self.code == code as i32
    }

    /// Takes over an error that librdkafka gave away.
    ///
    /// # Safety
    /// `error` is null, or one that librdkafka returned and that nobody destroyed.
    pub(super) unsafe fn take(error: *mut sys::rd_kafka_error_t) -> Result<(), Fault> {
        if error.is_null() {
            return Ok(());
        }
        // SAFETY: it is not null, and by contract ours; its text is copied before it goes.
        unsafe {
            let fault = Fault {
                code: raw::rd_kafka_error_code(error),
                text: text(sys::rd_kafka_error_string(error)),
                is_fatal: sys::rd_kafka_error_is_fatal(error) != 0,
                is_retriable: sys::rd_kafka_error_is_retriable(error) != 0,
                wants_abort: sys::rd_kafka_error_txn_requires_abort(error) != 0,
            };
            sys::rd_kafka_error_destroy(error);
            Err(fault)
        }
    }

    /// The outcome of a call that returns a code.
    pub(super) fn check(code: i32) -> Result<(), Fault> {
        if code == 0 { Ok(()) } else { Err(Fault::of(code)) }
    }
}

fn name(code: i32) -> Option<RDKafkaErrorCode> {
    sys::rd_kafka_resp_err_t::try_from(code).ok().map(RDKafkaErrorCode::from)
}

/// A copy of a C text.
///
/// # Safety
/// `text` is null or a C string that lives for the call.
pub(super) unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, and by contract a C string.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// What a client says by itself, from whatever thread.
#[derive(Default)]
pub(in crate::bus::kafka) struct Heard {
    role: String,
    complaints: Mutex<VecDeque<Fault>>,
    pub(super) rebalances: Mutex<VecDeque<Rebalance>>,
    /// Who this was to the group when it was told last what is its own.
    pub(super) member_id: Mutex<String>,
    /// Whether partitions are let go at once, because nobody polls any more.
    pub(super) is_closing: AtomicBool,
    /// Whether somebody waits who is to come back at once when a rebalance comes.
    pub(super) may_yield: AtomicBool,
}

impl Heard {
    pub(in crate::bus::kafka) fn new(role: &str) -> Heard {
        Heard { role: role.to_owned(), ..Heard::default() }
    }

    /// Notes something that went wrong; the oldest is forgotten where there are many.
    pub(in crate::bus::kafka) fn complain(&self, fault: Fault) {
        tracing::debug!(target: "librdkafka", client = self.role, code = fault.code, "{}", fault.text);
        let mut complaints = locked(&self.complaints);
        if complaints.len() == COMPLAINTS_MAX {
            complaints.pop_front();
        }
        complaints.push_back(fault);
    }

    /// What went wrong since this was asked last, the oldest first.
    pub(in crate::bus::kafka) fn complaints(&self) -> Vec<Fault> {
        locked(&self.complaints).drain(..).collect()
    }

    /// Passes a line of librdkafka's log on. `level` is that of syslog, and one too high for who operates Lockstep: what
    /// concerns him is told by errors, and librdkafka says *error* each time that a broker cannot be reached.
    pub(in crate::bus::kafka) fn log(&self, level: i32, facility: &str, line: &str) {
        let client = self.role.as_str();
        // Who hangs up before the first answer is told in the log only.
        if facility == "FAIL" {
            self.complain(Fault::new(RDKafkaErrorCode::BrokerTransportFailure, line));
        }
        match level {
            // It repeats at every client which properties are for the other kind.
            _ if facility == "CONFWARN" => {}
            ..=2 => tracing::error!(target: "librdkafka", client, facility, "{line}"),
            3 => tracing::warn!(target: "librdkafka", client, facility, "{line}"),
            4 => tracing::info!(target: "librdkafka", client, facility, "{line}"),
            5.. => tracing::debug!(target: "librdkafka", client, facility, "{line}"),
        }
    }
}

/// A panic while the lock was held leaves a list that is still one.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bus::kafka) enum Kind {
    /// It reads.
    Consumer,
    /// It writes.
    Producer,
}

/// A client, until the last of what came from it is gone.
pub(in crate::bus::kafka) struct Client {
    rk: NonNull<sys::rd_kafka_t>,
    heard: Arc<Heard>,
}

// SAFETY: librdkafka's client may be used from any thread, and from several at once; `Heard` is guarded by locks.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

impl Client {
    /// A client with these properties.
    pub(in crate::bus::kafka) fn new(
        kind: Kind,
        properties: &ClientConfig,
        role: &str,
    ) -> Result<Arc<Client>, KafkaError> {
        let config = properties.create_native_config()?;
        let heard = Arc::new(Heard::new(role));
        let mut why: [c_char; 512] = [0; 512];
        // SAFETY: `config` holds a valid configuration, of which librdkafka gets a copy: `rd_kafka_new` takes a copy over
        // where it succeeds, and where it fails the copy is destroyed here. The opaque pointer is one to `heard`, which
        // the client owns and outlives.
        let rk = unsafe {
            let copy = sys::rd_kafka_conf_dup(config.ptr());
            sys::rd_kafka_conf_set_opaque(copy, Arc::as_ptr(&heard).cast_mut().cast());
            sys::rd_kafka_conf_set_log_cb(copy, Some(on_log));
            sys::rd_kafka_conf_set_error_cb(copy, Some(on_error));
            let kind = match kind {
                Kind::Consumer => {
                    sys::rd_kafka_conf_set_rebalance_cb(copy, Some(consumer::on_rebalance));
                    sys::rd_kafka_type_t::RD_KAFKA_CONSUMER
                }
                Kind::Producer => sys::rd_kafka_type_t::RD_KAFKA_PRODUCER,
            };
            let rk = sys::rd_kafka_new(kind, copy, why.as_mut_ptr(), why.len());
            if rk.is_null() {
                sys::rd_kafka_conf_destroy(copy);
            }
            rk
        };
        match NonNull::new(rk) {
            Some(rk) => Ok(Arc::new(Client { rk, heard })),
            // SAFETY: librdkafka ends what it writes there with a zero.
            None => Err(KafkaError::ClientCreation(unsafe { text(why.as_ptr()) })),
        }
    }

    /// librdkafka's handle, valid for as long as this is borrowed.
    pub(super) const fn rk(&self) -> *mut sys::rd_kafka_t {
        self.rk.as_ptr()
    }

    /// What it says by itself.
    pub(in crate::bus::kafka) fn heard(&self) -> &Heard {
        &self.heard
    }

    /// Why the client is of no use any more, if so.
    pub(in crate::bus::kafka) fn fatal(&self) -> Option<Fault> {
        let mut why: [c_char; 512] = [0; 512];
        // SAFETY: the handle is valid, and the text is ended with a zero within the length that is told.
        let code = unsafe { raw::rd_kafka_fatal_error(self.rk(), why.as_mut_ptr(), why.len()) };
        // SAFETY: as above; it is all zeros where nothing was written.
        let text = unsafe { text(why.as_ptr()) };
        (code != 0).then_some(Fault { code, text, is_fatal: true, is_retriable: false, wants_abort: false })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: this is the last that holds the handle. A member of a group has left it already.
        unsafe { sys::rd_kafka_destroy_flags(self.rk(), sys::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE) };
    }
}

/// What a callback was given as its opaque pointer.
///
/// # Safety
/// `opaque` is that of a client that was made here.
pub(super) unsafe fn heard<'c>(opaque: *mut c_void) -> &'c Heard {
    // SAFETY: by contract it points to the `Heard` of a client that still exists, which no one borrows mutably.
    unsafe { &*opaque.cast_const().cast() }
}

unsafe extern "C" fn on_log(
    rk: *const sys::rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    line: *const c_char,
) {
    // SAFETY: librdkafka passes its own handle and C strings. While `rd_kafka_new` runs there may be no handle.
    unsafe {
        if rk.is_null() {
            return;
        }
        let opaque = sys::rd_kafka_opaque(rk);
        if !opaque.is_null() {
            heard(opaque).log(level, &text(facility), &text(line));
        }
    }
}

unsafe extern "C" fn on_error(
    _: *mut sys::rd_kafka_t,
    code: c_int,
    reason: *const c_char,
    opaque: *mut c_void,
) {
    // SAFETY: librdkafka passes the opaque pointer that it was given, and a C string.
    unsafe {
        let fault = Fault { text: text(reason), ..Fault::of(code) };
        heard(opaque).complain(fault);
    }
}
