//! A reply while it is heard, whatever its dialect: what may come after what, how much, and what its end means.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::broken::{invalid, truncated};
use super::dialect::Heard;
use super::limits::Limits;
use super::{refusal, sse};
use crate::failure::{Class, Failure, Usage};
use crate::model::prompt::{Said, Spoken, SpokenCall};
use crate::topology::plan::Dialect;

/// What a provider's word for the end of a reply means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It said all that it wanted to say.
    Proper,
    /// It reached the cap of the output.
    Cut,
    /// It reached the end of what the model can hold.
    TooLong,
    /// It would not, or was kept from it.
    Refused,
    /// The provider failed in the middle.
    Failed,
    /// Not what was asked for.
    Wrong,
}

/// What has been heard.
#[derive(Debug)]
pub(super) struct Draft {
    text: String,
    calls: Vec<DraftCall>,
    end: Option<(String, End)>,
    kept_bytes: u64,
    reply_bytes_max: u64,
    calls_max: u64,
    /// Whether anything was heard, an error included.
    is_begun: bool,
    /// What the provider wants to see again with the reply.
    pub(super) signature: Option<String>,
    /// What the model thought, as its dialect has it; it goes back with the reply.
    reasoning: Option<Value>,
    /// Whether half a character stood in the latest event: words can do without it, a call cannot.
    is_halved: bool,
    /// What it says that it used; only the last word counts.
    pub(super) usage: Option<Usage>,
    /// Why it would not, in its words.
    pub(super) refusal: String,
}

#[derive(Debug)]
struct DraftCall {
    id: String,
    name: String,
    args: String,
}

impl Draft {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            text: String::new(),
            calls: Vec::new(),
            end: None,
            kept_bytes: 0,
            reply_bytes_max: limits.reply_bytes_max,
            calls_max: limits.calls_max,
            is_begun: false,
            signature: None,
            reasoning: None,
            is_halved: false,
            usage: None,
            refusal: String::new(),
        }
    }

    /// More words.
    pub(super) fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.more(text)?;
        self.text.push_str(text);
        Ok(())
    }

    /// More words of a refusal.
    pub(super) fn refuses(&mut self, text: &str) -> Result<(), Failure> {
        self.more(text)?;
        self.refusal.push_str(text);
        Ok(())
    }

    /// What the provider wants to see again.
    pub(super) fn sign(&mut self, signature: String) -> Result<(), Failure> {
        self.more(&signature)?;
        self.signature = Some(signature);
        Ok(())
    }

    /// What the model thought, as far as it came: `add` changes what there is by so many `bytes`.
    pub(super) fn think(&mut self, bytes: usize, add: impl FnOnce(&mut Value)) -> Result<(), Failure> {
        self.counted(bytes)?;
        add(self.reasoning.get_or_insert(Value::Null));
        Ok(())
    }

    /// A call begins.
    pub(super) fn call(&mut self, id: &str, name: &str) -> Result<(), Failure> {
        if self.calls.len() as u64 >= self.calls_max {
            return Err(invalid(format!("the reply has more than {} calls", self.calls_max)));
        }
        self.unhalved(&[id, name])?;
        self.more(id)?;
        // A call without a name is caught at the end, but it is content all the same.
        self.more(if name.is_empty() { "?" } else { name })?;
        self.calls.push(DraftCall { id: id.to_owned(), name: name.to_owned(), args: String::new() });
        Ok(())
    }

    /// More of the last call's arguments.
    pub(super) fn args(&mut self, text: &str) -> Result<(), Failure> {
        self.unhalved(&[text])?;
        self.more(text)?;
        let call = self.calls.last_mut().ok_or_else(|| invalid("arguments come before their call"))?;
        call.args.push_str(text);
        Ok(())
    }

    /// Whether a call can have this place, as the server counts.
    pub(super) fn index_fits(&self, index: Option<u64>) -> Result<(), Failure> {
        match index {
            Some(index) if index > self.calls_max => Err(invalid(format!("a call claims the place {index}"))),
            _ => Ok(()),
        }
    }

    /// Id and name of the last call; either can come late.
    pub(super) fn last_call(&mut self) -> Option<(&mut String, &mut String)> {
        self.calls.last_mut().map(|call| (&mut call.id, &mut call.name))
    }

    /// The provider says that the reply has ended, and why. An empty word is none, and a second good end adds nothing.
    pub(super) fn ends(&mut self, word: &str, end: End) -> Result<(), Failure> {
        match &self.end {
            _ if word.is_empty() => Ok(()),
            Some((_, End::Proper)) if end == End::Proper => Ok(()),
            Some((before, _)) if before != word => {
                Err(invalid(format!("the reply ends twice, as {before} and as {word}")))
            }
            _ => {
                self.end = Some((word.to_owned(), end));
                Ok(())
            }
        }
    }

    /// The reply, if its end allows it.
    pub(super) fn heard(self) -> Result<Heard, Failure> {
        // Nothing is answered without being read: who says 0 has not counted.
        let usage = self.usage.filter(|usage| usage.input_tokens > 0);
        self.spoken().map(|spoken| Heard { spoken, usage }).map_err(|failure| Failure { usage, ..failure })
    }

    fn spoken(self) -> Result<Spoken, Failure> {
        let fail = |class, what: String| Err(Failure::new(class, what));
        let Some((word, end)) = self.end else {
            return Err(truncated("the reply does not say that it has ended"));
        };
        match end {
            End::Proper => {}
            End::Cut => return fail(Class::Truncated, format!("the reply reached its cap ({word})")),
            End::TooLong => {
                let what = format!("the model cannot take so long a request ({word})");
                return Err(Failure { too_long: true, ..Failure::new(Class::Permanent, what) });
            }
            End::Refused => {
                let said = if self.refusal.is_empty() { &self.text } else { &self.refusal };
                return fail(Class::Refused, format!("the model or its provider refused ({word}) {said}"));
            }
            End::Failed => return fail(Class::Transient, format!("the provider failed in the middle ({word})")),
            End::Wrong => return fail(Class::Invalid, format!("the reply ended as it should not ({word})")),
        }
        if !self.refusal.is_empty() {
            return fail(Class::Refused, format!("the model refused: {}", self.refusal));
        }
        if self.calls.iter().any(|call| call.name.is_empty()) {
            return fail(Class::Invalid, "a call without a name".to_owned());
        }
        let ids = ids(self.calls.iter().map(|call| call.id.as_str()), is_printed);
        let call = |(call, id): (DraftCall, String)| SpokenCall { id, name: call.name, args: args(call.args) };
        let calls = self.calls.into_iter().zip(ids).map(call).collect();
        Ok(Spoken { text: self.text, calls, signature: self.signature, reasoning: self.reasoning })
    }

    /// Counts content, and lets none come after the end.
    fn more(&mut self, text: &str) -> Result<(), Failure> {
        if !text.is_empty() && self.end.is_some() {
            return Err(invalid("the reply goes on after its end"));
        }
        self.counted(text.len())
    }

    /// Half a character in a call would change what it means.
    fn unhalved(&self, texts: &[&str]) -> Result<(), Failure> {
        let is_halved = self.is_halved && texts.iter().any(|text| text.contains(char::REPLACEMENT_CHARACTER));
        if is_halved { Err(invalid("a call has half a character (a surrogate without the other)")) } else { Ok(()) }
    }

    fn counted(&mut self, bytes: usize) -> Result<(), Failure> {
        self.kept_bytes += bytes as u64;
        if self.kept_bytes > self.reply_bytes_max {
            return Err(invalid(format!("the reply has more than {} bytes", self.reply_bytes_max)));
        }
        Ok(())
    }
}

