//! Splits in files: what each form becomes in a plan, and each mistake told once, on its line, with what to write instead.

use callsheet::topology::check::{Checked, check};
use callsheet::topology::fault::Faults;
use callsheet::topology::plan::{Each, EachTo, Over, Recipient, Short};
use serde_json::json;

use super::Memory;
use crate::files::surroundings;

const TEAM: &str = r#"schema_version = 1
description = "One writer a channel."

[artefacts]
plan  = { schema = "plan" }
post  = { schema = "post" }
posts = { of = "post" }
copy  = { schema = "post" }

[team]
planner  = { file = "agents/one.toml", writes = ["plan"] }
writer   = { file = "agents/one.toml", reads = ["channel"], writes = ["post"], parallel = 8 }
editor   = { file = "agents/one.toml", reads = ["posts"], writes = ["copy"] }
approver = { file = "agents/person.toml", approves = ["copy"] }
sender   = { tool = "out.send", args = { a = "copy" } }

[handoffs]
start    = "planner"
planner  = { each = "plan.channels", as = "channel", to = "writer", most = 8, join = "editor" }
writer   = "editor"
editor   = "approver"
approver = { approve = "sender", request_changes = "end", reject = "end", expired = "end" }
sender   = "end"

[budget]
steps = 80
tokens = 600_000
cost_usd = 5.00
active_time = "2h"
"#;

const FILE: &str = "topologies/launch.toml";

