//! Where approved items end up: one folder a run and nothing written over, one act however many copies of a journal
//! there are, nothing after its time, and nothing that a power loss takes back.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use callsheet::failure::Class;
use callsheet::run::body::Receipt;
use callsheet::tool::part::disk::Disk;
use callsheet::tool::part::outbox::{self, put_on};
use callsheet::tool::part::record::{Line, sha256};
use callsheet::tool::{Approved, Deadline, Item, Source, sink};
use serde_json::json;

use crate::tools::{approved, config, intent, open, outward, source};

fn item(key: &str, text: &str) -> Item {
    Item {
        key: key.to_owned(),
        recipient: String::new(),
        recipients: 1,
        title: String::new(),
        media_type: "text/plain".to_owned(),
        bytes: text.into(),
        after_ms: 0,
        again: None,
    }
}

fn of(n: u8, out: &Path, source: Source, key: &str, text: &str) -> Approved {
    Approved { source, ..approved(n, out, &item(key, text)) }
}

async fn put(approved: Approved) -> Receipt {
    outbox::put(approved, Vec::new()).await.unwrap()
}

/// What is there before.
type Before<'a> = &'a dyn Fn(&Path);

#[tokio::test]
async fn what_is_in_the_way_is_left_alone_and_told() {
    // What is there before, and where the item ends up. A folder is the run's own if its record says so.
    let (own, other) = (source(1, 1), source(2, 9));
    let wrote = |dir: &Path, source: Source, text: &str| {
        put_on(&callsheet::tool::part::disk::Machine, &of(7, dir, source, "a.md", text), &[]).map(drop).unwrap();
    };
    let cases: [(&str, Before<'_>, &str, Option<&str>); 9] = [
        ("nothing", &|_| {}, "1-x/a.md", None),
        ("an empty folder", &|dir| fs::create_dir_all(dir).unwrap(), "1-x/a.md", None),
        ("its own folder", &|dir| wrote(dir, own, "text"), "1-x/a.md", None),
        ("its own file with other content", &|dir| wrote(dir, own, "before"), "1-x/a-2.md", Some("other content")),
        ("another run's folder", &|dir| wrote(dir, other, "before"), "1-x-2/a.md", Some("not this run's")),
        (
            "another run's folder with the same in it",
            &|dir| wrote(dir, other, "text"),
            "1-x-2/a.md",
            Some("not this run's"),
        ),
        (
            "somebody's folder",
            &|dir| {
                fs::create_dir_all(dir).unwrap();
                fs::write(dir.join("notes.txt"), "before").unwrap();
            },
            "1-x-2/a.md",
            Some("not this run's"),
        ),
        (
            "a record without a first line",
            &|dir| {
                wrote(dir, own, "before");
                let record = fs::read_to_string(dir.join(".effects")).unwrap();
                fs::write(dir.join(".effects"), record.split_once('\n').unwrap().1).unwrap();
            },
            "1-x-2/a.md",
            Some("not this run's"),
        ),
        (
            "a file of that name",
            &|dir| {
                fs::create_dir_all(dir.parent().unwrap()).unwrap();
                fs::write(dir, "before").unwrap();
            },
            "1-x-2/a.md",
            Some("not this run's"),
        ),
    ];
    for (what, before, place, told) in cases {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out/1-x");
        before(&out);
        let kept = files(dir.path());
        let slot = of(1, &out, own, "a.md", "text");
        let receipt = put(slot.clone()).await;
        assert_eq!(receipt.place, dir.path().join("out").join(place).display().to_string(), "{what}");
        assert_eq!(receipt.remark.as_deref().is_some(), told.is_some(), "{what}: {receipt:?}");
        assert!(
            receipt.remark.as_deref().unwrap_or_default().contains(told.unwrap_or_default()),
            "{what}: {receipt:?}"
        );
        assert_eq!(receipt.sha256, Some(sha256(b"text")));
        let now = files(dir.path());
        assert!(kept.iter().all(|(path, bytes)| now.get(path) == Some(bytes)), "{what}: something was written over");
        assert_eq!(outbox::find(slot).await.unwrap(), Some(receipt.clone()), "{what}: it is known where it is");
        let folder = outbox::folder_of(&out, own.run).unwrap().unwrap();
        assert!(Path::new(&receipt.place).starts_with(folder), "{what}");
        put(of(2, &out, own, "b.md", "more")).await;
        assert!(Path::new(&receipt.place).with_file_name("b.md").exists(), "{what}: the rest lies beside it");
    }
}

/// Every file below `root` with its content, but for records, which are added to.
/// A run's items leave several at a time, and the first ones find no folder.
#[test]
fn items_that_leave_at_once_are_in_one_folder() {
    let root = crate::sweep::scratch();
    for round in 0..300 {
        let out = root.path().join(format!("{round}/1-x"));
        let (start, own) = (std::sync::Barrier::new(8), source(1, 1));
        let places = std::thread::scope(|scope| {
            let put = |n: u8| {
                let slot = of(n, &out, own, &format!("{n}.md"), "text");
                start.wait();
                put_on(&callsheet::tool::part::disk::Machine, &slot, &[]).unwrap().place
            };
            let lanes: Vec<_> = (1..=8).map(|n| scope.spawn(move || put(n))).collect();
            lanes.into_iter().map(|lane| lane.join().unwrap()).collect::<Vec<_>>()
        });
        let elsewhere: Vec<_> = places.iter().filter(|place| !Path::new(place).starts_with(&out)).collect();
        assert!(elsewhere.is_empty(), "round {round}: {elsewhere:?}");
    }
}

fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.ends_with(outbox::RECORD) {
            found.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    found
}

#[tokio::test]
async fn a_record_is_one_journals_and_says_whose() {
    let dir = tempfile::tempdir().unwrap();
    let tool = outward(
        &open::<sink::Config>("notes", config("repeat = { class = \"queryable\" }").unwrap(), dir.path()).unwrap()[0],
    );
    let items = tool.prepare(intent(json!({ "items": ["a", "b"] }))).await.unwrap();
    let by = |n: u8, journal: u128, run: u128| Approved {
        source: source(journal, run),
        ..approved(n, dir.path(), &items[0])
    };
    tool.perform(by(1, 1, 1)).await.unwrap();
    // Another run of the same journal, and a copy of it.
    tool.perform(by(2, 1, 2)).await.unwrap();
    let why = tool.perform(by(3, 5, 5)).await.unwrap_err();
    let first = source(1, 1).journal.to_string();
    assert!(why.class == Class::Permanent && why.reason.contains(&first), "{why:?}");
    assert!(why.reason.contains("another journal") && why.reason.contains("Name another record"), "{why:?}");
    let noted = fs::read_to_string(dir.path().join("sink.jsonl")).unwrap();
    assert_eq!(noted.lines().count(), 2);
    // Lines that an older callsheet wrote are nobody's, and are still known.
    let mut line: Line = serde_json::from_str(noted.lines().next().unwrap()).unwrap();
    line.journal = None;
    fs::write(dir.path().join("sink.jsonl"), json!(line).to_string() + "\n").unwrap();
    assert!(tool.query(by(1, 5, 5)).await.unwrap().is_some());
    tool.perform(by(4, 5, 5)).await.unwrap();
}

#[tokio::test]
async fn whoever_waits_for_the_record_looks_at_the_time_again() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("1-x");
    put(approved(1, &out, &item("a.md", "a"))).await;
    let tool = outward(&open::<sink::Config>("notes", config("").unwrap(), dir.path()).unwrap()[0]);
    let record = dir.path().join("sink.jsonl");
    tool.perform(approved(1, dir.path(), &item("a", "a"))).await.unwrap();
    for path in [out.join(outbox::RECORD), record] {
        // Another process is at the record, until the time is up.
        let held = File::open(&path).unwrap();
        held.lock().unwrap();
        let before = fs::read(&path).unwrap();
        let (up, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (is_up, was_asked) = (Arc::clone(&up), Arc::clone(&asked));
        let deadline = Deadline::new(move || {
            was_asked.store(true, Ordering::SeqCst);
            is_up.load(Ordering::SeqCst)
        });
        let slot = Approved { deadline, ..approved(2, &out, &item("b.md", "b")) };
        let (tool, in_folder) = (Arc::clone(&tool), path.ends_with(outbox::RECORD));
        let act = tokio::spawn(async move {
            if in_folder { outbox::put(slot, Vec::new()).await } else { tool.perform(slot).await }
        });
        while !asked.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        up.store(true, Ordering::SeqCst);
        drop(held);
        let why = act.await.unwrap().unwrap_err();
        assert!(why.class == Class::Transient && why.reason.contains("too long ago"), "{why:?}");
        assert_eq!(fs::read(&path).unwrap(), before, "{}", path.display());
        assert!(!out.join("b.md").exists());
    }
}

/// A step on a disk.
#[derive(Clone)]
enum Step {
    Folder(PathBuf),
    Write(PathBuf, Vec<u8>),
    Append(PathBuf, Vec<u8>),
    Rename(PathBuf, PathBuf),
    Sync(PathBuf),
    /// Whoever asked is told that this item was written.
    Told(String),
}

/// The machine's disk, and what was done to it.
#[derive(Default)]
struct Watched(Mutex<Vec<Step>>);

impl Watched {
    fn saw(&self, step: Step) {
        self.0.lock().unwrap().push(step);
    }
}

impl Disk for Watched {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.saw(Step::Folder(path.to_owned()));
        fs::create_dir(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<File> {
        self.saw(Step::Write(path.to_owned(), bytes.to_vec()));
        fs::write(path, bytes)?;
        File::open(path)
    }

    fn append(&self, mut file: &File, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.saw(Step::Append(path.to_owned(), bytes.to_vec()));
        io::Write::write_all(&mut file, bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.saw(Step::Rename(from.to_owned(), to.to_owned()));
        fs::rename(from, to)
    }

    fn sync(&self, _file: &File, path: &Path) -> io::Result<()> {
        self.saw(Step::Sync(path.to_owned()));
        Ok(())
    }
}

/// What a disk holds: names now and names that are durable, and of each file what was written and what is durable.
#[derive(Default, Clone)]
struct Image {
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    files: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Image {
    fn file(&mut self, root: &Path, path: &Path) -> usize {
        for above in path.ancestors().skip(1).take_while(|above| *above != root) {
            self.names.entry(above.to_owned()).or_insert(usize::MAX);
        }
        *self.names.entry(path.to_owned()).or_insert_with(|| {
            self.files.push(Default::default());
            self.files.len() - 1
        })
    }

    fn take(&mut self, root: &Path, step: &Step) {
        match step {
            Step::Folder(path) => drop(self.names.insert(path.clone(), usize::MAX)),
            Step::Write(path, bytes) => {
                let file = self.file(root, path);
                self.files[file] = (bytes.clone(), Vec::new());
            }
            Step::Append(path, bytes) => {
                let file = self.file(root, path);
                self.files[file].0.extend(bytes);
            }
            Step::Rename(from, to) => {
                let file = self.names.remove(from).unwrap();
                self.names.insert(to.clone(), file);
            }
            Step::Told(_) => {}
            Step::Sync(path) => match self.names.get(path).filter(|file| **file != usize::MAX) {
                Some(file) => self.files[*file].1 = self.files[*file].0.clone(),
                None => {
                    self.durable_names.retain(|name, _| name.parent() != Some(path));
                    let within = self.names.iter().filter(|(name, _)| name.parent() == Some(path));
                    self.durable_names.extend(within.map(|(name, file)| (name.clone(), *file)));
                }
            },
        }
    }

    /// What is read at `path` after a power loss that took everything that was not synced; with `lucky`, no names.
    fn after_loss(&self, root: &Path, path: &Path, lucky: bool) -> Option<&[u8]> {
        let names = if lucky { &self.names } else { &self.durable_names };
        let mut above = path.ancestors().skip(1).take_while(|above| *above != root);
        let reached = above.all(|above| names.contains_key(above));
        names.get(path).filter(|_| reached).map(|file| self.files[*file].1.as_slice())
    }
}

/// What is wrong with what the steps leave behind, at whichever of them the power fails.
fn loss(root: &Path, steps: &[Step], items: &[(&Approved, bool)]) -> Option<String> {
    let mut image = Image::default();
    let mut told = Vec::new();
    for (nth, step) in steps.iter().enumerate() {
        image.take(root, step);
        told.extend(if let Step::Told(key) = step { Some(key) } else { None });
        for lucky in [false, true] {
            for (slot, changed) in items {
                let path = slot.folder.join(&slot.item.key);
                let there = image.after_loss(root, &path, lucky);
                let record = image.after_loss(root, &slot.folder.join(outbox::RECORD), lucky).unwrap_or_default();
                let lines = |intended: bool| {
                    let read =
                        record.split(|byte| *byte == b'\n').filter_map(|l| serde_json::from_slice::<Line>(l).ok());
                    read.filter(|line| line.effect == slot.effect && line.intended == intended).count()
                };
                let claimed = record.windows(11).any(|part| part == b"\"folder_of\"");
                let whole = there == Some(&slot.item.bytes);
                let wrong = [
                    (lines(false) > 0 && !whole, "it is noted and not there"),
                    (there.is_some() && !whole, "it is there by half"),
                    (there.is_some() && !claimed, "it is there and nobody knows whose it is"),
                    (whole && *changed && lines(false) + lines(true) == 0, "it is there and nobody can recognise it"),
                    (told.contains(&&slot.item.key) && lines(false) == 0, "it was acknowledged and is gone"),
                ];
                if let Some((_, what)) = wrong.into_iter().find(|(wrong, _)| *wrong) {
                    return Some(format!("step {nth}, lucky {lucky}, {}: {what}", slot.item.key));
                }
            }
        }
    }
    None
}

#[test]
fn a_power_loss_takes_back_nothing_and_each_sync_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let (root, out) = (dir.path(), dir.path().join("out/1-x"));
    let disk = Watched::default();
    let (first, second) =
        (approved(1, &out, &item("a.eml", "first")), approved(2, &out, &item("audience.csv", "second")));
    put_on(&disk, &first, &[]).unwrap();
    disk.saw(Step::Told(first.item.key.clone()));
    put_on(&disk, &second, &["ann@example.org".to_owned()]).unwrap();
    disk.saw(Step::Told(second.item.key.clone()));
    let steps = disk.0.into_inner().unwrap();
    let items = [(&first, false), (&second, true)];
    assert_eq!(loss(root, &steps, &items), None);
    let syncs: Vec<usize> =
        steps.iter().enumerate().filter(|(_, step)| matches!(step, Step::Sync(_))).map(|(nth, _)| nth).collect();
    assert_eq!(syncs.len(), 3 + 3 + 4, "the folder's claim, a plain item, an item that somebody withdrew from");
    for sync in syncs {
        let mut fewer = steps.clone();
        fewer.remove(sync);
        assert!(loss(root, &fewer, &items).is_some(), "without the sync at step {sync} nothing is missing");
    }
}
