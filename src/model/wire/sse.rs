//! Server-sent events from bytes, however they are cut up; lines and events have a cap, and what is no such stream is told.

use super::broken::invalid;
use crate::failure::Failure;

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// Its data, lines joined.
    pub(super) data: String,
    /// llama.cpp writes `error: {..}` instead of `data: {"error": {..}}`.
    pub(super) is_error: bool,
}

/// What has come of a stream and is no event yet.
pub(super) struct Parser {
    line: Vec<u8>,
    event: Option<Event>,
    after_return: bool,
    first: bool,
    event_bytes_max: usize,
}

impl Parser {
    pub(super) fn new(event_bytes_max: u64) -> Self {
        let event_bytes_max = usize::try_from(event_bytes_max).unwrap_or(usize::MAX);
        Self { line: Vec::new(), event: None, after_return: false, first: true, event_bytes_max }
    }

    /// Gives each event that `bytes` complete to `hear`, until it says that this was the last: then true.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        mut hear: impl FnMut(&Event) -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if std::mem::take(&mut self.after_return) && rest[0] == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                return self.keep(rest).map(|()| false);
            };
            self.keep(&rest[..end])?;
            self.after_return = rest[end] == b'\r';
            rest = &rest[end + 1..];
            if let Some(event) = self.line_ended()?
                && hear(&event)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the stream stands within an event.
    pub(super) fn is_within_event(&self) -> bool {
        self.event.is_some() || !self.line.is_empty()
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let held = self.line.len() + self.event.as_ref().map_or(0, |event| event.data.len());
        if held + bytes.len() > self.event_bytes_max {
            return Err(invalid(format!("an event of the stream has more than {} bytes", self.event_bytes_max)));
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn line_ended(&mut self) -> Result<Option<Event>, Failure> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8(line).map_err(|_| invalid("the stream is not UTF-8"))?;
        let line = if std::mem::take(&mut self.first) { line.trim_start_matches('\u{feff}') } else { &line };
        if line.is_empty() {
            return Ok(self.event.take());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" | "error" => {
                let again = self.event.is_some();
                let event = self.event.get_or_insert_default();
                if again {
                    event.data.push('\n');
                }
                event.data.push_str(value);
                event.is_error |= field == "error";
            }
            // Comments, `event`, `id`, `retry`: what an event is stands in its data.
            _ if field.bytes().all(|byte| byte.is_ascii_alphabetic()) => {}
            _ => return Err(invalid(format!("this is no event stream: {line}"))),
        }
        Ok(None)
    }
}
