//! `callsheet serve`: the page and the interface for programs, and all runs of the project in one process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::exit::{Exit, Stop};
use super::paint::{Safe, Tone, raw, say, toned};
use super::session::Session;
use crate::app;
use crate::clock::{Clock as _, Machine};
use crate::file;
use crate::notify::{self, Channel};
use crate::service::act::Driver;
use crate::service::trigger::fire::Triggers;
use crate::service::trigger::list::triggers as listed;
use crate::web::keys::Keys;
use crate::web::{Stopped, serve as serving};
use crate::words::error::Told;
use crate::words::time::date_time;
use crate::words::trigger::{fires, wrong};

/// The secret beside the journal of which links and sessions are made.
const KEY_FILE: &str = "serve.key";

/// How long the end waits for notices that are on their way.
const LAST_WORDS: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Listens at this address; port 0 takes any that is free
    #[arg(long, default_value = "127.0.0.1:7332", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Answers under this host name, too; by default only under the address and as localhost
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// Prints the link of this person, and starts nothing
    #[arg(long, value_name = "NAME")]
    link: Option<String>,
}

pub(super) async fn serve(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let settings = &session.settings;
    let path = settings.journal.with_file_name(KEY_FILE);
    let keys = Keys::open(&path)
        .map_err(|error| Stop::failed(format!("{} cannot be used: {}", path.display(), file::words(&error))))?;
    let people = session.project.people();
    if let Some(name) = &args.link {
        if !people.contains(name) {
            let known = people.join(", ");
            return Err(Stop::input(format!(
                "--link {name}: this project knows nobody of this name; it knows: {known}"
            )));
        }
        raw(link(&keys, args.listen, name));
        return Ok(Exit::Done);
    }
    let taken = |error| {
        Stop::failed(format!(
            "nothing can listen at {}: {}; choose another with --listen",
            args.listen,
            file::words(&error)
        ))
    };
    let listener = TcpListener::bind(args.listen).await.map_err(taken)?;
    let at = listener.local_addr()?;
    let driver = Arc::new(Driver::serve(&session.project).await?);
    // Before anybody is told that Ctrl-C stops it.
    let ends = ends()?;
    tell(session, &keys, at, &people);
    triggers_told(session)?;
    for (no, came) in driver.take_up_interrupted().await? {
        match came {
            Ok(()) => say(format!("run {no} was interrupted, and goes on")),
            Err(error) => say(format!("run {no} was interrupted, and cannot go on: {}", Safe(&Told::from(error).text))),
        }
    }
    let mut tellers = notify::begin(&session.project, channels(session, at), &ends);
    let triggers = Triggers::new(&session.project, &driver, |error| Told::from(error).text);
    tokio::spawn(Arc::clone(&triggers).watch(ends.clone()));
    match serving((session.project.clone(), driver, triggers), keys, (listener, &args.host), ends).await {
        Ok(()) => {
            // What is on its way is let finish, so that it is noted; who takes nothing keeps nobody waiting.
            let told = async { while tellers.join_next().await.is_some() {} };
            let _ = tokio::time::timeout(LAST_WORDS, told).await;
            say("stopped; everything is kept, and callsheet serve goes on with it");
            Ok(Exit::Done)
        }
        Err(Stopped::Service(error)) => Err(error.into()),
        Err(error @ Stopped::System(_)) => Err(Stop::failed(error.to_string())),
    }
}

/// What starts runs by itself from now on.
fn triggers_told(session: &Session) -> Result<(), Stop> {
    let lines = listed(&session.project, Machine.now())?;
    for line in &lines {
        let (name, zone) = (Safe(&line.trigger), session.zone());
        match (wrong(line, zone).filter(|_| line.when.is_none() || line.unset.is_some()), line.next_at) {
            (Some(wrong), _) => say(format!("trigger {name}: {}", Safe(&wrong))),
            (None, Some(at)) => say(format!("trigger {name} fires next on {}", date_time(at, zone))),
            (None, None) => say(format!("trigger {name} fires {}", Safe(&fires(line)))),
        }
    }
    Ok(())
}

/// Whom the project tells of what waits.
fn channels(session: &Session, at: SocketAddr) -> Vec<Channel> {
    let told = notify::channels(&session.settings, &format!("http://{at}"));
    let channel = |(name, channel): (String, Result<Channel, String>)| match channel {
        Ok(channel) => {
            say(format!("{} is told of what waits for people, {}", Safe(&name), Safe(&channel.manner())));
            Some(channel)
        }
        Err(why) => {
            say(format!("{} is told of nothing: {}", Safe(&name), Safe(&why)));
            None
        }
    };
    told.into_iter().filter_map(channel).collect()
}

/// Says when this process is asked to end: by Ctrl-C, or by whoever runs services.
pub(super) fn ends() -> Result<watch::Receiver<bool>, Stop> {
    let (end, ends) = watch::channel(false);
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        let _ = end.send(true);
    });
    Ok(ends)
}

/// Where it is, and whose links are whose.
fn tell(session: &Session, keys: &Keys, at: SocketAddr, people: &[String]) {
    let me = session.project.who().name;
    let shown = people.iter().find(|name| **name == me).or(people.first());
    if let Some(name) = shown {
        let whose = if people.len() > 1 { format!(", as {}", Safe(name)) } else { String::new() };
        say(format!("open this link{whose}:"));
        raw(toned(Tone::Strong, link(keys, at, name)));
    }
    if people.len() > 1 {
        say("the link of somebody else: callsheet serve --link NAME");
    }
    if !at.ip().is_loopback() {
        say(
            "this address can be reached from other machines, and what goes over it is not encrypted: put a proxy with TLS before it",
        );
    }
    match app::collector(&session.settings) {
        Ok(Some(collector)) => say(format!("what runs do goes as spans to {}", Safe(&collector.place()))),
        Ok(None) => {}
        Err(why) => say(format!("there is no telemetry: {}", Safe(&why))),
    }
    say("Ctrl-C stops it; everything is kept");
}

/// A link that lets its person in. The token stands behind `#`, so no server and no log sees it.
fn link(keys: &Keys, at: SocketAddr, name: &str) -> String {
    format!("http://{at}/enter#{}", keys.token(name))
}
