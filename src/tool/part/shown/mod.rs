//! What the bytes of an item say, part by part, for the person who approves them: nothing that leaves is left out. How
//! it is printed is the terminal's.

mod html;
mod mail;
mod part;

pub use part::Shown;

use super::page;
use crate::tool::item::Item;

/// All parts of `item`, by what its bytes are. Text that is no UTF-8 is shown as far as it is, and named by its digest.
pub fn parts(item: &Item) -> Vec<Shown> {
    if item.media_type == "message/rfc822" {
        return mail::parts(&item.bytes);
    }
    let text = String::from_utf8_lossy(&item.bytes);
    let mut parts = match item.media_type.as_str() {
        // What a page shows its readers could be broken up by its tags.
        "text/html" => {
            vec![Shown::text("", text.clone()), Shown::text("its words, as readers see them", page::plain(&text))]
        }
        "text/csv" => vec![Shown::Rows(text.lines().map(str::to_owned).collect())],
        kind if kind.starts_with("text/") || kind == "application/json" => vec![Shown::text("", text.clone())],
        _ => Vec::new(),
    };
    if parts.is_empty() || matches!(text, std::borrow::Cow::Owned(_)) {
        parts.push(Shown::file(&item.key, &item.media_type, &item.bytes));
    }
    parts
}
