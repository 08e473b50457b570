//! Triggers that fire at times.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use std::os::unix::process::ExitStatusExt as _;

use super::stage::{Server, Set, project, runtime};
use crate::sweep::{POINTS, copy};
use crate::tools::write;

/// Every Monday at nine in Berlin, which is eight in UTC in winter.
const WEEKLY: &str = "[triggers.weekly]\ncron = \"0 9 * * MON\"\nparams = { quarter = { last = \"quarter\" } }\n";
const LETTERS: &str = "[triggers.weekly]\ncron = \"0 9 * * MON\"\nparams = { topic = { this = \"day\" } }\n";

const FRIDAY: &str = "2026-11-27T12:00:00Z";
const MONDAYS: [&str; 4] =
    ["2026-11-30T08:00:01Z", "2026-12-07T08:00:01Z", "2026-12-14T08:00:01Z", "2026-12-21T08:00:01Z"];

#[test]
fn what_is_due_starts_one_run_whoever_looks_and_however_often() {
    let folder = project(WEEKLY, "");
    let clock = Set::at(FRIDAY);
    runtime().block_on(async {
        let (one, other) = (Server::over(folder.path(), &clock).await, Server::over(folder.path(), &clock).await);
        one.look().await;
        assert_eq!(one.told(), [""; 0], "the Monday before it was written does not count");
        clock.to("2026-11-30T07:59:59Z");
        one.look().await;
        assert_eq!(one.told(), [""; 0], "nor is it due a second too early");
        clock.to(MONDAYS[0]);
        tokio::join!(one.look(), other.look(), one.look(), other.look());
        assert_eq!(one.told(), ["digest done quarter=\"2026-Q3\""]);
        assert_eq!(one.firings(), ["digest.weekly started 1"]);
        clock.to(MONDAYS[1]);
        other.look().await;
        one.look().await;
        assert_eq!(one.told().len(), 2);
        other.stop().await;
        one.stop().await;
        let later = Server::over(folder.path(), &clock).await;
        later.look().await;
        assert_eq!(later.told().len(), 2, "nor does a server that begins anew");
        later.stop().await;
    });
}

#[test]
fn who_started_a_run_is_in_its_first_record() {
    let folder = project(WEEKLY, "");
    let clock = Set::at(FRIDAY);
    runtime().block_on(async {
        let server = Server::over(folder.path(), &clock).await;
        server.look().await;
        clock.to(MONDAYS[0]);
        server.look().await;
        let state = server.project.state(&server.runs()[0]).unwrap();
        let who = state.starter.unwrap();
        assert_eq!((who.name.as_str(), who.how.as_str()), ("trigger weekly", "due 2026-11-30 09:00 CET"));
        server.stop().await;
    });
}

#[test]
fn what_fell_due_while_no_server_ran_starts_one_run_or_none() {
    for (missed, told, firings) in [
        ("once", vec!["digest done quarter=\"2026-Q3\""], vec!["digest.weekly started 1"]),
        ("skip", vec![], vec!["digest.weekly skipped: no server ran at that time"]),
    ] {
        let folder = project(&WEEKLY.replace("params", &format!("missed = \"{missed}\"\nparams")), "");
        let clock = Set::at(FRIDAY);
        runtime().block_on(async {
            let server = Server::over(folder.path(), &clock).await;
            server.look().await;
            server.stop().await;
            clock.to("2026-12-23T12:00:00Z");
            let server = Server::over(folder.path(), &clock).await;
            server.look().await;
            server.look().await;
            assert_eq!(
                (server.told(), server.firings()),
                (told.iter().map(|t| (*t).to_owned()).collect(), firings.iter().map(|t| (*t).to_owned()).collect()),
                "{missed}"
            );
            server.stop().await;
        });
    }
}

