//! Several real processes want one run: one owns it and the others say who does; and an owner that was stopped, taken
//! over and continued does nothing more. Nothing is done twice, and the run comes to what it comes to undisturbed.
#![cfg(unix)]

use std::process::{Child, Output, Stdio};

use callsheet::run::state::Status;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::sweep::{Campaign, Chance, End, POINTS, Project, Stage, notices, shipped, words};

/// Processes that want the run at the same moment.
const RIVALS: usize = 6;

/// Races of each kind.
const RACES: usize = 8;

const ACTS_MAX: usize = 20;

/// How a process that may have stopped itself goes on.
#[derive(Debug, PartialEq, Eq)]
enum Now {
    Stopped,
    Ended,
}

/// A process that is still there.
struct Rival(Child);

impl Rival {
    fn start(project: &Project, act: &[String], crash: Option<&str>) -> Self {
        let mut command = project.command(act, crash);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Waits until it stopped itself or ended, and leaves what is to be known of that to whoever waits for its end.
    fn now(&self) -> Now {
        let of = WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(Pid::from_child(&self.0)), of).unwrap().unwrap();
        if status.stopped() { Now::Stopped } else { Now::Ended }
    }

    /// Continues it if it is stopped, and waits for its end.
    fn end(mut self) -> (i32, String) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::CONT);
        drop(self.0.stdin.take());
        let Output { status, stderr, .. } = self.0.wait_with_output().unwrap();
        (status.code().unwrap(), String::from_utf8_lossy(&stderr).into_owned())
    }
}

/// Does what a user would do next until the run is over.
fn finish(project: &Project, what: &str) {
    let mut chance = Chance::of(what);
    for _ in 0..ACTS_MAX {
        let Some(act) = project.next(&mut chance) else { return };
        assert!(matches!(project.callsheet(&act, None), End::Code(0 | 3)), "{what}: {act:?}");
    }
    panic!("{what}: not over after {ACTS_MAX} acts");
}

fn stage<'c>(campaign: &'c Campaign, name: &str) -> &'c Stage {
    campaign.stages.iter().find(|stage| stage.name == name).unwrap()
}

#[test]
fn of_many_that_resume_a_run_one_owns_it_and_the_others_name_it() {
    let campaign = notices(3, "once");
    let run = stage(&campaign, "run");
    for race in 1..=RACES {
        let what = format!("race {race}");
        let project = Project::copy(run.project.path(), campaign.topology);
        assert_eq!(project.callsheet(&run.act, Some("started:1")), End::Killed);
        let (before, _) = project.state().unwrap();
        // Whoever gets it stops after its first append, so that the others find it owned.
        let start = |_| Rival::start(&project, &words(&["resume", "1"]), Some("stop:committed:1"));
        let rivals: Vec<Rival> = (0..RIVALS).map(start).collect();
        let (mut owners, others): (Vec<Rival>, Vec<Rival>) =
            rivals.into_iter().partition(|rival| rival.now() == Now::Stopped);
        assert_eq!(owners.len(), 1, "{what}");
        let owner = owners.pop().unwrap();
        let told = format!("process {} is driving this run", owner.0.id());
        for other in others {
            let (code, said) = other.end();
            assert!(code == 2 && said.contains(&told), "{what}: {code} {said}");
        }
        let (code, said) = owner.end();
        assert_eq!(code, 3, "{what}: {said}");
        let (after, _) = project.state().unwrap();
        assert_eq!(after.epoch.0, before.epoch.0 + 1, "{what}: it was claimed once");
        finish(&project, &what);
        project.compare(&campaign, &what);
    }
    println!("owners: {RACES} races of {RIVALS} that resume");
}

