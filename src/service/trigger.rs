//! What starts runs without a person, while a server runs. A trigger starts runs and does nothing else: what they do needs the
//! same approvals as always. What a firing came to is settled in the journal together with the run's first record, so that
//! it starts one run, whoever looks and whenever they die.

pub mod due;
pub mod fire;
pub mod given;
pub mod hook;
pub mod list;
