//! The `mcp` kind: tools of a server that speaks the Model Context Protocol, as a child process or over HTTP. What a server
//! may do is what `callsheet.toml` says of each tool; what it is, a person has accepted, and `callsheet.lock` keeps.

mod acting;
mod answer;
mod asked;
mod broken;
mod config;
mod hints;
mod link;
mod list;
mod lock;
mod pipe;
mod place;
mod server;
mod session;

use std::sync::Arc;

use serde_json::json;

pub use config::{Config, Given};
pub use hints::Hints;
pub use list::List;
pub use lock::{Accepted, LOCK_FILE, accept};
pub use server::{Seen, Server};

use self::asked::Asked;
use self::link::Link;
use super::Tool;
use super::open::{Ground, Open};
use super::part::{Error, tool_name};
use crate::topology::spec::{Reach, Repeat, ToolSpec};

impl Open for Config {
    const KIND: &'static str = config::KIND;

    /// The lock is read; the server is asked when a tool is first used.
    fn open(self, name: &str, ground: &Ground<'_>) -> Result<Vec<Tool>, Error> {
        let place = self.place(name, ground)?;
        let link = Arc::new(Link::new(place, lock::accepted(ground.root, name)));
        let mut tools = Vec::new();
        for (verb, given) in &self.tools {
            let (spec, is_first) = (spec(name, verb, &self, given, &link)?, tools.is_empty());
            let reach = spec.reach;
            let shared = Asked { spec, verb: verb.clone(), given: given.clone(), link: Arc::clone(&link), is_first };
            // Until a contradiction with its server is settled, it is one that acts.
            tools.push(match reach {
                Reach::ActsOut => Tool::outward(acting::Acting(shared)),
                Reach::Inside | Reach::ReadsOut => Tool::callable(shared),
            });
        }
        Ok(tools)
    }
}

fn spec(name: &str, verb: &str, config: &Config, given: &Given, link: &Link) -> Result<ToolSpec, Error> {
    let tool_name = tool_name(name, verb).map_err(|why| Error {
        what: format!("{}; name a tool as you like, and write name = {verb:?} for what the server calls it", why.what),
        ..why
    })?;
    let of = given.name_at_server(verb);
    let tool = link.accepted().ok().and_then(|accepted| accepted.list.get(of));
    // Until it is accepted nobody knows what it takes, and it cannot be called.
    let args = tool.map_or_else(|| json!({ "type": "object" }), |tool| tool["inputSchema"].clone());
    let description = tool.and_then(|tool| tool["description"].as_str().or(tool["title"].as_str())).unwrap_or(of);
    let labels = given.labels.unwrap_or(config.labels);
    let spec =
        ToolSpec { call_timeout_ms: config.call_timeout.0, labels, ..ToolSpec::callable(tool_name, description, args) };
    let result = answer::schema(tool.and_then(|tool| tool.get("outputSchema")));
    match (given.reach_of(tool), given.repeat) {
        (Reach::ActsOut, repeat) => {
            acting::spec(spec, repeat.unwrap_or_default(), link).map_err(|what| Error::new(name, what).of("tools"))
        }
        (reach, None | Some(Repeat::Pure)) => Ok(ToolSpec { reach, ..spec.giving(result) }),
        (reach, Some(_)) => {
            let what = format!(
                "tools.{verb} says reach = {:?} and a repeat that is for what acts: leave repeat out, or write reach = \"acts_out\"",
                reach.word()
            );
            Err(Error::new(name, what).of("tools"))
        }
    }
}
