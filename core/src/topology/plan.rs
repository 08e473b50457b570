//! A checked topology as a value: everything that a run branches on, pinned by digest in its first record.
//! It is built only by `topology::check`; the run reads it and never looks at a file again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bounds::Bounds;
pub use super::price::ModelSpec;
use super::recording::Recording;
use super::rule::Rule;
use super::spec::{Reach, ToolSpec};
use crate::id::{AgentName, ArtefactName, Digest, NanoUsd, Outcome, ToolName};

/// The version of this type's JSON; a journal that pins another one is refused.
pub const PLAN_FORMAT: u32 = 1;

/// The outcomes that a person's turn can end with.
pub const PERSON_OUTCOMES: [&str; 4] = ["approve", "request_changes", "reject", "expired"];

/// The tool by which a member asks another, where the topology says `may_ask`.
pub const ASK_TOOL: &str = "team.ask";

/// The outcome of the message that a question is, and of the turn that answers it.
pub const QUESTION: &str = "question";

/// The outcome of the message that asks a writer for what can be prepared: its artefact, written anew.
pub const MEND: &str = "mend";

/// The only outcome of a turn that answers a question.
pub const ANSWER: &str = "answer";

/// Questions that a turn may ask.
pub const QUESTIONS_PER_TURN_MAX: u32 = 4;

/// Answers refused before a turn is given up: the first is asked again twice.
pub const ANSWERS_REFUSED_MAX: u32 = 2;

/// Replies with forbidden calls: told once, the second ends the turn.
pub const POLICY_STRIKES_MAX: u32 = 1;

/// How often the writers of one turn of a person are asked for what can be prepared.
pub const MENDS_MAX: u32 = 2;

/// Branches that a split may have, and that may be open at once where splits are nested.
pub const BRANCHES_MAX: u32 = 1_000;

/// The outcome of a person who answers, unless their file declares others.
pub const ANSWERED: &str = "answered";

/// The outcome of a person's turn whose time was up.
pub const EXPIRED: &str = "expired";

/// The one outcome of a tool agent.
pub const TOOL_OUTCOME: &str = "done";

/// A topology with all that its files name, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_FORMAT`] when it was made.
    pub format: u32,
    /// The topology's file name without `.toml`.
    pub name: String,
    /// What it is for, one sentence.
    pub description: String,
    /// Whether models run.
    pub mode: Mode,
    /// The parameters of a run.
    pub params: BTreeMap<String, Param>,
    /// What the team makes.
    pub artefacts: BTreeMap<ArtefactName, Artefact>,
    /// JSON Schemas by name, each whole.
    pub schemas: BTreeMap<String, Value>,
    /// Settings of the checks that artefacts name, and of those whose rules hold for what leaves.
    pub checks: BTreeMap<String, Value>,
    /// Checks whose rules hold for the final bytes of what a tool would do.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub leaving: BTreeMap<ToolName, Vec<String>>,
    /// Who is on it.
    pub team: BTreeMap<AgentName, Member>,
    /// Teams that are members of this one: their own members are on the team as `TEAM.MEMBER`.
    #[serde(default, skip_serializing_if = "Teams::is_empty")]
    pub teams: Teams,
    /// Who gets the brief.
    pub start: AgentName,
    /// Where each outcome of each member leads; total.
    pub handoffs: BTreeMap<AgentName, BTreeMap<Outcome, Handoff>>,
    /// The outcomes whose end is a failure of the run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<AgentName, BTreeSet<Outcome>>,
    /// What the run may spend.
    pub budget: Budget,
    /// How failures are answered.
    pub supervisor: Supervisor,
    /// Models by alias.
    pub models: BTreeMap<String, ModelSpec>,
    /// What the tools that the team uses declared when it was checked.
    pub tools: BTreeMap<ToolName, ToolSpec>,
    /// The script, if `mode` is rehearsal.
    pub script: Option<Script>,
    /// What is replayed, if `mode` is replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<Arc<Recording>>,
    /// True if the project has no `[people]`: one person, who may approve.
    pub single_person: bool,
}

