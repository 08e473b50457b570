//! The `email` kind: `NAME.deliver` prepares the mails of a sequence and the list of recipients. Once they are approved, they
//! are written into the run's folder for a mail platform, one `.eml` a mail; or, where the file names a mail server, each recipient
//! is sent their own, each mail on its day. Where no model runs, nothing is ever sent.

mod audience;
mod mail;
mod note;
mod personal;
mod quiet;
mod send;
mod sender;

use std::sync::Arc;
use std::time::Duration;

use lettre::message::Mailbox;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use audience::Holdout;
use note::Frequency;
use personal::Leave;
use quiet::QuietHours;
use send::Post;
use sender::Sender;

use super::open::{Ground, Open};
use super::part::address::{self, Finder};
use super::part::args::{invalid, permanent, quoted, read};
use super::part::duration::Milliseconds;
use super::part::smtp::Server;
use super::part::smtp::mailbox::{NoMailbox, mailbox};
use super::part::{Error, outbox, tool_name};
use super::{Approved, Call, Callable, Declared, Intent, Item, Opened, Outward, Tool};
use crate::failure::{Class, Failure, Work};
use crate::id::{Timestamp, ToolName};
use crate::run::body::Receipt;
use crate::topology::editor::MailServer;
use crate::topology::spec::{Connection, Reach, Repeat, ToolSpec};

/// What `[tools.NAME]` says for `kind = "email"`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The sender, such as `News <news@example.com>`.
    pub from: String,
    /// Where answers go, if not to the sender.
    pub reply_to: Option<String>,
    /// The sender's postal address: the law wants it in every mail.
    pub postal_address: String,
    /// The page on which one leaves the list; `{id}` stands for the campaign. The mail platform makes of it a link for
    /// each recipient. With `smtp` it is each recipient's own link, and needs `{email}` or another column of the audience.
    pub unsubscribe_url: String,
    /// With `smtp`: whether that page takes a POST as the wish itself, without asking anything (RFC 8058).
    #[serde(default)]
    pub one_click: bool,
    /// The share of the audience that gets nothing, so that you can tell what the mails did. The run draws it.
    #[schemars(range(min = 1, max = 90))]
    pub holdout_percent: Option<u8>,
    /// The mail server that sends the mails, one to each recipient. Without it, files are written for your mail platform.
    pub smtp: Option<MailServer>,
    /// With `smtp`: when no mail leaves, in the project's time zone. What would leave then waits until they are over.
    pub quiet_hours: Option<QuietHours>,
    /// With `smtp`: the time of the day, such as `09:00`, at which mails of later days leave, in the project's time zone. Without it
    /// they leave at the hour at which they were approved.
    pub at: Option<String>,
    /// With `smtp`: how many mails one recipient may have in how many days, over all runs. Whoever has had as many is left out.
    pub frequency: Option<Frequency>,
    /// The tool that resolves an audience, such as `performance.query`.
    #[schemars(with = "String")]
    pub audience: ToolName,
    /// Longest time of one call: 10 s, and 60 s with `smtp`, unless it says otherwise.
    pub call_timeout: Option<Milliseconds>,
}

/// Longest time of a call that writes files.
const WRITE_TIMEOUT_MS: u64 = 10_000;
/// Longest time of a call that sends: a chunk of mails waits for one connection.
const SEND_TIMEOUT_MS: u64 = 60_000;

/// Most mails that one approval sends.
const SENT_MAX: usize = 20_000;
/// Most days between the approval of a mail and its leaving.
const DAYS_MAX: u64 = 365;
/// Most mails of a sequence.
const MAILS_MAX: usize = 50;

/// The key that names the tool which it rests on.
pub const AUDIENCE: &str = "audience";

