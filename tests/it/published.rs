//! Approved texts that are published: as Markdown or as a page of HTML, into the run's folder or into one of the project's, where
//! each is there once and nothing is written over, whenever the process dies.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callsheet::failure::Class;
use callsheet::tool::files::target::Target;
use callsheet::tool::open::{Ground, Secrets};
use callsheet::tool::part::disk::{Disk, Machine};
use callsheet::tool::part::record::Line;
use callsheet::tool::{Approved, Item, Outward, Tools, files};
use serde_json::{Value, json};

use crate::acting::{Acting, told};
use crate::sweep::POINTS;
use crate::tools::{approved, config, intent, open, outward, source, write};

/// Passings after which a boundary is taken for endless.
const PASSINGS_MAX: u64 = 60;

fn publish(root: &Path, more: &str) -> Result<Arc<dyn Outward>, String> {
    let config = config::<files::Config>(&format!("root = \"a\"\n{more}"))?;
    Ok(outward(&open("site", config, root)?[2]))
}

async fn prepared(root: &Path, more: &str, versions: Value) -> Result<Vec<Item>, String> {
    let items = publish(root, more).unwrap().prepare(intent(json!({ "versions": versions }))).await;
    items.map_err(|why| format!("{:?}: {}", why.class, why.reason))
}

/// A project with a folder that a site generator reads.
fn project() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "site/content/index.md", "somebody's own");
    dir
}

const INTO: &str = "publish_to = \"site/content\"";