/// A team that is a member of another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// Its topology's file name without `.toml`.
    pub topology: String,
    /// What that is for, one sentence.
    pub description: String,
    /// Artefacts that it takes or gives: its name for each, and ours.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<ArtefactName, ArtefactName>,
    /// What its parameters are: those of the run, or values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Arg>,
    /// What its members may spend together.
    pub budget: Budget,
}

/// Teams that are members of one, by their names in it: those of a team within another are there as `TEAM.INNER`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Teams(pub BTreeMap<AgentName, Team>);

impl Teams {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether models run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// No model runs: agents speak from the script, outward tools draft.
    Rehearsal,
    /// No model runs: agents say what was recorded, outward tools draft.
    Replay,
    /// Models run.
    Live,
}

impl Mode {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rehearsal => "rehearsal",
            Self::Replay => "replay",
            Self::Live => "live",
        }
    }

    /// Whether model calls are settled as their provider charges them, a lost one at its maximum.
    pub fn charges(self) -> bool {
        self != Self::Rehearsal
    }

    /// Whether outward tools draft, since no model runs.
    pub fn drafts(self) -> bool {
        self != Self::Live
    }
}

/// A parameter of a topology.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Param {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ParamKind,
    /// Its value if a run gives none; none makes it required.
    pub default: Option<Value>,
    /// What it may be, beside its type.
    #[serde(default, skip_serializing_if = "Bounds::is_open")]
    pub bounds: Bounds,
    /// What it means.
    pub description: String,
}

/// The types of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParamKind {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// true or false.
    Boolean,
}

impl ParamKind {
    /// The type's name in files and in JSON Schema.
    pub fn word(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }
}

/// A typed, versioned thing that the team makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artefact {
    /// A key of [`Plan::schemas`].
    pub schema: String,
    /// Checks that run on every version.
    pub checks: Vec<String>,
    /// Fields that have to be what another artefact says, where both say something: `segment` -> `finding.segment`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub same: BTreeMap<String, String>,
    /// For what branches of a split make together: of which artefact it is the list of all their versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<ArtefactName>,
    /// For a part of another artefact that members write by itself: of which, and where it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<Section>,
}

/// A part of an artefact that members write by itself; it is an artefact of its own, `report.pricing`, which nobody reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// The artefact that it is a part of: that is read, and approved.
    pub of: ArtefactName,
    /// The keys that lead to it there, with dots between them.
    pub at: String,
}

impl Section {
    /// The place of it in the whole, as a JSON pointer.
    pub fn pointer(&self) -> String {
        format!("/{}", self.at.replace('.', "/"))
    }

    /// What an artefact's section of that place is called.
    pub fn name(of: &ArtefactName, at: &str) -> Option<ArtefactName> {
        format!("{of}.{at}").parse().ok()
    }
}

/// An agent in its place on a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// What it does, one sentence.
    pub does: String,
    /// Artefacts that it reads from its desk.
    pub reads: Vec<Read>,
    /// Artefacts that each of its turns writes.
    pub writes: Vec<ArtefactName>,
    /// Its own limits, within the run's budget.
    pub limits: Limits,
    /// Members that it may ask a question within a turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may_ask: Vec<AgentName>,
    /// By outcome: the tools of which a turn must have a result to end with it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub needs: BTreeMap<Outcome, Vec<ToolName>>,
    /// What it is shown again of its earlier turns.
    #[serde(default, skip_serializing_if = "Memory::is_turn")]
    pub memory: Memory,
    /// How many messages it handles at once, at least 1; none is [`Member::parallel`]'s default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<u32>,
    /// What it is.
    pub role: Role,
}

/// What an agent is shown again of its earlier turns in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Memory {
    /// Nothing: a turn begins with its message and its desk.
    #[default]
    Turn,
    /// All of them.
    Run,
}