impl Open for Config {
    const KIND: &'static str = "email";

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
        let sender = sender(name, &self)?;
        let audience = match ground.tools.get(&self.audience) {
            Some(Tool::Callable(tool)) if tool.spec().reach == Reach::Inside => Arc::clone(tool),
            Some(tool) => {
                let other = &tool.spec().name;
                let what = format!("the audience is read inside the project, and {other} reaches out");
                return Err(Error::new(name, what));
            }
            None => {
                let what = format!("audience names no tool: {:?}", self.audience.as_str());
                return Err(Error::new(name, what).of(AUDIENCE));
            }
        };
        if self.holdout_percent.is_some_and(|percent| !(1..=90).contains(&percent)) {
            return Err(Error::new(name, "holdout_percent is from 1 to 90").of("holdout_percent"));
        }
        let sends = self.sends(name, &sender, ground, finder)?;
        let spec = spec(name, &self, sends.as_ref())?;
        let quiet = self.quiet_hours.as_ref().map(|hours| hours.read(ground.zone).map(Arc::new)).transpose();
        let quiet = quiet.map_err(|why| Error::new(name, why).of("quiet_hours"))?;
        let hour = self.at.as_ref().map(|at| quiet::hour(at, ground.zone, quiet.as_deref()).map(Arc::new)).transpose();
        let hour = hour.map_err(|why| Error::new(name, why).of("at"))?;
        let spec = ToolSpec { quiet, hour, ..spec };
        Ok(vec![Tool::outward(Email { spec, sender, audience, holdout_percent: self.holdout_percent, sends })])
    }

    fn sends(&self, name: &str, sender: &Sender, ground: &Ground<'_>, finder: Finder) -> Result<Option<Sends>, Error> {
        let Some(given) = &self.smtp else {
            let (hours, often) = (self.quiet_hours.is_some(), self.frequency.is_some());
            let of_sending = [("quiet_hours", hours), ("at", self.at.is_some()), ("frequency", often)];
            let Some((key, _)) = of_sending.into_iter().find(|(_, is_there)| *is_there) else { return Ok(None) };
            let what = format!("{key} is for mails that are sent: name the server in [tools.{name}.smtp]");
            return Err(Error::new(name, what).of(key));
        };
        if self.frequency.is_some_and(|most| !(1..=1_000).contains(&most.mails) || !(1..=366).contains(&most.days)) {
            let what = "frequency is 1 to 1000 mails in 1 to 366 days";
            return Err(Error::new(name, what).of("frequency"));
        }
        let from = &sender.from.email;
        let server = Server::new(given, from, ground.secrets.clone(), finder);
        let server = server.map_err(|why| Error::new(name, why.to_string()).of("smtp"))?;
        let leave = Leave::new(&self.unsubscribe_url, self.one_click);
        let leave = leave.map_err(|why| Error::new(name, why).of("unsubscribe_url"))?;
        Ok(Some(Sends { leave, post: Post::new(server, from.clone(), ground.records, self.frequency) }))
    }
}

fn spec(name: &str, config: &Config, sends: Option<&Sends>) -> Result<ToolSpec, Error> {
    let mail = json!({
        "type": "object",
        "properties": {
            "id": { "type": "string" }, "day": { "type": "integer" }, "subject": { "type": "string" },
            "preheader": { "type": "string" }, "text": { "type": "string" },
        },
        "required": ["id", "day", "subject", "text"],
    });
    let args = json!({
        "type": "object",
        "properties": {
            "sequence": {
                "type": "object",
                "properties": { "name": { "type": "string" }, "mails": { "type": "array", "items": mail } },
                "required": ["name", "mails"],
            },
            "audience": {
                "type": "object",
                "description": "a named query that gives one row a recipient, with the column email, and its size",
                "properties": {
                    "query": { "type": "string" }, "args": { "type": "object" },
                    "size": { "type": "integer", "minimum": 0 },
                },
                "required": ["query", "size"],
            },
            "from": { "type": "string", "description": "the sender's address, as callsheet.toml has it" },
        },
        "required": ["sequence", "audience"],
        "additionalProperties": false,
    });
    let server = sends.map(|sends| sends.post.server.place());
    let place = [Some(("from", config.from.as_str())), server.as_deref().map(|server| ("smtp", server))];
    let place = Connection::new(Config::KIND, place.into_iter().flatten());
    let (description, timeout_ms) = match sends {
        None => ("Writes one .eml per mail of a sequence and audience.csv, once they are approved.", WRITE_TIMEOUT_MS),
        Some(_) => {
            ("Sends each mail of a sequence to each recipient on its day, counted from the approval.", SEND_TIMEOUT_MS)
        }
    };
    // What the server was told is noted, so that it can be asked; what the note cannot tell, a person is.
    let spec = ToolSpec::outward(tool_name(name, "deliver")?, description, args, Repeat::Queryable, place);
    Ok(ToolSpec { call_timeout_ms: config.call_timeout.map_or(timeout_ms, |timeout| timeout.0), ..spec })
}

