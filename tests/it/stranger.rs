//! What a stranger stumbles over: examples that are printed work when they are typed, every file is read, and whoever reads
//! JSON is told in JSON.

use std::fs;

use callsheet::model::template::Scope;
use callsheet::tool::kind;
use serde_json::{Value, json};

use crate::cli::{Project, words};

const CLICKS: &str = "newsletter,segment,delivered,clicks\nspring,regulars,200,21\nspring,lapsed,120,2\n\
                      summer,regulars,210,25\nsummer,lapsed,110,3\n";

/// A project that `init --csv` made.
fn project() -> Project {
    let project = Project::empty();
    fs::write(project.path("clicks.csv"), CLICKS).unwrap();
    let (code, text) = project.types("init --csv clicks.csv");
    assert_eq!(code, 0, "{text}");
    project
}

fn append(project: &Project, file: &str, text: &str) {
    let before = fs::read_to_string(project.path(file)).unwrap();
    fs::write(project.path(file), before + text).unwrap();
}

fn stdout(project: &Project, line: &str) -> String {
    String::from_utf8(project.command().args(words(line)).output().unwrap().stdout).unwrap()
}

/// Each tool that is called, with the call that `tools` prints of it.
fn examples(project: &Project) -> Vec<(String, String)> {
    let rows = stdout(project, "tools --json");
    let rows = rows.lines().map(|row| serde_json::from_str::<Value>(row).unwrap());
    let called = rows.filter(|row| row["tool"]["reach"] != "acts_out");
    called
        .map(|row| (row["tool"]["name"].as_str().unwrap().to_owned(), row["example"].as_str().unwrap().to_owned()))
        .collect()
}

#[test]
fn every_call_that_tools_prints_is_one_that_works() {
    let project = project();
    append(
        &project,
        "callsheet.toml",
        "\n[tools.free]\nkind = \"sql\"\ncsv = { clicks = \"data/clicks.csv\" }\nfree_sql = true\n\
         [tools.both]\nkind = \"sql\"\ncsv = { clicks = \"data/clicks.csv\" }\nfree_sql = true\n\
         [tools.both.queries.of]\ndescription = \"One segment.\"\nargs = { segment = \"string\" }\n\
         sql = \"SELECT clicks FROM clicks WHERE segment = :segment\"\n\
         [tools.texts]\nkind = \"files\"\nroot = \"data\"\n[tools.papers]\nkind = \"documents\"\nroot = \"papers\"\n",
    );
    fs::create_dir(project.path("papers")).unwrap();
    fs::write(project.path("papers/one.md"), "# Roses\nThey sold best.\n").unwrap();
    let examples = examples(&project);
    assert!(examples.len() >= 11, "{examples:?}");
    let (mut calls, mut notes) = (String::new(), String::new());
    for (nth, (tool, example)) in examples.iter().enumerate() {
        assert!(example.contains(&format!("tool = {tool:?}")), "{example}");
        let call = example.strip_prefix("calls = [").and_then(|rest| rest.strip_suffix(']')).unwrap();
        calls += &format!("{}, ", call.replace("as = \"found\"", &format!("as = \"found{nth}\"")));
        notes += &format!("{tool}: {{{{ found{nth}.error? or 'works' }}}}. ");
    }
    let tools: Vec<String> = examples.iter().map(|(tool, _)| format!("{tool:?}")).collect();
    let file = |path: &str, text: String| fs::write(project.path(path), text).unwrap();
    let agent = "schema_version = 1\nkind = \"model\"\ndoes = \"Asks all tools.\"\ninstructions = \"Ask.\"\nlimits = { steps_per_turn = 30 }\n";
    file("agents/asker.toml", format!("{agent}tools = [{}]\n", tools.join(", ")));
    file(
        "topologies/asking.toml",
        "schema_version = 1\ndescription = \"Asks.\"\n[team]\nasker = {}\n[handoffs]\nstart = \"asker\"\nasker = \"end\"\n\
         [budget]\nsteps = 400\ntokens = 900_000\ncost_usd = 9.00\nactive_time = \"1h\"\n"
            .to_owned(),
    );
    file("rehearsals/asking.toml", format!("schema_version = 1\n[[asker]]\ncalls = [{calls}]\nnote = \"{notes}\"\n"));
    let (code, text) = project.types("check asking");
    assert_eq!(code, 0, "{text}");
    // Of the first run the history knows nothing yet.
    project.types("run asking");
    let (code, text) = project.types("run asking --json");
    assert_eq!(code, 0, "{text}");
    let told = stdout(&project, "messages 2 --json");
    for (tool, example) in &examples {
        assert!(told.contains(&format!("{tool}: works")), "{tool} does not answer what is printed: {example}\n{told}");
    }
}

