//! One connection to a server: opened within a time, asked for its tools first, and given up as soon as anything about it
//! is odd. Whoever needs it again opens a new one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ClientConfig, ClientRequest,
    ErrorCode, Implementation, JsonRpcMessage, ListResourceTemplatesRequest, ListResourcesRequest, ListToolsRequest,
    PaginatedRequestParams, ReadResourceRequest, ReadResourceRequestParams, ReadResourceResult, ServerCapabilities,
    ServerNotification, ServerResult,
};
use rmcp::service::{RunningService, RxJsonRpcMessage, ServiceError, TxJsonRpcMessage};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::common::client_side_sse::NeverRetry;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, Transport};
use rmcp::{ClientHandler, RoleClient, ServiceExt as _};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::broken::Broken;
use super::list::{LIST_BYTES_MAX, List};
use super::pipe::{self, Meter, Process};
use super::place::{Place, Way};
use super::shelf::{RESOURCES_MAX, SHELF_BYTES_MAX, Shelf};
use crate::failure::{Class, Failure};
use crate::net;

/// Most pages of a list of tools, or of resources.
const PAGES_MAX: usize = 64;
/// How much longer a message may be than what is in it: JSON spells some characters with several.
const SPELLED: usize = 2;
/// Longest name of a server that is shown.
const NAME_CHARS_MAX: usize = 200;
/// What a message has beside its content.
const AROUND_BYTES_MAX: usize = 64 << 10;

/// An open connection.
pub(super) struct Session {
    service: RunningService<RoleClient, Asker>,
    #[expect(dead_code, reason = "it is kept to be dropped: a child ends with its session")]
    process: Option<Process>,
    meter: Arc<Meter>,
    /// What the server calls itself.
    pub(super) server: String,
    /// What it listed when it was opened.
    pub(super) list: List,
    /// It said since that this list has changed.
    has_changed: Arc<AtomicBool>,
    /// A question ended without an answer.
    is_odd: AtomicBool,
}

/// Whoever asks the server. Whatever it asks for itself is refused: nothing was offered to it.
struct Asker;

/// A transport that notes what a server says of its list before it passes on what the server says next. A handler of
/// notifications would run beside the answers, and a call could overtake it.
struct Noting<T> {
    transport: T,
    has_changed: Arc<AtomicBool>,
}

impl<T: Transport<RoleClient>> Transport<RoleClient> for Noting<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.transport.send(item)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        let message = self.transport.receive().await?;
        if let JsonRpcMessage::Notification(said) = &message
            && let ServerNotification::ToolListChangedNotification(_) = said.notification
        {
            self.has_changed.store(true, Ordering::Release);
        }
        Some(message)
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        self.transport.close()
    }
}

impl ClientHandler for Asker {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::new(ClientCapabilities::default(), Implementation::new("callsheet", env!("CARGO_PKG_VERSION")))
    }
}

impl Session {
    /// Opens the connection and asks for the tools.
    pub(super) async fn open(place: &Place) -> Result<Self, Failure> {
        let message_bytes_max = place.longest().0.saturating_mul(SPELLED).max(LIST_BYTES_MAX) + AROUND_BYTES_MAX;
        let meter = Arc::new(Meter::new(message_bytes_max));
        let refused = |why: String| Failure::new(Class::Permanent, why);
        match &place.way {
            Way::Command { command, env } => {
                let pipes = pipe::start(command, &place.variables(env), &place.root, &meter).map_err(refused)?;
                let transport = AsyncRwTransport::new_client(pipes.output, pipes.input);
                let transport = transport.with_max_line_length(message_bytes_max);
                match Self::listed(transport, place, &meter).await {
                    Ok(session) => Ok(Self { process: Some(pipes.process), ..session }),
                    Err(broken) => Err(broken.failure(place, &pipes.said.text())),
                }
            }
            Way::Url { url, token_env, headers_env } => {
                let client = net::client(place.start_timeout).map_err(refused)?;
                let client = client.build().map_err(|why| refused(why.to_string()))?;
                let mut config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
                config.custom_headers = place.headers(headers_env).map_err(refused)?;
                if let Some(variable) = token_env {
                    config.auth_header = Some(place.secret(variable).map_err(refused)?);
                }
                // Whether something is asked again is decided elsewhere.
                config.retry_config = Arc::new(NeverRetry::default());
                config.reinit_on_expired_session = false;
                config.max_sse_event_size = message_bytes_max;
                config.max_json_response_size = message_bytes_max;
                config.max_error_response_size = AROUND_BYTES_MAX;
                let transport = StreamableHttpClientTransport::with_client(client, config);
                let opened = Self::listed(transport, place, &meter).await;
                opened.map_err(|broken| broken.failure(place, ""))
            }
        }
    }

