//! What only a journal in a file can suffer: reopening, other processes, damage, a full disk, other formats.

use std::fs;
use std::path::{Path, PathBuf};

use callsheet::id::{Epoch, RunNo, Seq};
use callsheet::journal::sqlite::{Limits, Open, Sqlite};
use callsheet::journal::{
    Batch, Body, Done, Error, JOURNAL_FORMAT, Moved, Op, Posted, Query, Record, Store, Subject, audit,
};
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::store::{NOBODY, append, batch, body, create, one, post, row, run_id};

/// A small journal in a folder of its own, closed, so that it is one file.
pub(crate) fn small() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let store = Sqlite::open(&path, Open::ReadWrite).unwrap();
    let bodies = vec![body("one"), body("two")];
    let answers = store.commit(&[
        create(run_id(1), NOBODY, &["a", "b"]),
        Op::Append(Batch { bodies, ..batch(run_id(1), 2, 1, &["c"]) }),
        create(run_id(2), NOBODY, &["d"]),
        post(run_id(1), 5, "approve"),
        post(run_id(1), 6, "comment"),
        Op::Number { run: run_id(1) },
    ]);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    drop(store);
    assert!(!folder.path().join("journal.db-wal").exists(), "closed without a log");
    (folder, path)
}

pub(crate) fn raw(path: &Path) -> Connection {
    let raw = Connection::open(path).unwrap();
    raw.execute_batch("PRAGMA synchronous = OFF").unwrap();
    raw
}

/// What a run is made of, as far as it can be read.
type Events = (Vec<Record>, Vec<Posted>, Vec<Option<Body>>);

fn events(store: &dyn Store) -> Result<Vec<Events>, Error> {
    let digests = [vec![body("one").digest, body("two").digest], vec![]];
    let run = |(n, digests): (u128, &Vec<_>)| {
        let id = run_id(n);
        let bodies = digests.iter().map(|digest| store.body(id, *digest)).collect::<Result<_, _>>()?;
        // One by one, so that every record is once the end of a page.
        let mut records: Vec<Record> = Vec::new();
        while let Some(next) = store.records(id, Seq(records.len() as u64), 1)?.pop() {
            records.push(next);
        }
        Ok((records, store.inbox(id, 0)?, bodies))
    };
    (1..).zip(&digests).map(run).collect()
}

fn is_typed(error: &Error) -> bool {
    matches!(error, Error::Damaged(_) | Error::UnknownRun | Error::Unreadable(_) | Error::Newer { .. })
}

#[test]
fn what_was_written_is_there_for_the_next_and_for_others() {
    let (_folder, path) = small();
    let here = Sqlite::open(&path, Open::ReadWrite).unwrap();
    let there = Sqlite::open(&path, Open::ReadWrite).unwrap();
    let reader = Sqlite::open(&path, Open::ReadOnly).unwrap();
    let written = events(&here).unwrap();
    assert_eq!(written[0].0.len(), 3);
    let changes = [here.changes().unwrap(), reader.changes().unwrap()];
    assert_eq!(one(&there, post(run_id(1), 7, "from there")), Ok(Done::Posted(3)));
    for mut changes in changes {
        // Ends only when somebody is told.
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(changes.changed()).unwrap();
    }
    assert_eq!(here.inbox(run_id(1), 2).unwrap()[0].json, b"from there");
    assert_eq!(one(&here, append(run_id(1), 3, 1, &["e"])), Ok(Done::Appended(Seq(4))));
    let moved_on = Error::Conflict(Moved { last: Seq(4), epoch: Epoch(1) });
    assert_eq!(one(&there, append(run_id(1), 3, 1, &["f"])), Err(moved_on));
    assert_eq!(reader.records(run_id(1), Seq(3), 9).unwrap().len(), 1);
    drop((here, there, reader));
    let later = Sqlite::open(&path, Open::ReadWrite).unwrap();
    assert_eq!(later.records(run_id(1), Seq(0), 3).unwrap(), written[0].0);
    assert_eq!(one(&later, create(run_id(3), NOBODY, &["a"])), Ok(Done::Created(RunNo(3))));
}

