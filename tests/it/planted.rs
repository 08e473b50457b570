//! The planted bugs still apply: each is a small patch that the suite named in its head must catch. Which suite caught
//! which, and after how many seeds, is in `tests/lab/planted/README.md`; the command that plants and looks is there too.

use std::path::Path;
use std::process::Command;

#[test]
fn each_planted_bug_still_applies() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("tests/lab/planted");
    let patches = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut patches: Vec<_> = patches.filter(|path| path.extension().is_some_and(|of| of == "patch")).collect();
    patches.sort();
    assert!(patches.len() >= 30, "{} patches", patches.len());
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    for patch in patches {
        let text = std::fs::read_to_string(&patch).unwrap();
        let suites = text.lines().filter_map(|line| line.strip_prefix("suite: ")).count();
        assert_eq!(suites, 1, "{}: its head needs one line `suite: NAME`", patch.display());
        let name = patch.file_name().unwrap().to_str().unwrap();
        assert!(readme.contains(&format!("| `{name}` |")), "README.md has no row for {name}");
        let applied = Command::new("git").arg("apply").arg("--check").arg(&patch).current_dir(root).output().unwrap();
        let why = String::from_utf8_lossy(&applied.stderr);
        assert!(applied.status.success(), "{}: {why}", patch.display());
    }
}
