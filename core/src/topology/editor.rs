//! JSON Schemas (draft-07) of the files people write, for their editors. The shapes here mirror what `raw` reads, and a
//! test holds the two against each other; names and paths are for `check`, not for a schema.

mod notify;
mod project;
mod shape;
mod trigger;

use std::collections::BTreeMap;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Deserialize;
use serde_json::{Value, json};

use super::plan::{Action, Memory, ParamKind, Short, WhenSpent};
pub use notify::{Channel, MailServer, Notify, Tls};
pub use project::Project;
pub use shape::{Branches, Count, Duration, Money, Outcomes, Restarts, Small, SmallOrNone, Times, Unlimited, Version};
pub use trigger::Trigger;

/// A limit, or "unlimited" written out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Limit<T> {
    /// The limit.
    At(T),
    /// None.
    Unlimited(Unlimited),
}

/// `topologies/NAME.toml`: who is on the team, what they make, to whom they hand it, what they may spend.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// The version of the form.
    pub schema_version: Version,
    /// What it is for, one sentence.
    pub description: String,
    /// Parameters of a run, by name.
    #[serde(default)]
    pub params: BTreeMap<String, Param>,
    /// What a team that has this one as a member brings, by name.
    #[serde(default)]
    pub takes: BTreeMap<String, Taken>,
    /// What the team makes, by name.
    #[serde(default)]
    pub artefacts: BTreeMap<String, Artefact>,
    /// Who is on it: agents/NAME.toml, unless `file` or `tool` says otherwise.
    pub team: BTreeMap<String, Seat>,
    /// Where each outcome of each member leads.
    pub handoffs: Handoffs,
    /// What a run may spend.
    pub budget: Budget,
    /// How failures are answered.
    pub supervisor: Option<Supervisor>,
    /// What starts runs while `callsheet serve` runs, by name.
    #[serde(default)]
    pub triggers: BTreeMap<String, Trigger>,
}

/// A parameter of a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Param {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ParamKind,
    /// Its value if a run gives none; without it a run must.
    #[serde(default)]
    pub default: Value,
    /// The least that a number may be.
    pub minimum: Option<f64>,
    /// The most that a number may be.
    pub maximum: Option<f64>,
    /// The only values that it may have.
    pub one_of: Option<Vec<Value>>,
    /// What it means.
    pub description: Option<String>,
}

/// What the team makes: a typed thing, or a list of those that the branches of a split make.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Artefact {
    /// A typed thing.
    Written(Written),
    /// A list.
    Collected(Collected),
}

/// All that the branches of a split write of one artefact, in their order.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Collected {
    /// The artefact that each branch writes.
    pub of: String,
    /// Checks that run on the list.
    #[serde(default)]
    pub checks: Vec<String>,
}

/// A typed thing that a member writes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// The name of a JSON Schema in schemas/.
    pub schema: String,
    /// Checks that run on every version.
    #[serde(default)]
    pub checks: Vec<String>,
    /// Fields that have to be what another artefact says: { segment = "finding.segment" }.
    #[serde(default)]
    pub same: BTreeMap<String, String>,
}

/// What a team is brought.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    /// The name of a JSON Schema in schemas/; if left out, any will do, and it is only read.
    pub schema: Option<String>,
}

/// Who is on the team: an agent, or a team of its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Seat {
    /// A team.
    Team(Team),
    /// An agent.
    Member(Member),
}

/// A team that is a member of this one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Team {
    /// Its topology: topologies/NAME.toml.
    pub topology: String,
    /// Its parameters: paths such as `params.quarter`, or literals.
    #[serde(default)]
    pub params: BTreeMap<String, Arg>,
    /// What it is brought: its name for that, and ours.
    #[serde(default)]
    pub takes: BTreeMap<String, String>,
    /// What it brings: our name for that, and its own.
    #[serde(default)]
    pub gives: BTreeMap<String, String>,
}

/// An agent in its place on the team.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its agent's file, below the project's folder.
    pub file: Option<String>,
    /// The tool that it is.
    pub tool: Option<String>,
    /// The tool's arguments.
    #[serde(default)]
    pub args: BTreeMap<String, Arg>,
    /// The lines that it decides by; the first that holds gives the outcome.
    #[schemars(length(min = 1))]
    pub rule: Option<Vec<RuleLine>>,
    /// The outcome if no line of the rule holds.
    #[serde(rename = "else")]
    pub otherwise: Option<String>,
    /// Artefacts it reads; `name?` may be absent.
    #[serde(default)]
    pub reads: Vec<String>,
    /// Artefacts that each of its turns writes.
    #[serde(default)]
    pub writes: Vec<String>,
    /// Artefacts that a person approves.
    #[serde(default)]
    pub approves: Vec<String>,
    /// Members that it may ask a question within a turn.
    #[serde(default)]
    pub may_ask: Vec<String>,
    /// Messages that it handles at once; 4 if left out, 1 if it remembers the run.
    pub parallel: Option<Small>,
    /// The alias of another model than the agent's.
    pub model: Option<String>,
    /// Other limits than the agent's.
    pub limits: Option<Limits>,
}