#[test]
fn one_opened_to_be_read_writes_nothing() {
    let (_folder, path) = small();
    let before = fs::read(&path).unwrap();
    let reader = Sqlite::open(&path, Open::ReadOnly).unwrap();
    assert_eq!(events(&reader).unwrap().len(), 2);
    let refused = one(&reader, append(run_id(1), 3, 1, &["x"]));
    assert_eq!(refused, Err(Error::ReadOnly));
    drop(reader);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_can_be_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, path) = small();
    let allow = |folder_mode, file_mode| {
        fs::set_permissions(&path, fs::Permissions::from_mode(file_mode)).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(folder_mode)).unwrap();
    };
    allow(0o555, 0o444);
    let reader = Sqlite::open(&path, Open::ReadOnly).map(|store| events(&store).unwrap().len());
    let writer = Sqlite::open(&path, Open::ReadWrite).err();
    let new = Sqlite::open(&folder.path().join("new.db"), Open::ReadWrite).err();
    let is_enforced = fs::write(folder.path().join("probe"), "").is_err();
    allow(0o755, 0o644);
    assert_eq!(reader, Ok(2));
    // The administrator may write anyway; for everybody else it is an error that says so.
    if is_enforced {
        for error in [writer, new] {
            assert!(matches!(&error, Some(Error::Unreadable(why)) if why.text.contains("writable")), "{error:?}");
        }
    }
}

#[test]
fn a_flipped_bit_in_any_field_is_an_error_or_changes_nothing() {
    let (_folder, path) = small();
    let written = look(&path);
    assert!(written.0.is_ok() && written.1.is_ok());
    let fields = [
        ("records", "run, seq", "run seq epoch kind version head chain"),
        ("bodies", "rowid", "run digest salt bytes"),
        ("inbox", "run, place", "run place id at json digest"),
        ("runs", "no", "no id last epoch posted"),
    ];
    let mut flips = 0;
    for (table, key, columns) in fields {
        for column in columns.split(' ') {
            let (mut tried, mut noticed) = (0, 0);
            flip_column(&path, table, key, column, |flipped| {
                let seen = look(flipped);
                tried += 1;
                noticed += usize::from(seen.0.is_err());
                assert!(seen.0.is_err() || seen.0 == written.0, "{table}.{column}");
                // A body that is now another run's is missed by whoever reads it; no record says to an auditor that it was.
                assert!(
                    seen.1.is_err() || seen.1 == written.1 || (table, column) == ("bodies", "run"),
                    "{table}.{column}"
                );
                for error in [seen.0.err(), seen.1.err()].into_iter().flatten() {
                    assert!(is_typed(&error), "{table}.{column}: {error:?}");
                }
            });
            // No event depends on a run's own epoch: it only refuses appends.
            let expected = if (table, column) == ("runs", "epoch") { 0 } else { tried };
            assert_eq!(noticed, expected, "{table}.{column}: noticed, of {tried}");
            flips += tried;
        }
    }
    assert!(flips > 600, "{flips}: every byte of a small journal was tried");
}

type Look = (Result<Vec<Events>, Error>, Result<audit::Verified, Error>);

fn look(path: &Path) -> Look {
    match Sqlite::open(path, Open::ReadOnly) {
        Ok(store) => (events(&store), audit::verify_all(&store, &[])),
        Err(error) => (Err(error.clone()), Err(error)),
    }
}

/// For each byte of each value of a column a copy of the journal with one of its bits flipped.
fn flip_column(path: &Path, table: &str, key: &str, column: &str, mut see: impl FnMut(&Path)) {
    let flipped_path = path.with_file_name("flipped.db");
    let row = format!("({key}) = (SELECT {key} FROM {table} ORDER BY {key} LIMIT 1 OFFSET ?1)");
    let rows = raw(path)
        .prepare(&format!("SELECT typeof({column}), {column} FROM {table} ORDER BY {key}"))
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<Vec<(String, Value)>, _>>()
        .unwrap();
    for (at, (kind, value)) in (0_i64..).zip(rows) {
        let bytes = match value {
            Value::Integer(number) => number.to_le_bytes().to_vec(),
            Value::Text(text) => text.into_bytes(),
            Value::Blob(bytes) => bytes,
            other => panic!("{other:?}"),
        };
        for place in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[place] ^= 1 << (place % 8);
            let (new, value) = match kind.as_str() {
                "integer" => ("?2", Value::Integer(i64::from_le_bytes(bytes.try_into().unwrap()))),
                "text" => ("CAST(?2 AS TEXT)", Value::Blob(bytes)),
                _ => ("?2", Value::Blob(bytes)),
            };
            copy(path, &flipped_path);
            let sql = format!("UPDATE {table} SET {column} = {new} WHERE {row}");
            // A key that is another row's is refused by SQLite itself.
            if raw(&flipped_path).execute(&sql, rusqlite::params![at, value]) == Ok(1) {
                see(&flipped_path);
            }
        }
    }
}

