//! What people do with a project and its runs, as functions with typed results: the layer on which every face stands. It
//! chooses runs, waits for answers, and knows who may do what; words, colours and what to type next are a face's.

pub mod act;
pub mod answer;
pub mod attached;
pub mod attend;
pub mod audit;
pub mod change;
pub mod comment;
pub mod edit;
pub mod error;
pub mod follow;
pub mod form;
pub mod ledger;
pub mod letter;
pub mod list;
pub mod note;
pub mod overview;
pub mod project;
pub mod reading;
pub mod review;
pub mod single;
pub mod start;
pub mod story;
pub mod test;
pub mod thread;
pub mod tools;
pub mod trigger;
pub mod unused;