    async fn listed(
        transport: impl Transport<RoleClient> + 'static,
        place: &Place,
        meter: &Arc<Meter>,
    ) -> Result<Self, Broken> {
        let has_changed = Arc::<AtomicBool>::default();
        let transport = Noting { transport, has_changed: Arc::clone(&has_changed) };
        let opened = async {
            let service = Asker.serve(transport).await?;
            let server = service.peer_info().and_then(|info| info.server_info.clone());
            let server = server.map_or_else(|| "a server".to_owned(), |of| format!("{} {}", of.name, of.version));
            Ok(Self {
                list: listed(&service).await?,
                service,
                process: None,
                has_changed,
                meter: Arc::clone(meter),
                server: server.chars().take(NAME_CHARS_MAX).collect(),
                is_odd: AtomicBool::new(false),
            })
        };
        let opened = timeout(place.start_timeout, opened).await.unwrap_or(Err(Broken::Silent(place.start_timeout)));
        opened.map_err(|broken: Broken| broken.or(meter.excess()))
    }

    /// Whether it can be asked, and still has the tools that it listed, as far as it says.
    pub(super) fn is_well(&self) -> bool {
        let says = |flag: &AtomicBool| flag.load(Ordering::Acquire);
        let is_closed = self.service.is_closed() || self.service.is_transport_closed();
        !(is_closed || says(&self.is_odd) || says(&self.has_changed))
    }

    /// What it lists now.
    pub(super) async fn list_again(&self) -> Result<List, Broken> {
        let waiting = Waiting::on(self);
        let list = listed(&self.service).await.map_err(|broken| broken.or(self.meter.excess()))?;
        waiting.over();
        Ok(list)
    }

    /// What it has to be read now; none if it says that it has nothing of the kind.
    pub(super) async fn shelf(&self) -> Result<Option<Shelf>, Broken> {
        if offers(&self.service).resources.is_none() {
            return Ok(None);
        }
        let waiting = Waiting::on(self);
        let shelf = resources(&self.service).await;
        if matches!(shelf, Ok(_) | Err(Broken::Service(ServiceError::McpError(_)))) {
            waiting.over();
        }
        shelf.map(Some).map_err(|broken| broken.or(self.meter.excess()))
    }

    /// Reads the resource at `uri` once.
    pub(super) async fn read(&self, uri: &str) -> Result<ReadResourceResult, Broken> {
        let waiting = Waiting::on(self);
        let ask = ReadResourceRequest::new(ReadResourceRequestParams::new(uri));
        let answer = self.service.send_request(ClientRequest::ReadResourceRequest(ask)).await;
        if matches!(answer, Ok(_) | Err(ServiceError::McpError(_))) {
            waiting.over();
        }
        match answer.map_err(|why| Broken::Service(why).or(self.meter.excess()))? {
            ServerResult::ReadResourceResult(result) => Ok(result),
            _ => Err(Broken::Service(ServiceError::UnexpectedResponse)),
        }
    }

    /// Calls `tool` once.
    pub(super) async fn call(&self, tool: &str, arguments: Map<String, Value>) -> Result<CallToolResult, Broken> {
        let waiting = Waiting::on(self);
        let call = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let answer = self.service.call_tool_once(call).await;
        if matches!(answer, Ok(_) | Err(ServiceError::McpError(_))) {
            waiting.over();
        }
        match answer.map_err(|why| Broken::Service(why).or(self.meter.excess()))? {
            CallToolResponse::Complete(result) => Ok(result),
            _ => Err(Broken::Odd(
                "it asks for something instead of answering, and nobody is there to be asked".to_owned(),
            )),
        }
    }
}

