//! The `email` kind: `NAME.deliver` prepares one `.eml` per mail of a sequence and the list of recipients, and writes
//! them into the run's folder once they are approved. No transport: a mail platform loads the files.

mod audience;
mod mail;
mod sender;

use std::sync::Arc;
use std::time::Duration;

use lettre::message::Mailbox;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use sender::Sender;

use super::open::{Ground, Open};
use super::part::args::{invalid, quoted, read};
use super::part::duration::Milliseconds;
use super::part::{Error, outbox, tool_name};
use super::{Approved, Call, Callable, Declared, Intent, Item, Outward, Tool};
use crate::failure::{Class, Failure, Work};
use crate::id::ToolName;
use crate::run::body::Receipt;
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
    /// each recipient.
    pub unsubscribe_url: String,
    /// The tool that resolves an audience, such as `performance.query`.
    #[schemars(with = "String")]
    pub audience: ToolName,
    /// Longest time of one call.
    #[serde(default = "call_timeout")]
    pub call_timeout: Milliseconds,
}

fn call_timeout() -> Milliseconds {
    Milliseconds(10_000)
}

/// Most mails of a sequence.
const MAILS_MAX: usize = 50;

/// The key that names the tool which it rests on.
pub const AUDIENCE: &str = "audience";

impl Open for Config {
    const KIND: &'static str = "email";

    fn open(self, name: &str, ground: &Ground<'_>) -> Result<Vec<Tool>, Error> {
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
        Ok(vec![Tool::outward(Email { spec: spec(name, &self)?, sender, audience })])
    }
}

fn spec(name: &str, config: &Config) -> Result<ToolSpec, Error> {
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
    let place = Connection::new(Config::KIND, [("from", config.from.as_str())]);
    let description = "Writes one .eml per mail of a sequence and audience.csv, once they are approved.";
    let spec = ToolSpec::outward(tool_name(name, "deliver")?, description, args, Repeat::Queryable, place);
    Ok(ToolSpec { call_timeout_ms: config.call_timeout.0, ..spec })
}

struct Email {
    spec: ToolSpec,
    sender: Sender,
    audience: Arc<dyn Callable>,
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
    let mailbox = |field: &'static str, text: &str| {
        if text.contains("=?") {
            let what = format!("{field} has =?, with which an encoded word begins: write it plainly");
            return Err(Error::new(name, what).of(field));
        }
        let wrong = || format!("{field} = {text:?} is no sender: write one such as \"News <news@example.com>\"");
        text.parse::<Mailbox>().map_err(|_| Error::new(name, wrong()).of(field))
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
        from: mailbox("from", &config.from)?,
        reply_to: config.reply_to.as_deref().map(|text| mailbox("reply_to", text)).transpose()?,
        postal_address: plain("postal_address", &config.postal_address)?,
        unsubscribe_url: url,
    })
}

impl Declared for Email {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }
}

impl Outward for Email {
    fn prepare(&self, intent: Intent) -> Work<'_, Vec<Item>> {
        Box::pin(async move {
            let args: Args = read(self.spec.name.as_str(), intent.args.clone())?;
            self.may_send_as(args.from.as_deref())?;
            // Each says which argument it is about, so that whoever wrote that can be asked again.
            check(&args.sequence.mails).map_err(|why| why.about("sequence"))?;
            let list = audience::resolve(self.audience.as_ref(), &args.audience, intent.effect).await;
            let list = list.map_err(|why| why.about("audience"))?;
            let mut items = Vec::new();
            for (place, mail) in args.sequence.mails.iter().enumerate() {
                let item = mail::item(place + 1, mail, &self.sender, &list, &intent);
                items.push(item.map_err(|why| why.about("sequence"))?);
            }
            items.push(list.item());
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
            if item.item.key != audience::FILE {
                return outbox::put(item, Vec::new()).await;
            }
            // Three quarters of the attempt's time, so that what is too slow to be read is surely not sent, and is told as that.
            let longest = Duration::from_millis(self.spec.call_timeout_ms / 4 * 3);
            let read = audience::without_withdrawn(self.audience.as_ref(), item);
            let read = tokio::time::timeout(longest, read).await.unwrap_or_else(|_| Err(self.too_slow(longest)));
            let (item, dropped) = read?;
            outbox::put(item, dropped).await
        })
    }

    fn query(&self, item: Approved) -> Work<'_, Option<Receipt>> {
        Box::pin(outbox::find(item))
    }
}

impl Email {
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
