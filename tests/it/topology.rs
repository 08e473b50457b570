//! Tests of topology: files in, a plan or every fault out.

mod bill;
mod caps;
mod editors;
mod mistakes;
mod project;
mod proofs;
mod questions;
mod splits;
mod teams;

use std::collections::BTreeMap;
use std::path::Path;

use callsheet::config::{Flags, Settings};
use callsheet::topology::check::{Checked, Surroundings, check};
use callsheet::topology::fault::Faults;
use callsheet::topology::plan::Mode;
use callsheet::topology::spec::{Reach, ToolSpec};
use serde_json::json;

pub(crate) use super::files::Memory;
use super::files::tool;

pub(crate) fn cases() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

/// The project in tests/cases/topology/base.
pub(crate) fn base() -> Memory {
    Memory::below(&cases().join("topology/base"))
}

pub(crate) fn tools() -> Vec<ToolSpec> {
    let text = json!({ "type": "string" });
    let any = json!({});
    vec![
        tool("performance.query", Reach::Inside, json!({ "query": text, "params": { "type": "object" } }), &["query"]),
        tool("stats.rank", Reach::Inside, json!({ "rows": any, "base_min": { "type": "integer" } }), &["rows"]),
        tool("brand.search", Reach::Inside, json!({ "text": text }), &["text"]),
        tool(
            "email.deliver",
            Reach::ActsOut,
            json!({ "sequence": { "type": "object" }, "audience": { "type": "object" },
                    "from": { "type": "string", "pattern": "@" }, "pause_ms": { "type": "integer" } }),
            &["sequence", "audience", "from"],
        ),
        tool("posts.publish", Reach::ActsOut, json!({ "posts": { "type": "array" }, "campaign": text }), &["posts"]),
    ]
}

/// Surroundings as the base project's settings give them.
pub(crate) fn around(mode: Mode) -> Surroundings {
    let flags = Flags::default();
    let settings = Settings::read(&flags, &cases().join("topology/base"), BTreeMap::new()).unwrap();
    let mut around = settings.surroundings(mode, tools(), ["campaign_qa"]);
    around.people.insert("ben".to_owned(), vec![]);
    around
}

pub(crate) fn checked(name: &str, files: &Memory) -> Result<Checked, Faults> {
    check(name, files, &around(Mode::Rehearsal))
}
