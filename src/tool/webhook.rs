//! The `webhook` kind: `NAME.post` sends JSON that a person approved to one address that the file names, or a text to a channel of
//! a service that takes Slack's form. It asks once; what it cannot know whether it arrived is in doubt, and says so.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::open::{Ground, Open, Secrets};
use super::part::address::{self, Finder, Guard, Refused};
use super::part::args::{invalid, permanent, read};
use super::part::duration::Milliseconds;
use super::part::hidden::Hidden;
use super::part::hook::for_channel;
use super::part::{Error, hook, outbox, tool_name};
use super::{Approved, Declared, Intent, Item, Opened, Outward, Tool};
use crate::failure::{Class, Failure, Work};
use crate::id::EffectId;
use crate::net;
use crate::run::body::Receipt;
use crate::topology::spec::{Connection, Repeat, ToolSpec};

/// What `[tools.NAME]` says for `kind = "webhook"`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The address, word for word.
    pub url: Option<String>,
    /// The variable of the address, where that is a secret itself, as Slack's are.
    pub url_env: Option<String>,
    /// What is sent: an artefact as it is, or a text for a channel.
    #[serde(default)]
    pub form: Form,
    /// The variable of the secret that signs what is sent.
    pub secret_env: Option<String>,
    /// The variable of a bearer token.
    pub token_env: Option<String>,
    /// What a second request does; `once` unless it says otherwise. Only a server that heeds Idempotency-Key is `idempotent`.
    #[serde(default)]
    pub repeat: Repeat,
    /// Whether the server may lie in your own network.
    #[serde(default)]
    pub private_host: bool,
    /// Whether what is sent may travel in the clear.
    #[serde(default)]
    pub allow_http: bool,
    /// Longest time of one call.
    #[serde(default = "call_timeout")]
    pub call_timeout: Milliseconds,
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `body`, as JSON.
    #[default]
    Json,
    /// `{"text": ...}`, as Slack and others take it: nobody is called by it, and no link hides behind other words.
    Slack,
}

fn call_timeout() -> Milliseconds {
    Milliseconds(30_000)
}

/// To a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes that are sent.
const BYTES_MAX: usize = 1 << 20;
/// How much of an answer is told.
const SAID_BYTES_MAX: usize = 300;
/// What signs, made of the secret, the key and the bytes.
const SIGNATURE: &str = "x-callsheet-act-signature";
/// The same at every attempt of one act.
const KEY: &str = "idempotency-key";

impl Open for Config {
    const KIND: &'static str = "webhook";

    /// Nobody is asked.
    fn open(self, name: &str, ground: &Ground<'_>) -> Result<Vec<Tool>, Error> {
        self.open_finding(name, ground, address::system())
    }
}

impl Config {
    /// As [`Open::open`], where `finder` finds the addresses of names.
    ///
    /// # Errors
    /// If the table contradicts itself.
    pub fn open_finding(self, name: &str, ground: &Ground<'_>, finder: Finder) -> Result<Vec<Tool>, Error> {
        if matches!(self.repeat, Repeat::Pure | Repeat::Queryable) {
            let what =
                "nobody can ask a webhook whether something arrived: repeat is { class = \"once\" } or idempotent";
            return Err(Error::new(name, what).of("repeat"));
        }
        let place = match (self.url.clone(), self.url_env.clone()) {
            (Some(url), None) => {
                let url = self.address(&url, &|| format!("url = {url:?}"));
                Place::Url(url.map_err(|why| Error::new(name, why).of("url"))?)
            }
            (None, Some(variable)) => Place::Variable(variable),
            _ => return Err(Error::new(name, "write either url, or url_env with the variable that holds it")),
        };
        let spec = self.spec(name, &place)?;
        let ways = Ways { finder, name: name.to_owned(), secrets: ground.secrets.clone() };
        Ok(vec![Tool::outward(Webhook { spec, place, config: self, ways: Arc::new(ways) })])
    }

    fn spec(&self, name: &str, place: &Place) -> Result<ToolSpec, Error> {
        let (arg, schema, description) = match self.form {
            Form::Json => ("body", json!({ "type": ["object", "array"] }), "Sends a JSON document to a web server."),
            Form::Slack => ("text", json!({ "type": "string" }), "Posts a text to a channel."),
        };
        let mut properties = serde_json::Map::new();
        properties.insert(arg.to_owned(), schema);
        let args = json!({
            "type": "object", "properties": properties, "required": [arg], "additionalProperties": false,
        });
        let connection = match place {
            Place::Url(url) => Connection::new(Self::KIND, [("url", url.as_str())]),
            Place::Variable(variable) => Connection::new(Self::KIND, [("url_env", variable.as_str())]),
        };
        let spec = ToolSpec::outward(tool_name(name, "post")?, description, args, self.repeat, connection);
        Ok(ToolSpec { call_timeout_ms: self.call_timeout.0, ..spec })
    }

