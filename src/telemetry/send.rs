//! Spans to a collector: OTLP over HTTP, as protocol buffers. Nothing but spans goes out, and nothing but a yes or no comes back.

use std::fmt;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use percent_encoding::percent_decode_str;
use prost::Message as _;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, StatusCode, Url};

use super::spans::text;
use crate::net;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where spans go, and under which name.
#[derive(Clone)]
pub struct Collector {
    url: Url,
    headers: HeaderMap,
    service: String,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers hold keys.
        f.debug_struct("Collector").field("url", &self.url.as_str()).field("service", &self.service).finish()
    }
}

impl Collector {
    /// The one that the variables of OpenTelemetry name, which `variable` looks up; none if they name none.
    ///
    /// # Errors
    /// What is wrong with which variable, and what to write instead.
    pub fn named<'v>(variable: impl Fn(&str) -> Option<&'v str>) -> Result<Option<Self>, String> {
        const TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        const ALL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
        let is_off = variable("OTEL_SDK_DISABLED").is_some_and(|word| word.eq_ignore_ascii_case("true"));
        if is_off || variable("OTEL_TRACES_EXPORTER") == Some("none") {
            return Ok(None);
        }
        let (name, endpoint) = match (variable(TRACES), variable(ALL)) {
            (Some(whole), _) => (TRACES, whole.to_owned()),
            (None, Some(base)) => (ALL, format!("{}/v1/traces", base.trim_end_matches('/'))),
            (None, None) => return Ok(None),
        };
        let url = Url::parse(&endpoint).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url =
            url.ok_or_else(|| format!("{name} is no address of a collector: write it as http://localhost:4318"))?;
        let protocol = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
        if let Some((name, word)) = protocol.iter().find_map(|name| Some((name, variable(name)?)))
            && word != "http/protobuf"
        {
            return Err(format!("{name} is {word:?}: callsheet speaks http/protobuf only, mostly at port 4318"));
        }
        let headers = ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"];
        let headers = match headers.iter().find_map(|name| Some((name, variable(name)?))) {
            Some((name, list)) => read_headers(list)
                .ok_or_else(|| format!("{name} is no list of headers: write it as name=value,other=value"))?,
            None => HeaderMap::new(),
        };
        let service = variable("OTEL_SERVICE_NAME").unwrap_or("callsheet").to_owned();
        Ok(Some(Self { url, headers, service }))
    }

    /// Whether it takes spans, in a sentence: it is sent none.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn answers(self) -> Result<String, String> {
        let sender = Sender::new(self)?;
        sender.send(Vec::new()).await.map_err(|refused| refused.why)?;
        Ok(format!("spans go to {}, which takes them", sender.to.place()))
    }

    /// Where it is, without what stands before the host.
    pub fn place(&self) -> String {
        let port = self.url.port_or_known_default().unwrap_or_default();
        format!("{}:{port}", self.url.host_str().unwrap_or_default())
    }
}

/// `name=value,name=value`, with values as they stand in addresses.
fn read_headers(list: &str) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for pair in list.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let mut value = HeaderValue::from_bytes(&percent_decode_str(value.trim()).collect::<Vec<u8>>()).ok()?;
        value.set_sensitive(true);
        headers.append(HeaderName::from_bytes(name.trim().as_bytes()).ok()?, value);
    }
    Some(headers)
}

/// The collector did not take them.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct Refused {
    /// For people.
    pub(super) why: String,
    /// Whether it may take them later.
    pub(super) again: bool,
}

pub(super) struct Sender {
    client: Client,
    to: Collector,
}

impl Sender {
    pub(super) fn new(to: Collector) -> Result<Self, String> {
        let client = net::client(CONNECT_TIMEOUT)?.timeout(TIMEOUT).build();
        Ok(Self { client: client.map_err(|error| error.to_string())?, to })
    }

    pub(super) async fn send(&self, spans: Vec<Span>) -> Result<(), Refused> {
        let request = self.client.post(self.to.url.clone()).headers(self.to.headers.clone());
        let request = request.header(CONTENT_TYPE, "application/x-protobuf").body(self.request(spans).encode_to_vec());
        let later = |why: String| Refused { why, again: true };
        // What the collector says beside its status is not read.
        let unheard = |error: reqwest::Error| {
            let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            later(format!("{} does not answer: {source}", self.to.place()))
        };
        let answer = request.send().await.map_err(unheard)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let again = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        Err(Refused { why: format!("{} answers {status}", self.to.place()), again })
    }

    fn request(&self, spans: Vec<Span>) -> ExportTraceServiceRequest {
        let version = env!("CARGO_PKG_VERSION");
        let attributes = vec![text("service.name", &self.to.service), text("service.version", version)];
        let scope = InstrumentationScope {
            name: "callsheet".to_owned(),
            version: version.to_owned(),
            ..InstrumentationScope::default()
        };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }];
        let resource = Some(Resource { attributes, ..Resource::default() });
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }],
        }
    }
}
