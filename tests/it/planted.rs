//! The planted bugs still apply: each is a small patch that a suite must catch. Which suite caught which, and after how
//! many seeds, is in `tests/lab/planted/README.md`; the command that plants and looks is there too.

use std::path::Path;
use std::process::Command;

#[test]
fn each_planted_bug_still_applies() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("tests/lab/planted");
    let patches = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut patches: Vec<_> = patches.filter(|path| path.extension().is_some_and(|of| of == "patch")).collect();
    patches.sort();
    assert!(patches.len() >= 20, "{} patches", patches.len());
    for patch in patches {
        let applied = Command::new("git").arg("apply").arg("--check").arg(&patch).current_dir(root).output().unwrap();
        let why = String::from_utf8_lossy(&applied.stderr);
        assert!(applied.status.success(), "{}: {why}", patch.display());
    }
}