/// A line of a rule: a value, one condition, and the outcome if that holds.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = conditions()))]
pub struct RuleLine {
    /// A path into an artefact or `params`, such as `plan.budget_usd`.
    pub when: String,
    /// It is a number above this one.
    pub above: Option<f64>,
    /// It is a number below this one.
    pub below: Option<f64>,
    /// It is this number or one above it.
    pub at_least: Option<f64>,
    /// It is this number or one below it.
    pub at_most: Option<f64>,
    /// It is this text, this number, or true or false.
    pub is: Option<Plain>,
    /// It is one of these.
    #[serde(rename = "in")]
    #[schemars(length(min = 1))]
    pub one_of: Option<Vec<Plain>>,
    /// It has nothing in it, or, with `false`, something.
    pub empty: Option<bool>,
    /// It has more characters or items.
    pub longer_than: Option<u64>,
    /// The outcome if that holds.
    pub outcome: String,
}

/// A text, a number, or true or false.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Plain {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// True or false.
    Truth(bool),
}

/// A line of a rule has one of these.
fn conditions() -> Value {
    let words = ["above", "below", "at_least", "at_most", "is", "in", "empty", "longer_than"];
    words.iter().map(|word| json!({ "required": [word] })).collect()
}

/// An argument: a path into an artefact, `message` or `params`, or a literal.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Arg {
    /// A path, such as `sequence` or `params.quarter`.
    Path(String),
    /// A literal.
    Literal(Literal),
}

/// `{ value = ... }`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Literal {
    /// The value.
    pub value: Value,
}

/// `start`, and an entry for each member.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Handoffs {
    /// Who gets the brief.
    pub start: String,
    /// By member.
    #[serde(flatten)]
    pub members: BTreeMap<String, MemberHandoffs>,
}

/// A recipient for the only outcome, a split, or recipients by outcome.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum MemberHandoffs {
    /// A member or `end`.
    Only(String),
    /// Several branches, and where they meet.
    Split(Split),
    /// By outcome.
    #[schemars(extend("propertyNames" = { "not": { "enum": ["each", "join"] } }))]
    By(BTreeMap<String, Way>),
}

/// A recipient, one for some rounds and another then, or a split.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Way {
    /// A member or `end`.
    To(String),
    /// Bounded.
    Bounded(Bounded),
    /// Several branches, and where they meet.
    Split(Split),
}

/// So many rounds to one, then to another.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bounded {
    /// A member or `end`.
    pub to: String,
    /// How often.
    pub rounds: Small,
    /// Where when they are used up.
    pub then: String,
}

/// Several branches side by side, which meet at one join.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Split {
    /// One branch for each of some members.
    All(SplitAll),
    /// So many branches of one member.
    Times(SplitTimes),
    /// One branch for each item of a list.
    Each(SplitEach),
}

/// One branch for each of some members.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("dependencies" = { "rounds": ["then"], "then": ["rounds"] }))]
pub struct SplitAll {
    /// The members.
    pub all: Vec<String>,
    /// Where the branches meet.
    pub join: String,
    /// How many of them it needs; all if left out.
    pub needs: Option<Small>,
    /// What happens if fewer arrive: the run ends as failed (if left out), or goes on.
    pub short: Option<Short>,
    /// How often it splits.
    pub rounds: Option<Small>,
    /// Where when the rounds are used up.
    pub then: Option<String>,
}

/// So many branches of one member.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("dependencies" = { "rounds": ["then"], "then": ["rounds"] }))]
pub struct SplitTimes {
    /// How many.
    pub times: Times,
    /// To whom.
    pub to: String,
    /// Where the branches meet.
    pub join: String,
    /// How many of them it needs; all if left out.
    pub needs: Option<Small>,
    /// What happens if fewer arrive: the run ends as failed (if left out), or goes on.
    pub short: Option<Short>,
    /// How often it splits.
    pub rounds: Option<Small>,
    /// Where when the rounds are used up.
    pub then: Option<String>,
}

