//! Words that several screens share: a run's parameters and mode, the progress of an approval, a version, what changed.

use similar::{ChangeTag, DiffTag, TextDiff};

use super::paint::{Safe, Tone, toned};
use super::story::date_time;
use crate::id::{NanoUsd, RunNo, Timestamp};
use crate::service::change::{Change, Part};
use crate::service::list::Params;
use crate::topology::plan::Mode;

/// Longest value of a parameter that is shown beside others.
const PARAM_CHARS_MAX: usize = 40;
/// How alike two lines are, from 0 to 1, so that their difference is shown word by word.
const ALIKE_MIN: f32 = 0.6;

/// A run's parameters in a line; empty if it has none.
pub(super) fn params(params: &Params) -> String {
    let one = |(name, value): (&String, &serde_json::Value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let is_long = text.chars().count() > PARAM_CHARS_MAX;
        let cut: String = text.chars().take(PARAM_CHARS_MAX - 3).collect();
        format!("{name}={}", if is_long { format!("{cut}...") } else { text })
    };
    params.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// A run by its number, whether models run in it, and with which parameters of its own.
pub(super) fn run(no: RunNo, mode: Mode, given: &Params) -> String {
    let given = if given.is_empty() { String::new() } else { format!(" with {}", params(given)) };
    format!("run {no}, {}{given}", self::mode(mode))
}

/// Whether models run, in a word.
pub(super) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Live => "live",
        Mode::Rehearsal => "rehearsal",
        Mode::Replay => "replay",
    }
}

/// Money in a list, to a hundredth of a cent; what is less is not shown as nothing.
pub(super) fn money(nano_usd: u64) -> String {
    const STEP: u64 = 100_000;
    NanoUsd(nano_usd.div_ceil(STEP).saturating_mul(STEP)).to_string()
}

/// How far an approval is that several people have to give; nothing if one is enough.
pub(super) fn progress(needed: u32, approved_by: &[String]) -> Option<String> {
    let by = if approved_by.is_empty() { String::new() } else { format!(": {}", approved_by.join(", ")) };
    (needed > 1).then(|| format!("{} of {needed} approved{by}", approved_by.len()))
}

/// A version of an artefact by its number and time.
pub(super) fn version(artefact: &str, no: usize, at: Timestamp, zone: &str) -> String {
    format!("version {no} of {artefact}, {}", date_time(at, zone))
}

/// What changed in an artefact: a line on what is compared, then each part that differs.
pub(super) fn change(change: &Change) -> Vec<String> {
    let Change { artefact, from, to, shown_in, parts } = change;
    let shown = shown_in.map_or_else(String::new, |no| format!(", which approval {no} showed"));
    let title = format!("What changed in {artefact}: version {to} after version {from}{shown}");
    let mut lines = vec![format!("\n{}", toned(Tone::Strong, Safe(&title)))];
    if parts.is_empty() {
        lines.push("  nothing".to_owned());
    }
    lines.extend(parts.iter().flat_map(part));
    lines
}

fn part(part: &Part) -> Vec<String> {
    let path = part.path.join(" ");
    let name = if path.is_empty() { "all of it".to_owned() } else { path };
    let mut lines = vec![format!("  {}", Safe(&format!("{name}:")))];
    match (&part.before, &part.now) {
        (Some(before), Some(now)) => lines.extend(between(before, now)),
        (before, now) => {
            lines.extend(whole(before.as_deref().unwrap_or_default().lines(), '-', Tone::Bad));
            lines.extend(whole(now.as_deref().unwrap_or_default().lines(), '+', Tone::Good));
        }
    }
    lines
}

/// The lines that differ: word by word where two are alike, else the old ones above the new ones.
fn between(before: &str, now: &str) -> Vec<String> {
    let (before, now): (Vec<&str>, Vec<&str>) = (before.lines().collect(), now.lines().collect());
    let mut lines = Vec::new();
    for op in TextDiff::from_slices(&before, &now).ops() {
        let (old, new) = (&before[op.old_range()], &now[op.new_range()]);
        match (op.tag(), old, new) {
            (DiffTag::Equal, ..) => {}
            (_, [old], [new]) if is_alike(old, new) => lines.push(format!("    {}", by_words(old, new))),
            _ => {
                lines.extend(whole(old.iter().copied(), '-', Tone::Bad));
                lines.extend(whole(new.iter().copied(), '+', Tone::Good));
            }
        }
    }
    lines
}

