//! A seeded workload: groups of writes, what each is to be answered, and what the journal holds after each group.
//! The expectations come from the store in memory, which has nothing in common with SQLite.

use callsheet::id::{ApprovalNo, Digest, Epoch, RunId, Seq, Timestamp};
use callsheet::journal::memory::Memory;
use callsheet::journal::{
    Batch, Body, Claiming, Done, Error, Head, NewRun, Op, OwnerId, Posted, Query, Record, RunRow, Store, Summary,
};
use uuid::Uuid;

use crate::random::Random;

/// Runs in a workload.
pub const RUNS: usize = 3;

/// Groups of writes with their expectations.
#[derive(Debug)]
pub struct Workload {
    /// The groups, one commit each.
    pub groups: Vec<Vec<Op>>,
    /// What each group is answered.
    pub answers: Vec<Vec<Result<Done, Error>>>,
    /// What the journal holds before the first group and after each.
    pub states: Vec<State>,
    /// The blobs that it pins.
    pub blobs: Vec<Digest>,
}

/// All that a journal holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Every run, newest first.
    pub runs: Vec<Held>,
    /// The runs of the approval numbers.
    pub approvals: Vec<RunId>,
    /// The blobs that were asked for.
    pub blobs: Vec<Option<Vec<u8>>>,
}

/// All of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its row.
    pub row: RunRow,
    /// Its records.
    pub records: Vec<Record>,
    /// Its inbox.
    pub inbox: Vec<Posted>,
    /// Its bodies.
    pub bodies: Vec<Option<Body>>,
}

impl State {
    /// What `store` holds.
    pub fn of(store: &dyn Store, blobs: &[Digest]) -> Result<Self, Error> {
        let held = |row: RunRow| {
            let digests = store.bodies(row.id)?;
            let bodies = digests.iter().map(|(digest, _)| store.body(row.id, *digest)).collect::<Result<_, _>>()?;
            Ok::<_, Error>(Held {
                records: store.records(row.id, Seq(0), 10_000)?,
                inbox: store.inbox(row.id, 0)?,
                bodies,
                row,
            })
        };
        let runs = store.runs(&Query::default())?.into_iter().map(held).collect::<Result<_, _>>()?;
        let mut approvals = Vec::new();
        let taken_for = |number| store.runs(&Query { approval: Some(ApprovalNo(number)), ..Query::default() });
        while let Some(row) = taken_for(approvals.len() as u64 + 1)?.pop() {
            approvals.push(row.id);
        }
        let blobs = blobs.iter().map(|digest| store.blob(*digest)).collect::<Result<_, _>>()?;
        Ok(Self { runs, approvals, blobs })
    }
}

impl Workload {
    /// The workload of `seed`, of so many groups.
    pub fn new(seed: u64, groups: usize) -> Self {
        let mut draw = Draw { random: Random::new(seed), places: [(0, 0); RUNS], drawn: 0 };
        let blobs = (0..RUNS).map(|run| digest_of(&blob(run))).collect::<Vec<_>>();
        let oracle = Memory::new();
        let state = |oracle| State::of(oracle, &blobs).unwrap_or_else(|error| panic!("the oracle reads: {error}"));
        let (mut drawn, mut answers, mut states) = (Vec::new(), Vec::new(), vec![state(&oracle)]);
        for number in 0..groups {
            let group = draw.group(number);
            answers.push(oracle.commit(&group));
            states.push(state(&oracle));
            drawn.push(group);
        }
        Self { groups: drawn, answers, states, blobs }
    }

    /// Commits the groups from `from` on; an answer other than the expected one is the error.
    pub fn go_on(&self, store: &dyn Store, from: usize) -> Result<(), String> {
        for number in from..self.groups.len() {
            let answers = store.commit(&self.groups[number]);
            if answers != self.answers[number] {
                return Err(format!("group {number} was answered {answers:?}, not {:?}", self.answers[number]));
            }
        }
        Ok(())
    }

