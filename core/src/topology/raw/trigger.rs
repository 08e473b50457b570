//! `[triggers]` of a topology as written.

use toml::de::DeValue;

use super::Entries;
use super::walk::{Node, Reader};
use crate::topology::fault::{At, Code};
use crate::topology::trigger::{Given, Missed, Overlap, Period};

/// An entry of `[triggers]`.
#[derive(Debug, Clone, Default)]
pub struct Trigger {
    /// It is no table, or a value in it cannot be read, which is told.
    pub broken: bool,
    /// The pattern of its times.
    pub cron: Option<At<String>>,
    /// The topology whose runs it follows.
    pub after: Option<At<String>>,
    /// Whether requests fire it, and where that is written.
    pub webhook: Option<At<bool>>,
    /// The variable that holds the key of requests.
    pub key_env: Option<At<String>>,
    /// What becomes of times at which no server ran.
    pub missed: Option<At<Missed>>,
    /// What becomes of a firing while the run before is not over.
    pub overlap: Overlap,
    /// Where the values of parameters come from.
    pub params: Entries<At<Given>>,
}

const KEYS: [&str; 7] = ["cron", "after", "webhook", "key_env", "missed", "overlap", "params"];

const PERIODS: [(&str, Period); 5] = [
    ("day", Period::Day),
    ("week", Period::Week),
    ("month", Period::Month),
    ("quarter", Period::Quarter),
    ("year", Period::Year),
];

pub(super) fn read(reader: &mut Reader, node: &Node<'_>) -> Trigger {
    let before = reader.faults.len();
    let Some(keys) = reader.table(node, &KEYS) else { return Trigger { broken: true, ..Trigger::default() } };
    let mut text = |key: &str| keys.get(key).and_then(|node| reader.string(node));
    let [cron, after, key_env] = ["cron", "after", "key_env"].map(&mut text);
    let webhook = keys.get("webhook").and_then(|node| {
        let said = reader.boolean(node)?;
        Some(reader.at(node.span(), said))
    });
    let missed = keys.get("missed").and_then(|node| {
        let word = reader.word(node, &[("once", Missed::Once), ("skip", Missed::Skip)])?;
        Some(reader.at(node.span(), word))
    });
    let words = [("wait", Overlap::Wait), ("skip", Overlap::Skip), ("start", Overlap::Start)];
    let overlap = keys.get("overlap").and_then(|node| reader.word(node, &words)).unwrap_or_default();
    let params = reader.entries(keys.get("params"));
    let params = params.into_iter().filter_map(|(name, node)| Some((name, given(reader, node)?))).collect();
    let broken = reader.faults.len() > before;
    Trigger { broken, cron, after, webhook, key_env, missed, overlap, params }
}

fn given(reader: &mut Reader, node: &Node<'_>) -> Option<At<Given>> {
    const WANTED: &str = "a value, { last = \"quarter\" }, { this = \"day\" } or { from = \"/plan/topic\" }";
    let given = match node.get_ref() {
        DeValue::Table(_) => {
            let keys = reader.table(node, &["last", "this", "from"])?;
            let mut period = |key| keys.get(key).map(|node| reader.word(node, &PERIODS));
            match (period("last"), period("this"), keys.get("from")) {
                (Some(period), None, None) => Given::Last(period?),
                (None, Some(period), None) => Given::This(period?),
                (None, None, Some(node)) => Given::From(pointer(reader, node)?),
                _ => {
                    reader.wrong(node, WANTED);
                    return None;
                }
            }
        }
        DeValue::Array(_) | DeValue::Datetime(_) => {
            reader.wrong(node, WANTED);
            return None;
        }
        _ => Given::Value(reader.json(node).value),
    };
    Some(reader.at(node.span(), given))
}

/// A JSON pointer; one that is written as a path is told, with the pointer that was meant.
fn pointer(reader: &mut Reader, node: &Node<'_>) -> Option<String> {
    let at = reader.string(node)?;
    if at.value.starts_with('/') {
        return Some(at.value);
    }
    let meant = format!("/{}", at.value.replace('.', "/"));
    let what = format!("{:?} is no JSON pointer", at.value);
    reader.fault(Code::WrongValue, node.span(), what, format!("write \"{meant}\""));
    if let Some(fault) = reader.faults.pop() {
        reader.faults.push(fault.with_edit(at.place, format!("\"{meant}\"")));
    }
    None
}
