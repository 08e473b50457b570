//! What is not a reply: transport errors, answers that are not 200, errors inside a reply. Each becomes one class, and a
//! reason without keys and without control characters.

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::{Response, Url};
use serde_json::Value;

use super::broken::invalid;
use super::endpoint::{Endpoint, Key};
use super::extra::{self, Extra};
use super::limits::Limits;
use crate::failure::{Class, Failure};
use crate::topology::plan::Dialect;

/// Bytes of a reason, most of which a server may have written.
const REASON_BYTES_MAX: usize = 400;

/// The longest wait that a server can ask for.
const RETRY_AFTER_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// How a reply comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As a stream.
    Events,
    /// As one JSON document.
    Document,
}

/// How a reply with these headers comes, if it is one.
pub(super) fn kind(headers: &HeaderMap) -> Result<Kind, Failure> {
    if let Some(coding) = header(headers, &CONTENT_ENCODING).filter(|coding| *coding != "identity") {
        return Err(invalid(format!("the reply is compressed ({coding}), which was not asked for")));
    }
    let full = header(headers, &CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    match full.split(';').next().unwrap_or_default().trim() {
        "text/event-stream" => Ok(Kind::Events),
        "application/json" => Ok(Kind::Document),
        "text/html" => {
            Err(foreign("the answer is a page (HTML): the base URL does not seem to be that of an API".to_owned()))
        }
        "" => Err(invalid("the reply does not say what it is (no content type)")),
        other => Err(foreign(format!("the reply is neither a stream of events nor JSON, but {other}"))),
    }
}

/// What is no model's server: asking again helps as little as another model there, and no model was asked.
fn foreign(what: String) -> Failure {
    Failure::new(Class::Permanent, what).unpaid()
}

/// Why a request came to no answer.
pub(super) fn unsent(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    if let Some(tls) = find::<rustls::Error>(&error) {
        let none_there = matches!(tls, rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer));
        let hint = if none_there { "; are this machine's certificate authorities installed?" } else { "" };
        return Failure::new(Class::Permanent, format!("no trusted connection (TLS): {tls}{hint}")).unpaid();
    }
    if error.is_connect() {
        let what = if error.is_timeout() { "no connection in time".to_owned() } else { innermost(&error) };
        return Failure::new(Class::Transient, format!("no connection: {what}")).unpaid();
    }
    match find::<hyper::Error>(&error) {
        Some(http) if http.is_parse() => invalid(format!("the answer is not HTTP as it should be: {http}")),
        http => {
            let broke =
                Failure::new(Class::Transient, format!("the connection broke before an answer: {}", innermost(&error)));
            let half = http.is_some_and(|http| http.is_canceled() || http.is_body_write_aborted());
            // A request that did not go out whole was not worked on. One that did may have been: whoever stands between may
            // cut a connection that is silent for too long while the model works. So it counts as spent, and as such a cut
            // strikes again, it is not repeated as often as what costs nothing.
            if half { broke.unpaid() } else { broke.lost() }
        }
    }
}

/// Why a body ended where it should not.
pub(super) fn cut(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let broken = |io: &std::io::Error| {
        matches!(io.kind(), std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData)
            && find::<rustls::Error>(io).is_none()
    };
    if find::<std::io::Error>(&error).is_some_and(broken) {
        return invalid(format!("the body is not HTTP as it should be: {}", innermost(&error)));
    }
    Failure::new(Class::Transient, format!("the connection broke within the reply: {}", innermost(&error)))
}

/// Why there is no reply.
pub(super) struct Unheard {
    pub(super) failure: Failure,
    /// The status of the answer, if there is one.
    status: Option<u16>,
    /// The part of the request that the server refuses, if it would take the rest.
    pub(super) refuses: Option<Extra>,
}

impl From<Failure> for Unheard {
    fn from(failure: Failure) -> Self {
        Self { failure, status: None, refuses: None }
    }
}

