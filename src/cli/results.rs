//! `callsheet results`: attaches a table of what came of a run, or shows what was attached.

use std::path::PathBuf;

use super::exit::{Exit, Stop};
use super::paint::{self, Safe, Tone, out, say, toned};
use super::session::Session;
use crate::id::RunNo;
use crate::run::input::Say;
use crate::run::view::count;
use crate::service::answer::Step;
use crate::service::attached::{Attached, attached, from_file, may_attach};
use crate::words::time::date_time;

/// Rows of a table that are shown, unless all are wanted.
const ROWS_SHOWN: usize = 20;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run
    run: u64,
    /// A CSV, JSON or Parquet file with what came of the run, by mail, variant or segment; shows what was attached if none is given
    file: Option<PathBuf>,
    /// Shows every row
    #[arg(long, conflicts_with = "file")]
    whole: bool,
    /// Prints NDJSON: one JSON object for each version, the last one first
    #[arg(long, conflicts_with = "file")]
    json: bool,
}

pub(super) async fn results(session: &Session, args: Args) -> Result<Exit, Stop> {
    let project = &session.project;
    let mut story = project.read(project.run(Some(RunNo(args.run)))?)?;
    let Some(file) = &args.file else {
        let all = attached(&story);
        if args.json {
            all.iter().for_each(paint::json);
        } else if all.is_empty() {
            say(format!("nothing is attached to run {}: callsheet results {} FILE.csv", args.run, args.run));
        } else {
            let most = if args.whole { usize::MAX } else { ROWS_SHOWN };
            all.iter().for_each(|one| shown(session, one, most));
        }
        return Ok(Exit::Done);
    };
    let by = may_attach(project, &story, project.who())?;
    let read = from_file(file)?;
    for remark in &read.remarks {
        say(format!("{} {}", toned(Tone::Attention, "look:"), Safe(remark)));
    }
    let driver = session.driver(None).await?;
    let mut waiting = driver.post(&mut story, by, Say::Results { table: read.table }).await?;
    let came = loop {
        match waiting.next(&mut story).await {
            Ok(Step::DrivenBy(by)) => {
                say(format!("{} drives run {}; waiting for it to hear this", Safe(&by), args.run))
            }
            Ok(Step::News(_)) => {}
            Ok(Step::Answered { answer, .. }) => break answer,
            Err(why) => break Err(why),
        }
    };
    driver.stop().await;
    came?;
    story.news()?;
    if let Some(last) = attached(&story).first() {
        shown(session, last, ROWS_SHOWN);
    }
    Ok(Exit::Done)
}

/// What was attached, with so many rows at most.
pub(super) fn shown(session: &Session, one: &Attached, most: usize) {
    let at = date_time(one.at, session.zone());
    let Some(table) = &one.table else {
        out(format!("\nresults, version {}: by {}, {at}: (erased)", one.version, Safe(&one.by)));
        return;
    };
    let rows = count(table.rows.len(), "row");
    out(format!(
        "\nresults, version {}: {rows} from {}, by {}, {at}, sha256 {}",
        one.version,
        Safe(&table.file),
        Safe(&one.by),
        table.sha256.short()
    ));
    if !table.read_as.is_empty() {
        out(format!("read as: {}", Safe(&table.read_as.join(", "))));
    }
    let columns: Vec<&str> = table.columns.iter().map(String::as_str).collect();
    out(paint::table(&columns, table.rows.iter().take(most).map(|row| row.iter().map(cell).collect())));
    if table.rows.len() > most {
        out(format!("and {} more: --whole shows them", count(table.rows.len() - most, "row")));
    }
}

fn cell(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
