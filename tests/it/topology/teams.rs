//! Teams within teams in files: what one becomes in a plan, what its members see, and each mistake told once, on its line,
//! with what to write instead.

use callsheet::id::{AgentName, ArtefactName};
use callsheet::topology::check::{Checked, check};
use callsheet::topology::fault::Faults;
use callsheet::topology::plan::{Arg, Plan, Recipient, Role};
use serde_json::json;

use super::Memory;
use crate::files::surroundings;

const LAUNCH: &str = r#"schema_version = 1
description = "A campaign after some research."

[params]
product = { type = "string", default = "ferns", description = "what it is about" }

[artefacts]
finding = { schema = "post" }
report  = { schema = "brief" }
copy    = { schema = "post" }

[team]
planner  = { file = "agents/one.toml", writes = ["finding"] }
research = { topology = "research", params = { product = "params.product" }, takes = { facts = "finding" }, gives = { report = "paper" } }
writer   = { file = "agents/one.toml", reads = ["report"], writes = ["copy"] }

[handoffs]
start    = "planner"
planner  = "research"
research = { pass = "writer", revise = { to = "planner", rounds = 2, then = "end" }, nothing = "failed" }
writer   = "end"

[budget]
steps = 80
tokens = 600_000
cost_usd = 5.00
active_time = "2h"
"#;

const RESEARCH: &str = r#"schema_version = 1
description = "Research and a critic."

[params]
product = { type = "string", description = "what it is about" }
depth   = { type = "integer", default = 3, minimum = 1, maximum = 5, description = "how deep" }

[takes]
facts = { schema = "post" }

[artefacts]
paper = { schema = "brief" }
note  = { schema = "post" }
items = { of = "part" }
part  = { schema = "post" }

[team]
analyst = { file = "agents/analyst.toml", reads = ["facts", "note?"], writes = ["paper"] }
worker  = { file = "agents/one.toml", reads = ["item"], writes = ["part"] }
critic  = { file = "agents/critic.toml", reads = ["paper", "items", "note?"], writes = ["note"], may_ask = ["analyst"] }

[handoffs]
start   = "analyst"
analyst = { found = { each = "paper.parts", as = "item", to = "worker", most = 4, join = "critic" }, nothing = "failed" }
worker  = "critic"
critic  = { pass = "end", revise = { to = "analyst", rounds = 1, then = "end" } }

[budget]
steps = 60
tokens = 100_000
cost_usd = 1.00
active_time = "1h"
"#;

const FILES: [&str; 2] = ["topologies/launch.toml", "topologies/research.toml"];

