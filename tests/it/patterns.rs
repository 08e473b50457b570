//! What docs/patterns.md shows is so: each pattern is a team that `check` accepts and that runs as its test says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

/// What a pattern leaves out: tests/cases/patterns/NAME.toml.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rest {
    /// Artefacts and their schemas.
    artefacts: BTreeMap<String, String>,
    /// Members that are models, and their outcomes.
    models: BTreeMap<String, Vec<String>>,
    /// People, and how many of them sign.
    #[serde(default)]
    people: BTreeMap<String, u32>,
    /// People who answer, and the outcomes that they choose among.
    #[serde(default)]
    answerers: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    params: String,
    rehearsal: String,
    /// Other files; the second block of the page stands where one of them says so.
    #[serde(default)]
    files: BTreeMap<String, String>,
}

/// A schema with one required property; of an offer with two.
fn schema(name: &str) -> String {
    if name == "offer" {
        let text = r#"{"type":"string"}"#;
        return format!(
            r#"{{"type":"object","required":["price","terms"],"properties":{{"price":{text},"terms":{text}}}}}"#
        );
    }
    let texts = |keys: &str| {
        format!(
            r#"{{"type":"array","items":{{"type":"object","required":[{keys}],"properties":{{
        "name":{{"type":"string"}},"who":{{"type":"string"}},"what":{{"type":"string"}},
        "channel":{{"type":"string"}},"title":{{"type":"string"}},"text":{{"type":"string"}}}}}}}}"#
        )
    };
    let property = match name {
        "text" => r#"{"type":"string"}"#.to_owned(),
        "channels" => texts(r#""name""#),
        "tasks" => texts(r#""who","what""#),
        "versions" => texts(r#""channel","title","text""#),
        "spend" => r#"{"type":"number"}"#.to_owned(),
        other => panic!("no schema {other}"),
    };
    let key = if name == "spend" { "budget_usd" } else { name };
    format!(r#"{{"type":"object","required":["{key}"],"properties":{{"{key}":{property}}}}}"#)
}

/// Writes the pattern's project into `folder`.
fn write(folder: &Path, (lines, second): (&str, &str), rest: &Rest) {
    let put = |name: String, text: String| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put(
        "callsheet.toml".to_owned(),
        "schema_version = 1\n[tools.site]\nkind = \"files\"\nroot = \"pages\"\n".to_owned(),
    );
    fs::create_dir_all(folder.join("pages")).unwrap();
    let (collected, team) = match lines.split_once("[team]") {
        Some((artefacts, team)) => (artefacts.trim().trim_start_matches("[artefacts]"), team),
        None => panic!("a pattern has a team"),
    };
    let mut topology = "schema_version = 1\ndescription = \"A pattern.\"\n[params]\n".to_owned();
    write!(topology, "{}\n[artefacts]{collected}\n", rest.params).unwrap();
    for (name, of) in &rest.artefacts {
        writeln!(topology, "{name} = {{ schema = \"{of}\" }}").unwrap();
        put(format!("schemas/{of}.json"), schema(of));
    }
    write!(topology, "[team]{team}\n[budget]\nsteps = 200\ntokens = 100_000\ncost_usd = 1.00\nactive_time = \"1h\"\n")
        .unwrap();
    put("topologies/pattern.toml".to_owned(), topology);
    for (name, outcomes) in &rest.models {
        let head = "schema_version = 1\nkind = \"model\"\ndoes = \"Its part.\"\ninstructions = \"Do your part.\"\n";
        put(format!("agents/{name}.toml"), format!("{head}outcomes = {outcomes:?}\n"));
    }
    for (name, needed) in &rest.people {
        let head = "schema_version = 1\nkind = \"person\"\ndoes = \"Decides.\"\nwho = [\"ana\", \"ben\"]\n";
        let tail = "starter_may_approve = true\nexpires = { after = \"7d\", then = \"reject\" }\n";
        put(format!("agents/{name}.toml"), format!("{head}needed = {needed}\n{tail}"));
    }
    for (name, outcomes) in &rest.answerers {
        let head = "schema_version = 1\nkind = \"person\"\ndoes = \"Answers.\"\nwho = [\"ana\", \"ben\"]\n";
        let tail = "expires = { after = \"7d\", then = \"reject\" }\n";
        put(format!("agents/{name}.toml"), format!("{head}outcomes = {outcomes:?}\n{tail}"));
    }
    if !rest.people.is_empty() || !rest.answerers.is_empty() {
        let people = "[people]\nana = {}\nben = {}\n";
        let before = fs::read_to_string(folder.join("callsheet.toml")).unwrap();
        put("callsheet.toml".to_owned(), before + people);
    }
    put("rehearsals/pattern.toml".to_owned(), format!("schema_version = 1\n{}", rest.rehearsal));
    for (path, text) in &rest.files {
        put(path.clone(), text.replace("<the page>", second));
    }
}

#[test]
fn the_patterns_of_the_page_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/patterns.md")).unwrap();
    let mut run = 0;
    for part in page.split("\n## ").skip(1) {
        let (title, rest) = part.split_once('\n').unwrap();
        let mut blocks = rest.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
        let (lines, second) = (blocks.next().unwrap(), blocks.next().unwrap_or_default());
        let handoffs = lines.split_once("[handoffs]\n").unwrap().1.trim().lines().count();
        assert!(handoffs <= 6, "{title} takes {handoffs} lines");
        let name = title.to_lowercase().replace(' ', "-");
        let rest = fs::read_to_string(root.join("tests/cases/patterns").join(format!("{name}.toml"))).unwrap();
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), (lines, second), &toml::from_str(&rest).unwrap());
        for (command, says) in [("check", "ok pattern"), ("test", " 0 failed")] {
            let mut callsheet = Command::new(env!("CARGO_BIN_EXE_callsheet"));
            callsheet.arg(command).current_dir(folder.path()).env_clear().env("HOME", folder.path());
            let output = callsheet.stdin(Stdio::null()).output().unwrap();
            let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert!(output.status.success() && text.contains(says), "{title}: callsheet {command}\n{text}");
        }
        run += 1;
    }
    let cases = fs::read_dir(root.join("tests/cases/patterns")).unwrap().count();
    assert_eq!(run, cases, "a pattern without its case, or a case without its pattern");
}
