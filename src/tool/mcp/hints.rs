//! What a server says of how its tools behave. It may lie, so nothing becomes freer by what it says; that a tool acts is
//! believed of it.

use serde_json::Value;

use super::config::Given;
use crate::tool::Wrong;
use crate::topology::code::Code;
use crate::topology::spec::Reach;

/// What is said of one tool.
#[derive(Debug, Clone, Copy)]
pub struct Hints<'t>(&'t Value);

impl<'t> Hints<'t> {
    /// Of a tool as its server lists it.
    pub fn of(tool: &'t Value) -> Self {
        Self(&tool["annotations"])
    }

    /// Whether it is said that the tool changes something.
    pub fn acts(self) -> bool {
        self.says("readOnlyHint") == Some(false) || self.says("destructiveHint") == Some(true)
    }

    /// Whether it is said that the tool changes nothing.
    pub fn only_reads(self) -> bool {
        self.says("readOnlyHint") == Some(true) && !self.acts()
    }

    /// All of it, in words.
    pub fn words(self) -> String {
        let says = |key: &str, yes: &str, no: &str| self.says(key).map(|is| if is { yes } else { no }.to_owned());
        let hints = [
            says("readOnlyHint", "it changes nothing", "it changes something"),
            says("destructiveHint", "it may destroy", "it destroys nothing"),
            says("idempotentHint", "twice is as once", "twice is not as once"),
            says("openWorldHint", "it reaches out", "it stays where it is"),
        ];
        let hints: Vec<String> = hints.into_iter().flatten().collect();
        if hints.is_empty() { "nothing".to_owned() } else { hints.join("; ") }
    }

    fn says(self, key: &str) -> Option<bool> {
        self.0[key].as_bool()
    }
}

impl Given {
    /// How far the tool reaches: as the project says, unless the server says that it acts and nobody has denied that.
    pub fn reach_of(&self, tool: Option<&Value>) -> Reach {
        if self.is_understated(tool) { Reach::ActsOut } else { self.reach }
    }

    /// What is wrong with the reach that the project says of the tool, which is `verb` here and `of` at its server.
    pub(super) fn wrong(&self, verb: &str, of: &str, tool: Option<&Value>) -> Option<Wrong> {
        if !self.is_understated(tool) {
            return None;
        }
        let says = tool.map(|tool| Hints::of(tool).words()).unwrap_or_default();
        let what = format!(
            "reach = {:?} says that {of:?} changes nothing, and its server says otherwise: {says}",
            self.reach.word()
        );
        let instead = "write reach = \"acts_out\", so that a person approves each call; or, if you have looked and it \
                       changes nothing, add only_reads = true";
        Some(Wrong::at(&["tools", verb, "reach"], Code::Understated, what).instead(instead))
    }

    /// Whether the server says that the tool acts, and the project that it does not.
    pub fn is_understated(&self, tool: Option<&Value>) -> bool {
        self.reach != Reach::ActsOut && !self.only_reads && tool.is_some_and(|tool| Hints::of(tool).acts())
    }
}
