//! The wire to model providers: one request, one streamed reply, in one of three dialects; caps on everything that a server
//! can make long. No retry, no redirect, no proxy, no cookie, no decompression, no total time-out (the caller drops the future).

mod anthropic;
mod body;
mod broken;
mod choice;
mod dialect;
mod draft;
mod embedding;
mod endpoint;
mod extra;
mod field;
mod gemini;
mod json;
mod limits;
mod openai;
mod refusal;
mod sse;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url};
use serde_json::Value;

use self::body::{Body, Hearing};
use self::broken::invalid;
pub use self::dialect::Heard;
use self::dialect::{Ear, Ready, Spelled};
use self::draft::Draft;
pub use self::embedding::{DIMENSION_MAX, Embedded};
use self::endpoint::base;
pub use self::endpoint::{Endpoint, Key, Way, way};
pub use self::extra::Extra;
use self::extra::Learned;
pub use self::field::own_field;
pub use self::limits::Limits;
pub use self::refusal::Kind;
use self::refusal::Unheard;
use crate::failure::{Class, Failure};
use crate::model::prompt::{Prompt, Spoken};
use crate::net;
use crate::topology::manner::{Calls, Patience, time_words};
use crate::topology::plan::Dialect;

/// The client: one pool of connections for all providers.
#[derive(Debug, Clone)]
pub struct Wire {
    client: Client,
    limits: Limits,
    learned: Learned,
}

/// A request as HTTP carries it.
struct Request {
    url: Url,
    headers: HeaderMap,
    body: Vec<u8>,
    extras: BTreeSet<Extra>,
}

impl Wire {
    /// A client with the machine's certificate authorities. None there is no error: a local server needs none.
    ///
    /// # Errors
    /// Why there is no client, for people.
    pub fn new(limits: Limits) -> Result<Self, String> {
        let client = net::client(Duration::from_millis(limits.connect_ms_max))?;
        let client = client.build().map_err(|error| format!("HTTP client: {error}"))?;
        Ok(Self { client, limits, learned: Learned::default() })
    }

    /// The same client, which waits as long as `patience` says: for a first word, too, however long a prompt takes to read.
    /// Whoever asks drops the call when the whole of its time is up, and says so better; this comes after that.
    #[must_use]
    pub fn patient(&self, patience: Patience) -> Self {
        const GRACE_MS: u64 = 10_000;
        let Patience { call_ms, idle_ms: idle_ms_max } = patience;
        let first_byte_ms_max = call_ms.saturating_add(GRACE_MS);
        Self { limits: Limits { first_byte_ms_max, idle_ms_max, ..self.limits.clone() }, ..self.clone() }
    }

