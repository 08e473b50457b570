//! Two owners of one run in one file: each has a store of its own, as two processes have.

use callsheet::id::{Epoch, Seq};
use callsheet::journal::sqlite::{Open, Sqlite};
use callsheet::journal::{Batch, Claiming, Done, Error, Moved, Op, OwnerId, Store as _};
use callsheet_lab::workload::{Workload, run_id};
use uuid::Uuid;

#[test]
fn a_zombie_is_refused_after_a_take_over() {
    let folder = callsheet_lab::folder().unwrap();
    let path = folder.path().join("journal.db");
    let before = Sqlite::open(&path, Open::ReadWrite).unwrap();
    let after = Sqlite::open(&path, Open::ReadWrite).unwrap();
    let workload = Workload::new(7, 1);
    workload.go_on(&before, 0).unwrap();
    let Op::Create(_, first) = &workload.groups[0][0] else { panic!("the first creates") };
    let last = Seq(first.heads.len() as u64);
    let append = |epoch| Op::Append(Batch { after: last, epoch: Epoch(epoch), ..first.clone() });
    let owner = OwnerId(Uuid::from_u128(9));
    let claimed = after.commit(&[Op::Claim { run: run_id(0), owner, how: Claiming::TakeOver }]);
    assert_eq!(claimed, [Ok(Done::Claimed(Epoch(2)))]);
    assert_eq!(before.commit(&[append(1)]), [Err(Error::Conflict(Moved { last, epoch: Epoch(2) }))]);
    let end = Seq(last.0 * 2);
    assert_eq!(after.commit(&[append(2)]), [Ok(Done::Appended(end))]);
    assert_eq!(before.commit(&[append(2)]), [Err(Error::Conflict(Moved { last: end, epoch: Epoch(2) }))]);
    assert_eq!(before.records(run_id(0), Seq(0), 100).unwrap().len() as u64, end.0);
}
