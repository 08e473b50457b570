//! The projects of the benches: the campaign that all sides run, two agents who hand to each other for long, and an
//! approval of many items.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use callsheet::app;
use callsheet::config::{Flags, Settings};
use callsheet::topology::check::check;
use callsheet::topology::plan::{Mode, Plan};

/// A checked plan and the project that it is of.
pub(crate) struct Project {
    pub(crate) settings: Settings,
    pub(crate) plan: Plan,
    pub(crate) folder: tempfile::TempDir,
}

/// Researcher, drafter, critic and one revision: five calls, six messages.
pub(crate) fn campaign(base: &str) -> Project {
    let folder = new(&models(base));
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    agent(folder.path(), "researcher", r#"["researched"]"#, "Collect the facts that the brief asks for.");
    agent(
        folder.path(),
        "drafter",
        r#"["drafted"]"#,
        "Write the text from the facts. Heed the verdict if there is one.",
    );
    agent(folder.path(), "critic", r#"["pass", "revise"]"#, "Judge the text; ask for another if it is not good.");
    write(
        "topologies/bench.toml",
        &format!(
            r#"schema_version = 1
description = "A campaign."
artefacts = {{ facts = {{ schema = "text" }}, draft = {{ schema = "text" }}, verdict = {{ schema = "text" }} }}
{BUDGET}
[team]
researcher = {{ writes = ["facts"] }}
drafter = {{ reads = ["facts", "verdict?"], writes = ["draft"] }}
critic = {{ reads = ["draft"], writes = ["verdict"] }}

[handoffs]
start = "researcher"
researcher = "drafter"
drafter = "critic"
critic = {{ pass = "end", revise = {{ to = "drafter", rounds = 3, then = "end" }} }}
"#
        ),
    );
    read(folder, Mode::Live)
}

/// Two agents who hand to each other `messages` times.
pub(crate) fn rally(base: &str, messages: u64) -> Project {
    let folder = new(&models(base));
    for name in ["ping", "pong"] {
        agent(folder.path(), name, r#"["again"]"#, "Hit it back.");
        let file = folder.path().join(format!("agents/{name}.toml"));
        let text = std::fs::read_to_string(&file).unwrap() + "limits = { turns = 100000 }\n";
        std::fs::write(file, text).unwrap();
    }
    let rounds = messages / 2;
    std::fs::write(
        folder.path().join("topologies/bench.toml"),
        format!(
            r#"schema_version = 1
description = "A rally."
artefacts = {{ ball = {{ schema = "text" }} }}
{BUDGET}
[team]
ping = {{ writes = ["ball"] }}
pong = {{ reads = ["ball"], writes = ["ball"] }}

[handoffs]
start = "ping"
ping = "pong"
pong = {{ again = {{ to = "ping", rounds = {rounds}, then = "end" }} }}
"#
        ),
    )
    .unwrap();
    read(folder, Mode::Live)
}

/// A rehearsed agent writes `items` notices, a person approves them, and each is put up once.
pub(crate) fn approval(items: usize) -> Project {
    let folder = new("[tools.notes]\nkind = \"sink\"\n");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    agent(folder.path(), "writer", r#"["written"]"#, "Write the notices.");
    write(
        "agents/approver.toml",
        "schema_version = 1\nkind = \"person\"\ndoes = \"Decides.\"\nexpires = { after = \"14d\", then = \"reject\" }\n",
    );
    write(
        "schemas/notices.json",
        r#"{ "type": "object", "required": ["items"], "properties": { "items": { "type": "array", "items": { "type": "string" } } } }"#,
    );
    let mut rehearsal =
        "schema_version = 1\n\n[[writer]]\noutcome = \"written\"\nwrites.notices.items = [\n".to_owned();
    (0..items).for_each(|n| writeln!(rehearsal, "  \"Notice {n}: it begins on Monday.\",").unwrap());
    write("rehearsals/bench.toml", &(rehearsal + "]\n"));
    write(
        "topologies/bench.toml",
        &format!(
            r#"schema_version = 1
description = "Notices."
artefacts = {{ notices = {{ schema = "notices" }} }}
{BUDGET}
[team]
writer = {{ writes = ["notices"] }}
approver = {{ approves = ["notices"] }}
sender = {{ tool = "notes.deliver", args = {{ items = "notices.items" }} }}

[handoffs]
start = "writer"
writer = "approver"
approver = {{ approve = "sender", request_changes = "end", reject = "end", expired = "end" }}
sender = "end"
"#
        ),
    );
    read(folder, Mode::Rehearsal)
}

/// The shipped `launch` with the model of the benches; its members handle so many messages at once, or as many as it says.
pub(crate) fn launch(base: &str, parallel: Option<u32>) -> Project {
    let (root, folder) =
        (Path::new(env!("CARGO_MANIFEST_DIR")), tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
    for name in ["agents", "topologies", "schemas", "rehearsals", "data"] {
        copy(&root.join(name), &folder.path().join(name));
    }
    let text = std::fs::read_to_string(root.join("callsheet.toml")).unwrap();
    let shipped = "anthropic/claude-sonnet-4-5\"";
    let ours = text
        .replace(&format!("priced_as = \"{shipped}"), "default = \"local/model\"\nfree = [\"local/model\"]")
        .replace(&format!("judge = \"{shipped}"), "judge = \"local/model\"");
    assert_ne!(text, ours, "the shipped project names other models than this bench knows");
    let provider = format!("\n[models.providers.local]\ndialect = \"openai\"\nbase_url = {base:?}\n");
    std::fs::write(folder.path().join("callsheet.toml"), ours + &provider).unwrap();
    let mut project = of(folder, "launch", Mode::Live);
    project.plan.team.values_mut().for_each(|member| member.parallel = parallel.or(member.parallel));
    project
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).unwrap();
        }
    }
}

const BUDGET: &str = "budget = { steps = 1_000_000, tokens = 1_000_000_000, cost_usd = 5.00, active_time = \"10h\" }\n";

fn models(base: &str) -> String {
    format!(
        "[models]\ndefault = \"local/model\"\nfree = [\"local/model\"]\n\n[models.providers.local]\ndialect = \"openai\"\n\
         base_url = {base:?}\n"
    )
}

fn new(tables: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for name in ["agents", "topologies", "schemas", "rehearsals"] {
        std::fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    let text = r#"{ "type": "object", "properties": { "text": { "type": "string" } }, "required": ["text"] }"#;
    std::fs::write(folder.path().join("schemas/text.json"), text).unwrap();
    let config = format!("schema_version = 1\ntimezone = \"UTC\"\n\n{tables}");
    std::fs::write(folder.path().join("callsheet.toml"), config).unwrap();
    folder
}

fn agent(folder: &Path, name: &str, outcomes: &str, instructions: &str) {
    let text = format!(
        "schema_version = 1\nkind = \"model\"\ndoes = \"Plays its part.\"\noutcomes = {outcomes}\ninstructions = {instructions:?}\n"
    );
    std::fs::write(folder.join(format!("agents/{name}.toml")), text).unwrap();
}

fn read(folder: tempfile::TempDir, mode: Mode) -> Project {
    of(folder, "bench", mode)
}

fn of(folder: tempfile::TempDir, topology: &str, mode: Mode) -> Project {
    let flags = Flags { project: Some(folder.path().to_owned()), ..Flags::default() };
    let settings = Settings::read(&flags, folder.path(), BTreeMap::new()).unwrap();
    let around = app::surroundings(&settings, mode).unwrap();
    let checked = check(topology, &settings.folder(), &around);
    let plan = checked.unwrap_or_else(|faults| panic!("{}", faults.render(false))).plan;
    Project { settings, plan, folder }
}
