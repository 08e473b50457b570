//! `callsheet serve`: the page and the interface for programs, over the same functions as the command line. HTML is made here,
//! in Rust; scripts only add what moves. A request decides nothing unless it is a POST of somebody who entered.

mod act;
mod api;
mod campaign;
mod comments;
mod enter;
mod events;
mod fail;
mod fields;
mod forms;
mod frame;
mod graph;
mod guard;
mod guesses;
mod home;
mod hooks;
pub mod keys;
mod layout;
mod listen;
mod metrics;
mod parts;
mod person;
mod review;
mod run;
mod runs;
mod sent;
mod setup;
mod shell;
mod site;
mod table;
mod triggers;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, Uri};
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};

use crate::service::act::Driver;
use crate::service::error::Error;
use crate::service::project::Project;
use crate::service::reading::Readings;
use crate::service::trigger::fire::Triggers;
use fail::Fail;
use guesses::Guesses;
use keys::Keys;
use site::Site;
use table::Table;

/// The most bytes that a request may bring.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Serves the project at `listener` until `ends` says so; `names` are further hosts under which it is called.
///
/// # Errors
/// If the journal cannot be read, or the listener fails.
pub async fn serve(
    (project, driver, triggers): (Arc<Project>, Arc<Driver>, Arc<Triggers>),
    keys: Keys,
    (listener, names): (TcpListener, &[String]),
    ends: watch::Receiver<bool>,
) -> Result<(), Stopped> {
    let at = listener.local_addr().map_err(Stopped::System)?;
    let site = Site {
        changes: project.changes()?,
        readings: Readings::new(Arc::clone(&project)),
        hosts: hosts(at, names),
        cookie: format!("callsheet_{}", at.port()),
        guesses: Guesses::default(),
        remarks: Mutex::default(),
        ends: ends.clone(),
        project,
        driver,
        triggers,
        keys,
    };
    let site = Arc::new(site);
    listen::listen(listener, router(&site), ends).await.map_err(Stopped::System)?;
    site.driver.interrupt().await;
    Ok(())
}

/// Why a server ended.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The journal.
    #[error(transparent)]
    Service(#[from] Error),
    /// The system.
    #[error("the server cannot go on: {0}")]
    System(std::io::Error),
}

fn hosts(at: SocketAddr, names: &[String]) -> Vec<String> {
    let own = [at.ip().to_string(), "localhost".to_owned()];
    let own = own.into_iter().map(|host| if host.contains(':') { format!("[{host}]") } else { host });
    let all = own.chain(names.iter().cloned()).map(|host| format!("{host}:{}", at.port()));
    // A proxy before it may have the usual port, which browsers do not name.
    all.chain(names.iter().cloned()).collect()
}

fn router(site: &Arc<Site>) -> Router {
    Router::new()
        .route("/", get(home::home))
        .route("/enter", get(enter::show).post(enter::enter))
        .route("/leave", post(enter::leave))
        .route("/assets/{name}", get(frame::asset))
        .route("/events", get(events::journal))
        .route("/campaigns", get(campaign::list))
        .route("/campaigns/{name}", get(campaign::one))
        .route("/campaigns/{name}/start", post(act::start))
        .route("/runs", get(runs::list))
        .route("/runs/{no}", get(run::graph))
        .route("/runs/{no}/events", get(events::run))
        .route("/runs/{no}/story", get(run::story))
        .route("/runs/{no}/sequence", get(run::sequence))
        .route("/runs/{no}/messages", get(run::messages))
        .route("/runs/{no}/drafts", get(run::drafts))
        .route("/runs/{no}/budget", get(run::budget))
        .route("/runs/{no}/supervision", get(run::supervision))
        .route("/runs/{no}/say", post(act::say))
        .route("/runs/{no}/comments", post(comments::make))
        .route("/runs/{no}/comments/{comment}", post(comments::answer))
        .route("/approvals", get(home::approvals))
        .route("/approvals/{no}", get(review::show))
        .route("/approvals/{no}/edit", get(forms::edit))
        .route("/approvals/{no}/decide", post(act::decide))
        .route("/approvals/{no}/edit", post(act::edit))
        .route("/approvals/{no}/answer", post(act::answer))
        .route("/approvals/{no}/assign", post(act::assign))
        .route("/triggers", get(triggers::list))
        .route("/agents", get(setup::agents))
        .route("/connections", get(setup::connections).post(setup::try_connections))
        .route("/more", get(setup::more))
        .route("/audit", get(runs::audit))
        .merge(programs())
        .fallback(nothing)
        .method_not_allowed_fallback(otherwise)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(Arc::clone(site), guard::guard))
        .with_state(Arc::clone(site))
}

/// An answer to whoever posts where there is only something to read, or the other way round.
async fn otherwise(uri: Uri) -> Response {
    let refused = Fail::new(StatusCode::METHOD_NOT_ALLOWED, "that is not done at this address");
    if guard::is_program(uri.path()) { refused.json() } else { refused.into_response() }
}

/// What programs ask.
fn programs() -> Router<Arc<Site>> {
    Table::new()
        .get("/api/runs", ("runs", "The runs, newest first"), api::runs)
        .post("/api/runs", ("start", "Starts a run"), api::start)
        .get("/api/runs/{no}", ("run", "A run at a glance"), api::run)
        .get("/api/runs/{no}/records", ("records", "Its records, as the journal has them"), api::records)
        .get("/api/runs/{no}/events", ("events", "Its records, as they come"), events::run)
        .get("/api/runs/{no}/comments", ("comments", "What people said about its versions"), api::comments)
        .post("/api/runs/{no}/comments", ("comment", "Says something about a version"), api::remark)
        .post("/api/runs/{no}/comments/{comment}/reply", ("reply", "Answers a comment"), api::reply)
        .post("/api/runs/{no}/comments/{comment}/resolve", ("resolve", "Settles a comment"), api::resolve)
        .post(
            "/api/runs/{no}/results",
            ("attachResults", "Attaches a table of what came of a run, also after its end"),
            api::attach,
        )
        .post("/api/runs/{no}/follow", ("follow", "Has you told how a run ends, or not any more"), api::follow)
        .post("/api/runs/{no}/notes", ("note", "Says something to a member, whose next turn is shown it"), api::note)
        .get("/api/approvals", ("approvals", "What waits for people"), api::approvals)
        .get("/api/approvals/{no}", ("approval", "All of what is decided or answered"), api::approval)
        .post("/api/approvals/{no}/decide", ("decide", "Decides an approval"), api::decide)
        .post("/api/approvals/{no}/assign", ("assign", "Says who is on an approval"), api::assign)
        .post("/hooks/{topology}/{trigger}", ("fire", "Fires a trigger by a signed request"), hooks::fire)
        .get("/metrics", ("metrics", "Figures for a monitoring system"), metrics::metrics)
        .finish()
}

/// An answer to whoever asks for what is not there, in the form that they read.
async fn nothing(uri: Uri) -> Response {
    let missing = Fail::missing("there is nothing at this address");
    if guard::is_program(uri.path()) { missing.json() } else { missing.into_response() }
}
