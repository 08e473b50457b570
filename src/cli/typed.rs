//! Lines that a person types.

use std::io::BufRead as _;
use std::sync::mpsc::{Sender, channel};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Lines that a person types. There is one reader for the whole process, on a thread of its own: a read that has begun
/// cannot be taken back, and the process ends without waiting for it. It begins one only when a line is asked for, so that
/// in between the terminal's keys are an editor's.
pub(super) struct Typed {
    wanted: Sender<()>,
    lines: UnboundedReceiver<String>,
    /// Whether a read has begun whose line has not come yet.
    reading: bool,
}

impl Typed {
    /// A reader that waits to be asked.
    pub(super) fn open() -> Self {
        let (wanted, asked) = channel();
        let (to, lines) = unbounded_channel();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            while asked.recv().is_ok()
                && std::io::stdin().lock().read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0)
            {
                if to.send(String::from_utf8_lossy(&bytes).trim().to_owned()).is_err() {
                    return;
                }
                bytes.clear();
            }
        });
        Self { wanted, lines, reading: false }
    }

    /// The next line; none when the input has ended. Whoever stops waiting for it loses nothing.
    pub(super) async fn line(&mut self) -> Option<String> {
        if !self.reading {
            self.reading = self.wanted.send(()).is_ok();
        }
        let line = self.lines.recv().await;
        self.reading = false;
        line
    }
}
