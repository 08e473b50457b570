//! The door: from an empty folder to a team of one's own. Each template is checked, tested, run and approved; what cannot be
//! done is told in a sentence, and nothing that is there is touched.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};

use rustix::process::{Pid, Signal, kill_process};

use crate::cli::Project;
use crate::support::NEVER;

/// A report as a shop's mail platform exports it.
const CLICKS: &str = "Newsletter,Segment,sent on,delivered,clicks,price\n\
                      spring,regulars,2026-03-01,200,21,19.90\nspring,newcomers,2026-03-01,150,9,19.90\n\
                      spring,lapsed,2026-03-01,120,2,19.90\nsummer,regulars,2026-06-01,210,25,24.50\n\
                      summer,newcomers,2026-06-01,160,8,24.50\nsummer,lapsed,2026-06-01,110,3,24.50\n";

/// Arranges an empty folder, types the lines, and expects each one's exit code and words.
fn check(name: &str, arrange: impl FnOnce(&Project), lines: &[(&str, i32, &[&str])]) -> Project {
    let project = Project::empty();
    arrange(&project);
    for (line, exit, needles) in lines {
        let (code, text) = project.types(line);
        assert_eq!(code, *exit, "{name}: callsheet {line}\n{text}");
        needles.iter().for_each(|needle| {
            assert!(text.contains(needle), "{name}: callsheet {line} does not say {needle:?}:\n{text}")
        });
        assert!(!text.contains("panicked") && !text.contains('\u{1b}'), "{name}: {text}");
    }
    project
}

fn with_clicks(project: &Project) {
    fs::write(project.path("clicks.csv"), CLICKS).unwrap();
}

/// All files below a folder with their bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => drop(
                    found.insert(path.strip_prefix(folder).unwrap().display().to_string(), fs::read(&path).unwrap()),
                ),
            }
        }
    }
    found
}

#[test]
fn each_template_is_checked_tested_run_and_approved() {
    let templates = [
        ("minimal", "announcement", "newsletter.md"),
        ("re-engagement", "re-engagement", "audience.csv"),
        ("content-repurposing", "content-repurposing", "short_post.md"),
        ("investigate", "investigate", ""),
        ("best-of-three", "best-of-three", "newsletter.md"),
    ];
    for (template, topology, file) in templates {
        let init = format!("init --template {template}");
        let run = format!("run {topology}");
        let project = check(
            template,
            |_| {},
            &[
                (&init, 0, &["callsheet.toml", "Next:", "callsheet check", &format!("callsheet {run}")]),
                ("check", 0, &[&format!("ok {topology}")]),
                ("test", 0, &["pass", " 0 failed"]),
                (&run, 3, &["approval 1"]),
                ("approve 1", 0, &[]),
                ("doctor", 0, &[]),
                ("schema --write .schema", 0, &["written"]),
            ],
        );
        let written = project.path("out").join(format!("1-{topology}")).join(file);
        assert!(file.is_empty() || written.is_file(), "{template}: {}", written.display());
        assert!(project.path(".schema/topology.json").is_file() && project.path(".gitignore").is_file());
        // What is shipped is written as it stands in the repository, but for the tables that this project has no use for.
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let shipped = files(&project.path("")).into_iter().filter(|(path, _)| {
            template != "minimal"
                && ["agents/", "topologies/", "schemas/", "rehearsals/", "data/"].iter().any(|of| path.starts_with(of))
        });
        shipped.for_each(|(path, bytes)| assert_eq!(bytes, fs::read(root.join(&path)).unwrap(), "{template}: {path}"));
    }
    // Those that ask nobody, or several people at once.
    for template in ["launch", "competitive-brief", "round-table"] {
        let init = format!("init --template {template}");
        check(template, |_| {}, &[(&init, 0, &[]), ("check", 0, &["ok "]), ("test", 0, &[" 0 failed"])]);
    }
    let listed = check(
        "no template",
        |_| {},
        &[("init --template re-engagment", 2, &["did you mean re-engagement?", "--csv FILE"])],
    );
    assert!(files(&listed.path("")).is_empty());
}