struct Email {
    spec: ToolSpec,
    sender: Sender,
    audience: Arc<dyn Callable>,
    holdout_percent: Option<u8>,
    sends: Option<Sends>,
}

/// How mails leave that we send ourselves.
struct Sends {
    leave: Leave,
    post: Post,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    sequence: Sequence,
    audience: audience::Definition,
    from: Option<String>,
}

/// The fields of a sequence that are used; an artefact may have more.
#[derive(Deserialize)]
struct Sequence {
    mails: Vec<mail::Mail>,
}

fn sender(name: &str, config: &Config) -> Result<Sender, Error> {
    let of = |field: &'static str, text: &str| {
        let wrong = |why: NoMailbox| Error::new(name, format!("{field} {}: {}", why.what, why.instead)).of(field);
        mailbox(text).map_err(wrong)
    };
    let plain = |field: &'static str, text: &str| {
        let fits = !text.trim().is_empty() && !text.chars().any(char::is_control);
        let wrong = || Error::new(name, format!("{field} is to be one line of text")).of(field);
        if fits { Ok(text.to_owned()) } else { Err(wrong()) }
    };
    let url = plain("unsubscribe_url", &config.unsubscribe_url)?;
    if !url.starts_with("https://") || !url.is_ascii() || url.contains([' ', '<', '>', '"']) {
        let what = format!("unsubscribe_url = {url:?} is to begin with https:// and be a URL");
        return Err(Error::new(name, what).of("unsubscribe_url"));
    }
    Ok(Sender {
        from: of("from", &config.from)?,
        reply_to: config.reply_to.as_deref().map(|text| of("reply_to", text)).transpose()?,
        postal_address: plain("postal_address", &config.postal_address)?,
        unsubscribe_url: url,
    })
}

impl Declared for Email {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn unset(&self) -> Vec<String> {
        self.sends.as_ref().map(|sends| sends.post.server.unset()).unwrap_or_default()
    }

    fn open(&self) -> Option<Work<'_, Opened>> {
        let Sends { leave, post } = self.sends.as_ref()?;
        Some(Box::pin(async move {
            let mut opened = Opened::from(post.server.opened().await?);
            if !leave.one_click {
                let what = "no mail says that one click unsubscribes: Gmail and Yahoo want that of whoever sends many. Where \
                            unsubscribe_url takes a POST, write one_click = true";
                opened.remarks.push(what.to_owned());
            }
            Ok(opened)
        }))
    }
}

impl Outward for Email {
    fn prepare(&self, intent: Intent) -> Work<'_, Vec<Item>> {
        Box::pin(async move {
            let args: Args = read(self.spec.name.as_str(), intent.args.clone())?;
            self.may_send_as(args.from.as_deref())?;
            // Each says which argument it is about, so that whoever wrote that can be asked again.
            check(&args.sequence.mails).map_err(|why| why.about("sequence"))?;
            let holdout = self.holdout_percent.map(|percent| Holdout { percent, seed: intent.run });
            let list = audience::resolve(self.audience.as_ref(), &args.audience, intent.effect, holdout).await;
            let list = list.map_err(|why| why.about("audience"))?;
            let of_mail = |why: Failure| if why.class == Class::Invalid { why.about("sequence") } else { why };
            let mails = args.sequence.mails.iter().enumerate().map(|(place, mail)| (place + 1, mail));
            let mut items = Vec::new();
            match &self.sends {
                None => {
                    for (number, mail) in mails {
                        items.push(mail::item(number, mail, &self.sender, &list, &intent).map_err(of_mail)?);
                    }
                    items.extend(list.for_platform());
                }
                Some(Sends { leave, post }) => {
                    check_days(&args.sequence.mails)?;
                    post.begin().await?;
                    let count = args.sequence.mails.len() * list.people.len();
                    if count > SENT_MAX {
                        return Err(permanent(format!("these are {count} mails: {SENT_MAX} are sent at most")));
                    }
                    for (number, mail) in mails {
                        let dated = self.dated(mail, &intent);
                        let sent = personal::items(number, mail, (&self.sender, leave), &list, (&intent, dated));
                        items.extend(sent.map_err(of_mail)?);
                    }
                    items.extend(list.items("the run's folder"));
                }
            }
            Ok(items)
        })
    }

    fn foresee(&self, arg: &str, call: Call) -> Work<'_, Vec<String>> {
        let of_audience = arg == "audience";
        Box::pin(async move {
            if of_audience { audience::foresee(self.audience.as_ref(), call).await } else { Ok(Vec::new()) }
        })
    }

    fn perform(&self, item: Approved) -> Work<'_, Receipt> {
        Box::pin(async move {
            // Three quarters of the attempt's time, so that what is too slow is surely not sent, and is told as that.
            let longest = Duration::from_millis(self.spec.call_timeout_ms / 4 * 3);
            if let Some(post) = self.post_of(&item) {
                return post.send(self.audience.as_ref(), item, longest).await;
            }
            if item.item.media_type == mail::MEDIA_TYPE {
                return outbox::put(item, Vec::new()).await;
            }
            let read = audience::without_withdrawn(self.audience.as_ref(), item);
            let read = tokio::time::timeout(longest, read).await.unwrap_or_else(|_| Err(self.too_slow(longest)));
            let (item, dropped) = read?;
            outbox::put(item, dropped).await
        })
    }

    fn already(&self, item: Approved) -> Work<'_, Option<Receipt>> {
        Box::pin(async move {
            match self.post_of(&item) {
                Some(post) => post.already(&item).await,
                None => outbox::find(item).await,
            }
        })
    }

    fn query(&self, item: Approved) -> Work<'_, Option<Receipt>> {
        Box::pin(async move {
            match self.post_of(&item) {
                Some(post) => post.query(&item).await,
                None => outbox::find(item).await,
            }
        })
    }
}

