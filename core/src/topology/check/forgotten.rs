//! Rule: an entry of `[team]` says what its member reads, writes and asks. What its agent's texts and its rehearsal take for
//! granted is told once, at the entry, with the line to write.

use super::assigned;
use super::branches::Merges;
use super::draft::Draft;
use super::graph::Graph;
use super::lacking::List;
use crate::id::ArtefactName;
use crate::topology::fault::{At, Code, Edit, Fault, Place};
use crate::topology::raw::topology::Topology;

/// Tells what is forgotten, once the ways through the team are known as far as they can be.
pub(super) fn tell(draft: &mut Draft<'_>, raw: &Topology, ways: Option<(&Graph, &Merges)>) {
    for ((member, list), names) in std::mem::take(&mut draft.forgotten) {
        let Some((key, entry)) = raw.team.iter().find(|(key, _)| key.value == member) else {
            draft.faults.extend(names.into_values().flatten());
            continue;
        };
        if list == List::Writes {
            // Nobody writes it, for the same cause.
            let is_told = |fault: &Fault| {
                names.keys().any(|name| fault.what.ends_with(&format!("reads `{name}`, and nobody writes it")))
            };
            draft.faults.retain(|fault| fault.code != Code::Unassigned || !is_told(fault));
        }
        // What has to agree with something needs it.
        let is_optional = names.values().flatten().any(|fault| fault.code != Code::ToolPath);
        let written = |name: &String| match list {
            List::Reads if is_optional && may_be_absent(ways, &member, name) => format!("\"{name}?\""),
            _ => format!("\"{name}\""),
        };
        let lacking: Vec<String> = names.keys().map(written).collect();
        let first = names.into_values().flatten().min_by_key(|fault| rank(fault.code));
        let Some(first) = first else { continue };
        draft.faults.push(one(draft, key, list, list.of(entry), &lacking, &first));
    }
}

/// The most telling kind of fault comes first.
fn rank(code: Code) -> u8 {
    u8::from(code == Code::ToolPath)
}

fn one(
    draft: &Draft<'_>,
    key: &At<String>,
    list: List,
    there: &[At<String>],
    lacking: &[String],
    first: &Fault,
) -> Fault {
    let member = &key.value;
    let names = lacking.iter().map(|name| name.replace('"', "`").replace("?`", "`")).collect::<Vec<_>>().join(" and ");
    let does = match list {
        List::Reads => "read",
        List::Writes => "write",
        List::MayAsk => "ask",
    };
    let what = match first.code {
        Code::ToolPath => first.what.clone(),
        _ => format!("`{member}` is to {does} {names}, and its entry in [team] does not say so"),
    };
    let whole: Vec<String> = there.iter().map(|at| format!("{:?}", at.value)).chain(lacking.iter().cloned()).collect();
    let instead = format!("write {} = [{}] for `{member}`", list.word(), whole.join(", "));
    let fault = Fault::new(first.code, &key.place, what, instead);
    match edit(draft, key, list, there, lacking) {
        Some(edit) => Fault { edit: Some(edit), ..fault },
        None => fault,
    }
}

/// What to put into the file, where the entry has one of the usual forms.
fn edit(draft: &Draft<'_>, key: &At<String>, list: List, there: &[At<String>], lacking: &[String]) -> Option<Edit> {
    let more = lacking.join(", ");
    let put =
        |at: usize, text: String| Some(Edit { place: Place { file: key.place.file.clone(), span: at..at }, text });
    if let Some(last) = there.last() {
        return put(last.place.span.end, format!(", {more}"));
    }
    let text = draft.faults.text(&key.place.file)?;
    let after = text.get(key.place.span.end..)?;
    let line = after.lines().next()?;
    if line.trim_start().starts_with(']') {
        let end = key.place.span.end + line.len();
        return put(end, format!("\n{} = [{more}]", list.word()));
    }
    let brace = line.find('{').filter(|at| line[..*at].trim() == "=")? + 1;
    let is_empty = line[brace..].trim_start().starts_with('}');
    let comma = if is_empty { " " } else { "," };
    put(key.place.span.end + brace, format!(" {} = [{more}]{comma}", list.word()))
}

/// Whether a member can be reached before an artefact is written.
fn may_be_absent(ways: Option<(&Graph, &Merges)>, member: &str, artefact: &str) -> bool {
    let (Some((graph, merges)), Ok(artefact)) = (ways, artefact.parse::<ArtefactName>()) else { return false };
    assigned::may_be_absent(graph, merges, member, &artefact)
}
