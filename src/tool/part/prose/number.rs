//! Numbers as people write them, in the digits of any script, with what stands around them. What they are worth is
//! left to `claim`.

use icu_properties::props::{GeneralCategory, GeneralCategoryGroup};

use super::text::GROUP_SPACE;
use super::words::{self, List};
use crate::text::{category, digit};

/// A number of a text.
pub(in crate::tool) struct Number {
    /// As it is written, with its sign.
    pub(in crate::tool) shown: String,
    /// What it may mean; `4.210` is two things.
    pub(in crate::tool) readings: Vec<Reading>,
    pub(in crate::tool) percent: bool,
    /// Digits alone, and few enough for a counter.
    pub(in crate::tool) whole: Option<u32>,
}

/// One meaning of a number.
pub(in crate::tool) struct Reading {
    pub(in crate::tool) value: f64,
    /// One unit of its last written digit.
    pub(in crate::tool) step: f64,
}

/// What stands around a number, in small letters.
pub(in crate::tool) struct Around {
    /// The word before it.
    pub(in crate::tool) before: String,
    /// The two words after it.
    pub(in crate::tool) after: [String; 2],
    /// The two words after the other end of its range, if it begins one.
    pub(in crate::tool) beyond: [String; 2],
    /// Letters directly after it, perhaps past a hyphen, a dot or an apostrophe.
    pub(in crate::tool) glued: String,
    /// Whether an apostrophe parts these from it.
    pub(in crate::tool) apostrophe: bool,
    /// Directly before it.
    pub(in crate::tool) previous: Option<char>,
    /// From its end on, a little.
    pub(in crate::tool) rest: String,
    /// Whether a dot after it ends no sentence, since that goes on in small letters.
    pub(in crate::tool) dot_goes_on: bool,
    /// Whether it labels what follows: `Tip 3:` in a line of its own, `No. 3`.
    pub(in crate::tool) label: bool,
}

/// Where the number that begins at `place` ends: digits, and separators with a digit after them.
pub(in crate::tool) fn end_of(chars: &[char], place: usize) -> usize {
    let mut end = place;
    loop {
        match chars.get(end) {
            Some(c) if digit(*c).is_some() => end += 1,
            Some('.' | ',' | '\u{66B}' | '\u{66C}') if is_digit(chars, end + 1) => end += 1,
            // These part thousands and nothing else.
            Some('\'' | '\u{2019}' | &GROUP_SPACE) if digits(chars, end + 1) == 3 => end += 1,
            _ => return end,
        }
    }
}

pub(in crate::tool) fn is_digit(chars: &[char], at: usize) -> bool {
    chars.get(at).is_some_and(|c| digit(*c).is_some())
}

/// How many digits stand at `at`.
pub(in crate::tool) fn digits(chars: &[char], at: usize) -> usize {
    (at..).take_while(|at| is_digit(chars, *at)).count()
}

/// The whole number of at most four digits at `at`, and its length.
pub(in crate::tool) fn small(chars: &[char], at: usize) -> Option<(u32, usize)> {
    let length = Some(digits(chars, at)).filter(|length| (1..=4).contains(length))?;
    let value = chars[at..at + length].iter().filter_map(|c| digit(*c)).fold(0, |value, digit| value * 10 + digit);
    Some((value, length))
}

impl Around {
    pub(in crate::tool) fn of(chars: &[char], start: usize, end: usize) -> Self {
        let before = || chars[..start].iter().rev().skip_while(|c| is_gap(**c)).take_while(|c| is_letter(**c));
        let mut before: Vec<char> = before().copied().collect();
        before.reverse();
        let (first, next) = word(chars, end);
        let beyond = match range_end(chars, end, &first, next) {
            Some(end) => two_words(chars, end),
            None => [String::new(), String::new()],
        };
        let apostrophe = matches!(chars.get(end), Some('\'' | '\u{2019}'));
        let joined = apostrophe || matches!(chars.get(end), Some('-' | '.' | '\u{2010}' | '\u{2011}'));
        let glued: String = chars[end..].iter().skip(usize::from(joined)).take_while(|c| is_letter(**c)).collect();
        Self {
            before: before.into_iter().collect::<String>().to_lowercase(),
            after: [first, word(chars, next).0],
            beyond,
            glued: glued.to_lowercase(),
            apostrophe,
            previous: start.checked_sub(1).map(|at| chars[at]),
            rest: chars[end..].iter().take(24).collect::<String>().to_lowercase(),
            dot_goes_on: matches!(chars[end..], ['.', ' ', c, ..] if c.is_lowercase()),
            label: is_label(chars, start, end),
        }
    }

    /// The first and second word after it, and those after its range.
    pub(in crate::tool) fn words_after(&self) -> impl Iterator<Item = &String> {
        [&self.after[0], &self.beyond[0]].into_iter()
    }
}

