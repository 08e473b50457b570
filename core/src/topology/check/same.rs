//! Rule: fields that have to be the same are there, and whoever writes one can see the other.

use super::args::follow;
use super::draft::Draft;
use super::lacking::List;
use crate::topology::fault::{At, Code, Fault};
use crate::topology::raw::topology::Topology;

pub(super) fn check(draft: &mut Draft<'_>, raw: &Topology) {
    for (name, artefact) in &raw.artefacts {
        for (field, other) in &artefact.same {
            let keys: Vec<String> = field.value.split('.').map(str::to_owned).collect();
            leads(draft, field, &name.value, &keys);
            let (root, keys) = draft.rooted(raw, &other.value);
            let at = At { value: root.clone(), place: other.place.clone() };
            if draft.artefact(raw, &at).is_none_or(|meant| meant.as_str() != root) {
                continue;
            }
            leads(draft, other, &root, &keys);
            seen(draft, raw, &name.value, other, &root);
        }
    }
}

/// Whether a path below an artefact leads somewhere.
fn leads(draft: &mut Draft<'_>, path: &At<String>, artefact: &str, keys: &[String]) {
    let schema = artefact.parse().ok().and_then(|name| draft.schema(&name));
    if let Some(schema) = schema {
        // What is wrong is told.
        let _known = follow(draft, path, &schema, keys);
    }
}

/// Whether every member that writes `artefact` reads or writes `root` too: nobody can agree with what they do not see.
fn seen(draft: &mut Draft<'_>, raw: &Topology, artefact: &str, other: &At<String>, root: &str) {
    let has = |list: &[At<String>], name: &str| list.iter().any(|at| at.value.trim_end_matches('?') == name);
    for (writer, member) in &raw.team {
        let known =
            |at: &At<String>| raw.artefacts.iter().any(|(name, _)| at.value.trim_end_matches('?') == name.value);
        // What is misspelt there may be it, and is told.
        let all_known = member.reads.iter().chain(&member.writes).all(known);
        if all_known && has(&member.writes, artefact) && !has(&member.writes, root) && !has(&member.reads, root) {
            let what =
                format!("`{}` writes `{artefact}` and does not see `{root}`, with which it has to agree", writer.value);
            let fault = Fault::new(Code::ToolPath, &other.place, what, "");
            draft.forgot(&writer.value, List::Reads, root, fault);
        }
    }
}
