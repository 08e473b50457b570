//! What people attach to a run that came of it: each case is files and commands as people type them, over a run without
//! models that is live all the same.

use std::fs;
use std::sync::Arc;

use callsheet::app;
use callsheet::journal::Store;
use callsheet::journal::sqlite::{Open, Sqlite};
use callsheet::tool::history;
use serde_json::{Value, json};

use crate::cli::Project;
use crate::tools::call;

/// A topology in which a person writes a letter, and nobody else does anything.
pub(crate) const LETTER: &str = "schema_version = 1\ndescription = \"Write a letter.\"\nartefacts = { letter = { schema = \"any\" } }\n\
    team = { writer_of_letters = { writes = [\"letter\"] } }\n\
    handoffs = { start = \"writer_of_letters\", writer_of_letters = { answered = \"end\", expired = \"end\" } }\n\
    [budget]\nsteps = 9\ntokens = 90_000\ncost_usd = \"unlimited\"\nactive_time = \"1h\"\n";

const WRITER: &str =
    "schema_version = 1\nkind = \"person\"\ndoes = \"Writes.\"\nexpires = { after = \"900d\", then = \"reject\" }\n";

/// As a platform in Germany exports it.
const OPENS: &str = "mail;opens;revenue\n1;120;10,5\n2;80;0,0\n";