#[test]
fn every_kind_of_tool_has_a_table_that_check_takes_or_says_what_to_fill_in() {
    for kind in kind::words() {
        let project = project();
        let option = if kind == "sql" { "--csv data/clicks.csv".to_owned() } else { format!("--kind {kind}") };
        let table = stdout(&project, &format!("new tool second {option}"));
        assert!(table.contains(&format!("[tools.second]\nkind = {kind:?}")), "{kind}: {table}");
        append(&project, "callsheet.toml", &table);
        let (code, text) = project.types("check");
        assert_eq!(code, 0, "{kind}: {text}");
        // Where somebody has to look first, the table says how.
        let look = match kind {
            "mcp" => "#   callsheet mcp inspect second",
            "postgres" => "#   callsheet data inspect second",
            _ => continue,
        };
        assert!(table.contains(look) && table.lines().all(|line| line.chars().count() <= 160), "{kind}: {table}");
    }
    let (code, text) = project().types("new tool second --kind mail");
    assert!(code == 2 && kind::words().iter().all(|kind| text.contains(kind)), "{text}");
}

#[test]
fn check_reads_the_files_that_no_team_uses() {
    let cases = [
        (
            "agents/critic.toml",
            "schema_version = 1\nkind = \"model\"\ndoes = \"x\"\ntools = [\"clicks.qery\"]\ninstructions = \"{{ a\"\n",
            2,
            "E014",
        ),
        (
            "agents/critic.toml",
            "schema_version = 1\nkind = \"model\"\ndoes = \"x\"\ninstructions = \"{{ a\"\n",
            2,
            "E082",
        ),
        ("agents/critic.toml", "schema_version = 1\nkind = \"modl\"\ndoes = \"x\"\n", 2, "did you mean `model`?"),
        (
            "agents/boss.toml",
            "schema_version = 1\nkind = \"person\"\ndoes = \"x\"\nneeded = 2\nexpires = { after = \"1d\", then = \"hold\" }\n",
            2,
            "2 people must approve",
        ),
        ("schemas/offer.json", "{ \"type\": \"objct\" }", 2, "did you mean `object`?"),
        ("rehearsals/newsleter.toml", "schema_version = 1\n[[writer]]\nnot = \"x\"\n", 2, "did you mean `note`?"),
        (
            "agents/critic.toml",
            "schema_version = 1\nkind = \"model\"\ndoes = \"x\"\ninstructions = \"y\"\n",
            0,
            "agents/critic.toml is on no team",
        ),
        ("schemas/offer.json", "{ \"type\": \"object\" }", 0, "schemas/offer.json is the schema of no artefact"),
        (
            "rehearsals/newsleter.toml",
            "schema_version = 1\n[[writer]]\nnote = \"x\"\n",
            0,
            "no topology of the same name",
        ),
    ];
    for (path, text, exit, needle) in cases {
        let project = project();
        fs::write(project.path(path), text).unwrap();
        let (code, told) = project.types("check");
        assert!(
            code == exit && told.contains(needle) && told.contains(path),
            "{path}: {code}, not {exit} {needle}\n{told}"
        );
        // Who asks about one team is told about that.
        assert_eq!(project.types("check newsletter").0, 0, "{path}");
        let rows = stdout(&project, "check --json");
        let of_none =
            rows.lines().map(|row| serde_json::from_str::<Value>(row).unwrap()).filter(|row| row["topology"].is_null());
        assert_eq!(of_none.count() > 0, exit == 2, "{rows}");
    }
}

/// What docs/people-and-rules.md shows of people works as it is typed.
#[test]
fn the_people_of_the_page_decide_as_it_says() {
    let page =
        fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/people-and-rules.md")).unwrap();
    let block = |mark: &str| {
        let rest =
            page.split(&format!("<!-- {mark} -->\n```toml\n")).nth(1).unwrap_or_else(|| panic!("there is no {mark}"));
        rest.split("```").next().unwrap()
    };
    let project = project();
    append(&project, "callsheet.toml", &format!("\n{}", block("add: callsheet.toml")));
    fs::write(project.path("agents/approver.toml"), block("file: agents/approver.toml")).unwrap();
    let lines: Vec<(&str, i32)> = page
        .lines()
        .filter_map(|line| {
            let (line, exit) = line.strip_prefix("callsheet ")?.split_once("# exit ")?;
            Some((line.trim(), exit[..1].parse().unwrap()))
        })
        .collect();
    assert_eq!(lines.len(), 5, "{lines:?}");
    for (line, exit) in lines {
        let mut command = project.command();
        let output = command.env_remove("CALLSHEET_PERSON").args(words(line)).output().unwrap();
        assert_eq!(output.status.code(), Some(exit), "callsheet {line}: {output:?}");
    }
    assert!(project.path("out/1-newsletter/newsletter.md").is_file());
}

