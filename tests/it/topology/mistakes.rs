//! Seeded mistakes: one fault each, on the right line, with the right fix.

use std::collections::BTreeMap;

use callsheet::config::{Flags, Settings};
use callsheet::topology::check::check;
use callsheet::topology::fault::{Code, Faults};
use callsheet::topology::plan::Mode;
use serde::Deserialize;

use super::{Memory, base, cases, tools};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mistake {
    pub(super) name: String,
    pub(super) file: String,
    find: String,
    replace: String,
    #[serde(default)]
    also: Vec<Edit>,
    #[serde(default)]
    live: bool,
    #[serde(default)]
    without_tests: bool,
    rehearse_also: Option<String>,
    code: String,
    #[serde(rename = "in")]
    place: Option<String>,
    at: String,
    help: String,
    path: Option<String>,
    #[serde(default)]
    also_allowed: Vec<String>,
}

#[derive(Deserialize)]
struct Edit {
    find: String,
    replace: String,
}

#[derive(Deserialize)]
struct All {
    mistake: Vec<Mistake>,
}

pub(super) fn all() -> Vec<Mistake> {
    let text = std::fs::read_to_string(cases().join("topology/mistakes.toml")).unwrap();
    toml::from_str::<All>(&text).unwrap().mistake
}

impl Mistake {
    /// The base project with this mistake in it.
    pub(super) fn files(&self) -> Memory {
        let mut files = base();
        let mut text = files.text(&self.file);
        let first = Edit { find: self.find.clone(), replace: self.replace.clone() };
        for edit in std::iter::once(&first).chain(&self.also) {
            assert!(text.contains(&edit.find), "{}: {:?} is not in the base", self.name, edit.find);
            text = text.replacen(&edit.find, &edit.replace, 1);
        }
        files = files.with(&self.file, &text);
        let rehearsal = "rehearsals/re-engagement.toml";
        let mut script = files.text(rehearsal);
        if self.without_tests {
            script.truncate(script.find("[[test]]").unwrap());
        }
        for agent in self.rehearse_also.iter().flat_map(|agents| agents.split(' ')) {
            let writes =
                if text.contains(&format!("{agent} = {{ reads")) { "writes.sequence = { mails = [] }" } else { "" };
            script.push_str(&format!("\n[[{agent}]]\nnote = \"Changed.\"\n{writes}\n"));
        }
        files.with(rehearsal, &script)
    }

    pub(super) fn faults(&self) -> Faults {
        let files = self.files();
        let folder = tempfile::tempdir().unwrap();
        // A default in the file leaves the aliases as they are; a flag would stand for all of them.
        let named = "[models]\ndefault = \"anthropic/claude-sonnet-4-5\"";
        let project = String::from_utf8_lossy(&files.0["callsheet.toml"]);
        let project = project.replacen("[models]", if self.live { named } else { "[models]" }, 1);
        std::fs::write(folder.path().join("callsheet.toml"), project).unwrap();
        let settings = Settings::read(&Flags::default(), folder.path(), BTreeMap::new()).unwrap();
        let mode = if self.live { Mode::Live } else { Mode::Rehearsal };
        let around = settings.surroundings(mode, tools(), ["campaign_qa"]);
        match check("re-engagement", &files, &around) {
            Ok(_) => panic!("{}: no fault", self.name),
            Err(faults) => faults,
        }
    }

    /// What is wrong with how the mistake is told.
    fn complaint(&self) -> Option<String> {
        let faults = self.faults();
        let shown = faults.render(false);
        let wanted = self.code.parse::<Code>().unwrap();
        let Some(fault) = faults.iter().find(|fault| fault.code == wanted) else {
            return Some(format!("no {wanted}:\n{shown}"));
        };
        let allowed = |code: Code| self.also_allowed.iter().any(|also| also == code.as_str());
        let extra = faults.iter().filter(|other| !std::ptr::eq(*other, fault) && !allowed(other.code)).count();
        if extra > 0 {
            return Some(format!("{extra} more than one:\n{shown}"));
        }
        let file = self.place.as_ref().unwrap_or(&self.file);
        let (line, _) = faults.position(fault);
        let text = self.files().text(file);
        let text = text.lines().nth(line - 1).unwrap_or_default();
        if *fault.place.file != **file || !text.contains(&self.at) {
            return Some(format!("told at {}:{line} {text:?}, not at {:?}:\n{shown}", fault.place.file, self.at));
        }
        let help = format!("{} {}", fault.instead, fault.did_you_mean.clone().unwrap_or_default());
        if !help.contains(&self.help) {
            return Some(format!("{help:?} does not say {:?}", self.help));
        }
        let path = fault.path.join(" -> ");
        self.path.as_ref().filter(|wanted| !path.contains(*wanted)).map(|wanted| format!("path {path}, not {wanted}"))
    }
}

#[test]
fn sixty_mistakes_give_one_fault_each_on_the_right_line_with_the_right_fix() {
    let mistakes = all();
    let complaints: Vec<String> =
        mistakes.iter().filter_map(|m| Some(format!("## {}\n{}", m.name, m.complaint()?))).collect();
    println!("{} mistakes, {} told wrongly", mistakes.len(), complaints.len());
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
    assert!(mistakes.len() >= 60, "{} mistakes", mistakes.len());
    let single = mistakes.iter().filter(|m| m.also_allowed.is_empty()).count();
    assert!(single >= 60, "{single} mistakes with one fault");
}

#[test]
fn faults_are_rendered_with_line_caret_path_and_help() {
    for name in [
        "a typo in a key of a member",
        "the approver removed",
        "bypassed by a fixer",
        "bypassed by a translator",
        "bypassed by an exhausted loop",
        "a cycle without bound",
        "a key in a file",
    ] {
        let mistakes = all();
        let mistake = mistakes.iter().find(|m| m.name == name).unwrap();
        insta::assert_snapshot!(name.replace(' ', "_"), mistake.faults().render(false));
    }
}

#[test]
fn two_unrelated_mistakes_are_both_told() {
    let mut files = base();
    let text = files.text("topologies/re-engagement.toml");
    let text =
        text.replace("planner  = { reads", "planner  = { raeds").replace("pass = \"approver\"", "pass = \"sender\"");
    let text = text.replace("steps = 80", "steps = 9").replace("default = \"2026-Q3\"", "default = 3");
    files = files.with("topologies/re-engagement.toml", &text);
    let faults = super::checked("re-engagement", &files).unwrap_err();
    let codes: Vec<&str> = faults.iter().map(|fault| fault.code.as_str()).collect();
    assert_eq!(codes, ["E070", "E004", "E060", "E041"], "{faults}");
}

#[test]
fn no_more_than_twenty_faults_are_printed_unasked() {
    let mut text = base().text("topologies/re-engagement.toml");
    for index in 0..50 {
        text = text.replace("[handoffs]", &format!("zz{index} = {{ file = \"agents/none.toml\" }}\n[handoffs]"));
    }
    let faults = super::checked("re-engagement", &base().with("topologies/re-engagement.toml", &text)).unwrap_err();
    let shown = faults.render(false);
    assert_eq!((faults.len(), shown.matches("error[").count()), (50, 20));
    assert!(shown.contains("... and 30 more"), "{shown}");
}
