//! Guardrails: checks that a project declares itself, in `[checks.NAME.rules.RULE]`. A rule holds for every version of the
//! artefacts that name its check, and for the final bytes of what tools would do. Whatever cannot be read is refused.

mod example;
mod personal;
mod rule;
mod scope;
mod size;
mod words;

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub use self::rule::{Kind, OnFail, Rule, Settings};
use self::scope::Group;
use super::check::{Check, Finding, Sight};
use super::part::shown::Shown;
use super::wrong::Wrong;
use crate::id::ToolName;
use crate::run::body::Applied;
use crate::topology::code::Code;

/// The key by which a check is one that the project declares.
const RULES: &str = "rules";

/// A check that a project declares.
#[derive(Debug, Clone)]
pub struct Guard {
    name: String,
    settings: Settings,
    /// The rules as they were written, for their digests.
    written: Value,
}

/// Something that would leave, as a rule looks at it.
pub struct Leaving<'a> {
    /// What it is called.
    pub key: &'a str,
    /// What its bytes are, such as `message/rfc822`.
    pub media_type: &'a str,
    /// How many people it reaches.
    pub recipients: u64,
    /// All that its bytes show.
    pub parts: &'a [Shown],
}

/// Whether the settings of a check declare rules.
pub fn is_declared(settings: &Value) -> bool {
    settings.get(RULES).is_some()
}

/// The checks among these settings whose rules hold for what `tool` would do.
pub fn guarding<'s>(checks: &'s BTreeMap<String, Value>, tool: &ToolName) -> impl Iterator<Item = &'s String> {
    let guards = move |settings: &Value| {
        let tools = settings.get("leaving").and_then(Value::as_array);
        tools.into_iter().flatten().any(|name| name.as_str() == Some(tool.as_str()))
    };
    checks.iter().filter(move |(_, settings)| is_declared(settings) && guards(settings)).map(|(name, _)| name)
}

/// JSON Schema of such a check's table.
pub fn schema() -> Value {
    schemars::schema_for!(Settings).to_value()
}

/// What is wrong with a check that is of the right form: a key that its kind does not take, an example that does not do what
/// it says.
pub fn wrong(name: &str, settings: &Value) -> Vec<Wrong> {
    match Guard::read(name, settings) {
        Ok(guard) => guard.settings.rules.iter().flat_map(|(rule, it)| guard.wrong_in(rule, it, settings)).collect(),
        Err(why) => vec![Wrong::at(&[RULES], Code::WrongValue, why)],
    }
}

impl Guard {
    /// That of these settings.
    ///
    /// # Errors
    /// If they are not what such a check takes.
    pub fn read(name: &str, settings: &Value) -> Result<Self, String> {
        let read: Settings = serde_json::from_value(settings.clone()).map_err(|why| why.to_string())?;
        Ok(Self { name: name.to_owned(), settings: read, written: settings[RULES].clone() })
    }

    /// Whether a rule leaves it to a person.
    pub fn gates(&self) -> bool {
        self.settings.rules.values().any(|rule| rule.on_fail == OnFail::Gate)
    }

    /// What its rules come to over something that leaves, each of those that are about such a thing.
    pub fn leaving(&self, what: &Leaving<'_>, sight: &Sight<'_>) -> Vec<Applied> {
        let of_kind =
            |rule: &&(&String, &Rule)| rule.1.media.is_empty() || rule.1.media.iter().any(|of| of == what.media_type);
        let rules: Vec<_> = self.settings.rules.iter().collect();
        let applied = rules.iter().filter(of_kind).map(|(name, rule)| {
            let group = scope::of_parts(rule, what.parts, what.recipients);
            self.applied(name, what.key, self.told(name, rule, self.wrongs(rule, &group, sight)))
        });
        applied.collect()
    }

    /// What its rules came to over an artefact, by what was found of it.
    pub fn of_artefact(&self, artefact: &str, found: &[Finding]) -> Vec<Applied> {
        let of = |rule: &str| {
            let full = self.full(rule);
            found.iter().filter(|finding| finding.rule == full).cloned().collect()
        };
        self.settings.rules.keys().map(|rule| self.applied(rule, artefact, of(rule))).collect()
    }

    fn full(&self, rule: &str) -> String {
        format!("{}.{rule}", self.name)
    }

    fn applied(&self, rule: &str, of: &str, found: Vec<Finding>) -> Applied {
        let written = self.written.get(rule).cloned().unwrap_or_default().to_string();
        let sha256: String = Sha256::digest(written).iter().map(|byte| format!("{byte:02x}")).collect();
        let rules = &self.settings.rules;
        Applied {
            rule: self.full(rule),
            version: rules.get(rule).map_or(0, |rule| rule.version),
            sha256,
            of: of.to_owned(),
            on_fail: rules.get(rule).map_or(OnFail::Block, |rule| rule.on_fail).word().to_owned(),
            found: found.into_iter().map(|finding| finding.what).collect(),
        }
    }

    fn told(&self, name: &str, rule: &Rule, wrongs: words::Wrongs) -> Vec<Finding> {
        let finding = |(at, what)| Finding { level: rule.on_fail.level(), rule: self.full(name), at, what };
        let mut told: Vec<Finding> = Vec::new();
        for finding in wrongs.into_iter().map(finding) {
            // The same fault twice in one place is one thing to mend.
            if !told.contains(&finding) {
                told.push(finding);
            }
        }
        told
    }

