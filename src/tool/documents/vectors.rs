//! The vectors of an index: one for each text that a part has, of one model. They are compared one by one: a folder has few
//! enough parts for that, and nothing has to be kept in step with the documents but rows of the same file.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

use rusqlite::{OptionalExtension as _, params};

use super::index::{Index, engine};
use crate::failure::{Class, Failure};

/// How far down a part may stand in one of two orders and still count.
pub(super) const RANKS_MAX: usize = 100;
/// How little the first places of an order count for more than those behind them, as in the paper of reciprocal rank fusion.
const RANK_OFFSET: f64 = 60.0;

/// Forgets all vectors, and whose they are.
const FORGET: &str = "BEGIN IMMEDIATE; DELETE FROM vectors; DELETE FROM embedded; COMMIT;";

/// A text that has no vector yet.
pub(super) struct Lacking {
    pub(super) digest: Vec<u8>,
    pub(super) text: String,
}

impl Index {
    /// Forgets vectors of another model, and those of texts that no document has any more.
    pub(super) fn keep_vectors_of(&self, model: &str) -> Result<(), Failure> {
        let keep = || {
            let was = "SELECT model FROM embedded";
            let was: Option<String> = self.connection.query_row(was, [], |row| row.get(0)).optional()?;
            if was.is_some_and(|was| was != model) {
                self.connection.execute_batch(FORGET)?;
            }
            self.connection.execute("DELETE FROM vectors WHERE digest NOT IN (SELECT digest FROM parts)", [])
        };
        keep().map(drop).map_err(|why| engine(&why))
    }

    /// How many texts there are, and how many of them have a vector.
    pub(super) fn embedded(&self) -> Result<(usize, usize), Failure> {
        let count = |sql: &str| self.connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        let both = || {
            let all = count("SELECT count(DISTINCT digest) FROM parts")?;
            let have = count("SELECT count(*) FROM vectors WHERE digest IN (SELECT digest FROM parts)")?;
            Ok((usize::try_from(all).unwrap_or_default(), usize::try_from(have).unwrap_or_default()))
        };
        both().map_err(|why| engine(&why))
    }

