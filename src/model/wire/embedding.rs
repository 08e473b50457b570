//! Vectors of texts: one request for some texts, in the two dialects that have one. What a server gives is taken if it is one
//! vector of finite numbers for each text, all of one length.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderName};
use reqwest::{Response, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use super::broken::invalid;
use super::endpoint::{Endpoint, Key, base, below};
use super::limits::Limits;
use super::refusal;
use crate::failure::{Class, Failure};
use crate::topology::manner::time_words;
use crate::topology::plan::Dialect;

/// Most numbers of a vector.
pub const DIMENSION_MAX: usize = 4_096;
/// Most bytes of one number, with what stands around it.
const NUMBER_BYTES_MAX: usize = 40;

/// What a model makes of texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// One for each text, in their order.
    pub vectors: Vec<Vec<f32>>,
    /// What the provider counted, if it says.
    pub tokens: Option<u64>,
}

/// What came with 200, if it can be taken: the vectors of so many texts.
pub(super) async fn heard(
    response: Response,
    dialect: Dialect,
    asked: usize,
    limits: &Limits,
) -> Result<Embedded, Failure> {
    let bytes_max = (64 << 10) + asked * DIMENSION_MAX * NUMBER_BYTES_MAX;
    let body = body_of(response, limits, bytes_max).await?;
    let read = match dialect {
        Dialect::Gemini => gemini(&body)?,
        Dialect::OpenAi | Dialect::Anthropic => openai(&body, asked)?,
    };
    sound(read, asked)
}

/// A request: where it goes, with which headers, and what it says.
pub(super) type Spelled = (Url, Vec<(HeaderName, String)>, Value);

/// The request.
///
/// # Errors
/// There is none: the address cannot be used, or the dialect has no vectors.
pub(super) fn spelled(endpoint: &Endpoint, model: &str, texts: &[String]) -> Result<Spelled, Failure> {
    let permanent = |why: String| Failure::new(Class::Permanent, why);
    let base = base(&endpoint.base_url).map_err(|why| permanent(format!("the base URL cannot be used: {why}")))?;
    let key = endpoint.key.as_ref();
    match endpoint.dialect {
        Dialect::OpenAi => {
            let headers = key.map(|Key(key)| (AUTHORIZATION, format!("Bearer {key}")));
            let body = json!({ "model": model, "input": texts, "encoding_format": "float" });
            Ok((below(base, &["embeddings"]), headers.into_iter().collect(), body))
        }
        Dialect::Gemini => {
            let headers = key.map(|Key(key)| (HeaderName::from_static("x-goog-api-key"), key.clone()));
            let of = |text: &String| json!({ "model": format!("models/{model}"), "content": { "parts": [{ "text": text }] } });
            let body = json!({ "requests": texts.iter().map(of).collect::<Vec<_>>() });
            let url = below(base, &["models", &format!("{model}:batchEmbedContents")]);
            Ok((url, headers.into_iter().collect(), body))
        }
        Dialect::Anthropic => Err(permanent("Anthropic's dialect has no vectors: name another provider".to_owned())),
    }
}

/// The whole body, as long as it may be.
async fn body_of(mut response: Response, limits: &Limits, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let wait = Duration::from_millis(limits.idle_ms_max);
    let mut body = Vec::new();
    loop {
        let piece = tokio::time::timeout(wait, response.chunk())
            .await
            .map_err(|_| Failure::new(Class::Transient, format!("silent for {}", time_words(limits.idle_ms_max))))?;
        let Some(piece) = piece.map_err(refusal::cut)? else { return Ok(body) };
        body.extend_from_slice(&piece);
        if body.len() > bytes_max {
            return Err(invalid(format!("the answer has more than {bytes_max} bytes")));
        }
    }
}

#[derive(Deserialize)]
struct OpenAi {
    data: Vec<Item>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Item {
    index: Option<usize>,
    embedding: Vec<f32>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: Option<u64>,
    total_tokens: Option<u64>,
}

fn openai(body: &[u8], asked: usize) -> Result<Embedded, Failure> {
    let read: OpenAi = serde_json::from_slice(body).map_err(|why| unread(&why))?;
    let tokens = read.usage.and_then(|usage| usage.prompt_tokens.or(usage.total_tokens));
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None; asked];
    for (nth, item) in read.data.into_iter().enumerate() {
        // Each says of which text it is; those of servers that do not say stand in order.
        let at = item.index.unwrap_or(nth);
        match vectors.get_mut(at) {
            Some(place @ None) => *place = Some(item.embedding),
            _ => {
                return Err(invalid(format!(
                    "{asked} vectors were asked for, and it gives one of number {at}, or two"
                )));
            }
        }
    }
    let vectors = vectors.into_iter().flatten().collect();
    Ok(Embedded { vectors, tokens })
}

#[derive(Deserialize)]
struct Gemini {
    embeddings: Vec<Values>,
}

#[derive(Deserialize)]
struct Values {
    values: Vec<f32>,
}

fn gemini(body: &[u8]) -> Result<Embedded, Failure> {
    let read: Gemini = serde_json::from_slice(body).map_err(|why| unread(&why))?;
    Ok(Embedded { vectors: read.embeddings.into_iter().map(|of| of.values).collect(), tokens: None })
}

fn unread(why: &serde_json::Error) -> Failure {
    invalid(format!("the answer is not what vectors come in: {why}"))
}

/// What came, if it can be compared.
fn sound(read: Embedded, asked: usize) -> Result<Embedded, Failure> {
    let came = read.vectors.len();
    if came != asked {
        return Err(invalid(format!("{asked} vectors were asked for, and {came} came")));
    }
    let dimension = read.vectors.first().map_or(0, Vec::len);
    if dimension == 0 || dimension > DIMENSION_MAX {
        return Err(invalid(format!("a vector of {dimension} numbers came, and 1 to {DIMENSION_MAX} are taken")));
    }
    for vector in &read.vectors {
        if vector.len() != dimension {
            return Err(invalid(format!("vectors of {dimension} and of {} numbers came together", vector.len())));
        }
        let length = vector.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>();
        if !length.is_finite() || length == 0.0 {
            return Err(invalid("a vector came that has no direction: its numbers are all zero, or too large"));
        }
    }
    Ok(read)
}
