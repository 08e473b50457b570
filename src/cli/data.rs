//! `callsheet data`: how a file is written and would be declared, what a database holds, and that a person accepts it.

use std::path::{Component, Path, PathBuf};

use serde_json::json;

use super::accepted::{INDENT, line, told};
use super::exit::{Exit, Stop};
use super::paint::{self, Safe, Tone, hung, out, raw, say, toned};
use super::session::Session;
use crate::app::data::{self, Accepted, Guess, LOCK_FILE, Table};
use crate::run::view::count;
use crate::template::csv::word;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Looks at a CSV file and prints the table to paste for it; or at a database, beside what was accepted of it
    #[command(after_help = "Examples:\n  callsheet data inspect exports/campaigns.csv\n  callsheet data inspect shop")]
    Inspect {
        /// A CSV file, or the NAME of a database's [tools.NAME]
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

pub(super) async fn data(session: &Session, args: &Args) -> Result<Exit, Stop> {
    match &args.what {
        What::Inspect { what, json } if is_file(what) => file(session, what, *json),
        What::Inspect { what, json } => inspect(session, what, *json).await,
        What::Accept { name } => accept(session, name).await,
    }
}

/// Whether that names a file: it is there, or could be no name of a table.
fn is_file(what: &str) -> bool {
    what.contains(['.', '/', '\\']) || Path::new(what).exists()
}

fn file(session: &Session, what: &str, as_json: bool) -> Result<Exit, Stop> {
    let path = Path::new(what);
    let guess = data::guess(path, what).map_err(Stop::input)?;
    let below = below(&session.settings.root, path);
    let shown = below.clone().unwrap_or_else(|| format!("data/{}", path.file_name().unwrap_or_default().display()));
    let table = word(path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("table"));
    let lines = pasted(&table, &shown, &guess);
    if as_json {
        let columns: Vec<_> =
            guess.columns.iter().map(|column| json!({ "name": column.name, "type": column.kind })).collect();
        paint::json(&json!({
            "file": what, "table": table, "toml": lines.join("\n"), "columns": columns, "rows": guess.rows,
            "preview": guess.preview, "remarks": guess.remarks,
        }));
        return Ok(Exit::Done);
    }
    lines.iter().for_each(|line| raw(Safe(line)));
    let heads: Vec<&str> = guess.columns.iter().map(|column| column.name.as_str()).collect();
    out(format!("\n{}", paint::table(&heads, guess.preview.clone())));
    let kinds: Vec<String> = guess.columns.iter().map(|column| format!("{} {}", column.name, column.kind)).collect();
    hung(format!("{}: {}", count(guess.rows, "row"), Safe(&kinds.join(", "))), INDENT);
    for remark in &guess.remarks {
        say(format!("{} {}", toned(Tone::Attention, "look:"), Safe(remark)));
    }
    if below.is_none() {
        say(format!("the file lies outside of the project: copy it to {}", Safe(&shown)));
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

/// The table as it stands in callsheet.toml.
fn pasted(table: &str, path: &str, guess: &Guess) -> Vec<String> {
    let mut lines = vec![
        format!("[tools.{table}]"),
        "kind = \"sql\"".to_owned(),
        "free_sql = true    # or name queries: [tools.NAME.queries.QUERY]".replace("NAME", table),
        String::new(),
        format!("[tools.{table}.csv.{table}]"),
        format!("path = {}", json!(path)),
    ];
    lines.extend(guess.settings.iter().cloned());
    if !guess.declared.is_empty() {
        lines.extend([String::new(), format!("[tools.{table}.csv.{table}.columns]")]);
        lines.extend(guess.declared.iter().cloned());
    }
    lines
}

async fn see(session: &Session, name: &str) -> Result<(Option<Accepted>, Accepted), Stop> {
    let database = data::database(&session.settings, name).map_err(Stop::input)?;
    let now = database.look_now().await.map_err(|why| Stop::failed(format!("[tools.{name}]: {}", why.reason)))?;
    Ok((database.accepted().map_err(Stop::failed)?.cloned(), now))
}

async fn inspect(session: &Session, name: &str, as_json: bool) -> Result<Exit, Stop> {
    let (accepted, now) = see(session, name).await?;
    let changes = accepted.map(|accepted| accepted.changes(&now));
    let is_accepted = changes.as_ref().is_some_and(Vec::is_empty);
    let exit = if is_accepted { Exit::Done } else { Exit::Waiting };
    if as_json {
        paint::json(&json!({ "name": name, "holds": now, "accepted": is_accepted, "changes": changes }));
        return Ok(exit);
    }
    show(&now);
    told(changes);
    if !is_accepted {
        say(format!("if models may see all that: callsheet data accept {name}"));
    }
    Ok(exit)
}

async fn accept(session: &Session, name: &str) -> Result<Exit, Stop> {
    let (_, now) = see(session, name).await?;
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
