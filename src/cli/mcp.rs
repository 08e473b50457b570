//! `callsheet mcp`: which MCP servers the project has, what each lists, and that a person accepts it.

mod shown;

use serde_json::{Value, json};

use super::accepted::{INDENT, line, told};
use super::argument::{arguments, kind};
use super::exit::{Exit, Stop};
use super::paint::{self, Safe, Tone, hung, out, raw, say, toned};
use super::serve::ends;
use super::session::Session;
use crate::app::mcp::{self, Given, Hints, LOCK_FILE, Seen, Server, Shelf};
use crate::failure::Failure;
use crate::mcp as offered;
use crate::run::event::Who;
use crate::run::view::count;
use crate::service::act::Driver;
use crate::topology::fault::nearest;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Offers the campaigns to other agents as an MCP server, over its input and output; it never approves anything
    #[command(
        after_help = "Example, for an MCP client's configuration:\n  { \"command\": \"callsheet\", \"args\": [\"--project\", \"DIR\", \"mcp\", \"serve\"] }"
    )]
    Serve,
    /// Lists the servers of callsheet.toml, and what was accepted of each; it asks none of them
    #[command(after_help = "Example:\n  callsheet mcp list")]
    List {
        /// Prints NDJSON: one JSON object for each server
        #[arg(long)]
        json: bool,
    },
    /// Asks a server for its tools and resources, and shows them beside what was accepted; it calls and reads none
    #[command(after_help = "Example:\n  callsheet mcp inspect memory")]
    Inspect {
        /// The NAME of its [tools.NAME]
        name: String,
        /// Prints one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Accepts the tools that a server lists now, and writes them down in callsheet.lock
    #[command(after_help = "Example:\n  callsheet mcp accept memory --digest 1a2b3c4d")]
    Accept {
        /// The NAME of its [tools.NAME]
        name: String,
        /// Accepts only what `inspect` has shown under this digest, or the beginning of it
        #[arg(long, value_name = "DIGEST")]
        digest: Option<String>,
    },
}

/// Shortest beginning of a digest that names one list.
const DIGEST_CHARS_MIN: usize = 8;

pub(super) async fn mcp(session: &Session, args: &Args) -> Result<Exit, Stop> {
    match &args.what {
        What::Serve => serve(session).await,
        What::List { json } => Ok(list(session, *json)),
        What::Inspect { name, json } => {
            let server = server(session, name)?;
            let seen = server.see_all().await.map_err(|why| unseen(name, &why))?;
            Ok(inspect(name, &server, &seen, *json))
        }
        What::Accept { name, digest } => {
            let server = server(session, name)?;
            let seen = see(&server, name).await?;
            accept(session, name, &server, &seen, digest.as_deref())
        }
    }
}

/// The campaigns for other agents. What is said to people goes to the error output: the other one is the protocol's.
async fn serve(session: &Session) -> Result<Exit, Stop> {
    let driver = Driver::serve(&session.project).await?;
    let who = Who { how: "mcp".to_owned(), ..session.project.who() };
    say("offering the campaigns to whoever speaks MCP on this input; Ctrl-C stops it, and everything is kept");
    let served = offered::serve((session.project.clone(), driver), who, ends()?).await;
    served.map(|()| Exit::Done).map_err(Stop::failed)
}

fn list(session: &Session, as_json: bool) -> Exit {
    let servers = mcp::servers(&session.settings);
    for (name, server) in &servers {
        let (from, state) = match server {
            Ok(server) => (server.from(), accepted(server)),
            Err(why) => (String::new(), format!("its table is wrong: {why}")),
        };
        if as_json {
            paint::json(&json!({ "name": name, "from": from, "accepted": state }));
        } else {
            out(format!("{} {}", toned(Tone::Strong, Safe(name)), Safe(&from)));
            hung(format!("{:INDENT$}{}", "", Safe(&state)), INDENT);
        }
    }
    if servers.is_empty() && !as_json {
        say("callsheet.toml has no [tools.NAME] with kind = \"mcp\"");
    }
    Exit::Done
}

