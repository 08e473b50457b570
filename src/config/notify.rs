//! `[notify]`: what it says, and every fault of it on its line.

use serde::Deserialize as _;

use super::origin::word;
use crate::topology::editor::{ChannelKind, Notify};
use crate::topology::fault::{At, Code, Fault, Faults};
use crate::topology::raw::{Entries, Tree};
use crate::topology::shape;

/// What the table says, if it is well written; `people` are whom the project declares.
pub(super) fn read(table: &Tree, people: Option<&Entries<Vec<At<String>>>>, faults: &mut Faults) -> Option<Notify> {
    let wrong = shape::faults(table, &schemars::schema_for!(Notify).to_value());
    if !wrong.is_empty() {
        faults.extend(wrong);
        return None;
    }
    let read = Notify::deserialize(&table.value).ok()?;
    let mut fault = |at: &Tree, code, what: String, instead: &str| {
        faults.push(Fault::new(code, &at.place, what, instead));
    };
    if read.link.as_ref().is_some_and(|link| !is_address(link)) {
        let what = "the page has no such address".to_owned();
        fault(table.at(["link"]), Code::WrongValue, what, "write it as \"https://callsheet.example.com\"");
    }
    for (name, channel) in &read.channels {
        let of = |key: &str| table.at(["channels", name, key]);
        if channel.kind != ChannelKind::Webhook && channel.key_env.is_some() {
            let what = "only what a webhook hears is signed".to_owned();
            fault(of("key_env"), Code::WrongValue, what, "leave `key_env` out");
        }
        let strangers = channel.whom.iter().filter(|whom| !is_known(whom, people));
        for whom in strangers {
            let what = format!("the project declares nobody as {whom:?}");
            fault(
                of("for"),
                Code::WrongValue,
                what,
                "write a name of [people], or \"group:NAME\" of a group of theirs",
            );
        }
    }
    let channels = table.part("channels").into_iter().flat_map(|(_, channels)| &channels.parts);
    channels.for_each(|(name, _)| word(name, faults));
    Some(read)
}

/// Whether it is where a page can be, with nothing behind its host and path.
fn is_address(link: &str) -> bool {
    let is_plain = |rest: &str| {
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()) && !rest.contains(['?', '#', '@'])
    };
    ["https://", "http://"].iter().filter_map(|scheme| link.strip_prefix(scheme)).any(is_plain)
}

fn is_known(whom: &str, people: Option<&Entries<Vec<At<String>>>>) -> bool {
    let mut people = people.into_iter().flatten();
    match whom.strip_prefix("group:") {
        Some(group) => people.any(|(_, groups)| groups.iter().any(|of| of.value == group)),
        None => people.any(|(name, _)| name.value == whom),
    }
}
