//! Examines what members write against the schemas and checks of their plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::failure::{Class, Failure};
use crate::id::{ArtefactName, ToolName};
use crate::run::body::Applied;
use crate::run::desk::put_section;
use crate::run::event::{Items, Lists};
use crate::tool::guard::{self, Guard, Leaving};
use crate::tool::{Check, Finding, Level, Sight};
use crate::topology::plan::{Artefact, Each, EachTo, Plan, Section};

/// Faults of one artefact that are told of at once.
pub(super) const PROBLEMS_MAX: usize = 20;

/// Bytes of one fault as it is told: what was written is before its writer anyway.
const PROBLEM_BYTES_MAX: usize = 500;

/// From here on a fault is told without the value that it is about.
const VALUE_BYTES_MAX: usize = 200;

/// A plan's schemas and checks, compiled.
pub struct Examiner {
    artefacts: BTreeMap<ArtefactName, (Validator, Vec<Arc<dyn Check>>)>,
    same: BTreeMap<ArtefactName, Vec<Same>>,
    sections: BTreeMap<ArtefactName, Section>,
    split: BTreeMap<ArtefactName, Vec<Each>>,
    args: BTreeMap<ToolName, Validator>,
    settings: BTreeMap<String, Value>,
    guards: BTreeMap<String, Arc<Guard>>,
    leaving: BTreeMap<ToolName, Vec<String>>,
}

/// The checks of `plan` that its project declared.
fn guards(plan: &Plan) -> Result<BTreeMap<String, Arc<Guard>>, Unmade> {
    let declared = plan.checks.iter().filter(|(_, settings)| guard::is_declared(settings));
    let read = |(name, settings): (&String, &Value)| {
        let why = |why| Unmade::Rules { of: name.clone(), why };
        Ok((name.clone(), Arc::new(Guard::read(name, settings).map_err(why)?)))
    };
    declared.map(read).collect()
}

/// Why a plan's schemas and checks cannot be had: it was made by another callsheet.
#[derive(Debug, thiserror::Error)]
pub enum Unmade {
    /// It names a schema that it has not.
    #[error("no schema {0}")]
    NoSchema(String),
    /// It names a check that is not there.
    #[error("this callsheet has no check {0}")]
    NoCheck(String),
    /// The rules of one of its checks are none.
    #[error("the rules of {of} cannot be read: {why}")]
    Rules {
        /// Of which check.
        of: String,
        /// Why not.
        why: String,
    },
    /// One of its schemas is none.
    #[error("the schema of {of} does not compile: {why}")]
    Schema {
        /// Of an artefact, or of a tool's arguments.
        of: String,
        /// Why not.
        #[source]
        why: Box<jsonschema::ValidationError<'static>>,
    },
}

/// What an examination of a body found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Why it is not taken: schema errors, and findings that must be mended.
    pub problems: Vec<String>,
    /// Why its writer is not even asked again: a rule that stops the work there.
    pub blocked: Option<String>,
    /// All that the checks said.
    pub findings: Vec<Finding>,
    /// Its lists that a handoff can split over.
    pub lists: Lists,
}

impl Examiner {
    /// Compiles what `plan` names.
    ///
    /// # Errors
    /// If a schema or a check of the plan is not to be had.
    pub fn new(plan: &Plan, checks: &[Arc<dyn Check>]) -> Result<Self, Unmade> {
        let mut artefacts = BTreeMap::new();
        let guards = guards(plan)?;
        for (name, artefact) in &plan.artefacts {
            let schema = plan.schemas.get(&artefact.schema).ok_or_else(|| Unmade::NoSchema(artefact.schema.clone()))?;
            let named = |check: &String| -> Result<Arc<dyn Check>, Unmade> {
                if let Some(guard) = guards.get(check) {
                    return Ok(Arc::clone(guard) as Arc<dyn Check>);
                }
                let found = checks.iter().find(|known| known.name() == check);
                found.cloned().ok_or_else(|| Unmade::NoCheck(check.clone()))
            };
            let named = artefact.checks.iter().map(named).collect::<Result<_, _>>()?;
            artefacts.insert(name.clone(), (compile(name.as_str(), schema)?, named));
        }
        let args = plan.tools.iter().map(|(name, spec)| Ok((name.clone(), compile(name.as_str(), &spec.args)?)));
        let same = |(field, other): (&String, &String)| {
            let (artefact, keys) = plan.root(other)?;
            Some(Same { field: field.clone(), artefact, keys })
        };
        let same = |artefact: &Artefact| artefact.same.iter().filter_map(same).collect();
        let same = plan.artefacts.iter().map(|(name, artefact)| (name.clone(), same(artefact))).collect();
        let section = |(name, artefact): (&ArtefactName, &Artefact)| Some((name.clone(), artefact.section.clone()?));
        let sections = plan.artefacts.iter().filter_map(section).collect();
        let split = plan.artefacts.keys().map(|name| (name.clone(), plan.splits_over(name).cloned().collect()));
        let (split, args) = (split.collect(), args.collect::<Result<_, Unmade>>()?);
        let leaving = plan.leaving.clone();
        Ok(Self { artefacts, same, sections, split, args, settings: plan.checks.clone(), guards, leaving })
    }

