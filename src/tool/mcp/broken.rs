//! What became of a connection or a question instead of an answer, as one class of failure. Every word of a server in it is
//! cut, and what it was given is hidden.

use std::error::Error;
use std::time::Duration;

use rmcp::model::ErrorCode;
use rmcp::service::{ClientInitializeError, ServiceError};
use rmcp::transport::streamable_http_client::{AuthRequiredError, HttpStatusError, StreamableHttpError};

use super::pipe::Excess;
use super::place::Place;
use crate::failure::{Class, Failure};
use crate::topology::manner::time_words;

/// How much of a server's words is shown.
const WORDS_CHARS_MAX: usize = 400;

/// What went wrong.
#[derive(Debug)]
pub(super) enum Broken {
    /// It did not come to a conversation.
    Start(ClientInitializeError),
    /// A question failed.
    Service(ServiceError),
    /// It says nothing for so long.
    Silent(Duration),
    /// It sends too much.
    TooMuch(Excess),
    /// What it lists cannot be pinned.
    List(String),
    /// It answers what is no answer.
    Odd(String),
}

/// Whether the server refused before it did anything: then nothing is in doubt.
pub(super) fn is_refusal(broken: &Broken) -> bool {
    match broken {
        Broken::Service(ServiceError::McpError(error)) => {
            matches!(error.code, ErrorCode::INVALID_PARAMS | ErrorCode::METHOD_NOT_FOUND | ErrorCode::INVALID_REQUEST)
        }
        Broken::Service(ServiceError::TransportSend(error)) => Http::of(error).is_some_and(|http| http.is_key),
        _ => false,
    }
}

impl From<ClientInitializeError> for Broken {
    fn from(why: ClientInitializeError) -> Self {
        Self::Start(why)
    }
}

impl Broken {
    /// What it is if the meter has stopped the connection: what follows from that says less.
    pub(super) fn or(self, excess: Option<Excess>) -> Self {
        excess.map_or(self, Self::TooMuch)
    }

    /// As a failure; `said` is what the server said beside the protocol.
    pub(super) fn failure(&self, place: &Place, said: &str) -> Failure {
        let hidden = place.hidden();
        // Hidden before it is cut: a part of a secret is one, too.
        let words = |text: &str| hidden.of(text).chars().take(WORDS_CHARS_MAX).collect::<String>();
        let (class, mut reason) = self.told(place, &words);
        if !said.trim().is_empty() {
            reason += &format!("; it said: {}", tail(&hidden.of(said.trim())));
        }
        let retry_after_ms = self.http().and_then(|http| http.retry_after_ms);
        Failure { retry_after_ms: retry_after_ms.filter(|_| class == Class::Throttled), ..Failure::new(class, reason) }
    }

    fn told(&self, place: &Place, words: &dyn Fn(&str) -> String) -> (Class, String) {
        if let Some(http) = self.http() {
            return http.told(place);
        }
        match self {
            Self::Start(ClientInitializeError::ConnectionClosed(_)) => {
                (Class::Transient, "its server ended before it answered".to_owned())
            }
            Self::Start(why @ ClientInitializeError::TransportError { .. }) => {
                (Class::Transient, format!("its server is not to be reached: {}", words(&causes(why))))
            }
            Self::Start(why) => {
                (Class::Permanent, format!("its server does not speak MCP as it should: {}", words(&why.to_string())))
            }
            Self::Service(ServiceError::McpError(error)) if error.code == ErrorCode::METHOD_NOT_FOUND => {
                (Class::Permanent, format!("its server knows no such call: {}", words(&error.message)))
            }
            Self::Service(ServiceError::McpError(error)) => {
                (Class::Invalid, format!("its server refuses this: {}", words(&error.message)))
            }
            Self::Service(ServiceError::UnexpectedResponse) => {
                (Class::Permanent, "its server answers what is no answer to that question".to_owned())
            }
            Self::Service(ServiceError::TransportClosed) => {
                (Class::Transient, "its server ended without an answer".to_owned())
            }
            Self::Service(why) => {
                (Class::Transient, format!("its server is not to be reached: {}", words(&causes(why))))
            }
            Self::Silent(time) => {
                let time = time_words(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
                (Class::Transient, format!("its server says nothing within {time}"))
            }
            Self::TooMuch(Excess::Message) => {
                let (most, setting) = place.longest();
                (Class::Invalid, format!("its server answers more than {most} bytes ({setting}): ask for less"))
            }
            Self::TooMuch(Excess::Flood) => {
                (Class::Transient, "its server sends without end, and was stopped".to_owned())
            }
            Self::List(why) => (Class::Policy, format!("its server cannot be accepted: {}", words(why))),
            Self::Odd(why) => (Class::Permanent, format!("its server is odd: {}", words(why))),
        }
    }

    fn http(&self) -> Option<Http> {
        match self {
            Self::Start(ClientInitializeError::TransportError { error, .. }) => Http::of(error),
            Self::Service(ServiceError::TransportSend(error)) => Http::of(error),
            _ => None,
        }
    }
}

/// What a web server answered that is no answer to a question.
#[derive(Debug, Clone, Default)]
struct Http {
    status: u16,
    retry_after_ms: Option<u64>,
    /// It refuses whoever asks.
    is_key: bool,
    /// It answers more than is read.
    is_long: bool,
}

impl Http {
    fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(status) = error.downcast_ref::<HttpStatusError>() {
                let seconds = status.retry_after.as_deref().and_then(|text| text.trim().parse::<u64>().ok());
                let retry_after_ms = seconds.map(|seconds| seconds.saturating_mul(1_000));
                return Some(Self { status: status.status, retry_after_ms, ..Self::default() });
            }
            if error.is::<AuthRequiredError>() {
                return Some(Self { status: 401, is_key: true, ..Self::default() });
            }
            match error.downcast_ref::<StreamableHttpError<reqwest::Error>>() {
                Some(StreamableHttpError::ResponseBodyTooLarge { .. }) => {
                    return Some(Self { is_long: true, ..Self::default() });
                }
                Some(StreamableHttpError::SessionExpired) => return Some(Self { status: 404, ..Self::default() }),
                _ => {}
            }
            cause = error.source();
        }
        None
    }

    fn told(&self, place: &Place) -> (Class, String) {
        match self.status {
            _ if self.is_long => {
                let (most, setting) = place.longest();
                (Class::Invalid, format!("its server answers more than {most} bytes ({setting}): ask for less"))
            }
            _ if self.is_key => {
                (Class::Permanent, "its server refuses the token or the headers that it was given".to_owned())
            }
            429 | 503 => (Class::Throttled, format!("its server asks to wait (HTTP {})", self.status)),
            404 => (Class::Transient, "its server has ended the session (HTTP 404)".to_owned()),
            status => (Class::Transient, format!("its server fails (HTTP {status})")),
        }
    }
}

/// An error with what it comes from.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text += &format!(": {more}");
        }
        cause = error.source();
    }
    text
}

/// The end of what a server said, on one line.
fn tail(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let beyond = line.chars().count().saturating_sub(WORDS_CHARS_MAX);
    line.chars().skip(beyond).collect()
}