/// JSON of a server; what ends too early is cut off, and everything else that is no JSON is wrong.
pub(super) fn json(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|error| {
        if error.is_eof() {
            truncated("JSON of the reply is not closed")
        } else {
            invalid(format!("the reply is not JSON ({error}): {text}"))
        }
    })
}

/// JSON of a server in which half a character may stand: `\ud83c` without the other half, as servers send that cut texts
/// between bytes. It is read as U+FFFD, and `draft` knows of it.
fn halved(text: &str, draft: &mut Draft) -> Result<Value, Failure> {
    let read = json(text);
    let mended = read.as_ref().err().and_then(|_| whole_characters(text));
    draft.is_halved = mended.is_some();
    mended.map_or(read, |mended| json(&mended))
}

/// `json` with each escaped surrogate that has no other half replaced; none if there is none.
fn whole_characters(json: &str) -> Option<String> {
    let escape = |at: usize| json.get(at..at + 6).filter(|six| six.starts_with("\\u"));
    let unit = |at: usize| escape(at).and_then(|six| u16::from_str_radix(&six[2..], 16).ok());
    let (mut mended, mut at, mut is_halved) = (String::with_capacity(json.len()), 0, false);
    while let Some(c) = json[at..].chars().next() {
        let step = match (c, unit(at)) {
            ('\\', Some(0xd800..=0xdbff)) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => 12,
            ('\\', Some(0xd800..=0xdfff)) => {
                mended.push_str("\\ufffd");
                (at, is_halved) = (at + 6, true);
                continue;
            }
            // An escaped character, such as a backslash, begins no escape itself.
            ('\\', _) => 1 + json[at + 1..].chars().next().map_or(0, char::len_utf8),
            _ => c.len_utf8(),
        };
        mended.push_str(&json[at..at + step]);
        at += step;
    }
    is_halved.then_some(mended)
}

