//! `callsheet schema`: JSON Schemas of the files that people write, for their editors.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::exit::{Exit, Stop};
use super::paint::{out, raw, say};
use crate::app::editor_schemas;
use crate::file;
use crate::id::Digest;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which schema: topology, agent, rehearsal or callsheet
    name: Option<String>,
    /// Writes all of them into this folder, such as .schema
    #[arg(long, value_name = "DIR", conflicts_with = "name")]
    write: Option<PathBuf>,
}

pub(super) fn schema(args: &Args) -> Result<Exit, Stop> {
    let all = editor_schemas();
    let names: Vec<&str> = all.iter().map(|(name, _)| name.trim_end_matches(".json")).collect();
    if let Some(folder) = &args.write {
        return write(folder, all);
    }
    let Some(wanted) = &args.name else {
        names.iter().for_each(out);
        return Ok(Exit::Done);
    };
    let found = all.iter().find(|(name, _)| name.trim_end_matches(".json") == wanted);
    let (_, schema) =
        found.ok_or_else(|| Stop::input(format!("no schema {wanted}; there are: {}", names.join(", "))))?;
    raw(format!("{schema:#}"));
    Ok(Exit::Done)
}

/// Largest file that may be one of ours.
const BYTES_MAX: u64 = 4 << 20;

/// Where a written schema says what made it, and of what.
const COMMENT: &str = "$comment";

/// What its digest stands behind.
const MADE: &str = "Made by `callsheet schema --write`, which brings it up to date as long as it is as it was made: ";

/// Writes all schemas, or none: a file that is not as this command made it is somebody's, and is not written over.
fn write<const N: usize>(folder: &Path, all: [(&str, Value); N]) -> Result<Exit, Stop> {
    for (name, schema) in &all {
        let path = folder.join(name);
        let wrong = |why: &str| Stop::input(format!("{}: {why}; nothing was written", path.display()));
        file::regular_or_absent(&path).map_err(|error| wrong(&file::words(&error)))?;
        if path.exists() && !is_ours(&path, schema) {
            return Err(wrong(
                "there is a file that is not as this command made it: give another folder, or remove it",
            ));
        }
    }
    let unwritten = |path: &Path| {
        let path = path.display().to_string();
        move |why: std::io::Error| Stop::failed(format!("{path} cannot be written: {}", file::words(&why)))
    };
    std::fs::create_dir_all(folder).map_err(unwritten(folder))?;
    let many = all.len();
    for (name, schema) in all {
        let path = folder.join(name);
        std::fs::write(&path, text(schema)).map_err(unwritten(&path))?;
    }
    say(format!("{many} schemas written to {}", folder.display()));
    Ok(Exit::Done)
}

/// A schema as it is written, with what made it.
pub(super) fn text(mut schema: Value) -> String {
    schema[COMMENT] = Value::from(made(&schema));
    format!("{schema:#}\n")
}

fn made(schema: &Value) -> String {
    let digest = Digest::of("callsheet editor schema 1", &[schema.to_string().as_bytes()]);
    format!("{MADE}{digest}")
}

/// Whether the file says what this command wrote there, in this version or an earlier one.
fn is_ours(path: &Path, now: &Value) -> bool {
    let text = file::text(path, BYTES_MAX).unwrap_or_default();
    let Ok(mut found) = serde_json::from_str::<Value>(&text) else { return false };
    let said = found.as_object_mut().and_then(|fields| fields.remove(COMMENT));
    found == *now || said.is_some_and(|said| said == made(&found).as_str())
}
