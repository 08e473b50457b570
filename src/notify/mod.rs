//! Tells people, outside of this program, of what waits for them: a sentence and a link to the page. Nobody decides
//! anything by it, and no run is kept waiting for it. What is told follows from what waits now, so nothing has to
//! be remembered but what was told.

mod mark;
mod notice;
mod send;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::{Clock as _, Machine};
use crate::config::Settings;
use crate::service::project::Project;
use crate::topology::editor::{self, ChannelKind};
pub use mark::{Failed, Mark};
use notice::{Notice, together};
use send::{Form, Sender};

/// What is written at once is looked at once.
const GATHER: Duration = Duration::from_millis(300);

/// How long a channel is left alone that did not take something: twice as long each time.
const REST: Duration = Duration::from_millis(500);
const REST_MAX: Duration = Duration::from_secs(300);

/// How often is looked whether another process still tells a channel.
const OTHERS: Duration = Duration::from_secs(1);

/// More than so many at once are told to people as one.
const AT_ONCE_MAX: usize = 5;

/// A way to tell people.
#[derive(Debug)]
pub struct Channel {
    name: String,
    sender: Sender,
    /// Only what waits for these; all if there are none.
    whom: Vec<String>,
    /// How links to the page begin.
    page: String,
    /// Where what was told is noted.
    folder: PathBuf,
}

/// Where what was told is noted: beside the journal, by the channel's name.
pub fn folder(settings: &Settings) -> PathBuf {
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
        let key = written.key_env.as_ref().map(secret).transpose()?;
        let form = match written.kind {
            ChannelKind::Webhook => Form::Webhook(key.map(str::to_owned)),
            ChannelKind::Slack => Form::Slack,
        };
        Ok(Self {
            name: name.to_owned(),
            sender: Sender::new(secret(&written.url_env)?, form, private)
                .map_err(|why| format!("{}: {why}", written.url_env))?,
            whom: written.whom.clone(),
            page: page.to_owned(),
            folder: folder(settings),
        })
    }

    /// Where it is, without what is secret of its address.
    pub fn place(&self) -> String {
        self.sender.place()
    }

    /// Whether it hears of what waits for `who`.
    fn hears(&self, who: &[String], people: &BTreeMap<String, Vec<String>>) -> bool {
        let is_in = |person: &String, of: &String| {
            let group = of.strip_prefix("group:");
            group.is_some_and(|group| people.get(person).is_some_and(|groups| groups.iter().any(|of| of == group)))
        };
        let is_heard = |of: &String| self.whom.iter().any(|whom| whom == of || is_in(whom, of));
        self.whom.is_empty() || who.is_empty() || who.iter().any(is_heard)
    }
}

/// Tells these channels, each beside the others, until `ends` says so.
pub fn begin(project: &Arc<Project>, channels: Vec<Channel>, ends: &watch::Receiver<bool>) -> JoinSet<()> {
    let mut tellers = JoinSet::new();
    for channel in channels {
        let (project, mut ends) = (Arc::clone(project), ends.clone());
        tellers.spawn(async move {
            let Some(lock) = locked(&channel, &mut ends).await else { return };
            let mark = Mark::read(&channel.folder, &channel.name);
            let teller =
                Teller { project, channel, mark, tried: BTreeMap::new(), failures: 0, rests: None, _lock: lock };
            teller.tell(ends).await;
        });
    }
    tellers
}

/// The right to tell the channel, once no other process has it; none if the end comes before.
async fn locked(channel: &Channel, ends: &mut watch::Receiver<bool>) -> Option<File> {
    loop {
        match mark::lock(&channel.folder, &channel.name) {
            Ok(Some(lock)) => return Some(lock),
            Ok(None) => tracing::debug!(channel = channel.name, "another process tells it"),
            Err(error) => tracing::warn!(channel = channel.name, %error, "what is told cannot be noted, so nothing is"),
        }
        tokio::select! {
            () = tokio::time::sleep(OTHERS) => {}
            _ = ends.wait_for(|ends| *ends) => return None,
        }
    }
}