fn project(topology: &str) -> Memory {
    let agent = "schema_version = 1\nkind = \"model\"\ndoes = \"Works.\"\ninstructions = \"Work.\"\n";
    let two = "schema_version = 1\nkind = \"model\"\ndoes = \"Works.\"\noutcomes = [\"good\", \"bad\"]\ninstructions = \"Work.\"\n";
    let person =
        "schema_version = 1\nkind = \"person\"\ndoes = \"Signs.\"\nexpires = { after = \"1d\", then = \"reject\" }\n";
    let task = json!({ "type": "object", "required": ["who"], "properties": {
        "who": { "enum": ["writer", "second"] }, "free": { "type": "string" }, "kind": { "type": "string" } } });
    let plan = json!({ "type": "object", "properties": {
        "title": { "type": "string" }, "channels": { "type": "array", "items": { "$ref": "#/definitions/task" } } },
        "definitions": { "task": task } });
    Memory::default()
        .with("agents/one.toml", agent)
        .with("agents/two.toml", two)
        .with("agents/person.toml", person)
        .with("schemas/plan.json", &plan.to_string())
        .with("schemas/post.json", r##"{ "type": "object", "properties": { "next": { "$ref": "#" } } }"##)
        .with(FILE, topology)
}

fn checked(topology: &str) -> Result<Checked, Faults> {
    check("launch", &project(topology), &surroundings())
}

/// The team with changes, each of which is there to make.
fn changed(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(TEAM.to_owned(), |text, (find, replace)| {
        assert!(text.contains(find), "{find:?} is not in\n{text}");
        text.replacen(find, replace, 1)
    })
}

#[test]
fn each_form_of_a_split_becomes_what_it_says() {
    let plan = checked(TEAM).map_err(|faults| faults.render(false)).unwrap().plan;
    let handoff = &plan.handoffs["planner"]["done"];
    let split = handoff.split.as_ref().unwrap();
    assert_eq!(handoff.to, Recipient::Member("editor".parse().unwrap()));
    let each = Each {
        artefact: "plan".parse().unwrap(),
        keys: vec!["channels".to_owned()],
        item: "channel".parse().unwrap(),
        to: EachTo::One("writer".parse().unwrap()),
        most: 8,
    };
    assert_eq!(split.over, Over::Each(each));
    assert_eq!((split.needs, split.short, split.collects.len()), (None, Short::Stop, 1));
    assert_eq!(plan.team["writer"].parallel, Some(8));
    let posts = &plan.artefacts["posts"];
    assert_eq!(posts.of, Some("post".parse().unwrap()));
    let schema = &plan.schemas[&posts.schema];
    assert_eq!(
        *schema,
        json!({ "type": "array", "items": { "type": "object", "x-order": ["next"],
        "properties": { "next": { "$ref": "#/items" } } } })
    );
    assert!(!plan.artefacts.contains_key("channel"));

    let by = "to = { by = \"who\", among = [\"writer\", \"second\"] }, needs = 2, short = \"go_on\"";
    let again = "join = \"planner\", rounds = 4, then = \"editor\"";
    let team = changed(&[
        ("to = \"writer\", most = 8, join = \"editor\"", &format!("{by}, most = 8, {again}")),
        ("writer   = \"editor\"", "writer   = \"planner\"\nsecond   = \"planner\""),
        ("[handoffs]", "second = { file = \"agents/one.toml\", writes = [\"post\"] }\n\n[handoffs]"),
        ("reads = [\"posts\"]", "reads = [\"posts?\"]"),
    ]);
    let plan = checked(&team).map_err(|faults| faults.render(false)).unwrap().plan;
    let handoff = &plan.handoffs["planner"]["done"];
    let split = handoff.split.as_ref().unwrap();
    assert_eq!((split.begins().len(), split.most(), split.needs, split.short), (2, 8, Some(2), Short::GoOn));
    assert_eq!(handoff.rounds.as_ref().map(|rounds| rounds.max), Some(4));

    let other = "second = { file = \"agents/one.toml\" }\n\n[handoffs]";
    let all = [
        (
            "{ each = \"plan.channels\", as = \"channel\", to = \"writer\", most = 8, join = \"editor\" }",
            "{ done = { all = [\"writer\", \"second\"], join = \"editor\" } }",
        ),
        ("writer   = \"editor\"", "writer   = \"editor\"\nsecond   = \"editor\""),
        ("reads = [\"channel\"], ", ""),
        ("[handoffs]", other),
    ];
    let plan = checked(&changed(&all)).map_err(|faults| faults.render(false)).unwrap().plan;
    assert!(matches!(&plan.handoffs["planner"]["done"].split.as_ref().unwrap().over, Over::All(two) if two.len() == 2));
    let times = [(EACH, "times = 3, to = \"writer\""), ("reads = [\"channel\"], ", "")];
    let plan = checked(&changed(&times)).map_err(|faults| faults.render(false)).unwrap().plan;
    assert_eq!(plan.handoffs["planner"]["done"].split.as_ref().unwrap().most(), 3);
}

const EACH: &str = "each = \"plan.channels\", as = \"channel\", to = \"writer\", most = 8";

/// A mistake: changes, the code, a part of its line, a part of what is to be done.
type Mistake = (&'static str, &'static [(&'static str, &'static str)], &'static str, &'static str, &'static str);

const MISTAKES: &[Mistake] = &[
    ("over text", &[("plan.channels", "plan.title")], "E100", "each =", "array"),
    ("over the whole artefact", &[("plan.channels", "plan")], "E100", "each =", "array"),
    ("over a path that is misspelt", &[("plan.channels", "plan.chanels")], "E100", "each =", "channels"),
    ("over an artefact that is misspelt", &[("plan.channels", "plans.channels")], "E011", "each =", "plan"),
    ("over a list that is collected", &[("plan.channels", "posts")], "E100", "each =", "a member writes"),
    ("over a list in sections", &[("writes = [\"plan\"]", "writes = [\"plan.channels\"]")], "E100", "each =", "whole"),
    ("without most", &[(", most = 8", "")], "E005", "each =", "most = 8"),
    ("most of none", &[("most = 8", "most = 0")], "E006", "each =", "from 1 to 1000"),
    ("most of too many", &[("most = 8", "most = 1001")], "E006", "each =", "from 1 to 1000"),
    ("without a join", &[(", join = \"editor\"", "")], "E005", "each =", "join ="),
    (
        "without a name of the item",
        &[("as = \"channel\", ", ""), ("reads = [\"channel\"], ", "")],
        "E005",
        "each =",
        "as =",
    ),
    ("a typo in the join", &[("join = \"editor\"", "join = \"editer\"")], "E012", "each =", "editor"),
    ("a typo in a key", &[("most = 8", "mots = 8")], "E004", "each =", "most"),
    ("a join that fails", &[("join = \"editor\"", "join = \"failed\"")], "E012", "each =", "editor"),
    ("over two things", &[("most = 8", "most = 8, times = 3")], "E005", "each =", "one of"),
    (
        "once only",
        &[(EACH, "times = 1, to = \"writer\""), ("reads = [\"channel\"], ", "")],
        "E006",
        "times = 1",
        "from 2",
    ),
    ("nobody", &[(EACH, "all = []"), ("reads = [\"channel\"], ", "")], "E102", "all =", "all = ["),
    ("one", &[(EACH, "all = [\"writer\"]"), ("reads = [\"channel\"], ", "")], "E102", "all =", "two members"),
    (
        "the same twice",
        &[(EACH, "all = [\"writer\", \"writer\"]"), ("reads = [\"channel\"], ", "")],
        "E010",
        "all =",
        "once",
    ),
    ("needs too many", &[("most = 8", "most = 8, needs = 9")], "E102", "needs = 9", "needs = 8"),
    ("needs none", &[("most = 8", "most = 8, needs = 0")], "E006", "needs = 0", "from 1"),
    ("an unknown word for short", &[("most = 8", "most = 8, short = \"goon\"")], "E006", "goon", "go_on"),
    ("rounds without then", &[("most = 8", "most = 8, rounds = 2")], "E005", "rounds", "then ="),
    ("among nobody", &[("to = \"writer\"", "to = { by = \"who\", among = [] }")], "E102", "among", "among = ["),
    (
        "among who is unknown",
        &[
            ("to = \"writer\"", "to = { by = \"who\", among = [\"writer\", \"secod\"] }"),
            ("writer   = \"editor\"", "writer   = \"editor\"\nsecond   = \"editor\""),
            SECOND,
        ],
        "E012",
        "among",
        "second",
    ),
    (
        "by a key that is misspelt",
        &[("to = \"writer\"", "to = { by = \"whoo\", among = [\"writer\"] }")],
        "E101",
        "by =",
        "who",
    ),
    (
        "by a key that may be absent",
        &[("to = \"writer\"", "to = { by = \"free\", among = [\"writer\"] }")],
        "E101",
        "by =",
        "required",
    ),
    (
        "by a name that is nobody's",
        &[("to = \"writer\"", "to = { by = \"who\", among = [\"writer\"] }")],
        "E101",
        "among",
        "second",
    ),
    (
        "an item that is an artefact",
        &[("as = \"channel\"", "as = \"post\""), ("reads = [\"channel\"], ", "")],
        "E107",
        "as =",
        "name of its own",
    ),
    (
        "an item that is reserved",
        &[("as = \"channel\"", "as = \"message\""), ("reads = [\"channel\"], ", "")],
        "E010",
        "as =",
        "another name",
    ),
    (
        "an item that is written",
        &[("writes = [\"copy\"]", "writes = [\"copy\", \"channel\"]")],
        "E107",
        "editor ",
        "artefact of",
    ),
    (
        "an item beyond the join",
        &[("reads = [\"posts\"]", "reads = [\"posts\", \"channel\"]")],
        "E024",
        "editor ",
        "branch only",
    ),
    (
        "a part beyond the join",
        &[("reads = [\"posts\"]", "reads = [\"posts\", \"post\"]")],
        "E024",
        "editor ",
        "read \"posts\"",
    ),
    (
        "a list before the split",
        &[(
            "file = \"agents/one.toml\", writes = [\"plan\"]",
            "file = \"agents/one.toml\", reads = [\"posts\"], writes = [\"plan\"]",
        )],
        "E024",
        "planner ",
        "posts?",
    ),
    (
        "a list that nobody has written",
        &[
            ("writes = [\"plan\"]", "writes = [\"copy\"]"),
            ("writes = [\"copy\"] }\napprover", "writes = [\"copy\", \"plan\"] }\napprover"),
        ],
        "E024",
        "each =",
        "editor",
    ),
    (
        "two that write the same",
        &[("posts = { of = \"post\" }\n", ""), ("reads = [\"posts\"]", "reads = [\"post?\"]")],
        "E105",
        "each =",
        "of = \"post\"",
    ),
    ("a list of nothing", &[("of = \"post\"", "of = \"pots\"")], "E011", "posts = ", "post"),
    ("a list of a list", &[("copy  = {", "more = { of = \"posts\" }\ncopy  = {")], "E106", "more = ", "join"),
    (
        "a list that no branch makes",
        &[("posts = { of = \"post\" }", "posts = { of = \"post\" }\nmore = { of = \"copy\" }")],
        "E106",
        "more = ",
        "branch",
    ),
    (
        "a list that is written",
        &[("writes = [\"copy\"]", "writes = [\"copy\", \"posts\"]")],
        "E106",
        "editor ",
        "list of",
    ),
    ("a list with a schema", &[("of = \"post\"", "of = \"post\", schema = \"post\"")], "E004", "posts = ", "keep one"),
    ("an end within a branch", &[("writer   = \"editor\"", "writer   = \"end\"")], "E104", "writer   =", "editor"),
    (
        "a failure within a branch",
        &[("writer   = \"editor\"", "writer   = \"failed\"")],
        "E104",
        "writer   =",
        "editor",
    ),
    ("a split that reaches itself", &[("writer   = \"editor\"", "writer   = \"planner\"")], "E103", "each =", "editor"),
    (
        "a branch that begins with its join",
        &[("to = \"writer\"", "to = \"editor\""), ("reads = [\"channel\"], ", "")],
        "E102",
        "each =",
        "other members",
    ),
    (
        "a join for two splits",
        &[
            (
                "writer   = \"editor\"",
                "writer   = { times = 2, to = \"second\", join = \"editor\" }\nsecond   = \"editor\"",
            ),
            SECOND,
        ],
        "E104",
        "writer   =",
        "join of its own",
    ),
    (
        "past a join",
        &[
            (
                "writer   = \"editor\"",
                "writer   = { times = 2, to = \"second\", join = \"third\" }\nsecond   = \"editor\"\nthird = \"editor\"",
            ),
            SECOND,
            THIRD,
        ],
        "E104",
        "second   =",
        "third",
    ),
    (
        "too many at once",
        &[
            ("most = 8", "most = 800"),
            ("steps = 80", "steps = 80_000"),
            (
                "writer   = \"editor\"",
                "writer   = { times = 2, to = \"second\", join = \"third\" }\nsecond   = \"third\"\nthird = \"editor\"",
            ),
            SECOND,
            THIRD,
        ],
        "E102",
        "writer   =",
        "fewer",
    ),
    (
        "a circle over the join",
        &[
            ("planner  = { file = \"agents/one.toml\"", "planner  = { file = \"agents/two.toml\""),
            ("planner  = { each", "planner  = { bad = \"editor\", good = { each"),
            ("join = \"editor\" }", "join = \"planner\" } }"),
            ("writer   = \"editor\"", "writer   = \"planner\""),
            ("reads = [\"posts\"]", "reads = [\"posts?\"]"),
        ],
        "E023",
        "good = ",
        "rounds = 3",
    ),
    (
        "a tool that can be called off",
        &[
            ("most = 8", "most = 8, needs = 2"),
            (
                "writer   = \"editor\"",
                "writer   = \"signer\"\nsigner = { approve = \"poster\", request_changes = \"editor\", reject = \"editor\", expired = \"editor\" }\nposter = \"editor\"",
            ),
            POSTER,
        ],
        "E108",
        "each =",
        "needs",
    ),
    (
        "a tool in a branch that was approved before",
        &[
            (
                "start    = \"planner\"",
                "start    = \"first\"\nfirst = \"signer\"\nsigner = { approve = \"planner\", request_changes = \"end\", reject = \"end\", expired = \"end\" }",
            ),
            ("writer   = \"editor\"", "writer   = \"poster\"\nposter = \"editor\""),
            (
                "[handoffs]",
                "first = { file = \"agents/one.toml\", writes = [\"copy\"] }\nsigner = { file = \"agents/person.toml\", approves = [\"copy\"] }\nposter = { tool = \"out.send\", args = { a = \"copy\" } }\n\n[handoffs]",
            ),
        ],
        "E109",
        "writer   =",
        "approve between",
    ),
    (
        "a person with parallel",
        &[("approves = [\"copy\"]", "approves = [\"copy\"], parallel = 3")],
        "E019",
        "approver ",
        "parallel",
    ),
];

const SECOND: (&str, &str) = ("[handoffs]", "second = { file = \"agents/one.toml\" }\n\n[handoffs]");
const THIRD: (&str, &str) = ("[handoffs]", "third = { file = \"agents/one.toml\" }\n\n[handoffs]");
const POSTER: (&str, &str) = (
    "[handoffs]",
    "signer = { file = \"agents/person.toml\", approves = [\"post\"] }\nposter = { tool = \"out.send\", args = { a = \"post\" } }\n\n[handoffs]",
);

#[test]
fn each_mistake_with_a_split_is_told_once_on_its_line_with_what_to_write() {
    let mut complaints = vec![];
    for (name, changes, code, line, help) in MISTAKES {
        let text = changed(changes);
        let Err(faults) = checked(&text) else {
            complaints.push(format!("{name}: no fault"));
            continue;
        };
        let shown = faults.render(false);
        let list: Vec<_> = faults.iter().collect();
        let [fault] = list[..] else {
            complaints.push(format!("{name}: {} faults\n{shown}", list.len()));
            continue;
        };
        let (at, _) = faults.position(fault);
        let on = text.lines().nth(at - 1).unwrap_or_default();
        let said = format!("{} {}", fault.instead, fault.did_you_mean.as_deref().unwrap_or_default());
        if fault.code.as_str() != *code || !on.contains(line) || !said.contains(help) {
            complaints.push(format!("{name}: {} on {on:?}, not {code} on {line:?} with {help:?}\n{shown}", fault.code));
        }
    }
    println!("{} mistakes, {} told wrongly", MISTAKES.len(), complaints.len());
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

#[test]
fn a_list_in_a_script_is_not_longer_than_its_split_takes() {
    let check = |items: usize| {
        let item = "{ who = \"writer\" }";
        let lines = [("writer", "post"), ("editor", "copy")]
            .map(|(name, artefact)| format!("[[{name}]]\nnote = \"n\"\nwrites.{artefact} = {{}}\n"));
        let list = vec![item; items].join(", ");
        let script = format!(
            "schema_version = 1\n[[planner]]\nnote = \"n\"\nwrites.plan.channels = [{list}]\n{}",
            lines.concat()
        );
        check("launch", &project(TEAM).with("rehearsals/launch.toml", &script), &surroundings())
    };
    assert!(check(8).is_ok(), "{:?}", check(8).err().map(|faults| faults.render(false)));
    let faults = check(9).unwrap_err();
    let told: Vec<(&str, &str)> = faults.iter().map(|fault| (fault.code.as_str(), fault.instead.as_str())).collect();
    assert_eq!(told, [("E085", "write 8 or less, or a greater `most`")], "{faults}");
}

#[test]
fn the_way_into_a_branch_that_is_left_past_its_join_is_shown() {
    let faults = checked(&changed(&[("writer   = \"editor\"", "writer   = \"end\"")])).unwrap_err();
    let fault = faults.iter().next().unwrap();
    assert_eq!(fault.path, ["start", "planner (done, into a branch)", "writer"]);
}