fn is_alike(old: &str, new: &str) -> bool {
    TextDiff::from_words(old, new).ratio() >= ALIKE_MIN
}

fn whole<'l>(lines: impl Iterator<Item = &'l str>, mark: char, tone: Tone) -> Vec<String> {
    let lines = lines.filter(|line| !line.trim().is_empty());
    lines.map(|line| format!("    {}", toned(tone, format!("{mark} {}", Safe(line))))).collect()
}

/// Words that went and came, between two stretches that stayed.
#[derive(Default)]
struct Swap {
    before: String,
    now: String,
}

impl Swap {
    /// As it is written into a line: `[-before-]{+now+}`; the blank at its end stands behind it.
    fn written(&self) -> String {
        let mark = |tone, text: &str, open, close| match text.trim_end() {
            "" => String::new(),
            text => toned(tone, format!("{open}{}{close}", Safe(text))),
        };
        let ends_blank = [&self.before, &self.now].into_iter().any(|text| text.ends_with(' '));
        let (before, now) = (mark(Tone::Bad, &self.before, "[-", "-]"), mark(Tone::Good, &self.now, "{+", "+}"));
        format!("{before}{now}{}", if ends_blank { " " } else { "" })
    }

    fn is_empty(&self) -> bool {
        self.before.is_empty() && self.now.is_empty()
    }
}

/// A line in which words changed, with these marked.
fn by_words(before: &str, now: &str) -> String {
    let (mut text, mut swap, mut blank) = (String::new(), Swap::default(), String::new());
    for change in TextDiff::from_words(before, now).iter_all_changes() {
        let word = change.value();
        match change.tag() {
            // Blanks between words that changed change with them.
            ChangeTag::Equal if word.trim().is_empty() && blank.is_empty() => blank.push_str(word),
            ChangeTag::Equal => {
                text.push_str(&std::mem::take(&mut swap).written());
                text.push_str(&std::mem::take(&mut blank));
                text.push_str(&Safe(word).to_string());
            }
            tag => {
                let blank = std::mem::take(&mut blank);
                if swap.is_empty() {
                    text.push_str(&blank);
                } else {
                    swap.before.push_str(&blank);
                    swap.now.push_str(&blank);
                }
                if tag == ChangeTag::Delete { swap.before.push_str(word) } else { swap.now.push_str(word) }
            }
        }
    }
    text + &swap.written()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        text.split('\u{1b}')
            .enumerate()
            .map(|(nth, part)| if nth == 0 { part } else { part.split_once('m').unwrap().1 })
            .collect()
    }

    #[test]
    fn a_difference_is_read_word_by_word() {
        let check = |before: Option<&str>, now: Option<&str>, wanted: &[&str]| {
            let path = vec!["mails".to_owned(), "1".to_owned()];
            let of = Part { path, before: before.map(str::to_owned), now: now.map(str::to_owned) };
            let lines: Vec<String> = part(&of).iter().map(|line| plain(line)).collect();
            assert_eq!(lines[0], "  mails 1:");
            assert_eq!(lines[1..], *wanted);
        };
        check(Some("15 % off all ferns"), Some("15 % off all plants"), &["    15 % off all [-ferns-]{+plants+}"]);
        check(Some("a b c d e f"), Some("a x y d e f"), &["    a [-b c-]{+x y+} d e f"]);
        check(Some("one two three"), Some("one two three four"), &["    one two three{+ four+}"]);
        check(Some("old words"), Some("all is new here"), &["    - old words", "    + all is new here"]);
        check(None, Some("new\nlines"), &["    + new", "    + lines"]);
        check(Some("gone"), None, &["    - gone"]);
        check(
            Some("first line\nthe second line stays\nthe third line goes\n\nall of this"),
            Some("first line\nthe second line stays\nthe third line went\n\nis another thing"),
            &["    the third line [-goes-]{+went+}", "    - all of this", "    + is another thing"],
        );
    }

    #[test]
    fn a_quorum_is_told_with_who_approved() {
        let check = |needed, by: &[&str], wanted: Option<&str>| {
            let by: Vec<String> = by.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(progress(needed, &by).as_deref(), wanted);
        };
        check(1, &[], None);
        check(2, &[], Some("0 of 2 approved"));
        check(2, &["ana"], Some("1 of 2 approved: ana"));
        check(3, &["ana", "bob"], Some("2 of 3 approved: ana, bob"));
    }
}