impl Memory {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_turn(&self) -> bool {
        *self == Self::Turn
    }
}

/// An artefact that a member reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// Which.
    pub artefact: ArtefactName,
    /// True if it may be absent (`review?`).
    pub optional: bool,
}

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Role {
    /// A model, or its script.
    Model {
        /// The outcomes it chooses among.
        outcomes: Vec<Outcome>,
        /// The tools it is offered.
        tools: Vec<ToolName>,
        /// A key of [`Plan::models`].
        model: String,
        /// A template over brief, message and desk.
        instructions: String,
    },
    /// A person who decides.
    Person(Person),
    /// A tool, called with arguments from the desk.
    Tool {
        /// Which.
        tool: ToolName,
        /// Its arguments by name.
        args: BTreeMap<String, Arg>,
    },
    /// A table that decides over what is on its desk: no model, no step.
    Rule(Rule),
}

/// A person, or any of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Who may decide: `NAME` or `group:NAME`; empty means anyone.
    pub who: Vec<String>,
    /// How many different people must approve.
    pub needed: u32,
    /// Whether whoever started the run may approve.
    pub starter_may_approve: bool,
    /// Artefacts that they approve; none if they answer instead.
    pub approves: Vec<ArtefactName>,
    /// What they choose among when they answer; none of whoever approves, or is only asked by teammates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<Outcome>,
    /// The outward tool agent whose manifest is bound; none binds the artefact versions.
    pub binds: Option<AgentName>,
    /// A reminder each so many milliseconds.
    pub remind_every_ms: Option<u64>,
    /// Who else is told, and after how long.
    pub escalate: Option<Escalate>,
    /// When waiting ends.
    pub expires: Expires,
}

/// Who else is told when nobody decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalate {
    /// After so many milliseconds.
    pub after_ms: u64,
    /// `NAME` or `group:NAME`.
    pub to: String,
}

/// What happens when nobody decides; never an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expires {
    /// After so many milliseconds.
    pub after_ms: u64,
    /// What then.
    pub then: Expiry,
}

/// What an unanswered approval comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expiry {
    /// The turn ends with the outcome `expired`.
    Reject,
    /// It waits on, marked overdue.
    Hold,
}

/// An argument of a tool agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arg {
    /// `{ value = ... }`
    Value(Value),
    /// A path into the desk, `message` or `params`.
    Path {
        /// An artefact's name, `message` or `params`.
        root: String,
        /// Keys below it.
        keys: Vec<String>,
    },
}

/// Where an outcome leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handoff {
    /// To whom; if it splits, to whom what the branches made goes: the join.
    pub to: Recipient,
    /// How often, and where then; none is unbounded and lies on no cycle of its own.
    pub rounds: Option<Rounds>,
    /// What lies between, if its message becomes several that run side by side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
}

/// How a message becomes several. Nothing leaves a branch but to the join, where all of them meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Which branches there are.
    pub over: Over,
    /// How many of them have to reach the join before it goes on; none is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<u32>,
    /// What happens if fewer than that still can.
    #[serde(default)]
    pub short: Short,
    /// The lists of what its branches write: artefacts with `of` that are made at its join.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collects: Vec<ArtefactName>,
    /// What several branches write and nobody reads beyond the join: it ends with its branch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ends: Vec<ArtefactName>,
}

/// The branches of a split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// One for each of these members, in this order.
    All(Vec<AgentName>),
    /// So many, each to the same member.
    Times {
        /// How many.
        times: u32,
        /// To whom.
        to: AgentName,
    },
    /// One for each item of a list.
    Each(Each),
}

/// A split over a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Each {
    /// The artefact that the list is in.
    pub artefact: ArtefactName,
    /// The keys that lead to it, from the artefact's top.
    pub keys: Vec<String>,
    /// Under which name a branch has its item on its desk.
    #[serde(rename = "as")]
    pub item: ArtefactName,
    /// Whose branches they are.
    pub to: EachTo,
    /// Items that the list may have.
    pub most: u32,
}