fn project(launch: &str, research: &str) -> Memory {
    let agent = |outcomes: &str, instructions: &str| {
        format!(
            "schema_version = 1\nkind = \"model\"\ndoes = \"Works.\"\n{outcomes}instructions = \"{instructions}\"\n"
        )
    };
    let brief = json!({ "type": "object", "properties": {
        "parts": { "type": "array", "items": { "type": "object", "properties": { "title": { "type": "string" } } } } } });
    Memory::default()
        .with("agents/one.toml", &agent("", "Work."))
        .with(
            "agents/analyst.toml",
            &agent(
                "limits = { turns = 30 }\noutcomes = [\"found\", \"nothing\"]\n",
                "{{ brief.product }} {{ brief.depth }} {{ desk.facts.text }}",
            ),
        )
        .with("agents/critic.toml", &agent("outcomes = [\"pass\", \"revise\"]\n", "{{ desk.paper.parts }}"))
        .with("schemas/brief.json", &brief.to_string())
        .with("schemas/post.json", r#"{ "type": "object", "properties": { "text": { "type": "string" } } }"#)
        .with(FILES[0], launch)
        .with(FILES[1], research)
}

fn checked(launch: &str, research: &str) -> Result<Checked, Faults> {
    check("launch", &project(launch, research), &surroundings())
}

fn plan(launch: &str, research: &str) -> Plan {
    checked(launch, research).map_err(|faults| faults.render(false)).unwrap().plan
}

fn member(name: &str) -> Recipient {
    Recipient::Member(name.parse().unwrap())
}

#[test]
fn a_team_is_on_the_team_with_its_members() {
    let plan = plan(LAUNCH, RESEARCH);
    let team: Vec<&str> = plan.team.keys().map(AgentName::as_str).collect();
    let own = ["research.analyst", "research.critic", "research.revise", "research.worker"];
    assert_eq!(team, [&["planner"][..], &own, &["writer"]].concat());
    let artefacts: Vec<&str> = plan.artefacts.keys().map(ArtefactName::as_str).collect();
    assert_eq!(artefacts, ["copy", "finding", "report", "research.items", "research.note", "research.part"]);
    assert_eq!(plan.handoffs["planner"]["done"].to, member("research.analyst"));
    // One way with this outcome leads to its end: it leads where the team around it says.
    assert_eq!(plan.handoffs["research.critic"]["pass"].to, member("writer"));
    assert_eq!(plan.handoffs["research.analyst"]["nothing"].to, Recipient::End);
    assert!(plan.failures[&"research.analyst".parse::<AgentName>().unwrap()].contains("nothing"));
    // One that is bounded by both teams needs a member between them: a rule without lines.
    let revise = plan.handoffs["research.critic"]["revise"].rounds.as_ref().unwrap();
    assert_eq!((revise.max, &revise.then), (1, &member("research.revise")));
    assert!(matches!(&plan.team["research.revise"].role, Role::Rule(rule) if rule.lines.is_empty()));
    let beyond = &plan.handoffs["research.revise"]["revise"];
    assert_eq!((&beyond.to, beyond.rounds.as_ref().map(|rounds| rounds.max)), (&member("planner"), Some(2)));
    let of = &plan.teams.0[&"research".parse::<AgentName>().unwrap()];
    let product = Arg::Path { root: "params".to_owned(), keys: vec!["product".to_owned()] };
    assert_eq!(of.params, [("depth".to_owned(), Arg::Value(json!(3))), ("product".to_owned(), product)].into());
    assert_eq!((of.topology.as_str(), of.budget.steps), ("research", Some(60)));
}

#[test]
fn the_members_of_a_team_see_what_they_would_see_by_themselves() {
    let alone = RESEARCH
        .replace("[takes]\nfacts = { schema = \"post\" }\n", "")
        .replace("[artefacts]", "[artefacts]\nfacts = { schema = \"post\" }")
        .replace("reads = [\"facts\", \"note?\"]", "reads = [\"facts?\", \"note?\"]");
    let alone = check("research", &project(LAUNCH, &alone), &surroundings()).map_err(|faults| faults.render(false));
    let (alone, seen) = (alone.unwrap().plan, plan(LAUNCH, RESEARCH).seen_by(&"research".parse().unwrap()));
    assert_eq!((&seen.name, &seen.description), (&alone.name, &alone.description));
    assert_eq!(seen.artefacts, alone.artefacts);
    for name in ["worker", "critic"] {
        assert_eq!(seen.team[name], alone.team[name]);
    }
    // Who hands on within the team hands on as by themselves; what leads out of it leads to nobody whom they know.
    assert_eq!(seen.handoffs["worker"], alone.handoffs["worker"]);
    let Recipient::Member(out) = &seen.handoffs["critic"]["pass"].to else { panic!("a member is beyond it") };
    assert!(!seen.team.contains_key(out));
}

#[test]
fn a_section_of_what_a_team_gives_is_a_section_of_ours() {
    let given = LAUNCH
        .replace("gives = { report = \"paper\" }", "gives = { report = \"paper\", copy = \"note\" }")
        .replace("reads = [\"report\"], writes = [\"copy\"]", "reads = [\"report\", \"copy\"]");
    let research = RESEARCH.replace("writes = [\"note\"]", "writes = [\"note.text\"]");
    for (launch, of) in [(given.as_str(), "copy"), (LAUNCH, "research.note")] {
        let plan = plan(launch, &research);
        let written = &plan.team["research.critic"].writes[0];
        assert_eq!(written.to_string(), format!("{of}.text"));
        assert_eq!(plan.section(written).unwrap().of.as_str(), of);
        let seen = plan.seen_by(&"research".parse().unwrap());
        assert_eq!(seen.team["critic"].writes[0].as_str(), "note.text");
        assert_eq!(seen.section(&"note.text".parse().unwrap()).unwrap().of.as_str(), "note");
    }
}

#[test]
fn teams_are_within_teams() {
    let middle = r#"schema_version = 1
description = "Looks twice."
[params]
about = { type = "string", description = "what it is about" }
[takes]
what = { schema = "post" }
[artefacts]
one = { schema = "brief" }
[team]
first  = { topology = "research", params = { product = "params.about" }, takes = { facts = "what" }, gives = { one = "paper" } }
[handoffs]
start = "first"
first = { pass = "end", revise = "end", nothing = "failed" }
[budget]
steps = 70
tokens = 100_000
cost_usd = 1.00
active_time = "1h"
"#;
    let launch = LAUNCH
        .replace("topology = \"research\", params = { product", "topology = \"middle\", params = { about")
        .replace("takes = { facts", "takes = { what")
        .replace("= \"paper\" } }", "= \"one\" } }");
    let files = project(&launch, RESEARCH).with("topologies/middle.toml", middle);
    let plan = check("launch", &files, &surroundings()).map_err(|faults| faults.render(false)).unwrap().plan;
    let inner: AgentName = "research.first".parse().unwrap();
    assert_eq!(plan.teams.innermost(&"research.first.critic".parse().unwrap()), Some(&inner));
    let names = &plan.teams.0[&inner].names;
    let ours = |theirs: &str| names[&theirs.parse::<ArtefactName>().unwrap()].to_string();
    assert_eq!((ours("facts"), ours("paper")), ("finding".to_owned(), "report".to_owned()));
    let product = Arg::Path { root: "params".to_owned(), keys: vec!["product".to_owned()] };
    assert_eq!(plan.teams.0[&inner].params["product"], product);
    // Two ways lead to the end with `revise` by way of two teams, and one bound holds for all of them.
    assert_eq!(plan.handoffs["research.revise"]["revise"].to, member("planner"));
    let again = middle.replace(
        "topology = \"research\", params = { product = \"params.about\" }, takes = { facts",
        "topology = \"middle\", params = { about = \"params.about\" }, takes = { what",
    );
    let files = project(&launch, RESEARCH).with("topologies/middle.toml", &again);
    let faults = check("launch", &files, &surroundings()).unwrap_err();
    assert_eq!(faults.iter().map(|fault| fault.code.as_str()).collect::<Vec<_>>(), ["E110"], "{faults}");
    assert_eq!(&*faults.iter().next().unwrap().place.file, "topologies/middle.toml");
}

#[test]
fn what_is_taken_can_be_anything_if_nobody_says_what() {
    let any = RESEARCH.replace("facts = { schema = \"post\" }\n", "facts = {}\n");
    let other = LAUNCH.replace("finding = { schema = \"post\" }", "finding = { schema = \"brief\" }");
    let wrong = checked(&other, &any).unwrap_err();
    // What its members look for in it has to be there all the same.
    assert_eq!(wrong.iter().map(|fault| fault.code.as_str()).collect::<Vec<_>>(), ["E084"], "{wrong}");
    let files = project(&other, &any).with("agents/analyst.toml", "schema_version = 1\nkind = \"model\"\ndoes = \"Works.\"\nlimits = { turns = 30 }\noutcomes = [\"found\", \"nothing\"]\ninstructions = \"Work.\"\n");
    assert!(check("launch", &files, &surroundings()).is_ok());
    let by_itself = check("research", &files, &surroundings()).unwrap();
    assert_eq!(by_itself.takes, ["facts".parse::<ArtefactName>().unwrap()]);
}

/// A mistake: the file that it is in, changes, the code, the file and a part of the line it is told on, and of what is to be done.
type Mistake =
    (&'static str, usize, &'static [(&'static str, &'static str)], &'static str, usize, &'static str, &'static str);

const MISTAKES: &[Mistake] = &[
    (
        "a topology that is not there",
        0,
        &[("topology = \"research\"", "topology = \"reserch\"")],
        "E001",
        0,
        "topology =",
        "research",
    ),
    (
        "a team within itself",
        0,
        &[("topology = \"research\"", "topology = \"launch\"")],
        "E110",
        0,
        "topology =",
        "another topology",
    ),
    (
        "an agent as well",
        0,
        &[("topology = \"research\",", "topology = \"research\", file = \"agents/one.toml\",")],
        "E019",
        0,
        "topology =",
        "take `file` out",
    ),
    (
        "it writes",
        0,
        &[("topology = \"research\",", "topology = \"research\", writes = [\"copy\"],")],
        "E019",
        0,
        "topology =",
        "take `writes` out",
    ),
    (
        "params of an agent",
        0,
        &[("writes = [\"finding\"]", "writes = [\"finding\"], params = { a = \"params.product\" }")],
        "E019",
        0,
        "planner  =",
        "topology",
    ),
    (
        "an outcome is not handed on",
        0,
        &[(", nothing = \"failed\"", "")],
        "E020",
        0,
        "research = { pass",
        "add nothing",
    ),
    (
        "one recipient for all outcomes",
        0,
        &[(
            "research = { pass = \"writer\", revise = { to = \"planner\", rounds = 2, then = \"end\" }, nothing = \"failed\" }",
            "research = \"writer\"",
        )],
        "E020",
        0,
        "research = \"writer\"",
        "nothing = ",
    ),
    (
        "no entry",
        0,
        &[(
            "research = { pass = \"writer\", revise = { to = \"planner\", rounds = 2, then = \"end\" }, nothing = \"failed\" }",
            "",
        )],
        "E020",
        0,
        "topology =",
        "write research =",
    ),
    ("an outcome that it has not", 0, &[("pass = \"writer\"", "past = \"writer\"")], "E013", 0, "past =", "pass"),
    (
        "takes nothing of that name",
        0,
        &[("facts = \"finding\"", "fact = \"finding\"")],
        "E111",
        0,
        "topology =",
        "facts",
    ),
    (
        "is not brought what it takes",
        0,
        &[("takes = { facts = \"finding\" }, ", "")],
        "E111",
        0,
        "topology =",
        "takes = { facts",
    ),
    (
        "is brought what is not there",
        0,
        &[("facts = \"finding\"", "facts = \"findings\"")],
        "E011",
        0,
        "topology =",
        "finding",
    ),
    (
        "is brought another schema",
        0,
        &[("finding = { schema = \"post\" }", "finding = { schema = \"brief\" }")],
        "E111",
        0,
        "topology =",
        "of the schema `post`",
    ),
    (
        "gives what it does not make",
        0,
        &[("report = \"paper\"", "report = \"papr\"")],
        "E111",
        0,
        "topology =",
        "paper",
    ),
    ("gives to what is not there", 0, &[("gives = { report", "gives = { reports")], "E011", 0, "topology =", "report"),
    (
        "gives another schema",
        0,
        &[("report  = { schema = \"brief\" }", "report  = { schema = \"post\" }")],
        "E111",
        0,
        "topology =",
        "of the schema `brief`",
    ),
    (
        "gives a list of what branches write",
        0,
        &[("gives = { report = \"paper\" }", "gives = { report = \"paper\", copy = \"items\" }")],
        "E111",
        0,
        "topology =",
        "give that",
    ),
    (
        "takes nothing at all",
        1,
        &[
            ("[takes]\nfacts = { schema = \"post\" }\n", ""),
            ("\"facts\", ", "\"facts?\", "),
            ("paper = { schema", "facts = { schema = \"post\" }\npaper = { schema"),
        ],
        "E111",
        0,
        "topology =",
        "no artefact that `research` takes",
    ),
    (
        "a param of another type",
        0,
        &[("product = { type = \"string\", default = \"ferns\"", "product = { type = \"integer\", default = 3")],
        "E112",
        0,
        "topology =",
        "of type string",
    ),
    (
        "a literal of another type",
        0,
        &[("product = \"params.product\" }", "product = { value = 3 } }")],
        "E112",
        0,
        "topology =",
        "of type string",
    ),
    (
        "a literal out of bounds",
        0,
        &[("product = \"params.product\" }", "product = \"params.product\", depth = { value = 9 } }")],
        "E112",
        0,
        "topology =",
        "from 1 to 5",
    ),
    (
        "a param without the bounds",
        0,
        &[
            ("product = \"params.product\" }", "product = \"params.product\", depth = \"params.deep\" }"),
            ("[artefacts]", "deep = { type = \"integer\", default = 2, description = \"deep\" }\n\n[artefacts]"),
        ],
        "E112",
        0,
        "topology =",
        "same bounds",
    ),
    (
        "a param that is not ours",
        0,
        &[("\"params.product\"", "\"params.produkt\"")],
        "E112",
        0,
        "topology =",
        "params.product",
    ),
    (
        "a param that it has not",
        0,
        &[("{ product = \"params.product\" }", "{ product = \"params.product\", dept = { value = 2 } }")],
        "E112",
        0,
        "topology =",
        "depth",
    ),
    (
        "a param that it needs",
        0,
        &[("params = { product = \"params.product\" }, ", "")],
        "E112",
        0,
        "topology =",
        "product = \"params.product\"",
    ),
    (
        "a member of its own is handed to",
        0,
        &[("planner  = \"research\"", "planner  = \"research.critic\"")],
        "E113",
        0,
        "planner  = \"research",
        "hand on to the team",
    ),
    (
        "what is its own is read",
        0,
        &[("reads = [\"report\"]", "reads = [\"report\", \"research.note\"]")],
        "E113",
        0,
        "research.note",
        "gives",
    ),
    (
        "a team is asked",
        0,
        &[("writes = [\"copy\"]", "writes = [\"copy\"], may_ask = [\"research\"]")],
        "E113",
        0,
        "may_ask",
        "models or persons",
    ),
    (
        "what it takes is not there yet",
        0,
        &[("start    = \"planner\"", "start    = \"research\"")],
        "E024",
        0,
        "topology =",
        "planner",
    ),
    ("its own budget does not do", 1, &[("steps = 60", "steps = 3")], "E041", 1, "steps = 3", "write steps = "),
    ("its budget does not do here", 1, &[("steps = 60", "steps = 12")], "E041", 1, "steps = 12", "write steps = "),
    ("a mistake within it", 1, &[("worker  = \"critic\"", "worker  = \"critc\"")], "E012", 1, "critc", "critic"),
    (
        "a name with a dot",
        0,
        &[
            ("writer   = { file", "\"a.b\" = { file"),
            ("pass = \"writer\"", "pass = \"a.b\""),
            ("writer   = \"end\"", "\"a.b\" = \"end\""),
        ],
        "E010",
        0,
        "\"a.b\" = {",
        "lower-case",
    ),
];

#[test]
fn each_mistake_about_a_team_is_told_once_with_its_fix() {
    let mut wrong = vec![];
    for (name, file, changes, code, told_in, line, help) in MISTAKES {
        let mut texts = [LAUNCH.to_owned(), RESEARCH.to_owned()];
        for (find, replace) in *changes {
            assert!(texts[*file].contains(find), "{name}: {find:?} is not there");
            texts[*file] = texts[*file].replacen(find, replace, 1);
        }
        let faults = checked(&texts[0], &texts[1]).map(|_| ()).expect_err(name);
        let all: Vec<_> = faults.iter().collect();
        let (row, _) = faults.position(all[0]);
        let found = texts[*told_in].lines().nth(row - 1).unwrap_or_default();
        let said = format!("{} {:?} {}", all[0].what, all[0].did_you_mean, all[0].instead);
        let is_where = (all[0].code.as_str(), &*all[0].place.file) == (*code, FILES[*told_in]) && found.contains(line);
        if all.len() != 1 || !is_where || !said.contains(help) {
            wrong.push(format!("{name}: {code}, {line:?}, {help:?} was expected\n{faults}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