/// One branch for each item of a list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("dependencies" = { "rounds": ["then"], "then": ["rounds"] }))]
pub struct SplitEach {
    /// A path to the list: plan.channels.
    pub each: String,
    /// The name of an item in its branch.
    #[serde(rename = "as")]
    pub item: String,
    /// To whom.
    pub to: EachTo,
    /// Items that the list may have.
    pub most: Branches,
    /// Where the branches meet.
    pub join: String,
    /// How many of them it needs; all if left out.
    pub needs: Option<Small>,
    /// What happens if fewer arrive: the run ends as failed (if left out), or goes on.
    pub short: Option<Short>,
    /// How often it splits.
    pub rounds: Option<Small>,
    /// Where when the rounds are used up.
    pub then: Option<String>,
}

/// A member, or the one that an item names.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum EachTo {
    /// A member.
    One(String),
    /// The member that an item names.
    By(Named),
}

/// The member that an item names.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The key of an item that names it.
    pub by: String,
    /// The members that it may name.
    pub among: Vec<String>,
}

/// What a run may spend.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Model and tool calls.
    pub steps: Limit<Count>,
    /// Tokens in and out.
    pub tokens: Limit<Count>,
    /// US dollars.
    pub cost_usd: Limit<Money>,
    /// Time with a call under way; waiting for people does not count.
    pub active_time: Limit<Duration>,
    /// People whom outward tools may reach; 10000 if it is left out.
    pub recipients: Option<Limit<Count>>,
    /// Whether a spent budget pauses the run (if left out) or stops it.
    pub when_spent: Option<WhenSpent>,
}

/// How failures are answered.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Supervisor {
    /// Restarts of an agent within the window; 3 if left out.
    pub max_restarts: Option<Restarts>,
    /// The window; "5m" if left out.
    pub within: Option<Duration>,
    /// Waits between attempts.
    pub backoff: Option<Backoff>,
    /// A message that kills its agent so often is set aside; 3 if left out.
    pub poison_after: Option<Small>,
    /// Failure class to action.
    #[serde(default)]
    pub on: BTreeMap<String, Action>,
}

/// Waits between attempts; they double.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Backoff {
    /// The first; "1s" if left out.
    pub initial: Option<Duration>,
    /// The longest; "30s" if left out.
    pub max: Option<Duration>,
}

/// An agent's limits within a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Turns; 12 if left out.
    pub turns: Option<Small>,
    /// Steps within a turn; 16 if left out.
    pub steps_per_turn: Option<Small>,
    /// Tokens of one reply; 4000 if left out.
    pub output_tokens: Option<Count>,
    /// Time-out of one call; "90s" if left out. What callsheet.toml says of the model wins.
    pub call_timeout: Option<Duration>,
    /// The longest silence within a model's reply; "2m" if left out. What callsheet.toml says of the model wins.
    pub idle_timeout: Option<Duration>,
    /// Tokens in the whole run.
    pub tokens: Option<Limit<Count>>,
    /// US dollars in the whole run.
    pub cost_usd: Option<Limit<Money>>,
}

/// `agents/NAME.toml`: a role, reusable in many topologies.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Agent {
    /// A model that decides its steps and chooses an outcome.
    Model {
        /// The version of the form.
        schema_version: Version,
        /// What it does, one sentence.
        does: String,
        /// The outcomes it chooses among; `done` if left out.
        outcomes: Option<Outcomes>,
        /// The tools it is offered.
        #[serde(default)]
        tools: Vec<String>,
        /// By outcome: the tools whose results a turn must have to end with it.
        #[serde(default)]
        needs: BTreeMap<String, Vec<String>>,
        /// An alias of callsheet.toml; the default if left out.
        model: Option<String>,
        /// What it is shown again of its earlier turns; nothing if left out.
        memory: Option<Memory>,
        /// A template over brief, message and desk.
        instructions: Option<String>,
        /// A file of that beside this one.
        instructions_file: Option<String>,
        /// Its limits.
        limits: Option<Limits>,
    },
    /// A person who decides, or answers.
    Person {
        /// The version of the form.
        schema_version: Version,
        /// What they decide, one sentence.
        does: String,
        /// Who may: NAME or group:NAME; anyone if left out.
        #[serde(default)]
        who: Vec<String>,
        /// What they choose among, if they answer; `answered` if left out.
        #[serde(default)]
        outcomes: Vec<String>,
        /// How many must approve; 1 if left out.
        needed: Option<Small>,
        /// Whether whoever started the run may; false if left out.
        starter_may_approve: Option<bool>,
        /// A reminder each so long.
        remind_every: Option<Duration>,
        /// Who else is told.
        escalate: Option<Escalation>,
        /// When waiting ends.
        expires: Expiration,
    },
    /// A tool.
    Tool {
        /// The version of the form.
        schema_version: Version,
        /// What it does, one sentence.
        does: String,
        /// Which.
        tool: String,
        /// Its limits.
        limits: Option<Limits>,
    },
}

