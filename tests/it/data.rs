//! What is wrong with a project's data is told before a model is paid, a change of mix is no fall, what is named as a file
//! and is none is refused at once, and tools are described as shortly as providers ask.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use callsheet::app;
use callsheet::topology::plan::Mode;
use callsheet::topology::spec::ToolSpec;
use rustix::process::{Pid, Signal, kill_process};

use crate::cli::{Project, check, words};
use crate::support::settings;

#[test]
fn check_and_doctor_tell_of_data_before_a_model_is_paid() {
    let one_formatted = |p: &Project| {
        let path = p.path("data/sends.csv");
        let text = fs::read_to_string(&path).unwrap();
        let (head, row) = text.trim_end().rsplit_once('\n').unwrap();
        let mut cells: Vec<&str> = row.split(',').collect();
        cells[8] = "--";
        fs::write(path, format!("{head}\n{}\n", cells.join(","))).unwrap();
        p.replace("callsheet.toml", "[models]\n", "[models]\nfree = [\"ollama/qwen3\"]\n");
    };
    let fault = "data/sends.csv:26737: column \"clicked\" has \"--\", which is no number among numbers";
    let beside = "write in [tools.performance.csv.sends], beside path = \"data/sends.csv\": empty = [\"--\"]";
    let mend = "write sends = { path = \"data/sends.csv\", empty = [\"--\"] }, if it is no value";
    let project = check(
        "a dash among numbers",
        one_formatted,
        &[
            ("check re-engagement", 2, &["E090", fault, mend]),
            ("doctor --offline", 1, &[fault, beside, "1 thing to mend"]),
            ("run re-engagement --model ollama/qwen3", 2, &["nothing was started", fault]),
            ("run re-engagement --rehearse", 2, &["nothing was started", fault, mend]),
            ("test re-engagement", 2, &[fault, "it does not start"]),
            ("rehearse re-engagement --all", 0, &["no model, no tool"]),
            // Another team reads none of it: it is told, and starts.
            (
                "run content-repurposing --rehearse",
                3,
                &[fault, "1 fault in what other teams read", "approval 1 is waiting"],
            ),
        ],
    );
    let declared = "[tools.performance.csv]\ncontacts = \"data/contacts.csv\"\ncalendar = \"data/calendar.csv\"\n\
                    segment_names = \"data/segment_names.csv\"\nsends = { path = \"data/sends.csv\", empty = [\"--\"] }\n";
    let text = fs::read_to_string(project.path("callsheet.toml")).unwrap();
    let line = text.lines().find(|line| line.starts_with("csv = ")).unwrap().to_owned();
    project.replace("callsheet.toml", &line, "");
    project.replace(
        "callsheet.toml",
        "[tools.performance.queries.clicks_by_segment]",
        &format!("{declared}\n[tools.performance.queries.clicks_by_segment]"),
    );
    let (code, text) = project.types("check re-engagement");
    assert_eq!(code, 0, "{text}");
    let (code, text) = project.types("doctor --offline");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("reads sends(message_id text, contact_id text"), "{text}");
    assert!(text.contains("clicked integer"), "{text}");
    // A query that counts with a text is told with its column, and nothing is started.
    project.replace("callsheet.toml", "sum(m.clicked)                         AS clicks", "sum(m.segment) AS clicks");
    let (code, text) = project.types("check re-engagement");
    assert!(code == 2 && text.contains("the query clicks_by_segment: sum() meets"), "{text}");
}

#[test]
fn bad_data_is_told_before_a_rehearsal_starts_and_stops_one_that_has_started() {
    type Case = (&'static str, fn(&Project), &'static str);
    const SENDS: &str = "data/sends.csv";
    let cases: &[Case] = &[
        ("missing", |p| fs::remove_file(p.path(SENDS)).unwrap(), "data/sends.csv"),
        ("empty", |p| fs::write(p.path(SENDS), "").unwrap(), "data/sends.csv:1"),
        ("malformed", |p| fs::write(p.path(SENDS), "a,b\n1,2\n3\n").unwrap(), "data/sends.csv:3"),
    ];
    for (name, arrange, needle) in cases {
        let refused = ("run re-engagement", 2, &["nothing was started", needle, "--> callsheet.toml:"][..]);
        let project = check(name, arrange, &[refused, ("runs", 2, &["nothing has run here yet"])]);
        let whole = || fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(SENDS), project.path(SENDS)).unwrap();
        whole();
        // It is paused before it has read anything.
        project.replace("topologies/re-engagement.toml", "tokens = 600_000", "tokens = 500");
        assert_eq!(project.types("run re-engagement").0, 4, "{name}");
        arrange(&project);
        let lines: [(&str, i32, &[&str]); 3] = [
            ("resume 1 --tokens 600000", 1, &["performance.query", needle, "stuck"]),
            ("dead-letters 1", 3, &["m1", needle]),
            ("dead-letters 1 --json", 0, &["\"failed\":{\"tool\":\"performance.query\"}", "\"drifted\":false"]),
        ];
        for (line, exit, needles) in lines {
            let (code, text) = project.types(line);
            assert!(
                code == exit && needles.iter().all(|needle| text.contains(needle)),
                "{name}: {line}: {code}\n{text}"
            );
        }
        whole();
        let (code, text) = project.types("dead-letters 1 --retry m1");
        assert!(code == 3 && text.contains("approval 1 is waiting"), "{name}: {text}");
    }
}