    /// Asks `model` once. `pulse` hears how many bytes of the reply's body have come so far. A server that refuses a part
    /// of the request which can be left out has not begun: it is asked again without that part, and from then on too.
    ///
    /// # Errors
    /// What became of it instead, as one class; the reason never holds the key.
    pub async fn say(
        &self,
        endpoint: &Endpoint,
        model: &str,
        prompt: &Prompt,
        pulse: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Heard, Failure> {
        let mut omits = self.learned.of(&endpoint.base_url, model);
        omits.extend(&endpoint.omits);
        let heard = loop {
            let unheard = match self.attempt(endpoint, model, prompt, &omits, pulse).await {
                Ok(heard) => break Ok(heard),
                Err(unheard) => unheard,
            };
            match unheard.refuses.filter(|extra| omits.insert(*extra)) {
                Some(extra) => self.learned.add(&endpoint.base_url, model, extra),
                None => break Err(unheard.failure),
            }
        };
        let heard = heard.and_then(|heard| read(endpoint, heard));
        let heard = match heard {
            Ok(heard) if repeats_key(&heard.spoken, endpoint.key.as_ref()) => {
                let failure = invalid("the reply contains the key that it was asked with");
                Err(Failure { usage: heard.usage, ..failure })
            }
            heard => heard,
        };
        heard.map_err(|failure| Failure { reason: refusal::told(&failure.reason, endpoint), ..failure })
    }

    /// Asks `model` once for vectors of `texts`.
    ///
    /// # Errors
    /// What became of it instead, as one class; the reason never holds the key.
    pub async fn embed(&self, endpoint: &Endpoint, model: &str, texts: &[String]) -> Result<Embedded, Failure> {
        let asked = async {
            let (url, own, body) = embedding::spelled(endpoint, model, texts)?;
            let sent = self.client.post(url).headers(headers(&own)?).body(body.to_string()).send();
            let (answered, _) = self.answered(sent).await?;
            let response = answered.map_err(refusal::unsent)?;
            if response.status() != reqwest::StatusCode::OK {
                return Err(refusal::answer(response, endpoint, &self.limits, &BTreeSet::new()).await.failure);
            }
            embedding::heard(response, endpoint.dialect, texts.len(), &self.limits).await
        };
        asked.await.map_err(|failure| Failure { reason: refusal::told(&failure.reason, endpoint), ..failure })
    }

    async fn attempt(
        &self,
        endpoint: &Endpoint,
        model: &str,
        prompt: &Prompt,
        omits: &BTreeSet<Extra>,
        pulse: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Heard, Unheard> {
        let Request { url, headers, body, extras } =
            request(endpoint, model, prompt, omits).map_err(Failure::unpaid)?;
        let sent = self.client.post(url).headers(headers).body(body).send();
        let (answered, is_late) = self.answered(sent).await?;
        let response = answered.map_err(refusal::unsent)?;
        if response.status() != reqwest::StatusCode::OK {
            let unheard = refusal::answer(response, endpoint, &self.limits, &extras).await;
            return Err(if is_late { unheard.late() } else { unheard });
        }
        let kind = refusal::kind(response.headers())?;
        let hearing = Hearing::new(kind, ear(endpoint.dialect, &self.limits), &self.limits);
        Ok(Body::new(response, &self.limits, pulse).hear(hearing).await?)
    }

    /// Waits for the head of an answer. How long that takes is told by a wait and not by a clock.
    async fn answered(
        &self,
        sent: impl Future<Output = Result<reqwest::Response, reqwest::Error>>,
    ) -> Result<Answered, Failure> {
        let Limits { first_byte_ms_max: all_ms, unpaid_ms_max: early_ms, .. } = self.limits;
        let mut sent = std::pin::pin!(sent);
        // A wait of nothing may last a millisecond, in which an answer comes.
        if early_ms > 0
            && let Ok(answered) = tokio::time::timeout(Duration::from_millis(early_ms.min(all_ms)), &mut sent).await
        {
            return Ok((answered, false));
        }
        let rest = Duration::from_millis(all_ms.saturating_sub(early_ms));
        let answered = tokio::time::timeout(rest, sent).await.map_err(|_| {
            let what = format!("no answer within {}", time_words(all_ms));
            Failure::new(Class::Transient, what).lost()
        })?;
        Ok((answered, true))
    }
}

/// What comes of a request in its time, and whether it came late.
type Answered = (Result<reqwest::Response, reqwest::Error>, bool);

/// The reply with the calls that it makes, if its server was asked for a form of answers.
fn read(endpoint: &Endpoint, heard: Heard) -> Result<Heard, Failure> {
    let Heard { spoken, usage } = heard;
    match endpoint.calls() {
        Calls::Tools => Ok(Heard { spoken, usage }),
        Calls::JsonSchema => {
            let read = choice::read(spoken);
            read.map(|spoken| Heard { spoken, usage }).map_err(|failure| Failure { usage, ..failure })
        }
    }
}

fn ear(dialect: Dialect, limits: &Limits) -> Box<dyn Ear> {
    let draft = Draft::new(limits);
    match dialect {
        Dialect::OpenAi => Box::new(openai::Listener::new(draft)),
        Dialect::Anthropic => Box::new(anthropic::Listener::new(draft)),
        Dialect::Gemini => Box::new(gemini::Listener::new(draft)),
    }
}

/// What the body of an answer comes to that arrives in these pieces and ends: what [`Wire::say`] makes of it, without a
/// network and without its caps on the whole. `kind` is its content type.
///
/// # Errors
/// As [`Wire::say`].
pub fn heard<'p>(
    dialect: Dialect,
    kind: Kind,
    limits: &Limits,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> Result<Heard, Failure> {
    let mut hearing = Hearing::new(kind, ear(dialect, limits), limits);
    for piece in pieces {
        if hearing.take(piece)? {
            return hearing.heard();
        }
    }
    hearing.ended()
}

fn request(endpoint: &Endpoint, model: &str, prompt: &Prompt, omits: &BTreeSet<Extra>) -> Result<Request, Failure> {
    let wrong = |why: String| Failure::new(Class::Permanent, format!("the base URL cannot be used: {why}"));
    let base = base(&endpoint.base_url).map_err(wrong)?;
    let (prompt, form) = match endpoint.calls() {
        Calls::Tools => (Cow::Borrowed(prompt), None),
        Calls::JsonSchema => {
            let (plain, form) = choice::spelled(prompt);
            (Cow::Owned(plain), Some(form))
        }
    };
    let said = draft::renumbered(&prompt.said, endpoint.dialect);
    let (key, form) = (endpoint.key.as_ref(), form.as_ref());
    let ready = Ready { base, key, model, prompt: &prompt, said: &said, omits, form };
    let mut spelled = match endpoint.dialect {
        Dialect::OpenAi => openai::spelled(ready),
        Dialect::Anthropic => anthropic::spelled(ready),
        Dialect::Gemini => gemini::spelled(ready),
    };
    field::add(&mut spelled.body, endpoint.dialect, &endpoint.manner);
    let Spelled { url, headers: own, body, extras } = spelled;
    Ok(Request { url, headers: headers(&own)?, body: body.written(), extras })
}

fn headers(own: &[(HeaderName, String)]) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
    for (name, value) in own {
        let unusable =
            |_| Failure::new(Class::Permanent, "the key has characters that no header carries: is it the right one?");
        let mut value = HeaderValue::from_str(value).map_err(unusable)?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Whether a gateway gave the key back in what the model said, in whichever field: words, names, ids, what it thought, and
/// JSON that stands in a text. Short keys, such as `ollama`, are no secrets but words.
fn repeats_key(spoken: &Spoken, key: Option<&Key>) -> bool {
    const SECRET_BYTES_MIN: usize = 16;
    fn any(value: &Value, key: &str) -> bool {
        let within = |text: &str| serde_json::from_str::<Value>(text).is_ok_and(|value| any(&value, key));
        match value {
            Value::String(text) => text.contains(key) || text.contains('\\') && within(text),
            Value::Array(list) => list.iter().any(|value| any(value, key)),
            Value::Object(fields) => fields.iter().any(|(name, value)| name.contains(key) || any(value, key)),
            _ => false,
        }
    }
    let Some(Key(key)) = key.filter(|key| key.0.len() >= SECRET_BYTES_MIN) else { return false };
    // As it is kept: a field that is added to it is looked at too.
    serde_json::to_value(spoken).is_ok_and(|kept| any(&kept, key))
}
