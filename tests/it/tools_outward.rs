//! Tests of the tools that write what was approved: `files`, and `sink` with each repeat class.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use callsheet::failure::Class;
use callsheet::tool::part::outbox;
use callsheet::tool::{Outward, Tool, files, sink};
use callsheet::topology::spec::{Reach, Repeat};
use serde_json::{Value, json};

use crate::tools::{approved, call, config, intent, open, outward, write};

fn open_files(root: &Path, text: &str) -> Vec<Tool> {
    open::<files::Config>("articles", config(text).unwrap(), root).unwrap()
}

fn open_sink(root: &Path, text: &str) -> Arc<dyn Outward> {
    outward(&open::<sink::Config>("sink", config(text).unwrap(), root).unwrap()[0])
}

fn project() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a/one.md", "one");
    write(dir.path(), "a/deep/two.md", "zwölf");
    write(dir.path(), "a/.hidden", "hidden");
    write(dir.path(), "a/latin.txt", b"\xFF\xFE");
    write(dir.path(), "a/long.txt", "x".repeat(33));
    write(dir.path(), "secret.txt", "CANARY");
    dir
}

#[tokio::test]
async fn it_lists_and_reads_below_its_directory() {
    let dir = project();
    let tools = open_files(dir.path(), "root = \"a\"\nbytes_max = 32\nlabels = { untrusted = true }");
    assert!(tools.iter().take(2).all(|tool| tool.spec().labels.untrusted && tool.spec().reach == Reach::Inside));
    let listed = call(&tools[1], json!({})).await.unwrap();
    let expected = json!({ "files": [
        { "path": "deep/two.md", "bytes": 6 }, { "path": "latin.txt", "bytes": 2 }, { "path": "long.txt", "bytes": 33 },
        { "path": "one.md", "bytes": 3 },
    ] });
    assert_eq!(listed, expected);
    let read = call(&tools[0], json!({ "path": "deep/two.md" })).await.unwrap();
    assert_eq!(read, json!({ "path": "deep/two.md", "title": null, "text": "zwölf", "words": 1, "bytes": 6 }));
}

#[tokio::test]
async fn it_reads_nothing_else() {
    let dir = project();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(dir.path().join("secret.txt"), dir.path().join("a/link.txt")).unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("a/up")).unwrap();
    }
    let tools = open_files(dir.path(), "root = \"a\"\nbytes_max = 32");
    let absolute = dir.path().join("secret.txt").display().to_string();
    let paths = [
        "../secret.txt",
        "deep/../../secret.txt",
        "./../secret.txt",
        "link.txt",
        "up/secret.txt",
        "/etc/passwd",
        &absolute,
        "",
        ".",
        "..",
        "deep",
        "deep/",
        "no.md",
        "one.md\0",
        "..\\secret.txt",
        "latin.txt",
        "long.txt",
        "~/secret.txt",
        "one.md/../../secret.txt",
    ];
    for path in paths {
        let why = call(&tools[0], json!({ "path": path })).await.unwrap_err();
        assert!(why.class == Class::Invalid && !why.reason.contains("CANARY"), "{path}: {why:?}");
    }
    let listed = call(&tools[1], json!({})).await.unwrap().to_string();
    assert!(!listed.contains("secret") && !listed.contains("link"), "{listed}");
    let gone = open_files(dir.path(), "root = \"b\"");
    assert_eq!(call(&gone[1], json!({})).await.unwrap_err().class, Class::Permanent);
    assert!(open::<files::Config>("articles", config("root = \"../x\"").unwrap(), dir.path()).is_err());
}

/// What editors put around a text is not what it says.
#[tokio::test]
async fn an_article_is_read_as_its_readers_see_it() {
    let dir = project();
    let read = open_files(dir.path(), "root = \"a\"").remove(0);
    let cases: [(&[u8], &str, Option<&str>); 8] = [
        ("\u{FEFF}# Ferns\n\nLead.\n".as_bytes(), "# Ferns\n\nLead.\n", Some("Ferns")),
        (b"# Ferns\r\n\r\nLead.\r\n", "# Ferns\n\nLead.\n", Some("Ferns")),
        (b"---\ntitle: \"Ferns\"\ntags: [a]\n---\n\nLead.\n", "Lead.\n", Some("Ferns")),
        (b"+++\ntitle = 'Ferns'\n+++\nLead.\n", "Lead.\n", Some("Ferns")),
        ("\u{FEFF}---\r\ntitle: Ferns\r\n...\r\nLead.".as_bytes(), "Lead.", Some("Ferns")),
        (b"---\nauthor: Ann\n---\nLead.", "Lead.", None),
        (b"---\nA line between two rules\n---\nLead.", "---\nA line between two rules\n---\nLead.", None),
        (b"---\ntitle: never closed\n", "---\ntitle: never closed\n", None),
    ];
    for (bytes, text, title) in cases {
        fs::write(dir.path().join("a/case.md"), bytes).unwrap();
        let got = call(&read, json!({ "path": "case.md" })).await.unwrap();
        assert_eq!((got["text"].as_str(), got["title"].as_str()), (Some(text), title), "{got}");
        assert_eq!((&got["bytes"], &got["words"]), (&json!(bytes.len()), &json!(text.split_whitespace().count())));
    }
    let linked = open_files(dir.path(), "root = \"a\"\nlink = \"https://example.com/{name}.html\"");
    fs::write(dir.path().join("a/tw\u{f6} 1.2.md"), b"Lead.").unwrap();
    let got = call(&linked[0], json!({ "path": "tw\u{f6} 1.2.md" })).await.unwrap();
    assert_eq!(got["link"], json!("https://example.com/tw%C3%B6%201.2.html"));
    for link in ["http://example.com/{name}", "https://example.com/"] {
        let config = config(&format!("root = \"a\"\nlink = \"{link}\"")).unwrap();
        let why = open::<files::Config>("articles", config, dir.path()).err().unwrap();
        assert!(why.contains("with {name} in it"), "{why}");
    }
    fs::write(dir.path().join("a/case.md"), b"# Ferns\n\0").unwrap();
    let why = call(&read, json!({ "path": "case.md" })).await.unwrap_err();
    assert!(why.class == Class::Invalid && why.reason.contains("NUL at byte 8"), "{why:?}");
}