    /// What is wrong with an artefact by one rule.
    fn over(&self, name: &str, rule: &Rule, body: &Value, sight: &Sight<'_>) -> Vec<Finding> {
        let wrongs = match scope::of_body(rule, body) {
            Ok(groups) => groups.iter().flat_map(|group| self.wrongs(rule, group, sight)).collect(),
            Err(why) => vec![(String::new(), why)],
        };
        self.told(name, rule, wrongs)
    }

    fn wrongs(&self, rule: &Rule, group: &Group, sight: &Sight<'_>) -> words::Wrongs {
        match rule.kind {
            Kind::Banned | Kind::Required | Kind::Unsubscribe | Kind::PostalAddress => words::terms(rule, group),
            Kind::Links => words::links(rule, group),
            Kind::Placeholders => words::placeholders(rule, group),
            Kind::Subject => words::subject(rule, group),
            Kind::Length => size::length(rule, group),
            Kind::Limit => size::limit(rule, group),
            Kind::Audience => size::audience(rule, group),
            Kind::Personal => personal::personal(rule, group, sight),
        }
    }

    /// What is wrong with a rule, by the keys that lead to it below the check's table.
    fn wrong_in(&self, name: &str, rule: &Rule, settings: &Value) -> Vec<Wrong> {
        let kind = rule.kind.word();
        let (own, needed) = rule.kind.keys();
        let written: Vec<&String> =
            settings[RULES][name].as_object().into_iter().flatten().map(|(key, _)| key).collect();
        let takes = |key: &str| own.contains(&key) || rule::OF_ALL.contains(&key);
        let foreign = written.iter().filter(|key| !takes(key)).map(|key| {
            let instead =
                format!("it takes {}", if own.is_empty() { "no key of its own".to_owned() } else { own.join(", ") });
            let what = format!("a rule of kind {kind:?} does not take `{key}`");
            Wrong { is_key: true, ..Wrong::at(&[RULES, name, key], Code::UnknownKey, what).instead(instead) }
        });
        let mut wrong: Vec<Wrong> = foreign.collect();
        if needed && !written.iter().any(|key| own.contains(&key.as_str())) {
            let what = format!("a rule of kind {kind:?} says nothing yet");
            let instead = format!("write one of {}", own.join(", "));
            wrong.push(Wrong::at(&[RULES, name, "kind"], Code::MissingKey, what).instead(instead));
        }
        // Of a rule that is not the one that was meant, no example says anything.
        if wrong.is_empty() {
            wrong.extend(self.wrong_examples(name, rule));
        }
        wrong
    }

    fn wrong_examples(&self, name: &str, rule: &Rule) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        for (key, examples, is_to_fail) in [("passes", &rule.passes, false), ("fails", &rule.fails, true)] {
            if examples.is_empty() {
                let what = format!("there is no example that {key}: a rule shows both");
                let instead = "write one, which check tries";
                wrong.push(Wrong::at(&[RULES, name, key], Code::Example, what).instead(instead));
            }
            for (nth, example) in examples.iter().enumerate() {
                let found = self.tried(name, rule, example);
                let place = [RULES, name, key, &nth.to_string()];
                match (is_to_fail, found.first()) {
                    (true, None) => {
                        let what = format!("the rule {name} finds nothing wrong with this example of what fails");
                        let instead = "mend the rule, or put the example among those that pass";
                        wrong.push(Wrong::at(&place, Code::Example, what).instead(instead));
                    }
                    (false, Some(first)) => {
                        let what =
                            format!("the rule {name} finds fault with this example of what passes: {}", first.what);
                        let instead = "mend the rule, or put the example among those that fail";
                        wrong.push(Wrong::at(&place, Code::Example, what).instead(instead));
                    }
                    _ => {}
                }
            }
        }
        wrong
    }

    fn tried(&self, name: &str, rule: &Rule, example: &rule::Example) -> Vec<Finding> {
        let tried = example::body(rule, example);
        let desk = BTreeMap::new();
        let sight = Sight { desk: &desk, calls: &tried.calls };
        let mut found = self.over(name, rule, &tried.body, &sight);
        if let Some(recipients) = tried.recipients {
            let group = Group { at: String::new(), pieces: Vec::new(), recipients: Some(recipients) };
            found.extend(self.told(name, rule, self.wrongs(rule, &group, &sight)));
        }
        found
    }
}

impl Check for Guard {
    fn name(&self) -> &str {
        &self.name
    }

    fn settings(&self) -> Value {
        schema()
    }

    fn looks_back(&self) -> bool {
        self.settings.rules.values().any(|rule| rule.columns.is_some())
    }

    fn examine(&self, body: &Value, sight: &Sight<'_>, _: &Value) -> Vec<Finding> {
        self.settings.rules.iter().flat_map(|(name, rule)| self.over(name, rule, body, sight)).collect()
    }
}

/// The findings by which something does not leave, or not without a person.
pub fn refused(applied: &[Applied]) -> impl Iterator<Item = &Applied> {
    let refuses = |it: &&Applied| [OnFail::Block, OnFail::Repair].iter().any(|on| on.word() == it.on_fail);
    applied.iter().filter(refuses).filter(|it| !it.found.is_empty())
}
