//! The kinds of tools: the table, the README, the faults of the reader and the editors' schema say the same.

use std::path::Path;

use callsheet::app;
use callsheet::config::{Flags, Settings};
use callsheet::tool::kind::{self, words};
use callsheet::tool::open::{Ground, Secrets};
use callsheet::tool::{Tool, Tools};
use callsheet::topology::spec::{Reach, Repeat};
use serde_json::{Value, json};

use crate::tools::write;

/// A kind, what its table says beside that, and the tools that come of it, each with whether it acts on the world.
type Least = (&'static str, &'static str, &'static [(&'static str, bool)]);

/// The least that each kind takes.
const LEAST: &[Least] = &[
    ("sql", "csv = { t = \"t.csv\" }\nfree_sql = true", &[("one.query", false)]),
    ("postgres", "url_env = \"DATABASE_URL\"\nfree_sql = true", &[("one.query", false)]),
    ("files", "root = \"a\"", &[("one.read", false), ("one.list", false), ("one.publish", true)]),
    ("documents", "root = \"a\"", &[("one.search", false), ("one.read", false)]),
    ("sink", "", &[("one.deliver", true)]),
    (
        "email",
        "from = \"a@example.com\"\npostal_address = \"1 Main Street\"\nunsubscribe_url = \"https://example.com/u\"\n\
         audience = \"data.query\"",
        &[("one.deliver", true)],
    ),
    ("webhook", "url = \"https://example.com/hook\"", &[("one.post", true)]),
    ("http", "hosts = [\"example.com\"]", &[("one.get", false)]),
    (
        "mcp",
        "command = [\"server\"]\ntools = { ask = { reach = \"reads_out\" }, act = { reach = \"acts_out\" } }",
        &[("one.ask", false), ("one.act", true)],
    ),
];

/// The tools of a project with a table of that kind, or what is told of it.
fn project(kind: &str, rest: &str) -> Result<Tools, String> {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "t.csv", "a\n1\n");
    let data = "[tools.data]\nkind = \"sql\"\ncsv = { t = \"t.csv\" }\nfree_sql = true\n";
    write(dir.path(), "callsheet.toml", format!("schema_version = 1\n{data}[tools.one]\nkind = {kind:?}\n{rest}\n"));
    let flags = Flags { project: Some(dir.path().to_owned()), ..Flags::default() };
    let settings = Settings::load(&flags).map_err(|why| why.to_string())?;
    app::tools(&settings).map_err(|faults| faults.render(false))
}

#[test]
fn each_kind_opens_as_what_its_tools_declare() {
    let known: Vec<_> = LEAST.iter().map(|(kind, ..)| *kind).collect();
    assert_eq!(words(), known, "say here what the least of each is");
    for (kind, rest, wanted) in LEAST {
        let tools = project(kind, rest).unwrap_or_else(|why| panic!("{kind}: {why}"));
        for (name, acts) in *wanted {
            let tool = tools.get(*name).unwrap_or_else(|| panic!("{kind}: there is no {name}"));
            let spec = tool.spec();
            assert_eq!(matches!(tool, Tool::Outward(_)), *acts, "{name}");
            assert_eq!((spec.reach == Reach::ActsOut, spec.repeat == Repeat::Pure), (*acts, !acts), "{name}");
            assert_eq!(spec.result.is_some(), !acts, "{name}: what is called says what it gives");
            let connection = spec.connection.as_ref().map(|connection| connection.kind.as_str());
            assert_eq!(connection, acts.then_some(*kind), "{name}: what acts says through what");
        }
        let own = tools.keys().filter(|name| name.as_str().starts_with("one."));
        assert_eq!(own.count(), wanted.len(), "{kind}");
    }
}

#[test]
fn an_unknown_kind_is_told_with_those_there_are() {
    let why = project("sqll", "").err().unwrap();
    let words = words().join(", ");
    let said = ["there is no kind \"sqll\"", "did you mean `sql`?", &format!("the kinds are {words}")];
    assert!(said.iter().all(|said| why.contains(said)), "{why}");
    assert!(why.contains("--> callsheet.toml") && why.contains("[tools.one]"), "it says where: {why}");
}

#[test]
fn the_readme_has_a_row_for_each_kind() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let table = readme.split("| kind | its tools |").nth(1).expect("README.md has the table of kinds");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let rows: Vec<(&str, &str)> = rows.filter_map(|row| row.trim_matches('|').split_once('|')).collect();
    let words: Vec<&str> = rows.iter().map(|(word, _)| word.trim().trim_matches('`')).collect();
    assert_eq!(words, kind::words());
    for ((_, row), (kind, _, tools)) in rows.iter().zip(LEAST) {
        for (tool, acts) in *tools {
            // Those of a server have the names that the project gives them.
            let verb = if *kind == "mcp" { "TOOL" } else { tool.trim_start_matches("one.") };
            assert!(row.contains(&format!("`NAME.{verb}`")), "README.md, {kind}: {verb} is not named");
            assert!(!acts || row.contains("approved"), "README.md, {kind}: {verb} acts, and needs an approval");
        }
    }
}

#[test]
fn reader_and_schema_know_the_same_kinds_and_keys() {
    let (_, schema) = app::editor_schemas().into_iter().find(|(name, _)| *name == "callsheet.json").unwrap();
    let schema = jsonschema::draft7::new(&schema).unwrap();
    let takes = |kind: &str, rest: &str| {
        let text = format!("schema_version = 1\n[tools.one]\nkind = {kind:?}\n{rest}\n");
        schema.is_valid(&json!(toml::from_str::<toml::Value>(&text).unwrap()))
    };
    for (kind, rest, _) in LEAST {
        assert!(takes(kind, rest), "{kind}");
        let wrong = format!("{rest}\nno_such_key = 1");
        assert!(!takes(kind, &wrong), "{kind}: the schema takes a key that the kind does not");
        assert!(project(kind, &wrong).err().unwrap().contains("no_such_key"), "{kind}");
    }
    assert!(!takes("sqll", ""), "a kind that is not there");
    let shipped = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("callsheet.toml")).unwrap();
    let shipped = json!(toml::from_str::<toml::Value>(&shipped).unwrap());
    let errors: Vec<String> = schema.iter_errors(&shipped).map(|why| why.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
}

#[test]
fn a_kind_is_opened_after_those_that_it_rests_on() {
    let tools = Tools::new();
    let ground = Ground::at(Path::new(""), &tools, Secrets::none());
    let email = kind::KINDS.iter().find(|kind| kind.word == "email").unwrap();
    let (_, rest, _) = LEAST.iter().find(|(kind, ..)| *kind == "email").unwrap();
    let table: Value = json!(toml::from_str::<toml::Value>(rest).unwrap());
    let why = email.open("one", &table, &ground).err().unwrap().to_string();
    assert_eq!(why, "[tools.one]: audience names no tool: \"data.query\"");
}
