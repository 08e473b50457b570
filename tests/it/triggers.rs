//! Triggers: what is due starts one run, whoever looks, however often, and whenever the process dies. The clock is set; nobody
//! waits for a Monday.

mod asked;
mod at_times;
mod following;
mod stage;
mod when;