/// A letter waits for somebody to write it while two more Mondays come.
#[test]
fn a_firing_waits_is_skipped_or_starts_while_the_last_run_is_not_over() {
    let check = |overlap: &str, meanwhile: &[&str], runs: [usize; 2], topic: &str| {
        let folder = project("", &LETTERS.replace("params", &format!("overlap = \"{overlap}\"\nparams")));
        let clock = Set::at(FRIDAY);
        runtime().block_on(async {
            let server = Server::over(folder.path(), &clock).await;
            server.look().await;
            for monday in &MONDAYS[..3] {
                clock.to(monday);
                server.look().await;
                server.look().await;
            }
            assert_eq!(server.firings(), meanwhile, "{overlap}");
            assert_eq!(server.runs().len(), runs[0], "{overlap}");
            server.cancel(1).await;
            clock.to("2026-12-15T12:00:00Z");
            server.look().await;
            server.look().await;
            assert_eq!(server.runs().len(), runs[1], "{overlap}, once it is over");
            assert!(server.told().last().unwrap().contains(topic), "{overlap}: {:?}", server.told());
            server.stop().await;
        });
    };
    let started = "letter.weekly started 1";
    let waits = "letter.weekly waits for 1";
    check("wait", &[waits, waits, started], [1, 2], "topic=\"2026-12-14\"");
    let skipped = "letter.weekly skipped: run 1 was not over";
    check("skip", &[skipped, skipped, started], [1, 1], "topic=\"2026-11-30\"");
    check("start", &["letter.weekly started 3", "letter.weekly started 2", started], [3, 3], "topic=\"2026-12-14\"");
}

#[test]
fn what_cannot_start_is_noted_tried_again_and_given_up_after_a_day() {
    let folder = project(WEEKLY, "");
    let clock = Set::at(FRIDAY);
    let broken = |is: bool| {
        let kind = if is { "modl" } else { "model" };
        let text = format!(
            "schema_version = 1\nkind = \"{kind}\"\ndoes = \"Writes.\"\noutcomes = [\"done\", \"nothing\"]\ninstructions = \"Write.\"\n"
        );
        write(folder.path(), "agents/writer.toml", text);
    };
    runtime().block_on(async {
        let server = Server::over(folder.path(), &clock).await;
        server.look().await;
        broken(true);
        clock.to(MONDAYS[0]);
        server.look().await;
        let noted = server.firings();
        assert!(
            noted.len() == 1 && noted[0].starts_with("digest.weekly failed: ") && noted[0].contains("modl"),
            "{noted:?}"
        );
        broken(false);
        clock.to("2026-11-30T08:00:30Z");
        server.look().await;
        assert_eq!(server.firings(), noted, "it is left alone for a minute");
        clock.to("2026-11-30T08:01:30Z");
        server.look().await;
        assert_eq!(server.firings(), ["digest.weekly started 1"]);
        broken(true);
        clock.to(MONDAYS[1]);
        server.look().await;
        clock.to("2026-12-08T08:30:00Z");
        server.look().await;
        let noted = server.firings();
        assert!(noted[0].starts_with("digest.weekly skipped: it could not start within a day: "), "{noted:?}");
        broken(false);
        clock.to("2026-12-08T12:00:00Z");
        server.look().await;
        assert_eq!(server.runs().len(), 1, "what was given up starts nothing");
        clock.to(MONDAYS[2]);
        server.look().await;
        assert_eq!(server.runs().len(), 2, "the next Monday is another one");
        server.stop().await;
    });
}