fn copy(from: &Path, to: &Path) {
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", to.display()));
    }
    fs::copy(from, to).unwrap();
}

#[test]
fn a_flipped_bit_anywhere_in_the_file_is_an_error_or_changes_nothing() {
    let (_folder, path) = small();
    let written = look(&path).0;
    let whole = fs::read(&path).unwrap();
    let flipped_path = path.with_file_name("flipped.db");
    let (mut seed, mut noticed) = (0x9e37_79b9_7f4a_7c15_u64, 0);
    // Every bit of the file's header, and as many anywhere: most of a small file is free space.
    let anywhere = std::iter::from_fn(|| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        Some(usize::try_from(seed % (whole.len() as u64 * 8)).unwrap())
    });
    for bit in (0..800).chain(anywhere.take(800)) {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        copy(&path, &flipped_path);
        fs::write(&flipped_path, &bytes).unwrap();
        match look(&flipped_path).0 {
            Ok(seen) => assert_eq!(Ok(seen), written, "bit {bit}"),
            Err(error) => {
                assert!(is_typed(&error), "bit {bit}: {error:?}");
                noticed += 1;
            }
        }
    }
    assert!(noticed > 100, "{noticed}");
}

#[test]
fn a_truncated_journal_is_damaged() {
    let (_folder, path) = small();
    let whole = fs::read(&path).unwrap();
    let written = look(&path).0;
    let cut_path = path.with_file_name("cut.db");
    let near_pages = (0..whole.len()).step_by(4_096).flat_map(|at| [at, at + 1, at + 2_048, at + 4_095]);
    for length in (0..100).chain(near_pages) {
        for how in [Open::ReadOnly, Open::ReadWrite] {
            copy(&path, &cut_path);
            fs::write(&cut_path, &whole[..length]).unwrap();
            let seen = Sqlite::open(&cut_path, how).and_then(|store| events(&store));
            match &seen {
                Err(error) => assert!(is_typed(error), "{length} {how:?}: {error}"),
                // The last page is an index's, which only lists are read by.
                Ok(_) => assert!(seen == written && length > whole.len() - 4_096, "{length} {how:?}"),
            }
            assert_eq!(fs::read(&cut_path).unwrap(), &whole[..length], "opening it changes nothing");
        }
    }
}

#[test]
fn what_is_no_journal_is_told_so() {
    let (folder, path) = small();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let altered = |name: &str, sql: &str| {
        let altered = path.with_file_name(name);
        copy(&path, &altered);
        raw(&altered).execute_batch(sql).unwrap();
        altered
    };
    file("lost.db-wal", b"frames");
    let cases = [
        (file("empty.db", b""), "damaged: ", "is empty"),
        (file("notes.db", b"# Notes\nnot a database at all\n"), "read: ", "is no journal"),
        (file("short.db", b"SQL"), "read: ", "is no journal"),
        (folder.path().to_owned(), "read: ", "is a folder"),
        (altered("other.db", "PRAGMA application_id = 7"), "read: ", "another program's"),
        (altered("newer.db", "PRAGMA user_version = 3"), "has format 3", "newer callsheet"),
        (altered("older.db", "PRAGMA user_version = 0"), "damaged: ", "restore"),
        (altered("unsure.db", "UPDATE meta SET value = 3"), "damaged: ", "restore"),
        (altered("gone.db", "DROP TABLE meta"), "damaged: ", "restore"),
    ];
    for (path, kind, text) in cases {
        for how in [Open::ReadOnly, Open::ReadWrite] {
            let error = Sqlite::open(&path, how).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(kind) && error.contains(text), "{}: {error}", path.display());
        }
    }
    let newer = Sqlite::open(&path.with_file_name("newer.db"), Open::ReadOnly);
    assert_eq!(newer.err(), Some(Error::Newer { found: 3 }));
    let absent = Sqlite::open(&path.with_file_name("absent.db"), Open::ReadOnly).err();
    assert!(matches!(&absent, Some(Error::Unreadable(why)) if why.text.contains("start a run first")), "{absent:?}");
    assert!(!path.with_file_name("absent.db").exists());
    // The log of a journal that is gone must not be replayed into a new one.
    let lost = Sqlite::open(&path.with_file_name("lost.db"), Open::ReadWrite).err();
    assert!(matches!(&lost, Some(Error::Damaged(why)) if why.text.contains("is missing")), "{lost:?}");
}

