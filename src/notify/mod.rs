//! Tells people, outside of this program, of what waits for them: a sentence and a link to the page. Nobody decides
//! anything by it, and no run is kept waiting for it. What is told follows from what waits now, so nothing has to
//! be remembered but what was told.

mod board;
mod mail;
mod mark;
mod notice;
mod send;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lettre::message::Mailbox;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app;
use crate::clock::{Clock as _, Machine};
use crate::config::Settings;
use crate::service::project::Project;
use crate::tool::part::address::system;
use crate::tool::part::smtp::Server;
use crate::tool::part::smtp::mailbox::mailbox;
use crate::topology::editor::{self, MailServer};
use crate::topology::whom::is_meant;
use board::{Board, Waiting};
use mail::Mail;
pub use mark::Failed;
use mark::Mark;
use notice::{Notice, together};
use send::{Form, Hook, Sender};

/// How long one is left alone who did not take something: twice as long each time.
const REST: Duration = Duration::from_millis(500);
const REST_MAX: Duration = Duration::from_secs(300);

/// How often is looked whether another process still tells a channel.
const OTHERS: Duration = Duration::from_secs(1);

/// More than so many at once are told to people as one.
const AT_ONCE_MAX: usize = 5;

/// How many people are named in one line.
const NAMED_MAX: usize = 5;

/// A way to tell people.
#[derive(Debug)]
pub struct Channel {
    /// Who is told; with mails to whoever is asked, each of these people.
    listeners: Vec<Arc<Listener>>,
    /// Who of the people whom it would mail has no address.
    unreached: Vec<String>,
    /// The mail server, if it mails.
    server: Option<Arc<Server>>,
    /// How links to the page begin.
    page: String,
    /// Where what was told is noted.
    folder: PathBuf,
}

/// One who is told: by an address of their own, on their own time.
#[derive(Debug)]
struct Listener {
    /// Under which name it is noted what they were told.
    noted_as: String,
    /// The person or the address, if mails go there.
    who: Option<String>,
    /// Their address, if the file says it.
    to: Option<String>,
    /// Only what waits for these; all if there are none.
    whom: Vec<String>,
    sender: Sender,
}

/// Where what was told is noted: beside the journal, by the channel's name.
fn folder(settings: &Settings) -> PathBuf {
    settings.journal.with_file_name("notify")
}

/// Whom the project tells, by name, or why one of them cannot be told; `page` is where the page is, unless the file
/// says it.
pub fn channels(settings: &Settings, page: &str) -> Vec<(String, Result<Channel, String>)> {
    let Some(notify) = &settings.notify else { return Vec::new() };
    let page = notify.link.as_deref().unwrap_or(page);
    let one = |(name, written): (&String, &editor::Channel)| {
        (name.clone(), Channel::of(name, written, (settings, page), &notify.private_hosts))
    };
    notify.channels.iter().map(one).collect()
}

impl Channel {
    fn of(
        name: &str,
        written: &editor::Channel,
        (settings, page): (&Settings, &str),
        private: &[String],
    ) -> Result<Self, String> {
        let secret = |variable: &String| {
            settings.secret(variable).ok_or_else(|| format!("the environment variable {variable} is not set"))
        };
        let hook = |url_env: &String, form| {
            let hook = Hook::new(secret(url_env)?, form, private).map_err(|why| format!("{url_env}: {why}"))?;
            Ok::<_, String>(vec![Arc::new(Listener {
                noted_as: name.to_owned(),
                who: None,
                to: None,
                whom: written.whom().to_vec(),
                sender: Sender::Hook(hook),
            })])
        };
        let channel = |listeners| Self {
            listeners,
            unreached: Vec::new(),
            server: None,
            page: page.to_owned(),
            folder: folder(settings),
        };
        Ok(match written {
            editor::Channel::Webhook { url_env, key_env, .. } => {
                let key = key_env.as_ref().map(secret).transpose()?;
                channel(hook(url_env, Form::Webhook(key.map(str::to_owned)))?)
            }
            editor::Channel::Slack { url_env, .. } => channel(hook(url_env, Form::Slack)?),
            editor::Channel::Email { from, to, smtp, whom } => {
                let post = Post::new(from, smtp, settings)?;
                let (listeners, unreached) = match to {
                    Some(to) => (vec![post.listener((name, to.clone()), to, whom)?], Vec::new()),
                    None => post.people(name, whom, settings)?,
                };
                Self { unreached, server: Some(post.server), ..channel(listeners) }
            }
        })
    }

    /// By which way, and whom it tells, without what is secret of an address.
    pub fn manner(&self) -> String {
        let who: Vec<&str> = self.listeners.iter().filter_map(|listener| listener.who.as_deref()).collect();
        let hook = self.listeners.iter().find_map(|listener| match &listener.sender {
            Sender::Hook(hook) => Some(hook.place()),
            Sender::Mail(_) => None,
        });
        match (&self.server, hook) {
            (Some(server), _) => format!("by mail to {}, through {}", named(&who), server.place()),
            (None, hook) => format!("at {}", hook.unwrap_or_default()),
        }
    }