    /// Examines a version of `artefact`; `sight` is what its writer could see.
    pub fn examine(&self, artefact: &ArtefactName, body: &Value, sight: &Sight<'_>) -> Verdict {
        let Some((schema, checks)) = self.artefacts.get(artefact) else {
            return Verdict {
                problems: vec![format!("{artefact} is not an artefact of this topology")],
                ..Verdict::default()
            };
        };
        let problems = sentences(schema, body, artefact.as_str());
        if !problems.is_empty() {
            return Verdict { problems, ..Verdict::default() };
        }
        let none = json!({});
        let settings = |check: &dyn Check| self.settings.get(check.name()).unwrap_or(&none);
        let look = |check: &Arc<dyn Check>| self.found(artefact, &**check, body, sight, settings(&**check));
        let findings: Vec<Finding> = checks.iter().flat_map(look).collect();
        let told = |f: &Finding| short(&format!("{artefact}{}: {} ({})", f.at, f.what, f.rule));
        let blocked = findings.iter().find(|finding| finding.level == Level::Block).map(told);
        let must = findings.iter().filter(|finding| finding.level.refuses()).take(PROBLEMS_MAX);
        let mut problems: Vec<String> = must.map(told).collect();
        let same = self.same.get(artefact).into_iter().flatten();
        problems.extend(same.filter_map(|same| differs(artefact, body, same, sight.desk)));
        let mut lists = Lists::new();
        for each in self.split.get(artefact).into_iter().flatten() {
            match items(artefact, body, each) {
                Ok(items) => drop(lists.insert(each.place(), items)),
                Err(why) => problems.push(short(&why)),
            }
        }
        Verdict { problems, blocked, findings, lists }
    }

    /// What the declared rules of `artefact` come to over a version of it.
    pub fn ruled(&self, artefact: &ArtefactName, body: &Value, sight: &Sight<'_>) -> Vec<Applied> {
        let checks = self.artefacts.get(artefact).map(|(_, checks)| checks);
        let guards = checks.into_iter().flatten().filter_map(|check| self.guards.get(check.name()));
        let found = |guard: &Guard| self.found(artefact, guard, body, sight, &Value::Null);
        guards.flat_map(|guard| guard.of_artefact(artefact.as_str(), &found(guard))).collect()
    }

    /// What a check finds. Of a section it is shown the whole as its writer leaves it, and what it finds of others' sections
    /// is not that writer's to mend.
    fn found(
        &self,
        artefact: &ArtefactName,
        check: &dyn Check,
        body: &Value,
        sight: &Sight<'_>,
        settings: &Value,
    ) -> Vec<Finding> {
        let Some(section) = self.sections.get(artefact) else { return check.examine(body, sight, settings) };
        let (whole, others) = self.around(section, body, sight.desk);
        let found = check.examine(&whole, &Sight { desk: &others, ..*sight }, settings);
        found.into_iter().filter_map(|finding| within(finding, section)).collect()
    }

    /// Whether the project declared any rules.
    pub fn has_rules(&self) -> bool {
        !self.guards.is_empty()
    }

    /// Whether rules hold for what `tool` would do.
    pub fn guards(&self, tool: &ToolName) -> bool {
        self.leaving.contains_key(tool)
    }

    /// Whether a check looks at what tools gave in the run.
    pub fn looks_back(&self) -> bool {
        let mut checks = self.artefacts.values().flat_map(|(_, checks)| checks);
        checks.any(|check| check.looks_back()) || self.guards.values().any(|guard| guard.looks_back())
    }

    /// What the rules come to that hold for what `tool` would do, over one such thing.
    ///
    /// # Errors
    /// If a check that holds for it is not there: then nothing leaves.
    pub fn leaving(&self, tool: &ToolName, what: &Leaving<'_>, sight: &Sight<'_>) -> Result<Vec<Applied>, Failure> {
        let mut applied = Vec::new();
        for name in self.leaving.get(tool).into_iter().flatten() {
            let missing = || {
                Failure::new(
                    Class::Policy,
                    format!("the rules of {name} are not there, and nothing leaves without them"),
                )
            };
            applied.extend(self.guards.get(name).ok_or_else(missing)?.leaving(what, sight));
        }
        Ok(applied)
    }

    /// The whole with a section in it as its writer leaves it, and what else is on their desk.
    fn around(
        &self,
        section: &Section,
        body: &Value,
        desk: &BTreeMap<ArtefactName, Value>,
    ) -> (Value, BTreeMap<ArtefactName, Value>) {
        let mut others = desk.clone();
        let mut whole = others.remove(&section.of).unwrap_or_else(|| json!({}));
        // Sections that are written beside it.
        others.retain(|name, body| match self.sections.get(name).filter(|beside| beside.of == section.of) {
            Some(beside) => {
                put_section(&mut whole, &beside.at, body.take());
                false
            }
            None => true,
        });
        put_section(&mut whole, &section.at, body.clone());
        (whole, others)
    }