/// The resources and the templates that the server lists now.
async fn resources(service: &RunningService<RoleClient, Asker>) -> Result<Shelf, Broken> {
    let ask =
        |page| ClientRequest::ListResourcesRequest(ListResourcesRequest { params: Some(page), ..Default::default() });
    let resources = pages(service, ask, |came| match came {
        ServerResult::ListResourcesResult(page) => Some((page.resources, page.next_cursor)),
        _ => None,
    });
    let resources = resources.await?;
    let ask = |page| {
        let ask = ListResourceTemplatesRequest { params: Some(page), ..Default::default() };
        ClientRequest::ListResourceTemplatesRequest(ask)
    };
    let templates = pages(service, ask, |came| match came {
        ServerResult::ListResourceTemplatesResult(page) => Some((page.resource_templates, page.next_cursor)),
        _ => None,
    });
    let templates = match templates.await {
        // Whoever has resources need not have templates.
        Err(Broken::Service(ServiceError::McpError(why))) if why.code == ErrorCode::METHOD_NOT_FOUND => Vec::new(),
        templates => templates?,
    };
    Ok(Shelf::of(resources, templates))
}

/// A list that comes in pages. A server whose pages do not end is stopped.
async fn pages<T: Serialize>(
    service: &RunningService<RoleClient, Asker>,
    ask: impl Fn(PaginatedRequestParams) -> ClientRequest,
    read: impl Fn(ServerResult) -> Option<(Vec<T>, Option<String>)>,
) -> Result<Vec<T>, Broken> {
    let (mut all, mut cursor, mut bytes) = (Vec::new(), None, 0);
    for _ in 0..PAGES_MAX {
        let page = PaginatedRequestParams::default().with_cursor(cursor);
        let came = service.send_request(ask(page)).await.map_err(Broken::Service)?;
        let (items, next) = read(came).ok_or(Broken::Service(ServiceError::UnexpectedResponse))?;
        for item in items {
            bytes += serde_json::to_vec(&item).map_or(0, |item| item.len());
            all.push(item);
        }
        if all.len() > RESOURCES_MAX || bytes > SHELF_BYTES_MAX {
            let why = format!("it lists more than {RESOURCES_MAX} resources, or {SHELF_BYTES_MAX} bytes of them");
            return Err(Broken::Odd(why));
        }
        cursor = next;
        if cursor.is_none() {
            return Ok(all);
        }
    }
    Err(Broken::Odd(format!("its list of resources has more than {PAGES_MAX} pages")))
}

/// What a server says that it has.
fn offers(service: &RunningService<RoleClient, Asker>) -> ServerCapabilities {
    service.peer_info().map(|info| info.capabilities.clone()).unwrap_or_default()
}

/// All that the server lists now: asked for anew, past the client's memory of earlier answers.
async fn listed(service: &RunningService<RoleClient, Asker>) -> Result<List, Broken> {
    if offers(service).tools.is_none() {
        // It would not know the question. One that has tools all the same has none here.
        return Ok(List::default());
    }
    let (mut tools, mut cursor, mut bytes) = (Vec::new(), None, 0);
    for _ in 0..PAGES_MAX {
        let page = PaginatedRequestParams::default().with_cursor(cursor);
        let ask = ClientRequest::ListToolsRequest(ListToolsRequest { params: Some(page), ..Default::default() });
        let ServerResult::ListToolsResult(page) = service.send_request(ask).await.map_err(Broken::Service)? else {
            return Err(Broken::Service(ServiceError::UnexpectedResponse));
        };
        for tool in page.tools {
            let tool = serde_json::to_value(tool).map_err(|why| Broken::List(why.to_string()))?;
            bytes += tool.to_string().len();
            tools.push(tool);
        }
        cursor = page.next_cursor;
        if cursor.is_none() || bytes > LIST_BYTES_MAX {
            return List::read(tools).map_err(Broken::List);
        }
    }
    Err(Broken::List(format!("its list of tools has more than {PAGES_MAX} pages")))
}

/// A question that is waited for. If whoever asks stops waiting, the connection is given up: what hangs once may hang
/// again, and whoever asks next begins afresh.
struct Waiting<'s> {
    session: &'s Session,
    is_over: bool,
}

impl<'s> Waiting<'s> {
    fn on(session: &'s Session) -> Self {
        session.meter.ask();
        Self { session, is_over: false }
    }

    fn over(mut self) {
        self.is_over = true;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.session.is_odd.store(true, Ordering::Relaxed);
        }
    }
}
