//! What is there beside what a person accepted, as lines of a terminal: the same for servers and for databases.

use super::paint::{Safe, Tone, hung, out, toned};

/// Where texts beside a name begin.
pub(super) const INDENT: usize = 4;

/// How what is there now differs from what was accepted; none if nothing was.
pub(super) fn told(changes: Option<Vec<String>>) {
    match changes {
        Some(changes) if changes.is_empty() => out("accepted: the same"),
        Some(changes) => {
            out(toned(Tone::Attention, "accepted was something else:"));
            changes.iter().for_each(|change| line(change));
        }
        None => out("accepted: nothing yet"),
    }
}

/// A line below a name.
pub(super) fn line(text: &str) {
    hung(format!("{:INDENT$}{}", "", Safe(text)), INDENT);
}
