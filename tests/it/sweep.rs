//! The kill sweep: the real process dies by SIGKILL at every boundary of every campaign, and dies again while it is
//! taken up; what it comes to is what it comes to undisturbed. The page cache outlives the process, so the sweep runs
//! on a memory file system where there is one: it says nothing about power loss.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use callsheet::actor::history::load;
use callsheet::id::{ApprovalNo, Timestamp};
use callsheet::journal::sqlite::{Open, Sqlite};
use callsheet::journal::{Op, Query, RunRow, Store};
use callsheet::run::event::Decision;
use callsheet::run::input::{Post, Say};
use callsheet::run::state::{State, Status};
use callsheet::service::story::Story;
use serde_json::{Value, json};

use super::support::{Came, settings, who};

pub(crate) const POINTS: [&str; 4] = ["decided", "committed", "started", "performed"];

/// User acts after which a campaign is given up.
const ACTS_MAX: usize = 40;

/// Passings after which a boundary is taken for endless.
const PASSINGS_MAX: u64 = 500;

/// How long an outward call may take: the recipients of mails are read anew within it, and this build takes its time for that.
const CALL_TIMEOUT: &str = "2s";

/// Kills that are looked at at a time: most of them wait until an act in doubt may be asked about.
const LANES: usize = 4;

/// The months whose mails a campaign is about. The other half would only be read, again and again.
const MONTHS: [&str; 6] = ["2026-04", "2026-05", "2026-06", "2026-07", "2026-08", "2026-09"];

/// A campaign and what it comes to undisturbed.
pub(crate) struct Campaign {
    pub(crate) topology: &'static str,
    /// Its project before anything ran.
    fresh: tempfile::TempDir,
    /// Where a sweep begins: the name, the project as it stands there, the act that is killed.
    pub(crate) stages: Vec<Stage>,
    pub(crate) undisturbed: Came,
    /// Items that a sink of the test's own has a record of.
    items: usize,
}

pub(crate) struct Stage {
    pub(crate) name: &'static str,
    pub(crate) project: tempfile::TempDir,
    pub(crate) act: Vec<String>,
}

/// A project and its journal.
pub(crate) struct Project {
    root: PathBuf,
    topology: &'static str,
}

/// How a process ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Killed,
    Code(i32),
}

#[test]
fn killed_anywhere_and_again_it_comes_to_the_same() {
    let campaigns =
        [shipped("content-repurposing"), shipped("re-engagement"), shipped("investigate"), shipped("launch"), once()];
    let place = campaigns[0].fresh.path().parent().unwrap().display().to_string();
    let lanes: Vec<(&Campaign, &Stage, &str)> = campaigns
        .iter()
        .flat_map(|campaign| campaign.stages.iter().map(move |stage| (campaign, stage)))
        .flat_map(|(campaign, stage)| POINTS.map(|point| (campaign, stage, point)))
        .collect();
    let (next, kills) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let counts = Mutex::new(BTreeMap::new());
    let work = || {
        while let Some((campaign, stage, point)) = lanes.get(next.fetch_add(1, Ordering::SeqCst)) {
            let (passings, killed) = sweep(campaign, stage, point);
            kills.fetch_add(killed, Ordering::SeqCst);
            let key = (campaign.topology, stage.name);
            counts.lock().unwrap().entry(key).or_insert_with(Vec::new).push(format!("{point} {passings}"));
        }
    };
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(work)).collect();
        lanes.into_iter().for_each(|lane| lane.join().unwrap());
    });
    // Not through the macros: the count is to be seen of a passing test too.
    let mut err = std::io::stderr();
    for ((topology, stage), passings) in counts.into_inner().unwrap() {
        writeln!(err, "kill sweep: {topology}, killed in `{stage}`: {}", passings.join(", ")).unwrap();
    }
    let (kills, all) = (kills.into_inner(), campaigns.len());
    writeln!(err, "kill sweep: {kills} kills over {all} campaigns, all equal (in {place})").unwrap();
    assert!(kills >= 200, "only {kills} kills: the boundaries are not passed");
}

