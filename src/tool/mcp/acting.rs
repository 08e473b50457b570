//! A tool of a server that acts on the world. What it would be asked is prepared as one item, word for word; a person
//! approves that; then it is asked once, of a server that still lists what was accepted.

use serde_json::{Map, Value, json};

use super::answer;
use super::asked::Asked;
use super::broken::is_refusal;
use super::config::KIND;
use super::link::Link;
use crate::failure::{Class, Failure, Work};
use crate::run::body::Receipt;
use crate::tool::part::args::{permanent, read};
use crate::tool::{Approved, Declared, Intent, Item, Look, Opened, Outward};
use crate::topology::spec::{Connection, Repeat, ToolSpec};

/// How much of an answer stands in a receipt.
const REMARK_CHARS_MAX: usize = 500;

pub(super) struct Acting(pub(super) Asked);

/// The declaration of one that acts. A server that was accepted anew is another one to a run that is under way.
pub(super) fn spec(spec: ToolSpec, repeat: Repeat, link: &Link) -> Result<ToolSpec, String> {
    if matches!(repeat, Repeat::Pure | Repeat::Queryable) {
        let no = "an MCP server cannot be asked whether something happened, and what acts is not pure";
        return Err(format!("{}: {no}: repeat is {{ class = \"once\" }} or idempotent", spec.name));
    }
    let from = link.place.from();
    let key = link.place.key();
    let digest = link.accepted().map(|accepted| accepted.list.digest().to_string()).unwrap_or_default();
    let connection = Connection::new(KIND, [(key, from.as_str()), ("tools", digest.as_str())]);
    let ToolSpec { name, description, args, labels, call_timeout_ms, .. } = spec;
    let spec = ToolSpec::outward(name, &description, args, repeat, connection);
    // Whoever is asked for a draft would act.
    Ok(ToolSpec { labels, call_timeout_ms, drafts: false, ..spec })
}

impl Declared for Acting {
    fn spec(&self) -> &ToolSpec {
        self.0.spec()
    }

    fn look(&self) -> Look {
        self.0.look()
    }

    fn unset(&self) -> Vec<String> {
        self.0.unset()
    }

    fn open(&self) -> Option<Work<'_, Opened>> {
        self.0.open()
    }
}

impl Outward for Acting {
    fn prepare(&self, intent: Intent) -> Work<'_, Vec<Item>> {
        Box::pin(async move {
            let (of, Asked { spec, link, .. }) = (self.0.of(), &self.0);
            let arguments: Map<String, Value> = read(spec.name.as_str(), intent.args)?;
            // Word for word what is asked, as people can read it.
            let asked = json!({ "tool": of, "arguments": arguments });
            let bytes = serde_json::to_vec_pretty(&asked).map_err(|why| permanent(why.to_string()))?;
            Ok(vec![Item {
                key: "call.json".to_owned(),
                recipient: link.place.from(),
                recipients: 1,
                title: format!("asks {} for {of}", link.place.name),
                media_type: "application/json".to_owned(),
                bytes,
                after_ms: 0,
                again: None,
            }])
        })
    }

    fn perform(&self, item: Approved) -> Work<'_, Receipt> {
        Box::pin(async move {
            let (of, link) = (self.0.of(), &self.0.link);
            let asked: Value = serde_json::from_slice(&item.item.bytes).map_err(|why| permanent(why.to_string()))?;
            let arguments = asked["arguments"].as_object().cloned();
            let Some(arguments) = arguments.filter(|_| asked["tool"] == of) else {
                return Err(permanent(format!("what was approved is no call of {of}")));
            };
            let session = link.session().await?;
            link.still(&session).await?;
            // Opening may have taken the time.
            item.deadline.check()?;
            let place = &link.place;
            let doubt = |failure: Failure| Failure { class: Class::InDoubt, retry_after_ms: None, ..failure };
            let result = session.call(of, arguments).await.map_err(|broken| {
                let failure = broken.failure(place, "");
                if is_refusal(&broken) { failure } else { doubt(failure) }
            })?;
            // One that says it failed may have done a part of it.
            let said = answer::read(result, place).map_err(doubt)?;
            let said = said["text"].as_str().map_or_else(|| said.to_string(), str::to_owned);
            let remark: String = said.chars().take(REMARK_CHARS_MAX).collect();
            Ok(Receipt { remark: Some(remark), ..Receipt::at(format!("{of} at {}", place.from())) })
        })
    }
}
