//! What a server gives beside text: resources, images and sounds. Text is given as it is, with its digest. Of anything else
//! its form, its length and its digest are given: models are asked in text, and base64 is none that anybody reads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmcp::model::{Resource, ResourceContents};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// Longest word or sentence of a server's about what it has.
const SAID_CHARS_MAX: usize = 300;

/// What stands at an address.
pub(super) struct Content {
    pub(super) uri: String,
    pub(super) media_type: Option<String>,
    pub(super) body: Body,
}

/// As what it can be given.
pub(super) enum Body {
    Text(String),
    /// Of bytes that are no text.
    Bytes {
        bytes: usize,
        digest: String,
    },
    /// What was to be base64 is none.
    Broken,
}

impl Content {
    /// Reads what a server sent. Bytes whose media type is one of text, and that are, are text.
    pub(super) fn read(contents: ResourceContents) -> Self {
        match contents {
            ResourceContents::TextResourceContents { uri, mime_type, text, .. } => {
                Self { uri, media_type: mime_type, body: Body::Text(text) }
            }
            ResourceContents::BlobResourceContents { uri, mime_type, blob, .. } => {
                let body = match STANDARD.decode(blob.as_bytes()) {
                    Err(_) => Body::Broken,
                    Ok(bytes) if mime_type.as_deref().is_some_and(is_text) => match String::from_utf8(bytes) {
                        Ok(text) => Body::Text(text),
                        Err(why) => Body::of(why.as_bytes()),
                    },
                    Ok(bytes) => Body::of(&bytes),
                };
                Self { uri, media_type: mime_type, body }
            }
            _ => Self { uri: String::new(), media_type: None, body: Body::Broken },
        }
    }

    /// Bytes of it.
    pub(super) fn bytes(&self) -> usize {
        match &self.body {
            Body::Text(text) => text.len(),
            Body::Bytes { bytes, .. } => *bytes,
            Body::Broken => 0,
        }
    }
}

impl Body {
    fn of(bytes: &[u8]) -> Self {
        Self::Bytes { bytes: bytes.len(), digest: digest(bytes) }
    }

    /// Base64, such as an image.
    pub(super) fn decoded(data: &str) -> Self {
        STANDARD.decode(data.as_bytes()).map_or(Self::Broken, |bytes| Self::of(&bytes))
    }

    /// What is told of bytes that are not given.
    pub(super) fn told(&self, about: &mut Map<String, Value>) {
        match self {
            Self::Bytes { bytes, digest } => {
                about.insert("bytes".to_owned(), json!(bytes));
                about.insert("digest".to_owned(), json!(digest));
            }
            Self::Broken => drop(about.insert("why".to_owned(), json!("it is no base64"))),
            Self::Text(_) => {}
        }
    }
}

/// SHA-256, as `sha256sum` prints it.
pub(super) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a server says of something that it has, on one line, as long as it may be.
pub(super) fn said(text: &str) -> String {
    let shown = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    let line = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SAID_CHARS_MAX) {
        Some((at, _)) => format!("{}\u{2026}", &line[..at]),
        None => line,
    }
}

/// What is listed or linked, as it is told.
pub(super) fn listed(resource: &Resource) -> Map<String, Value> {
    let texts = [
        ("uri", Some(&resource.uri)),
        ("name", Some(&resource.name)),
        ("title", resource.title.as_ref()),
        ("description", resource.description.as_ref()),
        ("media_type", resource.mime_type.as_ref()),
    ];
    // An address is used as it stands, so it is not cut.
    let told = |key: &str, text: &str| if key == "uri" { text.to_owned() } else { said(text) };
    let texts = texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), json!(told(key, text?)))));
    texts.chain(resource.size.map(|size| ("bytes".to_owned(), json!(size)))).collect()
}

fn is_text(media_type: &str) -> bool {
    let kind = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.starts_with("text/") || kind.ends_with("json") || kind.ends_with("xml")
}
