//! The `email` kind: `NAME.deliver` prepares one `.eml` per mail of a sequence and the list of recipients, and writes
//! them into the run's folder once they are approved. No transport: a mail platform loads the files.

mod audience;
mod mail;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lettre::message::Mailbox;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::part::args::{invalid, quoted, read};
use super::part::duration::Milliseconds;
use super::part::{Error, outbox, tool_name};
use super::{Approved, Call, Item, Tool};
use crate::failure::{Class, Failure, Work};
use crate::id::ToolName;
use crate::run::body::Receipt;
use crate::topology::spec::{Connection, Labels, Reach, Repeat, ToolSpec};

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

/// What the kind declares for `[tools.name]`; talks to nothing.
///
/// # Errors
/// If the configuration contradicts itself.
pub fn specs(name: &str, config: &Config) -> Result<Vec<ToolSpec>, Error> {
    Sender::of(name, config)?;
    let mail = json!({
        "type": "object",
        "properties": {
            "id": { "type": "string" }, "day": { "type": "integer" }, "subject": { "type": "string" },
            "preheader": { "type": "string" }, "text": { "type": "string" },
        },
        "required": ["id", "day", "subject", "text"],
    });
    Ok(vec![ToolSpec {
        name: tool_name(name, "deliver")?,
        description: "Writes one .eml per mail of a sequence and audience.csv, once they are approved.".to_owned(),
        args: json!({
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
        }),
        repeat: Repeat::Queryable,
        reach: Reach::ActsOut,
        accepts: BTreeMap::new(),
        labels: Labels::default(),
        call_timeout_ms: config.call_timeout.0,
        drafts: true,
        connection: Some(Connection::new("email", [("from", config.from.as_str())])),
        data_args: Vec::new(),
    }])
}

/// Opens `[tools.name]`; `audience` is the tool that its configuration names.
///
/// # Errors
/// If the configuration contradicts itself, or `audience` is another tool.
pub fn open(name: &str, config: Config, audience: Arc<dyn Tool>) -> Result<Vec<Arc<dyn Tool>>, Error> {
    let given = &audience.spec().name;
    if *given != config.audience {
        return Err(Error::new(name, format!("the audience comes from {}, not from {given}", config.audience)));
    }
    if audience.spec().reach != Reach::Inside {
        return Err(Error::new(name, format!("the audience is read inside the project, and {given} reaches out")));
    }
    let sender = Arc::new(Sender::of(name, &config)?);
    let email =
        |spec| Arc::new(Email { spec, sender: Arc::clone(&sender), audience: Arc::clone(&audience) }) as Arc<dyn Tool>;
    Ok(specs(name, &config)?.into_iter().map(email).collect())
}

struct Email {
    spec: ToolSpec,
    sender: Arc<Sender>,
    audience: Arc<dyn Tool>,
}

/// Who sends, as every mail says it.
struct Sender {
    from: Mailbox,
    reply_to: Option<Mailbox>,
    postal_address: String,
    unsubscribe_url: String,
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

impl Sender {
    fn of(name: &str, config: &Config) -> Result<Self, Error> {
        let mailbox = |field: &str, text: &str| {
            if text.contains("=?") {
                return Err(Error::new(
                    name,
                    format!("{field} has =?, with which an encoded word begins: write it plainly"),
                ));
            }
            text.parse::<Mailbox>().map_err(|why| Error::new(name, format!("{field} = {text:?} is no sender: {why}")))
        };
        let plain = |field: &str, text: &str| {
            let fits = !text.trim().is_empty() && !text.chars().any(char::is_control);
            if fits { Ok(text.to_owned()) } else { Err(Error::new(name, format!("{field} is to be one line of text"))) }
        };
        let url = plain("unsubscribe_url", &config.unsubscribe_url)?;
        if !url.starts_with("https://") || !url.is_ascii() || url.contains([' ', '<', '>', '"']) {
            return Err(Error::new(name, format!("unsubscribe_url = {url:?} is to begin with https:// and be a URL")));
        }
        Ok(Self {
            from: mailbox("from", &config.from)?,
            reply_to: config.reply_to.as_deref().map(|text| mailbox("reply_to", text)).transpose()?,
            postal_address: plain("postal_address", &config.postal_address)?,
            unsubscribe_url: url,
        })
    }
}

impl Tool for Email {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn prepare(&self, call: Call) -> Work<'_, Vec<Item>> {
        Box::pin(async move {
            let args: Args = read(self.spec.name.as_str(), call.args.clone())?;
            self.may_send_as(args.from.as_deref())?;
            // Each says which argument it is about, so that whoever wrote that can be asked again.
            check(&args.sequence.mails).map_err(|why| why.about("sequence"))?;
            let list = audience::resolve(self.audience.as_ref(), &args.audience, &call).await;
            let list = list.map_err(|why| why.about("audience"))?;
            let mut items = Vec::new();
            for (place, mail) in args.sequence.mails.iter().enumerate() {
                let item = mail::item(place + 1, mail, &self.sender, &list, &call);
                items.push(item.map_err(|why| why.about("sequence"))?);
            }
            items.push(list.item());
            Ok(items)
        })
    }

    fn foresee(&self, arg: &str, value: Value) -> Work<'_, Vec<String>> {
        let of_audience = arg == "audience";
        Box::pin(async move {
            if of_audience { audience::foresee(self.audience.as_ref(), value).await } else { Ok(Vec::new()) }
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
