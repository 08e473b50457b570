//! `callsheet new`: one more agent, topology, schema or tool, as small as it can be checked. It writes files that are not
//! there yet, and prints what belongs into those that are a person's.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use clap::builder::PossibleValuesParser;

use super::exit::{Exit, Stop};
use super::paint::{Safe, out, raw, say};
use super::session::Session;
use super::writing::{taken, write_new};
use crate::app;
use crate::id::AgentName;
use crate::template::File;
use crate::template::own::{self, Seat};
use crate::tool::kind;
use crate::topology::check::Files as _;
use crate::topology::raw::{agent, walk};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Writes agents/NAME.toml: a model with one outcome, or a person
    #[command(after_help = "Example:\n  callsheet new agent critic")]
    Agent {
        /// Its name: a small letter, then letters, digits, '_' and '-'
        name: String,
        /// A person who decides, instead of a model
        #[arg(long = "person", id = "signs")]
        is_person: bool,
    },
    /// Writes topologies/NAME.toml and its rehearsal: a team in a row, with the agents that are not there yet
    #[command(after_help = "Example:\n  callsheet new topology welcome --team writer,approver")]
    Topology {
        /// Its name
        name: String,
        /// Who is on the team, in the order in which they work; `approver` is a person where there is none
        #[arg(long, value_name = "AGENT,AGENT", value_delimiter = ',', default_value = "writer,approver")]
        team: Vec<String>,
    },
    /// Writes schemas/NAME.json: a title and a text, which you change
    #[command(after_help = "Example:\n  callsheet new schema offer")]
    Schema {
        /// Its name
        name: String,
    },
    /// Prints the table of a tool, which you put into callsheet.toml
    #[command(after_help = "Example:\n  callsheet new tool sales --csv data/sales.csv")]
    Tool {
        /// Its name
        name: String,
        /// What it is; sql reads a CSV file of the project, docs/connectors.md goes through the others
        #[arg(long, default_value = "sql", value_parser = PossibleValuesParser::new(kind::words()))]
        kind: String,
        /// For sql: the CSV file, below the project
        #[arg(long, value_name = "FILE")]
        csv: Option<PathBuf>,
    },
}

/// The schema of what the members of a new team write.
const TEXT: &str = "text";
/// Members of a new team at most.
const TEAM_MAX: usize = 20;

pub(super) fn new(session: &Session, args: &Args) -> Result<Exit, Stop> {
    match &args.what {
        What::Agent { name, is_person } => agent(session, name, *is_person),
        What::Topology { name, team } => topology(session, name, team),
        What::Schema { name } => {
            named(name)?;
            write(session, &[own::schema(name)])?;
            say(format!("in [artefacts] of a topology: {name} = {{ schema = \"{name}\" }}"));
            Ok(Exit::Done)
        }
        What::Tool { name, kind, csv } => tool(session, name, kind, csv.as_ref()),
    }
}

/// Refuses what is no name.
fn named(name: &str) -> Result<(), Stop> {
    let name: Result<AgentName, _> = name.parse();
    name.map(drop).map_err(|why| Stop::input(why.to_string()))
}

/// Writes the files, or none of them.
fn write(session: &Session, files: &[File]) -> Result<(), Stop> {
    let root = &session.settings.root;
    let there = taken(root, files.iter().map(|(path, _)| path.as_str()));
    if !there.is_empty() {
        let is = if there.len() == 1 {
            "is there already and stays as it is"
        } else {
            "are there already and stay as they are"
        };
        return Err(Stop::input(format!("{} {is}; nothing was written: choose another name", there.join(", "))));
    }
    for (path, text) in files {
        write_new(root, path, text.as_bytes())?;
        out(Safe(path));
    }
    Ok(())
}

fn agent(session: &Session, name: &str, is_person: bool) -> Result<Exit, Stop> {
    named(name)?;
    if is_person {
        write(session, &[own::person(name)])?;
        say(format!(
            "in [team] of a topology: {name} = {{ approves = [\"ARTEFACT\"] }}\n\
             in [handoffs]: {name} = {{ approve = \"end\", request_changes = {{ to = \"WRITER\", rounds = 3, then = \"end\" }}, \
             reject = \"end\", expired = \"end\" }}"
        ));
    } else {
        write(session, &[own::model(name)])?;
        say(format!(
            "in [team] of a topology: {name} = {{ reads = [\"ARTEFACT\"], writes = [\"ARTEFACT\"] }}\n\
             in [handoffs], from whom it gets its work and to whom it goes: {name} = \"NEXT\"\n\
             in the rehearsal of that topology:\n[[{name}]]\nnote = \"What {name} did.\"\nwrites.ARTEFACT = {{ }}"
        ));
    }
    Ok(Exit::Done)
}

