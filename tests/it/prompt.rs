//! The question that `run` asks on a terminal where a person decides: a real process on a real pseudo-terminal, with
//! every way in which the question may end. None of them may hang: each is told, and leads on.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};

use crate::cli::{Project, words};
use crate::support::NEVER;

/// A process on a pseudo-terminal of its own.
struct Terminal {
    child: Child,
    keys: File,
    screen: Receiver<Vec<u8>>,
    /// All that was on the screen.
    seen: Vec<u8>,
    /// Up to where it was looked at.
    looked: usize,
}

impl Terminal {
    fn run(project: &Project, line: &str) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let keys: OwnedFd = openpt(flags).unwrap();
        grantpt(&keys).unwrap();
        unlockpt(&keys).unwrap();
        let peer = || Stdio::from(ioctl_tiocgptpeer(&keys, flags).unwrap());
        // As in a window: it is the process's controlling terminal, so that Ctrl-C is a key of it.
        let callsheet = project.command();
        let mut command = std::process::Command::new("setsid");
        command.arg("--ctty").arg(callsheet.get_program()).args(words(line)).current_dir(project.path(""));
        for (name, value) in callsheet.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env_remove("VISUAL").env("EDITOR", EDITOR).stdin(peer()).stdout(peer()).stderr(peer());
        let child = command.spawn().unwrap();
        // The command holds the terminal's other end: it goes when the child goes.
        drop((command, callsheet));
        let keys = File::from(keys);
        let mut screen = keys.try_clone().unwrap();
        let (to, lines) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = screen.read(&mut bytes) {
                if to.send(bytes[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, keys, screen: lines, seen: Vec::new(), looked: 0 }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// Waits until `needle` is on the screen, after what was waited for before.
    fn sees(&mut self, needle: &str) {
        loop {
            let new = String::from_utf8_lossy(&self.seen[self.looked..]).into_owned();
            if let Some(at) = new.find(needle) {
                self.looked += at + needle.len();
                return;
            }
            match self.screen.recv_timeout(NEVER) {
                Ok(bytes) => self.seen.extend(bytes),
                Err(why) => panic!("{needle:?} never came ({why:?}):\n{}", self.text()),
            }
        }
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
    }

    /// Waits for the end; the exit code and all that was on the screen.
    fn ends(mut self) -> (i32, String) {
        loop {
            match self.screen.recv_timeout(NEVER) {
                Ok(bytes) => self.seen.extend(bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    panic!("it hangs:\n{}", self.text());
                }
            }
        }
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        (code, self.text())
    }
}

/// What the environment names: a path with a blank, and an argument.
const EDITOR: &str = "'./my editor' --wait";

/// Puts an editor there that does `what` with the file `$2`.
fn an_editor(project: &Project, what: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = project.path("my editor");
    std::fs::write(&path, format!("#!/bin/sh\n[ \"$1\" = --wait ] || exit 9\n{what}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Something that happens while the question is there.
enum Step {
    /// This comes on the screen.
    Sees(&'static str),
    /// The person types this.
    Types(&'static str),
    /// Somebody types a command elsewhere, which ends with a code.
    Elsewhere(&'static str, i32),
    /// Ctrl-C.
    Interrupt,
}

use Step::{Elsewhere, Interrupt, Sees, Types};

const ASKED: Step = Sees("eave it waiting?");
const END_OF_INPUT: Step = Types("\u{4}");
/// The key itself, on the terminal.
const CTRL_C: Step = Types("\u{3}");

/// Runs the campaign on a terminal, goes through the steps, and expects how it ends and what is told after the last.
fn check(name: &str, arrange: fn(&Project), line: &str, steps: &[Step], exit: i32, told: &[&str]) {
    let project = Project::new();
    arrange(&project);
    let mut terminal = Terminal::run(&project, line);
    for step in steps {
        match step {
            Sees(needle) => terminal.sees(needle),
            Types(keys) => terminal.types(keys),
            Elsewhere(line, exit) => {
                let (code, text) = project.types(line);
                // It may come to drive what is left of the run itself.
                assert!(code == *exit || code == 5, "{name}: elsewhere callsheet {line}\n{text}");
            }
            Interrupt => terminal.interrupt(),
        }
    }
    let looked = terminal.looked;
    let (code, text) = terminal.ends();
    assert_eq!(code, exit, "{name}\n{text}");
    let last = &text[text.floor_char_boundary(looked)..];
    told.iter().for_each(|needle| assert!(last.contains(needle), "{name} does not tell {needle:?}:\n{text}"));
    assert!(!text.contains("panicked"), "{name}: {text}");
    let (code, verified) = project.types("audit verify");
    assert_eq!(code, 0, "{name}: what is kept is whole: {verified}");
}

fn alone(_: &Project) {}

/// A project with people, where whoever starts a run may not approve it.
fn people(project: &Project) {
    project.replace("agents/approver.toml", "starter_may_approve = true", "starter_may_approve = false");
    two_may(project);
}

/// Ana and eve may approve, bob may not.
fn two_may(project: &Project) {
    let path = project.path("callsheet.toml");
    let people =
        "\n[people.ana]\ngroups = [\"lifecycle\"]\n[people.eve]\ngroups = [\"lifecycle\"]\n[people.bob]\ngroups = []\n";
    std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + people).unwrap();
}

fn two_have_to(project: &Project) {
    project.replace("agents/approver.toml", "needed = 1", "needed = 2");
    two_may(project);
}

/// An edit of the drafts lies ready, made of those of a run that was cancelled.
fn with_an_edit(project: &Project) {
    project.types("run re-engagement");
    let (_, sequence) = project.types("show 1 --artefact sequence --json");
    let mut sequence: serde_json::Value = serde_json::from_str(sequence.lines().next().unwrap()).unwrap();
    sequence["mails"][1]["subject"] = "Something green, 15 % off".into();
    std::fs::write(project.path("edit.toml"), toml::to_string_pretty(&sequence).unwrap()).unwrap();
    project.types("cancel 1");
}

const RUN: &str = "run re-engagement";

#[test]
fn what_is_answered_is_done() {
    check("approved", alone, RUN, &[ASKED, Types("a\n")], 0, &["ana", "approve", "audience.csv", "files: out/1-"]);
    check("rejected", alone, RUN, &[ASKED, Types("r too loud\n")], 5, &["too loud"]);
    let again = [ASKED, Types("c shorter, please\n"), Sees("Approval 2:"), ASKED, Types("l\n")];
    check("changed and left", alone, RUN, &again, 3, &["left waiting: callsheet review 2"]);
    let shown =
        [ASKED, Types("s\n"), Sees("Approval 1:"), ASKED, Types("show\n"), Sees("Approval 1:"), ASKED, Types("a\n")];
    check("shown again", alone, RUN, &shown, 0, &["files: out/1-"]);
    let words = [
        ASKED,
        Types("what?\n"),
        Sees("what? is none of the answers"),
        ASKED,
        Types("\n"),
        Sees("an empty line decides nothing"),
        ASKED,
        Types("c\n"),
        Sees("say why on the same line: c TEXT"),
        ASKED,
        Types("reject  \n"),
        Sees("say why"),
        ASKED,
        Types("leave\n"),
    ];
    check("words that say nothing", alone, RUN, &words, 3, &["left waiting", "callsheet approve 1"]);
}

#[test]
fn what_is_refused_or_not_enough_is_told_and_leads_on() {
    let refused = ["refused:", "whoever started the run may not approve", "waiting for you: callsheet review 1"];
    check("the starter", people, RUN, &[ASKED, Types("a\n")], 3, &refused);
    check(
        "who is not asked",
        two_may,
        "--as bob run re-engagement",
        &[ASKED, Types("a\n")],
        3,
        &["refused:", "may not decide"],
    );
    let one_of_two = ["approved by ana; 1 more to approve", "callsheet approve 1 --as NAME"];
    check("one of two", two_have_to, RUN, &[ASKED, Types("a\n")], 3, &one_of_two);
}

#[test]
fn what_happens_elsewhere_is_told_and_leads_on() {
    check("decided", alone, RUN, &[ASKED, Elsewhere("--as eve approve 1", 0)], 0, &["eve", "files: out/1-"]);
    check("rejected", alone, RUN, &[ASKED, Elsewhere("reject 1 -m no", 0)], 5, &["reject"]);
    let edited = [ASKED, Elsewhere("edit 2 --file edit.toml", 0), Sees("in place of 2"), ASKED, Types("a\n")];
    check("edited", with_an_edit, RUN, &edited, 0, &["approval 3", "files: out/2-"]);
    check("paused", alone, RUN, &[ASKED, Elsewhere("pause 1", 0)], 3, &["ana paused it", "callsheet resume 1"]);
    check("cancelled", alone, RUN, &[ASKED, Elsewhere("cancel 1", 0)], 1, &["cancelled"]);
    let first = [ASKED, Elsewhere("--as ana approve 1", 0), Sees("ana"), Types("l\n")];
    check("one of two", two_have_to, RUN, &first, 3, &["left waiting"]);
    let both = [ASKED, Elsewhere("--as ana approve 1", 0), Elsewhere("--as eve approve 1", 0)];
    check("both of two", two_have_to, RUN, &both, 0, &["eve", "files: out/1-"]);
}

#[test]
fn an_interruption_and_the_end_of_input_are_told_and_lead_on() {
    check("Ctrl-C", alone, RUN, &[ASKED, Interrupt], 130, &["interrupted", "callsheet resume 1"]);
    check("Ctrl-C after a word", alone, RUN, &[ASKED, Types("appr"), Interrupt], 130, &["callsheet resume 1"]);
    check("the key", alone, RUN, &[ASKED, CTRL_C], 130, &["callsheet resume 1"]);
    check("the key after a word", alone, RUN, &[ASKED, Types("appr"), CTRL_C], 130, &["callsheet resume 1"]);
    check(
        "the key at a second question",
        alone,
        RUN,
        &[ASKED, Types("c no\n"), ASKED, CTRL_C],
        130,
        &["callsheet resume 1"],
    );
    check("end of input", alone, RUN, &[ASKED, END_OF_INPUT], 3, &["no more input", "callsheet approve 1"]);
}

#[test]
fn a_version_of_ones_own_is_written_at_the_question() {
    const POSTS: &str = "run content-repurposing";
    let mends: fn(&Project) = |project| an_editor(project, "sed -i 's/schedule/calendar/' \"$2\"");
    let edited = [ASKED, Types("e\n"), Sees("in place of 1"), ASKED, Types("a\n")];
    check("edited", mends, POSTS, &edited, 0, &["files: out/1-"]);
    check(
        "no such artefact",
        mends,
        POSTS,
        &[ASKED, Types("e nothing\n"), Sees("this approval is about channels"), ASKED, Types("l\n")],
        3,
        &[],
    );
    let leaves: fn(&Project) = |project| an_editor(project, "true");
    let left = [ASKED, Types("edit channels\n"), Sees("nothing changed"), ASKED, Types("l\n")];
    check("left as it was", leaves, POSTS, &left, 3, &["left waiting"]);
    // It reads keys itself: none of them is taken by the question.
    let types: fn(&Project) =
        |project| an_editor(project, "echo ready; read word; sed -i \"s/schedule/$word/\" \"$2\"");
    let typed = [ASKED, Types("e\n"), Sees("ready"), Types("calendar\n"), Sees("in place of 1"), ASKED, Types("a\n")];
    check("typed", types, POSTS, &typed, 0, &["files: out/1-"]);
    // Wrong at first: it comes again with the fault on top.
    let faulty: fn(&Project) = |project| {
        an_editor(
            project,
            "grep -q '^# ! ' \"$2\" && sed -i 's/post_short/short_post/' \"$2\" && sed -i 's/schedule/plan/' \"$2\" || \
                            sed -i 's/short_post/post_short/' \"$2\"",
        );
    };
    check("faulty at first", faulty, POSTS, &edited, 0, &["files: out/1-"]);
}

#[test]
fn an_editor_that_fails_or_does_not_end_is_told_and_leaves_the_approval_as_it_was() {
    const POSTS: &str = "run content-repurposing";
    let fails: fn(&Project) = |project| an_editor(project, "exit 3");
    let failed = [ASKED, Types("e\n"), Sees("failed with exit code 3; approval 1 is as it was"), ASKED, Types("a\n")];
    check("it fails", fails, POSTS, &failed, 0, &["files: out/1-"]);
    let missing = [ASKED, Types("e\n"), Sees("cannot be started"), ASKED, Types("l\n")];
    check("it is not there", alone, POSTS, &missing, 3, &["left waiting"]);
    let kept: fn(&Project) = |project| an_editor(project, "sed -i 's/schedule/calendar/' \"$2\"; exit 3");
    let saved = [ASKED, Types("e\n"), Sees("what you saved is in"), ASKED, Types("l\n")];
    check("it saves and fails", kept, POSTS, &saved, 3, &["left waiting"]);
    // One that writes by itself would be opened for ever.
    let breaks: fn(&Project) = |project| an_editor(project, "echo 'not = [toml' > \"$2\"");
    let broken = [ASKED, Types("e\n"), Sees("the same faults again"), Sees("version.toml"), ASKED, Types("l\n")];
    check("it always leaves the same fault", breaks, POSTS, &broken, 3, &["left waiting"]);
    let grows: fn(&Project) = |project| an_editor(project, "echo 'not = [toml' >> \"$2\"");
    let grown = [ASKED, Types("e\n"), Sees("faults each time"), Sees("version.toml"), ASKED, Types("l\n")];
    check("it always leaves another fault", grows, POSTS, &grown, 3, &["left waiting"]);
    let waits: fn(&Project) = |project| an_editor(project, "echo ready; read word");
    let interrupted = [ASKED, Types("e\n"), Sees("ready"), CTRL_C];
    check("Ctrl-C while it is open", waits, POSTS, &interrupted, 130, &["callsheet resume 1"]);
    let deaf: fn(&Project) = |project| an_editor(project, "trap '' INT; echo ready; exec sleep 20 <&- >&- 2>&-");
    let left = [ASKED, Types("e\n"), Sees("ready"), CTRL_C, Sees("once more"), CTRL_C];
    check("it never ends", deaf, POSTS, &left, 130, &["callsheet resume 1"]);
}
