//! `callsheet schema`: JSON Schemas of the files that people write, for their editors.

use std::path::PathBuf;

use super::exit::{Exit, Stop};
use super::paint::{out, say};
use crate::topology::editor::editor_schemas;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One of topology, agent, rehearsal, callsheet
    name: Option<String>,
    /// Write all of them into this folder, such as .schema
    #[arg(long, value_name = "DIR", conflicts_with = "name")]
    write: Option<PathBuf>,
}

pub(super) fn schema(args: &Args) -> Result<Exit, Stop> {
    let all = editor_schemas();
    let names: Vec<&str> = all.iter().map(|(name, _)| name.trim_end_matches(".json")).collect();
    if let Some(folder) = &args.write {
        std::fs::create_dir_all(folder)?;
        for (name, schema) in &all {
            std::fs::write(folder.join(name), format!("{schema:#}\n"))?;
        }
        say(format!("{} schemas written to {}", all.len(), folder.display()));
        return Ok(Exit::Done);
    }
    let Some(wanted) = &args.name else {
        names.iter().for_each(out);
        return Ok(Exit::Done);
    };
    let found = all.iter().find(|(name, _)| name.trim_end_matches(".json") == wanted);
    let (_, schema) =
        found.ok_or_else(|| Stop::input(format!("no schema {wanted}; there are: {}", names.join(", "))))?;
    out(format!("{schema:#}"));
    Ok(Exit::Done)
}