/// What was accepted of a server, in words.
fn accepted(server: &Server) -> String {
    match &server.accepted {
        Ok(Some(accepted)) => {
            let (tools, given) = (accepted.list.names().count(), server.given.len());
            format!("{}: {} accepted, {given} given to agents", accepted.server, count(tools, "tool"))
        }
        Ok(None) => "nothing of it is accepted yet".to_owned(),
        Err(why) => why.clone(),
    }
}

fn server(session: &Session, name: &str) -> Result<Server, Stop> {
    let mut servers = mcp::servers(&session.settings);
    match servers.remove(name) {
        Some(server) => server.map_err(|why| Stop::input(format!("[tools.{name}]: {why}"))),
        None => {
            let known: Vec<&str> = servers.keys().map(String::as_str).collect();
            let meant = nearest(name, known.iter().copied()).map(|name| format!("; did you mean {name}?"));
            let there = match known.is_empty() {
                true => "no [tools.NAME] has kind = \"mcp\"".to_owned(),
                false => format!("there are: {}", known.join(", ")),
            };
            Err(Stop::input(format!("there is no MCP server {name}{}\n{there}", meant.unwrap_or_default())))
        }
    }
}

async fn see(server: &Server, name: &str) -> Result<Seen, Stop> {
    server.see().await.map_err(|why| unseen(name, &why))
}

fn unseen(name: &str, why: &Failure) -> Stop {
    Stop::failed(format!("[tools.{name}]: {}", why.reason))
}

/// How what is listed now differs from what was accepted; none if nothing was, or of another server.
fn changes(server: &Server, seen: &Seen) -> Option<Vec<String>> {
    let accepted = server.accepted.as_ref().ok().and_then(Option::as_ref);
    accepted.filter(|accepted| accepted.from == seen.from).map(|accepted| accepted.list.changes(&seen.list))
}

/// What was seen: the tools, and the resources as far as they can be listed.
type All = (Seen, Result<Option<Shelf>, String>);

fn inspect(name: &str, server: &Server, (seen, shelf): &All, as_json: bool) -> Exit {
    let (digest, changes) = (seen.list.digest(), changes(server, seen));
    let is_accepted = changes.as_ref().is_some_and(Vec::is_empty);
    if as_json {
        let tools: Vec<&Value> = seen.list.tools().collect();
        let shelf = shelf.as_ref().ok().and_then(Option::as_ref);
        paint::json(&json!({
            "name": name, "from": seen.from, "server": seen.server, "digest": digest, "tools": tools,
            "accepted": is_accepted, "changes": changes,
            "resources": shelf.map(|shelf| &shelf.resources), "templates": shelf.map(|shelf| &shelf.templates),
        }));
        return if is_accepted { Exit::Done } else { Exit::Waiting };
    }
    let row = |tool: &Value| {
        let of = named(tool);
        let given = server.given(of).map_or_else(|| "-".to_owned(), |(verb, _)| format!("{name}.{verb}"));
        vec![of.to_owned(), said_in_short(Hints::of(tool)).to_owned(), given]
    };
    out(format!("{}\n", paint::table(&["tool", "its server says", "agents have it as"], seen.list.tools().map(row))));
    seen.list.tools().for_each(|tool| print(name, tool, server.given(named(tool))));
    match shelf {
        Ok(Some(shelf)) => shown::resources(name, server, shelf),
        Ok(None) => {}
        Err(why) => say(Safe(&format!("its resources cannot be listed: {why}"))),
    }
    let tools = count(seen.list.names().count(), "tool");
    out(format!("{} lists {tools}, digest {}", Safe(&seen.server), digest.short()));
    told(changes);
    if !is_accepted {
        say(format!("if you trust all that: callsheet mcp accept {name} --digest {}", digest.short()));
    }
    if is_accepted { Exit::Done } else { Exit::Waiting }
}

fn named(tool: &Value) -> &str {
    tool["name"].as_str().unwrap_or_default()
}

