//! What happens, as it happens: server-sent events that go on after the last one that a browser has, and never skip one.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_core::Stream;
use tokio::sync::{mpsc, watch};

use super::fail::Plain;
use super::sent::{Asked, Named};
use super::site::Site;
use crate::id::{RunNo, Seq};
use crate::service::story::News;

/// Events that wait for a slow browser; the journal keeps the rest for it.
const AHEAD: usize = 64;

/// How long it takes at least from one look at the journal to the next: with a thousand runs at work, something is always new.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// From where a browser goes on, if it does not say so itself.
#[derive(serde::Deserialize, schemars::JsonSchema)]
pub(super) struct After {
    /// Only records after this one; `Last-Event-ID` says the same.
    after: Option<u64>,
}

/// One that something was written to the journal, whatever it was.
pub(super) async fn journal(State(site): State<Arc<Site>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (sink, events) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut watched = Watched::of(&site);
        while watched.changed(&sink).await {
            if sink.send(Event::default().event("changed").data("")).await.is_err() {
                return;
            }
        }
    });
    Sse::new(Events(events)).keep_alive(KeepAlive::default())
}

/// The records of a run, in the journal's own shapes, from the one after `after` or `Last-Event-ID` on.
pub(super) async fn run(
    State(site): State<Arc<Site>>,
    Named(no): Named<u64>,
    Asked(After { after }): Asked<After>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Plain> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let mut after = Seq(last.or(after).unwrap_or(0));
    let no = RunNo(no);
    // That it is there is said at once; what comes later ends the stream.
    site.look(move |site| site.readings.look(no, |_| ())).await?;
    let (sink, events) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        let mut watched = Watched::of(&site);
        loop {
            let Ok(news) = site.look(move |site| site.readings.after(no, after, AHEAD)).await else {
                return;
            };
            for news in &news {
                after = news.record.seq;
                if sink.send(told(news)).await.is_err() {
                    return;
                }
            }
            if news.is_empty() && !watched.changed(&sink).await {
                return;
            }
        }
    });
    Ok(Sse::new(Events(events)).keep_alive(KeepAlive::default()))
}

fn told(news: &News) -> Event {
    let event = Event::default().id(news.record.seq.to_string()).event("record");
    match serde_json::to_string(news) {
        Ok(json) => event.data(json),
        Err(_) => event.data("null"),
    }
}

/// The journal as somebody waits for it.
struct Watched {
    changes: watch::Receiver<u64>,
    ends: watch::Receiver<bool>,
}

impl Watched {
    fn of(site: &Site) -> Self {
        let mut changes = site.changes.clone();
        changes.mark_unchanged();
        Self { changes, ends: site.ends.clone() }
    }

    /// Waits until something was written; false once the server ends or the browser has gone.
    async fn changed(&mut self, sink: &mpsc::Sender<Event>) -> bool {
        let changed = async {
            tokio::time::sleep(LOOK_EVERY).await;
            self.changes.changed().await.is_ok()
        };
        tokio::select! {
            changed = changed => changed,
            _ = self.ends.wait_for(|ends| *ends) => false,
            () = sink.closed() => false,
        }
    }
}

/// Events as they come.
struct Events(mpsc::Receiver<Event>);

impl Stream for Events {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: std::pin::Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|event| event.map(Ok))
    }
}
