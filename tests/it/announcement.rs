//! A team of three, one who writes, one who signs and a tool that publishes, in a copy of the shipped project that names a model.

use std::path::Path;

use crate::sweep::{Owned, Project, copy, scratch};

/// A project whose default model is `model`, with `tables` at the end of its callsheet.toml.
pub(crate) fn project(model: &str, tables: &str) -> Owned {
    let (root, fresh) = (Path::new(env!("CARGO_MANIFEST_DIR")), scratch());
    for folder in ["agents", "topologies", "schemas", "rehearsals", "data"] {
        copy(&root.join(folder), &fresh.path().join(folder));
    }
    copy(&root.join("tests/cases/announcement"), fresh.path());
    let text = std::fs::read_to_string(root.join("callsheet.toml")).unwrap();
    let named = text.replace("[models]\n", &format!("[models]\ndefault = {model:?}\n"));
    assert_ne!(named, text);
    std::fs::write(fresh.path().join("callsheet.toml"), named + tables).unwrap();
    Project::copy(fresh.path(), "announcement")
}