    /// What somebody should know of it who looks whether all is well.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if !self.unreached.is_empty() {
            let who: Vec<&str> = self.unreached.iter().map(String::as_str).collect();
            let has = if who.len() == 1 { "has" } else { "have" };
            remarks.push(format!("{} {has} no `email` under [people], and no mail goes there", named(&who)));
        }
        if self.server.is_some() && self.page.is_empty() {
            let what = "its mails lead to the address where serve listens, which may be this machine's alone: \
                        write `link` under [notify]";
            remarks.push(what.to_owned());
        }
        remarks
    }

    /// What its mail server says, if it has one; no mail is sent.
    pub async fn opened(&self) -> Option<Result<String, String>> {
        let server = self.server.as_ref()?;
        Some(server.opened().await.map_err(|why| why.reason))
    }

    /// The last try to tell somebody who did not take it.
    pub fn failed(&self) -> Option<Failed> {
        let failed = self.listeners.iter().filter_map(|listener| listener.mark(&self.folder).failed);
        failed.max_by_key(|failed| failed.at)
    }
}

/// Names as a sentence has them, or how many people these are.
fn named(names: &[&str]) -> String {
    match names {
        [] => "nobody".to_owned(),
        [one] => (*one).to_owned(),
        [some @ .., last] if names.len() <= NAMED_MAX => format!("{} and {last}", some.join(", ")),
        many => format!("{} people", many.len()),
    }
}

/// What mails leave by.
struct Post {
    server: Arc<Server>,
    from: Mailbox,
}

impl Post {
    fn new(from: &str, smtp: &MailServer, settings: &Settings) -> Result<Self, String> {
        let from = mailbox(from).map_err(|why| format!("from {}: {}", why.what, why.instead))?;
        let server = Server::new(smtp, &from.email, app::secrets(settings), system()).map_err(|why| why.to_string())?;
        Ok(Self { server: Arc::new(server), from })
    }

    fn listener(
        &self,
        (noted_as, who): (impl Into<String>, String),
        to: &str,
        whom: &[String],
    ) -> Result<Arc<Listener>, String> {
        let address = to.parse().map_err(|_| format!("{to:?} is no e-mail address"))?;
        let mail = Mail { server: Arc::clone(&self.server), from: self.from.clone(), to: address };
        Ok(Arc::new(Listener {
            noted_as: noted_as.into(),
            who: Some(who),
            to: Some(to.to_owned()),
            whom: whom.to_vec(),
            sender: Sender::Mail(mail),
        }))
    }

    /// Each of the people, or of those in `whom`, who has an address; and who has none.
    fn people(
        &self,
        name: &str,
        whom: &[String],
        settings: &Settings,
    ) -> Result<(Vec<Arc<Listener>>, Vec<String>), String> {
        let (mut listeners, mut unreached) = (Vec::new(), Vec::new());
        for (person, groups) in settings.people.iter().flatten() {
            if !whom.is_empty() && !whom.iter().any(|whom| is_meant(whom, person, groups)) {
                continue;
            }
            match settings.emails.get(person) {
                // No name of a channel has a dot.
                Some(to) => {
                    let own = std::slice::from_ref(person);
                    listeners.push(self.listener((format!("{name}.{person}"), person.clone()), to, own)?);
                }
                None => unreached.push(person.clone()),
            }
        }
        Ok((listeners, unreached))
    }
}

impl Listener {
    fn mark(&self, folder: &std::path::Path) -> Mark {
        Mark::read(folder, &self.noted_as, self.to.as_deref())
    }

    /// Whether it hears of what waits for `who`.
    fn hears(&self, who: &[String], people: &BTreeMap<String, Vec<String>>) -> bool {
        let groups = |name: &String| people.get(name).into_iter().flatten();
        let is_heard = |of: &String| self.whom.iter().any(|whom| whom == of || is_meant(of, whom, groups(whom)));
        self.whom.is_empty() || who.is_empty() || who.iter().any(is_heard)
    }
}

/// Tells these channels, each beside the others, until `ends` says so.
pub fn begin(project: &Arc<Project>, channels: Vec<Channel>, ends: &watch::Receiver<bool>) -> JoinSet<()> {
    let mut tellers = JoinSet::new();
    let Some(page) = channels.first().map(|channel| channel.page.clone()) else { return tellers };
    let (says, waiting) = watch::channel(None);
    tellers.spawn(Board::new(Arc::clone(project), page.clone()).tell(says, ends.clone()));
    for channel in channels {
        for listener in channel.listeners {
            let (project, mut ends, waiting) = (Arc::clone(project), ends.clone(), waiting.clone());
            let (folder, page) = (channel.folder.clone(), page.clone());
            tellers.spawn(async move {
                let Some(lock) = locked(&folder, &listener.noted_as, &mut ends).await else { return };
                let mark = listener.mark(&folder);
                let (tried, failures, rests) = (BTreeMap::new(), 0, None);
                let teller = Teller { project, listener, folder, page, mark, tried, failures, rests, _lock: lock };
                teller.tell(waiting, ends).await;
            });
        }
    }
    tellers
}