/// Kills at each passing of `point` until there is none left; how many there are, and all kills.
fn sweep(campaign: &Campaign, stage: &Stage, point: &str) -> (u64, usize) {
    let mut kills = 0;
    for nth in 1..PASSINGS_MAX {
        let what = format!("{}, `{}` killed at {point}:{nth}", campaign.topology, stage.name);
        let project = Project::copy(stage.project.path(), campaign.topology);
        if project.callsheet(&stage.act, Some(&format!("{point}:{nth}"))) != End::Killed {
            return (nth - 1, kills);
        }
        kills += 1 + project.drive(&what, Chance::of(&what));
        project.compare(campaign, &what);
    }
    panic!("{point} is passed without end");
}

impl Project {
    /// Does what a user would do next until the run is over; the first act is killed once more. The number of kills.
    fn drive(&self, what: &str, mut chance: Chance) -> usize {
        let mut kills = 0;
        let mut second = Some(format!("{}:{}", POINTS[chance.below(4)], 1 + chance.below(6)));
        for _ in 0..ACTS_MAX {
            let Some(act) = self.next(&mut chance) else { return kills };
            let crash = second.take();
            match self.callsheet(&act, crash.as_deref()) {
                End::Killed if crash.is_some() => kills += 1,
                End::Code(0 | 3) => {}
                // Said twice: the first one was kept when the process died, and counts.
                End::Code(2) if act[0] == "approve" => {}
                end => panic!("{what}: {act:?} ended with {end:?}"),
            }
        }
        panic!("{what}: not over after {ACTS_MAX} acts: {:?}", self.state());
    }

    /// What a user does who looks at the run.
    pub(crate) fn next(&self, chance: &mut Chance) -> Option<Vec<String>> {
        let Some((row, state)) = self.state() else { return Some(words(&["run", self.topology])) };
        let resume = Some(words(&["resume", "1"]));
        let approve = state.open_approvals().next().map(|(no, _)| words(&["approve", &no.0.to_string()]));
        match state.status() {
            Status::Ended(_) => None,
            Status::Running => resume,
            // A decision is posted and not heard: it is said again, or the run is taken up.
            Status::Waiting if row.posted > state.heard => approve.filter(|_| chance.below(2) == 0).or(resume),
            Status::Waiting => approve.or_else(|| self.answer(&state)),
            Status::Paused | Status::Stuck => panic!("{:?} {:?}", state.paused, state.dead),
        }
    }

    /// The answer to an open question, from the record that the sink itself keeps.
    fn answer(&self, state: &State) -> Option<Vec<String>> {
        let (no, effect) = state.questions.iter().next()?;
        let happened = self.record("record.jsonl").iter().any(|line| line["effect"] == json!(effect));
        Some(words(&["settle", &no.0.to_string(), if happened { "--happened" } else { "--did-not" }]))
    }