    /// The address that `text` is, called as `what` where it is none.
    fn address(&self, text: &str, what: &dyn Fn() -> String) -> Result<Url, String> {
        let url: Url = text.trim().parse().map_err(|_| format!("{} is no address", what()))?;
        let plain = url.scheme() == "http" && self.allow_http;
        if url.scheme() != "https" && !plain {
            return Err(format!("{} does not begin with https:// (allow_http = true lets http pass)", what()));
        }
        if url.host_str().unwrap_or_default().is_empty() || !url.username().is_empty() || url.password().is_some() {
            return Err(format!("{} is to have a host, and no name or password before it", what()));
        }
        Ok(url)
    }
}

/// Where it goes.
enum Place {
    Url(Url),
    /// Known by its variable alone.
    Variable(String),
}

struct Ways {
    finder: Finder,
    name: String,
    secrets: Secrets,
}

struct Webhook {
    spec: ToolSpec,
    place: Place,
    config: Config,
    ways: Arc<Ways>,
}

/// All that a request needs from the environment.
struct Ready {
    url: Url,
    client: Client,
    headers: HeaderMap,
    signs: Option<String>,
    hidden: Hidden,
}

impl Declared for Webhook {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn unset(&self) -> Vec<String> {
        let address = match &self.place {
            Place::Variable(variable) => Some(variable),
            Place::Url(_) => None,
        };
        let keys = [&self.config.token_env, &self.config.secret_env].into_iter().flatten();
        self.ways.secrets.unset(address.into_iter().chain(keys))
    }

    fn open(&self) -> Option<Work<'_, Opened>> {
        Some(Box::pin(async move {
            let ready = self.ready()?;
            let guard = self.guard(&ready.url);
            match guard.connects(&ready.url, CONNECT_TIMEOUT).await.map_err(|why| self.refused(&why))? {
                true => Ok(Opened::from(format!("{} takes connections; nothing was sent", self.to()))),
                false => Err(Failure::new(Class::Transient, format!("{} takes no connection", self.to()))),
            }
        }))
    }
}

impl Outward for Webhook {
    fn prepare(&self, intent: Intent) -> Work<'_, Vec<Item>> {
        Box::pin(async move {
            let args: serde_json::Map<String, Value> = read(self.spec.name.as_str(), intent.args)?;
            let body = match self.config.form {
                Form::Json => args.get("body").cloned().ok_or_else(|| invalid("there is no body"))?,
                Form::Slack => {
                    let text = args.get("text").and_then(Value::as_str).filter(|text| !text.trim().is_empty());
                    json!({ "text": for_channel(text.ok_or_else(|| invalid("there is no text").about("text"))?) })
                }
            };
            let bytes = serde_json::to_vec_pretty(&body).map_err(|why| permanent(why.to_string()))?;
            if bytes.len() > BYTES_MAX {
                return Err(invalid(format!("these are {} bytes: {BYTES_MAX} are sent at most", bytes.len())));
            }
            Ok(vec![Item {
                key: format!("{}.json", self.ways.name),
                recipient: self.to(),
                recipients: 1,
                title: format!("POST to {}", self.to()),
                media_type: "application/json".to_owned(),
                bytes,
                after_ms: 0,
                again: None,
            }])
        })
    }

    fn perform(&self, item: Approved) -> Work<'_, Receipt> {
        Box::pin(async move {
            if item.draft {
                return outbox::put(item, Vec::new()).await;
            }
            let ready = self.ready()?;
            item.deadline.check()?;
            let mut request = ready.client.post(ready.url.clone()).headers(ready.headers.clone());
            request = request.header(CONTENT_TYPE, "application/json").header(KEY, item.effect.to_string());
            if let Some(secret) = &ready.signs {
                request = request.header(SIGNATURE, signature(secret, item.effect, &item.item.bytes));
            }
            let answer = request.body(item.item.bytes).send().await.map_err(|why| self.unheard(&why))?;
            self.came(answer, &ready.hidden).await
        })
    }
}

impl Webhook {
    /// Where it goes, without what is secret.
    fn to(&self) -> String {
        match &self.place {
            Place::Url(url) => url.to_string(),
            Place::Variable(variable) => format!("the address in {variable}"),
        }
    }

