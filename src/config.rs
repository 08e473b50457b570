//! Flags, environment, project file and user file -> [`Settings`]; the only reader of the environment.
//! What the settings lead to is built in `app`.

mod asking;
mod endpoint;
mod folder;
pub mod models;
mod notify;
mod origin;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use folder::Folder;
use models::Models;
pub use origin::Origin;
use origin::{Found, found, keep, word};

use crate::id::ToolName;
use crate::topology::check::{Guards, Surroundings, secrets};
use crate::topology::editor::Notify;
use crate::topology::fault::{At, Code, Fault, Faults, Place};
use crate::topology::plan::Mode;
use crate::topology::raw::project::{self, Project};
use crate::topology::raw::{Tree, walk};
use crate::topology::spec::ToolSpec;

/// The project's file; its folder is the project.
pub const PROJECT_FILE: &str = "callsheet.toml";

/// What the command line says that files and environment may say too.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--project`: where to look for the project, upwards; else the current folder.
    pub project: Option<PathBuf>,
    /// `--journal`
    pub journal: Option<PathBuf>,
    /// `--model`
    pub model: Option<String>,
    /// `--rehearse`
    pub rehearse: bool,
    /// `--pace`
    pub pace: Option<Duration>,
    /// `--as`
    pub person: Option<String>,
    /// `--no-color`
    pub no_color: bool,
}

/// All that is set, from wherever.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder of `callsheet.toml`.
    pub root: PathBuf,
    /// The time zone of dates, such as `Europe/Berlin`.
    pub timezone: String,
    /// Models and prices.
    pub models: Models,
    /// Connections of tools.
    pub tools: BTreeMap<String, ToolTable>,
    /// Connections of which the file says so little that it is told there.
    pub broken_tools: BTreeSet<String>,
    /// Whether the project's file could not be read.
    pub unread: bool,
    /// Settings of checks.
    pub checks: BTreeMap<String, CheckTable>,
    /// Groups by person; none means that the project has one person.
    pub people: Option<BTreeMap<String, Vec<String>>>,
    /// Where mails reach people, by name; of those who say it.
    pub emails: BTreeMap<String, String>,
    /// Who is told of what waits for people, as far as it is well written.
    pub notify: Option<Notify>,
    /// The journal's file.
    pub journal: PathBuf,
    /// Who is at the keyboard, as far as that is known.
    pub person: Option<Person>,
    /// Where a test wants the process to end.
    pub crash: Option<String>,
    /// How long each reply of a rehearsal takes, if that is wanted.
    pub pace: Option<Duration>,
    /// No colour is wanted.
    pub no_color: bool,
    /// The filter of diagnostics.
    pub log: Option<String>,
    /// The person's editor: VISUAL, EDITOR, or `vi`.
    pub editor: String,
    /// Every setting with its value and where it came from.
    pub origins: Vec<Origin>,
    /// The texts of the files that say all this, for faults that point into them.
    pub sources: Vec<(Arc<str>, Arc<str>)>,
    rehearse: bool,
    environment: Environment,
}

/// `[tools.NAME]`
#[derive(Debug, Clone)]
pub struct ToolTable {
    /// Its kind.
    pub kind: At<String>,
    /// The rest of the table.
    pub table: Tree,
    /// Where it is written.
    pub place: Place,
}

/// `[checks.NAME]`
#[derive(Debug, Clone)]
pub struct CheckTable {
    /// Where its name is written.
    pub name: Place,
    /// What it says.
    pub table: Tree,
}

/// A person, and how they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Their name.
    pub name: String,
    /// How it is known.
    pub known: Known,
}

/// How a person's name is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// By `--as` or `CALLSHEET_PERSON`.
    Claimed,
    /// It is the operating system's user.
    OsUser,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No project here.
    #[error("there is no {PROJECT_FILE} in {0} or above it; go to a project's folder, or name one with --project")]
    NoProject(PathBuf),
    /// A file is wrong.
    #[error("{0}")]
    Faults(Faults),
}

/// The variables of the process; shown by name only.
#[derive(Clone, Default)]
struct Environment(BTreeMap<String, String>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Known {
    /// The word in records.
    pub fn word(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::OsUser => "os_user",
        }
    }
}

/// Whether the environment's locale shows more than ASCII; one that is not named at all does.
pub fn is_utf8() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(|name| std::env::var(name).ok());
    let locale = set.map(|locale| locale.to_lowercase()).find(|locale| !locale.is_empty());
    locale.is_none_or(|locale| locale.contains("utf-8") || locale.contains("utf8"))
}