/// Whose the branches of a list are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EachTo {
    /// All of one member.
    One(AgentName),
    /// Each of the member that its item names.
    By {
        /// The key of an item under which the name stands.
        by: String,
        /// Whom it may name.
        among: Vec<AgentName>,
        /// What an item calls each of them, where that is not their name.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        called: Vec<String>,
    },
}

/// What happens if fewer branches than a join needs can still reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Short {
    /// The run ends as failed.
    #[default]
    Stop,
    /// The join goes on with those that did.
    GoOn,
}

impl Split {
    /// The members with which its branches can begin.
    pub fn begins(&self) -> &[AgentName] {
        match &self.over {
            Over::All(members) | Over::Each(Each { to: EachTo::By { among: members, .. }, .. }) => members,
            Over::Times { to, .. } | Over::Each(Each { to: EachTo::One(to), .. }) => std::slice::from_ref(to),
        }
    }

    /// The most branches that it can have.
    pub fn most(&self) -> u32 {
        match &self.over {
            Over::All(members) => u32::try_from(members.len()).unwrap_or(u32::MAX),
            Over::Times { times, .. } => *times,
            Over::Each(each) => each.most,
        }
    }

    /// The name under which a branch has its item on its desk, if it is about one.
    pub fn item(&self) -> Option<&ArtefactName> {
        match &self.over {
            Over::Each(each) => Some(&each.item),
            Over::All(_) | Over::Times { .. } => None,
        }
    }

    /// Whether the join waits for every branch, so that what each of them made is there.
    pub fn needs_all(&self) -> bool {
        self.needs.is_none() && self.short == Short::Stop
    }
}

impl EachTo {
    /// What an item says, and whom it means by that; nothing if all branches are one member's.
    pub fn words(&self) -> Vec<(&str, &AgentName)> {
        match self {
            Self::One(_) => vec![],
            Self::By { among, called, .. } if called.is_empty() => {
                among.iter().map(|member| (member.as_str(), member)).collect()
            }
            Self::By { among, called, .. } => called.iter().map(String::as_str).zip(among).collect(),
        }
    }
}

impl Each {
    /// Its place in the artefact as people write it: `channels`, `plan.channels`.
    pub fn place(&self) -> String {
        self.keys.join(".")
    }

    /// The place of its `index`-th item in the artefact, as a JSON pointer.
    pub fn pointer(&self, index: u32) -> String {
        // A key is a name without `/` and `~`, as `check` has it.
        let keys: String = self.keys.iter().map(|key| format!("/{key}")).collect();
        format!("{keys}/{index}")
    }
}

/// Messages that a model or a tool handles at once, unless its team says otherwise.
const PARALLEL: u32 = 4;

impl Member {
    /// How many messages it handles at once. What remembers its turns takes one after the other; a person is asked whatever
    /// there is.
    pub fn parallel(&self) -> u32 {
        let usual = match (&self.role, self.memory) {
            (Role::Person(_), _) => u32::MAX,
            (_, Memory::Run) => 1,
            _ => PARALLEL,
        };
        self.parallel.unwrap_or(usual)
    }
}

/// A bound on a handoff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rounds {
    /// So many times.
    pub max: u32,
    /// Where the next one goes instead.
    pub then: Recipient,
}

/// Who gets a message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Recipient {
    /// A member of the team.
    Member(AgentName),
    /// The run's result.
    End,
}

/// What a run may spend. `None` is `"unlimited"`, written out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Model and tool calls.
    pub steps: Option<u64>,
    /// Tokens in and out.
    pub tokens: Option<u64>,
    /// Money.
    pub cost: Option<NanoUsd>,
    /// Milliseconds with an effect under way.
    pub active_ms: Option<u64>,
    /// People (or pages) that outward tools may reach.
    pub recipients: Option<u64>,
    /// What a spent budget does.
    pub when_spent: WhenSpent,
}

