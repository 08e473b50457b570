//! What a text says, in every language that people write to customers in: its words without disguises, its links, tags,
//! blanks and numbers, and what is found wrong in it. Rules that people declare and `campaign_qa` read texts by it alike.

pub mod fold;
pub mod found;
pub mod link;
pub mod moment;
pub mod number;
pub mod tag;
pub mod text;
pub mod words;
pub mod written;