/// The right to tell, once no other process has it; none if the end comes before.
async fn locked(folder: &std::path::Path, name: &str, ends: &mut watch::Receiver<bool>) -> Option<File> {
    loop {
        match mark::lock(folder, name) {
            Ok(Some(lock)) => return Some(lock),
            Ok(None) => tracing::debug!(channel = name, "another process tells it"),
            Err(error) => tracing::warn!(channel = name, %error, "what is told cannot be noted, so nothing is"),
        }
        tokio::select! {
            () = tokio::time::sleep(OTHERS) => {}
            _ = ends.wait_for(|ends| *ends) => return None,
        }
    }
}

/// Waits until whoever is told has rested, or else until something else waits; whether anything can still be told.
async fn news(rests: Option<Duration>, waiting: &mut watch::Receiver<Waiting>) -> bool {
    match rests {
        Some(rest) => tokio::time::sleep(rest).await,
        None => return waiting.changed().await.is_ok(),
    }
    true
}

/// Whoever tells one.
struct Teller {
    project: Arc<Project>,
    listener: Arc<Listener>,
    folder: PathBuf,
    page: String,
    mark: Mark,
    /// How often what was not taken was tried: what fails again and again keeps nothing else waiting.
    tried: BTreeMap<String, u32>,
    failures: u32,
    /// For how long it is left alone.
    rests: Option<Duration>,
    _lock: File,
}

impl Teller {
    async fn tell(mut self, mut waiting: watch::Receiver<Waiting>, mut ends: watch::Receiver<bool>) {
        loop {
            self.rests = None;
            let now = waiting.borrow_and_update().clone();
            // Before it was read, nobody knows what still waits.
            if let Some(all) = now {
                let heard = self.heard(&all);
                self.tell_of(heard).await;
            }
            let goes_on = tokio::select! {
                _ = ends.wait_for(|ends| *ends) => false,
                is_new = news(self.rests, &mut waiting) => is_new,
            };
            if !goes_on {
                return;
            }
        }
    }

    /// What of this waits for whoever hears of it here.
    fn heard(&self, all: &[Arc<Notice>]) -> Vec<Arc<Notice>> {
        let no_one = BTreeMap::new();
        let people = self.project.settings.people.as_ref().unwrap_or(&no_one);
        all.iter().filter(|notice| self.listener.hears(&notice.wait.who, people)).cloned().collect()
    }

    /// Tells what of this was not told yet; what waits no more is forgotten.
    async fn tell_of(&mut self, notices: Vec<Arc<Notice>>) {
        let before = self.mark.told.len();
        let waiting: BTreeSet<&String> = notices.iter().map(|notice| &notice.id).collect();
        self.mark.told.retain(|told| waiting.contains(told));
        self.tried.retain(|id, _| waiting.contains(id));
        if self.mark.told.len() < before {
            self.note();
        }
        let is_new = |notice: &Arc<Notice>| !self.mark.told.contains(&notice.id);
        let mut new: Vec<Arc<Notice>> = notices.iter().filter(|notice| is_new(notice)).cloned().collect();
        new.sort_by_key(|notice| self.tried.get(&notice.id).copied().unwrap_or(0));
        let is_many = self.listener.sender.is_read_by_people() && new.len() > AT_ONCE_MAX;
        let size = if is_many { new.len() } else { 1 };
        for some in new.chunks(size) {
            let told = if let [one] = some { Some(one.told()) } else { together(some, &self.page) };
            let Some(told) = told else { continue };
            match self.listener.sender.send(&told).await {
                Ok(()) => self.took(some),
                Err(why) => return self.failed(some, why),
            }
        }
    }

    fn took(&mut self, notices: &[Arc<Notice>]) {
        self.mark.told.extend(notices.iter().map(|notice| notice.id.clone()));
        self.mark.failed = None;
        self.failures = 0;
        self.note();
    }

    fn failed(&mut self, notices: &[Arc<Notice>], why: String) {
        let rest = REST_MAX.min(REST.saturating_mul(1 << self.failures.min(20)));
        let name = &self.listener.noted_as;
        tracing::warn!(channel = name, %why, again_in_ms = rest.as_millis(), "a channel took nothing");
        notices.iter().for_each(|notice| *self.tried.entry(notice.id.clone()).or_default() += 1);
        self.failures += 1;
        self.rests = Some(rest);
        self.mark.failed = Some(Failed { at: Machine.now(), why });
        self.note();
    }

    fn note(&self) {
        let name = &self.listener.noted_as;
        if let Err(error) = self.mark.write(&self.folder, name) {
            tracing::warn!(channel = name, %error, "what was told cannot be noted: it may be told again");
        }
    }
}