/// What a spent budget does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenSpent {
    /// The run waits for a raise.
    Pause,
    /// The run ends.
    Stop,
}

/// An agent's limits within a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Turns it may take.
    pub turns: u32,
    /// Steps within one turn.
    pub steps_per_turn: u32,
    /// Tokens that one reply may have.
    pub output_tokens: u64,
    /// Tokens it may use in the whole run.
    pub tokens: Option<u64>,
    /// Money it may use in the whole run.
    pub cost: Option<NanoUsd>,
    /// The time-out of one call.
    pub call_timeout_ms: u64,
    /// The longest silence within a model's reply, if that is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout_ms: Option<u64>,
}

/// How failures are answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supervisor {
    /// Restarts of one agent within `within_ms`; one more pauses the run.
    pub max_restarts: u32,
    /// The window.
    pub within_ms: u64,
    /// First wait before a restart or a retry; doubles.
    pub backoff_initial_ms: u64,
    /// Longest such wait.
    pub backoff_max_ms: u64,
    /// A message that kills its agent so often goes to the dead letters.
    pub poison_after: u32,
    /// Failure class -> action, where it differs from the default.
    pub on: BTreeMap<String, Action>,
}

/// What a failure that is not retried (any more) does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Retry as the one retry rule says, then dead-letter the message.
    Retry,
    /// Restart the agent and hand it the message again.
    Restart,
    /// Dead-letter the message and let a person say what next.
    AskPerson,
    /// End the run as failed.
    Stop,
}

/// How a server of models is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// OpenAI's chat completions, which most others speak too.
    #[serde(rename = "openai")]
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
    /// Google's `generateContent`.
    Gemini,
}

/// What of a turn's writing does not fit its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// What it has to write, and did not.
    pub missing: Vec<ArtefactName>,
    /// What it wrote, and is not its to write.
    pub foreign: Vec<ArtefactName>,
}

impl Misfit {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.missing.is_empty() && self.foreign.is_empty()
    }
}

/// A rehearsal: what each agent says, from `rehearsals/TOPOLOGY.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Script {
    /// Lines by agent; the first whose `when` holds and that is unused, the last repeats.
    pub lines: BTreeMap<AgentName, Vec<Line>>,
}

/// One scripted turn.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Line {
    /// An expression; absent means always.
    pub when: Option<String>,
    /// Tool calls, in order.
    pub calls: Vec<ScriptedCall>,
    /// A template for the outcome; absent means the only one.
    pub outcome: Option<String>,
    /// A template for the note.
    pub note: String,
    /// Templates for the artefacts.
    pub writes: BTreeMap<ArtefactName, Value>,
}

/// A tool call of a scripted turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptedCall {
    /// Which tool.
    pub tool: ToolName,
    /// Templates for its arguments.
    pub args: Value,
    /// The name of the result in later templates.
    #[serde(rename = "as")]
    pub name: String,
}

/// Whether instructions are a template, and not plain text.
pub fn is_template(instructions: &str) -> bool {
    instructions.contains('{')
}

/// The provider of `provider/model`, and the model's own name there.
pub fn provider_and_name(model: &str) -> Option<(&str, &str)> {
    model.split_once('/').filter(|(provider, name)| !provider.is_empty() && !name.is_empty())
}

impl Plan {
    /// The digest by which a run pins this plan, over its JSON bytes.
    pub fn digest(bytes: &[u8]) -> Digest {
        Digest::of("callsheet plan 1", &[bytes])
    }

    /// The JSON Schema of an artefact; none if there is no such artefact.
    pub fn schema(&self, artefact: &str) -> Option<&Value> {
        self.schemas.get(&self.artefacts.get(artefact)?.schema)
    }

    /// The words that a turn of `agent` can end with, which may be one that answers a question.
    pub fn words(&self, agent: &AgentName, is_question: bool) -> Vec<&str> {
        if is_question { vec![ANSWER] } else { self.outcomes(agent).map(Outcome::as_str).collect() }
    }