/// The filter of the process's log, read before anything else; none keeps it silent.
pub fn log_filter() -> Option<String> {
    std::env::var("CALLSHEET_LOG").ok().filter(|filter| !filter.is_empty())
}

/// Whether the process's log is one JSON object a line.
pub fn log_is_json() -> bool {
    std::env::var("CALLSHEET_LOG_FORMAT").is_ok_and(|format| format == "json")
}

impl Settings {
    /// Reads what this process was started with.
    ///
    /// # Errors
    /// As [`Settings::read`].
    pub fn load(flags: &Flags) -> Result<Self, Error> {
        let (here, environment) = surrounded();
        Self::read(flags, &here, environment)
    }

    /// Reads the project at or above `here` under an environment.
    ///
    /// # Errors
    /// No project, or every fault of its file and the user's.
    pub fn read(flags: &Flags, here: &Path, environment: BTreeMap<String, String>) -> Result<Self, Error> {
        let (settings, faults) = Self::look(flags, here, environment)?;
        if faults.is_empty() { Ok(settings) } else { Err(Error::Faults(faults)) }
    }

    /// What this process was started with as far as it can be made out, and every fault of the files: for whoever tells
    /// faults and starts nothing.
    ///
    /// # Errors
    /// [`Error::NoProject`].
    pub fn look_around(flags: &Flags) -> Result<(Self, Faults), Error> {
        let (here, environment) = surrounded();
        Self::look(flags, &here, environment)
    }

    /// The same under an environment.
    ///
    /// # Errors
    /// [`Error::NoProject`].
    pub fn look(flags: &Flags, here: &Path, environment: BTreeMap<String, String>) -> Result<(Self, Faults), Error> {
        let start = flags.project.as_ref().map_or_else(|| here.to_owned(), |project| here.join(project));
        let root = start.ancestors().find(|folder| folder.join(PROJECT_FILE).is_file());
        let root = root.ok_or_else(|| Error::NoProject(start.clone()))?.to_owned();
        let mut faults = Faults::default();
        let project = file(&root, PROJECT_FILE, PROJECT_FILE, &mut faults);
        let user = user_file(&environment).and_then(|(folder, path)| file(&folder, "config.toml", &path, &mut faults));
        let sources = Sources { flags, here, root, environment, project, user };
        let mut settings = sources.settings(&mut faults);
        settings.sources = faults.sources();
        faults.sort();
        Ok((settings, faults))
    }

    /// Whether models run: not with `--rehearse`, and not if none is named.
    pub fn mode(&self) -> Mode {
        if self.rehearse || self.models.default.is_none() { Mode::Rehearsal } else { Mode::Live }
    }

    /// The files of the project.
    pub fn folder(&self) -> Folder {
        Folder::new(self.root.clone())
    }

    /// A secret that a file names, from the environment.
    pub fn secret(&self, name: &str) -> Option<&str> {
        self.environment.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// What topologies are checked against: the tools and checks there are, and the models of a mode.
    pub fn surroundings<'c>(
        &self,
        mode: Mode,
        tools: impl IntoIterator<Item = ToolSpec>,
        checks: impl IntoIterator<Item = &'c str>,
    ) -> Surroundings {
        let tools: BTreeMap<ToolName, ToolSpec> = tools.into_iter().map(|spec| (spec.name.clone(), spec)).collect();
        let written = |name: &str| self.checks.get(name).map(|check| check.table.value.clone());
        let settings = |name: &str| written(name).unwrap_or_else(|| serde_json::json!({}));
        Surroundings {
            tools,
            checks: checks.into_iter().map(|name| (name.to_owned(), settings(name))).collect(),
            guards: Guards::default(),
            unpriced: self.models.unpriced(),
            nowhere: self.models.nowhere(),
            models: self.models.specs(mode),
            mode,
            recording: None,
            single_person: self.people.is_none(),
            people: self.people.clone().unwrap_or_default(),
            queries: BTreeMap::new(),
            broken: self.broken_tools.clone(),
            unread: self.unread,
        }
    }
}