#[test]
fn of_many_that_approve_one_is_heard_and_the_run_is_driven_to_its_end() {
    let campaign = notices(3, "once");
    let approve = stage(&campaign, "approve");
    let mut heard_by_another = 0;
    for race in 1..=RACES {
        let what = format!("race {race}");
        let project = Project::copy(approve.project.path(), campaign.topology);
        let rivals: Vec<Rival> = (0..RIVALS).map(|_| Rival::start(&project, &approve.act, None)).collect();
        let ended: Vec<(i32, String)> = rivals.into_iter().map(Rival::end).collect();
        for (code, said) in &ended {
            let is_plain = match code {
                0 => true,
                2 => said.contains("ada decided before: approve"),
                _ => false,
            };
            assert!(is_plain, "{what}: {code} {said}");
        }
        let heard: Vec<&String> = ended.iter().filter(|(code, _)| *code == 0).map(|(_, said)| said).collect();
        assert_eq!(heard.len(), 1, "{what}: {ended:?}");
        heard_by_another += usize::from(heard[0].contains("drives run"));
        let (_, state) = project.state().unwrap();
        assert!(matches!(state.status(), Status::Ended(_)), "{what}: left at {:?}", state.status());
        project.compare(&campaign, &what);
    }
    println!("owners: {RACES} races of {RIVALS} that approve, {heard_by_another} heard by another's process");
}

#[test]
fn who_takes_a_run_up_drives_it_though_another_was_heard_before() {
    let campaign = shipped("re-engagement");
    // The first decision is posted, and its poster relies on whoever drives the run.
    let (posted, approve) = (stage(&campaign, "resume after a post"), stage(&campaign, "approve"));
    // More than once: it may be done before its process could leave it.
    for round in 1..=2 * RACES {
        let project = Project::copy(posted.project.path(), campaign.topology);
        assert_eq!(project.callsheet(&approve.act, None), End::Code(2), "decided before");
        let (_, state) = project.state().unwrap();
        assert!(matches!(state.status(), Status::Ended(_)), "round {round}: left at {:?}", state.status());
        project.compare(&campaign, &format!("round {round}"));
    }
}

/// What became of the owners that were stopped and taken over.
#[derive(Debug, Default)]
struct Zombies {
    stopped: usize,
    refused: usize,
}

/// Stops the owner at each passing of `point` in turn; another takes over and finishes; then the first is continued.
fn stop_everywhere(campaign: &Campaign, name: &str, point: &str, zombies: &mut Zombies) {
    let stage = stage(campaign, name);
    for nth in 1.. {
        let what = format!("{}, `{name}` stopped at {point}:{nth}", campaign.topology);
        let project = Project::copy(stage.project.path(), campaign.topology);
        let zombie = Rival::start(&project, &stage.act, Some(&format!("stop:{point}:{nth}")));
        if zombie.now() == Now::Ended {
            let (code, said) = zombie.end();
            assert!(nth > 1 && matches!(code, 0 | 3), "{what}: {code} {said}");
            return;
        }
        zombies.stopped += 1;
        let is_made = project.state().is_some();
        if is_made {
            let taken_over = project.callsheet(&words(&["resume", "1", "--take-over"]), None);
            assert!(matches!(taken_over, End::Code(0 | 3)), "{what}: {taken_over:?}");
            finish(&project, &what);
            project.compare(campaign, &format!("{what}, before it goes on"));
        }
        let (code, said) = zombie.end();
        match code {
            1 => assert!(said.contains("another process drives it now"), "{what}: {said}"),
            // It was not yet a run, or nothing was left to append.
            0 | 3 => assert!(!is_made || point == "committed", "{what}: {code} {said}"),
            _ => panic!("{what}: {code} {said}"),
        }
        zombies.refused += usize::from(code == 1);
        finish(&project, &what);
        project.compare(campaign, &what);
    }
}

/// With one item, so that nothing is under way on another thread when the process stops: what is stopped inside the
/// outward call itself, past the look at the time, is done when it goes on, and no journal can prevent that.
#[test]
fn an_owner_that_was_taken_over_does_nothing_more() {
    let campaigns = ["once", "queryable"].map(|repeat| (repeat, notices(1, repeat)));
    for (repeat, campaign) in &campaigns {
        for name in ["run", "approve"] {
            let mut zombies = Zombies::default();
            POINTS.iter().for_each(|point| stop_everywhere(campaign, name, point, &mut zombies));
            println!("owners: {repeat}, stopped in `{name}`: {zombies:?}");
            assert!(zombies.refused * 2 > zombies.stopped, "{zombies:?}");
        }
    }
}