/// An event in the shape that its dialect has, if it is not an error.
pub(super) fn event<T: DeserializeOwned>(event: &sse::Event, draft: &mut Draft) -> Result<T, Failure> {
    if let Some(plain) = plain(event) {
        (draft.is_halved, draft.is_begun) = (false, true);
        return Ok(plain);
    }
    let value = halved(&event.data, draft)?;
    let value = if event.is_error { serde_json::json!({ "error": value }) } else { value };
    shaped(unfailed(value, draft)?)
}

/// An event that is read straight into its shape, as nearly all are: there is no escape in it behind which an error or half a
/// character could stand, and not even the word.
fn plain<T: DeserializeOwned>(event: &sse::Event) -> Option<T> {
    let data = event.data.as_str();
    let may_be_odd = event.is_error || data.contains("error") || data.contains("\\u");
    let is_object = data.trim_start().starts_with('{');
    if may_be_odd || !is_object { None } else { serde_json::from_str(data).ok() }
}

/// A whole document.
pub(super) fn document(text: &str, draft: &mut Draft) -> Result<Value, Failure> {
    halved(text, draft)
}

/// `value`, if it is not an error. One that is the first thing heard is as good as an answer of its own: nothing is billed.
pub(super) fn unfailed(value: Value, draft: &mut Draft) -> Result<Value, Failure> {
    let is_first = !std::mem::replace(&mut draft.is_begun, true);
    match refusal::inside(&value) {
        Some(failure) if is_first => Err(failure.unpaid()),
        Some(failure) => Err(failure),
        None => Ok(value),
    }
}

/// JSON of a server in the shape that its dialect has.
pub(super) fn shaped<T: DeserializeOwned>(value: Value) -> Result<T, Failure> {
    // Serde would take a list for the fields of an object.
    if !value.is_object() {
        return Err(invalid("the reply has another shape: it is no object"));
    }
    serde_json::from_value(value).map_err(|error| invalid(format!("the reply has another shape: {error}")))
}

/// A call's arguments as an object, as every provider wants them sent back, also where they were none.
pub(super) fn object(call: &SpokenCall) -> Value {
    match &call.args {
        Ok(Value::Object(args)) => Value::Object(args.clone()),
        Ok(other) => serde_json::json!({ "not_an_object": other }),
        Err(text) => serde_json::json!({ "not_json": text }),
    }
}

/// The conversation with ids that a provider of this dialect takes: as they were given wherever it can be, unique over all
/// of it, the same for a call and its result.
pub(super) fn renumbered(said: &[Said], dialect: Dialect) -> Cow<'_, [Said]> {
    let calls = said.iter().filter_map(|said| if let Said::Model(spoken) = said { Some(&spoken.calls) } else { None });
    let given = || calls.clone().flatten().map(|call| call.id.as_str());
    let fresh = ids(given(), |id| takes(dialect, id));
    if given().eq(fresh.iter().map(String::as_str)) {
        return Cow::Borrowed(said);
    }
    let mut fresh = fresh.into_iter();
    let mut last: Vec<(String, String)> = Vec::new();
    let mut one = |said: &Said| match said {
        Said::User(text) => Said::User(text.clone()),
        Said::Model(spoken) => {
            let old = spoken.calls.iter().map(|call| call.id.clone());
            last = old.zip(fresh.by_ref()).collect();
            let call =
                |(call, (_, id)): (&SpokenCall, &(String, String))| SpokenCall { id: id.clone(), ..call.clone() };
            Said::Model(Spoken { calls: spoken.calls.iter().zip(&last).map(call).collect(), ..spoken.clone() })
        }
        Said::Results(results) => {
            let result = |(nth, (id, text)): (usize, &(String, String))| {
                let own = last.get(nth).filter(|(old, _)| old == id).or_else(|| last.iter().find(|(old, _)| old == id));
                (own.map_or_else(|| id.clone(), |(_, fresh)| fresh.clone()), text.clone())
            };
            Said::Results(results.iter().enumerate().map(result).collect())
        }
    };
    said.iter().map(&mut one).collect()
}

/// An id that can be given back: there, not long, without what no header of a protocol would carry.
fn is_printed(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether servers of this dialect take the id of a call that another server may have given.
fn takes(dialect: Dialect, id: &str) -> bool {
    let is_plain = id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    is_printed(id) && (dialect != Dialect::Anthropic || is_plain)
}

/// Ids that are usable and unique; one that is not is made from its place.
fn ids<'a>(wanted: impl Iterator<Item = &'a str>, is_usable: impl Fn(&str) -> bool) -> Vec<String> {
    let mut used = BTreeSet::new();
    let mut one = |(nth, id): (usize, &str)| {
        let mut id = if is_usable(id) && !used.contains(id) { id.to_owned() } else { format!("call_{nth}") };
        while !used.insert(id.clone()) {
            id.push('_');
        }
        id
    };
    wanted.enumerate().map(&mut one).collect()
}

/// Arguments from their text; a tool without any is often called with none.
fn args(text: String) -> Result<Value, String> {
    if text.trim().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_str(&text).map_err(|_| text)
}
