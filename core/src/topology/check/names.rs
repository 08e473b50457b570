//! Rule: names are words, not reserved, and used once.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::draft::Draft;
use crate::id::Malformed;
use crate::topology::fault::{At, Code};

/// Names that paths, handoffs or rehearsals use for something else.
const RESERVED: [&str; 8] = ["start", "end", "failed", "test", "message", "params", "brief", "schema_version"];

/// The name as its type; a fault if it is malformed.
pub(super) fn parse<T: FromStr<Err = Malformed>>(draft: &mut Draft<'_>, at: &At<String>) -> Option<T> {
    let is_own = *at.place.file == *format!("topologies/{}.toml", draft.name);
    let parsed = match at.value.contains('.') && is_own && !draft.made.contains(&at.value) {
        true => format!("{}/", at.value).parse::<T>(),
        false => at.value.parse::<T>(),
    };
    if let Err(why) = &parsed {
        draft.fault(Code::Name, &at.place, format!("{:?} is no name", at.value), why.to_string());
    }
    parsed.ok()
}

/// The same, and not reserved.
pub(super) fn parse_free<T: FromStr<Err = Malformed>>(draft: &mut Draft<'_>, at: &At<String>) -> Option<T> {
    if RESERVED.contains(&at.value.as_str()) {
        let what = format!("`{}` is reserved", at.value);
        draft.fault(Code::Name, &at.place, what, format!("choose another name than {}", RESERVED.join(", ")));
        return None;
    }
    parse(draft, at)
}

/// Tells of a name that a list has twice.
pub(super) fn once(draft: &mut Draft<'_>, list: &[At<String>]) {
    let mut seen = BTreeSet::new();
    for at in list {
        if !seen.insert(at.value.trim_end_matches('?')) {
            draft.fault(Code::Name, &at.place, format!("`{}` is named twice", at.value), "name it once");
        }
    }
}