    fn record(&self, path: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.root.join(path)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn compare(&self, campaign: &Campaign, what: &str) {
        let came = self.came();
        if came != campaign.undisturbed {
            fail_where_they_part(&came, &campaign.undisturbed, what);
        }
        let items = self.times("record.jsonl");
        assert!(items.len() == campaign.items && items.values().all(|times| *times == 1), "{what}: {items:?}");
        // A sink that can be asked is asked, not told again; a kill within it may leave an item without its note.
        let asked = self.times(&format!("out/1-{}/.effects", campaign.topology));
        assert!(asked.values().all(|times| *times == 1), "{what}: performed more than once: {asked:?}");
    }

    /// How often a sink's own record at `path` has each item.
    fn times(&self, path: &str) -> BTreeMap<String, usize> {
        let mut times = BTreeMap::new();
        self.record(path).iter().for_each(|line| *times.entry(line["key"].to_string()).or_default() += 1);
        times
    }

    fn came(&self) -> Came {
        let (row, _) = self.state().unwrap();
        let folder = self.root.join("out").join(format!("{}-{}", row.no, row.topology));
        Came::of(&self.store(Open::ReadOnly), row.id, &folder)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn store(&self, how: Open) -> Sqlite {
        Sqlite::open(&settings(&self.root).journal, how).unwrap()
    }

    pub(crate) fn state(&self) -> Option<(RunRow, State)> {
        if !settings(&self.root).journal.exists() {
            return None;
        }
        let store = self.store(Open::ReadOnly);
        let row = store.runs(&Query::default()).unwrap().pop()?;
        let state = load(&store, row.id).unwrap().state;
        Some((row, state))
    }

    pub(crate) fn story(&self) -> Option<Story> {
        let project = callsheet::service::project::Project::new(settings(&self.root));
        let row = project.run(None).ok()?;
        Some(project.read(row).unwrap())
    }

    pub(crate) fn command(&self, act: &[String], crash: Option<&str>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callsheet"));
        command.args(act).current_dir(&self.root).env_clear().env("CALLSHEET_PERSON", "ada");
        command.envs(crash.map(|crash| ("CALLSHEET_CRASH", crash)));
        command
    }

    /// Runs the real process.
    pub(crate) fn callsheet(&self, act: &[String], crash: Option<&str>) -> End {
        let output = self.command(act, crash).stdin(Stdio::null()).output().unwrap();
        match (output.status.signal(), output.status.code()) {
            (Some(9), _) => End::Killed,
            (_, Some(code @ (0 | 3))) => End::Code(code),
            (signal, code) => {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                let twice = said.contains("decided before");
                assert!(code == Some(2) && twice, "{act:?}, {crash:?}: {signal:?} {code:?}\n{said}");
                End::Code(2)
            }
        }
    }

    /// Copies a folder with all that is in it.
    pub(crate) fn copy(from: &Path, topology: &'static str) -> Owned {
        let folder = scratch();
        copy(from, folder.path());
        Owned { project: Self { root: folder.path().to_owned(), topology }, _folder: folder }
    }
}

/// A project whose folder goes with it.
pub(crate) struct Owned {
    project: Project,
    _folder: tempfile::TempDir,
}

impl std::ops::Deref for Owned {
    type Target = Project;

    fn deref(&self) -> &Project {
        &self.project
    }
}

/// A shipped campaign, with calls that are given up sooner.
pub(crate) fn shipped(topology: &'static str) -> Campaign {
    let fresh = scratch();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["agents", "topologies", "schemas", "rehearsals", "data"] {
        copy(&root.join(folder), &fresh.path().join(folder));
    }
    let text = std::fs::read_to_string(root.join("callsheet.toml")).unwrap();
    let mail = text.replace("call_timeout = \"10s\"", &format!("call_timeout = \"{CALL_TIMEOUT}\""));
    let sooner = mail.replace("kind = \"files\"\n", &format!("kind = \"files\"\ncall_timeout = \"{CALL_TIMEOUT}\"\n"));
    assert!(text != mail && mail != sooner, "callsheet.toml has other tools than this test knows");
    std::fs::write(fresh.path().join("callsheet.toml"), sooner).unwrap();
    let sends = fresh.path().join("data/sends.csv");
    let text = std::fs::read_to_string(&sends).unwrap();
    let is_kept = |(nth, line): &(usize, &str)| *nth == 0 || MONTHS.iter().any(|month| line.contains(month));
    let kept: Vec<_> = text.lines().enumerate().filter(is_kept).map(|(_, line)| format!("{line}\n")).collect();
    assert!(kept.len() > 10_000 && kept.len() < text.lines().count());
    std::fs::write(sends, kept.concat()).unwrap();
    campaign(topology, fresh)
}

/// The campaign of tests/cases/sweep with as many of its three items, and a sink that repeats so.
pub(crate) fn notices(items: usize, repeat: &str) -> Campaign {
    let fresh = scratch();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/sweep"), fresh.path());
    let edit = |name: &str, edited: &dyn Fn(&str) -> String| {
        let path = fresh.path().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, edited(&text)).unwrap();
    };
    let item = "\n[[writer.writes.notices.items]]";
    edit("rehearsals/notices.toml", &|text| text.split(item).take(1 + items).collect::<Vec<_>>().join(item));
    edit("callsheet.toml", &|text| format!("{text}repeat = {{ class = \"{repeat}\" }}\n"));
    Campaign { items, ..campaign("notices", fresh) }
}

/// The campaign whose sink nobody can ask.
fn once() -> Campaign {
    let mut campaign = notices(3, "once");
    // One more beginning: the process died between the two acts of the sender, and a person is asked.
    let project = Project::copy(campaign.stages[1].project.path(), "notices");
    assert_eq!(project.callsheet(&campaign.stages[1].act, Some("performed:2")), End::Killed);
    assert_eq!(project.callsheet(&words(&["resume", "1"]), None), End::Code(3));
    let (_, state) = project.state().unwrap();
    assert!(!state.questions.is_empty(), "a `once` effect in doubt is asked about: {:?}", state.status());
    let act = project.answer(&state).unwrap();
    campaign.stages.push(Stage { name: "settle", project: snapshot(&project), act });
    campaign
}

fn campaign(topology: &'static str, fresh: tempfile::TempDir) -> Campaign {
    let run = words(&["run", topology]);
    let project = Project::copy(fresh.path(), topology);
    assert_eq!(project.callsheet(&run, None), End::Code(3));
    let waiting = snapshot(&project);
    let (row, state) = project.state().unwrap();
    let open: Vec<_> = state.open_approvals().map(|(no, approval)| (no, approval.binds)).collect();
    let approve = |no: ApprovalNo| words(&["approve", &no.0.to_string()]);
    let (no, binds) = open[0];
    for (nth, (no, _)) in (1..).zip(&open) {
        let end = if nth < open.len() { 3 } else { 0 };
        assert_eq!(project.callsheet(&approve(*no), None), End::Code(end));
    }
    let undisturbed = project.came();
    assert_eq!(undisturbed.status, "done");
    let decided = undisturbed.decisions.len() == open.len();
    assert!(decided && !undisturbed.effects.is_empty() && undisturbed.results.len() == 1);
    // The same decision, posted while no process is there to hear it.
    let posted = Project::copy(waiting.path(), topology);
    let post = post_of(no, binds, undisturbed.decisions[0]["comment"].as_str().unwrap());
    let op = Op::Post { run: row.id, id: uuid::Uuid::now_v7(), json: post, at: Timestamp(row.updated_at.0 + 1) };
    posted.store(Open::ReadWrite).commit(&[op]).pop().unwrap().unwrap();
    let stages = vec![
        Stage { name: "run", project: snapshot_of(fresh.path()), act: run },
        Stage { name: "approve", project: waiting, act: approve(no) },
        Stage { name: "resume after a post", project: snapshot(&posted), act: words(&["resume", "1"]) },
    ];
    Campaign { topology, fresh, stages, undisturbed, items: 0 }
}

fn post_of(approval: ApprovalNo, binds: callsheet::id::Digest, comment: &str) -> Vec<u8> {
    let say = Say::Decide { approval, binds, decision: Decision::Approve, comment: comment.to_owned() };
    serde_json::to_vec(&Post { by: who("ada"), say }).unwrap()
}

/// Says where the two part, not the whole of both.
fn fail_where_they_part(came: &Came, wanted: &Came, what: &str) -> ! {
    let (came, wanted) = (format!("{came:#?}"), format!("{wanted:#?}"));
    let apart = came.lines().zip(wanted.lines()).find(|(one, other)| one != other);
    panic!("{what}: it came to something else: {apart:#?}");
}

fn snapshot(project: &Project) -> tempfile::TempDir {
    snapshot_of(&project.root)
}

fn snapshot_of(root: &Path) -> tempfile::TempDir {
    let folder = scratch();
    copy(root, folder.path());
    folder
}

/// A folder in memory, where the system has such a place.
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("callsheet-sweep-").tempdir_in(place).unwrap()
}

pub(crate) fn copy(from: &Path, to: &Path) {
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

pub(crate) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Numbers that look random and are the same in every run of the test.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn of(seed: &str) -> Self {
        Self(
            seed.bytes()
                .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)),
        )
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}
