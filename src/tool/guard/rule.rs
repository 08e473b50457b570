//! A rule as `[checks.NAME.rules.RULE]` says it: what is looked at, what has to hold, what follows if it does not, and
//! examples of both.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::check::Level;
use crate::id::ToolName;

/// What `[checks.NAME]` says of a check that a project declares itself.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Tools that act on the world: the rules hold for the final bytes of all that they would do, too.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub leaving: Vec<ToolName>,
    /// Each by its name.
    pub rules: BTreeMap<String, Rule>,
}

/// A rule.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What has to hold.
    pub kind: Kind,
    /// Counted up by whoever changes it; shown to reviewers.
    #[serde(default = "first")]
    pub version: u32,
    /// What follows if it does not hold.
    pub on_fail: OnFail,
    /// Names of the fields that are looked at, wherever they stand; all texts if none is named.
    #[serde(default)]
    pub fields: Vec<String>,
    /// A list of the artefact, such as "mails": the rule holds for each of its items by itself.
    pub each: Option<String>,
    /// Of what leaves, only what is of these kinds, such as "message/rfc822".
    #[serde(default)]
    pub media: Vec<String>,
    /// What the rule finds nothing in.
    pub passes: Vec<Example>,
    /// What the rule finds something in.
    pub fails: Vec<Example>,
    /// Words or phrases; a `*` at an end lets the word go on.
    pub terms: Option<Vec<String>>,
    /// Hosts that links may lead to, each exactly.
    pub link_hosts: Option<Vec<String>>,
    /// Whether links need utm_source, utm_medium and utm_campaign.
    pub utm: Option<bool>,
    /// Merge tags that may stand there, each with a fallback.
    pub merge_tags: Option<Vec<String>>,
    /// Merge tags that always have a value.
    pub platform_tags: Option<Vec<String>>,
    /// Least characters of a field.
    pub chars_min: Option<usize>,
    /// Most characters of a field.
    pub chars_max: Option<usize>,
    /// Most words of a field.
    pub words_max: Option<usize>,
    /// Highest percentage, such as a discount.
    pub percent_max: Option<f64>,
    /// Lowest price.
    pub price_min: Option<f64>,
    /// Highest price.
    pub price_max: Option<f64>,
    /// Lowest number in the named fields.
    pub value_min: Option<f64>,
    /// Highest number in the named fields.
    pub value_max: Option<f64>,
    /// Forms of personal data; all of them if none is named.
    pub patterns: Option<Vec<Pattern>>,
    /// Columns of rows that the run read, whose values may not stand there.
    pub columns: Option<Vec<String>>,
    /// What is allowed all the same, such as the sender's own address.
    pub allowed: Option<Vec<String>>,
    /// Most people that one item reaches.
    pub recipients_max: Option<u64>,
}

fn first() -> u32 {
    1
}

/// What a rule holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// None of `terms` stands there.
    Banned,
    /// All of `terms` stand there.
    Required,
    /// One of `terms` stands there: a link or a tag by which one leaves the list.
    Unsubscribe,
    /// All of `terms` stand there, whatever parts their lines: the sender's postal address.
    PostalAddress,
    /// Links are https, lead to `link_hosts`, and can be told apart afterwards.
    Links,
    /// No blank, no note to oneself, no unknown tag is left over.
    Placeholders,
    /// Fields are as long as they may be.
    Length,
    /// Subjects are there, not too long, and do not shout.
    Subject,
    /// Percentages, prices and numbers stay within limits.
    Limit,
    /// Nothing personal stands there: by form, or because the run read it in rows.
    Personal,
    /// No item reaches more people.
    Audience,
}

/// What follows if a rule does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFail {
    /// It is refused, and the work stops there for a person to look at.
    Block,
    /// Its writer is asked again, with the reason.
    Repair,
    /// A person has to accept it by the rule's name when they approve.
    Gate,
    /// Reviewers are told.
    Warn,
}

impl OnFail {
    /// How bad a finding is.
    pub fn level(self) -> Level {
        match self {
            Self::Block => Level::Block,
            Self::Repair => Level::Must,
            Self::Gate => Level::Gate,
            Self::Warn => Level::Should,
        }
    }

    /// The word for it in files and output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Repair => "repair",
            Self::Gate => "gate",
            Self::Warn => "warn",
        }
    }
}

/// A form of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// `ana@example.com`
    Email,
    /// `+49 30 1234567`
    Phone,
    /// An account, whose check digits are right.
    Iban,
    /// A card, whose check digit is right.
    Card,
}

impl Pattern {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Email, Self::Phone, Self::Iban, Self::Card];
}

/// What a rule is tried on.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Example {
    /// A text, in the first of the rule's fields.
    Text(String),
    /// How many people it reaches, or a number in the first of the rule's fields.
    Number(f64),
    /// An artefact; `rows` in it are rows that the run read.
    Body(BTreeMap<String, Value>),
}

impl Kind {
    /// The word for it in files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Banned => "banned",
            Self::Required => "required",
            Self::Unsubscribe => "unsubscribe",
            Self::PostalAddress => "postal_address",
            Self::Links => "links",
            Self::Placeholders => "placeholders",
            Self::Length => "length",
            Self::Subject => "subject",
            Self::Limit => "limit",
            Self::Personal => "personal",
            Self::Audience => "audience",
        }
    }

    /// Keys beside those of every rule, and whether at least one of them has to be there.
    pub fn keys(self) -> (&'static [&'static str], bool) {
        match self {
            Self::Banned | Self::Required | Self::Unsubscribe | Self::PostalAddress => (&["terms"], true),
            Self::Links => (&["link_hosts", "utm"], false),
            Self::Placeholders => (&["merge_tags", "platform_tags"], false),
            Self::Length => (&["chars_min", "chars_max", "words_max"], true),
            Self::Subject => (&["chars_max"], false),
            Self::Limit => (&["percent_max", "price_min", "price_max", "value_min", "value_max"], true),
            Self::Personal => (&["patterns", "columns", "allowed"], false),
            Self::Audience => (&["recipients_max"], true),
        }
    }
}

/// Keys that every rule may have.
pub(super) const OF_ALL: [&str; 8] = ["kind", "version", "on_fail", "fields", "each", "media", "passes", "fails"];
