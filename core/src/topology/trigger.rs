//! What starts runs of a topology without a person: a time, the end of another run, a signed request. It starts runs and does
//! nothing else; what they do needs the same approvals as always.

use std::collections::BTreeMap;

use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A trigger that was checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    /// Its name in the file of its topology.
    pub name: String,
    /// When it fires.
    pub when: When,
    /// What becomes of a firing while the run that it started last is not over.
    pub overlap: Overlap,
    /// Where the values of parameters come from; those that are left out are the topology's defaults.
    pub params: BTreeMap<String, Given>,
}

/// When a trigger fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// At times of a pattern, in the project's time zone.
    Cron {
        /// Minute, hour, day of month, month, day of week.
        pattern: String,
        /// What becomes of a time at which no server ran.
        missed: Missed,
    },
    /// When a run of this topology is done.
    After(String),
    /// When a signed request comes.
    Webhook {
        /// The environment variable that holds the key.
        key_env: String,
    },
}

/// What becomes of times at which no server ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// One run for all of them, as of the last.
    #[default]
    Once,
    /// Nothing.
    Skip,
}

/// What becomes of a firing while the run that its trigger started last is not over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It waits until that run is over.
    #[default]
    Wait,
    /// Nothing is started.
    Skip,
    /// It starts beside that run.
    Start,
}

/// Where the value of a parameter comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Given {
    /// This value.
    Value(Value),
    /// The last whole day, week, month, quarter or year before the firing.
    Last(Period),
    /// The one in which the firing is.
    This(Period),
    /// What a JSON pointer finds in what came: a body, or what reached the end of the run before.
    From(String),
}

/// A part of the calendar; how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// `2026-11-27`
    Day,
    /// `2026-W48`
    Week,
    /// `2026-11`
    Month,
    /// `2026-Q4`
    Quarter,
    /// `2026`
    Year,
}

/// What the fields of a pattern are, and what each takes.
const FIELDS: [(&str, &str); 5] = [
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31"),
    ("month", "1 to 12, or JAN to DEC"),
    ("day of the week", "0 to 7, or SUN to SAT"),
];

/// Reads a pattern of five fields.
///
/// # Errors
/// What is wrong with it, and what to write instead.
pub fn cron(pattern: &str) -> Result<Cron, (String, String)> {
    const EXAMPLE: &str = "such as \"0 9 * * MON\" for Mondays at nine";
    let fields: Vec<&str> = pattern.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        let what = format!("{pattern:?} has {} fields", fields.len());
        let names = FIELDS.map(|(name, _)| name).join(", ");
        return Err((what, format!("write five: {names}, {EXAMPLE}")));
    }
    if let Ok(cron) = parsed(pattern) {
        // A leap year has every day that there is.
        let start = jiff::civil::date(2024, 1, 1).at(0, 0, 0, 0);
        return match cron.find_next_occurrence(&start, true) {
            Ok(_) => Ok(cron),
            Err(_) => Err((format!("{pattern:?} is never due"), format!("write a day that there is, {EXAMPLE}"))),
        };
    }
    let alone = |place: usize| {
        let mut others = ["*"; 5];
        others[place] = fields[place];
        parsed(&others.join(" ")).is_err()
    };
    match (0..FIELDS.len()).find(|place| alone(*place)) {
        Some(place) => {
            let (name, range) = FIELDS[place];
            let what = format!("{:?} is no {name}", fields[place]);
            Err((what, format!("the {name} is {range}, a list or a range of these, *, or */2")))
        }
        None => Err((format!("{pattern:?} cannot be read"), format!("write five fields, {EXAMPLE}"))),
    }
}

/// A pattern whose seconds and years are nobody's choice.
fn parsed(pattern: &str) -> Result<Cron, CronError> {
    CronParser::builder().seconds(Seconds::Disallowed).year(Year::Optional).build().parse(pattern)
}
