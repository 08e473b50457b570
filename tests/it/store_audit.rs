//! Somebody with the disk and a SQL shell changes the past: the audit finds it.

use std::path::Path;

use callsheet::id::{Digest, Seq};
use callsheet::journal::memory::Memory;
use callsheet::journal::sqlite::{Open, Sqlite};
use callsheet::journal::{Error, Head, Store, audit, chain, chain_start};

use crate::store::{NOBODY, append, create, one, run_id};
use crate::store_file::{raw, small};

#[test]
fn an_untouched_journal_verifies() {
    let (_folder, path) = small();
    let store = Sqlite::open(&path, Open::ReadOnly).unwrap();
    let all = audit::verify_all(&store, &[]).unwrap();
    assert_eq!((all.records, all.bodies, all.erased, all.posted), (4, 2, 0, 2));
    let last = store.records(run_id(1), Seq(2), 1).unwrap().remove(0);
    let checkpoint = audit::checkpoint(&store, run_id(1)).unwrap();
    assert_eq!(checkpoint, audit::Checkpoint { run: run_id(1), seq: Seq(3), chain: last.chain });
    assert!(all.heads.contains(&checkpoint));
    let kept = serde_json::to_string(&checkpoint).unwrap();
    assert_eq!(serde_json::from_str::<audit::Checkpoint>(&kept).unwrap(), checkpoint);
    assert_eq!(audit::verify_against(&store, &checkpoint).unwrap().records, 3);
    assert_eq!(audit::verify(&store, run_id(9)), Err(Error::UnknownRun));
}

#[test]
fn each_kind_of_tampering_is_found() {
    let cases = [
        ("a record deleted", "DELETE FROM records WHERE run = 1 AND seq = 2"),
        ("the first deleted", "DELETE FROM records WHERE run = 1 AND seq = 1"),
        ("the tail cut", "DELETE FROM records WHERE run = 1 AND seq = 3"),
        (
            "the tail cut and the gap closed",
            "DELETE FROM records WHERE run = 1 AND seq = 2; UPDATE records SET seq = 2 WHERE run = 1 AND seq = 3;
             UPDATE runs SET last = 2 WHERE no = 1",
        ),
        (
            "a record inserted",
            "UPDATE records SET seq = 4 WHERE run = 1 AND seq = 3;
             INSERT INTO records SELECT 1, 3, epoch, kind, version, head, chain FROM records WHERE run = 1 AND seq = 2;
             UPDATE runs SET last = 4 WHERE no = 1",
        ),
        (
            "two exchanged",
            "UPDATE records SET seq = 9 WHERE run = 1 AND seq = 1; UPDATE records SET seq = 1 WHERE run = 1 AND seq = 2;
             UPDATE records SET seq = 2 WHERE run = 1 AND seq = 9",
        ),
        ("a head changed", "UPDATE records SET head = CAST('{\"text\":\"z\"}' AS BLOB) WHERE run = 1 AND seq = 2"),
        ("a kind changed", "UPDATE records SET kind = 'approved' WHERE run = 1 AND seq = 1"),
        ("an epoch changed", "UPDATE records SET epoch = 2 WHERE run = 1 AND seq = 3"),
        (
            "another run's record in its place",
            "DELETE FROM records WHERE run = 1 AND seq = 1; UPDATE records SET run = 1 WHERE run = 2;
             UPDATE runs SET last = 0 WHERE no = 2",
        ),
        (
            "another run's records instead",
            "UPDATE records SET run = 9 WHERE run = 1; UPDATE records SET run = 1 WHERE run = 2;
             UPDATE runs SET last = 1 WHERE no = 1",
        ),
        ("two runs exchanged", "UPDATE runs SET no = 9 WHERE no = 1; UPDATE runs SET no = 1 WHERE no = 2; UPDATE runs SET no = 2 WHERE no = 9"),
        ("a body changed", "UPDATE bodies SET bytes = x'00'"),
        ("a salt changed", "UPDATE bodies SET salt = zeroblob(16)"),
        ("a body erased by half", "UPDATE bodies SET bytes = NULL"),
        ("a decision changed", "UPDATE inbox SET json = x'00' WHERE place = 1"),
        ("a decision deleted", "DELETE FROM inbox WHERE place = 1"),
        ("the last decision deleted", "DELETE FROM inbox WHERE place = 2"),
        ("decisions exchanged", "UPDATE inbox SET place = 9 WHERE place = 1; UPDATE inbox SET place = 1 WHERE place = 2; UPDATE inbox SET place = 2 WHERE place = 9"),
        ("a run deleted", "DELETE FROM runs WHERE no = 1; DELETE FROM records WHERE run = 1"),
        ("the last place changed", "UPDATE runs SET last = 2 WHERE no = 1"),
    ];
    for (what, sql) in cases {
        let (_folder, path) = small();
        raw(&path).execute_batch(sql).unwrap();
        let store = Sqlite::open(&path, Open::ReadOnly).unwrap();
        let found = audit::verify_all(&store, &[]);
        assert!(matches!(found, Err(Error::Damaged(_))), "{what}: {found:?}");
    }
}

