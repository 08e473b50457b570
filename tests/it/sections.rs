//! Sections from the first command to the end: two members write parts of one draft, who reads or approves it has it whole,
//! and each part has its own versions, findings and writer.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use callsheet::app;
use callsheet::config::{Flags, Settings};
use callsheet::id::{ArtefactName, Digest};
use callsheet::run::desk::{Desk, Held, newest, put};
use callsheet::topology::check::check as check_files;
use serde_json::json;
use tempfile::TempDir;

use crate::sweep::copy;

/// The newsletter of tests/cases/check, whose draft is written by sections.
fn project() -> TempDir {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/check");
    let folder = tempfile::tempdir().unwrap();
    copy(&cases.join("base"), folder.path());
    let list: toml::Table = std::fs::read_to_string(cases.join("section.toml")).unwrap().parse().unwrap();
    for change in list["before"].as_array().unwrap() {
        let text = |key: &str| change.get(key).and_then(toml::Value::as_str);
        let path = folder.path().join(text("file").unwrap_or("topologies/newsletter.toml"));
        let before = std::fs::read_to_string(&path).unwrap();
        let after = before.replacen(text("find").unwrap(), text("replace").unwrap(), 1);
        assert_ne!(before, after, "{change}");
        std::fs::write(path, after).unwrap();
    }
    folder
}

/// Runs a command line; it ends with `exit`. What it says.
fn said(folder: &TempDir, line: &str, exit: i32) -> String {
    let mut callsheet = Command::new(env!("CARGO_BIN_EXE_callsheet"));
    callsheet.args(line.split(' ')).current_dir(folder.path()).env_clear().env("HOME", folder.path());
    let output = callsheet.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(exit), "{line}:\n{text}");
    text
}

fn check(folder: &TempDir, line: &str, exit: i32, says: &[&str]) {
    let text = said(folder, line, exit);
    for say in says {
        assert!(text.contains(say), "{line} does not say {say:?}:\n{text}");
    }
}

#[test]
fn who_reads_or_approves_it_has_it_whole_and_each_part_has_its_own_versions() {
    let folder = project();
    check(&folder, "run newsletter --as ana", 3, &["approval 1 is waiting"]);
    check(&folder, "review 1", 0, &["draft.posts: version 2 after version 1", "It sold", "short_post"]);
    check(&folder, "show 1", 0, &["draft.posts", "draft.week"]);
    // The posts were written again, and the week beside them stayed.
    let whole = ["draft, last written as version 2 of draft.posts", "week: 2026-W40", "text: It sold"];
    check(&folder, "show 1 --artefact draft", 0, &whole);
    check(&folder, "show 1 --artefact draft.posts", 0, &["version 2 of draft.posts", "text: It sold"]);
    check(&folder, "show 1 --artefact draft.posts --version 1", 0, &["version 1 of draft.posts"]);
    check(&folder, "show 1 --artefact draft.week", 0, &["version 1 of draft.week", "by dater"]);
    check(&folder, "show 1 --artefact draft.pots", 2, &["no artefact draft.pots"]);
    check(&folder, "messages 1", 0, &["version 2 of draft.posts", "version 1 of draft.week"]);
    check(&folder, "approve 1 --as ben", 0, &["1 item delivered"]);
    check(&folder, "audit verify", 0, &["1 delivered file are what people approved"]);
    let written = std::fs::read_dir(folder.path().join("out/1-newsletter")).unwrap().count();
    assert!(written > 0);
}

/// A version of its own for each number.
fn version(n: u8) -> Digest {
    Digest([n; 32])
}

#[test]
fn a_section_takes_the_place_of_itself_alone_and_a_whole_that_of_all() {
    let folder = project();
    let (settings, _) = Settings::look(&Flags::default(), folder.path(), BTreeMap::new()).unwrap();
    let (around, _) = app::surveyed(&settings, settings.mode());
    let plan = check_files("newsletter", &settings.folder(), &around).unwrap().plan;
    let name = |name: &str| name.parse::<ArtefactName>().unwrap();
    let (whole, posts, week) = (name("draft"), name("draft.posts"), name("draft.week"));
    let body = |version: Digest| {
        Ok::<_, ()>(if version.0[0] == 9 { json!({ "week": 9, "posts": 9 }) } else { json!(version.0[0]) })
    };
    let value = |desk: &Desk| desk["draft"].value(body).unwrap();

    let mut desk = Desk::new();
    put(&plan, &mut desk, &posts, version(1));
    assert_eq!(value(&desk), json!({ "posts": 1 }));
    let before = desk.clone();
    put(&plan, &mut desk, &week, version(2));
    put(&plan, &mut desk, &posts, version(3));
    assert_eq!(value(&desk), json!({ "posts": 3, "week": 2 }));
    assert_eq!(newest(&plan, &desk, &posts), Some(version(3)));
    assert_eq!(newest(&plan, &desk, &whole), None);
    assert_eq!(desk["draft"].named(&whole), [(posts.clone(), version(3)), (week.clone(), version(2))]);
    // One branch wrote both, another the week anew: each has what it wrote, and neither takes the other's.
    let mut other = before.clone();
    put(&plan, &mut other, &week, version(4));
    let joined = other["draft"].beside(before.get("draft"), &desk["draft"]);
    assert_eq!(joined.value(body).unwrap(), json!({ "posts": 3, "week": 4 }));
    let joined = desk["draft"].beside(before.get("draft"), &other["draft"]);
    assert_eq!(joined.value(body).unwrap(), json!({ "posts": 3, "week": 2 }));

    put(&plan, &mut desk, &whole, version(9));
    assert_eq!(desk["draft"], Held::Version(version(9)));
    put(&plan, &mut desk, &week, version(5));
    assert_eq!(value(&desk), json!({ "posts": 9, "week": 5 }));
    assert_eq!(newest(&plan, &desk, &posts), None);
    let written = serde_json::to_value(&desk["draft"]).unwrap();
    assert_eq!(serde_json::from_value::<Held>(written).unwrap(), desk["draft"]);
}
