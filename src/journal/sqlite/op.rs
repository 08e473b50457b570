//! One op at a time: which part of the journal it is for.

use rusqlite::Connection;

use crate::journal::{Done, Op};

use super::fault::Fault;
use super::write::Living;
use super::{firing, write};

/// Writes `op`.
pub(super) fn apply(connection: &Connection, op: &Op, living: Living<'_>) -> Result<Done, Fault> {
    match op {
        Op::Create(new, batch) => write::create(connection, new, batch),
        Op::Fire(fired, new, batch) => firing::fire(connection, fired, new, batch),
        Op::Note(noted) => firing::note(connection, noted),
        Op::Watch(watch) => firing::watch(connection, watch),
        Op::Claim { run, owner, how } => write::claim(connection, *run, *owner, *how, living),
        Op::Release { run, epoch } => write::release(connection, *run, *epoch),
        Op::Append(batch) => write::append(connection, batch),
        Op::Post { run, id, json, at } => write::post(connection, *run, *id, json, *at),
        Op::Number { run } => write::number(connection, *run),
    }
}
