//! The closed table of fault codes. A code is stable: it is never reused for another fault. The long texts are in `explain.md`.

use std::fmt;
use std::str::FromStr;

macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal;)*) => {
        /// What kind of fault it is; `callsheet explain CODE` tells the rest.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code as people write it, such as `E012`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What it means, one line.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    MissingFile = "E001", "a file that is named or needed is not there";
    Unreadable = "E002", "a file is too large, nested too deep or not text";
    Syntax = "E003", "a file is not TOML or JSON";
    UnknownKey = "E004", "a key has no meaning here";
    MissingKey = "E005", "a key is missing";
    WrongValue = "E006", "a value has the wrong type or form";
    SchemaVersion = "E007", "schema_version is missing or unknown";
    NotYet = "E008", "a feature is planned and not there yet";
    Secret = "E009", "a secret is written into a file";
    Name = "E010", "a name is malformed, reserved or used twice";
    UnknownArtefact = "E011", "no artefact has this name";
    UnknownMember = "E012", "no member of the team has this name";
    UnknownOutcome = "E013", "the agent does not declare this outcome";
    UnknownTool = "E014", "no tool has this name";
    UnknownCheck = "E015", "no check has this name";
    UnknownModel = "E016", "no model has this alias, or nobody says where it is";
    BadSchema = "E017", "a JSON Schema does not compile";
    UnknownPerson = "E018", "no person or group has this name";
    Unfit = "E019", "a key does not fit this kind of member";
    UnhandledOutcome = "E020", "an outcome is not handed on";
    Unreachable = "E021", "no path leads from start to a member";
    NoEnd = "E022", "no path leads from a member to end";
    Unbounded = "E023", "a cycle has no bound";
    Unassigned = "E024", "an artefact may be read before it is written";
    AskCircle = "E025", "members may ask each other in a circle";
    ToolArgument = "E030", "a tool's argument is missing or unknown";
    ToolLiteral = "E031", "a literal argument is not what the tool takes";
    ToolPath = "E032", "a path leads nowhere";
    ToolType = "E033", "an argument's path leads to another type than the tool takes";
    ToolText = "E034", "a tool's description is longer than providers take";
    RuleElse = "E035", "a rule has no `else`";
    RuleType = "E036", "a rule compares a value with what it can never be";
    RuleLine = "E037", "a line of a rule can never hold";
    TurnsTooFew = "E040", "an agent may need more turns than its limit";
    StepsTooFew = "E041", "the team may need more steps than the budget";
    NoBudget = "E042", "a budget is missing";
    Unpriced = "E043", "a model without a price runs under a cost budget";
    NoExpiry = "E050", "a person's approval never expires";
    TooFewPeople = "E051", "more people must approve than may";
    Ungated = "E060", "an outward tool can be reached without an approval";
    Rewritten = "E061", "what was approved can be rewritten before it leaves";
    TimerApproves = "E062", "a timer may not approve";
    OffersOutward = "E063", "a model may not be offered an outward tool";
    Unapprovable = "E064", "an outward tool takes what nobody can approve";
    TwoBound = "E065", "one approval leads to more than one outward tool";
    Overruled = "E066", "what a person said no to can still leave";
    GateUnasked = "E067", "a rule leaves it to a person, and nobody approves the artefact";
    RuleOfTwo = "E068", "what is private and what others wrote meet in what is asked outside";
    NotToBeTold = "E069", "a model is shown what is private, and may not be told";
    ParamDefault = "E070", "a parameter's default or bounds do not fit its type";
    Script = "E080", "a rehearsal says what its agent cannot do";
    NoScript = "E081", "a rehearsal has no line for an agent";
    Template = "E082", "a template does not parse";
    Expectation = "E083", "a test expects what cannot happen";
    TemplateName = "E084", "a template names what is not there";
    ScriptedValue = "E085", "a rehearsal writes what the artefact's schema does not take";
    Data = "E090", "data is not what is declared of it, or a query counts with a text";
    Query = "E091", "a named query cannot be asked";
    Unaccepted = "E092", "nobody has accepted what a server lists or a database holds as it is";
    Example = "E093", "an example of a rule does not do what it says";
    Understated = "E094", "a tool is said to reach less far than its server says";
    SplitList = "E100", "a split is over what is no list";
    SplitBy = "E101", "an item of a split does not say whose branch it is";
    SplitBranches = "E102", "a split has too few branches, or too many";
    SplitItself = "E103", "a split reaches itself";
    PastJoin = "E104", "a branch is left past its join";
    TwoWriters = "E105", "two branches write the same artefact";
    Collected = "E106", "a list of what branches write is not made by a split";
    ItemName = "E107", "an item of a split is used for something else";
    CallsOff = "E108", "an outward tool stands in a branch that can be called off";
    OtherBranch = "E109", "what leaves was approved in another branch";
    TeamItself = "E110", "a team is a member of itself";
    TeamBrings = "E111", "a team is not brought what it takes, or does not make what it is to give";
    TeamParam = "E112", "a parameter of a team gets no value that it takes";
    TeamOwn = "E113", "what is a team's own is named from outside";
    Section = "E114", "a section of an artefact cannot be written by itself";
    Trigger = "E120", "a trigger does not say one thing that fires it";
    CronPattern = "E121", "a cron pattern cannot be read, or is never due";
    TriggerParam = "E122", "a trigger gives a parameter no value that it takes";
    TriggerCircle = "E123", "topologies start each other in a circle";
}

impl Code {
    /// The long text with a wrong and a right example, Markdown.
    pub fn explain(self) -> &'static str {
        const TEXTS: &str = include_str!("explain.md");
        let heading = format!("\n## {}", self.as_str());
        let Some(start) = TEXTS.find(&heading) else { return self.title() };
        let text = &TEXTS[start + 1..];
        text[3..].find("\n## ").map_or(text, |end| &text[..end + 3]).trim_end()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Code {
    type Err = crate::id::Malformed;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|code| code.as_str().eq_ignore_ascii_case(text));
        let (first, last) = (Self::ALL.first().map_or("", |c| c.as_str()), Self::ALL.last().map_or("", |c| c.as_str()));
        let unknown = || crate::id::Malformed(format!("{text:?} is no code; they run from {first} to {last}"));
        found.copied().ok_or_else(unknown)
    }
}