    /// Some of the texts without a vector, in the order of the documents.
    pub(super) fn lacking(&self, most: usize) -> Result<Vec<Lacking>, Failure> {
        let some = || {
            let sql = "SELECT p.digest, p.text FROM parts p WHERE NOT EXISTS \
                       (SELECT 1 FROM vectors v WHERE v.digest = p.digest) GROUP BY p.digest ORDER BY min(p.id) LIMIT ?1";
            let mut some = self.connection.prepare_cached(sql)?;
            let rows = some.query_map([i64::try_from(most).unwrap_or(i64::MAX)], |row| {
                Ok(Lacking { digest: row.get(0)?, text: row.get(1)? })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        some().map_err(|why| engine(&why))
    }

    /// Keeps what `model` made of these texts.
    pub(super) fn put_vectors(&mut self, model: &str, of: &[Lacking], vectors: &[Vec<f32>]) -> Result<(), Failure> {
        let dimension = vectors.first().map_or(0, Vec::len);
        self.fits(model, dimension)?;
        let mut put = || {
            let change = self.connection.transaction()?;
            let known = "INSERT OR IGNORE INTO embedded (one, model, dimension) VALUES (1, ?1, ?2)";
            change.execute(known, params![model, i64::try_from(dimension).unwrap_or_default()])?;
            for (lacking, vector) in of.iter().zip(vectors) {
                let sql = "INSERT OR REPLACE INTO vectors (digest, vector) VALUES (?1, ?2)";
                change.prepare_cached(sql)?.execute(params![lacking.digest, bytes(&unit(vector))])?;
            }
            change.commit()
        };
        put().map_err(|why| engine(&why))
    }

    /// Whether vectors of this length can be compared with those that are there. If its model has changed under its name,
    /// they are forgotten.
    fn fits(&self, model: &str, dimension: usize) -> Result<(), Failure> {
        let was = || {
            let sql = "SELECT dimension FROM embedded";
            self.connection.query_row(sql, [], |row| row.get::<_, i64>(0)).optional()
        };
        let was = was().map_err(|why| engine(&why))?.and_then(|was| usize::try_from(was).ok());
        let Some(was) = was.filter(|was| *was != dimension) else { return Ok(()) };
        self.connection.execute_batch(FORGET).map_err(|why| engine(&why))?;
        let why = format!(
            "{model} gives vectors of {dimension} numbers, and those of the index have {was}: they are made anew from the next \
             search on"
        );
        Err(Failure::new(Class::Invalid, why))
    }

    /// The parts that are nearest to a vector of `model`, the nearest first.
    pub(super) fn nearest(&self, model: &str, to: &[f32], most: usize) -> Result<Vec<i64>, Failure> {
        self.fits(model, to.len())?;
        let to = unit(to);
        let nearest = || {
            let sql = "SELECT p.id, v.vector FROM parts p JOIN vectors v ON v.digest = p.digest";
            let mut all = self.connection.prepare_cached(sql)?;
            let mut rows = all.query([])?;
            let mut best = BinaryHeap::with_capacity(most + 1);
            while let Some(row) = rows.next()? {
                let vector = row.get_ref(1)?.as_blob()?;
                best.push(Near { score: dot(&to, vector), part: row.get(0)? });
                if best.len() > most {
                    // The worst one of a heap that has the worst on top.
                    best.pop();
                }
            }
            Ok::<_, rusqlite::Error>(best.into_sorted_vec().into_iter().map(|near| near.part).collect())
        };
        nearest().map_err(|why| engine(&why))
    }
}

/// A part, the better the less it is: the worst is the greatest.
#[derive(PartialEq)]
struct Near {
    score: f32,
    part: i64,
}

impl Eq for Near {}

impl Ord for Near {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then(self.part.cmp(&other.part))
    }
}

impl PartialOrd for Near {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Two orders of parts as one, by reciprocal rank fusion: what stands high in both stands first.
pub(super) fn fused(orders: [&[i64]; 2], most: usize) -> Vec<i64> {
    let mut scores: BTreeMap<i64, f64> = BTreeMap::new();
    for order in orders {
        for (rank, part) in (1_u32..).zip(order) {
            *scores.entry(*part).or_default() += 1.0 / (RANK_OFFSET + f64::from(rank));
        }
    }
    let mut parts: Vec<(i64, f64)> = scores.into_iter().collect();
    parts.sort_by(|(a, one), (b, other)| other.total_cmp(one).then(a.cmp(b)));
    parts.into_iter().take(most).map(|(part, _)| part).collect()
}

/// A vector of length one in its direction: then a product says how near two are.
fn unit(vector: &[f32]) -> Vec<f32> {
    let length = vector.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
    #[expect(clippy::cast_possible_truncation, reason = "a part of a length of one is a small number")]
    vector.iter().map(|number| (f64::from(*number) / length) as f32).collect()
}

fn bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// The product of a vector and one that was kept.
fn dot(to: &[f32], kept: &[u8]) -> f32 {
    let (kept, _) = kept.as_chunks::<4>();
    // Sums that do not wait for each other.
    let mut sums = [0.0_f32; 8];
    let (mut left, mut right) = (to.chunks_exact(8), kept.chunks_exact(8));
    for (a, b) in left.by_ref().zip(right.by_ref()) {
        for (nth, sum) in sums.iter_mut().enumerate() {
            *sum += a[nth] * f32::from_le_bytes(b[nth]);
        }
    }
    let rest = left.remainder().iter().zip(right.remainder());
    sums.iter().sum::<f32>() + rest.map(|(a, b)| a * f32::from_le_bytes(*b)).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::{bytes, dot, fused, unit};

    #[test]
    fn a_product_is_that_of_the_numbers() {
        let a: Vec<f32> = (0..19_u8).map(f32::from).collect();
        let b: Vec<f32> = (0..19_u8).map(|n| f32::from(n) * 0.5).collect();
        let wanted: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
        assert!((dot(&a, &bytes(&b)) - wanted).abs() < 1e-3);
        let one = unit(&a);
        assert!((dot(&one, &bytes(&one)) - 1.0).abs() < 1e-5);
    }

    #[test]
    fn what_stands_high_in_both_orders_stands_first() {
        assert_eq!(fused([&[1, 2, 3], &[3, 4, 1]], 9), [1, 3, 2, 4]);
        assert_eq!(fused([&[1, 2], &[]], 1), [1]);
        assert_eq!(fused([&[], &[7, 5]], 9), [7, 5]);
    }
}
