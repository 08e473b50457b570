//! Rule: a file that no team uses is right as far as that can be said without a team: its form, the tools and the people that
//! it names, its templates. What it reads, writes and hands on only a team says.

use std::sync::Arc;

use super::draft::Draft;
use super::given::{Files, Surroundings};
use super::seat::Seat;
use super::{person, schemas, team, template};
use crate::id::AgentName;
use crate::topology::fault::{At, Faults, Place};
use crate::topology::raw::{agent, rehearsal};

/// Checks the agent, the schema or the rehearsal at `path`, below the project.
pub fn alone(path: &str, files: &dyn Files, around: &Surroundings) -> Faults {
    let mut draft = Draft::new("", files, around);
    let stem = path.rsplit('/').next().and_then(|name| name.split('.').next()).unwrap_or_default();
    match path.split('/').next() {
        Some("schemas") => schemas::alone(&mut draft, &At { value: stem.to_owned(), place: Place::top(path) }),
        Some("agents") => {
            if let Some((file, text)) = draft.text(path, &Place::top(path)) {
                agent(&mut draft, stem, &file, &text);
            }
        }
        _ => {
            if let Some((file, text)) = draft.text(path, &Place::top(path)) {
                draft.keep(rehearsal::read(&file, &text));
            }
        }
    }
    draft.finish()
}

fn agent(draft: &mut Draft<'_>, stem: &str, file: &Arc<str>, text: &str) {
    let Some(read) = draft.keep(agent::read(file, text)) else { return };
    let Ok(name) = stem.parse::<AgentName>() else { return };
    let mut seat = Seat::empty(name, &read.top);
    match read.kind {
        agent::Kind::Model(model) => {
            team::alone(draft, &model, &mut seat);
            if let Some(instructions) = seat.instructions {
                template::template(draft, &instructions, None);
            }
        }
        agent::Kind::Person(person) => person::alone(draft, &person),
        agent::Kind::Tool(tool) => drop(team::known_tool(draft, &tool.tool)),
    }
}