/// Delivered mails and those clicked, by segment and region, before and after.
type Mails = &'static [(&'static str, &'static str, [usize; 2], [usize; 2])];

fn sends(mails: Mails) -> String {
    let mut text =
        "message_id,contact_id,campaign,segment,region,sent_at,delivered,opened,clicked,unsubscribed,ordered,\
                    revenue_cents\n"
            .to_owned();
    let mut no = 0;
    let mut write = |segment: &str, region: &str, sent: (&str, usize), [n, k]: [usize; 2]| {
        for nth in 0..n {
            no += 1;
            let clicked = usize::from(nth < k);
            let (month, first) = sent;
            let sent = format!("2026-{month}-{:02}T10:00:00Z", first + 7 * (nth % 4));
            let _ = writeln!(text, "m{no:06},c{no:06},x,{segment},{region},{sent},1,0,{clicked},0,0,0");
        }
    };
    for (segment, region, before, after) in mails {
        write(segment, region, ("05", 4), *before);
        write(segment, region, ("08", 3), *after);
    }
    write("later", "north", ("10", 5), [1, 0]);
    text
}

#[test]
fn a_change_of_mix_is_no_fall_and_a_fall_within_it_is_found() {
    // Each region clicks as before; the mails went from the one that clicks much to the one that clicks little.
    const MOVED: Mails = &[
        ("a", "north", [1600, 160], [400, 40]),
        ("a", "south", [400, 20], [1600, 80]),
        ("b", "north", [1600, 160], [400, 40]),
        ("b", "south", [400, 20], [1600, 80]),
    ];
    // The mix hides it: b clicks half as much in each region, and a, with the other mix, looks as bad.
    const FELL: Mails = &[
        ("a", "north", [1600, 160], [200, 20]),
        ("a", "south", [200, 10], [1600, 80]),
        ("b", "north", [1000, 100], [1000, 50]),
        ("b", "south", [1000, 50], [1000, 25]),
    ];
    let with = |mails: Mails| {
        move |p: &Project| {
            fs::write(p.path("data/sends.csv"), sends(mails)).unwrap();
            // What is tested is what it says, on however busy a machine.
            p.replace("callsheet.toml", "free_sql = false", "timeout = \"5m\"\nfree_sql = false");
        }
    };
    check(
        "only the mix has moved",
        with(MOVED),
        &[
            ("run investigate", 3, &["6 % against 9 %", "the mix has moved", "approval 1 is waiting"]),
            (
                "show 1 --artefact report",
                0,
                &["Nobody clicked less for a reason of their own", "7.5 % after 7.5 %", "-3 of -3 points"],
            ),
        ],
    );
    check(
        "one fell within it",
        with(FELL),
        &[
            ("run investigate", 3, &["b fell by 3.75 points, 3.75 with the same mix", "doubts", "holds"]),
            (
                "show 1 --artefact report",
                0,
                &["another mix of regions", "with the same mix -3.75 points instead of -3.75"],
            ),
        ],
    );
}

/// All that a segment got in a quarter may have gone out at once; then nothing is left to compare that week with.
#[test]
fn a_segment_that_was_mailed_in_one_week_only_comes_to_a_report() {
    const FELL: Mails = &[("a", "north", [1000, 100], [1000, 20]), ("b", "north", [1000, 100], [1000, 100])];
    check(
        "one week",
        |p: &Project| {
            let text = sends(FELL);
            let late = |line: &str| line.contains(",a,north,2026-08-");
            let moved = |line: &str| {
                if late(line) {
                    line.replace(&line[line.find("2026-08-").unwrap()..][..10], "2026-08-03")
                } else {
                    line.to_owned()
                }
            };
            fs::write(p.path("data/sends.csv"), text.lines().map(|line| moved(line) + "\n").collect::<String>())
                .unwrap();
        },
        &[
            ("run investigate", 3, &["no other week is left to compare", "holds", "approval 1 is waiting"]),
            (
                "show 1 --artefact report",
                0,
                &["all 1000 mails to a went out in week 5", "there is no other week to compare with"],
            ),
        ],
    );
}

