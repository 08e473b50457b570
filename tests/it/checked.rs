//! Seeded mistakes in a project of one's own, read as `callsheet check` reads it: each gives one fault, on the line to change,
//! and what the fault says to write makes the project pass. The test writes it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use callsheet::app;
use callsheet::config::{Flags, Settings};
use callsheet::topology::check::check;
use callsheet::topology::fault::{Fault, Faults};
use serde::Deserialize;

use crate::sweep::copy;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mistake {
    /// What is wrong.
    name: String,
    /// Where it is made; the list's own file if it is not said.
    file: Option<String>,
    /// What is replaced; `*` is the whole file.
    find: String,
    replace: String,
    #[serde(default)]
    also: Vec<Change>,
    code: String,
    /// A part of the line to change, where that is not one of the replaced lines.
    at: Option<String>,
    /// Where the line to change is in another file.
    told_in: Option<String>,
    /// A part of what the fault says to do.
    help: Option<String>,
    /// What it says to write, where the fault has no edit.
    fix: Option<Vec<Change>>,
    /// What `--model` names.
    model: Option<String>,
    #[serde(default)]
    is_right: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    file: Option<String>,
    find: String,
    replace: String,
}

#[derive(Deserialize)]
struct List {
    /// The file that most of its mistakes are in.
    file: String,
    /// What is written into the project before each of them.
    #[serde(default)]
    before: Vec<Change>,
    mistake: Vec<Mistake>,
}

/// Lists of mistakes by the kind of file that they are in.
const KINDS: [&str; 13] = [
    "topology",
    "agent",
    "rehearsal",
    "callsheet",
    "schema",
    "listed",
    "rule",
    "person",
    "guard",
    "section",
    "labels",
    "cause",
    "trigger",
];

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/check")
}

/// A copy of the project without a mistake.
struct Project(tempfile::TempDir);

impl Project {
    fn new() -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        copy(&cases().join("base"), project.0.path());
        project
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.0.path().join(file)).unwrap()
    }

    fn change(&self, name: &str, file: &str, find: &str, replace: &str) {
        let text = match find {
            "*" => replace.to_owned(),
            find => {
                let text = self.read(file);
                assert!(text.contains(find), "{name}: {file} has no {find:?}");
                text.replacen(find, replace, 1)
            }
        };
        std::fs::write(self.0.path().join(file), text).unwrap();
    }

    /// Every fault that `callsheet check` tells.
    fn faults(&self, model: Option<&String>) -> Faults {
        let flags = Flags { model: model.cloned(), ..Flags::default() };
        let (settings, mut faults) = Settings::look(&flags, self.0.path(), BTreeMap::new()).unwrap();
        let (around, more) = app::surveyed(&settings, settings.mode());
        faults.join(more);
        if let Err(more) = check("newsletter", &settings.folder(), &around) {
            faults.join(more);
        }
        faults.sort();
        faults
    }
}

impl Mistake {
    /// What is wrong with how it is told.
    fn complaint(&self, list: &List) -> Option<String> {
        let file = self.file.as_deref().unwrap_or(&list.file);
        let project = Project::new();
        for change in &list.before {
            project.change("before", change.file.as_deref().unwrap_or(&list.file), &change.find, &change.replace);
        }
        let lines = self.make(&project, file);
        let faults = project.faults(self.model.as_ref());
        let shown = faults.render(false);
        if self.is_right {
            return (!faults.is_empty()).then(|| format!("it is right:\n{shown}"));
        }
        let [fault] = &faults.iter().collect::<Vec<_>>()[..] else {
            return Some(format!("{} faults:\n{shown}", faults.len()));
        };
        if fault.code.as_str() != self.code {
            return Some(format!("it is not {}:\n{shown}", self.code));
        }
        let (line, _) = faults.position(fault);
        let wanted = self.told_in.as_deref().unwrap_or(file);
        let text = faults.text(&fault.place.file).and_then(|text| text.lines().nth(line - 1)).unwrap_or_default();
        let on_line = self.at.as_ref().map_or(lines.contains(&line), |at| text.contains(at));
        if self.model.is_none() && (*fault.place.file != *wanted || !on_line) {
            return Some(format!(
                "told at {}:{line}, {text:?}, not at {lines:?} {:?}:\n{shown}",
                fault.place.file, self.at
            ));
        }
        let foreign = ["invalid type", "unknown field", "missing field", "unknown variant", "expected one of", "serde"];
        if let Some(word) = foreign.iter().find(|word| shown.contains(**word)) {
            return Some(format!("{word:?} is no word of ours:\n{shown}"));
        }
        let said = format!("{} {}", fault.instead, fault.did_you_mean.as_deref().unwrap_or_default());
        if let Some(help) = self.help.as_ref().filter(|help| !said.contains(*help)) {
            return Some(format!("{said:?} does not say {help:?}"));
        }
        self.mend(&project, file, &faults, fault).err().map(|why| format!("{why}\n{shown}"))
    }