#[test]
fn a_csv_of_ones_own_becomes_a_team_that_writes_a_newsletter_about_it() {
    let project = check(
        "a CSV in the folder",
        with_clicks,
        &[
            ("init --csv clicks.csv", 0, &["data/clicks.csv (a copy of clicks.csv", "callsheet run newsletter"]),
            ("check", 0, &["ok newsletter"]),
            ("test", 0, &["2 passed, 0 failed"]),
            ("tools clicks", 0, &["by_segment(): ", "by_newsletter(): ", "query = \"by_", "analyst of newsletter"]),
            ("run newsletter", 3, &["regulars comes first of 3: clicks per 100 delivered 11.22"]),
            ("approve 1", 0, &["newsletter.md"]),
        ],
    );
    let letter = fs::read_to_string(project.path("out/1-newsletter/newsletter.md")).unwrap();
    assert!(letter.contains("- regulars: 11.22\n- newcomers: 5.48\n- lapsed: 2.17\n"), "{letter}");
    let settings = fs::read_to_string(project.path("callsheet.toml")).unwrap();
    for line in ["Segment = \"text\"", "\"sent on\" = \"text\"", "clicks = \"integer\"", "price = \"number\""] {
        assert!(settings.contains(line), "{line} is not in\n{settings}");
    }
    assert_eq!(fs::read_to_string(project.path("clicks.csv")).unwrap(), CLICKS);
}

#[test]
fn files_as_platforms_export_them_become_projects_or_are_told() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/csv");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".csv") {
            continue;
        }
        seen += 1;
        let project = Project::empty();
        fs::copy(&path, project.path(&name)).unwrap();
        let (code, text) = project.types(&format!("init --csv {name}"));
        if name == "two-unclosed-quotes.csv" {
            assert!(code == 2 && text.contains("nothing was written") && text.contains("quote"), "{name}: {text}");
            assert_eq!(files(&project.path("")).len(), 1, "{name}");
            continue;
        }
        assert_eq!(code, 0, "{name}: {text}");
        for (line, exit) in [("check", 0), ("test", 0), ("run newsletter", 3), ("approve 1", 0)] {
            let (code, text) = project.types(line);
            assert_eq!(
                code,
                exit,
                "{name}: callsheet {line}\n{text}\n{}",
                fs::read_to_string(project.path("callsheet.toml")).unwrap()
            );
        }
    }
    assert!(seen > 7, "tests/cases/csv has moved");
}

/// What `data inspect` finds out of a file, `init` declares: commas before fractions, days, percent signs, cells without a value.
#[test]
fn numbers_and_days_are_read_as_the_platform_writes_them() {
    let project = check(
        "an export of a German platform",
        |project| {
            let rows = "Sommer;1.234,56;12,5 %;01.07.2026\nSommer;98,10;8,1 %;13.07.2026\n\
                        Winter;7,00;-;14.12.2026\nWinter;11,25;3,9 %;15.12.2026\n";
            let text = format!("Kampagne;Ausgaben;Klickrate;Tag\n{rows}");
            fs::write(project.path("ausgaben.csv"), text).unwrap();
        },
        &[
            ("init --csv ausgaben.csv", 0, &["is read with decimal = \",\"", "delimiter = \";\""]),
            ("check", 0, &["ok newsletter"]),
            ("test", 0, &["passed, 0 failed"]),
            ("tools ausgaben", 0, &["by_kampagne(): "]),
            ("run newsletter", 3, &["Sommer comes first of 2: average ausgaben 666.33"]),
        ],
    );
    let settings = fs::read_to_string(project.path("callsheet.toml")).unwrap();
    for line in ["Ausgaben = \"number\"", "Klickrate = \"percent\"", "type = \"date\""] {
        assert!(settings.contains(line), "{line} is not in\n{settings}");
    }
}

