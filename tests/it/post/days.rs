//! Mails of several days: each leaves on its own day, counted from the approval, to whoever may still be written to then, and
//! once, whenever the process dies. The clock is moved on; nobody waits for a day.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use callsheet::actor::history::load;
use callsheet::app;
use callsheet::clock::Moved;
use callsheet::config::{Flags, Settings};
use callsheet::id::{EffectId, RunNo};
use callsheet::journal::Query;
use callsheet::run::body::Listing;
use callsheet::run::event::Wish;
use callsheet::run::input::{Post, Say};
use callsheet::run::state::{State, Status};

use super::killed::{shop_of, table};
use super::server::{Server, Tls};
use crate::acting::{Acting, told};
use crate::support::{NEVER, who};
use crate::sweep::POINTS;
use crate::tools::write;

pub(super) const DAY_MS: u64 = 86_400_000;
/// A day, and what passes while a test does something.
pub(super) const LITTLE_MS: u64 = 600_000;
/// Passings after which a boundary is taken for endless.
const PASSINGS_MAX: u64 = 60;

/// How long a call may take: of a few mails, and of as many as wait for one connection.
const SHORT: &str = "\"1s\"";
const LONG: &str = "\"6s\"";

/// Where the process of a later day finds its project, and how far its clock is ahead.
const FOLDER: &str = "LATER_DAY_FOLDER";
const AHEAD_MS: &str = "LATER_DAY_AHEAD_MS";

/// The days and subjects of the mails; the last day comes when there is no time left to decide anything.
const MAILS: [(u64, &str); 3] = [(0, "Hello"), (1, "Again"), (9, "Goodbye")];

pub(super) fn answer(people: usize) -> String {
    let mail = |(day, subject): &(u64, &str)| {
        let id = subject.to_lowercase();
        format!("{{ id = \"{id}\", day = {day}, subject = \"{subject}\", text = \"A word.\" }}")
    };
    let mails: Vec<String> = MAILS.iter().map(mail).collect();
    format!(
        "[sequence]\nname = \"series\"\nmails = [{}]\n\n[audience]\nquery = \"all\"\nsize = {people}\n",
        mails.join(", ")
    )
}

/// A project whose mails of several days wait for their approval.
fn waiting(server: &Server, people: &[&str]) -> Acting {
    let table = table(server.port, Tls::None);
    let keys = "user_env = \"MAIL_USER\"\npassword_env = \"MAIL_PASSWORD\"\n";
    let table = table.replace(keys, "").replace("\"1s\"", if people.len() > 2 { LONG } else { SHORT });
    let shop = shop_of(people, &table, &answer(people.len()), &[]);
    shop.wait("letters");
    shop
}

/// The mails that the server has: to whom, and with which subject, in alphabetical order.
pub(super) fn came(server: &Server) -> Vec<(String, String)> {
    let subject = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap().trim().to_owned()
    };
    let mut came: Vec<_> = server.taken().into_iter().map(|mail| (mail.to, subject(&mail.bytes))).collect();
    came.sort();
    came
}

/// The mails of these subjects to these people.
pub(super) fn mails(people: &[&str], subjects: &[&str]) -> Vec<(String, String)> {
    let of = |to: &&str| subjects.iter().map(|subject| ((*to).to_owned(), (*subject).to_owned())).collect::<Vec<_>>();
    let mut mails: Vec<_> = people.iter().flat_map(of).collect();
    mails.sort();
    mails
}

/// Whether a mail left, by its recipient and its title.
type Happened<'h> = &'h dyn Fn(&str, &str) -> bool;

