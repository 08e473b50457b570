//! What a receipt says, as people read it: where the item is, who was left out, what else there is to know.

use super::super::body::Receipt;

/// Addresses that are named; the receipt has all.
const NAMED_MAX: usize = 20;

/// All of it, in a sentence.
pub(super) fn words(receipt: &Receipt) -> String {
    let refused = named(&receipt.refused, "refused there for good");
    let over = named(&receipt.over, "left out, since they have had as many as they may have");
    let more = [left_out(receipt), refused, over, receipt.remark.clone()]
        .into_iter()
        .flatten()
        .map(|part| format!("; {part}"));
    format!("{}{}", receipt.place, more.collect::<String>())
}

/// The same, if it says more than where the item is.
pub(super) fn told(receipt: &Receipt) -> Option<String> {
    let plain =
        receipt.dropped.is_empty() && receipt.refused.is_empty() && receipt.over.is_empty() && receipt.remark.is_none();
    (!plain).then(|| words(receipt))
}

fn left_out(receipt: &Receipt) -> Option<String> {
    named(&receipt.dropped, "left out, since they withdrew after the approval")
}

fn named(all: &[String], what: &str) -> Option<String> {
    let named = all.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    let rest = all.len().saturating_sub(NAMED_MAX);
    let rest = if rest > 0 { format!(" and {rest} more, whom the receipt names") } else { String::new() };
    let count = all.len();
    (count > 0).then(|| format!("{what}: {count}: {named}{rest}"))
}
