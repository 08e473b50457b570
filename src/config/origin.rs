//! Where settings come from, one by one.

use crate::id::AgentName;
use crate::topology::fault::{At, Code, Fault, Faults};

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its name in files.
    pub setting: String,
    /// Its value; secrets are never settings.
    pub value: String,
    /// `--model`, `CALLSHEET_MODEL`, a file, or `default`.
    pub from: String,
}

/// A value, and where it came from.
pub(super) type Found = (String, String);

/// What a file says, and which.
pub(super) fn found(at: &At<String>) -> Found {
    (at.value.clone(), at.place.file.to_string())
}

/// Records where a value came from; an empty default is shown as none.
pub(super) fn keep(origins: &mut Vec<Origin>, setting: &str, found: Option<Found>, default: &str) -> Option<String> {
    let (value, from) = found.unwrap_or_else(|| (default.to_owned(), "default".to_owned()));
    let shown = if value.is_empty() { "none".to_owned() } else { value.clone() };
    origins.push(Origin { setting: setting.to_owned(), value: shown, from });
    Some(value)
}

/// Tells of a name in the project file that is none.
pub(super) fn word(name: &At<String>, faults: &mut Faults) {
    if let Err(why) = name.value.parse::<AgentName>() {
        faults.push(Fault::new(Code::Name, &name.place, format!("{:?} is no name", name.value), why.to_string()));
    }
}
