//! Random sequences of writes: the journal in a file answers as the one in memory does.

use callsheet::id::{Epoch, Seq, Timestamp};
use callsheet::journal::{Batch, Claiming, Due, Op, Query, RunRow, Store, Summary};
use proptest::prelude::*;

use crate::store::{NOBODY, STORES, Stage, append, batch, body, create, post, run_id};

/// A write in small numbers, so that runs, places and owners meet often.
#[derive(Debug, Clone)]
enum Move {
    Create {
        run: u128,
        owner: usize,
    },
    /// `off` moves it off the right place, `old` to an older epoch.
    Append {
        run: u128,
        off: u64,
        old: u64,
        heads: usize,
        body: u8,
        wake_at: Option<i64>,
        heard: u64,
        over: bool,
        release: bool,
    },
    Claim {
        run: u128,
        owner: usize,
        how: Claiming,
    },
    Release {
        run: u128,
        old: u64,
    },
    Post {
        run: u128,
        id: u128,
    },
    Number {
        run: u128,
    },
}

fn moves() -> impl Strategy<Value = Move> {
    let run = 1..5_u128;
    let owner = 0..3_usize;
    let rarely = prop_oneof![6 => Just(0_u64), 1 => Just(1_u64)];
    prop_oneof![
        2 => (run.clone(), owner.clone()).prop_map(|(run, owner)| Move::Create { run, owner }),
        6 => (
            (run.clone(), rarely.clone(), rarely, 0..4_usize),
            (any::<u8>(), proptest::option::of(0..9_i64), 0..4_u64, any::<bool>(), any::<bool>())
        )
            .prop_map(|((run, off, old, heads), (body, wake_at, heard, over, release))| {
                Move::Append { run, off, old, heads, body: body % 4, wake_at, heard, over, release }
            }),
        2 => (run.clone(), owner.clone(), claiming()).prop_map(|(run, owner, how)| Move::Claim { run, owner, how }),
        1 => (run.clone(), 0..2_u64).prop_map(|(run, old)| Move::Release { run, old }),
        2 => (run.clone(), 0..6_u128).prop_map(|(run, id)| Move::Post { run, id }),
        1 => run.prop_map(|run| Move::Number { run }),
    ]
}

fn claiming() -> impl Strategy<Value = Claiming> {
    prop_oneof![
        2 => Just(Claiming::IfFree),
        2 => Just(Claiming::TakeOver),
        3 => (0..9_i64).prop_map(|at| Claiming::IfDue(Timestamp(at))),
        2 => (0..4_u64).prop_map(Claiming::ToHear),
    ]
}

/// The same write for each store, which comes with its own owners.
fn op(stage: &Stage, owners: &[callsheet::journal::OwnerId], step: &Move) -> Op {
    match *step {
        Move::Create { run, owner } => create(run_id(run), owners[owner], &["first"]),
        Move::Append { run, off, old, heads, body: text, wake_at, heard, over, release } => {
            let id = run_id(run);
            let row = stage.store().runs(&Query { id: Some(id), ..Query::default() }).unwrap().pop();
            let Some(row) = row else { return append(id, 0, 1, &["x"]) };
            let summary = Summary { wake_at: wake_at.map(Timestamp), heard, over, ..Summary::default() };
            let mut batch = batch(id, 0, 1, &["x", "y", "z"][..heads]);
            batch.after = Seq(row.last.0 + off);
            batch.epoch = Epoch(row.epoch.0 - old);
            Op::Append(Batch { bodies: vec![body(&text.to_string())], summary, release, ..batch })
        }
        Move::Claim { run, owner, how } => Op::Claim { run: run_id(run), owner: owners[owner], how },
        Move::Release { run, old } => {
            let row = stage.store().runs(&Query { id: Some(run_id(run)), ..Query::default() }).unwrap().pop();
            Op::Release { run: run_id(run), epoch: Epoch(row.map_or(1, |row| row.epoch.0) - old) }
        }
        Move::Post { run, id } => post(run_id(run), id, &id.to_string()),
        Move::Number { run } => Op::Number { run: run_id(run) },
    }
}

/// All that can be read, without what differs by nature: owners' ids and the time of the last write.
fn all(store: &dyn Store) -> impl PartialEq + std::fmt::Debug {
    let plain = |row: RunRow| (RunRow { updated_at: Timestamp(0), owner: None, ..row.clone() }, row.owner.is_some());
    let queries = (0..9).flat_map(|at| {
        let due = Some(Due { at: Timestamp(at), by: NOBODY });
        let due = Query { due, ..Query::default() };
        [due.clone(), Query { live: true, limit: 2, ..due }]
    });
    let rows: Vec<Vec<_>> = queries
        .chain([Query::default()])
        .map(|query| store.runs(&query).unwrap().into_iter().map(plain).collect())
        .collect();
    let runs: Vec<_> = (1..5)
        .map(run_id)
        .map(|run| {
            let bodies = store.bodies(run);
            let digests = bodies.iter().flatten().map(|(digest, _)| store.body(run, *digest)).collect::<Vec<_>>();
            let pages = [(0, 99), (0, 2), (2, 2), (3, 1)].map(|(after, limit)| store.records(run, Seq(after), limit));
            (pages, bodies, digests, store.inbox(run, 0), store.inbox(run, 2))
        })
        .collect();
    (rows, runs)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn all_stores_answer_alike(groups in proptest::collection::vec(proptest::collection::vec(moves(), 1..6), 1..12)) {
        let mut stages = STORES.map(|(_, new)| new());
        // The third owner is dead from the start.
        let owners = stages.each_mut().map(|stage| {
            let owners = [stage.owner_comes(), stage.owner_comes(), stage.owner_comes()];
            stage.owner_dies(owners[2]);
            owners
        });
        for group in groups {
            let answers: Vec<_> = stages.iter().zip(&owners).map(|(stage, owners)| {
                let ops: Vec<_> = group.iter().map(|step| op(stage, owners, step)).collect();
                (stage.store().commit(&ops), all(stage.store()))
            }).collect();
            for ((answer, held), (store, _)) in answers.iter().zip(STORES).skip(1) {
                prop_assert_eq!(&answers[0].0, answer, "{}", store);
                prop_assert!(answers[0].1 == *held, "{store} holds the same");
            }
        }
    }
}
