//! The tools' names as providers take them, and back: letters, digits and `_`, each name once.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ToolCall;
use super::prompt::SpokenCall;
use crate::id::{NAME_BYTES_MAX, ToolName};
use crate::topology::plan::{ASK_TOOL, Member, Role};

/// The call that ends a turn.
pub const END_TURN: &str = "end_turn";

/// The argument by which a call takes the rows of an earlier result.
pub const ROWS_FROM: &str = "rows_from";

/// What models put before the name of a tool that they know.
const PREFIXES: [&str; 4] = ["functions.", "default_api.", "default_api:", "tools."];

/// The tools of a member under the names that its model is given.
pub struct Names(BTreeMap<String, ToolName>);

impl Names {
    /// Those of `member`.
    pub fn of(member: &Member) -> Self {
        let Role::Model { tools, .. } = &member.role else { return Self(BTreeMap::new()) };
        let ask = ASK_TOOL.parse().ok().filter(|_| !member.may_ask.is_empty());
        let mut names = BTreeMap::new();
        for tool in tools.iter().cloned().chain(ask) {
            let plain = plain(tool.as_str());
            let taken = |name: &String| name == END_TURN || names.contains_key(name);
            let numbered = (2..).map(|n| format!("{}_{n}", &plain[..plain.len().min(NAME_BYTES_MAX - 4)]));
            let name = std::iter::once(plain.clone()).chain(numbered).find(|name| !taken(name));
            names.insert(name.unwrap_or_default(), tool);
        }
        Self(names)
    }

    /// Name and tool, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &ToolName)> {
        self.0.iter()
    }

    /// The names of the other tools, whose results a call of `tool` may take its rows from.
    pub fn others(&self, tool: &ToolName) -> Vec<&str> {
        let others = self.iter().filter(|(_, other)| *other != tool && other.as_str() != ASK_TOOL);
        others.map(|(name, _)| name.as_str()).collect()
    }

    /// Whether `name` ends the turn, as some models spell it.
    pub(super) fn ends(&self, name: &str) -> bool {
        !self.0.contains_key(name) && bare(name) == END_TURN
    }

    /// The tool that a model means; none if it names none of its own.
    pub fn tool(&self, name: &str) -> Option<ToolName> {
        let of = |name: &str| self.0.get(name).or_else(|| self.0.values().find(|tool| tool.as_str() == name));
        of(name).or_else(|| of(bare(name))).cloned()
    }

    /// A call as it is kept: an unknown tool keeps the name that it was called by.
    pub(super) fn kept(&self, call: &SpokenCall) -> ToolCall {
        // Text that is no JSON fits no schema, and its writer is told so.
        let args = call.args.clone().unwrap_or_else(Value::String);
        let known = self.tool(&call.name);
        let named = if known.is_some() { String::new() } else { call.name.clone() };
        let tool = known.unwrap_or_else(|| unknown(&call.name));
        ToolCall { id: call.id.clone(), tool, args, named }
    }

    /// The name that a model is given for `tool`.
    pub fn wire(&self, tool: &ToolName) -> String {
        let found = self.0.iter().find(|(_, known)| *known == tool);
        found.map_or_else(|| plain(tool.as_str()), |(name, _)| name.clone())
    }

    /// A kept call as it goes back.
    pub(super) fn spoken(&self, call: &ToolCall) -> SpokenCall {
        let found = self.0.iter().find(|(_, known)| **known == call.tool);
        let name = match found {
            Some((name, _)) => name.clone(),
            None if call.named.is_empty() => plain(call.tool.as_str()),
            None => plain(&call.named),
        };
        let args = match &call.args {
            Value::Object(_) => Ok(call.args.clone()),
            Value::String(text) => Err(text.clone()),
            other => Ok(json!({ "not_an_object": other })),
        };
        SpokenCall { id: call.id.clone(), name, args }
    }

    /// What there is to call, for whoever called something else.
    pub fn told(&self) -> String {
        self.0.keys().map(String::as_str).chain([END_TURN]).collect::<Vec<_>>().join(", ")
    }
}

/// Without the prefix that some models put before a name.
fn bare(name: &str) -> &str {
    PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

/// A name that every provider takes.
fn plain(name: &str) -> String {
    let one = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
    let text: String = name.chars().map(one).take(NAME_BYTES_MAX).collect();
    if text.is_empty() { "unnamed".to_owned() } else { text }
}

/// A tool that there is not.
fn unknown(name: &str) -> ToolName {
    let one = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '_' };
    let text: String = name.to_lowercase().chars().map(one).take(NAME_BYTES_MAX - 8).collect();
    format!("unknown.{text}").parse().unwrap_or_else(|_| ToolName::fixed("unknown.tool"))
}