impl Unheard {
    /// The same of an answer that came late: a model may have worked on the request. Providers bill nothing of what they answer
    /// with an error themselves. But a gateway answers so when the server behind it died, or when it waited long enough, while
    /// that one works on and is billed; nobody can tell the two apart from outside. What comes at once was not worked on, and
    /// neither was what a full server (429, 503, 529) or one that cannot be reached (521 to 523) refuses.
    pub(super) fn late(self) -> Self {
        let may_be_billed = matches!(self.status, Some(408 | 500 | 502 | 504 | 520 | 524));
        if self.failure.class != Class::Transient || !may_be_billed {
            return self;
        }
        let reason = format!("an error that came late, so that the call counts as spent: {}", self.failure.reason);
        Self { failure: Failure { reason, usage: None, ..self.failure.lost() }, ..self }
    }
}

/// What an answer that is not 200 means, to a request with the `extras`. Nothing of it is billed, but what a model did say
/// and its server could not read; see [`Unheard::late`] for one that comes late.
pub(super) async fn answer(
    mut response: Response,
    endpoint: &Endpoint,
    limits: &Limits,
    extras: &BTreeSet<Extra>,
) -> Unheard {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let bytes_max = usize::try_from(limits.error_bytes_max).unwrap_or(usize::MAX);
    let wait = Duration::from_millis(limits.idle_ms_max);
    let mut body = Vec::new();
    // What cannot be read of it is left out: the status says enough.
    while let Ok(Ok(Some(bytes))) = tokio::time::timeout(wait, response.chunk()).await {
        body.extend_from_slice(&bytes[..bytes.len().min(bytes_max - body.len())]);
        if body.len() >= bytes_max {
            break;
        }
    }
    let body = String::from_utf8_lossy(&body);
    let mut refuses = None;
    let failure = match status {
        200..=299 => invalid(format!("HTTP {status} is no reply")),
        300..=399 => {
            let to = header(&headers, &LOCATION).unwrap_or("nowhere");
            Failure::new(
                Class::Permanent,
                format!("HTTP {status}: the base URL has moved to {to}; redirects are not followed"),
            )
        }
        _ => {
            let told = Told::of_body(status, &body);
            let told = Told { retry_after_ms: retry_after_ms(&headers).or(told.retry_after_ms), ..told };
            refuses = told.refuses(extras);
            told.failure(endpoint.key.as_ref(), Some(endpoint.dialect))
        }
    };
    let retry_after_ms = failure.retry_after_ms.filter(|_| failure.class == Class::Throttled);
    let is_unread = failure.class == Class::Invalid && matches!(status, 400 | 422);
    let failure = Failure { retry_after_ms, ..failure };
    Unheard { failure: if is_unread { failure } else { failure.unpaid() }, status: Some(status), refuses }
}

/// The error in `value`, if it is one: of a stream or of a document that came with status 200.
pub(super) fn inside(value: &Value) -> Option<Failure> {
    let named = value.get("error").is_some_and(|error| !error.is_null());
    let is_error = named || ["object", "type"].iter().any(|key| value.get(key).is_some_and(|kind| kind == "error"));
    is_error.then(|| {
        let told = Told::of_value(None, value);
        let retry_after_ms = told.retry_after_ms;
        let failure = told.failure(None, None);
        Failure { retry_after_ms: retry_after_ms.filter(|_| failure.class == Class::Throttled), ..failure }
    })
}

/// `reason` as it may be shown: from whom, without the key, on one line, short.
pub(super) fn told(reason: &str, endpoint: &Endpoint) -> String {
    let host = Url::parse(&endpoint.base_url).ok();
    let host = host.as_ref().and_then(|url| Some((url.host_str()?, url.port())));
    let host = host.map_or_else(String::new, |(host, port)| match port {
        Some(port) => format!("{host}:{port}: "),
        None => format!("{host}: "),
    });
    let reason = match &endpoint.key {
        Some(Key(key)) if !key.is_empty() => reason.replace(key.as_str(), "[key]"),
        _ => reason.to_owned(),
    };
    let shown = |c: char| {
        let hidden = c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
            || matches!(c, '\u{e0000}'..='\u{e007f}');
        if hidden { ' ' } else { c }
    };
    let line: String = reason.chars().map(shown).collect();
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut = line.floor_char_boundary(REASON_BYTES_MAX);
    let more = if cut < line.len() { "..." } else { "" };
    format!("{host}{}{more}", &line[..cut])
}

