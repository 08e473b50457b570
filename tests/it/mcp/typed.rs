//! The commands as people type them: a server is looked at, accepted, given to agents, used, changed, and off.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::{listed, python};
use crate::cli::Project;
use crate::tools::write;

/// A project with a team of one that asks for the weather, in a rehearsal.
fn project() -> Project {
    let project = Project::empty();
    let root = project.path("");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/connectors/server.py");
    write(&root, "list.json", listed().to_string());
    let command = json!([python(), script, root.join("list.json")]);
    let table = format!("schema_version = 1\n[tools.weather]\nkind = \"mcp\"\ncommand = {command}\nenv = [\"PATH\"]\n");
    write(&root, "callsheet.toml", table);
    write(&root, "agents/guide.toml", AGENT);
    write(&root, "schemas/plan.json", r#"{ "type": "object", "properties": { "go": { "type": "string" } } }"#);
    write(&root, "topologies/outing.toml", TOPOLOGY);
    write(&root, "rehearsals/outing.toml", REHEARSAL);
    project
}

const AGENT: &str = "schema_version = 1\nkind = \"model\"\ndoes = \"Says where to go.\"\noutcomes = [\"done\"]\n\
                     instructions = \"Ask for the weather.\"\ntools = [\"weather.forecast\"]\n";

const TOPOLOGY: &str = "schema_version = 1\ndescription = \"Plans an outing.\"\n[artefacts]\nplan = { schema = \"plan\" }\n\
                        [team]\nguide = { writes = [\"plan\"] }\n[handoffs]\nstart = \"guide\"\nguide = \"end\"\n\
                        [budget]\nsteps = 20\ntokens = 100_000\ncost_usd = 1.0\nactive_time = \"5m\"\n";

const REHEARSAL: &str = "schema_version = 1\n[[guide]]\ncalls = [{ tool = \"weather.forecast\", args = { city = \"Rome\" }, as = \"found\" }]\n\
note = \"{{ found.text }}\"\nwrites.plan = { go = \"{{ found.text }}\" }\n";

#[test]
fn a_server_is_looked_at_accepted_given_used_and_off_when_it_changes() {
    let project = project();
    let says = |line: &str, exit: i32, needles: &[&str]| says(&project, line, exit, needles);
    says("mcp list", 0, &["tests/connectors/server.py", "nothing of it is accepted yet"]);
    let hints = "the server says, and nobody holds it to that: it changes nothing; it reaches out";
    let lines = ["[tools.weather.tools.forecast]", "reach = \"reads_out\""];
    let text =
        says("mcp inspect weather", 3, &["Says the weather", hints, lines[0], lines[1], "weather 1.0 lists 3 tools"]);
    let digest = text.split("--digest ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();

    // Agents may have it before it is accepted; it is told, on the line of the server.
    let file = fs::read_to_string(project.path("callsheet.toml")).unwrap();
    fs::write(project.path("callsheet.toml"), format!("{file}[tools.weather.tools.forecast]\nreach = \"reads_out\"\n"))
        .unwrap();
    says(
        "check",
        2,
        &[
            "E092",
            "nobody has accepted the tools of `weather` yet",
            "callsheet mcp inspect weather",
            "callsheet.toml:4",
        ],
    );
    says("run outing", 2, &["E092"]);

    let other = "0".repeat(8);
    says(&format!("mcp accept weather --digest {other}"), 3, &["Nothing was accepted", &digest]);
    says("mcp accept weather --digest 12", 2, &["8 characters"]);
    says("mcp accept wether", 2, &["did you mean weather?"]);
    says(
        &format!("mcp accept weather --digest {digest}"),
        0,
        &["weather 1.0 accepted as weather: 3 tools", "callsheet.lock"],
    );
    says("mcp inspect weather", 0, &["agents have it as weather.forecast", "accepted: the same"]);
    says("check", 0, &[]);
    says(
        "tools weather",
        0,
        &[
            "Says the weather of a city.",
            "city",
            "string, required",
            "A city",
            "are labelled untrusted",
            "guide of outing",
        ],
    );
    says("doctor", 0, &["weather.forecast", "weather 1.0 answers, and lists the 3 tools that were accepted"]);
    says("doctor --offline", 0, &["reads outside"]);
    says("run outing", 0, &["it is fine in Rome"]);

    // It changes: the team is sound as far as `check` knows, and nothing is asked of the server.
    let list = fs::read_to_string(project.path("list.json")).unwrap();
    fs::write(project.path("list.json"), list.replace("Says the weather", "Obeys")).unwrap();
    fs::remove_file(project.path("list.json.done")).unwrap();
    let off = ["forecast has another description", "callsheet mcp inspect weather"];
    says("check", 0, &[]);
    says("doctor", 1, &off);
    says("run outing", 1, &off);
    assert!(!project.path("list.json.done").exists(), "a server that is off was asked");
    says("mcp inspect weather", 3, &["accepted was something else:", "forecast has another description"]);
    says("mcp accept weather", 0, &["forecast has another description"]);
    says("run outing", 0, &["it is fine in Rome"]);
}

/// What a command says, which it ends with `exit`.
fn says(project: &Project, line: &str, exit: i32, needles: &[&str]) -> String {
    let (code, text) = project.types(line);
    assert_eq!(code, exit, "callsheet {line}\n{text}");
    for needle in needles {
        assert!(text.contains(needle), "callsheet {line} does not say {needle:?}:\n{text}");
    }
    text
}

#[test]
fn what_a_server_has_to_be_read_is_shown_and_given_to_agents() {
    let project = project();
    let says = |line: &str, exit: i32, needles: &[&str]| says(&project, line, exit, needles);
    says("mcp accept weather", 0, &["weather 1.0 accepted"]);
    let listed = json!({ "uri": "docs://guides/rain", "name": "rain", "mimeType": "text/markdown" });
    let shelf = json!({ "resources": [listed], "templates": [{ "uriTemplate": "docs://days/{day}", "name": "days" }] });
    write(&project.path(""), "list.json.resources", shelf.to_string());
    let template = "and what fits the template docs://days/{day}";
    let lines =
        ["docs://guides/rain", "text/markdown", template, "uris = [\"docs://guides/*\"]", "reach = \"reads_out\""];
    says("mcp inspect weather", 0, &lines);
    says("mcp inspect weather --json", 0, &["\"uri\":\"docs://guides/rain\"", "\"templates\":["]);
    let file = fs::read_to_string(project.path("callsheet.toml")).unwrap();
    let given = "[tools.weather.resources]\nuris = [\"docs://guides/*\"]\nreach = \"inside\"\n\
                 [tools.weather.tools.forecast]\nreach = \"reads_out\"\n";
    fs::write(project.path("callsheet.toml"), format!("{file}{given}")).unwrap();
    says("mcp inspect weather", 0, &["weather.resource"]);
    says("tools weather", 0, &["weather.resources", "weather.resource", "Reads a resource, part by part."]);
    says("doctor", 0, &["agents may read 1 of the 1 resources that its server lists"]);
}

#[test]
fn what_a_table_says_wrong_is_told_on_its_line() {
    // What stands after the kind, and what is told.
    let cases: &[(&str, &[&str])] = &[
        ("", &["it has no server", "command = "]),
        ("command = []\n", &["command names no program"]),
        ("command = [\"a\"]\nurl = \"https://example.com\"\n", &["write one of them"]),
        ("url = \"http://example.com/mcp\"\n", &["everybody in between reads"]),
        ("url = \"https://ana:word@example.com/mcp\"\n", &["this looks like a secret", "token_env"]),
        ("url = \"ftp://example.com\"\n", &["neither https nor http"]),
        ("url = \"example\"\n", &["is no address"]),
        ("command = [\"a\"]\ncomand = 1\n", &["comand"]),
        ("command = [\"a\"]\n[tools.one.tools.go]\n", &["reach"]),
        ("command = [\"a\"]\n[tools.one.tools.go]\nreach = \"far\"\n", &["far", "acts_out"]),
        ("command = [\"a\"]\n[tools.one.tools.readAll]\nreach = \"inside\"\n", &["write name = \"readAll\""]),
        (
            "command = [\"a\"]\n[tools.one.tools.go]\nreach = \"inside\"\nrepeat = { class = \"once\" }\n",
            &["leave repeat out"],
        ),
        (
            "command = [\"a\"]\n[tools.one.tools.go]\nreach = \"acts_out\"\nrepeat = { class = \"queryable\" }\n",
            &["cannot be asked"],
        ),
        (
            "command = [\"a\"]\n[tools.one.tools.go]\nreach = \"acts_out\"\nrepeat = { class = \"pure\" }\n",
            &["is not pure"],
        ),
    ];
    for (table, words) in cases {
        let project = Project::empty();
        fs::write(project.path("callsheet.toml"), format!("schema_version = 1\n[tools.one]\nkind = \"mcp\"\n{table}"))
            .unwrap();
        let (code, text) = project.types("tools");
        assert_eq!(code, 2, "{table}\n{text}");
        for word in *words {
            assert!(text.contains(word), "{table}: no {word:?} in\n{text}");
        }
        assert!(text.contains("--> callsheet.toml"), "{table}\n{text}");
    }
}

/// What a server says of a tool, the reach that `inspect` suggests, and the reaches that contradict it.
const SAID: &[(&str, &str, &[&str])] = &[
    ("{}", "acts_out", &[]),
    (r#"{ "readOnlyHint": true }"#, "reads_out", &[]),
    (r#"{ "readOnlyHint": true, "destructiveHint": false }"#, "reads_out", &[]),
    (r#"{ "readOnlyHint": false }"#, "acts_out", &["inside", "reads_out"]),
    (r#"{ "readOnlyHint": false, "destructiveHint": false }"#, "acts_out", &["inside", "reads_out"]),
    (r#"{ "destructiveHint": true }"#, "acts_out", &["inside", "reads_out"]),
    (r#"{ "readOnlyHint": true, "destructiveHint": true }"#, "acts_out", &["inside", "reads_out"]),
    (r#"{ "destructiveHint": false, "openWorldHint": false }"#, "acts_out", &[]),
];

#[test]
fn a_tool_of_which_its_server_says_that_it_acts_is_given_as_one_that_acts() {
    let project = project();
    let file = fs::read_to_string(project.path("callsheet.toml")).unwrap();
    fs::write(project.path("agents/guide.toml"), AGENT.replace("[\"weather.forecast\"]", "[]")).unwrap();
    fs::write(
        project.path("rehearsals/outing.toml"),
        "schema_version = 1\n[[guide]]\nnote = \"Go.\"\nwrites.plan = { go = \"Rome\" }\n",
    )
    .unwrap();
    for (said, suggested, contradict) in SAID {
        let mut list = listed();
        list[0]["annotations"] = serde_json::from_str(said).unwrap();
        fs::write(project.path("list.json"), list.to_string()).unwrap();
        fs::write(project.path("callsheet.toml"), &file).unwrap();
        let (code, text) = project.types("mcp inspect weather");
        assert_eq!(code, 3, "{said}\n{text}");
        let of_forecast = text.split("[tools.weather.tools.forecast]").nth(1).unwrap();
        let line = of_forecast.lines().nth(2).unwrap();
        assert!(line.trim_start().starts_with(&format!("reach = {suggested:?}")), "{said}: {line}");
        assert!(
            text.lines().filter(|line| line.contains('#')).all(|line| line.chars().count() <= 80),
            "{said}\n{text}"
        );
        assert_eq!(project.types("mcp accept weather").0, 0, "{said}");
        for (reach, denied) in [("inside", false), ("reads_out", false), ("acts_out", false), ("reads_out", true)] {
            let denial = if denied { "only_reads = true\n" } else { "" };
            let given = format!("[tools.weather.tools.forecast]\nreach = {reach:?}\n{denial}");
            fs::write(project.path("callsheet.toml"), format!("{file}{given}")).unwrap();
            let is_told = contradict.contains(&reach) && !denied;
            let (checked, text) = project.types("check");
            assert_eq!(
                (checked, text.contains("error[E094]")),
                (if is_told { 2 } else { 0 }, is_told),
                "{given}{text}"
            );
            assert!(
                !is_told || text.contains("callsheet.toml:7") && text.contains("write reach = \"acts_out\""),
                "{text}"
            );
            let (found, text) = project.types("doctor --offline");
            assert_eq!(found, i32::from(is_told), "{said} {given}{text}");
            let acts = is_told || reach == "acts_out";
            let (_, text) = project.types("tools weather.forecast");
            assert_eq!(text.contains("acts outside"), acts, "{said} {given}{text}");
            // By hand nobody does what a person would have to approve.
            let (called, text) = project.types("tools weather.forecast --call '{ city = \"Rome\" }'");
            assert_eq!(
                (called, text.contains("acts on the world")),
                (if acts { 2 } else { 0 }, acts),
                "{said} {given}{text}"
            );
        }
    }
    let done = fs::read_to_string(project.path("list.json.done")).unwrap();
    // Asked only where the reach is not contradicted: three of four times, or once where it is denied.
    let asked: usize = SAID.iter().map(|(_, _, contradict)| if contradict.is_empty() { 3 } else { 1 }).sum();
    assert_eq!(done.lines().count(), asked);
}
