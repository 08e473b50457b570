//! Reads the body of a reply: piece by piece, within its caps and times, and tells a cut from an end.

use std::time::Duration;

use reqwest::Response;

use super::broken::{invalid, truncated};
use super::dialect::{Ear, Heard};
use super::limits::Limits;
use super::refusal::{self, Kind};
use super::sse;
use crate::failure::{Class, Failure};
use crate::topology::manner::{bytes_words, time_words};

/// The body of a reply, while it is read.
pub(super) struct Body<'a> {
    response: Response,
    limits: &'a Limits,
    pulse: &'a (dyn Fn(u64) + Send + Sync),
    bytes: u64,
}

impl<'a> Body<'a> {
    pub(super) fn new(response: Response, limits: &'a Limits, pulse: &'a (dyn Fn(u64) + Send + Sync)) -> Self {
        Self { response, limits, pulse, bytes: 0 }
    }

    /// Hears the reply up to its last event, or to its end.
    pub(super) async fn hear(mut self, mut hearing: Hearing) -> Result<Heard, Failure> {
        while let Some(piece) = self.next(hearing.bytes_max).await? {
            if hearing.take(piece.as_ref())? {
                self.skip_tail().await;
                return hearing.heard();
            }
        }
        hearing.ended()
    }

    /// The next piece, or `None` at a proper end.
    async fn next(&mut self, bytes_max: u64) -> Result<Option<impl AsRef<[u8]> + use<>>, Failure> {
        let wait = if self.bytes == 0 { self.limits.first_byte_ms_max } else { self.limits.idle_ms_max };
        let Ok(piece) = tokio::time::timeout(Duration::from_millis(wait), self.response.chunk()).await else {
            return Err(self.stalled(wait));
        };
        let Some(piece) = piece.map_err(refusal::cut)? else { return Ok(None) };
        self.bytes += piece.len() as u64;
        (self.pulse)(self.bytes);
        if self.bytes > bytes_max {
            return Err(invalid(format!("the reply's body has more than {bytes_max} bytes")));
        }
        Ok(Some(piece))
    }

    /// Why no more of the body is waited for.
    fn stalled(&self, wait_ms: u64) -> Failure {
        let wait = time_words(wait_ms);
        let what = match self.bytes {
            0 => format!("no word of an answer within {wait}"),
            bytes => format!("silent for {wait} after {}", bytes_words(bytes)),
        };
        Failure { silent: self.bytes > 0, ..Failure::new(Class::Transient, what).lost() }
    }

    /// Reads what little follows the last event. What it is does not matter any more, nor whether it comes.
    async fn skip_tail(mut self) {
        const TAIL_PIECES_MAX: usize = 16;
        let rest = async {
            for _ in 0..TAIL_PIECES_MAX {
                if !matches!(self.response.chunk().await, Ok(Some(_))) {
                    break;
                }
            }
        };
        // A late end only costs the connection.
        let _late = tokio::time::timeout(Duration::from_millis(self.limits.tail_ms_max), rest).await;
    }
}

/// A reply, as far as it has come.
pub(super) struct Hearing {
    ear: Box<dyn Ear>,
    so_far: SoFar,
    bytes_max: u64,
}

enum SoFar {
    Events(sse::Parser),
    Document(Vec<u8>),
}

impl Hearing {
    pub(super) fn new(kind: Kind, ear: Box<dyn Ear>, limits: &Limits) -> Self {
        match kind {
            Kind::Events => {
                let parser = sse::Parser::new(limits.event_bytes_max);
                Self { ear, so_far: SoFar::Events(parser), bytes_max: limits.body_bytes_max }
            }
            Kind::Document => Self { ear, so_far: SoFar::Document(Vec::new()), bytes_max: limits.reply_bytes_max },
        }
    }

    /// Takes the next piece in; true if nothing after it matters.
    pub(super) fn take(&mut self, piece: &[u8]) -> Result<bool, Failure> {
        match &mut self.so_far {
            SoFar::Events(parser) => parser.feed(piece, |event| self.ear.event(event)),
            SoFar::Document(whole) => {
                whole.extend_from_slice(piece);
                Ok(false)
            }
        }
    }

    /// The reply, after its last event.
    pub(super) fn heard(self) -> Result<Heard, Failure> {
        self.ear.heard()
    }

    /// The reply, if the end of its body is an end of it.
    pub(super) fn ended(mut self) -> Result<Heard, Failure> {
        match self.so_far {
            SoFar::Events(parser) if self.ear.ends_with_body() && !parser.is_within_event() => self.ear.heard(),
            SoFar::Events(_) => Err(truncated("the stream ends without its last event")),
            SoFar::Document(whole) => {
                let text = std::str::from_utf8(&whole).map_err(|error| match error.error_len() {
                    None => truncated("the reply ends within a character"),
                    Some(_) => invalid("the reply is not UTF-8"),
                })?;
                self.ear.whole(text)?;
                self.ear.heard()
            }
        }
    }
}
