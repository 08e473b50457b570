//! Walks TOML with its places: caps before parsing, typed values, unknown keys with the one that was meant.
//! Knows nothing of topologies.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::tree::Tree;
use crate::id::NanoUsd;
use crate::topology::fault::{At, Code, Fault, Place, nearest, nearest_type};

/// Largest file that is read.
pub const FILE_BYTES_MAX: usize = 1 << 20;

/// Deepest nesting of tables and arrays that is read, dotted keys included.
pub const DEPTH_MAX: usize = 64;

/// The entries of a table whose keys the writer chooses, in the order of the file.
pub type Entries<T> = Vec<(At<String>, T)>;

/// A TOML value and where it is.
pub(super) type Node<'s> = Spanned<DeValue<'s>>;

/// Keys that are planned and not there yet.
const LATER: [&str; 3] = ["fallbacks", "allotment", "sections"];

/// Words that people take from elsewhere for a key, and the key.
const SYNONYMS: [(&str, &str); 22] = [
    ("for_each", "each"),
    ("joins", "join"),
    ("max", "most"),
    ("max_parallel", "parallel"),
    ("count", "times"),
    ("item", "as"),
    ("prompt", "instructions"),
    ("system", "instructions"),
    ("system_prompt", "instructions"),
    ("prompt_file", "instructions_file"),
    ("role", "does"),
    ("description", "does"),
    ("does", "description"),
    ("about", "description"),
    ("url", "base_url"),
    ("api_key_env", "key_env"),
    ("people", "who"),
    ("goto", "to"),
    ("result", "as"),
    ("name", "as"),
    ("schedule", "cron"),
    ("schedules", "triggers"),
];

/// A file that is not parsed.
#[derive(Debug)]
pub struct Unread {
    /// Why.
    pub fault: Fault,
    /// What can be shown of it, if that helps.
    pub shown: Option<String>,
}

/// Collects values and faults from one file.
pub(super) struct Reader {
    pub(super) file: Arc<str>,
    pub(super) faults: Vec<Fault>,
    /// Values under a key that was probably meant.
    pub(super) guessed: Vec<Range<usize>>,
}

/// The known keys of one table that are present.
pub(super) struct Keys<'t, 's> {
    pub(super) place: Place,
    found: BTreeMap<&'static str, (Range<usize>, &'t Node<'s>)>,
}

/// The bytes of a file as text, if they are few, shallow and UTF-8.
pub fn text(file: &str, bytes: Vec<u8>) -> Result<String, Box<Unread>> {
    let place = Place::top(file);
    let unreadable = |place: &Place, what: String, instead: &str| Fault::new(Code::Unreadable, place, what, instead);
    if bytes.len() > FILE_BYTES_MAX {
        let what = format!("{file} is larger than {FILE_BYTES_MAX} bytes");
        let fault = unreadable(&place, what, "keep data in a data file and name it here");
        return Err(Box::new(Unread { fault, shown: None }));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let lossy = String::from_utf8_lossy(error.as_bytes()).into_owned();
        let place = Place { file: file.into(), span: at..at + 1 };
        let fault = unreadable(&place, format!("{file} is not UTF-8 text from byte {at}"), "save the file as UTF-8");
        Box::new(Unread { fault, shown: Some(lossy) })
    })?;
    match too_deep(&text) {
        None => Ok(text),
        Some(at) => {
            let place = Place { file: file.into(), span: at..at + 1 };
            let what = format!("{file} is nested deeper than {DEPTH_MAX} levels");
            let fault = unreadable(&place, what, "flatten it; no file of a project needs so many levels");
            Err(Box::new(Unread { fault, shown: None }))
        }
    }
}

