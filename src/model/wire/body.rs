//! Reads the body of a reply: piece by piece, within its caps and times, and tells a cut from an end.

use std::time::Duration;

use reqwest::Response;

use super::draft::{invalid, json, truncated};
use super::{Ear, Heard, Limits, refusal, sse};
use crate::failure::{Class, Failure};

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

    /// Hears a stream of events up to its last one.
    pub(super) async fn events(mut self, mut ear: Box<dyn Ear>) -> Result<Heard, Failure> {
        let mut parser = sse::Parser::new(self.limits.event_bytes_max);
        while let Some(bytes) = self.next(self.limits.body_bytes_max).await? {
            if parser.feed(&bytes, |event| ear.event(event))? {
                self.skip_tail().await;
                return ear.heard();
            }
        }
        if ear.ends_with_body() && !parser.is_within_event() {
            ear.heard()
        } else {
            Err(truncated("the stream ends without its last event"))
        }
    }

    /// Hears one document.
    pub(super) async fn document(mut self, mut ear: Box<dyn Ear>) -> Result<Heard, Failure> {
        let mut whole = Vec::new();
        while let Some(bytes) = self.next(self.limits.reply_bytes_max).await? {
            whole.extend_from_slice(&bytes);
        }
        let text = std::str::from_utf8(&whole).map_err(|error| match error.error_len() {
            None => truncated("the reply ends within a character"),
            Some(_) => invalid("the reply is not UTF-8"),
        })?;
        ear.whole(json(text)?)?;
        ear.heard()
    }

    /// The next piece, or `None` at a proper end.
    async fn next(&mut self, bytes_max: u64) -> Result<Option<Vec<u8>>, Failure> {
        let wait = if self.bytes == 0 { self.limits.first_byte_ms_max } else { self.limits.idle_ms_max };
        let Ok(piece) = tokio::time::timeout(Duration::from_millis(wait), self.response.chunk()).await else {
            return Err(Failure::new(Class::Transient, format!("the reply stalled for {wait} ms")));
        };
        let Some(piece) = piece.map_err(refusal::cut)? else { return Ok(None) };
        self.bytes += piece.len() as u64;
        (self.pulse)(self.bytes);
        if self.bytes > bytes_max {
            return Err(invalid(format!("the reply's body has more than {bytes_max} bytes")));
        }
        Ok(Some(piece.to_vec()))
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
