//! What is said of a claim: what stands at its place, and where that comes from.

use crate::service::ledger::{Cited, Pointer};

/// A claim in a line: what it says, and what stands at its place.
pub fn says(cited: &Cited) -> String {
    match (cited.says.is_empty(), cited.what.is_empty()) {
        (false, false) => format!("{}{}", lead(cited), cited.what),
        (false, true) => cited.says.clone(),
        (true, _) => cited.what.clone(),
    }
}

/// What a claim says, as it stands before what is at its place: a whole sentence, or the beginning of one.
pub fn lead(cited: &Cited) -> String {
    let is_sentence = cited.says.ends_with(['.', '!', '?']);
    format!("{}{}", cited.says, if is_sentence { " " } else { ": " })
}

/// Where it comes from, in a line.
pub fn source(cited: &Cited) -> String {
    let place = |pointer: &Pointer| format!("{} at {}", pointer.source, pointer.at);
    cited.from.iter().map(place).collect::<Vec<_>>().join(", which has it from ")
}

/// A claim and where it comes from, with the record of the call, in two lines.
pub fn told(cited: &Cited) -> [String; 2] {
    let record = cited.record.map(|record| format!(" (record {record})")).unwrap_or_default();
    [says(cited), format!("  from {}{record}", source(cited))]
}
