//! Budgets in the core alone, with many calls under way at once.

mod crew;
mod interleavings;
mod ledger;
