//! Files that are too large, too deep or no text: a clear fault, quickly, whatever is in them.

use callsheet::config::Folder;
use callsheet::topology::fault::Code;
use callsheet::topology::plan::Mode;

use super::{around, base, checked};

const FILE: &str = "topologies/re-engagement.toml";

fn code_of(bytes: Vec<u8>) -> (Code, String) {
    let mut files = base();
    files.0.insert(FILE.to_owned(), bytes);
    let faults = checked("re-engagement", &files).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults}");
    (faults.iter().next().unwrap().code, faults.render(false))
}

#[test]
fn deep_files_are_refused_before_they_are_parsed() {
    let keys = |n: usize| vec!["a"; n].join(".");
    let mixed = format!("{}1{}", "{ a.b = [".repeat(5_000), "] }".repeat(5_000));
    for text in [
        format!("x = {}{}", "[".repeat(10_000), "]".repeat(10_000)),
        format!("x = {}", "{ a = ".repeat(10_000)),
        format!("{} = 1", keys(10_000)),
        format!("[{}]\nx = 1", keys(10_000)),
        format!("[[{}]]\nx = 1", keys(10_000)),
        format!("x = {mixed}"),
        format!("[{}]\n{} = 1", keys(40), keys(40)).replace('\n', ".\n"),
    ] {
        let (code, shown) = code_of(text.clone().into_bytes());
        assert!(code == Code::Unreadable || code == Code::Syntax, "{shown}");
        assert!(text.len() < 10_000 || code == Code::Unreadable, "{shown}");
    }
}

#[test]
fn depth_is_not_counted_in_strings_and_comments() {
    let deep = "[".repeat(200);
    let text = base().text(FILE);
    let text = format!("# {deep}\n{}", text.replace("Find last", &format!("{deep} Find last")));
    let files = base().with(FILE, &text);
    checked("re-engagement", &files).unwrap();
    let files = base()
        .with(FILE, &text.replacen("description = \"", "description = \"\"\"\n", 1).replacen("it.\"", "it.\"\"\"", 1));
    checked("re-engagement", &files).unwrap();
}

#[test]
fn a_file_of_100_mb_is_refused_without_being_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("topologies")).unwrap();
    let file = std::fs::File::create(folder.path().join("topologies/big.toml")).unwrap();
    file.set_len(100 << 20).unwrap();
    let files = Folder::new(folder.path().to_owned());
    let faults = callsheet::topology::check::check("big", &files, &around(Mode::Rehearsal)).unwrap_err();
    let shown = faults.render(false);
    assert!(faults.len() == 1 && shown.contains("larger than 1048576 bytes"), "{shown}");
}

#[test]
fn a_file_that_is_no_text_says_from_where() {
    let mut bytes = base().0[FILE].clone();
    bytes[120] = 0xff;
    let (code, shown) = code_of(bytes);
    assert!(code == Code::Unreadable && shown.contains("not UTF-8 text from byte 120"), "{shown}");
}

#[test]
fn escapes_in_files_do_not_reach_the_terminal() {
    let text = base().text(FILE).replace("planner  = \"drafter\"", "planner  = \"dra\\u001b[31mfter\"");
    let faults = checked("re-engagement", &base().with(FILE, &text)).unwrap_err();
    assert!(!faults.render(false).contains('\u{1b}'), "{faults}");
    let text = base().text(FILE).replace("# name", "# \u{1b}[31m\u{202e}name").replace("steps = 80", "stepps = 80");
    let faults = checked("re-engagement", &base().with(FILE, &text)).unwrap_err();
    assert!(!faults.render(false).contains('\u{1b}'), "{faults}");
}

#[test]
fn a_folder_is_not_left() {
    use callsheet::topology::check::{Files, ReadError};
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "x").unwrap();
    let root = folder.path().join("project");
    std::fs::create_dir_all(root.join("agents")).unwrap();
    std::fs::write(root.join("near"), "y").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("../secret", root.join("link")).unwrap();
    let files = Folder::new(root);
    assert_eq!(files.read("agents/../near"), Ok(b"y".to_vec()));
    assert_eq!(files.read("../secret"), Err(ReadError::Outside));
    assert_eq!(files.read("/etc/hostname"), Err(ReadError::Outside));
    #[cfg(unix)]
    assert_eq!(files.read("link"), Err(ReadError::Outside));
    assert_eq!(files.read("none"), Err(ReadError::Missing));
    assert!(matches!(files.read("agents"), Err(ReadError::Refused(_))));
}