/// What becomes of run 1 in `folder` by a clock that is so far ahead, until it rests: how it is then, and how many questions were
/// answered, by what `happened` says of each.
async fn lived(
    folder: &Path,
    environment: BTreeMap<String, String>,
    ahead_ms: u64,
    happened: Option<Happened<'_>>,
) -> (Status, usize) {
    let settings = Settings::read(&Flags::default(), folder, environment).unwrap();
    let clock = Arc::new(Moved::default());
    clock.advance(ahead_ms);
    let running = app::start_by(&settings, false, clock).await.unwrap();
    let (system, store) = (&running.system, Arc::clone(&running.system.ports().store));
    let run = store.runs(&Query { no: Some(RunNo(1)), ..Query::default() }).unwrap()[0].id;
    let mut answered = 0;
    let status = loop {
        let handle = system.open(run, false).await.unwrap();
        let mut progress = handle.progress();
        let rests = progress.wait_for(|now| now.status != Status::Running || now.gone.is_some());
        let now = tokio::time::timeout(NEVER, rests).await.unwrap().unwrap().clone();
        let state = load(store.as_ref(), run).unwrap().state;
        let question = state.questions.first_key_value().map(|(no, about)| (*no, *about));
        let (Some(happened), Some((question, about))) = (happened, question) else { break now.status };
        answered += 1;
        let list = |digest| serde_json::from_slice(&store.body(run, digest).unwrap().unwrap().bytes).unwrap();
        let (to, title) = asked_about(&state, about, list);
        let say = Say::Answer { question, happened: happened(&to, &title) };
        system.post(run, uuid::Uuid::now_v7(), &Post { by: who("ana"), say }).await.unwrap();
        let heard = progress.wait_for(|after| after.seq > now.seq || after.gone.is_some());
        tokio::time::timeout(NEVER, heard).await.unwrap().unwrap();
    };
    running.stop().await;
    (status, answered)
}

/// The recipient and the title of the item that a question is about.
fn asked_about(state: &State, about: EffectId, list: impl Fn(callsheet::id::Digest) -> Listing) -> (String, String) {
    let Wish::Deliver { permit, slot, .. } = state.effects[&about].wish else { panic!("it acts on nothing") };
    let item = list(state.permits[&permit].manifest.body.digest).items[slot as usize].clone();
    (item.recipient, item.title)
}

/// The same where nobody is asked.
pub(super) fn later(shop: &Acting, ahead_ms: u64) -> Status {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(lived(shop.path(), BTreeMap::new(), ahead_ms, None)).0
}

pub(super) const DONE: Status = Status::Ended(callsheet::run::event::Ending::Done);
pub(super) const PEOPLE: [&str; 2] = ["ann@example.org", "bob@example.org"];

/// What is printed, in one line.
pub(super) fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn each_mail_leaves_on_its_day_and_not_before() {
    let Some(server) = Server::start(Tls::None, false) else { return };
    let shop = waiting(&server, &PEOPLE);
    let (_, review) = shop.types("review 2");
    for says in ["2 items 1 day after the approval", "2 items 9 days after the approval", "3 items at once"] {
        assert!(review.contains(says), "{says}: {review}");
    }
    let (code, text) = shop.types("approve 2");
    let told = line(&text);
    assert_eq!(code, 3, "{text}");
    for says in [
        "3 items at once, 2 items 1 day after the approval, 2 items 9 days after the approval",
        "waiting: 2 items of actor leave on 20",
        "callsheet serve lets them leave on their days; without it, callsheet resume 1 does what is due by then",
    ] {
        assert!(told.contains(says), "{says}: {text}");
    }
    assert_eq!(came(&server), mails(&PEOPLE, &["Hello"]));
    // Whoever looks too early, and whoever comes again, sends nothing.
    let (code, text) = shop.types("resume 1");
    assert!(code == 3 && text.contains("waiting: 2 items of actor leave on 20"), "{code} {text}");
    assert_eq!(later(&shop, DAY_MS - LITTLE_MS), Status::Waiting);
    assert_eq!(came(&server), mails(&PEOPLE, &["Hello"]));
    let (_, shown) = shop.types("show 1");
    assert_eq!(shown.matches("waiting: 2 items of actor leave on").count(), 2, "{shown}");
    for days in [1, 8] {
        assert_eq!(later(&shop, days * DAY_MS + LITTLE_MS), Status::Waiting);
        assert_eq!(came(&server), mails(&PEOPLE, &["Again", "Hello"]), "day {days}");
    }
    assert_eq!(later(&shop, 9 * DAY_MS + LITTLE_MS), DONE);
    assert_eq!(came(&server), mails(&PEOPLE, &["Again", "Goodbye", "Hello"]));
    let (code, text) = shop.types("audit verify");
    assert_eq!(code, 0, "{text}");
}