/// Where this process stands, and its variables.
fn surrounded() -> (PathBuf, BTreeMap<String, String>) {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let environment = std::env::vars_os().filter_map(text).collect();
    (std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")), environment)
}

/// The user's file: its folder and how it is called in messages.
fn user_file(environment: &BTreeMap<String, String>) -> Option<(PathBuf, String)> {
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let folder = match set("XDG_CONFIG_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(set("HOME")?).join(".config"),
    };
    let folder = folder.join("callsheet");
    folder.join("config.toml").is_file().then(|| (folder, "~/.config/callsheet/config.toml".to_owned()))
}

fn file(folder: &Path, name: &str, shown: &str, faults: &mut Faults) -> Option<Project> {
    use crate::topology::check::Files;
    let bytes = match Folder::new(folder.to_owned()).read(name) {
        Ok(bytes) => bytes,
        Err(error) => {
            let what = format!("{shown} cannot be read: {error}");
            faults.push(Fault::new(Code::Unreadable, &Place::top(shown), what, "make it readable"));
            return None;
        }
    };
    let file: Arc<str> = shown.into();
    let text: Arc<str> = match walk::text(shown, bytes) {
        Ok(text) => text.into(),
        Err(unread) => {
            if let Some(shown) = unread.shown {
                faults.source(file, shown.into());
            }
            faults.push(unread.fault);
            return None;
        }
    };
    faults.source(file.clone(), text.clone());
    let read = project::read(&file, &text);
    faults.extend(read.faults);
    faults.extend(read.texts.iter().filter_map(secrets::fault));
    read.value
}

/// Everything that settings come from.
struct Sources<'s> {
    flags: &'s Flags,
    here: &'s Path,
    root: PathBuf,
    environment: BTreeMap<String, String>,
    project: Option<Project>,
    user: Option<Project>,
}

