//! A proxy between clients and a broker, which disturbs what passes when it is told to. It knows requests of Kafka's protocol
//! by their number.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// What becomes of what passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum How {
    /// It passes.
    Open,
    /// Connections are cut, and new ones too.
    Cut,
    /// Nothing passes either way, and nobody is told. What waits passes later.
    Silent,
    /// So many bytes a second pass to the broker on each connection.
    Slow(u32),
    /// Each answer comes so late, as from far away.
    Late(Duration),
    /// The next request of this kind is caught; all else passes.
    Catch(Request, Caught),
    /// It is over.
    Over,
}

/// A request, by its number in the protocol.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Request(pub(crate) i16);

impl Request {
    pub(crate) const PRODUCE: Request = Request(0);
    pub(crate) const END_TXN: Request = Request(26);
    pub(crate) const TXN_OFFSET_COMMIT: Request = Request(28);
}

/// What becomes of a request that is caught.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Caught {
    /// The connection is cut before the broker hears of it.
    Unheard,
    /// The broker does it, and the connection is cut before the answer.
    Unanswered,
    /// The broker does it, and the answer comes so late.
    Late(Duration),
    /// It comes to the broker so late, whoever sent it has gone or not.
    Held(Duration),
}

/// Ends with this.
pub(crate) struct Proxy {
    address: String,
    shared: Arc<Shared>,
}

struct Shared {
    how: Mutex<How>,
    changed: Condvar,
    caught: AtomicU32,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// Listens at one address, and connects to another.
    pub(crate) fn start(address: &str, broker: &str) -> Proxy {
        let listener = TcpListener::bind(address).unwrap();
        let shared = Arc::new(Shared {
            how: Mutex::new(How::Open),
            changed: Condvar::new(),
            caught: AtomicU32::new(0),
            open: Mutex::new(Vec::new()),
        });
        let (accepting, broker) = (Arc::clone(&shared), broker.to_owned());
        thread::spawn(move || {
            for client in listener.incoming() {
                let how = *accepting.how();
                match how {
                    How::Over => return,
                    How::Cut => {}
                    // A broker that is not there refuses; so does this, by hanging up.
                    _ => drop(client.and_then(|client| accepting.connect(client, &broker))),
                }
            }
        });
        Proxy { address: address.to_owned(), shared }
    }

    pub(crate) fn set(&self, how: How) {
        self.shared.set(how);
    }

    /// How many requests were caught.
    pub(crate) fn caught(&self) -> u32 {
        self.shared.caught.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.set(How::Over);
        // Who waits for connections hears of it.
        let _ = TcpStream::connect(&self.address);
    }
}

/// A connection: what was asked and is not answered yet, and what becomes of the answer.
type Asked = Arc<Mutex<VecDeque<Option<Caught>>>>;

impl Shared {
    fn how(&self) -> MutexGuard<'_, How> {
        self.how.lock().unwrap()
    }

    fn set(&self, how: How) {
        *self.how() = how;
        self.changed.notify_all();
        if matches!(how, How::Cut | How::Over) {
            for stream in self.open.lock().unwrap().drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }

    fn connect(self: &Arc<Self>, client: TcpStream, broker: &str) -> std::io::Result<()> {
        let server = TcpStream::connect(broker)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        self.open.lock().unwrap().extend([client.try_clone()?, server.try_clone()?]);
        // Cut meanwhile: nobody has seen this one.
        if matches!(*self.how(), How::Cut | How::Over) {
            hang_up(&client, &server);
        }
        let asked = Asked::default();
        let both = (client.try_clone()?, server.try_clone()?);
        let (there, there_asked) = (Arc::clone(self), Arc::clone(&asked));
        thread::spawn(move || {
            there.ask(&client, &server, &there_asked);
            hang_up(&client, &server);
        });
        let back = Arc::clone(self);
        thread::spawn(move || {
            let (client, server) = both;
            back.answer(&client, &server, &asked);
            hang_up(&client, &server);
        });
        Ok(())
    }

    /// From the client to the broker.
    fn ask(&self, mut client: &TcpStream, mut server: &TcpStream, asked: &Asked) {
        while let Some(frame) = frame(&mut client) {
            self.wait_while_silent();
            let number = i16::from_be_bytes([frame[4], frame[5]]);
            let caught = self.catch(Request(number));
            if caught == Some(Caught::Unheard) {
                return;
            }
            if let Some(Caught::Held(by)) = caught {
                self.wait(by);
            }
            asked.lock().unwrap().push_back(caught);
            self.wait_while_slow(frame.len());
            if server.write_all(&frame).is_err() {
                return;
            }
        }
    }

    /// From the broker to the client. Answers come in the order of the requests, and one that is late makes no other later.
    fn answer(&self, client: &TcpStream, mut server: &TcpStream, asked: &Asked) {
        let (late, due) = mpsc::channel::<(Instant, Vec<u8>)>();
        thread::scope(move |scope| {
            // Goes with this block: who delivers ends with the last of them.
            let late = late;
            scope.spawn(move || self.deliver(client, due));
            while let Some(frame) = frame(&mut server) {
                self.wait_while_silent();
                let by = if let How::Late(by) = *self.how() { by } else { Duration::ZERO };
                let by = match asked.lock().unwrap().pop_front().flatten() {
                    Some(Caught::Unanswered) => return hang_up(client, server),
                    Some(Caught::Late(by)) => by,
                    Some(Caught::Unheard | Caught::Held(_)) | None => by,
                };
                if late.send((Instant::now() + by, frame)).is_err() {
                    return;
                }
            }
        });
    }

    fn deliver(&self, mut client: &TcpStream, due: mpsc::Receiver<(Instant, Vec<u8>)>) {
        for (at, frame) in due {
            self.wait(at.saturating_duration_since(Instant::now()));
            if client.write_all(&frame).is_err() {
                return;
            }
        }
    }

    fn catch(&self, request: Request) -> Option<Caught> {
        let mut how = self.how();
        let How::Catch(wanted, caught) = *how else { return None };
        if wanted != request {
            return None;
        }
        *how = How::Open;
        self.caught.fetch_add(1, Ordering::Relaxed);
        Some(caught)
    }

    fn wait_while_silent(&self) {
        drop(self.changed.wait_while(self.how(), |how| *how == How::Silent).unwrap());
    }

    /// No longer than it is slow: what waits passes then.
    fn wait_while_slow(&self, bytes: usize) {
        let how = self.how();
        let slow = *how;
        let How::Slow(bytes_a_second) = slow else { return };
        let by = Duration::from_secs_f64(bytes as f64 / f64::from(bytes_a_second));
        drop(self.changed.wait_timeout_while(how, by, |how| *how == slow).unwrap());
    }

    /// Waits, but not longer than this is needed.
    fn wait(&self, by: Duration) {
        let until = Instant::now() + by;
        let mut how = self.how();
        while *how != How::Over {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            how = self.changed.wait_timeout(how, left).unwrap().0;
        }
    }
}

fn hang_up(client: &TcpStream, server: &TcpStream) {
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

/// A request or an answer, with its length before it.
fn frame(from: &mut impl Read) -> Option<Vec<u8>> {
    let mut frame = vec![0; 4];
    from.read_exact(&mut frame).ok()?;
    let length = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]) as usize;
    frame.resize(4 + length, 0);
    from.read_exact(&mut frame[4..]).ok()?;
    Some(frame)
}
