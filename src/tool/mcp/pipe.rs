//! A server that is a child process: an environment of named variables only, pipes with a meter, and an end that takes its
//! own children with it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// How much of what a server says beside the protocol is kept, for whoever asks why it does not start.
const TAIL_BYTES_MAX: usize = 2_000;

/// A running child and all that it started; it ends when this is dropped.
pub(super) struct Process {
    child: Child,
    group: Option<Pid>,
}

/// A child's pipes.
pub(super) struct Pipes {
    pub(super) process: Process,
    pub(super) input: ChildStdin,
    pub(super) output: Metered<ChildStdout>,
    pub(super) said: Said,
}

/// The end of what a child said beside the protocol, on its standard error.
#[derive(Clone, Default)]
pub(super) struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    /// As text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    fn add(&self, bytes: &[u8]) {
        let mut tail = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend_from_slice(bytes);
        let beyond = tail.len().saturating_sub(TAIL_BYTES_MAX);
        tail.drain(..beyond);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It leads a group of its own: what it started and left behind ends, too.
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.start_kill();
    }
}

/// Starts `command` in the folder `root`, with these variables and no other.
pub(super) fn start(
    command: &[String],
    variables: &BTreeMap<String, String>,
    root: &Path,
    meter: &Arc<Meter>,
) -> Result<Pipes, String> {
    let (program, arguments) = command.split_first().ok_or("its command is empty")?;
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .env_clear()
        .envs(variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|why| not_started(program, variables, &why))?;
    let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let (input, output, said) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let process = Process { child, group };
    let (Some(input), Some(output), Some(said)) = (input, output, said) else {
        return Err("it has no pipes".to_owned());
    };
    let kept = Said::default();
    tokio::spawn(listen(said, kept.clone()));
    Ok(Pipes { process, input, output: Metered { inner: output, meter: Arc::clone(meter), line: 0 }, said: kept })
}

fn not_started(program: &str, variables: &BTreeMap<String, String>, why: &io::Error) -> String {
    let bare = !program.contains('/') && !variables.contains_key("PATH");
    let hint = if bare { "; write its path, or name PATH in env, since it gets named variables only" } else { "" };
    format!("{program:?} cannot be started: {}{hint}", crate::file::words(why))
}

/// Reads what a server says beside the protocol, so that it never waits for a reader, and keeps the end of it.
async fn listen(mut from: ChildStderr, said: Said) {
    let mut buffer = [0; 4_096];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        said.add(&buffer[..read]);
    }
}

/// Counts what a server sends; past a limit it ends the connection and says why.
#[derive(Debug)]
pub(super) struct Meter {
    /// Most bytes of one message.
    message_bytes_max: usize,
    /// Bytes since something was last asked.
    since: AtomicUsize,
    wrong: Mutex<Option<Excess>>,
}

/// What a server sent too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    /// One message.
    Message,
    /// All together since it was last asked something.
    Flood,
}

/// How many of the longest messages may come for one question: what is reported on the way counts, too.
const MESSAGES_MAX: usize = 4;

impl Meter {
    pub(super) fn new(message_bytes_max: usize) -> Self {
        Self { message_bytes_max, since: AtomicUsize::new(0), wrong: Mutex::new(None) }
    }

    /// Something is asked, and an answer may come.
    pub(super) fn ask(&self) {
        self.since.store(0, Ordering::Relaxed);
    }

    /// What there was too much of, if there was.
    pub(super) fn excess(&self) -> Option<Excess> {
        *self.wrong.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, line: &mut usize, bytes: &[u8]) -> io::Result<()> {
        let since = self.since.fetch_add(bytes.len(), Ordering::Relaxed) + bytes.len();
        let mut longest = 0;
        for byte in bytes {
            *line = if *byte == b'\n' { 0 } else { *line + 1 };
            longest = longest.max(*line);
        }
        let excess = match () {
            () if longest > self.message_bytes_max => Excess::Message,
            () if since > self.message_bytes_max.saturating_mul(MESSAGES_MAX) => Excess::Flood,
            () => return Ok(()),
        };
        *self.wrong.lock().unwrap_or_else(PoisonError::into_inner) = Some(excess);
        Err(io::Error::new(io::ErrorKind::InvalidData, "the server sends too much"))
    }
}

/// What a server sends, with a meter.
pub(super) struct Metered<R> {
    inner: R,
    meter: Arc<Meter>,
    /// Bytes of the line so far.
    line: usize,
}

impl<R: AsyncRead + Unpin> AsyncRead for Metered<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let Self { meter, line, .. } = &mut *self;
        Poll::Ready(meter.take(line, &buffer.filled()[before..]))
    }
}