#[test]
fn whoever_unsubscribes_between_the_days_gets_nothing_more() {
    let Some(server) = Server::start(Tls::None, false) else { return };
    let shop = waiting(&server, &PEOPLE);
    assert_eq!(shop.types("approve 2").0, 3);
    write(shop.path(), "people.csv", "email,first_name,no\nann@example.org,Ann,1\nnew@example.org,New,2\n");
    assert_eq!(later(&shop, DAY_MS + LITTLE_MS), Status::Waiting);
    write(shop.path(), "people.csv", "email,first_name,no\nbob@example.org,Bob,4\nann@example.org,Ann,1\n");
    assert_eq!(later(&shop, 9 * DAY_MS + LITTLE_MS), DONE);
    let wanted = [mails(&PEOPLE[..1], &["Again"]), mails(&PEOPLE, &["Goodbye", "Hello"])].concat();
    let mut wanted = wanted;
    wanted.sort();
    assert_eq!(came(&server), wanted, "each day asks anew, and nobody is added");
    let (_, shown) = shop.types("show 1");
    let says = "left: nothing was sent; left out, since they withdrew after the approval: 1: bob@example.org";
    assert_eq!(line(&shown).matches(says).count(), 1, "{shown}");
}

#[test]
fn a_cancelled_run_lets_nothing_more_leave() {
    let Some(server) = Server::start(Tls::None, false) else { return };
    let shop = waiting(&server, &PEOPLE);
    assert_eq!(shop.types("approve 2").0, 3);
    let (_, text) = shop.types("cancel 1");
    assert!(line(&text).contains("cancelled; 4 approved items were to leave later, and do not leave"), "{text}");
    let cancelled = Status::Ended(callsheet::run::event::Ending::Cancelled);
    assert_eq!(later(&shop, 9 * DAY_MS + LITTLE_MS), cancelled);
    assert_eq!(came(&server), mails(&PEOPLE, &["Hello"]));
}

#[test]
fn a_day_that_nobody_was_there_for_is_made_up_for_until_it_is_too_old() {
    // How late, how many are sent in all, and whether the run goes on.
    for (ahead_days, sent, wanted) in [(7, 4, Status::Waiting), (8, 2, Status::Stuck)] {
        let Some(server) = Server::start(Tls::None, false) else { return };
        let shop = waiting(&server, &PEOPLE);
        assert_eq!(shop.types("approve 2").0, 3);
        // There were seven days to decide, so a day holds for seven from when it came.
        let ahead_ms = ahead_days * DAY_MS + if ahead_days == 8 { LITTLE_MS } else { 0 };
        assert_eq!(later(&shop, ahead_ms), wanted, "{ahead_days} days");
        assert_eq!(came(&server).len(), sent, "{ahead_days} days");
    }
}

#[test]
fn a_server_takes_up_what_is_due() {
    let Some(server) = Server::start(Tls::None, false) else { return };
    let shop = waiting(&server, &PEOPLE);
    assert_eq!(shop.types("approve 2").0, 3);
    let settings = Settings::read(&Flags::default(), shop.path(), BTreeMap::new()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let clock = Arc::new(Moved::default());
        let running = app::start_by(&settings, true, Arc::clone(&clock) as Arc<_>).await.unwrap();
        let store = Arc::clone(&running.system.ports().store);
        let (mut changes, mut sent) = (store.changes().unwrap(), 2);
        for days in [1, 8] {
            clock.advance(days * DAY_MS + LITTLE_MS);
            sent += 2;
            // Nobody opens the run: what is due is looked for.
            while came(&server).len() < sent || store.runs(&Query::default()).unwrap()[0].owner.is_some() {
                tokio::time::timeout(NEVER, changes.changed()).await.unwrap().unwrap();
            }
        }
        running.stop().await;
    });
    assert_eq!(came(&server), mails(&PEOPLE, &["Again", "Goodbye", "Hello"]));
    assert!(shop.types("show 1").1.contains("done"));
}

#[test]
fn a_question_about_one_mail_keeps_back_no_other() {
    let Some(server) = Server::start(Tls::None, false) else { return };
    // More than are under way at a time, and the first of them is one that nobody hears of.
    let many: Vec<String> = (1..=70).map(|nth| format!("reader{nth}@example.org")).collect();
    let people: Vec<&str> = std::iter::once("lost@example.org").chain(many.iter().map(String::as_str)).collect();
    let shop = waiting(&server, &people);
    let (code, text) = shop.types("approve 2");
    assert!(code == 3 && text.contains("nobody knows whether it happened"), "{code} {text}");
    assert_eq!(came(&server), mails(&people[1..], &["Hello"]), "all but the one that is asked about");
    assert_eq!(later(&shop, DAY_MS + LITTLE_MS), Status::Waiting);
    assert_eq!(came(&server), mails(&people[1..], &["Again", "Hello"]), "nor does it keep back another day");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let happened = |to: &str, _: &str| to == "lost@example.org";
    let ended = runtime.block_on(lived(shop.path(), BTreeMap::new(), 9 * DAY_MS + LITTLE_MS, Some(&happened)));
    assert_eq!(ended, (DONE, 3), "each day asks about that one");
    assert_eq!(came(&server), mails(&people[1..], &["Again", "Goodbye", "Hello"]));
}