#[test]
fn what_cannot_become_a_project_is_told_and_nothing_is_touched() {
    type Arrange = fn(&Project);
    let cases: [(&str, Arrange, &str, &[&str]); 8] = [
        (
            "not empty",
            |p| fs::write(p.path("notes.md"), "mine").unwrap(),
            "init",
            &["is not empty: notes.md", "callsheet init DIR"],
        ),
        (
            "a project",
            |p| fs::write(p.path("callsheet.toml"), "mine").unwrap(),
            "init --template minimal",
            &["is not empty: callsheet.toml"],
        ),
        ("a file", |p| fs::write(p.path("a"), "mine").unwrap(), "init a", &["is no folder that can be read"]),
        ("no CSV", |_| {}, "init --csv none.csv", &["none.csv cannot be read: it is not there"]),
        ("a folder", |p| fs::create_dir(p.path("d.csv")).unwrap(), "init --csv d.csv", &["d.csv"]),
        (
            "an empty CSV",
            |p| fs::write(p.path("x.csv"), "").unwrap(),
            "init --csv x.csv",
            &["the file is empty", "nothing was written"],
        ),
        ("a header alone", |p| fs::write(p.path("x.csv"), "a,b\n").unwrap(), "init --csv x.csv", &["no row below it"]),
        (
            "the same name twice",
            |p| fs::write(p.path("x.csv"), "a,A\n1,2\n").unwrap(),
            "init --csv x.csv",
            &["two columns are named"],
        ),
    ];
    for (name, arrange, line, needles) in cases {
        let project = Project::empty();
        arrange(&project);
        let before = files(&project.path(""));
        let (code, text) = project.types(line);
        assert_eq!(code, 2, "{name}: {text}");
        needles.iter().for_each(|needle| assert!(text.contains(needle), "{name} does not say {needle:?}: {text}"));
        assert_eq!(files(&project.path("")), before, "{name}: something was written");
    }
    // A repository without a file is an empty folder; so is one that is not there.
    let git: Arrange = |project| fs::create_dir(project.path(".git")).unwrap();
    check("a repository", git, &[("init", 0, &[]), ("check", 0, &[])]);
    check("a new folder", |_| {}, &[("init a/b", 0, &["cd a/b"]), ("--project a/b check", 0, &[])]);
}

#[test]
fn columns_and_names_of_every_kind_become_queries_that_can_be_asked() {
    let cases = [
        ("no group", "id,visits\n1,5\n2,7\n3,5\n"),
        ("no number", "name,town\na,x\nb,x\nc,y\nd,y\n"),
        ("nothing but texts of their own", "name\na\nb\nc\n"),
        ("names with all that a name can have", "Größe \"L\",a;b,[x],order\nu,1,2,3\nu,2,3,4\nv,3,4,5\nv,1,1,1\n"),
        ("a name without a letter of ours", "名前,数\nあ,1\nあ,2\nい,3\nい,4\n"),
        ("two that come to the same word", "a b,a-b,n\nx,y,1\nx,y,2\nz,q,3\nz,q,4\n"),
        ("words of SQL and of templates", "not,in,like\nx,1,2\nx,2,3\ny,3,4\ny,4,5\n"),
        ("a name that would end a literal text", "a''',b''',c\nx,1,2\nx,2,3\ny,3,4\ny,4,5\n"),
        ("hostile text", "seg,n\n{{ 7 * 7 }},1\n{{ 7 * 7 }},2\n'; DROP TABLE x;--,3\n'; DROP TABLE x;--,4\n"),
    ];
    for (name, text) in cases {
        let project = Project::empty();
        fs::write(project.path("select.csv"), text).unwrap();
        for (line, exit) in
            [("init --csv select.csv", 0), ("check", 0), ("test", 0), ("run newsletter", 3), ("approve 1", 0)]
        {
            let (code, text) = project.types(line);
            assert_eq!(code, exit, "{name}: callsheet {line}\n{text}");
        }
    }
}

