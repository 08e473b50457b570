//! Days as platforms write them: which formats there are, which of them a cell has, and which sort as they stand.

use jiff::civil::{Date, DateTime, Time};

/// How days are written.
const DATES: [&str; 16] = [
    "%d.%m.%Y",
    "%d.%m.%y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%m/%d/%y",
    "%d/%m/%y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d %b %Y",
    "%d %B %Y",
    "%d. %B %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%a, %b %d, %Y",
];

/// How times are written behind them.
const TIMES: [&str; 7] = ["", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", ", %H:%M", ", %I:%M %p"];

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// A way to write a day, or a day and a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Format {
    /// Such as `%d.%m.%Y`.
    pub(super) written: String,
    timed: bool,
}

impl Format {
    /// The type of a column that is written so.
    pub(super) fn kind(&self) -> &'static str {
        if self.timed { "datetime" } else { "date" }
    }

    /// Whether `cell` is written so.
    pub(super) fn reads(&self, cell: &str) -> bool {
        match self.timed {
            true => DateTime::strptime(&self.written, cell).is_ok(),
            false => Date::strptime(&self.written, cell).is_ok(),
        }
    }

    /// What is declared of a column that is written so.
    pub(super) fn declaration(&self) -> String {
        format!("{{ type = {:?}, format = {:?} }}", self.kind(), self.written)
    }
}

/// The ways that are known.
pub(super) fn formats() -> impl Iterator<Item = Format> {
    DATES.iter().flat_map(|date| {
        TIMES.iter().map(move |time| Format { written: format!("{date}{time}"), timed: !time.is_empty() })
    })
}

/// The ways in which most of the cells are written, and no fewer of them than in any other way.
pub(super) fn of_most(cells: &[String]) -> Vec<Format> {
    let counted: Vec<(usize, Format)> =
        formats().map(|format| (cells.iter().filter(|cell| format.reads(cell)).count(), format)).collect();
    let most = counted.iter().map(|(count, _)| *count).max().unwrap_or(0);
    let is_most = |(count, _): &(usize, Format)| *count == most && most * 2 > cells.len();
    counted.into_iter().filter(is_most).map(|(_, format)| format).collect()
}

/// Whether it is a date that begins with a day or a month: 01.07.2026, 7/1/26, Jul 03, 2026, 3. July 2026.
pub(super) fn is_unsortable_date(cell: &str) -> bool {
    let words: Vec<&str> = cell.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let digits = |word: &str, most: usize| word.len() <= most && word.bytes().all(|byte| byte.is_ascii_digit());
    let month = |word: &str| {
        let start: String = word.chars().take(3).collect::<String>().to_ascii_lowercase();
        word.chars().all(char::is_alphabetic) && MONTHS.contains(&start.as_str())
    };
    let Some([first, second, third, ..]) = words.get(..3) else { return false };
    let year = |word: &str| digits(word, 4) && word.len() != 3 && word.len() != 1;
    (digits(first, 2) && (digits(second, 2) || month(second)) && year(third))
        || (month(first) && digits(second, 2) && year(third))
}

/// Whether it is a day as 2026-07-01.
pub(super) fn is_iso_date(cell: &str) -> bool {
    cell.len() == 10 && Date::strptime("%Y-%m-%d", cell).is_ok()
}

/// Whether it is a day and a time as 2026-07-01T10:00:00, or as much of it as says the minute.
pub(super) fn is_iso_moment(cell: &str) -> bool {
    let time = |time: &str| ["%H:%M", "%H:%M:%S"].iter().any(|format| Time::strptime(format, time).is_ok());
    cell.split_once('T').is_some_and(|(day, rest)| is_iso_date(day) && time(rest))
}

/// The day that `cell` is in the only way in which it can be read, as 2026-07-01.
pub(super) fn iso(cell: &str) -> Option<String> {
    let mut days: Vec<String> =
        DATES.iter().filter_map(|format| Date::strptime(format, cell).ok()).map(|day| day.to_string()).collect();
    days.dedup();
    if days.len() == 1 { days.pop() } else { None }
}

/// Whether it is a day in any format that is known.
pub(super) fn reads_in_any_format(cell: &str) -> bool {
    is_iso_date(cell) || formats().any(|format| format.reads(cell))
}
