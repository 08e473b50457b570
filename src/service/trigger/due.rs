//! When a trigger with a cron pattern is due, in the project's time zone. A time in the hour that daylight saving skips is due
//! when that hour would have begun; a time in the hour that it repeats is due once, the first time, unless the pattern is
//! of every hour, or of every so many.

use croner::Cron;
use jiff::Zoned;
use jiff::tz::TimeZone;

use crate::id::Timestamp;
use crate::topology::trigger::{Period, cron};

/// The times of a pattern in a zone.
pub struct Times {
    cron: Cron,
    zone: TimeZone,
}

impl Times {
    /// Those of `pattern`, in UTC if there is no zone of this name; none if it is no pattern.
    pub fn of(pattern: &str, zone: &str) -> Option<Self> {
        Some(Self { cron: cron(pattern).ok()?, zone: named(zone) })
    }

    /// The last one at or before `now`.
    pub fn last(&self, now: Timestamp) -> Option<Timestamp> {
        let last = self.cron.find_previous_occurrence(&self.second(now)?, true).ok()?;
        Some(Timestamp(last.timestamp().as_millisecond()))
    }

    /// The first one after `now`.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let next = self.cron.find_next_occurrence(&self.second(now)?, false).ok()?;
        Some(Timestamp(next.timestamp().as_millisecond()))
    }

    /// The whole second that it is.
    fn second(&self, at: Timestamp) -> Option<Zoned> {
        Some(jiff::Timestamp::from_second(at.0.div_euclid(1_000)).ok()?.to_zoned(self.zone.clone()))
    }
}

/// The time in a zone; in UTC if there is none of this name.
pub fn zoned(at: Timestamp, zone: &str) -> Option<Zoned> {
    Some(jiff::Timestamp::from_millisecond(at.0).ok()?.to_zoned(named(zone)))
}

fn named(zone: &str) -> TimeZone {
    TimeZone::get(zone).unwrap_or(TimeZone::UTC)
}

/// The part of the calendar in which `at` is, as it is written; with `last`, the one before.
pub fn period(at: &Zoned, period: Period, last: bool) -> Option<String> {
    let date = at.date();
    let quarter = |date: jiff::civil::Date| (date.month() - 1) / 3 + 1;
    let date = match (period, last) {
        (_, false) => date,
        (Period::Day, true) => date.yesterday().ok()?,
        (Period::Week, true) => date.checked_sub(jiff::Span::new().weeks(1)).ok()?,
        (Period::Month, true) => date.first_of_month().yesterday().ok()?,
        (Period::Quarter, true) => {
            jiff::civil::Date::new(date.year(), quarter(date) * 3 - 2, 1).ok()?.yesterday().ok()?
        }
        (Period::Year, true) => date.first_of_year().yesterday().ok()?,
    };
    Some(match period {
        Period::Day => date.to_string(),
        Period::Week => {
            let week = date.iso_week_date();
            format!("{:04}-W{:02}", week.year(), week.week())
        }
        Period::Month => format!("{:04}-{:02}", date.year(), date.month()),
        Period::Quarter => format!("{:04}-Q{}", date.year(), quarter(date)),
        Period::Year => format!("{:04}", date.year()),
    })
}
