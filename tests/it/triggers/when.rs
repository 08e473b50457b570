//! When a pattern is due, also on the days on which the clocks change, and how parts of the calendar are written.

use callsheet::id::Timestamp;
use callsheet::service::trigger::due::{Times, period, zoned};
use callsheet::topology::trigger::Period;

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

/// The times of `pattern` in Berlin after `from`, in UTC, as many as are wanted; and looking back from each finds it and the one before.
fn check(pattern: &str, from: &str, wanted: &[&str]) {
    let times = Times::of(pattern, "Europe/Berlin").unwrap();
    let wanted: Vec<Timestamp> = wanted.iter().map(|text| at(text)).collect();
    let mut now = at(from);
    for (nth, next) in wanted.iter().enumerate() {
        assert_eq!(times.next(now), Some(*next), "{pattern} after {from}, {nth}");
        now = *next;
        assert_eq!(times.last(now), Some(now), "{pattern}: it has come when it comes");
        assert_eq!(times.last(now.plus_ms(999)), Some(now), "{pattern}: and within its second");
        let before = if nth == 0 { times.last(at(from)) } else { Some(wanted[nth - 1]) };
        assert_eq!(times.last(Timestamp(now.0 - 1)), before, "{pattern}: the one before {nth}");
    }
}

#[test]
fn a_pattern_is_due_at_the_times_of_the_projects_zone() {
    check("0 9 * * MON", "2026-11-27T00:00:00Z", &["2026-11-30T08:00:00Z", "2026-12-07T08:00:00Z"]);
    check("0 9 1 1,4,7,10 *", "2026-11-27T00:00:00Z", &["2027-01-01T08:00:00Z", "2027-04-01T07:00:00Z"]);
    check("30 7 L * *", "2027-01-31T07:00:00Z", &["2027-02-28T06:30:00Z", "2027-03-31T05:30:00Z"]);
}

/// On 2027-03-28 the clocks of Berlin go from 02:00 to 03:00, which is 01:00 in UTC.
#[test]
fn a_time_in_the_hour_that_is_skipped_is_due_when_that_hour_would_have_begun() {
    let from = "2027-03-27T12:00:00Z";
    check("30 2 * * *", from, &["2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"]);
    check("0 2 * * *", from, &["2027-03-28T01:00:00Z", "2027-03-29T00:00:00Z"]);
    check("0 1 * * *", from, &["2027-03-28T00:00:00Z", "2027-03-28T23:00:00Z"]);
    check("0 * * * *", "2027-03-28T00:00:00Z", &["2027-03-28T01:00:00Z", "2027-03-28T02:00:00Z"]);
    check("*/30 * * * *", "2027-03-28T00:00:00Z", &["2027-03-28T00:30:00Z", "2027-03-28T01:00:00Z"]);
}

/// On 2026-10-25 the clocks of Berlin go from 03:00 to 02:00, which is 01:00 in UTC.
#[test]
fn a_time_in_the_hour_that_is_repeated_is_due_once_and_every_hour_is_every_hour() {
    let from = "2026-10-24T12:00:00Z";
    check("30 2 * * *", from, &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    check("0 3 * * *", from, &["2026-10-25T02:00:00Z", "2026-10-26T02:00:00Z"]);
    let hours = ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"];
    check("0 * * * *", "2026-10-24T23:00:00Z", &hours);
}

#[test]
fn parts_of_the_calendar_are_written_as_people_write_them() {
    use Period::{Day, Month, Quarter, Week, Year};
    let check = |now: &str, of, this: &str, last: &str| {
        let now = zoned(at(now), "Europe/Berlin").unwrap();
        let both = [false, true].map(|before| period(&now, of, before).unwrap());
        assert_eq!(both, [this, last], "{now}");
    };
    check("2026-11-27T09:00:00Z", Day, "2026-11-27", "2026-11-26");
    check("2026-11-27T09:00:00Z", Week, "2026-W48", "2026-W47");
    check("2026-11-27T09:00:00Z", Month, "2026-11", "2026-10");
    check("2026-11-27T09:00:00Z", Quarter, "2026-Q4", "2026-Q3");
    check("2026-11-27T09:00:00Z", Year, "2026", "2025");
    // It is the new year in Berlin, and a week that belongs to the old one.
    check("2026-12-31T23:30:00Z", Day, "2027-01-01", "2026-12-31");
    check("2026-12-31T23:30:00Z", Week, "2026-W53", "2026-W52");
    check("2026-12-31T23:30:00Z", Month, "2027-01", "2026-12");
    check("2026-12-31T23:30:00Z", Quarter, "2027-Q1", "2026-Q4");
    check("2026-12-31T23:30:00Z", Year, "2027", "2026");
    check("2027-03-31T09:00:00Z", Month, "2027-03", "2027-02");
    check("2027-05-31T09:00:00Z", Quarter, "2027-Q2", "2027-Q1");
}