#[test]
fn a_rehearsal_waits_for_no_day() {
    let Some(server) = Server::start(Tls::None, false) else { return };
    let shop = waiting(&server, &PEOPLE);
    for (line, exit) in [("run letters", 3), ("answer 3 --file answer.toml", 3), ("approve 4", 0)] {
        let (code, text) = shop.types(line);
        assert_eq!(code, exit, "{line}: {text}");
    }
    let files = fs::read_dir(shop.path().join("out/2-letters")).unwrap();
    let drafts = files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|kind| kind == "eml"));
    assert_eq!((drafts.count(), server.taken().len()), (6, 0));
}

/// The process of a later day, which other tests start and kill.
#[test]
#[ignore = "other tests start it as a process of its own"]
fn the_process_of_a_later_day() {
    let (Ok(folder), Ok(ahead_ms)) = (std::env::var(FOLDER), std::env::var(AHEAD_MS)) else { return };
    let environment = std::env::vars().filter(|(name, _)| name.starts_with("CALLSHEET_")).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(lived(Path::new(&folder), environment, ahead_ms.parse().unwrap(), None));
}

/// That process, for this project at this day.
fn process(shop: &Acting, ahead_ms: u64, crash: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "post::days::the_process_of_a_later_day"]).env_clear();
    command.env(FOLDER, shop.path()).env(AHEAD_MS, ahead_ms.to_string()).env("CALLSHEET_CRASH", crash);
    command.stdin(Stdio::null());
    command
}

#[test]
fn killed_around_every_mail_of_a_later_day_each_leaves_once() {
    let lane = |point: &'static str| {
        let Some(server) = Server::start(Tls::None, false) else { return (0, 0) };
        let shop = waiting(&server, &PEOPLE);
        assert_eq!(shop.types("approve 2").0, 3);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (mut kills, mut questions) = (0, 0);
        for nth in 1..PASSINGS_MAX {
            let what = format!("killed at {point}:{nth}");
            let _ = fs::remove_file(server.dir.path().join("taken.jsonl"));
            let copied = shop.copied();
            let ended = process(&copied, DAY_MS + LITTLE_MS, &format!("{point}:{nth}")).output().unwrap();
            if ended.status.signal() != Some(9) {
                assert_eq!(ended.status.code(), Some(0), "{what}: {}", told(&ended).1);
                assert_eq!(came(&server), mails(&PEOPLE, &["Again"]), "{what}");
                return (kills, questions);
            }
            kills += 1;
            let happened = |to: &str, title: &str| {
                came(&server).iter().any(|(of, subject)| of == to && title.ends_with(subject.as_str()))
            };
            for (days, wanted, subjects) in [(1, Status::Waiting, &["Again"][..]), (9, DONE, &["Again", "Goodbye"][..])]
            {
                let lives = lived(copied.path(), BTreeMap::new(), days * DAY_MS + 2 * LITTLE_MS, Some(&happened));
                let (status, asked) = runtime.block_on(lives);
                assert_eq!((status, came(&server)), (wanted, mails(&PEOPLE, subjects)), "{what}, day {days}");
                assert!(asked <= 1, "{what}, day {days}: {asked} questions");
                questions += asked;
            }
        }
        panic!("{point} is passed without end");
    };
    let came: Vec<(usize, usize)> = std::thread::scope(|scope| {
        let lanes: Vec<_> = POINTS.map(|point| scope.spawn(move || lane(point))).into_iter().collect();
        lanes.into_iter().map(|lane| lane.join().unwrap()).collect()
    });
    let (kills, questions) = came.into_iter().fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
    use std::io::Write as _;
    writeln!(std::io::stderr(), "days: {kills} kills, each mail sent once, {questions} questions").unwrap();
}