fn said_in_short(hints: Hints<'_>) -> &'static str {
    match (hints.acts(), hints.only_reads()) {
        (true, _) => "it acts",
        (_, true) => "it only reads",
        _ => "nothing",
    }
}

fn print(server: &str, tool: &Value, given: Option<(&str, &Given)>) {
    out(toned(Tone::Strong, Safe(named(tool))));
    let description = tool["description"].as_str().or(tool["title"].as_str()).unwrap_or("says nothing of itself");
    description.lines().filter(|line| !line.trim().is_empty()).for_each(line);
    let taken = arguments(&tool["inputSchema"]);
    if taken.is_empty() {
        line("takes nothing");
    }
    for (name, schema, is_required) in taken {
        line(&format!("takes {name}: {}{}", kind(schema), if is_required { ", required" } else { "" }));
    }
    let hints = Hints::of(tool);
    line(&format!("the server says, and nobody holds it to that: {}", hints.words()));
    match given {
        Some((verb, of)) => {
            line(&format!("agents have it as {server}.{verb}, with reach = {:?}", of.reach.word()));
            if of.is_understated(Some(tool)) {
                line("that contradicts what the server says: callsheet explain E094");
            }
        }
        None => suggest(server, named(tool), hints),
    }
    out("");
}

/// Prints the lines that give a tool to agents. What is not said to read only is given as what acts.
fn suggest(server: &str, of: &str, hints: Hints<'_>) {
    line("no agent has it; in callsheet.toml, after a look at what it does:");
    let (verb, is_name) = verb(of);
    let pasted = |text: String| raw(format!("{:INDENT$}{text}", ""));
    pasted(format!("[tools.{server}.tools.{verb}]"));
    if !is_name {
        pasted(format!("name = {}", Safe(&json!(of).to_string())));
    }
    let (reach, why) = match (hints.only_reads(), hints.acts()) {
        (true, _) => ("reads_out", "or \"inside\", if it stays here"),
        (_, true) => ("acts_out", "a person approves each call"),
        _ => ("acts_out", "or \"reads_out\" if it only reads"),
    };
    pasted(format!("# {why}"));
    pasted(format!("reach = {reach:?}"));
}

/// A name for a tool here, and whether it is the server's own.
fn verb(of: &str) -> (String, bool) {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if of.starts_with(|c: char| c.is_ascii_lowercase()) && of.chars().all(fits) {
        return (of.to_owned(), true);
    }
    let kept = of.chars().map(|c| if fits(c.to_ascii_lowercase()) { c.to_ascii_lowercase() } else { '_' });
    let kept: String = kept.skip_while(|c| !c.is_ascii_lowercase()).collect();
    (if kept.is_empty() { "tool".to_owned() } else { kept }, false)
}

fn accept(session: &Session, name: &str, server: &Server, seen: &Seen, wanted: Option<&str>) -> Result<Exit, Stop> {
    let digest = seen.list.digest();
    if let Some(wanted) = wanted {
        if wanted.len() < DIGEST_CHARS_MIN {
            return Err(Stop::input(format!("--digest takes {DIGEST_CHARS_MIN} characters of a digest at least")));
        }
        if !digest.to_string().starts_with(wanted) {
            let now = digest.short();
            let text = format!(
                "the server does not list that any more: its list has the digest {now}, not {wanted}. Nothing was accepted; \
                 look again with callsheet mcp inspect {name}"
            );
            return Err(Stop::of(Exit::Waiting, text));
        }
    }
    let changes = changes(server, seen);
    mcp::accept(&session.settings, name, seen).map_err(Stop::failed)?;
    let tools = count(seen.list.names().count(), "tool");
    out(format!("{} accepted as {}: {tools}, digest {}", Safe(&seen.server), Safe(name), digest.short()));
    match changes {
        Some(changes) => changes.iter().for_each(|change| line(change)),
        None => hung(format!("{:INDENT$}{}", "", Safe(&seen.list.names().collect::<Vec<_>>().join(", "))), INDENT),
    }
    say(format!("{LOCK_FILE} says so: keep it with the project's files"));
    Ok(Exit::Done)
}