#[test]
fn a_new_journal_needs_no_folder_and_leaves_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a b/100%/journal.db");
    let store = Sqlite::open(&path, Open::ReadWrite).unwrap();
    one(&store, create(run_id(1), NOBODY, &["a"])).unwrap();
    drop(store);
    let files: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["journal.db"]);
}

#[test]
fn many_who_make_the_journal_at_once_make_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let numbers = std::thread::scope(|scope| {
        let threads = [1, 2, 3, 4].map(|n| {
            let path = &path;
            scope.spawn(move || {
                let store = Sqlite::open(path, Open::ReadWrite).unwrap();
                one(&store, create(run_id(n), NOBODY, &["a"])).unwrap()
            })
        });
        threads.map(|thread| thread.join().unwrap())
    });
    let mut sorted = numbers.map(|done| format!("{done:?}"));
    sorted.sort();
    assert_eq!(sorted, [1, 2, 3, 4].map(|no| format!("{:?}", Done::Created(RunNo(no)))));
    assert_eq!(audit::verify_all(&Sqlite::open(&path, Open::ReadOnly).unwrap(), &[]).unwrap().records, 4);
}

#[test]
fn a_full_disk_loses_nothing_that_was_accepted() {
    let (_folder, path) = small();
    let text = "x".repeat(2_000);
    let mut accepted = 3;
    {
        let store = Sqlite::open_within(&path, Open::ReadWrite, Limits { pages_max: Some(40) }).unwrap();
        let full = loop {
            let answers = store.commit(&[append(run_id(1), accepted, 1, &[&text]), append(run_id(9), 0, 1, &["x"])]);
            match &answers[0] {
                Ok(Done::Appended(seq)) => accepted = seq.0,
                _ => break answers,
            }
        };
        assert_eq!(full, [Err(Error::Full), Err(Error::Full)], "the whole group");
        assert_eq!(one(&store, post(run_id(1), 9, "x")), Err(Error::Full), "it writes no more");
        assert_eq!(store.records(run_id(1), Seq(0), 999).unwrap().len() as u64, accepted, "it can be read");
    }
    assert!((4..200).contains(&accepted));
    let store = Sqlite::open(&path, Open::ReadWrite).unwrap();
    assert_eq!(row(&store, run_id(1)).last, Seq(accepted));
    audit::verify_all(&store, &[]).unwrap();
    assert_eq!(one(&store, append(run_id(1), accepted, 1, &["y"])), Ok(Done::Appended(Seq(accepted + 1))));
}

#[test]
fn nothing_is_appended_to_a_damaged_run_and_others_go_on() {
    let twice = |op: Op| [op.clone(), op];
    let more = || twice(append(run_id(1), 3, 1, &["x", "y"]));
    let stray = "INSERT INTO records SELECT run, 5, epoch, kind, version, head, chain FROM records WHERE seq = 3";
    let cases = [
        ("UPDATE records SET chain = zeroblob(32) WHERE run = 1 AND seq = 3", more()),
        ("UPDATE runs SET chain = zeroblob(32) WHERE no = 1", more()),
        ("DELETE FROM records WHERE run = 1 AND seq = 3", more()),
        // The first of the two records can be written, the second cannot: neither may stay.
        (stray, more()),
        ("UPDATE runs SET posted = 1 WHERE no = 1", twice(post(run_id(1), 9, "x"))),
        ("UPDATE meta SET value = 0 WHERE name = 'approvals'", twice(Op::Number { run: run_id(1) })),
        ("UPDATE meta SET value = 0 WHERE name = 'runs'", twice(create(run_id(3), NOBODY, &["a"]))),
    ];
    for (sql, [first, second]) in cases {
        let (_folder, path) = small();
        raw(&path).execute_batch(sql).unwrap();
        let store = Sqlite::open(&path, Open::ReadWrite).unwrap();
        // The second, because what a failed op left behind would let it through.
        let answers = store.commit(&[first, second, append(run_id(2), 1, 1, &["e"])]);
        assert!(matches!(answers[0], Err(Error::Damaged(_))), "{sql}: {answers:?}");
        assert!(matches!(answers[1], Err(Error::Damaged(_))), "{sql}: {answers:?}");
        assert_eq!(answers[2], Ok(Done::Appended(Seq(2))), "{sql}");
        assert_eq!(store.records(run_id(2), Seq(1), 9).map(|page| page.len()), Ok(1));
        let count = "SELECT count(*) FROM records WHERE run = 1 AND seq = 4";
        assert_eq!(raw(&path).query_row(count, [], |row| row.get(0)), Ok(0), "{sql}");
    }
}

