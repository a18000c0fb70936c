//! The owner's socket: other processes ask him over it.
//!
//! A question and an answer are frames: the length of a head in JSON (4 bytes), the number of batches beside it (4), the head,
//! and each batch after its length (4). Numbers are little-endian.

use std::fs::Permissions;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use fjall::Slice;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::groups::Session;
use super::owner::Owner;
use super::request::{Answer, Ask, Read, Request, Written};
use crate::bus::Error;

/// A head or a batch has at most so many bytes, and a frame so many batches.
const PART_BYTES_MAX: usize = 64 << 20;
const PARTS_MAX: usize = 1 << 20;
/// Nobody asks the owner to wait for longer.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// How long the owner may take to answer, beside what he was asked to wait.
const ANSWER_MAX: Duration = Duration::from_secs(15);
/// After a connection that could not be taken: the next one may not be either.
const TROUBLE_WAIT: Duration = Duration::from_millis(20);
/// So many processes and threads may ask at a time.
const CONNECTIONS_MAX: usize = 256;

fn send(stream: &mut UnixStream, head: &impl Serialize, parts: &[impl AsRef<[u8]>]) -> io::Result<()> {
    let head = serde_json::to_vec(head)?;
    let mut frame = Vec::with_capacity(head.len() + 8);
    frame.extend_from_slice(&length(head.len())?);
    frame.extend_from_slice(&length(parts.len())?);
    frame.extend_from_slice(&head);
    stream.write_all(&frame)?;
    for part in parts {
        stream.write_all(&length(part.as_ref().len())?)?;
        stream.write_all(part.as_ref())?;
    }
    stream.flush()
}

fn length(length: usize) -> io::Result<[u8; 4]> {
    let length = u32::try_from(length).map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
    Ok(length.to_le_bytes())
}

/// `None` where the other side has gone between two frames.
fn receive<T: DeserializeOwned>(stream: &mut UnixStream) -> io::Result<Option<(T, Written)>> {
    let mut first = [0; 4];
    match stream.read_exact(&mut first) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let head_bytes = u32::from_le_bytes(first) as usize;
    let parts = number(stream)?;
    if head_bytes > PART_BYTES_MAX || parts > PARTS_MAX {
        return Err(ErrorKind::InvalidData.into());
    }
    let head = serde_json::from_slice(&bytes(stream, head_bytes)?)?;
    let mut all = Vec::new();
    for _ in 0..parts {
        let length = number(stream)?;
        all.push(bytes(stream, length)?);
    }
    Ok(Some((head, all)))
}

fn number(stream: &mut UnixStream) -> io::Result<usize> {
    let mut bytes = [0; 4];
    stream.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes) as usize)
}