/// Puts the team that writes letters into a project.
pub(crate) fn with_letters(project: &Project) {
    fs::write(project.path("topologies/letter.toml"), LETTER).unwrap();
    fs::write(project.path("agents/writer_of_letters.toml"), WRITER).unwrap();
    fs::write(project.path("schemas/any.json"), r#"{ "type": "object" }"#).unwrap();
}

/// A project with a live run 1 that is over, and a rehearsal, run 2, that waits.
fn project() -> Project {
    let project = Project::new();
    with_letters(&project);
    types(&project, "run letter --model ollama/none", 3);
    types(&project, "run letter", 3);
    types(&project, "cancel 1", 0);
    project
}

fn types(project: &Project, line: &str, wanted: i32) -> String {
    let (code, text) = project.types(line);
    assert_eq!(code, wanted, "{line}: {text}");
    text
}

fn show(project: &Project, run: u64) -> Value {
    serde_json::from_str(&types(project, &format!("show {run} --json"), 0)).unwrap()
}

#[test]
fn results_are_kept_beside_a_run_that_is_over_version_by_version() {
    let project = project();
    fs::write(project.path("opens.csv"), OPENS).unwrap();
    let told = types(&project, "results 1 opens.csv", 0);
    for says in ["results, version 1: 2 rows from opens.csv, by ana", "delimiter = \";\"", "10.5"] {
        assert!(told.contains(says), "{says}: {told}");
    }
    types(&project, "results 1 opens.csv", 0);
    let first = show(&project, 1)["attached"].clone();
    let table = &first[0]["table"];
    assert_eq!(first.as_array().map(Vec::len), Some(1), "the same again is no version");
    assert_eq!(table["columns"], json!(["mail", "opens", "revenue"]));
    assert_eq!(table["rows"], json!([[1, 120, 10.5], [2, 80, 0.0]]));
    assert_eq!((&first[0]["by"], &table["file"]), (&json!("ana"), &json!("opens.csv")));
    assert_eq!(table["sha256"], json!(callsheet::tool::part::record::sha256(OPENS.as_bytes()).to_string()));

    fs::write(project.path("week.json"), r#"[{ "mail": "a", "opens": 7 }, { "mail": "\u001b[2J", "won": true }]"#)
        .unwrap();
    types(&project, "results 1 week.json", 0);
    let run = show(&project, 1);
    assert_eq!(
        (&run["attached"][0]["version"], &run["attached"][1]),
        (&json!(2), &first[0]),
        "version 1 stays as it was"
    );
    assert_eq!(run["attached"][0]["table"]["rows"], json!([["a", 7, null], ["\u{1b}[2J", null, true]]));
    assert_eq!(run["status"], "cancelled");
    let shown = types(&project, "show 1", 0);
    assert!(shown.contains("results, version 2: 2 rows from week.json") && !shown.contains('\u{1b}'), "{shown}");
    let told = types(&project, "messages 1", 0);
    assert!(told.contains("attached") && told.contains("2 rows of mail, opens, revenue, from opens.csv"), "{told}");
    assert_eq!(types(&project, "results 1 --json", 0).lines().count(), 2);
    types(&project, "audit verify 1", 0);
}

/// The next run's analyst reads them, with whose word they are.
#[tokio::test(flavor = "multi_thread")]
async fn the_past_says_what_was_attached() {
    let project = project();
    fs::write(project.path("opens.csv"), OPENS).unwrap();
    types(&project, "results 1 opens.csv", 0);
    fs::write(project.path("week.csv"), "mail,opens\na,7\n").unwrap();
    types(&project, "results 1 week.csv", 0);
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(&project.path(".callsheet/journal.db"), Open::ReadOnly).unwrap());
    let [_, result]: [callsheet::tool::Tool; 2] =
        history::open(&app::past(store)).unwrap().try_into().unwrap_or_else(|_| panic!("two tools"));
    let came = call(&result, json!({ "run": 1 })).await.unwrap();
    let told = |at: usize, key: &str| came["attached"][at][key].clone();
    assert_eq!(
        (told(0, "version"), told(0, "rows"), told(0, "by")),
        (json!(2), json!([{ "mail": "a", "opens": 7 }]), json!("ana"))
    );
    assert_eq!((told(1, "row_count"), told(1, "file")), (json!(2), json!("opens.csv")));
    assert_eq!(told(1, "rows")[0], json!({ "mail": 1, "opens": 120, "revenue": 10.5 }));
    assert!(result.spec().labels.untrusted && result.spec().labels.private);
}

#[test]
fn what_is_no_table_and_what_nobody_can_attach_changes_nothing() {
    let project = project();
    let file = |name: &str, bytes: &[u8]| fs::write(project.path(name), bytes).unwrap();
    file("ok.csv", OPENS.as_bytes());
    file("binary.csv", b"mail,opens\n\x00\x01,\xff\n");
    file("ragged.csv", b"mail,opens\n1,2\n3\n");
    file("header.csv", b"mail,opens\n");
    file("empty.csv", b"");
    file("twice.csv", b"mail,mail\n1,2\n");
    file("deep.json", br#"[{ "mail": { "id": 1 } }]"#);
    file("object.json", br#"{ "rows": [] }"#);
    file("none.json", b"[]");
    file("long.csv", format!("mail\n{}", "1\n".repeat(10_001)).as_bytes());
    fs::create_dir(project.path("folder.csv")).unwrap();
    fs::File::create(project.path("huge.csv")).unwrap().set_len(2 << 30).unwrap();
    let cases = [
        ("results 1 missing.csv", "missing.csv cannot be read: it is not there"),
        ("results 1 folder.csv", "is a folder"),
        ("results 1 binary.csv", "binary.csv is no text"),
        ("results 1 ragged.csv", "ragged.csv:3"),
        ("results 1 header.csv", "no row below it"),
        ("results 1 empty.csv", "the file is empty"),
        ("results 1 twice.csv", "two columns are named \"mail\""),
        ("results 1 deep.json", "row 1 has a list or an object in place of one value"),
        ("results 1 object.json", "a list of objects"),
        ("results 1 none.json", "it has 0 rows"),
        ("results 1 long.csv", "10001 rows: 1 to 10000 are kept"),
        ("results 1 huge.csv", "more than 1024 KiB"),
        ("results 9 ok.csv", "there is no run 9"),
        ("results 2 ok.csv", "the run is a rehearsal"),
    ];
    for (line, says) in cases {
        let told = types(&project, line, 2);
        assert!(told.contains(says), "{line} does not say {says:?}: {told}");
    }
    for run in [1, 2] {
        assert_eq!(show(&project, run)["attached"], Value::Null, "something was attached to run {run}");
    }
    let text = fs::read_to_string(project.path("callsheet.toml")).unwrap();
    file("callsheet.toml", format!("{text}\n[people.ana]\ngroups = []\n").as_bytes());
    let told = types(&project, "results 1 ok.csv --as zoe", 2);
    assert!(told.contains("zoe"), "{told}");
    types(&project, "results 1 ok.csv", 0);
}
