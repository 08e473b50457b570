//! Hours in which nothing leaves to people, as clocks on the wall of one place show them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::wall::{Clocks, DAY_S, MINUTE_S};
use crate::id::Timestamp;

/// The days of a week, and as many ends of hours again.
const STEPS_MAX: usize = 16;
/// 1970-01-01 was a Thursday.
const FIRST_WEEKDAY: i64 = 3;

/// When nothing leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiet {
    /// The minute of the day at which quiet hours begin.
    pub from_min: u16,
    /// The minute at which they end; on the next day, if it is not after the one at which they begin. The same minute: there are none.
    pub until_min: u16,
    /// Days that are quiet as a whole; Monday is 0.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub days: BTreeSet<u8>,
    /// The clocks of the place.
    #[serde(flatten)]
    pub clocks: Clocks,
}

impl Quiet {
    /// Whether the hours of a day that are quiet, whichever day it is, have this minute among them.
    pub fn is_at(&self, minute: u16) -> bool {
        let (from, until) = (self.from_min, self.until_min);
        if from <= until { (from..until).contains(&minute) } else { minute < until || minute >= from }
    }

    /// The first time from `at` on at which something may leave.
    pub fn open_from(&self, at: Timestamp) -> Timestamp {
        let next = |at: &Timestamp| self.end_of(*at);
        std::iter::successors(Some(at), next).take(STEPS_MAX).last().unwrap_or(at)
    }

    /// When the quiet ends that `at` lies in, if it lies in one.
    fn end_of(&self, at: Timestamp) -> Option<Timestamp> {
        let local_s = self.clocks.shown_s(at);
        let (day, minute) = (local_s.div_euclid(DAY_S), local_s.rem_euclid(DAY_S) / MINUTE_S);
        let (from, until) = (i64::from(self.from_min), i64::from(self.until_min));
        let midnight_s = (day + 1) * DAY_S;
        let weekday = u8::try_from((day + FIRST_WEEKDAY).rem_euclid(7)).unwrap_or_default();
        let end_s = if self.days.contains(&weekday) {
            midnight_s
        } else if from < until && (from..until).contains(&minute) || from > until && minute < until {
            day * DAY_S + until * MINUTE_S
        } else if from > until && minute >= from {
            midnight_s + until * MINUTE_S
        } else {
            return None;
        };
        // The clocks may be set otherwise by then.
        let guess = Timestamp((end_s - self.clocks.offset_s(at)) * 1_000);
        let end = Timestamp((end_s - self.clocks.offset_s(guess)) * 1_000);
        Some(if end > at { end } else { guess })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    /// Berlin's clocks around two of their changes.
    fn quiet(from_min: u16, until_min: u16, days: &[u8]) -> Quiet {
        let offsets = vec![
            (at("2026-03-29T01:00:00Z"), 7_200),
            (at("2026-10-25T01:00:00Z"), 3_600),
            (at("2027-03-28T01:00:00Z"), 7_200),
        ];
        let clocks = Clocks { zone: "Europe/Berlin".to_owned(), offsets };
        Quiet { from_min, until_min, days: days.iter().copied().collect(), clocks }
    }

    /// From when until when it is quiet, on which days as a whole, now, and when something may leave.
    type Case<'c> = ((u16, u16), &'c [u8], &'c str, &'c str);

    #[test]
    fn it_waits_until_the_hours_are_over_on_the_wall() {
        let (night, noon) = ((20 * 60, 8 * 60), (12 * 60, 13 * 60 + 30));
        let weekend = [5, 6];
        let cases: [Case<'_>; 16] = [
            // A Thursday, in winter: 20:00 in Berlin is 19:00 in UTC.
            (night, &[], "2026-11-26T18:59:59Z", "2026-11-26T18:59:59Z"),
            (night, &[], "2026-11-26T19:00:00Z", "2026-11-27T07:00:00Z"),
            (night, &[], "2026-11-27T06:59:59Z", "2026-11-27T07:00:00Z"),
            (night, &[], "2026-11-27T07:00:00Z", "2026-11-27T07:00:00Z"),
            // In summer.
            (night, &[], "2026-07-01T18:00:00Z", "2026-07-02T06:00:00Z"),
            (night, &[], "2026-07-01T17:59:00Z", "2026-07-01T17:59:00Z"),
            // The nights in which clocks are set.
            (night, &[], "2026-10-24T22:00:00Z", "2026-10-25T07:00:00Z"),
            (night, &[], "2027-03-27T22:00:00Z", "2027-03-28T06:00:00Z"),
            (noon, &[], "2026-11-26T11:00:00Z", "2026-11-26T12:30:00Z"),
            (noon, &[], "2026-11-26T12:30:00Z", "2026-11-26T12:30:00Z"),
            // A weekend, with and without its nights.
            (night, &weekend, "2026-11-27T20:00:00Z", "2026-11-30T07:00:00Z"),
            (night, &weekend, "2026-11-28T11:00:00Z", "2026-11-30T07:00:00Z"),
            ((0, 0), &weekend, "2026-11-27T22:59:00Z", "2026-11-27T22:59:00Z"),
            ((0, 0), &weekend, "2026-11-27T23:00:00Z", "2026-11-29T23:00:00Z"),
            ((0, 0), &[], "2026-11-27T23:00:00Z", "2026-11-27T23:00:00Z"),
            // Before all that is known of its clocks, they are as they were first.
            (night, &[], "1990-01-01T18:00:00Z", "1990-01-02T06:00:00Z"),
        ];
        for ((from, until), days, now, wanted) in cases {
            assert_eq!(quiet(from, until, days).open_from(at(now)), at(wanted), "{now}, {from} to {until}, {days:?}");
        }
        let utc =
            Quiet { clocks: Clocks { zone: "UTC".to_owned(), offsets: Vec::new() }, ..quiet(night.0, night.1, &[]) };
        assert_eq!(utc.open_from(at("2026-11-26T20:00:00Z")), at("2026-11-27T08:00:00Z"));
    }

    #[test]
    fn whenever_it_opens_it_is_open() {
        for days in [&[][..], &[0, 3], &[1, 2, 3, 4, 5, 6]] {
            let quiet = quiet(21 * 60 + 17, 9 * 60 + 3, days);
            for hour in 0..20_000 {
                let now = at("2026-01-01T00:00:00Z").plus_ms(hour * 3_600_000 + hour % 59 * 1_000);
                let open = quiet.open_from(now);
                assert!(open >= now && open.ms_since(now) <= 8 * 86_400_000, "{hour}");
                assert_eq!(quiet.open_from(open), open, "{hour}");
            }
        }
    }
}
