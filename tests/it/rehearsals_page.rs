//! What docs/rehearsals.md shows is so: its project is checked, its tests pass, its expressions give what stands beside them.

use std::path::Path;
use std::process::{Command, Stdio};

use callsheet::model::template::Scope;
use callsheet::topology::template::FILTERS;
use serde_json::{Value, json};

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rehearsals.md")).unwrap()
}

#[test]
fn the_project_of_the_page_is_checked_and_its_tests_pass() {
    let (page, folder) = (page(), tempfile::tempdir().unwrap());
    let mut written = 0;
    for part in page.split("<!-- file: ").skip(1) {
        let (name, rest) = part.split_once(" -->\n```").unwrap();
        let text = rest.split_once('\n').and_then(|(_, rest)| rest.split("```").next()).unwrap();
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        written += 1;
    }
    assert_eq!(written, page.matches("\n```\n").count(), "docs/rehearsals.md has a block that no test reads");
    for (command, says) in [("check", "ok weekly"), ("test", "4 passed, 0 failed")] {
        let mut callsheet = Command::new(env!("CARGO_BIN_EXE_callsheet"));
        callsheet.arg(command).current_dir(folder.path()).env_clear().env("HOME", folder.path()).stdin(Stdio::null());
        let output = callsheet.output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success() && text.contains(says), "callsheet {command}:\n{text}");
    }
}

#[test]
fn expressions_give_what_the_page_says() {
    let page = page();
    let mut scope = Scope::default();
    scope.add("facts", &json!({ "item": "tulip", "pieces": 5 }));
    let rows = page.lines().skip_while(|line| !line.starts_with("| expression |")).skip(2);
    let rows: Vec<&str> = rows.take_while(|line| line.starts_with('|')).collect();
    for row in &rows {
        let row = row.replace("\\|", "\u{0}");
        let mut spans = row.split('`').skip(1).step_by(2);
        let (expression, gives) = (spans.next().unwrap().replace('\0', "|"), spans.next().unwrap());
        let found = scope.render("page", &json!(format!("{{{{ {expression} }}}}"))).unwrap().value;
        assert_eq!(found, serde_json::from_str::<Value>(gives).unwrap(), "{expression}");
    }
    assert!(rows.len() > 9, "the rows are not found any more");
    for filter in FILTERS {
        assert!(page.contains(&format!("`{filter}`")), "docs/rehearsals.md does not name the filter {filter}");
    }
}