    /// Where `outcome` of `agent` leads.
    pub fn handoff(&self, agent: &AgentName, outcome: &Outcome) -> Option<&Handoff> {
        self.handoffs.get(agent)?.get(outcome)
    }

    /// What of `written` does not fit a turn of `agent` that ends with `outcome`: it writes all of its artefacts, unless
    /// the work ends there, and nothing else. An answer to a question writes nothing.
    pub fn misfit(&self, agent: &AgentName, outcome: &Outcome, is_question: bool, written: &[&ArtefactName]) -> Misfit {
        let own = self.team.get(agent).map(|member| member.writes.as_slice()).filter(|_| !is_question);
        let own = own.unwrap_or_default();
        let ends =
            self.handoff(agent, outcome).is_some_and(|handoff| handoff.to == Recipient::End && handoff.split.is_none());
        let missing = own.iter().filter(|name| !ends && !written.contains(name)).cloned().collect();
        let foreign = written.iter().filter(|name| !own.contains(name)).map(|name| (*name).clone()).collect();
        Misfit { missing, foreign }
    }

    /// Whether `writer` may be asked by `person` to write anew what it wrote: all of that which leaves is the person's to
    /// approve, so that nobody's approval of something else is passed by.
    pub fn may_mend(&self, person: &AgentName, writer: &AgentName) -> bool {
        let (Some(asking), Some(asked)) = (self.team.get(person), self.team.get(writer)) else { return false };
        let (Role::Person(of), false) = (&asking.role, matches!(asked.role, Role::Person(_))) else { return false };
        let approves = |artefact: &ArtefactName| of.approves.contains(self.whole(artefact));
        asked.writes.iter().any(approves) && asked.writes.iter().all(|name| approves(name) || !self.leaves(name))
    }

    /// Whether `member` is shown what people say to it while a run goes on: a model is.
    pub fn reads_notes(&self, member: &AgentName) -> bool {
        self.team.get(member).is_some_and(|member| matches!(member.role, Role::Model { .. }))
    }

    /// The artefact under whose name `artefact` is on a desk: of a section the one that it is a part of.
    pub fn whole<'a>(&'a self, artefact: &'a ArtefactName) -> &'a ArtefactName {
        self.section(artefact).map_or(artefact, |section| &section.of)
    }

    /// What part of another artefact `artefact` is, if it is one.
    pub fn section(&self, artefact: &ArtefactName) -> Option<&Section> {
        self.artefacts.get(artefact)?.section.as_ref()
    }

    /// Whether some member delivers `artefact`.
    fn leaves(&self, artefact: &ArtefactName) -> bool {
        let artefact = self.whole(artefact);
        self.team.values().any(|member| match &member.role {
            Role::Tool { tool, args } => {
                let takes = |arg: &Arg| matches!(arg, Arg::Path { root, .. } if root == artefact.as_str());
                let outward = self.tools.get(tool).is_none_or(|spec| spec.reach == Reach::ActsOut);
                outward && args.values().any(takes)
            }
            _ => false,
        })
    }

    /// The splits over lists within `artefact`.
    pub fn splits_over<'a>(&'a self, artefact: &'a ArtefactName) -> impl Iterator<Item = &'a Each> {
        let splits = self.handoffs.values().flat_map(BTreeMap::values).filter_map(|handoff| handoff.split.as_ref());
        splits.filter_map(move |split| match &split.over {
            Over::Each(each) if each.artefact == *artefact => Some(each),
            Over::Each(_) | Over::All(_) | Over::Times { .. } => None,
        })
    }

    /// The outcomes that `agent`'s turns can end with.
    pub fn outcomes(&self, agent: &AgentName) -> impl Iterator<Item = &Outcome> {
        self.handoffs.get(agent).into_iter().flat_map(BTreeMap::keys)
    }
}
