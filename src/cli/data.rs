//! `callsheet data`: how a file is written and would be declared, what a database holds, and that a person accepts it.

use std::path::{Component, Path, PathBuf};

use serde_json::json;

use super::accepted::{INDENT, line, told};
use super::exit::{Exit, Stop};
use super::paint::{self, Safe, Tone, hung, out, raw, say, toned};
use super::pasted;
use super::session::Session;
use crate::app::data::{self, Accepted, LOCK_FILE, Looked, Table};
use crate::run::view::count;
use crate::template::csv::word;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Looks at a CSV or Parquet file and prints the table to paste for it; or at a database, beside what was accepted of it
    #[command(after_help = "Examples:\n  callsheet data inspect exports/campaigns.csv\n  callsheet data inspect shop")]
    Inspect {
        /// A CSV or Parquet file, or the NAME of a database's [tools.NAME]
        #[arg(value_name = "FILE|NAME")]
        what: String,
        /// Prints one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Accepts what a database holds now, and writes it down in callsheet.lock
    #[command(after_help = "Example:\n  callsheet data accept shop")]
    Accept {
        /// The NAME of its [tools.NAME]
        name: String,
    },
}

impl Args {
    /// Whether they are about a file, which may lie in no project at all.
    pub(super) fn is_about_file(&self) -> bool {
        matches!(&self.what, What::Inspect { what, .. } if is_file(what))
    }
}

pub(super) async fn data(session: &Session, args: &Args) -> Result<Exit, Stop> {
    match &args.what {
        What::Inspect { .. } if args.is_about_file() => file(Some(session), args),
        What::Inspect { what, json } => inspect(session, what, *json).await,
        What::Accept { name } => accept(session, name).await,
    }
}

/// Whether that names a file: it is there, or could be no name of a table.
fn is_file(what: &str) -> bool {
    what.contains(['.', '/', '\\']) || Path::new(what).is_file()
}

/// Looks at a file, beside what the project of the `session` says of it, if there is a project.
pub(super) fn file(session: Option<&Session>, args: &Args) -> Result<Exit, Stop> {
    let What::Inspect { what, json: as_json } = &args.what else { return Ok(Exit::Done) };
    let path = Path::new(what);
    let guess = data::guess(path, what).map_err(Stop::input)?;
    let below = session.and_then(|session| below(&session.settings.root, path));
    let shown = below.clone().unwrap_or_else(|| format!("data/{}", path.file_name().unwrap_or_default().display()));
    let table = word(path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("table"));
    let reader = session.zip(below.as_ref()).and_then(|(session, path)| pasted::reader(&session.settings, path));
    let lines =
        reader.as_ref().map_or_else(|| pasted::whole(&table, &shown, &guess), |reader| reader.differing(&guess));
    if *as_json {
        let columns: Vec<_> =
            guess.columns.iter().map(|column| json!({ "name": column.name, "type": column.kind })).collect();
        paint::json(&json!({
            "file": what, "table": table, "toml": lines.join("\n"), "columns": columns, "rows": guess.rows,
            "preview": guess.preview, "remarks": guess.remarks,
        }));
        return Ok(Exit::Done);
    }
    match (&reader, lines.is_empty()) {
        (Some(_), true) => say("callsheet.toml reads this file already, and says all of this"),
        (Some(_), false) => say("callsheet.toml reads this file already; these lines differ:"),
        (None, _) => {}
    }
    lines.iter().for_each(|line| raw(Safe(line)));
    let heads: Vec<&str> = guess.columns.iter().map(|column| column.name.as_str()).collect();
    out(format!("\n{}", paint::table(&heads, guess.preview.clone())));
    let kinds: Vec<String> = guess.columns.iter().map(|column| format!("{} {}", column.name, column.kind)).collect();
    hung(format!("{}: {}", count(guess.rows, "row"), Safe(&kinds.join(", "))), INDENT);
    for remark in &guess.remarks {
        say(format!("{} {}", toned(Tone::Attention, "look:"), Safe(remark)));
    }
    match (session, below) {
        (None, _) if data::is_parquet(path) => say("there is no project here; callsheet init makes one"),
        (None, _) => say(format!("there is no project here; this makes one: callsheet init --csv {}", Safe(what))),
        (Some(_), None) => say(format!("the file lies outside of the project: copy it to {}", Safe(&shown))),
        (Some(_), Some(_)) => {}
    }
    Ok(Exit::Done)
}

/// The path below the project, if it lies there.
fn below(root: &Path, path: &Path) -> Option<String> {
    let (root, real) = (root.canonicalize().ok()?, path.canonicalize().ok()?);
    let below: PathBuf = real.strip_prefix(root).ok()?.to_owned();
    let parts = below.components().map(|part| match part {
        Component::Normal(part) => part.to_str(),
        _ => None,
    });
    Some(parts.collect::<Option<Vec<_>>>()?.join("/"))
}

async fn see(session: &Session, name: &str) -> Result<(Option<Accepted>, Looked), Stop> {
    let database = data::database(&session.settings, name).map_err(Stop::input)?;
    let looked = database.inspect().await.map_err(|why| Stop::failed(format!("[tools.{name}]: {}", why.reason)))?;
    Ok((database.accepted().map_err(Stop::failed)?.cloned(), looked))
}

async fn inspect(session: &Session, name: &str, as_json: bool) -> Result<Exit, Stop> {
    let (accepted, Looked { now, faults, others }) = see(session, name).await?;
    let changes = accepted.map(|accepted| accepted.changes(&now));
    let is_accepted = changes.as_ref().is_some_and(Vec::is_empty);
    let exit = match (faults.is_empty(), is_accepted) {
        (false, _) => Exit::Input,
        (true, false) => Exit::Waiting,
        (true, true) => Exit::Done,
    };
    if as_json {
        let others: Vec<_> = others.iter().map(|(name, tables)| json!({ "name": name, "tables": tables })).collect();
        paint::json(&json!({
            "name": name, "holds": now, "other_schemas": others, "faults": faults, "accepted": is_accepted,
            "changes": changes,
        }));
        return Ok(exit);
    }
    show(&now);
    for (schema, tables) in &others {
        let tables = count(usize::try_from(*tables).unwrap_or_default(), "table");
        line(&format!("the schema {schema} has {tables} that this role may read: name it in `schemas` to see them"));
    }
    for fault in &faults {
        out(format!("{} {}", toned(Tone::Bad, "not ok"), Safe(fault)));
    }
    told(changes);
    if !faults.is_empty() {
        say(format!("mend [tools.{name}] by what stands above, and look again"));
    } else if !is_accepted {
        say(format!("if models may see all that: callsheet data accept {name}"));
    }
    Ok(exit)
}

async fn accept(session: &Session, name: &str) -> Result<Exit, Stop> {
    let (_, Looked { now, faults, .. }) = see(session, name).await?;
    if !faults.is_empty() {
        return Err(Stop::input(format!("nothing was accepted\n{}", faults.join("\n"))));
    }
    data::accept(&session.settings, name, &now).map_err(Stop::failed)?;
    show(&now);
    out(format!("accepted as {}: {}", Safe(name), count(now.tables.len(), "table")));
    say(format!("{LOCK_FILE} says so, sample values included: keep it with the project's files"));
    Ok(Exit::Done)
}

fn show(now: &Accepted) {
    out(toned(Tone::Strong, Safe(&now.server)));
    now.tables.iter().map(Table::shown).for_each(|table| line(&table));
    for (query, known) in &now.queries {
        line(&format!("the query {query} gives {}", known.columns.join(", ")));
    }
}
