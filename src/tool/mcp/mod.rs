//! The `mcp` kind: tools of a server that speaks the Model Context Protocol, as a child process or over HTTP. What a server
//! may do is what `callsheet.toml` says of each tool; what it is, a person has accepted, and `callsheet.lock` keeps.

mod acting;
mod answer;
mod asked;
mod broken;
mod config;
mod content;
mod hints;
mod link;
mod list;
mod lock;
mod pipe;
mod place;
mod resource;
mod server;
mod session;
mod shelf;
mod uris;

use std::sync::Arc;

use serde_json::json;

pub use config::{Config, Given, Resources};
pub use hints::Hints;
pub use list::List;
pub use lock::{Accepted, LOCK_FILE, accept};
pub use server::{Seen, Server};
pub use shelf::Shelf;

use self::asked::Asked;
use self::link::Link;
use self::resource::{Act, Resource};
use self::uris::Uris;
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
        tools.extend(resources(name, &self, &link, tools.is_empty())?);
        Ok(tools)
    }
}

/// The two tools that read what the server has, where the file says what of it.
fn resources(name: &str, config: &Config, link: &Arc<Link>, is_first: bool) -> Result<Vec<Tool>, Error> {
    let Some(given) = &config.resources else { return Ok(Vec::new()) };
    let wrong = |what: String| Error::new(name, what).of("resources");
    let uris = Uris::read(&given.uris).map_err(|why| wrong(format!("resources: {why}")))?;
    if given.reach == Reach::ActsOut {
        return Err(wrong("resources are read: write reach = \"reads_out\", or \"inside\"".to_owned()));
    }
    if let Some(verb) = [resource::LIST, resource::READ].into_iter().find(|verb| config.tools.contains_key(*verb)) {
        let what =
            format!("tools.{verb} has the name of what reads resources: call it otherwise, and write name = {verb:?}");
        return Err(wrong(what));
    }
    let bounded = |spec| resource::bounded(spec, given, config.labels, config.call_timeout.0);
    let tool = |spec, act, is_first| {
        Tool::callable(Resource { spec: bounded(spec), act, uris: uris.clone(), link: Arc::clone(link), is_first })
    };
    let list = resource::list_spec(tool_name(name, resource::LIST)?, &uris);
    let read = resource::read_spec(tool_name(name, resource::READ)?, &uris);
    Ok(vec![tool(list, Act::List, is_first), tool(read, Act::Read, false)])
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