/// A way to tamper, by name.
type Case<'a> = (&'a str, &'a dyn Fn(&Path));

#[test]
fn what_is_consistent_in_itself_is_found_by_the_checkpoint() {
    let rewrite = |path: &Path| {
        // A forger who computes the chain anew, as this test can too.
        let head = Head { kind: "noted".to_owned(), version: 1, json: b"{\"text\":\"forged\"}".to_vec() };
        let epoch = callsheet::id::Epoch(1);
        let link = chain(chain_start(run_id(1)), Seq(1), epoch, &head);
        let mut links = vec![link];
        for (seq, text) in [(2, "b"), (3, "c")] {
            links.push(chain(links[links.len() - 1], Seq(seq), epoch, &crate::store::head(text)));
        }
        let raw = raw(path);
        raw.execute("UPDATE records SET head = ?1 WHERE run = 1 AND seq = 1", [&head.json]).unwrap();
        for (seq, link) in (1..).zip(&links) {
            let set = "UPDATE records SET chain = ?2 WHERE run = 1 AND seq = ?1";
            raw.execute(set, rusqlite::params![seq, link.0]).unwrap();
        }
        raw.execute("UPDATE runs SET chain = ?1 WHERE no = 1", [links[2].0]).unwrap();
    };
    let cut = |path: &Path| {
        raw(path)
            .execute_batch(
                "DELETE FROM records WHERE run = 1 AND seq = 3;
                 UPDATE runs SET last = 2, chain = (SELECT chain FROM records WHERE run = 1 AND seq = 2) WHERE no = 1",
            )
            .unwrap();
    };
    let last_run_removed = |path: &Path| {
        let sql =
            "UPDATE runs SET no = 3 WHERE no = 1; UPDATE runs SET no = 1 WHERE no = 2; DELETE FROM runs WHERE no = 3;
                   DELETE FROM records WHERE run = 1; UPDATE records SET run = 1 WHERE run = 2";
        raw(path).execute_batch(sql).unwrap();
    };
    let cases: [Case<'_>; 3] =
        [("rewritten", &rewrite), ("rolled back", &cut), ("removed with its number", &last_run_removed)];
    for (what, tamper) in cases {
        let (_folder, path) = small();
        let checkpoint = audit::checkpoint(&Sqlite::open(&path, Open::ReadOnly).unwrap(), run_id(1)).unwrap();
        tamper(&path);
        // Out of the way what the small journal has beside its records.
        raw(&path).execute_batch("DELETE FROM inbox; DELETE FROM bodies; UPDATE runs SET posted = 0").unwrap();
        let store = Sqlite::open(&path, Open::ReadOnly).unwrap();
        let alone = audit::verify_all(&store, &[]);
        assert!(alone.is_ok(), "{what}: consistent in itself: {alone:?}");
        for found in [audit::verify_all(&store, &[checkpoint]), audit::verify_against(&store, &checkpoint)] {
            assert!(matches!(found, Err(Error::Damaged(_))), "{what}: {found:?}");
        }
    }
}

#[test]
fn a_run_that_went_on_still_matches_its_checkpoint_over_many_pages() {
    let store = Memory::new();
    one(&store, create(run_id(1), NOBODY, &["a"])).unwrap();
    let early = audit::checkpoint(&store, run_id(1)).unwrap();
    let texts = vec!["x"; 1_500];
    one(&store, append(run_id(1), 1, 1, &texts)).unwrap();
    let middle = audit::checkpoint(&store, run_id(1)).unwrap();
    one(&store, append(run_id(1), 1_501, 1, &["end"])).unwrap();
    let verified = audit::verify_all(&store, &[early, middle]).unwrap();
    assert_eq!((verified.records, verified.heads[0].seq), (1_502, Seq(1_502)));
    let wrong = audit::Checkpoint { chain: Digest([0; 32]), ..middle };
    assert!(matches!(audit::verify_against(&store, &wrong), Err(Error::Damaged(_))));
}