impl Sources<'_> {
    fn settings(self, faults: &mut Faults) -> Settings {
        let mut origins = vec![];
        let timezone = self.timezone(faults, &mut origins);
        let models = self.models(faults, &mut origins);
        let journal = self.journal(&mut origins);
        let person = self.person(&mut origins);
        for (name, value) in self.environment.iter().filter(|(name, _)| name.starts_with("CALLSHEET_")) {
            if !["CALLSHEET_JOURNAL", "CALLSHEET_MODEL", "CALLSHEET_PERSON"].contains(&name.as_str()) {
                let known = ["CALLSHEET_CRASH", "CALLSHEET_LOG", "CALLSHEET_LOG_FORMAT"].contains(&name.as_str());
                let value = if known { value.clone() } else { "unknown variable, ignored".to_owned() };
                origins.push(Origin { setting: name.clone(), value, from: "environment".to_owned() });
            }
        }
        let files = || self.user.iter().chain(&self.project);
        for (name, _) in files().flat_map(|file| &file.tools) {
            word(name, faults);
        }
        let people = self.project.as_ref().and_then(|file| file.people.as_ref());
        let people = people.or(self.user.as_ref().and_then(|file| file.people.as_ref()));
        people.into_iter().flatten().for_each(|(name, _)| word(name, faults));
        let emails = notify::emails(people, faults);
        let notify = [&self.project, &self.user].into_iter().flatten().find_map(|file| file.notify.as_ref());
        let notify = notify.and_then(|table| notify::read(table, &notify::Known(people), faults));
        let text = |at: &At<String>| at.value.clone();
        let tool = |tool: &project::Tool| ToolTable {
            kind: tool.kind.clone(),
            table: tool.table.clone(),
            place: tool.table.place.clone(),
        };
        let check = |name: &At<String>, table: &Tree| CheckTable { name: name.place.clone(), table: table.clone() };
        Settings {
            timezone,
            models,
            tools: files().flat_map(|file| &file.tools).map(|(name, table)| (text(name), tool(table))).collect(),
            checks: files()
                .flat_map(|file| &file.checks)
                .map(|(name, table)| (text(name), check(name, table)))
                .collect(),
            unread: self.project.is_none(),
            broken_tools: files().flat_map(|file| file.broken_tools.iter().cloned()).collect(),
            people: people.map(|people| {
                people.iter().map(|(name, person)| (text(name), person.groups.iter().map(text).collect())).collect()
            }),
            emails,
            notify,
            journal,
            person,
            crash: self.variable("CALLSHEET_CRASH").map(|(value, _)| value),
            pace: self.flags.pace,
            no_color: self.flags.no_color || self.variable("NO_COLOR").is_some(),
            log: self.variable("CALLSHEET_LOG").map(|(value, _)| value),
            editor: ["VISUAL", "EDITOR"]
                .iter()
                .find_map(|name| self.variable(name))
                .map_or("vi".to_owned(), |(of, _)| of),
            origins,
            sources: Vec::new(),
            rehearse: self.flags.rehearse,
            root: self.root,
            environment: Environment(self.environment),
        }
    }

    fn variable(&self, name: &str) -> Option<Found> {
        self.environment.get(name).filter(|value| !value.is_empty()).map(|value| (value.clone(), name.to_owned()))
    }

    /// The project's value, or the user's.
    fn written<'p>(&'p self, of: impl Fn(&'p Project) -> Option<&'p At<String>>) -> Option<&'p At<String>> {
        self.project.as_ref().and_then(&of).or_else(|| self.user.as_ref().and_then(&of))
    }

    fn timezone(&self, faults: &mut Faults, origins: &mut Vec<Origin>) -> String {
        let written = self.written(|file| file.timezone.as_ref());
        if let Some(at) = written {
            // A machine without any zones cannot tell; then the name is believed.
            let known = |name: &str| jiff::tz::TimeZone::get(name).is_ok();
            if !known(&at.value) && known("Europe/Berlin") {
                let what = format!("{:?} is no time zone", at.value);
                faults.push(Fault::new(Code::WrongValue, &at.place, what, "write one such as \"Europe/Berlin\""));
            }
        }
        keep(origins, "timezone", written.map(found), "UTC").unwrap_or_default()
    }

    fn models(&self, faults: &mut Faults, origins: &mut Vec<Origin>) -> Models {
        let flag = self.flags.model.clone().map(|model| (model, "--model".to_owned()));
        let default = flag.or_else(|| self.variable("CALLSHEET_MODEL"));
        let for_all = default.is_some();
        let outside = default.clone();
        let default = default.or_else(|| self.written(|file| file.models.default.as_ref()).map(found));
        let default = keep(origins, "models.default", default, "");
        let default = default.filter(|model| !model.is_empty());
        let mut models = Models { default, for_all, providers: models::known_providers(), ..Models::default() };
        for file in self.user.iter().chain(&self.project) {
            let aliases = file.models.aliases.iter();
            models.aliases.extend(aliases.map(|(alias, model)| (alias.value.clone(), model.value.clone())));
            let broken = file.models.broken_providers.iter().cloned();
            models.written.extend(file.models.providers.iter().map(|(name, _)| name.value.clone()).chain(broken));
            let fallbacks = file.models.fallbacks.iter();
            models.fallbacks.extend(fallbacks.map(|(model, to)| (model.value.clone(), to.value.clone())));
            asking::add(&mut models, file, faults, origins);
            models.free.extend(file.models.free.iter().map(|at| at.value.clone()));
            let prices = file.models.prices.iter();
            models.prices.extend(prices.filter_map(|(model, price)| Some((model.value.clone(), price.clone()?))));
        }
        if let Some(at) = self.written(|file| file.models.priced_as.as_ref()) {
            let mut written = self.user.iter().chain(&self.project).flat_map(|file| &file.models.prices);
            if !written.any(|(model, _)| model.value == at.value) {
                let what = format!("`{}` has no price", at.value);
                let instead = format!("write it under [models.prices.\"{}\"]", at.value);
                let fault = Fault::new(Code::Unpriced, &at.place, what, instead);
                faults.push(fault.meant(&at.value, models.prices.keys().map(String::as_str)));
            }
            models.priced_as = keep(origins, "models.priced_as", Some(found(at)), "");
        }
        for file in self.user.iter().chain(&self.project) {
            models::told(&models, file, faults);
        }
        // A flag or a variable names it, whatever a file says.
        models.outside = outside.map(|(model, from)| (model, Place::top(&from)));
        models
    }

    fn journal(&self, origins: &mut Vec<Origin>) -> PathBuf {
        let flag = self.flags.journal.as_ref().map(|path| (self.here.join(path), "--journal".to_owned()));
        let variable = || self.variable("CALLSHEET_JOURNAL").map(|(path, from)| (self.here.join(path), from));
        let written = || {
            let at = self.written(|file| file.journal.as_ref())?;
            Some((self.root.join(&at.value), at.place.file.to_string()))
        };
        let default = || (self.root.join(".callsheet").join("journal.db"), "default".to_owned());
        let (path, from) = flag.or_else(variable).or_else(written).unwrap_or_else(default);
        origins.push(Origin { setting: "journal.path".to_owned(), value: path.display().to_string(), from });
        path
    }

    fn person(&self, origins: &mut Vec<Origin>) -> Option<Person> {
        let claimed = self.flags.person.clone().map(|name| (name, "--as".to_owned()));
        let claimed = claimed.or_else(|| self.variable("CALLSHEET_PERSON"));
        let known = if claimed.is_some() { Known::Claimed } else { Known::OsUser };
        let user = || ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| self.variable(name));
        // Small images name no user; the number is what is known there.
        let number = || format!("uid-{}", rustix::process::getuid().as_raw());
        let user = || user().unwrap_or_else(|| (number(), "the operating system".to_owned()));
        let name = keep(origins, "person", claimed.or_else(|| Some(user())), "")?;
        (!name.is_empty()).then_some(Person { name, known })
    }
}