#[tokio::test]
async fn it_publishes_what_was_prepared_and_knows_it_later() {
    let dir = project();
    let out = dir.path().join("out/1-test");
    let publish = outward(&open_files(dir.path(), "root = \"a\"")[2]);
    assert_eq!((publish.spec().repeat, publish.spec().reach), (Repeat::Queryable, Reach::ActsOut));
    let versions = json!({ "linkedin": { "title": "A  title\n", "text": "Text.\n" }, "x": "Short." });
    let items = publish.prepare(intent(json!({ "versions": versions }))).await.unwrap();
    assert_eq!(items.iter().map(|item| item.key.as_str()).collect::<Vec<_>>(), ["linkedin.md", "x.md"]);
    assert_eq!(items[0].bytes, b"# A title\n\nText.\n");
    let list =
        json!([{ "channel": "linkedin", "title": "A title", "text": "Text." }, { "channel": "x", "text": "Short." }]);
    assert_eq!(publish.prepare(intent(json!({ "versions": list }))).await.unwrap(), items);
    assert!(!out.exists(), "prepare has no effect");
    for (n, item) in items.iter().enumerate() {
        let slot = approved(n as u8, &out, item);
        assert_eq!(publish.query(slot.clone()).await.unwrap(), None);
        let receipt = publish.perform(slot.clone()).await.unwrap();
        assert_eq!(fs::read(&receipt.place).unwrap(), item.bytes);
        assert_eq!(publish.query(slot).await.unwrap(), Some(receipt));
    }
    let mut names: Vec<_> = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [".effects", "linkedin.md", "x.md"]);
}

#[tokio::test]
async fn versions_that_cannot_be_published_are_invalid() {
    let dir = project();
    let publish = outward(&open_files(dir.path(), "root = \"a\"")[2]);
    let cases = [
        (json!({}), "1 to 20"),
        (json!([]), "1 to 20"),
        (json!({ "../x": "text" }), "a channel is named"),
        (json!({ ".effects": "text" }), "a channel is named"),
        (json!({ "A": "text" }), "a channel is named"),
        (json!({ "a": " \n" }), "has no text"),
        (json!([{ "channel": "a", "text": "x" }, { "channel": "a", "text": "y" }]), "two versions"),
        (json!({ "a": "x\u{0}y" }), "U+0000"),
        (json!({ "a": { "title": "x\u{202e}y", "text": "z" } }), "U+202E"),
        (json!({ "a": "o\u{200b}ff" }), "U+200B"),
        (json!("text"), "do not fit"),
        (json!({ "a": { "title": "x" } }), "do not fit"),
    ];
    for (versions, says) in cases {
        let why = publish.prepare(intent(json!({ "versions": versions }))).await.unwrap_err();
        assert!(why.class == Class::Invalid && why.reason.contains(says), "{versions}: {why:?}");
    }
}