/// Where brackets and dotted keys nest deeper than [`DEPTH_MAX`], strings and comments left out.
fn too_deep(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut open, mut dots, mut at): (Vec<usize>, usize, usize) = (vec![], 0, 0);
    let mut outer = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'#' => at = find(bytes, at, b'\n'),
            b'"' | b'\'' => at = string_end(bytes, at),
            b'[' | b'{' => {
                open.push(dots);
                outer += dots + 1;
                dots = 0;
            }
            b']' | b'}' => {
                dots = open.pop().unwrap_or(0);
                outer = outer.saturating_sub(dots + 1);
            }
            b'.' => dots += 1,
            b',' => dots = 0,
            b'\n' if open.is_empty() => dots = 0,
            _ => {}
        }
        if outer + dots > DEPTH_MAX {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// The last bracket before `end` that is not closed there.
pub(super) fn open_bracket(text: &str, end: usize) -> Option<u8> {
    let bytes = &text.as_bytes()[..end.min(text.len())];
    let (mut open, mut at) = (vec![], 0);
    while at < bytes.len() {
        match bytes[at] {
            b'#' => at = find(bytes, at, b'\n'),
            b'"' | b'\'' => at = string_end(bytes, at),
            bracket @ (b'[' | b'{') => open.push(bracket),
            b']' | b'}' => drop(open.pop()),
            _ => {}
        }
        at += 1;
    }
    open.pop()
}

fn find(bytes: &[u8], from: usize, wanted: u8) -> usize {
    bytes[from..].iter().position(|b| *b == wanted).map_or(bytes.len(), |n| from + n)
}

/// The last byte of the string that opens at `at`; the end of the line if a one-line string is not closed.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let quote = bytes[at];
    let long = bytes[at..].starts_with(&[quote; 3]);
    let mut end = at + if long { 3 } else { 1 };
    while end < bytes.len() {
        match bytes[end] {
            b'\\' if quote == b'"' => end += 1,
            b'\n' if !long => return end,
            b if b == quote && !long => return end,
            b if b == quote && bytes[end..].starts_with(&[quote; 3]) => return end + 2,
            _ => {}
        }
        end += 1;
    }
    end
}

/// Parses a text that [`text`] let through; only the first syntax error is told, the rest follow from it.
/// What the parser says of it, and where.
pub(super) fn parse(text: &str) -> Result<Spanned<DeTable<'_>>, (Range<usize>, String)> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let first = errors.into_iter().min_by_key(|error| error.span().map_or(0, |span| span.start));
    match first {
        None => Ok(table),
        Some(error) => Err((error.span().unwrap_or(0..0), error.message().to_owned())),
    }
}

impl Reader {
    pub(super) fn new(file: &Arc<str>) -> Self {
        Self { file: file.clone(), faults: vec![], guessed: vec![] }
    }

    pub(super) fn place(&self, span: Range<usize>) -> Place {
        Place { file: self.file.clone(), span }
    }

    pub(super) fn at<T>(&self, span: Range<usize>, value: T) -> At<T> {
        At { value, place: self.place(span) }
    }

    pub(super) fn fault(
        &mut self,
        code: Code,
        span: Range<usize>,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) {
        let place = self.place(span);
        self.faults.push(Fault::new(code, &place, what, instead));
    }

    /// Tells of a value of the wrong type or form.
    pub(super) fn wrong(&mut self, node: &Node<'_>, wanted: &str) {
        let found = match node.get_ref() {
            DeValue::String(text) => format!("{text:?}"),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            other => format!("this {}", other.type_str()),
        };
        self.fault(Code::WrongValue, node.span(), format!("{found} is not {wanted}"), format!("write {wanted}"));
    }

