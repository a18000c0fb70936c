//! Ports of a test's own.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// The ports of a process lie side by side, so many of them.
const EACH: u16 = 200;
/// So many processes of tests have some at once.
const PROCESSES: u16 = 32;
/// From here to 8,399. Above are those that simulators, gateways and metrics have by default, those of brokers of tests
/// (`scripts/kafka`) and of demos, and those that the system gives to whoever connects.
const FIRST: u16 = 2_000;

/// The first port of this process. The lock says to others that they are taken; it goes with the process.
static OURS: LazyLock<(u16, File)> = LazyLock::new(|| {
    let id = (std::process::id() % u32::from(PROCESSES)) as u16;
    let mut all = (0..PROCESSES).map(|number| (id + number) % PROCESSES);
    let user = rustix::process::getuid().as_raw();
    let ours = all.find_map(|block| {
        let name = format!("lockstep-test-ports-{user}-{block}.lock");
        let lock = File::create(std::env::temp_dir().join(name)).unwrap();
        lock.try_lock().ok()?;
        Some((FIRST + block * EACH, lock))
    });
    ours.expect("ports are left for one more process of tests")
});

/// An address of this machine at which nobody listens, and that no other test is given meanwhile, in this process or another.
pub(crate) fn free_port() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = OURS.0;
    let next = || {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % EACH;
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    };
    let mut all = std::iter::repeat_with(next).take(EACH.into());
    all.find(|address| TcpListener::bind(address).is_ok()).expect("one of our ports is free")
}