impl Email {
    /// What sends `item`: lists and drafts are files.
    fn post_of(&self, item: &Approved) -> Option<&Post> {
        let sends = self.sends.as_ref().filter(|_| !item.draft && item.item.media_type == mail::MEDIA_TYPE);
        sends.map(|sends| &sends.post)
    }

    /// What a mail is dated, if it is approved as soon as it is asked for: its day, since one that is dated days before it comes is
    /// taken for an old one.
    fn dated(&self, mail: &mail::Mail, intent: &Intent) -> Timestamp {
        let (asked_at, after_ms) = (intent.asked_at, mail.after_ms());
        self.spec.hour.as_ref().map_or(asked_at.plus_ms(after_ms), |hour| hour.on_day(asked_at, after_ms))
    }

    fn too_slow(&self, longest: Duration) -> Failure {
        let why = format!(
            "audience: {} did not give the recipients once more within {} ms, three quarters of this tool's call_timeout: nothing was sent; \
             raise call_timeout, or make the query faster",
            self.audience.spec().name,
            longest.as_millis()
        );
        Failure::new(Class::Transient, why)
    }

    fn may_send_as(&self, from: Option<&str>) -> Result<(), Failure> {
        let own = &self.sender.from.email;
        let same = |text: &str| text.parse::<Mailbox>().is_ok_and(|mailbox| mailbox.email == *own);
        match from {
            Some(other) if !same(other) => {
                Err(invalid(format!("from = {} is not the sender {own}", quoted(other))).about("from"))
            }
            _ => Ok(()),
        }
    }
}

/// A mail leaves on its day, counted from the approval.
fn check_days(mails: &[mail::Mail]) -> Result<(), Failure> {
    let Some((number, late)) = (1..).zip(mails).find(|(_, mail)| mail.day > DAYS_MAX) else { return Ok(()) };
    let what = format!("mail {number}: its day is {}, and a mail waits for {DAYS_MAX} days at most", late.day);
    Err(invalid(what).about("sequence"))
}

fn check(mails: &[mail::Mail]) -> Result<(), Failure> {
    if mails.is_empty() || mails.len() > MAILS_MAX {
        return Err(invalid(format!("the sequence has {} mails: 1 to {MAILS_MAX} are taken", mails.len())));
    }
    for (place, mail) in mails.iter().enumerate() {
        mail.check().map_err(|why| invalid(format!("mail {}: {why}", place + 1)))?;
        if mails[..place].iter().any(|other| other.id == mail.id) {
            return Err(invalid(format!("mail {}: its id {} is that of an earlier one", place + 1, quoted(&mail.id))));
        }
    }
    Ok(())
}