#[tokio::test]
async fn a_crash_between_the_write_and_its_note_is_found_by_content() {
    let dir = project();
    let publish = outward(&open_files(dir.path(), "root = \"a\"")[2]);
    let out = dir.path().join("out/1-test");
    let versions = json!({ "versions": { "x": "Short.", "y": "Long." } });
    let items = publish.prepare(intent(versions)).await.unwrap();
    // What makes the folder this run's.
    publish.perform(approved(2, &out, &items[1])).await.unwrap();
    let slot = approved(1, &out, &items[0]);
    let path = out.join("x.md");
    fs::write(&path, "half of").unwrap();
    assert_eq!(publish.query(slot.clone()).await.unwrap(), None);
    fs::write(&path, &items[0].bytes).unwrap();
    assert!(publish.query(slot.clone()).await.unwrap().is_some());
    fs::remove_file(&path).unwrap();
    // A torn note is no note, and does not spoil the next one.
    let record = out.join(outbox::RECORD);
    let noted = fs::read_to_string(&record).unwrap();
    fs::write(&record, format!("{noted}{{\"effect\":\"00")).unwrap();
    assert_eq!(publish.query(slot.clone()).await.unwrap(), None);
    publish.perform(slot.clone()).await.unwrap();
    fs::remove_file(&path).unwrap();
    assert!(publish.query(slot).await.unwrap().is_some(), "the note alone tells it too");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_a_permanent_failure() {
    let dir = project();
    let publish = outward(&open_files(dir.path(), "root = \"a\"")[2]);
    let items = publish.prepare(intent(json!({ "versions": { "x": "Short." } }))).await.unwrap();
    let below_a_file = dir.path().join("secret.txt/out");
    let why = publish.perform(approved(1, &below_a_file, &items[0])).await.unwrap_err();
    assert!(why.class == Class::Permanent && why.reason.contains("cannot be written"), "{why:?}");
    let mut escaping = items[0].clone();
    for key in ["../x.md", "a/b", ".effects", ""] {
        escaping.key = key.to_owned();
        assert_eq!(publish.perform(approved(1, dir.path(), &escaping)).await.unwrap_err().class, Class::Permanent);
    }
}

#[tokio::test]
async fn a_sink_notes_each_execution_by_its_class() {
    let cases = [
        ("", 2, Some(Class::Policy)),
        ("repeat = { class = \"once\" }", 2, Some(Class::Policy)),
        ("repeat = { class = \"queryable\" }", 2, None),
        ("repeat = { class = \"idempotent\", key_age_ms = 1000 }", 1, Some(Class::Policy)),
    ];
    for (text, noted, asked) in cases {
        let dir = tempfile::tempdir().unwrap();
        let tool = open_sink(dir.path(), &format!("{text}\nrecord = \"r/sink.jsonl\""));
        assert!(tool.spec().drafts && tool.spec().reach == Reach::ActsOut);
        let args = json!({ "items": [{ "to": "ann", "title": "Hello" }, "plain"] });
        let items = tool.prepare(intent(args)).await.unwrap();
        assert_eq!((items[0].recipient.as_str(), items[1].key.as_str()), ("ann", "item-002"));
        let slot = approved(1, dir.path(), &items[0]);
        assert_eq!(tool.query(slot.clone()).await.err().map(|why| why.class), asked, "{text}");
        tool.perform(slot.clone()).await.unwrap();
        tool.perform(slot.clone()).await.unwrap();
        assert_eq!(tool.query(slot).await.is_ok_and(|found| found.is_some()), asked.is_none());
        let record = fs::read_to_string(dir.path().join("r/sink.jsonl")).unwrap();
        let lines: Vec<Value> = record.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), noted, "{text}");
        assert_eq!(lines[0]["key"], "item-001");
    }
    let dir = tempfile::tempdir().unwrap();
    for text in ["repeat = { class = \"pure\" }", "record = \"../x\""] {
        assert!(open::<sink::Config>("sink", config(text).unwrap(), dir.path()).is_err(), "{text}");
    }
    let tool = open_sink(dir.path(), "");
    let one = tool.prepare(intent(json!({ "items": { "a": 1 } }))).await.unwrap();
    assert_eq!((one.len(), one[0].bytes.as_slice()), (1, b"{\"a\":1}".as_slice()));
    assert_eq!(tool.prepare(intent(json!({ "items": [] }))).await.unwrap_err().class, Class::Invalid);
}

/// What is just within a limit is taken, and one more is not.
#[tokio::test]
async fn limits_hold_to_the_last_one() {
    let dir = tempfile::tempdir().unwrap();
    let deep = |levels: usize| format!("a/{}deep.md", "d/".repeat(levels));
    write(dir.path(), &deep(8), "x");
    write(dir.path(), &deep(9), "x");
    write(dir.path(), "a/full.md", "x".repeat(32));
    let tools = open_files(dir.path(), "root = \"a\"\nbytes_max = 32");
    assert_eq!(call(&tools[0], json!({ "path": "full.md" })).await.unwrap()["bytes"], 32);
    let listed = call(&tools[1], json!({})).await.unwrap();
    assert_eq!(listed["files"].as_array().unwrap().len(), 2, "{listed}");
    (0..998).for_each(|n| write(dir.path(), &format!("a/{n}.md"), "x"));
    assert_eq!(call(&tools[1], json!({})).await.unwrap()["files"].as_array().unwrap().len(), 1_000);
    write(dir.path(), "a/more.md", "x");
    assert_eq!(call(&tools[1], json!({})).await.unwrap_err().class, Class::Invalid);
    for (letters, taken) in [(40, true), (41, false)] {
        let versions = json!({ "c".repeat(letters): "text" });
        let prepared = outward(&tools[2]).prepare(intent(json!({ "versions": versions }))).await;
        assert_eq!(prepared.is_ok(), taken, "{letters}");
    }
}
