//! A connection with its statements: it reads and nothing else, by its settings and by every transaction.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_postgres::{CancelToken, Client, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::place::{CONNECT_TIMEOUT, Place};
use super::refused;
use super::role::{Role, identifier};
use crate::failure::{Class, Failure};
use crate::net;
use crate::tool::part::args::permanent;
use crate::tool::part::hidden::Hidden;

/// Statements that are kept prepared; more are forgotten all at once.
const PREPARED_MAX: usize = 64;
/// How long a connection that nobody uses is kept by the server, from version 14 on.
const IDLE_MS: u32 = 300_000;

/// What every connection of a database is opened with.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) schemas: Vec<String>,
    pub(super) timeout_ms: u64,
}

/// An open connection.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) role: Role,
    pub(super) hidden: Hidden,
    tls: MakeRustlsConnect,
    prepared: Mutex<HashMap<String, Arc<Prepared>>>,
}

/// A statement that the server knows.
pub(super) struct Prepared {
    pub(super) statement: Statement,
    /// What its columns are called, and of which type each is.
    pub(super) columns: Vec<(String, tokio_postgres::types::Type)>,
}

impl Session {
    /// Opens one, finds out who we are, and refuses a role that could do more than the transaction holds.
    pub(super) async fn open(place: &Place, settings: &Settings) -> Result<Self, Failure> {
        let way = place.way()?;
        let opened = tokio::time::timeout(CONNECT_TIMEOUT, opened(way, settings)).await;
        opened.unwrap_or_else(|_| {
            let seconds = CONNECT_TIMEOUT.as_secs();
            Err(Failure::new(Class::Transient, format!("the database was not open after {seconds} s")))
        })
    }

    pub(super) fn is_well(&self) -> bool {
        !self.client.is_closed()
    }

    pub(super) fn known(&self, sql: &str) -> Option<Arc<Prepared>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).get(sql).map(Arc::clone)
    }

    /// Keeps a statement for the next who asks the same.
    pub(super) fn keep(&self, sql: &str, prepared: Arc<Prepared>) {
        let mut known = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= PREPARED_MAX {
            known.clear();
        }
        known.insert(sql.to_owned(), prepared);
    }

    /// What ends the statement that runs now, on the server.
    pub(super) fn cancel(&self) -> (CancelToken, MakeRustlsConnect) {
        (self.client.cancel_token(), self.tls.clone())
    }
}

async fn opened(way: super::place::Way, settings: &Settings) -> Result<Session, Failure> {
    let tls = MakeRustlsConnect::new(net::tls().map_err(permanent)?);
    let (client, connection) =
        way.config.connect(tls.clone()).await.map_err(|why| refused::unopened(&why, &way.hidden))?;
    // It ends when the client is dropped, or the server goes away: whoever asks then is told.
    tokio::spawn(async move { drop(connection.await) });
    let broken = |why: tokio_postgres::Error| refused::failed(&why, "", &way.hidden);
    let setting = setting(settings);
    let (set, role) = tokio::join!(biased; client.batch_execute(&setting), Role::of(&client));
    set.map_err(broken)?;
    let role = role.map_err(broken)?;
    role.allowed(&settings.schemas)?;
    if role.version_num >= 140_000 {
        client.batch_execute(&format!("SET idle_session_timeout = {IDLE_MS}")).await.map_err(broken)?;
    }
    Ok(Session { client, role, hidden: way.hidden, tls, prepared: Mutex::default() })
}

/// What holds between transactions. Within one, nothing that a statement sets outlives it.
fn setting(settings: &Settings) -> String {
    let schemas = settings.schemas.iter().map(|schema| identifier(schema)).collect::<Vec<_>>().join(", ");
    let timeout_ms = settings.timeout_ms;
    // A statement that waits for us is ended, too: we might have been stopped.
    let idle_ms = timeout_ms.saturating_add(10_000);
    format!(
        "SET default_transaction_read_only = on; SET search_path = {schemas}; SET statement_timeout = {timeout_ms}; \
         SET lock_timeout = {timeout_ms}; SET idle_in_transaction_session_timeout = {idle_ms}; \
         SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'iso_8601'; SET TimeZone = 'UTC'; SET extra_float_digits = 1; \
         SET bytea_output = 'hex'; SET standard_conforming_strings = on; SET client_min_messages = error"
    )
}
