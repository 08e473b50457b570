//! Somebody changes what a run rests on, in the journal or among the files that it wrote: `audit verify` says which, and
//! nothing is shown or driven by a plan that is not the one that was pinned.

use std::fs;

use crate::cli::{Project, untouched};
use crate::store_file::raw;
use crate::sweep::copy;

/// What somebody does, the exit code of `audit verify`, and its words.
type Case<'a> = (&'a str, &'a dyn Fn(&Project), i32, &'a [&'a str]);

#[test]
fn each_thing_that_a_run_rests_on_is_verified() {
    let project = crate::cli::check(
        "audit",
        untouched,
        &[
            ("run content-repurposing", 3, &[]),
            ("approve 1", 0, &[]),
            ("audit verify", 0, &["the chain holds", "3 delivered"]),
            ("audit verify --json", 0, &["\"differing\":[]", "\"files\":3", "\"heads\":[{"]),
        ],
    );
    let journal = project.path(".callsheet");
    let kept = tempfile::tempdir().unwrap();
    let folders = [journal.clone(), project.path("out")];
    for (n, folder) in folders.iter().enumerate() {
        copy(folder, &kept.path().join(n.to_string()));
    }
    let sql = |text: &'static str| {
        move |project: &Project| raw(&project.path(".callsheet/journal.db")).execute_batch(text).unwrap()
    };
    let (plan_changed, plan_gone) = (
        sql("UPDATE blobs SET bytes = CAST(replace(CAST(bytes AS TEXT), '\"cost\":', '\"cosT\":') AS BLOB)"),
        sql("DELETE FROM blobs"),
    );
    let manifest = "(SELECT digest FROM bodies WHERE instr(CAST(bytes AS TEXT), '\"media_type\"') LIMIT 1)";
    let on_manifest = |what: &str| {
        let text = what.replace("MANIFEST", manifest);
        move |project: &Project| raw(&project.path(".callsheet/journal.db")).execute_batch(&text).unwrap()
    };
    let manifest_changed = on_manifest(
        "UPDATE bodies SET bytes = CAST(replace(CAST(bytes AS TEXT), '\"recipients\":1', '\"recipients\":9') AS BLOB) WHERE digest = MANIFEST",
    );
    let manifest_gone = on_manifest("DELETE FROM bodies WHERE digest = MANIFEST");
    let manifest_erased = on_manifest("UPDATE bodies SET bytes = NULL, salt = NULL WHERE digest = MANIFEST");
    let file = |project: &Project| {
        let found = fs::read_dir(project.path("out/1-content-repurposing")).unwrap().map(|entry| entry.unwrap().path());
        found.filter(|path| path.extension().is_some_and(|ending| ending == "md")).min().unwrap()
    };
    let file_changed = |project: &Project| fs::write(file(project), "something else").unwrap();
    let file_removed = |project: &Project| fs::remove_file(file(project)).unwrap();
    let all_removed = |project: &Project| fs::remove_dir_all(project.path("out")).unwrap();
    let cases: [Case<'_>; 9] = [
        ("a plan changed", &plan_changed, 1, &["a pinned plan that is not what was pinned"]),
        ("a plan deleted", &plan_gone, 1, &["has lost its pinned plan"]),
        ("a manifest changed", &manifest_changed, 1, &["body", "restore"]),
        ("a manifest deleted", &manifest_gone, 1, &["has lost body", "which record"]),
        ("a manifest erased", &manifest_erased, 0, &["(1 erased)", "the chain holds", "0 manifests"]),
        ("a file changed", &file_changed, 3, &["the chain holds", "changed since it was delivered", "2 delivered"]),
        ("a file removed", &file_removed, 3, &["the chain holds", "removed since it was delivered", "2 delivered"]),
        ("all files removed", &all_removed, 3, &["the chain holds", "0 delivered files"]),
        ("nothing", &|_| {}, 0, &["the chain holds", "1 manifest and 3 delivered"]),
    ];
    for (what, tamper, exit, says) in cases {
        tamper(&project);
        let (code, text) = project.types("audit verify");
        assert_eq!(code, exit, "{what}: {text}");
        says.iter().for_each(|says| assert!(text.contains(says), "{what}: no {says:?} in {text}"));
        if what.starts_with("a plan") {
            assert!(!text.contains("the chain holds"), "{what}: {text}");
            for line in ["show 1", "messages 1", "resume 1", "review 1"] {
                let (code, text) = project.types(line);
                assert!(code == 1 && text.contains("pinned plan"), "{what}: {line}: {code} {text}");
            }
        }
        for (n, folder) in folders.iter().enumerate() {
            let _ = fs::remove_dir_all(folder);
            copy(&kept.path().join(n.to_string()), folder);
        }
    }
}
