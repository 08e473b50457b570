//! What a receipt says, as people read it: where the item is, who was left out, what else there is to know.

use serde_json::Value;

/// Addresses that are named; the receipt has all.
const NAMED_MAX: usize = 20;

/// All of it, in a sentence.
pub(super) fn words(receipt: &Value) -> Option<String> {
    let place = receipt.get("place")?.as_str()?;
    let more = [left_out(receipt), remark(receipt)].into_iter().flatten().map(|part| format!("; {part}"));
    Some(format!("{place}{}", more.collect::<String>()))
}

/// The same, if it says more than where the item is.
pub(super) fn told(receipt: &Value) -> Option<String> {
    let plain = left_out(receipt).is_none() && remark(receipt).is_none();
    words(receipt).filter(|_| !plain)
}

fn left_out(receipt: &Value) -> Option<String> {
    let all: Vec<&str> = receipt.get("dropped")?.as_array()?.iter().filter_map(Value::as_str).collect();
    let named = all.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    let rest = all.len().saturating_sub(NAMED_MAX);
    let rest = if rest > 0 { format!(" and {rest} more, whom the receipt names") } else { String::new() };
    let count = all.len();
    (count > 0).then(|| format!("left out, since they withdrew after the approval: {count}: {named}{rest}"))
}

fn remark(receipt: &Value) -> Option<String> {
    receipt.get("remark")?.as_str().map(str::to_owned)
}
