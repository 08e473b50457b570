//! Times as people read them, in the project's zone.

use crate::id::Timestamp;

/// The time of day in `zone`, for lists that say which day and zone that is.
pub fn clock_time(at: Timestamp, zone: &str) -> String {
    zoned(at, zone).map_or_else(|| at.0.to_string(), |time| time.strftime("%H:%M:%S").to_string())
}

/// Date and time in `zone`, which is named.
pub fn date_time(at: Timestamp, zone: &str) -> String {
    zoned(at, zone).map_or_else(|| at.0.to_string(), |time| time.strftime("%Y-%m-%d %H:%M %Z").to_string())
}

/// `at` in `zone`; in UTC if there is no such zone.
pub fn zoned(at: Timestamp, zone: &str) -> Option<jiff::Zoned> {
    let zone = jiff::tz::TimeZone::get(zone).unwrap_or(jiff::tz::TimeZone::UTC);
    Some(jiff::Timestamp::from_millisecond(at.0).ok()?.to_zoned(zone))
}