    /// The keys of a table. An unknown key that is near a known one is told, and read as that one.
    pub(super) fn keys<'t, 's>(
        &mut self,
        table: &'t DeTable<'s>,
        span: Range<usize>,
        known: &[&'static str],
    ) -> Keys<'t, 's> {
        let mut found = BTreeMap::new();
        for (key, node) in table {
            let name: &str = key.get_ref();
            if let Some(known) = known.iter().copied().find(|known| *known == name) {
                found.insert(known, (key.span(), node));
            }
        }
        for (key, node) in table {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            if LATER.contains(&name) {
                self.fault(
                    Code::NotYet,
                    key.span(),
                    format!("`{name}` is planned and not there yet"),
                    format!("take `{name}` out"),
                );
                continue;
            }
            let free = known.iter().copied().filter(|known| !table.contains_key(*known));
            let synonym = SYNONYMS.iter().find(|(other, of)| *other == name && free.clone().any(|known| known == *of));
            let meant = nearest(name, free).or(synonym.map(|(_, of)| *of));
            let list = known.join(", ");
            self.fault(Code::UnknownKey, key.span(), format!("unknown key `{name}`"), format!("keys here are {list}"));
            if let (Some(meant), Some(fault)) = (meant, self.faults.last_mut()) {
                fault.did_you_mean = Some(meant.to_owned());
                fault.given = Some(name.to_owned());
                let meant = known.iter().copied().find(|known| *known == meant).unwrap_or_default();
                found.insert(meant, (key.span(), node));
                self.guessed.push(node.span());
            }
        }
        Keys { place: self.place(span), found }
    }

    /// The keys of a table value.
    pub(super) fn table<'t, 's>(&mut self, node: &'t Node<'s>, known: &[&'static str]) -> Option<Keys<'t, 's>> {
        let table = self.map(node)?;
        Some(self.keys(table, node.span(), known))
    }

    /// A table with keys of the writer's choice.
    pub(super) fn map<'t, 's>(&mut self, node: &'t Node<'s>) -> Option<&'t DeTable<'s>> {
        if node.get_ref().as_table().is_none() {
            self.wrong(node, "a table");
        }
        node.get_ref().as_table()
    }

    /// The entries of such a table.
    pub(super) fn entries<'t, 's>(&mut self, node: Option<&'t Node<'s>>) -> Entries<&'t Node<'s>> {
        let Some(table) = node.and_then(|node| self.map(node)) else { return vec![] };
        table.iter().map(|(key, node)| (self.at(key.span(), key.get_ref().to_string()), node)).collect()
    }

    pub(super) fn missing(&mut self, keys: &Keys<'_, '_>, name: &str, example: &str) {
        let what = format!("`{name}` is missing");
        self.faults.push(Fault::new(Code::MissingKey, &keys.place, what, format!("write {name} = {example}")));
    }

    pub(super) fn string(&mut self, node: &Node<'_>) -> Option<At<String>> {
        if let DeValue::String(text) = node.get_ref() {
            return Some(self.at(node.span(), text.to_string()));
        }
        self.wrong(node, "a text in quotes");
        None
    }

    /// A text that must be there.
    pub(super) fn required(&mut self, keys: &Keys<'_, '_>, name: &str, example: &str) -> Option<At<String>> {
        match keys.get(name) {
            Some(node) => self.string(node),
            None => {
                self.missing(keys, name, example);
                None
            }
        }
    }

    /// A list of texts; nothing if it is absent.
    pub(super) fn strings(&mut self, node: Option<&Node<'_>>) -> Vec<At<String>> {
        let Some(node) = node else { return vec![] };
        let Some(array) = node.get_ref().as_array() else {
            self.wrong(node, "a list of texts, such as [\"a\", \"b\"]");
            return vec![];
        };
        array.iter().filter_map(|node| self.string(node)).collect()
    }

    pub(super) fn boolean(&mut self, node: &Node<'_>) -> Option<bool> {
        let found = node.get_ref().as_bool();
        if found.is_none() {
            self.wrong(node, "true or false");
        }
        found
    }

    pub(super) fn integer(&mut self, node: &Node<'_>, min: u64, max: u64) -> Option<u64> {
        let number = node.get_ref().as_integer();
        let number = number.and_then(|n| u64::from_str_radix(n.as_str(), n.radix()).ok());
        let number = number.filter(|n| (min..=max).contains(n));
        if number.is_none() {
            self.wrong(node, &format!("a whole number from {min} to {max}"));
        }
        number
    }

    /// `"90s"` and the like, as milliseconds.
    pub(super) fn duration(&mut self, node: &Node<'_>) -> Option<u64> {
        let found = node.get_ref().as_str().and_then(duration_ms);
        if found.is_none() {
            self.wrong(node, "a duration, such as \"100ms\", \"90s\", \"5m\", \"2h\" or \"14d\"");
        }
        found
    }

    /// Dollars, from the number's own text.
    pub(super) fn money(&mut self, node: &Node<'_>) -> Option<NanoUsd> {
        let text: Option<Cow<'_, str>> = match node.get_ref() {
            DeValue::Integer(n) if n.radix() == 10 => Some(n.as_str().into()),
            DeValue::Float(n) => Some(n.as_str().into()),
            DeValue::String(text) => Some(text.as_ref().into()),
            _ => None,
        };
        let found = text.and_then(|text| text.parse().ok());
        if found.is_none() {
            self.wrong(node, "an amount in dollars, such as 5.00");
        }
        found
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, node: &Node<'_>, words: &[(&str, T)]) -> Option<T> {
        let text = self.string(node)?.value;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let list: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            self.wrong(node, &list.join(" or "));
            if let Some(fault) = self.faults.pop() {
                let meant = nearest_type(&text, words.iter().map(|(word, _)| *word));
                self.faults.push(fault.meaning(&text, meant));
            }
        }
        found.map(|(_, value)| *value)
    }