#[test]
fn an_error_says_what_it_concerns_and_what_was_under_it() {
    use std::error::Error as _;
    let (_folder, path) = small();
    let digest = body("one").digest;
    let damage = |sql: &str, read: &dyn Fn(&Sqlite) -> Option<Error>| {
        let other = path.with_file_name("damaged.db");
        copy(&path, &other);
        raw(&other).execute_batch(sql).unwrap();
        match read(&Sqlite::open(&other, Open::ReadOnly).unwrap()) {
            Some(Error::Damaged(cause)) => cause,
            seen => panic!("{sql}: {seen:?}"),
        }
    };
    let body_read = |store: &Sqlite| store.body(run_id(1), digest).err();
    type Read<'a> = &'a dyn Fn(&Sqlite) -> Option<Error>;
    let cases: [(&str, Read<'_>, Subject); 5] = [
        ("DELETE FROM bodies", &body_read, Subject::Body(run_id(1), digest)),
        ("UPDATE bodies SET salt = x'00'", &body_read, Subject::Body(run_id(1), digest)),
        (
            "UPDATE records SET head = x'00' WHERE seq = 2",
            &|store| store.records(run_id(1), Seq(0), 9).err(),
            Subject::Record(run_id(1), Seq(2)),
        ),
        (
            "UPDATE inbox SET json = x'00' WHERE place = 2",
            &|store| store.inbox(run_id(1), 0).err(),
            Subject::Posted(run_id(1), 2),
        ),
        ("UPDATE runs SET summary = '{'", &|store| store.runs(&Query::default()).err(), Subject::Run(run_id(2))),
    ];
    for (sql, read, subject) in cases {
        assert_eq!(damage(sql, read).subject, subject, "{sql}");
    }
    let below = damage("UPDATE bodies SET salt = x'00'", &body_read);
    assert!(below.source().is_some_and(|error| error.is::<rusqlite::Error>()), "{below:?}");
    let absent = Sqlite::open(&path.with_file_name("absent.db"), Open::ReadOnly).unwrap_err();
    assert!(matches!(absent, Error::Unreadable(why) if why.subject == Subject::File(path.with_file_name("absent.db"))));
}

#[test]
fn an_erased_body_is_told_from_one_that_is_gone() {
    let (_folder, path) = small();
    let erased = body("one").digest;
    let sql = "UPDATE bodies SET salt = NULL, bytes = NULL WHERE digest = ?1";
    assert_eq!(raw(&path).execute(sql, [erased.0]), Ok(1));
    let store = Sqlite::open(&path, Open::ReadWrite).unwrap();
    assert_eq!(store.body(run_id(1), erased), Ok(None));
    assert!(store.bodies(run_id(1)).unwrap().contains(&(erased, false)));
    let audit = audit::verify(&store, run_id(1)).unwrap();
    assert_eq!((audit.bodies, audit.erased), (1, 1));
    let again = Batch { bodies: vec![body("one")], ..batch(run_id(1), 3, 1, &["x"]) };
    one(&store, Op::Append(again)).unwrap();
    assert_eq!(store.body(run_id(1), erased), Ok(None), "what was erased stays erased");
    raw(&path).execute("DELETE FROM bodies", []).unwrap();
    assert!(matches!(store.body(run_id(1), erased), Err(Error::Damaged(_))));
}

#[test]
fn a_journal_of_each_format_reads_as_it_did_and_goes_on_in_it() {
    for format in 1..=JOURNAL_FORMAT {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/journal");
        let case = |kind| fs::read_to_string(cases.join(format!("format-{format}.{kind}"))).unwrap();
        raw(&path).execute_batch(&case("sql")).unwrap();
        let heads: Vec<audit::Checkpoint> = serde_json::from_str(&case("json")).unwrap();
        let (_folder, small) = small();
        assert_eq!(look(&path).0, look(&small).0, "read only, {format}");
        let store = Sqlite::open(&path, Open::ReadWrite).unwrap();
        let audit = audit::verify_all(&store, &heads).unwrap();
        assert_eq!(audit.heads, heads);
        assert_eq!((audit.records, audit.bodies, audit.posted), (4, 2, 2));
        assert_eq!(events(&store), look(&small).0);
        assert_eq!(store.runs(&Query::default()).unwrap().len(), 2);
        assert_eq!(one(&store, append(run_id(1), 3, 1, &["e"])), Ok(Done::Appended(Seq(4))));
        assert_eq!(one(&store, post(run_id(1), 7, "settle")), Ok(Done::Posted(3)));
        assert_eq!(one(&store, create(run_id(3), NOBODY, &["f"])), Ok(Done::Created(RunNo(3))));
        let expected = [(Epoch(1), Seq(4), 3), (Epoch(1), Seq(1), 0), (Epoch(1), Seq(1), 0)];
        drop(store);
        let store = Sqlite::open(&path, Open::ReadOnly).unwrap();
        assert_eq!([1, 2, 3].map(|n| row(&store, run_id(n))).map(|row| (row.epoch, row.last, row.posted)), expected);
        assert_eq!(audit::verify_all(&store, &heads).unwrap().records, 6);
        let stored = raw(&path).pragma_query_value(None, "user_version", |row| row.get(0));
        assert_eq!(stored, Ok(format), "it stays what it was");
    }
}

/// Pages that a commit of one append to each of `runs` writes to the log, on average.
fn pages_written(path: &Path, runs: std::ops::RangeInclusive<u128>) -> u64 {
    let text = "x".repeat(400);
    let log = PathBuf::from(format!("{}-wal", path.display()));
    let store = Sqlite::open(path, Open::ReadWrite).unwrap();
    for n in runs.clone() {
        one(&store, create(run_id(n), NOBODY, &[&text, &text])).unwrap();
    }
    let append = |n: u128, last| {
        let bodies = vec![body(&format!("{n} {last} {text}")), body(&format!("{n} {last} other {text}"))];
        Op::Append(Batch { bodies, ..batch(run_id(n), last, 1, &[&text, &text, &text]) })
    };
    raw(path).query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    for round in 0..ROUNDS {
        let ops: Vec<_> = runs.clone().map(|n| append(n, 2 + 3 * round)).collect();
        assert!(store.commit(&ops).iter().all(Result::is_ok));
    }
    // A frame is a page under a head, and the log has a head of its own.
    (fs::metadata(&log).unwrap().len() - 32) / (4_096 + 24) / ROUNDS
}

/// So few that the log is not begun anew while they are counted.
const ROUNDS: u64 = 4;

/// What a commit writes is what a busy disk pays for: counted, not timed.
#[test]
fn a_commit_writes_fewer_pages_than_format_1_did() {
    let folder = tempfile::tempdir().unwrap();
    let pages = |runs: std::ops::RangeInclusive<u128>| {
        let (old, new) = (folder.path().join("old.db"), folder.path().join("new.db"));
        for path in [&old, &new] {
            let _ = fs::remove_file(path);
        }
        let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/journal/format-1.sql");
        raw(&old).execute_batch(&fs::read_to_string(case).unwrap()).unwrap();
        (pages_written(&old, runs.clone()), pages_written(&new, runs))
    };
    let ((_, alone), (old, new)) = (pages(11..=11), pages(11..=74));
    // The heads and the bodies, the small index of each, and the run's row; no index of what stays as it is.
    assert!(alone <= 5, "{alone} pages for a run alone");
    assert!(new * 10 <= old * 6, "{new} pages for 64 runs, {old} in format 1");
}
