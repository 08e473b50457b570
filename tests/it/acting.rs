//! A project whose run acts on the world once it is approved, and what a user does after its process died in the middle of that.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::cli::words;
use crate::sweep::copy;
use crate::tools::write;

/// What a user types at most until a run is over.
const ACTS_MAX: usize = 12;

const PERSON: &str =
    "schema_version = 1\nkind = \"person\"\ndoes = \"Works here.\"\nexpires = { after = \"7d\", then = \"reject\" }\n";

pub(crate) const BOUNDS: &str = r#"
[budget]
steps = 20
tokens = 1_000
cost_usd = 1.00
active_time = "10m"
when_spent = "pause"

[supervisor]
max_restarts = 3
within = "5m"
backoff = { initial = "10ms", max = "100ms" }
poison_after = 3
"#;

/// A project, and the variables of whoever works there.
pub(crate) struct Acting {
    folder: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Acting {
    /// One whose topology `name` has people write `artefacts` and approve them, and then `act` by a tool.
    pub(crate) fn new(name: &str, artefacts: &[&str], act: &str, variables: &[(&'static str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let declared: String = artefacts.iter().map(|name| format!("{name} = {{ schema = \"any\" }}\n")).collect();
        let topology = format!(
            "schema_version = 1\ndescription = \"Write it, get it approved, let it leave.\"\n[artefacts]\n{declared}\
             [team]\nauthor = {{ writes = {artefacts:?} }}\napprover = {{ approves = {artefacts:?} }}\nactor = {{ {act} }}\n\
             [handoffs]\nstart = \"author\"\nauthor = {{ answered = \"approver\", expired = \"end\" }}\n\
             approver = {{ approve = \"actor\", request_changes = {{ to = \"author\", rounds = 2, then = \"end\" }}, \
             reject = \"end\", expired = \"end\" }}\nactor = \"end\"\n{BOUNDS}"
        );
        write(folder.path(), &format!("topologies/{name}.toml"), topology);
        write(folder.path(), "agents/author.toml", PERSON);
        write(folder.path(), "agents/approver.toml", PERSON);
        write(folder.path(), "schemas/any.json", r#"{ "type": "object" }"#);
        let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { folder, variables }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Begins a run of the topology `name` with what `answer.toml` says, up to its approval.
    pub(crate) fn wait(&self, name: &str) {
        for line in [format!("run {name} --model ollama/none"), "answer 1 --file answer.toml".to_owned()] {
            let (code, text) = self.types(&line);
            assert_eq!(code, 3, "{line}: {text}");
        }
    }

    pub(crate) fn copied(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(self.path(), folder.path());
        Self { folder, variables: self.variables.clone() }
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callsheet"));
        command.args(words(line)).current_dir(self.path()).env_clear().stdin(Stdio::null());
        command.env("CALLSHEET_PERSON", "ana");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn types(&self, line: &str) -> (i32, String) {
        told(&self.command(line).output().unwrap())
    }

    /// Does what a user would do until the run is over; of each question, which `review` shows, it is answered whether that
    /// `happened`. How many there were.
    pub(crate) fn drive(&self, what: &str, happened: impl Fn(&str) -> bool) -> usize {
        let mut questions = 0;
        for _ in 0..ACTS_MAX {
            let (code, text) = self.types("resume 1");
            assert!(matches!(code, 0 | 2 | 3), "{what}: {code} {text}");
            let (_, shown) = self.types("show 1 --json");
            let shown: Value = serde_json::from_str(&shown).unwrap();
            if shown["status"] == "done" {
                return questions;
            }
            let (_, waiting) = self.types("approvals --json");
            for open in waiting.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
                let Some(no) = open["question"].as_u64() else {
                    let (code, text) = self.types("approve 2");
                    assert!(matches!(code, 0 | 2 | 3), "{what}: {code} {text}");
                    continue;
                };
                questions += 1;
                let (_, asked) = self.types(&format!("review {no}"));
                let says = if happened(&asked) { "--happened" } else { "--did-not" };
                let (code, text) = self.types(&format!("settle {no} {says}"));
                assert!(matches!(code, 0 | 3), "{what}: {code} {text}");
            }
        }
        panic!("{what}: not over: {}", self.types("show 1").1);
    }
}

/// How a command ended, and all that it printed.
pub(crate) fn told(output: &Output) -> (i32, String) {
    let text = [output.stdout.clone(), output.stderr.clone()].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
}