    /// How many groups `state` holds, which is `acknowledged` or, if one was on its way, one more.
    pub fn holds(&self, state: &State, acknowledged: usize) -> Result<usize, String> {
        let on_its_way = (acknowledged + 1).min(self.groups.len());
        if let Some(groups) = (acknowledged..=on_its_way).rev().find(|groups| self.states[*groups] == *state) {
            return Ok(groups);
        }
        match self.states.iter().position(|earlier| earlier == state) {
            Some(groups) => Err(format!("{acknowledged} groups were acknowledged and {groups} are there")),
            None => Err(format!("{acknowledged} groups were acknowledged; what is there was never written so")),
        }
    }
}

/// A run's id.
pub fn run_id(run: usize) -> RunId {
    RunId(Uuid::from_u128(0x1000 + run as u128))
}

/// The blob that a run pins.
pub fn blob(run: usize) -> Vec<u8> {
    vec![b'a' + run as u8; 1_000 + 3_000 * run]
}

/// The digest by which its reader knows a blob.
pub fn digest_of(blob: &[u8]) -> Digest {
    Digest::of("callsheet lab blob 1", &[blob])
}

struct Draw {
    random: Random,
    // The last record and the epoch of each run.
    places: [(u64, u64); RUNS],
    drawn: u64,
}

impl Draw {
    fn group(&mut self, number: usize) -> Vec<Op> {
        if number < RUNS {
            let new = NewRun {
                id: run_id(number),
                topology: "re-engagement".to_owned(),
                at: self.now(),
                owner: owner(0),
                blobs: vec![(digest_of(&blob(number)), blob(number))],
            };
            self.places[number] = (0, 1);
            let first = self.batch(number);
            return vec![Op::Create(new, first), Op::Number { run: run_id(number) }];
        }
        (0..1 + self.random.below(3)).map(|_| self.op()).collect()
    }

    fn op(&mut self) -> Op {
        let index = self.random.below(RUNS);
        let run = run_id(index);
        match self.random.below(100) {
            0..60 => Op::Append(self.batch(index)),
            60..80 => {
                // Now and then an id that was posted before.
                let id = Uuid::from_u128(if self.random.below(4) == 0 { 1 } else { self.random.number().into() });
                let json = vec![b'p'; self.random.below(400)];
                Op::Post { run, id, json, at: self.now() }
            }
            80..88 => {
                self.places[index].1 += 1;
                Op::Claim { run, owner: owner(self.drawn), how: Claiming::TakeOver }
            }
            88..91 => Op::Release { run, epoch: Epoch(self.places[index].1) },
            91..95 => Op::Number { run },
            95..98 => {
                // A zombie's: refused, beside writes that are not.
                let (last, _) = self.places[index];
                let mut batch = self.batch(index);
                batch.epoch = Epoch(0);
                self.places[index].0 = last;
                Op::Append(batch)
            }
            _ => Op::Number { run: RunId(Uuid::nil()) },
        }
    }

    fn batch(&mut self, index: usize) -> Batch {
        let (after, epoch) = self.places[index];
        let heads: Vec<_> = (0..1 + self.random.below(3)).map(|_| self.head()).collect();
        self.places[index].0 += heads.len() as u64;
        let bodies = if self.random.below(2) == 0 { vec![] } else { vec![self.body()] };
        Batch {
            run: run_id(index),
            after: Seq(after),
            epoch: Epoch(epoch),
            heads,
            bodies,
            summary: Summary { status: "running".to_owned(), steps: self.drawn, ..Summary::default() },
            at: self.now(),
            release: false,
        }
    }

    fn head(&mut self) -> Head {
        let json = format!("{{\"n\":{},\"text\":\"{}\"}}", self.drawn, "t".repeat(self.random.below(200)));
        self.drawn += 1;
        Head { kind: "noted".to_owned(), version: 1, json: json.into_bytes() }
    }

    fn body(&mut self) -> Body {
        // Some of them fill pages of their own.
        let size = if self.random.below(4) == 0 { 6_000 } else { self.random.below(600) };
        let byte = self.random.number() as u8;
        Body::new([byte; 16], vec![byte; size])
    }

    fn now(&mut self) -> Timestamp {
        self.drawn += 1;
        Timestamp(1_000 + self.drawn as i64)
    }
}

fn owner(number: u64) -> OwnerId {
    OwnerId(Uuid::from_u128(0x2000 + u128::from(number)))
}