/// Waits until the channel has rested, or else until something was written; whether anything can still be written.
async fn news(rests: Option<Duration>, changes: &mut watch::Receiver<u64>) -> bool {
    if let Some(rest) = rests {
        tokio::time::sleep(rest).await;
        return true;
    }
    let changed = changes.changed().await.is_ok();
    tokio::time::sleep(GATHER).await;
    changed
}

/// Whoever tells a channel.
struct Teller {
    project: Arc<Project>,
    channel: Channel,
    mark: Mark,
    /// How often what was not taken was tried: what fails again and again keeps nothing else waiting.
    tried: BTreeMap<String, u32>,
    failures: u32,
    /// For how long the channel is left alone.
    rests: Option<Duration>,
    _lock: File,
}

impl Teller {
    async fn tell(mut self, mut ends: watch::Receiver<bool>) {
        let mut changes = match self.project.changes() {
            Ok(changes) => changes,
            Err(error) => return tracing::warn!(%error, "nobody is told of anything"),
        };
        loop {
            changes.borrow_and_update();
            self.rests = None;
            match self.waits().await {
                Ok(notices) => self.tell_of(notices).await,
                Err(error) => tracing::warn!(%error, "what waits cannot be read"),
            }
            let goes_on = tokio::select! {
                _ = ends.wait_for(|ends| *ends) => false,
                is_new = news(self.rests, &mut changes) => is_new,
            };
            if !goes_on {
                return;
            }
        }
    }

    /// All that waits for whoever hears of it here, the oldest run first.
    async fn waits(&self) -> Result<Vec<Notice>, String> {
        let project = Arc::clone(&self.project);
        let rows = tokio::task::spawn_blocking(move || project.runs(true, usize::MAX)).await;
        let rows = rows.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        let no_one = BTreeMap::new();
        let people = self.project.settings.people.as_ref().unwrap_or(&no_one);
        let all = rows.iter().rev().flat_map(|row| row.summary.waits.iter().map(move |wait| (row, wait)));
        let heard = all.filter(|(_, wait)| self.channel.hears(&wait.who, people));
        Ok(heard.map(|(row, wait)| Notice::of(row, wait, &self.channel.page)).collect())
    }

    /// Tells what of this was not told yet; what waits no more is forgotten.
    async fn tell_of(&mut self, notices: Vec<Notice>) {
        let before = self.mark.told.len();
        let waiting: BTreeSet<&String> = notices.iter().map(|notice| &notice.id).collect();
        self.mark.told.retain(|told| waiting.contains(told));
        self.tried.retain(|id, _| waiting.contains(id));
        if self.mark.told.len() < before {
            self.note();
        }
        let mut new: Vec<Notice> = notices.into_iter().filter(|notice| !self.mark.told.contains(&notice.id)).collect();
        new.sort_by_key(|notice| self.tried.get(&notice.id).copied().unwrap_or(0));
        let is_many = self.channel.sender.is_read_by_people() && new.len() > AT_ONCE_MAX;
        let size = if is_many { new.len() } else { 1 };
        for some in new.chunks(size) {
            let told = if let [one] = some { Some(one.told()) } else { together(some, &self.channel.page) };
            let Some(told) = told else { continue };
            match self.channel.sender.send(&told).await {
                Ok(()) => self.took(some),
                Err(why) => return self.failed(some, why),
            }
        }
    }

    fn took(&mut self, notices: &[Notice]) {
        self.mark.told.extend(notices.iter().map(|notice| notice.id.clone()));
        self.mark.failed = None;
        self.failures = 0;
        self.note();
    }

    fn failed(&mut self, notices: &[Notice], why: String) {
        let rest = REST_MAX.min(REST.saturating_mul(1 << self.failures.min(20)));
        tracing::warn!(channel = self.channel.name, %why, again_in_ms = rest.as_millis(), "a channel took nothing");
        notices.iter().for_each(|notice| *self.tried.entry(notice.id.clone()).or_default() += 1);
        self.failures += 1;
        self.rests = Some(rest);
        self.mark.failed = Some(Failed { at: Machine.now(), why });
        self.note();
    }

    fn note(&self) {
        let Channel { folder, name, .. } = &self.channel;
        if let Err(error) = self.mark.write(folder, name) {
            tracing::warn!(channel = name, %error, "what was told cannot be noted: it may be told again");
        }
    }
}