    /// `Some(None)` for `"unlimited"`.
    pub(super) fn or_unlimited<T>(
        &mut self,
        node: &Node<'_>,
        read: impl FnOnce(&mut Self, &Node<'_>) -> Option<T>,
    ) -> Option<Option<T>> {
        if node.get_ref().as_str() == Some("unlimited") { Some(None) } else { read(self, node).map(Some) }
    }

    /// Says which version the file has; anything but 1 is a fault.
    pub(super) fn schema_version(&mut self, keys: &Keys<'_, '_>) {
        let instead = "write schema_version = 1 as the first line";
        match keys.get("schema_version") {
            None => {
                let fault = Fault::new(Code::SchemaVersion, &keys.place, "`schema_version` is missing", instead);
                self.faults.push(fault.with_edit(self.place(0..0), "schema_version = 1\n"));
            }
            Some(node) if node.get_ref().as_integer().is_some_and(|n| n.as_str() == "1" && n.radix() == 10) => {}
            Some(node) => {
                let place = self.place(node.span());
                let fault = Fault::new(Code::SchemaVersion, &place, "this is no schema_version known here", instead);
                self.faults.push(fault.with_edit(place, "1"));
            }
        }
    }

    /// The value as JSON, with the places of all that is in it.
    pub(super) fn tree(&self, node: &Node<'_>) -> Tree {
        tree(&self.file, node)
    }

    /// The value as JSON; dates become texts.
    pub(super) fn json(&self, node: &Node<'_>) -> At<Value> {
        self.at(node.span(), json(node.get_ref()))
    }
}

impl<'t, 's> Keys<'t, 's> {
    pub(super) fn get(&self, name: &str) -> Option<&'t Node<'s>> {
        self.found.get(name).map(|(_, node)| *node)
    }
}

/// Milliseconds of `100ms`, `90s`, `5m`, `2h`, `14d`.
pub fn duration_ms(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text[..digits].parse().ok().filter(|n| *n > 0 && digits <= 9 && !text.starts_with('0'))?;
    let unit = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(number * unit)
}

/// A TOML value as JSON; dates become texts, and numbers that JSON does not have become null.
pub(super) fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).map_or(Value::Null, Value::from),
        DeValue::Float(n) => n.as_str().parse::<f64>().map_or(Value::Null, Value::from),
        DeValue::Boolean(yes) => Value::from(*yes),
        DeValue::Datetime(date) => Value::from(date.to_string()),
        DeValue::Array(array) => array.iter().map(|node| json(node.get_ref())).collect(),
        DeValue::Table(table) => {
            Value::Object(table.iter().map(|(key, node)| (key.get_ref().to_string(), json(node.get_ref()))).collect())
        }
    }
}

/// The value as JSON, with the places of all that is in it.
fn tree(file: &Arc<str>, node: &Node<'_>) -> Tree {
    let place = |span: Range<usize>| Place { file: file.clone(), span };
    let parts = match node.get_ref() {
        DeValue::Table(table) => {
            let part = |(key, node): (&Spanned<Cow<'_, str>>, &Node<'_>)| {
                (At { value: key.get_ref().to_string(), place: place(key.span()) }, tree(file, node))
            };
            table.iter().map(part).collect()
        }
        DeValue::Array(list) => {
            let part = |(index, node): (usize, &Node<'_>)| {
                (At { value: index.to_string(), place: place(node.span()) }, tree(file, node))
            };
            list.iter().enumerate().map(part).collect()
        }
        _ => vec![],
    };
    Tree { value: json(node.get_ref()), place: place(node.span()), parts }
}