#[test]
fn new_adds_what_passes_check_and_never_writes_over_anything() {
    let project = check(
        "new",
        with_clicks,
        &[
            ("init --csv clicks.csv", 0, &[]),
            ("new agent editor", 0, &["agents/editor.toml", "[[editor]]"]),
            ("new agent editor", 2, &["agents/editor.toml is there already", "nothing was written"]),
            ("new agent Editor", 2, &["a name is a lower-case letter"]),
            ("new agent ../editor", 2, &["a name is a lower-case letter"]),
            ("new agent boss --person", 0, &["approves"]),
            ("new schema note", 0, &["schemas/note.json", "note = { schema = \"note\" }"]),
            ("new schema letter", 2, &["is there already"]),
            ("new topology review", 0, &["topologies/review.toml", "rehearsals/review.toml", "callsheet check review"]),
            ("new topology review", 2, &["are there already", "nothing was written"]),
            ("new topology long --team writer,editor,critic,approver,boss", 0, &["agents/critic.toml"]),
            ("new topology numbers --team analyst,approver", 0, &["analyst needs a result of clicks.query"]),
            ("new topology none --team approver", 2, &["somebody has to write before a person signs"]),
            ("new topology none --team writer,writer", 2, &["each member has a name of its own"]),
            ("check", 0, &["ok long", "ok newsletter", "ok numbers", "ok review"]),
            ("test", 0, &["0 failed"]),
            ("run long", 3, &["approval 1"]),
            ("approve 1", 3, &["approval 2"]),
            ("approve 2", 0, &[]),
            ("new tool clicks --csv data/clicks.csv", 2, &["[tools.clicks] already"]),
            ("new tool other", 2, &["--csv data/FILE.csv"]),
            ("new tool other --csv data/none.csv", 2, &["nothing was printed"]),
        ],
    );
    let table = project.command().args(["new", "tool", "second", "--csv", "data/clicks.csv"]).output().unwrap();
    assert!(table.status.success());
    let before = fs::read_to_string(project.path("callsheet.toml")).unwrap();
    fs::write(project.path("callsheet.toml"), before + &String::from_utf8(table.stdout).unwrap()).unwrap();
    for kind in ["files", "sink"] {
        let table = project.command().args(["new", "tool", kind, "--kind", kind]).output().unwrap();
        let before = fs::read_to_string(project.path("callsheet.toml")).unwrap();
        fs::write(project.path("callsheet.toml"), before + &String::from_utf8(table.stdout).unwrap()).unwrap();
    }
    let (code, text) = project.types("check");
    assert_eq!(code, 0, "{text}");
    let (code, text) = project.types("tools second");
    assert!(code == 0 && text.contains("second.query"), "{text}");
}