/// Who else is told when nobody decides.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Escalation {
    /// After so long.
    pub after: Duration,
    /// NAME or group:NAME.
    pub to: String,
}

/// What happens when nobody decides; nothing approves by itself.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expiration {
    /// After so long.
    pub after: Duration,
    /// What then.
    pub then: super::plan::Expiry,
}

/// `rehearsals/NAME.toml`: what each agent says when no model runs, and tests.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Rehearsal {
    /// The version of the form.
    pub schema_version: Version,
    /// Tests.
    #[serde(default)]
    pub test: Vec<Test>,
    /// Lines by agent.
    #[serde(flatten)]
    pub agents: BTreeMap<String, Lines>,
}

/// What an agent says, or the members of a team that is a member.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Lines {
    /// An agent's lines.
    Agent(Vec<Line>),
    /// Lines by agent of the team: [[research.watcher]].
    Team(BTreeMap<String, Self>),
}

/// One scripted turn.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// An expression; always if left out.
    pub when: Option<String>,
    /// Tool calls, in order.
    #[serde(default)]
    pub calls: Vec<Call>,
    /// A template for the outcome; the only one if left out.
    pub outcome: Option<String>,
    /// A template for the note.
    pub note: Option<String>,
    /// Templates for the artefacts.
    #[serde(default)]
    pub writes: BTreeMap<String, Value>,
}

/// A tool call.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Which tool.
    pub tool: String,
    /// Templates for its arguments.
    #[serde(default)]
    pub args: BTreeMap<String, Value>,
    /// The name of the result in later templates.
    #[serde(rename = "as")]
    pub name: String,
}

/// A run, and what it must come to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// What it shows.
    pub name: String,
    /// The run's parameters.
    #[serde(default)]
    pub params: BTreeMap<String, Value>,
    /// What persons answer, in order; then all approve.
    #[serde(default)]
    pub decisions: Vec<String>,
    /// How the run ends; `done` if left out.
    pub status: Option<String>,
    /// `agent:outcome`s in order.
    #[serde(default)]
    pub path: Vec<String>,
    /// Parts that artefacts must have.
    #[serde(default)]
    pub artefacts: BTreeMap<String, Value>,
    /// How many approvals are asked for.
    pub asks: Option<SmallOrNone>,
}

/// The schemas, by file name; `kinds` are those of tools, each with the schema of its table.
pub fn editor_schemas(kinds: &[(&str, Value)]) -> [(&'static str, Value); 4] {
    let mut project = schema::<Project>();
    if !kinds.is_empty() {
        project["definitions"]["Tool"] = tables(kinds);
        without_null(&mut project);
    }
    [
        ("topology.json", schema::<Topology>()),
        ("agent.json", schema::<Agent>()),
        ("rehearsal.json", schema::<Rehearsal>()),
        ("callsheet.json", project),
    ]
}

/// The table of a tool, one of `kinds`.
fn tables(kinds: &[(&str, Value)]) -> Value {
    let table = |(word, schema): &(&str, Value)| {
        let mut table = schema.clone();
        table.as_object_mut().map(|table| table.remove("$schema"));
        table["properties"]["kind"] = json!({ "const": word });
        let required = table["required"].as_array().into_iter().flatten().cloned();
        table["required"] = [json!("kind")].into_iter().chain(required).collect();
        table
    };
    json!({ "description": "The connection of tools of a kind.", "oneOf": kinds.iter().map(table).collect::<Vec<_>>() })
}

fn schema<T: JsonSchema>() -> Value {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<T>();
    let mut value = schema.to_value();
    without_null(&mut value);
    value
}

/// TOML has no null: what may be absent is not to be offered as null.
fn without_null(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
            }
            if let Some(Value::Array(any)) = object.get_mut("anyOf") {
                any.retain(|one| one.get("type").is_none_or(|name| name != "null"));
            }
            if object.get("default").is_some_and(Value::is_null) {
                object.remove("default");
            }
            object.values_mut().for_each(without_null);
        }
        Value::Array(list) => list.iter_mut().for_each(without_null),
        _ => {}
    }
}