fn bytes(stream: &mut UnixStream, length: usize) -> io::Result<Vec<u8>> {
    if length > PART_BYTES_MAX {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut bytes = Vec::new();
    // What a length says is not believed before that much has come.
    let read = stream.take(length as u64).read_to_end(&mut bytes)?;
    if read < length { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
}

/// Answers at a socket until it is dropped.
pub(super) struct Server {
    path: PathBuf,
    listener: UnixListener,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    owner: Arc<Owner>,
    is_over: AtomicBool,
    open: Mutex<Vec<(UnixStream, JoinHandle<()>)>>,
}

impl Server {
    /// Listens; what is left of an owner who died is in the way no more.
    pub(super) fn start(owner: Arc<Owner>, path: &Path) -> io::Result<Server> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
        let shared = Arc::new(Shared { owner, is_over: AtomicBool::new(false), open: Mutex::default() });
        let (accepting, listening) = (Arc::clone(&shared), listener.try_clone()?);
        let accepting = std::thread::Builder::new()
            .name("socket".to_owned())
            .spawn(move || accepting.accept(&listening))?;
        Ok(Server { path: path.to_owned(), listener, shared, accepting: Some(accepting) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        // Who waits for connections hears of it, even where somebody has removed the path.
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        let open = std::mem::take(&mut *self.shared.open.lock().unwrap_or_else(PoisonError::into_inner));
        for (stream, thread) in open {
            let _ = stream.shutdown(std::net::Shutdown::Both);
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Shared {
    fn accept(&self, listener: &UnixListener) {
        for stream in listener.incoming() {
            if self.is_over.load(Ordering::Acquire) {
                return;
            }
            let Ok(stream) = stream else {
                std::thread::sleep(TROUBLE_WAIT);
                continue;
            };
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.retain(|(_, thread)| !thread.is_finished());
            if open.len() >= CONNECTIONS_MAX {
                tracing::warn!("{CONNECTIONS_MAX} others are connected already: one more is sent away");
                continue;
            }
            let owner = Arc::clone(&self.owner);
            let Ok(kept) = stream.try_clone() else { continue };
            let serving = std::thread::Builder::new().name("connection".to_owned());
            if let Ok(thread) = serving.spawn(move || serve(&owner, stream)) {
                open.push((kept, thread));
            }
        }
    }
}

/// Answers one connection until it ends. Its members go with it.
fn serve(owner: &Owner, mut stream: UnixStream) {
    let mut sessions: Vec<Session> = Vec::new();
    loop {
        let (mut request, written) = match receive::<Request>(&mut stream) {
            Ok(Some(asked)) => asked,
            Ok(None) => break,
            Err(error) => {
                tracing::debug!("a connection ends: {error}");
                break;
            }
        };
        if let Request::Fetch { wait, .. } | Request::Poll { wait, .. } = &mut request {
            *wait = (*wait).min(WAIT_MAX);
        }
        let answer = owner.answer(request, written);
        if let Ok((Answer::Joined(session), _)) = &answer {
            sessions.push(session.clone());
        }
        let (answer, read): (Result<Answer, Error>, Read) = match answer {
            Ok((answer, read)) => (Ok(answer), read),
            Err(error) => (Err(error), Vec::new()),
        };
        if send(&mut stream, &answer, &read).is_err() {
            break;
        }
    }
    // The server has it open as well.
    let _ = stream.shutdown(std::net::Shutdown::Both);
    for session in sessions {
        // Nobody waits for the answer.
        let _ = owner.answer(Request::Leave(session), Vec::new());
    }
}

/// Asks an owner in another process.
pub(super) struct Remote {
    directory: PathBuf,
    path: PathBuf,
    stream: Mutex<Option<UnixStream>>,
}

impl Remote {
    pub(super) fn new(directory: &Path, path: &Path) -> Remote {
        Remote { directory: directory.to_owned(), path: path.to_owned(), stream: Mutex::new(None) }
    }

    fn exchange(
        &self,
        stream: &mut Option<UnixStream>,
        request: &Request,
        written: &Written,
    ) -> io::Result<(Result<Answer, Error>, Written)> {
        let wait = match request {
            Request::Fetch { wait, .. } | Request::Poll { wait, .. } => (*wait).min(WAIT_MAX),
            _ => Duration::ZERO,
        };
        let mut open = match stream.take() {
            Some(open) => open,
            None => UnixStream::connect(&self.path)?,
        };
        open.set_write_timeout(Some(ANSWER_MAX))?;
        open.set_read_timeout(Some(wait + ANSWER_MAX))?;
        send(&mut open, request, written)?;
        let answer = receive(&mut open)?.ok_or(ErrorKind::UnexpectedEof)?;
        // After an error it is not used again: an answer may still be under way.
        *stream = Some(open);
        Ok(answer)
    }
}

impl Ask for Remote {
    fn directory(&self) -> &Path {
        &self.directory
    }

    fn ask(&self, request: Request, written: Written) -> Result<(Answer, Read), Error> {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let was_open = stream.is_some();
        let mut answer = self.exchange(&mut stream, &request, &written);
        // The owner may have been another one since the last question. What was written is never asked for twice.
        if answer.is_err() && was_open && !matches!(request, Request::Append { .. }) {
            answer = self.exchange(&mut stream, &request, &written);
        }
        let (answer, read) = answer.map_err(|error| Error::Unreachable {
            operation: "asking the owner of the directory".to_owned(),
            servers: self.directory.display().to_string(),
            why: match error.kind() {
                ErrorKind::NotFound | ErrorKind::ConnectionRefused => "it has no owner now".to_owned(),
                ErrorKind::WouldBlock | ErrorKind::TimedOut => "its owner does not answer".to_owned(),
                _ => error.to_string(),
            },
        })?;
        Ok((answer?, read.into_iter().map(Slice::from).collect()))
    }
}