#[test]
fn tools_says_what_each_takes_within_eighty_columns() {
    let project = crate::cli::check(
        "tools",
        crate::cli::untouched,
        &[
            (
                "tools performance.query",
                0,
                &["required", "example", "stays inside", "analyst of re-engagement", "private"],
            ),
            (
                "tools articles",
                0,
                &[
                    "articles.read",
                    "articles.list",
                    "articles.publish",
                    "acts outside",
                    "publisher of content-repurposing",
                ],
            ),
            ("tools email", 0, &["sequence", "audience", "after a crash it is asked"]),
            ("tools performnce.query", 2, &["did you mean performance.query?"]),
            (
                "tools stats.rank --json",
                0,
                &["{\"member\":\"analyst\",\"topology\":\"re-engagement\"}", "\"example\":"],
            ),
        ],
    );
    let (_, text) = project.types("tools");
    for line in text.lines().filter(|line| !line.contains(" = ")) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn one_agent_is_tried_on_one_message_and_the_journal_hears_nothing() {
    let project = crate::cli::check(
        "try",
        crate::cli::untouched,
        &[
            (
                "try researcher --topology content-repurposing",
                0,
                &[
                    "rehearsal: no model runs",
                    "# what it is shown",
                    "You are the researcher",
                    "calls articles.read",
                    "ferns-in-winter.md: 277 words",
                ],
            ),
            ("try researcher --topology content-repurposing -p article=none.md", 0, &["nothing_usable"]),
            ("try drafter --topology content-repurposing", 2, &["drafter reads notes", "--artefact notes=FILE"]),
            ("try drafter", 2, &["on several teams", "--topology"]),
            ("try approver --topology re-engagement", 2, &["is neither a model nor a rule"]),
            ("try draftr --topology re-engagement", 2, &["did you mean drafter?"]),
            ("try nobody", 2, &["there is no nobody"]),
        ],
    );
    let notes = serde_json::json!({ "source": "x.md", "title": "Soil", "lead": "Soil matters.", "points": ["Dig."], "words": 3, "link": null });
    fs::write(project.path("notes.json"), notes.to_string()).unwrap();
    let line = "try drafter --topology content-repurposing --message 'Make it short.' --artefact notes=notes.json";
    let (code, text) = project.types(line);
    assert_eq!(code, 0, "{text}");
    for needle in ["Make it short.", "Soil matters.", "writes channels", "\"researcher\""] {
        assert!(text.contains(needle), "{needle} is not in\n{text}");
    }
    let (code, text) = project.types(&line.replace("notes=notes.json", "notes=none.json"));
    assert!(code == 2 && text.contains("none.json"), "{text}");
    fs::write(project.path("notes.json"), "{}").unwrap();
    let (code, text) = project.types(line);
    assert!(code == 2 && text.contains("--artefact notes"), "{text}");
    assert!(!project.path(".callsheet").exists() && !project.path("out").exists(), "it left something behind");
}

#[test]
fn completions_name_every_command() {
    let project = Project::empty();
    let (_, help) = project.types("--help");
    let commands = help.split("Commands:").nth(1).and_then(|rest| rest.split("Options:").next()).unwrap();
    let names = commands.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    let names: Vec<&str> = names.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() > 25, "{names:?}");
    for shell in ["bash", "zsh", "fish"] {
        let (code, script) = project.types(&format!("completions {shell}"));
        assert_eq!(code, 0, "{script}");
        names.iter().for_each(|name| assert!(script.contains(name), "{shell} does not know {name}"));
        assert!(!script.contains("\\u{"), "{shell}: something was spelled out");
    }
}

/// A `check --watch` under way, line by line.
struct Watch {
    child: Child,
    lines: Receiver<String>,
}

impl Watch {
    fn of(project: &Project) -> Self {
        let mut command = project.command();
        let (read, write) = std::io::pipe().unwrap();
        command.args(["check", "--watch"]).stdout(write.try_clone().unwrap()).stderr(write).stdin(Stdio::null());
        let child = command.spawn().unwrap();
        drop(command);
        let (to, lines) = channel();
        std::thread::spawn(move || {
            BufReader::new(read).lines().map_while(Result::ok).all(|line| to.send(line).is_ok())
        });
        Self { child, lines }
    }

    /// Waits until a line has `needle`, after what was waited for before, and then until it watches.
    fn sees(&self, needle: &str) {
        let mut seen = Vec::new();
        for wanted in [needle, "watching "] {
            loop {
                match self.lines.recv_timeout(NEVER) {
                    Ok(line) if line.contains(wanted) => break,
                    Ok(line) => seen.push(line),
                    Err(why) => panic!("{wanted:?} never came ({why:?}):\n{}", seen.join("\n")),
                }
            }
        }
    }