/// All files below a folder, with what they hold.
fn files_below(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else if path.is_file() {
            found.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    found
}

#[tokio::test]
async fn what_is_approved_is_the_page_itself() {
    let dir = project();
    let text = "Two *soft* ferns.\n\n- [shop](https://example.com/?a=1&b=2)\n- <script>alert(1)</script>\n";
    let items =
        prepared(dir.path(), "publish_as = \"html\"", json!({ "blog": { "title": "Ferns & more", "text": text } }));
    let items = items.await.unwrap();
    insta::assert_snapshot!(String::from_utf8(items[0].bytes.clone()).unwrap());
    let of = (items[0].key.as_str(), items[0].media_type.as_str(), items[0].recipient.as_str());
    assert_eq!(of, ("blog.html", "text/html", "blog"));
    let tool = publish(dir.path(), "publish_as = \"html\"").unwrap();
    let shown = format!("{:?}", tool.shown(&items[0]));
    let exact = serde_json::to_string(&String::from_utf8(items[0].bytes.clone()).unwrap()).unwrap();
    assert!(shown.contains(exact.trim_matches('"').split("\\n").nth(8).unwrap()), "{shown}");
    assert!(shown.contains("its words, as readers see them") && shown.contains("Two soft ferns."), "{shown}");
    let receipt = tool.perform(approved(1, &dir.path().join("out/1-x"), &items[0])).await.unwrap();
    assert_eq!(fs::read(receipt.place).unwrap(), items[0].bytes);
    for (text, says) in [
        ("[a](javascript:alert(1))", "Invalid: the version for blog has a link to \"javascript:alert(1)\""),
        ("[a](/about)", "Invalid: the version for blog has a link to \"/about\": write an address with https://"),
        ("![a](https://example.com/p.png)", "Invalid: the version for blog has a picture"),
        ("off\u{202e}", "U+202E"),
    ] {
        let why = prepared(dir.path(), "publish_as = \"html\"", json!({ "blog": text })).await.unwrap_err();
        assert!(why.contains(says), "{text}: {why}");
        let as_markdown = prepared(dir.path(), "", json!({ "blog": text })).await;
        assert_eq!(as_markdown.is_ok(), !text.contains('\u{202e}'), "{text}");
    }
}

#[tokio::test]
async fn a_file_is_called_as_the_table_says() {
    let dir = project();
    let texts = json!([
        { "channel": "blog", "title": "Ferns, in winter!", "text": "x" },
        { "channel": "news", "text": "## Gr\u{fc}n\n\ny" },
    ]);
    for (more, names) in [
        ("", ["blog.md", "news.md"]),
        ("publish_name = \"{title}\"", ["ferns-in-winter.md", "grun.md"]),
        (
            "publish_as = \"html\"\npublish_name = \"{date}-{channel}\"",
            ["2026-09-21-blog.html", "2026-09-21-news.html"],
        ),
        ("publish_name = \"post.{channel}_{title}\"", ["post.blog_ferns-in-winter.md", "post.news_grun.md"]),
    ] {
        let items = prepared(dir.path(), more, texts.clone()).await.unwrap();
        assert_eq!(items.iter().map(|item| item.key.as_str()).collect::<Vec<_>>(), names, "{more}");
    }
    for (more, says) in [
        ("publish_name = \"post\"", "calls every file the same"),
        ("publish_name = \"{chanel}\"", "is no name of a file"),
        ("publish_name = \"a/{channel}\"", "is no name of a file"),
        ("publish_name = \".{channel}\"", "is no name of a file"),
        ("publish_name = \"\"", "calls every file the same"),
        ("publish_to = \"../out\"", "is not a path below"),
        ("publish_to = \"/tmp\"", "is not a path below"),
        ("publish_as = \"pdf\"", "unknown variant"),
    ] {
        let why = publish(dir.path(), more).err().unwrap();
        assert!(why.contains(says), "{more}: {why}");
    }
    for (texts, says) in [
        (json!({ "blog": "x" }), "the version for blog has no title in letters that a file's name takes"),
        (json!({ "blog": { "title": "\u{65e5}\u{672c}", "text": "x" } }), "has no title in letters"),
        (
            json!([{ "channel": "a", "title": "One", "text": "x" }, { "channel": "b", "title": "one!", "text": "y" }]),
            "two versions become the file one.md, the second for b",
        ),
    ] {
        let why = prepared(dir.path(), "publish_name = \"{title}\"", texts).await.unwrap_err();
        assert!(why.starts_with("Invalid") && why.contains(says), "{why}");
    }
}

#[tokio::test]
async fn nothing_is_written_over_and_nothing_leaves_the_folder() {
    let dir = project();
    let site = dir.path().join("site/content");
    let tool = publish(dir.path(), INTO).unwrap();
    assert!(tool.look().faults.is_empty());
    // A name that is taken is another one before anybody approves.
    write(dir.path(), "site/content/news.md", "x\n");
    symlink("nowhere", site.join("news-2.md")).unwrap();
    let items = prepared(dir.path(), INTO, json!({ "news": "x", "index": "y", "blog": "z" })).await.unwrap();
    let names: Vec<_> = items.iter().map(|item| (item.key.as_str(), item.recipient.as_str())).collect();
    assert_eq!(names, [("blog.md", "site/content"), ("index-2.md", "site/content"), ("news-3.md", "site/content")]);
    let before = files_below(&site);
    let slot = |n: u8, item: &Item| approved(n, &dir.path().join("out/1-x"), item);
    // One that was taken since is not written over, whatever lies there: not even by what holds the same.
    for (n, taken) in [(1, "z\n"), (2, "other")] {
        write(dir.path(), "site/content/blog.md", taken);
        let why = tool.perform(slot(n, &items[0])).await.unwrap_err();
        assert!(why.class == Class::Permanent, "{why:?}");
        assert!(why.reason.contains("site/content/blog.md is there already, and nothing is written over"), "{why:?}");
        assert_eq!(tool.query(slot(n, &items[0])).await.unwrap(), None);
        assert_eq!(fs::read_to_string(site.join("blog.md")).unwrap(), taken);
    }
    fs::remove_file(site.join("blog.md")).unwrap();
    for (n, item) in (3..).zip(&items) {
        let receipt = tool.perform(slot(n, item)).await.unwrap();
        assert_eq!(receipt.place, format!("site/content/{}", item.key));
        assert_eq!(fs::read(site.join(&item.key)).unwrap(), item.bytes);
        // Whatever was done to it since: it was put there, and is not put there again.
        fs::remove_file(site.join(&item.key)).unwrap();
        assert_eq!(tool.query(slot(n, item)).await.unwrap(), Some(receipt.clone()));
        assert_eq!(tool.perform(slot(n, item)).await.unwrap(), receipt);
    }
    assert_eq!(files_below(&site), before, "nothing else is in the folder, and nothing was written over");
    for key in ["../x.md", "a/b.md", ".x", ""] {
        let item = Item { key: key.to_owned(), ..items[0].clone() };
        assert_eq!(tool.perform(slot(9, &item)).await.unwrap_err().class, Class::Permanent, "{key}");
    }
    // A folder that leads out of the project, that is none, that is not there.
    let outside = tempfile::tempdir().unwrap();
    for arrange in [
        &|| symlink(outside.path(), &site).unwrap() as (),
        &|| symlink("../..", &site).unwrap(),
        &|| fs::write(&site, "a file").unwrap(),
        &|| {},
    ] as [&dyn Fn(); 4]
    {
        let _ = fs::remove_dir_all(&site);
        let _ = fs::remove_file(&site);
        arrange();
        if fs::read_link(&site).is_ok_and(|to| to == Path::new("../..")) {
            // It leads to the project itself, which is above what the table names, and within.
            continue;
        }
        let why = tool.perform(slot(10, &items[0])).await.unwrap_err();
        assert!(why.class == Class::Permanent && why.reason.contains("nothing is published"), "{why:?}");
        assert_eq!(tool.look().faults.len(), 1);
    }
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_draft_stays_in_the_runs_folder() {
    let dir = project();
    let before = files_below(dir.path());
    let tool = publish(dir.path(), INTO).unwrap();
    let items = prepared(dir.path(), INTO, json!({ "news": "x" })).await.unwrap();
    let out = dir.path().join("out/1-x");
    let draft = Approved { draft: true, ..approved(1, &out, &items[0]) };
    let receipt = tool.perform(draft.clone()).await.unwrap();
    assert_eq!(receipt.place, out.join("news.md").display().to_string());
    assert_eq!(tool.query(draft).await.unwrap(), Some(receipt));
    fs::remove_dir_all(dir.path().join("out")).unwrap();
    assert_eq!(files_below(dir.path()), before);
}

/// A disk on which the process dies at one of its steps: none of those that follow is done.
struct Dying {
    steps: AtomicUsize,
    dies_at: usize,
    /// Whether the step at which it dies was done.
    after: bool,
}

impl Dying {
    fn step<T>(&self, of: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let nth = self.steps.fetch_add(1, Ordering::SeqCst);
        let dead = || Err(io::Error::other("the process is dead"));
        if nth < self.dies_at {
            return of();
        }
        if nth == self.dies_at && self.after {
            of()?;
        }
        dead()
    }
}

impl Disk for Dying {
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<File> {
        self.step(|| Machine.write(path, bytes))
    }

    fn append(&self, file: &File, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.step(|| Machine.append(file, path, bytes))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(|| Machine.link(from, to))
    }

    fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        self.step(|| Machine.sync(file, path))
    }
}

fn target(root: &Path) -> Target {
    let tools = Tools::new();
    let ground = Ground::at(root, &tools, Secrets::none());
    Target::new("site/content", &ground).unwrap()
}

#[tokio::test]
async fn whichever_step_is_the_last_it_is_there_once() {
    let (mut deaths, mut found) = (0, 0);
    for after in [false, true] {
        for dies_at in 0.. {
            let dir = project();
            let items = prepared(dir.path(), INTO, json!({ "news": "x" })).await.unwrap();
            let (slot, target) = (approved(1, dir.path(), &items[0]), target(dir.path()));
            let disk = Dying { steps: AtomicUsize::new(0), dies_at, after };
            if target.put_on(&disk, &slot).is_ok() {
                assert_eq!(dies_at, disk.steps.into_inner(), "each step is one at which it dies");
                break;
            }
            deaths += 1;
            let there = dir.path().join("site/content/news.md");
            let known = target.find(&slot).unwrap();
            // Truly: what is known to be there is there, and what is there is known.
            assert_eq!(known.is_some(), there.exists(), "after step {dies_at}");
            found += usize::from(known.is_some());
            // Another run that would put the very same there is not taken for this one.
            let other = Approved { source: source(1, 2), ..approved(2, dir.path(), &items[0]) };
            assert_eq!(target.find(&other).unwrap(), None);
            assert_eq!(target.put(&other).is_err(), known.is_some(), "{dies_at}");
            let mine = target.put(&slot);
            if known.is_some() {
                mine.unwrap();
                assert_eq!(target.put(&slot).unwrap().place, "site/content/news.md");
            } else {
                assert!(mine.unwrap_err().reason.contains("is there already"), "the other run's stays");
                assert_eq!(target.find(&slot).unwrap(), None, "the other run's is not taken for this one's");
            }
            assert_eq!(fs::read(&there).unwrap(), items[0].bytes);
            let names = fs::read_dir(there.parent().unwrap()).unwrap().count();
            assert_eq!(names, 2, "nothing else is left there: {:?}", files_below(there.parent().unwrap()).keys());
        }
    }
    assert!(deaths >= 10 && found >= 3, "{deaths} {found}");
}

const TABLE: &str = r#"schema_version = 1

[tools.site]
kind = "files"
root = "texts"
publish_to = "site/content"
publish_as = "html"
publish_name = "{title}"
call_timeout = "1s"
"#;

const ANSWER: &str = r#"
[versions]
blog = { title = "Ferns in winter", text = "They *rest*." }
news = { title = "News of ferns", text = "Nothing new." }
index = { title = "Index", text = "All of it." }
"#;

#[test]
fn the_documented_example_is_one_that_check_accepts() {
    let text = include_str!("../../docs/connectors.md").split("<!-- publishing -->\n```toml\n").nth(1).unwrap();
    let shop = site();
    write(shop.path(), "callsheet.toml", format!("schema_version = 1\n{}", text.split("```").next().unwrap()));
    let (code, text) = shop.types("check");
    assert_eq!(code, 0, "{text}");
    fs::remove_dir_all(shop.path().join("site")).unwrap();
    let (code, text) = shop.types("check");
    assert!(code == 2 && text.contains("there is no folder site/content"), "{code} {text}");
    assert!(text.contains("publish_to = \"site/content\""), "{text}");
}

/// A project whose texts wait for their approval.
fn site() -> Acting {
    let shop =
        Acting::new("letters", &["letter"], "tool = \"site.publish\", args = { versions = \"letter.versions\" }", &[]);
    write(shop.path(), "callsheet.toml", TABLE);
    write(shop.path(), "answer.toml", ANSWER);
    write(shop.path(), "texts/one.md", "One.");
    write(shop.path(), "site/content/index.html", "somebody's own");
    shop
}

#[test]
fn a_rehearsal_publishes_nothing_and_a_run_what_was_reviewed() {
    let shop = site();
    for (line, exit) in [("run letters", 3), ("answer 1 --file answer.toml", 3), ("approve 2", 0)] {
        let (code, text) = shop.types(line);
        assert_eq!(code, exit, "{line}: {text}");
    }
    assert_eq!(files_below(&shop.path().join("site")).len(), 1);
    assert!(shop.path().join("out/1-letters/ferns-in-winter.html").exists());
    let shop = site();
    shop.wait("letters");
    let (_, review) = shop.types("review 2");
    for says in ["site/content", "index-2.html", "<p>They <em>rest</em>.</p>"] {
        assert!(review.contains(says), "{says}: {review}");
    }
    let (code, text) = shop.types("approve 2");
    assert!(code == 0 && text.contains("site/content/ferns-in-winter.html"), "{code} {text}");
    assert_eq!(shop.types("audit verify").0, 0);
    let there = files_below(&shop.path().join("site"));
    assert_eq!(there.len(), 4);
    assert_eq!(there[&shop.path().join("site/content/index.html")], b"somebody's own");
    // The folder is pinned with the run.
    let shop = site();
    shop.wait("letters");
    write(shop.path(), "elsewhere/x.txt", "x");
    write(shop.path(), "callsheet.toml", TABLE.replace("site/content", "elsewhere"));
    let (_, text) = shop.types("approve 2");
    assert!(text.contains("publish_to was \"site/content\" and is \"elsewhere\""), "{text}");
}

#[test]
fn killed_around_every_file_each_is_there_once() {
    let waiting = site();
    waiting.wait("letters");
    let kills: Vec<usize> = std::thread::scope(|scope| {
        let lane = |point: &'static str| {
            let waiting = &waiting;
            move || {
                for nth in 1..PASSINGS_MAX {
                    let what = format!("killed at {point}:{nth}");
                    let shop = waiting.copied();
                    let mut command = shop.command("approve 2");
                    let ended = command.env("CALLSHEET_CRASH", format!("{point}:{nth}")).output().unwrap();
                    let is_killed = ended.status.signal() == Some(9);
                    if is_killed {
                        assert_eq!(shop.drive(&what, |asked| panic!("{what}: {asked}")), 0);
                    } else {
                        assert_eq!(ended.status.code(), Some(0), "{what}: {}", told(&ended).1);
                    }
                    let there = files_below(&shop.path().join("site/content"));
                    let names: Vec<_> = there.keys().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
                    let wanted = ["ferns-in-winter.html", "index-2.html", "index.html", "news-of-ferns.html"];
                    assert_eq!(names, wanted, "{what}");
                    let record = fs::read_to_string(shop.path().join(".callsheet/published.jsonl")).unwrap();
                    let lines = record.lines().map(|line| serde_json::from_str::<Line>(line).unwrap());
                    let mut put: Vec<_> = lines.filter(|line| !line.intended).map(|line| line.key).collect();
                    put.sort();
                    let once = put.windows(2).all(|pair| pair[0] != pair[1]);
                    assert!(once, "{what}: one was put there twice: {put:?}");
                    if !is_killed {
                        return usize::try_from(nth - 1).unwrap();
                    }
                }
                panic!("{point} is passed without end");
            }
        };
        let lanes: Vec<_> = POINTS.map(|point| scope.spawn(lane(point))).into_iter().collect();
        lanes.into_iter().map(|lane| lane.join().unwrap()).collect()
    });
    let kills: usize = kills.iter().sum();
    writeln!(io::stderr(), "published files: {kills} kills, each file there once").unwrap();
    assert!(kills >= 10, "only {kills} kills");
}