fn topology(session: &Session, name: &str, team: &[String]) -> Result<Exit, Stop> {
    named(name)?;
    if team.len() > TEAM_MAX {
        return Err(Stop::input(format!("a new team has {TEAM_MAX} members at most")));
    }
    let folder = session.settings.folder();
    let (mut seats, mut files, mut needs): (Vec<(String, Seat)>, Vec<File>, Vec<String>) = (vec![], vec![], vec![]);
    for member in team {
        named(member)?;
        if ["start", "end", "failed", "test"].contains(&member.as_str()) || seats.iter().any(|(seat, _)| seat == member)
        {
            return Err(Stop::input(format!(
                "--team {member}: each member has a name of its own, and not one of start, end, failed, test"
            )));
        }
        let path = format!("agents/{member}.toml");
        let seat = match folder.read(&path) {
            Ok(bytes) => {
                let (seat, needed) = seat_of(&path, bytes)?;
                let told = |tool: &String| {
                    format!(
                        "{member} needs a result of {tool}: add the call to its piece in rehearsals/{name}.toml; callsheet tools {tool} has one"
                    )
                };
                needs.extend(needed.iter().map(told));
                seat
            }
            Err(_) if member == "approver" => {
                files.push(own::person(member));
                Seat::Person
            }
            Err(_) => {
                files.push(own::model(member));
                Seat::Model(vec!["done".to_owned()])
            }
        };
        seats.push((member.clone(), seat));
    }
    let signs_first = seats.iter().position(|(_, seat)| *seat == Seat::Person) == Some(0);
    if signs_first || !seats.iter().any(|(_, seat)| matches!(seat, Seat::Model(_))) {
        return Err(Stop::input("--team: somebody has to write before a person signs: --team writer,approver"));
    }
    let schema = own::schema(TEXT);
    if folder.read(&schema.0).is_err() {
        files.push(schema);
    }
    files.extend(own::topology(name, &seats, TEXT, needs.is_empty()));
    write(session, &files)?;
    needs.iter().for_each(|need| say(Safe(need)));
    say(format!("Next:\n  callsheet check {name}\n  callsheet run {name}"));
    Ok(Exit::Done)
}

/// What an agent that is there can be on a new team, and the tools of which its first outcome needs a result.
fn seat_of(path: &str, bytes: Vec<u8>) -> Result<(Seat, Vec<String>), Stop> {
    let unread = || Stop::input(format!("{path} has faults: callsheet check tells them"));
    let text = walk::text(path, bytes).map_err(|_| unread())?;
    match agent::read(&Arc::from(path), &text).value.map(|agent| agent.kind) {
        Some(agent::Kind::Model(model)) => {
            let mut outcomes: Vec<String> = model.outcomes.into_iter().map(|at| at.value).collect();
            if outcomes.is_empty() {
                outcomes.push("done".to_owned());
            }
            let needs = model.needs.into_iter().filter(|(outcome, _)| outcome.value == outcomes[0]);
            let tools = needs.flat_map(|(_, tools)| tools).map(|tool| tool.value).collect();
            Ok((Seat::Model(outcomes), tools))
        }
        Some(agent::Kind::Person(_)) => Ok((Seat::Person, vec![])),
        Some(agent::Kind::Tool(_)) => Err(Stop::input(format!("{path} is a tool: put it on the team by hand"))),
        None => Err(unread()),
    }
}

fn tool(session: &Session, name: &str, kind: &str, csv: Option<&PathBuf>) -> Result<Exit, Stop> {
    named(name)?;
    if session.settings.tools.contains_key(name) {
        return Err(Stop::input(format!("callsheet.toml has [tools.{name}] already: choose another name")));
    }
    let asked = session.settings.tools.iter().find(|(_, table)| table.kind.value == "sql");
    let asked = asked.map(|(name, _)| format!("{name}.query"));
    let text = match (own::tool(name, kind, asked.as_deref()), csv) {
        (Some(text), None) => text,
        (Some(_), Some(_)) => return Err(Stop::input(format!("--csv is for --kind sql, not for {kind}"))),
        (None, None) => return Err(Stop::input("give the file that it reads: --csv data/FILE.csv, below the project")),
        (None, Some(file)) => {
            let shown = file.to_string_lossy().into_owned();
            let path = session.settings.root.join(file);
            let told = |why: String| Stop::input(format!("{why}\nnothing was printed"));
            let (csv, remarks) = app::csv_of(&path, &shown, &name.replace('-', "_")).map_err(told)?;
            remarks.iter().for_each(|remark| say(format!("{}, {}", Safe(&shown), Safe(remark))));
            format!("\n{}", csv.connection_named(name))
        }
    };
    raw(text.trim_end());
    let then = match kind {
        "mcp" => "callsheet mcp inspect",
        "postgres" => "callsheet data inspect",
        _ => "callsheet tools",
    };
    say(format!("put it into callsheet.toml: callsheet new tool ... >> callsheet.toml; then: {then} {name}"));
    Ok(Exit::Done)
}