fn is_label(chars: &[char], start: usize, end: usize) -> bool {
    let line_start = chars[..start].iter().rposition(|c| *c == '\n').map_or(0, |at| at + 1);
    let before: String = chars[line_start..start].iter().collect();
    let one_word = !before.trim().is_empty() && before.trim().chars().all(is_letter);
    let last = before.trim_end().rsplit(char::is_whitespace).next().unwrap_or_default().to_lowercase();
    (one_word && chars.get(end) == Some(&':')) || matches!(last.as_str(), "no." | "nr." | "no" | "nº" | "n\u{b0}")
}

fn two_words(chars: &[char], at: usize) -> [String; 2] {
    let (first, next) = word(chars, at);
    [first, word(chars, next).0]
}

/// The word after a gap at `at`, in small letters, and where it ends.
fn word(chars: &[char], at: usize) -> (String, usize) {
    let start = at + chars[at..].iter().take_while(|c| is_gap(**c)).count();
    let length = chars[start..].iter().take_while(|c| is_letter(**c)).count();
    (chars[start..start + length].iter().collect::<String>().to_lowercase(), start + length)
}

/// The end of the second number of a range, whose first ends at `end`: `3-5`, `3. bis 5.`
fn range_end(chars: &[char], end: usize, first: &str, after_first: usize) -> Option<usize> {
    let dash = |c: &char| matches!(c, ' ' | '.' | '-' | '\u{2010}'..='\u{2015}' | '~' | '\u{301C}' | '/' | '+' | '&');
    let from = if first.is_empty() {
        end + chars[end..].iter().take_while(|c| dash(c)).count()
    } else if first.chars().count() <= 4 {
        after_first + usize::from(chars.get(after_first) == Some(&' '))
    } else {
        return None;
    };
    (from > end && is_digit(chars, from)).then(|| end_of(chars, from))
}

fn is_gap(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '\u{2010}'..='\u{2015}' | '.')
}

fn is_letter(c: char) -> bool {
    c.is_alphabetic() || GeneralCategoryGroup::Mark.contains(category(c))
}

/// The number of these digits and separators.
pub(in crate::tool) fn number(chars: &[char], around: &Around) -> Number {
    let text: String = chars.iter().map(|c| plain(*c)).filter(|c| !matches!(c, '\'' | &GROUP_SPACE)).collect();
    let rest = around.rest.trim_start();
    let (factor, sign) = match around.glued.as_str() {
        "k" => (1e3, "k"),
        "m" => (1e6, "m"),
        _ => (1.0, if rest.starts_with(['%', '\u{66A}']) { "%" } else { "" }),
    };
    let words = words::has(List::Percent, &around.after[0])
        || (matches!(around.after[0].as_str(), "pour" | "por" | "per") && around.after[1].starts_with("cent"));
    let percent = sign == "%" || words || matches!(around.previous, Some('%' | '\u{66A}'));
    let whole = text.bytes().all(|byte| byte.is_ascii_digit()) && chars.iter().all(|c| digit(*c).is_some());
    Number {
        shown: format!("{}{sign}", chars.iter().collect::<String>()),
        readings: readings(&text, factor),
        percent,
        whole: text.parse().ok().filter(|_| whole && sign.is_empty()),
    }
}

fn plain(c: char) -> char {
    match c {
        '\u{66B}' => '.',
        '\u{66C}' => ',',
        '\u{2019}' => '\'',
        _ => digit(c).and_then(|value| char::from_digit(value, 10)).unwrap_or(c),
    }
}

/// What the text may mean. A separator before three digits parts thousands in one country and decimals in another.
fn readings(text: &str, factor: f64) -> Vec<Reading> {
    let (dots, commas) = (text.matches('.').count(), text.matches(',').count());
    let last = text.rfind(['.', ',']).map_or((text, ""), |at| (&text[..at], &text[at + 1..]));
    let decimal = || reading(last.0, last.1, factor);
    let grouped = || reading(text, "", factor);
    match dots + commas {
        0 => vec![grouped()],
        1 if last.1.len() == 3 => vec![grouped(), decimal()],
        1 => vec![decimal()],
        _ if dots == 0 || commas == 0 => vec![grouped()],
        _ => vec![decimal()],
    }
}

fn reading(whole: &str, decimals: &str, factor: f64) -> Reading {
    let plain = format!("{}.{decimals}0", whole.replace([',', '.'], ""));
    Reading {
        value: plain.parse::<f64>().unwrap_or(f64::INFINITY) * factor,
        step: 10f64.powi(-i32::try_from(decimals.len()).unwrap_or(300)) * factor,
    }
}

/// Whether a symbol of a currency stands beside the number.
pub(in crate::tool) fn is_money(around: &Around) -> bool {
    let currency = |c: Option<char>| c.is_some_and(|c| category(c) == GeneralCategory::CurrencySymbol);
    currency(around.previous) || currency(around.rest.trim_start().chars().next())
}
