//! Hours in which no mail leaves, and the time of the day at which mails of later days do, as the file says them, and as the run keeps
//! them: with how the clocks of the project's zone are set.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::id;
use crate::topology::quiet::Quiet;
use crate::topology::wall::{Clocks, Hour};

/// The years of which it is known how clocks are set: more than any run lives.
const YEARS: (&str, &str) = ("2020-01-01T00:00:00Z", "2060-01-01T00:00:00Z");

/// When no mail leaves.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// The time of the day at which they begin, such as `20:00`.
    pub from: Option<String>,
    /// The time at which they end, such as `08:00`; on the next day, if that is earlier.
    pub until: Option<String>,
    /// Days that are quiet as a whole.
    #[serde(default)]
    pub days: Vec<Day>,
}

/// A day of the week.
// In this order, since a day is kept as its number: Monday is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl QuietHours {
    /// What they are in `zone`.
    ///
    /// # Errors
    /// If they are no times of a day, leave no time, or are none.
    pub(super) fn read(&self, zone: &str) -> Result<Quiet, String> {
        let (from_min, until_min) = match (&self.from, &self.until) {
            (Some(from), Some(until)) => (minute("quiet_hours: from", from)?, minute("quiet_hours: until", until)?),
            (None, None) => (0, 0),
            (Some(_), None) => return Err("quiet_hours has `from` without `until`: write both".to_owned()),
            (None, Some(_)) => return Err("quiet_hours has `until` without `from`: write both".to_owned()),
        };
        if self.from.is_some() && from_min == until_min {
            return Err("quiet_hours ends when it begins: write another time as `until`".to_owned());
        }
        let days: std::collections::BTreeSet<u8> = self.days.iter().map(|day| *day as u8).collect();
        if self.from.is_none() && days.is_empty() {
            return Err("quiet_hours names no time: write from = \"20:00\" and until = \"08:00\", or days".to_owned());
        }
        if days.len() == 7 {
            return Err("quiet_hours leaves no day on which a mail could leave".to_owned());
        }
        Ok(Quiet { from_min, until_min, days, clocks: clocks(zone)? })
    }
}

/// The time of the day `at` in `zone`.
///
/// # Errors
/// If it is no time of a day, or one at which nothing leaves.
pub(super) fn hour(at: &str, zone: &str, quiet: Option<&Quiet>) -> Result<Hour, String> {
    let at_min = minute("at", at)?;
    if quiet.is_some_and(|quiet| quiet.is_at(at_min)) {
        return Err(format!(
            "at is {at:?}, which lies in quiet_hours, in which no mail leaves: write a time outside them"
        ));
    }
    Ok(Hour { at_min, clocks: clocks(zone)? })
}

/// The minute of the day that `text` says; `key` is where it stands.
fn minute(key: &str, text: &str) -> Result<u16, String> {
    let is_written_so = text.len() == 5 && text.as_bytes()[2] == b':';
    let time = Time::strptime("%H:%M", text).ok().filter(|_| is_written_so);
    let time = time.ok_or_else(|| format!("{key} is {text:?}, and a time is written as \"20:00\""))?;
    Ok(u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs()))
}

/// The clocks of a zone.
fn clocks(zone: &str) -> Result<Clocks, String> {
    let tz = TimeZone::get(zone).map_err(|why| why.to_string())?;
    let parse = |text: &str| text.parse::<Timestamp>().map_err(|why| why.to_string());
    let (first, last) = (parse(YEARS.0)?, parse(YEARS.1)?);
    let begin = (id::Timestamp(first.as_millisecond()), tz.to_offset(first).seconds());
    let later = tz.following(first).take_while(|change| change.timestamp() < last);
    let later = later.map(|change| (id::Timestamp(change.timestamp().as_millisecond()), change.offset().seconds()));
    Ok(Clocks { zone: zone.to_owned(), offsets: std::iter::once(begin).chain(later).collect() })
}