    /// The argument that the first fault of a call is in, if it is in one.
    pub fn misfit(&self, tool: &ToolName, args: &Value) -> Option<String> {
        let path = self.args.get(tool)?.iter_errors(args).next()?.instance_path().to_string();
        path.split('/').nth(1).map(str::to_owned)
    }

    /// What is wrong with a call's arguments.
    pub fn call(&self, tool: &ToolName, args: &Value) -> Vec<String> {
        self.args.get(tool).map_or_else(|| vec![format!("there is no tool {tool}")], |s| sentences(s, args, "args"))
    }
}

/// What is wrong with arguments that are called by hand, in no run.
///
/// # Errors
/// If the schema of the arguments is none.
pub fn misfits(schema: &Value, args: &Value) -> Result<Vec<String>, Unmade> {
    Ok(sentences(&compile("args", schema)?, args, "args"))
}

/// What a check found of a whole, if it is about this section: what others wrote is not its writer's to mend.
fn within(finding: Finding, section: &Section) -> Option<Finding> {
    let at = finding.at.strip_prefix(&section.pointer()).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
    Some(Finding { at: at.to_owned(), ..finding })
}

/// A field that has to be what another artefact says.
struct Same {
    field: String,
    artefact: ArtefactName,
    keys: Vec<String>,
}

/// What is against such a field; nothing, if one of the two says nothing.
fn differs(artefact: &ArtefactName, body: &Value, same: &Same, desk: &BTreeMap<ArtefactName, Value>) -> Option<String> {
    let Same { field, artefact: other, keys } = same;
    // No field means all of a section.
    let own = field.split('.').filter(|key| !key.is_empty()).try_fold(body, |at, key| at.get(key))?;
    let theirs = keys.iter().try_fold(desk.get(other)?, |at, key| at.get(key))?;
    let differ = own != theirs && !own.is_null() && !theirs.is_null();
    let other = || std::iter::once(other.as_str()).chain(keys.iter().map(String::as_str)).collect::<Vec<_>>().join(".");
    let dot = if field.is_empty() { "" } else { "." };
    differ.then(|| {
        short(&format!("{artefact}{dot}{field} is {own}, and {} is {theirs}: they have to be the same", other()))
    })
}

/// The items of the list in `body` that `each` splits over.
///
/// # Errors
/// What of the list no branch can be made of.
fn items(artefact: &ArtefactName, body: &Value, each: &Each) -> Result<Items, String> {
    let place = each.place();
    let list = each.keys.iter().try_fold(body, |value, key| value.get(key)).and_then(Value::as_array);
    let list = list.ok_or_else(|| format!("{artefact}.{place} is not a list, and the work is split over its items"))?;
    let most = each.most;
    if list.len() > most as usize {
        return Err(format!("{artefact}.{place} has {} items; {most} at most are worked on at once", list.len()));
    }
    let count = u32::try_from(list.len()).unwrap_or(u32::MAX);
    let EachTo::By { by, .. } = &each.to else { return Ok(Items { count, to: Vec::new() }) };
    let member = |(index, item): (usize, &Value)| {
        let named = item.get(by).and_then(Value::as_str);
        let words = each.to.words();
        words.iter().find(|(word, _)| Some(*word) == named).map(|(_, member)| (*member).clone()).ok_or_else(|| {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let said = named.map_or_else(|| "missing".to_owned(), |named| format!("{named:?}"));
            format!("{artefact}.{place}[{index}].{by} is {said}; it is one of {}", names.join(", "))
        })
    };
    Ok(Items { count, to: list.iter().enumerate().map(member).collect::<Result<_, _>>()? })
}

fn compile(of: &str, schema: &Value) -> Result<Validator, Unmade> {
    jsonschema::validator_for(schema).map_err(|why| Unmade::Schema { of: of.to_owned(), why: Box::new(why) })
}

fn sentences(schema: &Validator, body: &Value, name: &str) -> Vec<String> {
    let errors = schema.iter_errors(body).take(PROBLEMS_MAX);
    errors.map(|error| sentence(name, &error)).collect()
}

/// One fault. A long value is not quoted: a reason that repeats it doubles what the next request shows.
fn sentence(name: &str, error: &jsonschema::ValidationError<'_>) -> String {
    let is_long = error.instance().to_string().len() > VALUE_BYTES_MAX;
    let what = if is_long { error.masked_with("what you wrote").to_string() } else { error.to_string() };
    short(&format!("{name}{}: {what}", error.instance_path()))
}

/// A reason that is not too long.
pub(super) fn short(reason: &str) -> String {
    let cut = reason.floor_char_boundary(PROBLEM_BYTES_MAX);
    if cut < reason.len() { format!("{}...", &reason[..cut]) } else { reason.to_owned() }
}