    /// Makes the mistake; the lines that it is on.
    fn make(&self, project: &Project, file: &str) -> Vec<usize> {
        let before = project.read(file);
        let start = before.find(&self.find).unwrap_or(0);
        let first = before[..start].matches('\n').count() + 1;
        project.change(&self.name, file, &self.find, &self.replace);
        for change in &self.also {
            project.change(&self.name, change.file.as_deref().unwrap_or(file), &change.find, &change.replace);
        }
        (first..=first + self.replace.matches('\n').count()).collect()
    }

    /// Writes what the fault says to write, and looks whether that was all.
    fn mend(&self, project: &Project, file: &str, faults: &Faults, fault: &Fault) -> Result<(), String> {
        match (&self.fix, faults.edit(fault)) {
            (Some(fix), _) => {
                if self.help.is_none() {
                    return Err("a fix of the case's own needs `help`: what the fault says of it".to_owned());
                }
                for change in fix {
                    project.change(&self.name, change.file.as_deref().unwrap_or(file), &change.find, &change.replace);
                }
            }
            (None, Some(edit)) => {
                let mut text = project.read(&edit.place.file);
                text.replace_range(edit.place.span.clone(), &edit.text);
                std::fs::write(project.0.path().join(&*edit.place.file), text).unwrap();
            }
            (None, None) if self.model.is_some() => return Ok(()),
            (None, None) => return Err("the fault has no edit, and the case no fix".to_owned()),
        }
        let left = project.faults(None);
        if left.is_empty() { Ok(()) } else { Err(format!("with the fix there is still:\n{}", left.render(false))) }
    }
}

#[test]
fn three_hundred_mistakes_are_told_once_each_on_the_line_to_change_with_a_fix_that_mends_it() {
    let (mut complaints, mut counts, mut edits) = (Vec::new(), BTreeMap::new(), 0);
    for kind in KINDS {
        let text = std::fs::read_to_string(cases().join(format!("{kind}.toml"))).unwrap();
        let list: List = toml::from_str(&text).unwrap();
        for mistake in &list.mistake {
            edits += usize::from(mistake.fix.is_none());
            let file = mistake.file.as_deref().unwrap_or(&list.file);
            *counts.entry(file.split('/').next().unwrap().to_owned()).or_insert(0) += usize::from(!mistake.is_right);
            let complaint = mistake.complaint(&list);
            complaints.extend(complaint.map(|why| format!("## {kind}: {}\n{why}", mistake.name)));
        }
    }
    let all: usize = counts.values().sum();
    println!(
        "{all} mistakes, of which {edits} are mended by the fault's own edit: {counts:?}; {} told wrongly",
        complaints.len()
    );
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
    assert!(all >= 300, "{all}");
    for kind in ["topologies", "agents", "rehearsals", "callsheet.toml", "schemas"] {
        assert!(counts[kind] >= 40, "{kind}: {counts:?}");
    }
}

/// Faults of different causes, in all kinds of file, are told together.
#[test]
fn no_fault_hides_another() {
    let project = Project::new();
    let change = |file: &str, find: &str, replace: &str| project.change("several", file, find, replace);
    change("callsheet.toml", "rows_max = 500", "row_max = 500");
    change("callsheet.toml", "root = \"site\"", "root = \"sites\"");
    change("callsheet.toml", "link_hosts", "link_host");
    change("schemas/facts.json", "\"integer\"", "\"int\"");
    change("agents/writer.toml", "brief.week", "brief.wek");
    change("topologies/newsletter.toml", "steps = 80", "steps = 8");
    change(
        "callsheet.toml",
        "[people.ana]",
        "[checks.house]\nleaving = [\"log.delivr\"]\n[checks.house.rules.words]\nkind = \"baned\"\n\
         on_fail = \"warn\"\nterms = [\"cheap\"]\npasses = [\"Good.\"]\nfails = [\"Cheap.\"]\n\n[people.ana]",
    );
    change("callsheet.toml", "data/orders.csv", "data/order.csv");
    let faults = project.faults(None);
    let found: Vec<String> = faults.iter().map(|fault| format!("{} {}", fault.code, fault.place.file)).collect();
    let wanted = [
        "E041 topologies/newsletter.toml",
        "E084 agents/writer.toml",
        "E001 callsheet.toml",
        "E004 callsheet.toml",
        "E001 callsheet.toml",
        "E004 callsheet.toml",
        "E014 callsheet.toml",
        "E006 callsheet.toml",
        "E017 schemas/facts.json",
    ];
    assert_eq!(found, wanted, "{faults}");
}