#[test]
fn a_pattern_that_is_written_anew_counts_from_then_on() {
    let folder = project(WEEKLY, "");
    let clock = Set::at(FRIDAY);
    runtime().block_on(async {
        let server = Server::over(folder.path(), &clock).await;
        server.look().await;
        let path = folder.path().join("topologies/digest.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("0 9 * * MON", "0 9 * * THU")).unwrap();
        server.look().await;
        assert_eq!(server.runs().len(), 0, "the Thursday before does not count");
        let other = text.replace("last = \"quarter\"", "last = \"month\"");
        std::fs::write(&path, &other).unwrap();
        server.look().await;
        clock.to(MONDAYS[0]);
        server.look().await;
        assert_eq!(server.told(), ["digest done quarter=\"2026-10\""]);
        std::fs::write(&path, other.replace("last = \"month\"", "this = \"month\"")).unwrap();
        server.look().await;
        assert_eq!(server.runs().len(), 1, "the same time is the same firing, whatever it gives");
        server.stop().await;
    });
}

/// A time that was missed is skipped, and one that a server is there for is not.
#[test]
fn what_is_skipped_when_it_is_missed_starts_when_it_is_not() {
    let folder = project(&WEEKLY.replace("params", "missed = \"skip\"\nparams"), "");
    let clock = Set::at(FRIDAY);
    runtime().block_on(async {
        let server = Server::over(folder.path(), &clock).await;
        server.look().await;
        clock.to("2026-11-30T08:05:00Z");
        server.look().await;
        assert_eq!(server.firings(), ["digest.weekly started 1"]);
        clock.to("2026-12-07T08:05:01Z");
        server.look().await;
        assert_eq!(server.firings()[0], "digest.weekly skipped: no server ran at that time");
        server.stop().await;
    });
}

/// Nine in New York is later than nine in Berlin: what it would have fired at before the zone was another one does not count.
#[test]
fn another_time_zone_counts_from_then_on() {
    let folder = project(WEEKLY, "");
    let clock = Set::at(FRIDAY);
    runtime().block_on(async {
        let server = Server::over(folder.path(), &clock).await;
        server.look().await;
        server.stop().await;
        write(folder.path(), "callsheet.toml", "schema_version = 1\ntimezone = \"America/New_York\"\n");
        clock.to("2026-11-30T15:00:00Z");
        let server = Server::over(folder.path(), &clock).await;
        server.look().await;
        assert_eq!(server.firings(), [""; 0]);
        clock.to("2026-12-07T14:00:01Z");
        server.look().await;
        assert_eq!(server.firings(), ["digest.weekly started 1"]);
        server.stop().await;
    });
}

const FOLDER: &str = "TRIGGERS_FOLDER";
const NOW: &str = "TRIGGERS_NOW";

/// The process of a server that looks once, which another test starts and kills.
#[test]
#[ignore = "another test starts it as a process of its own"]
fn the_process_of_a_look() {
    let (Ok(folder), Ok(now)) = (std::env::var(FOLDER), std::env::var(NOW)) else { return };
    let environment: BTreeMap<_, _> = std::env::vars().filter(|(name, _)| name.starts_with("CALLSHEET_")).collect();
    runtime().block_on(async {
        let server = Server::with(Path::new(&folder), &Set::at(&now), environment).await;
        server.driver.take_up_interrupted().await.unwrap();
        server.look().await;
        server.stop().await;
    });
}

fn process(folder: &Path, now: &str, crash: Option<&str>) -> std::process::Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "triggers::at_times::the_process_of_a_look"]).env_clear();
    command.env(FOLDER, folder).env(NOW, now).stdin(Stdio::null());
    command.envs(crash.map(|crash| ("CALLSHEET_CRASH", crash)));
    command.output().unwrap()
}

#[test]
fn killed_anywhere_a_firing_starts_its_run_once() {
    let folder = project(WEEKLY, "");
    assert!(process(folder.path(), FRIDAY, None).status.success());
    let mut kills = 0;
    for point in POINTS {
        for nth in 1..20 {
            let copied = tempfile::tempdir().unwrap();
            copy(folder.path(), copied.path());
            let ended = process(copied.path(), MONDAYS[0], Some(&format!("{point}:{nth}")));
            let was_killed = ended.status.signal() == Some(9);
            kills += usize::from(was_killed);
            let what = format!("killed at {point}:{nth}: {}", String::from_utf8_lossy(&ended.stdout));
            assert!(was_killed || ended.status.success(), "{what}");
            runtime().block_on(async {
                let server = Server::over(copied.path(), &Set::at("2026-11-30T08:00:02Z")).await;
                server.driver.take_up_interrupted().await.unwrap();
                server.look().await;
                server.look().await;
                assert_eq!(server.told(), ["digest done quarter=\"2026-Q3\""], "{what}");
                assert_eq!(server.firings(), ["digest.weekly started 1"], "{what}");
                server.stop().await;
            });
            if !was_killed {
                break;
            }
        }
    }
    assert!(kills >= 4, "{kills}");
}