    fn ends(mut self) -> i32 {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

#[test]
fn a_watch_checks_again_when_a_file_changes_also_while_it_is_half_written() {
    let project = Project::empty();
    assert_eq!(project.types("init").0, 0);
    let settings = fs::read_to_string(project.path("callsheet.toml")).unwrap();
    let agent = fs::read_to_string(project.path("agents/writer.toml")).unwrap();
    let watch = Watch::of(&project);
    watch.sees("ok announcement");
    fs::write(project.path("agents/writer.toml"), &agent[..agent.len() / 2]).unwrap();
    watch.sees("agents/writer.toml");
    fs::write(project.path("agents/writer.toml"), &agent).unwrap();
    watch.sees("ok announcement");
    fs::write(project.path("callsheet.toml"), &settings[..settings.len() / 2]).unwrap();
    watch.sees("error");
    fs::remove_file(project.path("callsheet.toml")).unwrap();
    watch.sees("there is no callsheet.toml");
    fs::write(project.path("callsheet.toml"), &settings).unwrap();
    watch.sees("ok announcement");
    assert_eq!(watch.ends(), 0);
    fs::write(project.path("schemas/letter.json"), "{").unwrap();
    let watch = Watch::of(&project);
    watch.sees("schemas/letter.json");
    assert_eq!(watch.ends(), 2, "Ctrl-C ends it with what the last check came to");
}

/// Whoever types a command without what it is about is told what there is.
#[test]
fn a_command_without_a_name_lists_what_there_is_to_name() {
    let shipped = "content-repurposing, dial-agent";
    crate::cli::check(
        "bare",
        |_| {},
        &[
            ("run", 2, &["needs the name of a topology", shipped, "such as: callsheet run best-of-three"]),
            ("rehearse --all", 2, &["needs the name of a topology", shipped]),
            ("try", 2, &["needs the name of an agent", "analyst", "such as: callsheet try "]),
            ("approve", 2, &["needs the number of an approval", "none waits"]),
            ("run content-repurposing", 3, &[]),
            ("approve", 2, &["open now:", "1  run 1 of content-repurposing, channels", "such as: callsheet approve 1"]),
            ("review", 2, &["such as: callsheet review 1"]),
            ("reject -m no", 2, &["such as: callsheet reject 1"]),
            ("edit", 2, &["such as: callsheet edit 1"]),
            ("settle", 2, &["needs the number of a question", "none waits"]),
        ],
    );
    let project = Project::empty();
    fs::write(project.path("callsheet.toml"), "schema_version = 1\n").unwrap();
    let (code, text) = project.types("run");
    assert!(code == 2 && text.contains("there is none yet: callsheet new topology NAME"), "{text}");
}

#[test]
fn a_parameter_takes_what_its_file_says() {
    let bounded = |project: &Project| {
        let mails = "mails = { type = \"integer\", minimum = 1, maximum = 5, description = \"how many\" }\n\
                     tone = { type = \"string\", default = \"warm\", one_of = [\"warm\", \"plain\"] }\n";
        project.replace("topologies/re-engagement.toml", "[artefacts]", &format!("{mails}[artefacts]"));
    };
    crate::cli::check(
        "bounds",
        bounded,
        &[
            ("run re-engagement", 2, &["needs -p mails=...: a whole number, from 1 to 5 (how many)"]),
            ("run re-engagement -p mails=6", 2, &["-p mails=6: mails takes a whole number, from 1 to 5 (how many)"]),
            ("run re-engagement -p mails=x", 2, &["a whole number, from 1 to 5"]),
            ("run re-engagement -p mails=2 -p tone=loud", 2, &["tone takes a text, one of warm, plain"]),
            ("run re-engagement -p mails=5 -p tone=plain", 3, &["approval 1 is waiting"]),
        ],
    );
}

#[test]
fn a_new_project_shows_times_as_its_machine_does() {
    let check = |machine: &str, zone: &str| {
        let project = Project::empty();
        assert!(project.command().arg("init").env("TZ", machine).output().unwrap().status.success());
        let settings = fs::read_to_string(project.path("callsheet.toml")).unwrap();
        assert!(settings.contains(&format!("\ntimezone = \"{zone}\"\n")), "{machine}: {settings}");
        assert_eq!(project.types("check").0, 0, "{machine}");
    };
    check("Europe/Berlin", "Europe/Berlin");
    check("UTC", "UTC");
    check("Etc/UTC", "UTC");
    check("of no machine", "UTC");
}