#[test]
fn whoever_reads_json_is_told_in_json() {
    let project = project();
    let cases = [
        ("run newsleter --json", "nothing was started", Some("newsletter.toml")),
        ("rehearse newsleter --all --json", "nothing was started", Some("newsletter.toml")),
        ("run newsletter -p sendr=x --json", "no such parameter", None),
        ("tools click --json", "there is no tool click", None),
        ("show 9 --json", "nothing has run here yet", None),
        ("run newsletter --jsn --json", "unexpected argument '--jsn' found", None),
    ];
    for (line, error, meant) in cases {
        let output = project.command().args(words(line)).output().unwrap();
        let told: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{line}: {why} {output:?}"));
        assert_eq!((output.status.code(), &told["exit"]), (Some(2), &json!(2)), "{line}: {told}");
        assert!(told["error"].as_str().unwrap().contains(error), "{line}: {told}");
        assert_eq!(told["faults"][0]["did_you_mean"].as_str(), meant, "{line}: {told}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("error"), "{line}: it is told once: {output:?}");
    }
}

#[test]
fn what_has_no_order_is_compared_with_nothing() {
    let mut scope = Scope::default();
    scope.add("facts", &json!({ "pieces": 5, "name": "tulip", "none": null, "list": [3, null, 1], "rows": [{ "n": 2 }, { "n": null }] }));
    for (when, wanted) in [
        ("facts.pieces < 7", Ok(true)),
        ("3 < facts.pieces <= 5", Ok(true)),
        ("3 < facts.pieces < 5", Ok(false)),
        ("facts.name < 'zebra' and facts.name >= 'a'", Ok(true)),
        ("facts.none == none", Ok(true)),
        ("facts.none != 3", Ok(true)),
        ("facts.none? and facts.none > 3", Ok(false)),
        ("(facts.colour? or 0) < 3", Ok(true)),
        ("facts.list[0] is gt 2", Ok(true)),
        ("facts.none < 3", Err("< compares null with a number")),
        ("facts.none > 3", Err("> compares null with a number")),
        ("facts.colour? <= 3", Err("<= compares null with a number")),
        ("3 >= facts.colour?", Err(">= compares a number with null")),
        ("facts.name > 3", Err("> compares a text with a number")),
        ("facts.none is lt 3", Err("< compares null with a number")),
        ("facts.list | select('<', 3) | list", Err("< compares null with a number")),
        ("facts.list | sort", Err("null")),
        ("facts.list | min", Err("null")),
        ("facts.rows | sort(attribute='n')", Err("null")),
        ("facts.rows | map(attribute='n') | max", Err("null")),
        ("{'a': facts.none < 3}", Err("null")),
    ] {
        let came = scope.holds("when", when);
        match wanted {
            Ok(wanted) => assert_eq!(came, Ok(wanted), "{when}"),
            Err(part) => {
                let why = came.expect_err(when);
                assert!(why.what.contains(part) && why.at == "when" && why.template == when, "{when}: {why}");
            }
        }
    }
    let rendered =
        scope.text("note", "{%- if facts.pieces > 3 -%} many {%- endif -%}{{- ' of' if 2 < facts.pieces -}}").unwrap();
    assert_eq!(rendered.value, "many of");
}

#[test]
fn a_whole_number_is_printed_as_one_whatever_the_database_gives() {
    let mut scope = Scope::default();
    scope.add("found", &json!({ "sum": 2980.0, "mean": 7.5, "none": -0.0, "large": 1e300, "n": 3 }));
    for (template, right) in [
        ("{{ found.sum }} EUR, {{ found.mean }} each", "2980 EUR, 7.5 each"),
        ("{{ found.sum / 2 }} and {{ found.mean | round(1) }}", "1490 and 7.5"),
        ("{{ found.none }}; {{ found.n }}", "0; 3"),
        ("{{ \"%.2f\" | format(found.sum) }}", "2980.00"),
    ] {
        assert_eq!(scope.text("note", template).unwrap().value, right, "{template}");
    }
    // What is nothing but an expression stays the number that it is.
    assert_eq!(scope.render("sum", &json!("{{ found.sum }}")).unwrap().value, json!(2980.0));
}