    fn guard(&self, url: &Url) -> Guard {
        let own = url.host_str().map(str::to_owned).filter(|_| self.config.private_host);
        Guard::new(Arc::clone(&self.ways.finder), own)
    }

    fn ready(&self) -> Result<Ready, Failure> {
        let mut values = Vec::new();
        let url = match &self.place {
            Place::Url(url) => url.clone(),
            Place::Variable(variable) => {
                let text = self.ways.secrets.needed(variable)?;
                let url = self.config.address(&text, &|| format!("what {variable} holds")).map_err(permanent)?;
                // The part of it that nobody may know.
                values.extend([text, url.path().trim_start_matches('/').to_owned()]);
                url
            }
        };
        let mut headers = HeaderMap::new();
        if let Some(variable) = &self.config.token_env {
            let token = self.ways.secrets.needed(variable)?;
            let carried = HeaderValue::from_str(&format!("Bearer {token}"));
            let mut carried = carried.map_err(|_| permanent(format!("{variable} holds what no header can carry")))?;
            carried.set_sensitive(true);
            headers.insert(AUTHORIZATION, carried);
            values.push(token);
        }
        let signs = self.config.secret_env.as_ref().map(|variable| self.ways.secrets.needed(variable)).transpose()?;
        values.extend(signs.clone());
        let guard = self.guard(&url);
        guard.literal(&url).map_err(|why| self.refused(&why))?;
        let client = net::client(CONNECT_TIMEOUT).map_err(permanent)?.dns_resolver(guard).build();
        let client = client.map_err(|why| permanent(why.without_url().to_string()))?;
        Ok(Ready { url, client, headers, signs, hidden: Hidden::new(values) })
    }

    fn refused(&self, why: &Refused) -> Failure {
        match why {
            Refused::Private(_) => {
                let what = "is in no public network: write private_host = true if it is yours";
                Failure::new(Class::Policy, format!("{} {what}", self.to()))
            }
            Refused::Nowhere(_) => Failure::new(Class::Transient, format!("there is no host of {}", self.to())),
        }
    }

    /// Nothing came back: surely not sent if there was no connection, and else nobody knows.
    fn unheard(&self, why: &reqwest::Error) -> Failure {
        if let Some(why) = Refused::within(why) {
            return self.refused(why);
        }
        if why.is_connect() {
            return Failure::new(Class::Transient, format!("{} cannot be reached: nothing was sent", self.to()));
        }
        Failure::new(Class::InDoubt, format!("{} was sent it, and its answer was not heard", self.to()))
    }

    /// What an answer says of whether it was done.
    async fn came(&self, mut answer: reqwest::Response, hidden: &Hidden) -> Result<Receipt, Failure> {
        let status = answer.status();
        let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
        let mut said = Vec::new();
        // How it goes on is of no account: the status says what was done.
        while let Ok(Some(piece)) = answer.chunk().await {
            said.extend_from_slice(&piece);
            if said.len() > SAID_BYTES_MAX {
                break;
            }
        }
        said.truncate(SAID_BYTES_MAX);
        let said = hidden.of(&String::from_utf8_lossy(&said));
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        let told = |what: &str| match said.is_empty() {
            true => format!("{} {what} (HTTP {})", self.to(), status.as_u16()),
            false => format!("{} {what} (HTTP {}): {said}", self.to(), status.as_u16()),
        };
        let failed = |class: Class, what: &str| Err(Failure::new(class, told(what)));
        match status {
            _ if status.is_success() => {
                let remark = (!said.is_empty()).then(|| said.clone());
                let place = format!("{} took it (HTTP {})", self.to(), status.as_u16());
                Ok(Receipt { remark, ..Receipt::at(place) })
            }
            _ if status.is_redirection() => failed(Class::Permanent, "sends elsewhere, and is not followed"),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                let failure = Failure::new(Class::Throttled, told("asks to wait"));
                Err(Failure { retry_after_ms: wait.map(|seconds| seconds.saturating_mul(1_000)), ..failure })
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => failed(Class::Transient, "did not take all of it"),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => failed(Class::Permanent, "refuses whoever asks"),
            // It may have been done before it failed.
            _ if status.is_server_error() => failed(Class::InDoubt, "fails, and nobody knows how far it came"),
            _ => failed(Class::Permanent, "refuses it"),
        }
    }
}

/// Over the key and the bytes, so that neither is taken for another's.
fn signature(secret: &str, effect: EffectId, bytes: &[u8]) -> String {
    hook::signature(secret, &[effect.to_string().as_bytes(), b".", bytes])
}