/// A guard against a hang; nothing is concluded from it.
const NEVER: Duration = Duration::from_secs(120);

/// Types `line`, and gives the exit code with all that was printed; fails if it hangs.
#[cfg(unix)]
fn types(project: &Project, line: &str) -> (i32, String) {
    let mut command = project.command();
    let log = project.path("said.txt");
    let said = fs::File::create(&log).unwrap();
    command.args(words(line)).stdout(said.try_clone().unwrap()).stderr(Stdio::from(said));
    let mut child = command.spawn().unwrap();
    let id = Pid::from_child(&child);
    let (tells, ended) = mpsc::channel();
    std::thread::spawn(move || tells.send(child.wait()));
    let Ok(status) = ended.recv_timeout(NEVER) else {
        kill_process(id, Signal::KILL).unwrap();
        panic!("callsheet {line} hangs: {}", fs::read_to_string(&log).unwrap());
    };
    (status.unwrap().code().unwrap_or(-1), fs::read_to_string(&log).unwrap())
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_at_once() {
    let pipe = |path: &Path| {
        let _ = fs::remove_file(path);
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    // What becomes a pipe, what is typed, and how it ends.
    let cases = [
        ("topologies/re-engagement.toml", "check re-engagement", 2),
        ("agents/analyst.toml", "check re-engagement", 2),
        ("agents/analyst.md", "check re-engagement", 2),
        ("schemas/finding.json", "check re-engagement", 2),
        ("rehearsals/re-engagement.toml", "check re-engagement", 2),
        ("data/sends.csv", "check re-engagement", 2),
        ("data/sends.csv", "run re-engagement", 2),
        ("data/articles/repotting.md", "run content-repurposing -p article=repotting.md", 1),
        ("said.toml", "run re-engagement --replay said.toml", 2),
        ("said.toml", "run re-engagement --record said.toml", 2),
        ("heads.txt", "audit verify --against heads.txt", 2),
        ("own.journal", "run re-engagement --journal own.journal", 2),
        ("version.toml", "edit 1 --file version.toml", 2),
        ("key", "doctor --model own/x", 1),
    ];
    let project = Project::new();
    project.replace(
        "callsheet.toml",
        "[models]\n",
        "[models]\nfree = [\"own/x\"]\nproviders = { own = { base_url = \"http://127.0.0.1:9/v1\", key_file = \"key\", allow_http = true } }\n",
    );
    assert_eq!(project.types("run re-engagement").0, 3);
    let mut wrong = String::new();
    for (file, line, exit) in cases {
        let path = project.path(file);
        let before = fs::read(&path).ok();
        pipe(&path);
        let (code, text) = types(&project, line);
        if !text.contains("is a pipe, a device or a socket") || code != exit {
            let _ = writeln!(wrong, "{file}: callsheet {line} ends with {code}: {text}");
        }
        fs::remove_file(&path).unwrap();
        before.into_iter().for_each(|bytes| fs::write(&path, bytes).unwrap());
    }
    assert!(wrong.is_empty(), "{wrong}");
    let (code, text) = types(&project, "run re-engagement --replay /dev/zero");
    assert!(code == 2 && text.contains("is a pipe, a device or a socket"), "{text}");
    let (code, text) = types(&project, "run re-engagement --replay data");
    assert!(code == 2 && text.contains("is a folder"), "{text}");
}

#[test]
fn tools_are_described_within_what_providers_take() {
    let around = app::surroundings(&settings(Path::new(env!("CARGO_MANIFEST_DIR"))), Mode::Rehearsal).unwrap();
    for ToolSpec { name, description, args, .. } in around.tools.values() {
        assert!(description.chars().count() <= 1_024, "{name}");
        for (argument, schema) in args["properties"].as_object().into_iter().flatten() {
            let letters = schema["description"].as_str().map_or(0, |text| text.chars().count());
            assert!(letters <= 2_048, "{name}: {argument} is described in {letters} characters");
        }
    }
    let query = &around.tools["performance.query"].args;
    assert_eq!(query["properties"]["query"]["enum"].as_array().unwrap().len(), 9);
    assert_eq!(query["properties"]["args"]["properties"]["base_min"]["type"], "integer");
    let tables: String = (0..40).fold(String::new(), |mut text, nth| {
        let _ = write!(text, "orders_of_the_shop_as_exported_in_week_{nth} = \"data/calendar.csv\", ");
        text
    });
    check(
        "a long description",
        |p| {
            p.replace("callsheet.toml", "free_sql = false", "free_sql = true");
            p.replace("callsheet.toml", "csv = { ", &format!("csv = {{ {tables}"));
        },
        &[("check re-engagement", 2, &["E034", "`performance.query` is described in", "and 1024 are taken"])],
    );
}