/// What a server says of an error.
struct Told {
    status: u16,
    /// Codes and types, lower case.
    codes: Vec<String>,
    message: String,
    retry_after_ms: Option<u64>,
    /// A quota of a day or of nothing: waiting a little does not help.
    is_spent: bool,
    /// The parameter that is wrong, if it names one.
    param: Option<String>,
}

impl Told {
    fn of_body(status: u16, body: &str) -> Self {
        match serde_json::from_str::<Value>(body) {
            Ok(Value::Array(list)) if !list.is_empty() => Self::of_value(Some(status), &list[0]),
            Ok(value) => Self::of_value(Some(status), &value),
            Err(_) => {
                let start = body.trim_start().get(..9).unwrap_or_default().to_ascii_lowercase();
                let page = start.starts_with("<!doctype") || start.starts_with("<html");
                let message = if page { "a page (HTML), no API's answer" } else { body.trim() };
                let message = message.to_owned();
                Self { status, codes: Vec::new(), message, retry_after_ms: None, is_spent: false, param: None }
            }
        }
    }

    /// OpenAI, Anthropic and Gemini have an object at `error`; vLLM is without it, Ollama has a text there, FastAPI a `detail`.
    fn of_value(status: Option<u16>, value: &Value) -> Self {
        let error = value.get("error").filter(|error| !error.is_null()).unwrap_or(value);
        let code = |key| match error.get(key) {
            Some(Value::String(text)) => Some(text.to_ascii_lowercase()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let codes: Vec<String> =
            ["code", "type", "status", "litellm_error_type"].into_iter().filter_map(code).collect();
        let texts = [error, &error["message"], &value["message"], &value["detail"], &value["detail"][0]["msg"]];
        let message = texts.into_iter().find_map(Value::as_str).unwrap_or_default().to_owned();
        let (mut retry_after_ms, mut is_spent) = (None, false);
        for detail in error["details"].as_array().into_iter().flatten() {
            let seconds = detail["retryDelay"].as_str().and_then(|delay| delay.strip_suffix('s'));
            retry_after_ms = retry_after_ms.or(seconds.and_then(ms));
            for violation in detail["violations"].as_array().into_iter().flatten() {
                is_spent |= violation["quotaId"].as_str().is_some_and(|id| id.contains("PerDay"));
                is_spent |= violation["quotaValue"] == "0";
            }
        }
        let retry_after_ms = retry_after_ms.or_else(|| retry_in_words_ms(&message));
        let status = status.unwrap_or_else(|| codes.iter().find_map(|code| status_of(code)).unwrap_or(500));
        let param = error.get("param").and_then(Value::as_str).map(str::to_owned);
        Self { status, codes, message, retry_after_ms, is_spent, param }
    }

    /// Which of the `extras` it does not take, if that is all that is wrong.
    fn refuses(&self, extras: &BTreeSet<Extra>) -> Option<Extra> {
        let is_request = matches!(self.status, 400 | 404 | 422) && !self.says_too_long();
        is_request.then(|| extra::refused(extras, &self.message, self.param.as_deref())).flatten()
    }

    fn is(&self, codes: &[&str]) -> bool {
        self.codes.iter().any(|code| codes.contains(&code.as_str()))
    }

    fn says(&self, words: &[&str]) -> bool {
        let lower = self.message.to_ascii_lowercase();
        words.iter().any(|word| lower.contains(word))
    }

    fn says_too_long(&self) -> bool {
        matches!(self.status, 400 | 413 | 422 | 429 | 500)
            && (self.status == 413 || self.is(&TOO_LONG_CODES) || self.says(&TOO_LONG_WORDS))
    }

    /// `key` and `dialect` are those of an answer; an error inside a reply came past the key.
    fn failure(self, key: Option<&Key>, dialect: Option<Dialect>) -> Failure {
        let is = |codes: &[&str]| self.is(codes);
        let says = |words: &[&str]| self.says(words);
        let status = self.status;
        let permanent = |what: &str| (Class::Permanent, format!("{what} (HTTP {status})"));
        let too_long = self.says_too_long();
        // Who says how long to wait means that waiting helps, whatever else the words say.
        let is_said = self.retry_after_ms.is_none() && dialect != Some(Dialect::Gemini) && says(&SPENT_WORDS);
        let spent = self.is_spent || is(&SPENT_CODES) || is_said;
        let (class, what) = match status {
            _ if too_long => {
                permanent("the request is too long for the model: it needs a server with a larger context")
            }
            400 | 422 if is(&UNREAD_CODES) || says(&UNREAD_WORDS) => {
                (Class::Invalid, format!("the server could not read the model's call (HTTP {status})"))
            }
            400 | 403 | 422 if is(&REFUSED_CODES) || says(&REFUSED_WORDS) => {
                (Class::Refused, format!("the provider refused the request (HTTP {status})"))
            }
            400 | 401 | 403 if status == 401 || is(&KEY_CODES) || says(&["api key", "api_key"]) => match key {
                Some(_) => permanent("the provider refuses its key"),
                None => permanent("the provider asks for a key, or for another one"),
            },
            402 | 429 if status == 402 || spent => permanent("the account's credit or quota is spent"),
            403 => permanent("the provider does not allow this key to do this"),
            404 | 400 if status == 404 || says(&["invalid model name"]) => {
                permanent("no such model, or the base URL is not that of an API")
            }
            429 => (Class::Throttled, format!("asked to wait (HTTP {status})")),
            408 | 409 | 425 => (Class::Transient, format!("the provider could not answer now (HTTP {status})")),
            501 | 505 => permanent("the provider cannot do this"),
            500.. => (Class::Transient, format!("the provider failed (HTTP {status})")),
            _ => permanent("the provider does not take the request"),
        };
        let said = if self.message.is_empty() { self.codes.join(", ") } else { self.message };
        let reason = if said.is_empty() { what } else { format!("{what}: {said}") };
        Failure { too_long, retry_after_ms: self.retry_after_ms, ..Failure::new(class, reason) }
    }
}

/// LiteLLM without a database, of every key that is not its own.
const KEY_CODES: [&str; 1] = ["no_db_connection"];

/// Of a server that reads the model's words itself: the model did not write a call that it could read.
const UNREAD_CODES: [&str; 2] = ["tool_use_failed", "malformed_function_call"];

const UNREAD_WORDS: [&str; 2] = ["failed_generation", "failed to parse tool call"];

const TOO_LONG_CODES: [&str; 4] =
    ["context_length_exceeded", "exceed_context_size_error", "string_above_max_length", "request_too_large"];

/// In the words of OpenAI, vLLM, Mistral and OpenRouter; llama.cpp; Anthropic, twice; Gemini; Groq and OpenAI for a request
/// that is longer than a minute's tokens; xAI; LiteLLM; vLLM.
const TOO_LONG_WORDS: [&str; 10] = [
    "maximum context length",
    "exceeds the available context size",
    "prompt is too long",
    "exceed context limit",
    "exceeds the maximum number of tokens",
    "request too large for",
    "maximum prompt length",
    "contextwindowexceedederror",
    "longer than the maximum model length",
    "context window",
];

const SPENT_CODES: [&str; 7] = [
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "billing_error",
    "insufficient_credits",
    "budget_exceeded",
    "402",
];

const SPENT_WORDS: [&str; 7] = [
    "exceeded your current quota",
    "billing",
    "credit balance",
    "insufficient credits",
    "budget has been exceeded",
    "spend limit",
    "usage limits",
];

const REFUSED_CODES: [&str; 3] = ["content_filter", "content_policy_violation", "invalid_prompt"];

const REFUSED_WORDS: [&str; 4] =
    ["content management policy", "content filtering policy", "flagged", "responsibleaipolicyviolation"];

/// The status that an error with this code or type has where it is an answer of its own.
fn status_of(code: &str) -> Option<u16> {
    Some(match code {
        "invalid_request_error" | "invalid_argument" | "failed_precondition" | "badrequesterror" => 400,
        "context_length_exceeded" | "exceed_context_size_error" | "content_filter" | "content_policy_violation" => 400,
        "authentication_error" | "unauthenticated" | "invalid_api_key" => 401,
        "billing_error" => 402,
        "permission_error" | "permission_denied" => 403,
        "not_found_error" | "not_found" | "model_not_found" | "notfounderror" => 404,
        "request_too_large" => 413,
        "rate_limit_error" | "rate_limit_exceeded" | "resource_exhausted" | "insufficient_quota" => 429,
        "overloaded_error" => 529,
        "timeout_error" | "deadline_exceeded" => 504,
        "unavailable" => 503,
        number => return number.parse().ok().filter(|status| (400..600).contains(status)),
    })
}

/// The wait that the headers ask for. A date is read against the server's own, so no clock is needed.
fn retry_after_ms(headers: &HeaderMap) -> Option<u64> {
    if let Some(text) = headers.get("retry-after-ms").and_then(|value| value.to_str().ok())
        && let Some(wait) = ms(text).map(|thousandfold| thousandfold / 1_000)
    {
        return Some(wait);
    }
    // LiteLLM hands on what the server behind it said under another name.
    let behind = HeaderName::from_static("llm_provider-retry-after");
    let text = header(headers, &RETRY_AFTER).or_else(|| header(headers, &behind))?;
    ms(text).or_else(|| {
        let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|date| date.timestamp().as_millisecond());
        let wait = date(text)?.saturating_sub(date(header(headers, &DATE)?)?);
        Some(u64::try_from(wait).unwrap_or(0).min(RETRY_AFTER_MS_MAX))
    })
}

/// Seconds, perhaps with a fraction, as milliseconds.
fn ms(seconds: &str) -> Option<u64> {
    let ms = seconds.trim().parse::<f64>().ok().filter(|seconds| *seconds >= 0.0)? * 1_000.0;
    // `as` stops at the ends of u64, so an absurd wait becomes the longest one.
    Some((ms.ceil() as u64).min(RETRY_AFTER_MS_MAX))
}

/// The wait that a message asks for, where nothing else says it: "try again in 5 seconds", "in 1.2s", "in 1m30.5s", "in 850ms".
fn retry_in_words_ms(message: &str) -> Option<u64> {
    const MARK: &str = "ry again in ";
    let mut rest = &message[message.find(MARK)? + MARK.len()..];
    let mut wait = None;
    while let Some((number, unit, after)) = quantity(rest) {
        let seconds = match unit {
            "ms" | "millisecond" | "milliseconds" => number / 1_000.0,
            "s" | "sec" | "second" | "seconds" => number,
            "m" | "min" | "minute" | "minutes" => number * 60.0,
            "h" | "hour" | "hours" => number * 3_600.0,
            _ => break,
        };
        wait = Some(wait.unwrap_or(0.0) + seconds);
        rest = after;
    }
    ms(&wait?.to_string())
}

/// A number with its unit at the start of `text`, and what follows.
fn quantity(text: &str) -> Option<(f64, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number = text[..digits].parse().ok()?;
    let rest = text[digits..].trim_start_matches(' ');
    let unit = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    Some((number, &rest[..unit], &rest[unit..]))
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

/// The first error of this type among `error` and its causes; an I/O error hides one within it.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let within = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match within {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}
