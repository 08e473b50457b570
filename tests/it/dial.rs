//! The same job as a pipeline, as one agent and as a team: the table of docs/patterns.md is what their rehearsals take.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

const TEAMS: [&str; 3] = ["dial-pipeline", "dial-agent", "dial-team"];

#[test]
fn the_table_of_the_dial_is_what_the_rehearsals_take() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut callsheet = Command::new(env!("CARGO_BIN_EXE_callsheet"));
    callsheet.args(["test", "--json"]).args(TEAMS).current_dir(root).env_clear().env("HOME", root);
    let output = callsheet.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let page = fs::read_to_string(root.join("docs/patterns.md")).unwrap();
    let tests: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(tests.len(), TEAMS.len());
    for (test, name) in tests.iter().zip(TEAMS) {
        assert_eq!(test["topology"], name);
        let took = |what: &str| test["took"][what].as_u64().unwrap();
        let tokens = took("tokens");
        let tokens =
            if tokens < 1_000 { tokens.to_string() } else { format!("{},{:03}", tokens / 1_000, tokens % 1_000) };
        let figures = [took("steps"), took("model_calls"), took("longest_way")].map(|n| n.to_string());
        let row = format!("[{name}](../topologies/{name}.toml) | {} | {tokens} |", figures.join(" | "));
        assert!(page.contains(&row), "docs/patterns.md does not have this row: {row}");
    }
}
