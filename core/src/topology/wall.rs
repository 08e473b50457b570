//! What clocks on the wall of one place show, and a time of the day on them. How these clocks were set when is told, so that this
//! computes and looks at nothing.

use serde::{Deserialize, Serialize};

use crate::id::Timestamp;

/// A minute, in seconds.
pub(super) const MINUTE_S: i64 = 60;
/// A day, in seconds.
pub(super) const DAY_S: i64 = 86_400;
const DAY_MS: u64 = 86_400_000;
/// More days than anything waits, and few enough to count with.
const DAYS_MAX: i64 = 1_000_000;

/// The clocks of one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clocks {
    /// The time zone of the place.
    pub zone: String,
    /// From when on its clocks showed how many seconds more than UTC; the earliest first.
    pub offsets: Vec<(Timestamp, i32)>,
}

impl Clocks {
    /// What they show at `at`, in seconds since 1970 began there.
    pub(super) fn shown_s(&self, at: Timestamp) -> i64 {
        at.0.div_euclid(1_000) + self.offset_s(at)
    }

    /// How many seconds more than UTC they show at `at`.
    pub(super) fn offset_s(&self, at: Timestamp) -> i64 {
        let before = self.offsets.partition_point(|(from, _)| *from <= at);
        let known = before.checked_sub(1).or((!self.offsets.is_empty()).then_some(0));
        known.map_or(0, |nth| i64::from(self.offsets[nth].1))
    }

    /// When they show `shown_s`: for the first time, if they do so twice; if they never do, as much later as they were set on.
    fn when(&self, shown_s: i64) -> Timestamp {
        let as_set_at = |near: Timestamp| Timestamp((shown_s - self.offset_s(near)).saturating_mul(1_000));
        // Clocks are not set twice within two days.
        let near = |days: i64| Timestamp((shown_s + days * DAY_S).saturating_mul(1_000));
        let (before, after) = (as_set_at(near(-1)), as_set_at(near(1)));
        let shows = |at: &Timestamp| self.shown_s(*at) == shown_s;
        [before, after].into_iter().find(shows).unwrap_or(before)
    }
}

/// A time of the day at which what leaves on a later day does so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hour {
    /// The minute of the day.
    pub at_min: u16,
    /// The clocks that show it.
    #[serde(flatten)]
    pub clocks: Clocks,
}

impl Hour {
    /// In words.
    pub fn words(&self) -> String {
        format!("at {:02}:{:02} ({})", self.at_min / 60, self.at_min % 60, self.clocks.zone)
    }

    /// When it is this time on the day that comes `after_ms` after that of `from`, whole days of the calendar; what leaves at once
    /// waits for no time.
    pub fn on_day(&self, from: Timestamp, after_ms: u64) -> Timestamp {
        let days = i64::try_from(after_ms / DAY_MS).unwrap_or(DAYS_MAX).min(DAYS_MAX);
        if days == 0 {
            return from.plus_ms(after_ms);
        }
        let day = self.clocks.shown_s(from).div_euclid(DAY_S) + days;
        self.clocks.when(day * DAY_S + i64::from(self.at_min) * MINUTE_S)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn hour(text: &str) -> Hour {
        let (hours, minutes) = text.split_once(':').unwrap();
        let at_min = hours.parse::<u16>().unwrap() * 60 + minutes.parse::<u16>().unwrap();
        // Berlin's clocks around three of their changes.
        let offsets = vec![
            (at("2026-03-29T01:00:00Z"), 7_200),
            (at("2026-10-25T01:00:00Z"), 3_600),
            (at("2027-03-28T01:00:00Z"), 7_200),
        ];
        Hour { at_min, clocks: Clocks { zone: "Europe/Berlin".to_owned(), offsets } }
    }

    #[test]
    fn it_is_that_time_on_the_wall_of_that_day() {
        // The time, from when, how many days later, and when that is.
        let cases = [
            // What leaves at once leaves at once.
            ("09:00", "2026-07-01T15:00:00Z", 0, "2026-07-01T15:00:00Z"),
            // In summer, whatever the hour of the decision.
            ("09:00", "2026-07-01T15:00:00Z", 1, "2026-07-02T07:00:00Z"),
            ("09:00", "2026-07-01T05:00:00Z", 4, "2026-07-05T07:00:00Z"),
            // After midnight in Berlin it is the next day there, and not yet in UTC.
            ("09:00", "2026-07-01T21:59:00Z", 1, "2026-07-02T07:00:00Z"),
            ("09:00", "2026-07-01T22:01:00Z", 1, "2026-07-03T07:00:00Z"),
            ("00:00", "2026-07-01T10:00:00Z", 1, "2026-07-01T22:00:00Z"),
            ("23:59", "2026-07-01T10:00:00Z", 1, "2026-07-02T21:59:00Z"),
            // Over the days on which clocks are set back and on: it is nine there, and one hour later or earlier elsewhere.
            ("09:00", "2026-10-24T10:00:00Z", 1, "2026-10-25T08:00:00Z"),
            ("09:00", "2026-10-24T22:30:00Z", 1, "2026-10-26T08:00:00Z"),
            ("09:00", "2027-03-27T10:00:00Z", 1, "2027-03-28T07:00:00Z"),
            ("09:00", "2027-03-27T23:30:00Z", 1, "2027-03-29T07:00:00Z"),
            // A time that comes twice on that day, and one that does not come.
            ("02:30", "2026-10-24T10:00:00Z", 1, "2026-10-25T00:30:00Z"),
            ("02:30", "2027-03-27T10:00:00Z", 1, "2027-03-28T01:30:00Z"),
        ];
        for (time, from, days, wanted) in cases {
            assert_eq!(hour(time).on_day(at(from), days * DAY_MS), at(wanted), "{time}, {days} days after {from}");
        }
        let utc = Hour { clocks: Clocks { offsets: Vec::new(), zone: "UTC".to_owned() }, ..hour("09:00") };
        assert_eq!(utc.on_day(at("2026-07-01T15:00:00Z"), DAY_MS), at("2026-07-02T09:00:00Z"));
    }

    #[test]
    fn a_later_day_is_always_later() {
        for time in ["00:00", "02:30", "09:00", "23:59"] {
            for nth in 0..20_000 {
                let from = at("2026-01-01T00:00:00Z").plus_ms(nth * 3_600_000 + nth % 59 * 1_000);
                let (one, two) = (hour(time).on_day(from, DAY_MS), hour(time).on_day(from, 2 * DAY_MS));
                // A day on which clocks are set back has an hour more.
                assert!(from < one && one < two && two.ms_since(from) <= 3 * DAY_MS + 3_600_000, "{time}, {nth}");
            }
        }
    }
}
