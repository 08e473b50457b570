//! Bytes of a CSV file -> its lines and cells, strictly: nothing is repaired, and each fault has its line.

use std::borrow::Cow;

use super::table::{Encoding, Form};

/// Something that is wrong with a file: where, what, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// From 1, in the file.
    pub(super) line: usize,
    /// What is wrong.
    pub(super) what: String,
    /// What to write into the table's settings, or into the file; may be empty.
    pub(super) instead: String,
    /// If it is a column of which something is declared, and there is none: its name, and those that there are.
    pub(super) unknown: Option<(String, Vec<String>)>,
}

impl Told {
    /// What is advised first: what is written before the words between advices.
    pub(super) fn first(&self) -> &str {
        let ends = [", or ", " (or ", ", if ", ", with ", " with ", " to keep"];
        let first = ends.iter().filter_map(|end| self.instead.find(end)).min();
        first.map_or(self.instead.as_str(), |end| &self.instead[..end])
    }
}

/// The cells of one line.
#[derive(Debug)]
pub(super) struct Record<'t> {
    /// Where it begins, from 1.
    pub(super) line: usize,
    pub(super) cells: Vec<Cow<'t, str>>,
}

/// The text of a file.
pub(super) fn decoded<'b>(bytes: &'b [u8], form: &Form) -> Result<Cow<'b, str>, Told> {
    let utf16 = bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF");
    match form.encoding {
        Encoding::Utf16 => utf_16(bytes),
        _ if utf16 => Err(told(1, "is written as UTF-16", "encoding = \"utf-16\"")),
        Encoding::Windows1252 => Ok(bytes.iter().map(|byte| windows_1252(*byte)).collect::<String>().into()),
        Encoding::Utf8 => {
            let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
            let text = std::str::from_utf8(bytes).map_err(|why| {
                let (line, field) = place(bytes, why.valid_up_to(), form.delimiter.unwrap_or(','));
                let what = format!("field {field} is not UTF-8: save the file as UTF-8, or declare what it is");
                told(line, &what, "encoding = \"windows-1252\"")
            })?;
            match text.find('\0') {
                Some(at) => Err(told(line_of(text, at), "has a NUL character", "encoding = \"utf-16\", if it is that")),
                None => Ok(text.into()),
            }
        }
    }
}

/// The lines of `text` with the first of them, which names the columns; blank lines of the file are none.
pub(super) fn records<'t>(
    text: &'t str,
    form: &Form,
    stopped: &dyn Fn() -> bool,
) -> Result<Option<Vec<Record<'t>>>, Told> {
    let mut rest = Lines { text, at: 0, line: 1, ending: ending(text) };
    for _ in 0..form.skip {
        rest.next_line();
    }
    let delimiter = delimiter(&rest, form)?;
    let mut records: Vec<Record<'t>> = Vec::new();
    while rest.at < text.len() {
        if records.len().is_multiple_of(1_000) && stopped() {
            return Ok(None);
        }
        let line = rest.line;
        let cells = rest.record(delimiter)?;
        if cells.len() == 1 && cells[0].trim().is_empty() {
            continue;
        }
        if let Some(first) = records.first().filter(|first| first.cells.len() != cells.len()) {
            return Err(uneven(line, cells.len(), first));
        }
        records.push(Record { line, cells });
    }
    Ok(Some(records))
}

fn told(line: usize, what: &str, instead: &str) -> Told {
    Told { line, what: what.to_owned(), instead: instead.to_owned(), unknown: None }
}

fn uneven(line: usize, has: usize, first: &Record<'_>) -> Told {
    let names = first.cells.len();
    let what = format!("has {has} fields, the header has {names}");
    if has > names && (names == 1 || first.cells.iter().filter(|cell| !cell.trim().is_empty()).count() < names) {
        let what =
            format!("{what} (line {}): if lines stand above the names of the columns, leave them out", first.line);
        return told(line, &what, &format!("skip = {}", line - 1));
    }
    told(line, &what, "")
}

/// What stands between the cells: as it is declared, or a comma if the first line does not look like anything else.
fn delimiter(rest: &Lines<'_>, form: &Form) -> Result<char, Told> {
    let first = rest.text[rest.at..].split(rest.ending).find(|line| !line.trim().is_empty()).unwrap_or_default();
    let line = rest.line;
    if first.len() <= 6 && first.trim_end().to_ascii_lowercase().starts_with("sep=") {
        let is = first.trim_end()[4..].replace('\t', "\\t");
        let instead = format!("skip = {line}, delimiter = {}", quoted_setting(&is));
        return Err(told(line, "says what stands between the cells, and names no column", &instead));
    }
    if let Some(delimiter) = form.delimiter {
        return Ok(delimiter);
    }
    let count = |wanted: char| first.chars().filter(|letter| *letter == wanted).count();
    let other = [';', '\t', '|'].into_iter().max_by_key(|letter| count(*letter)).unwrap_or(';');
    if count(other) > count(',') {
        let shown = if other == '\t' { "\\t".to_owned() } else { other.to_string() };
        let what = format!("has {} {} and {} commas", count(other), named(other), count(','));
        return Err(told(line, &what, &format!("delimiter = \"{shown}\"")));
    }
    Ok(',')
}

fn quoted_setting(text: &str) -> String {
    format!("\"{text}\"")
}

fn named(letter: char) -> &'static str {
    match letter {
        ';' => "semicolons",
        '\t' => "tabs",
        _ => "bars (|)",
    }
}

/// What ends a line: some programs write a carriage return and nothing else.
fn ending(text: &str) -> char {
    if !text.contains('\n') && text.contains('\r') { '\r' } else { '\n' }
}

struct Lines<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    ending: char,
}

impl<'t> Lines<'t> {
    fn next_line(&mut self) -> &'t str {
        let rest = &self.text[self.at..];
        let (line, length) = rest.find(self.ending).map_or((rest, rest.len()), |end| (&rest[..end], end + 1));
        self.at += length;
        self.line += 1;
        line.strip_suffix('\r').unwrap_or(line)
    }

    fn record(&mut self, delimiter: char) -> Result<Vec<Cow<'t, str>>, Told> {
        let (at, line) = (self.at, self.line);
        let whole = self.next_line();
        if !whole.contains('"') {
            return Ok(whole.split(delimiter).map(Cow::Borrowed).collect());
        }
        (self.at, self.line) = (at, line);
        let mut cells = Vec::new();
        loop {
            let (cell, ended) = self.cell(delimiter)?;
            cells.push(cell);
            if ended {
                return Ok(cells);
            }
        }
    }

    /// The next cell, and whether its line ends with it. A quote inside a cell that does not begin with one is a letter.
    fn cell(&mut self, delimiter: char) -> Result<(Cow<'t, str>, bool), Told> {
        let rest = &self.text[self.at..];
        if rest.starts_with('"') {
            return self.quoted(delimiter);
        }
        let end = rest.find([delimiter, self.ending]).unwrap_or(rest.len());
        let cell = &rest[..end];
        let ended = !rest[end..].starts_with(delimiter);
        self.at += end + usize::from(end < rest.len());
        self.line += usize::from(ended);
        Ok((Cow::Borrowed(if ended { cell.strip_suffix('\r').unwrap_or(cell) } else { cell }), ended))
    }

    fn quoted(&mut self, delimiter: char) -> Result<(Cow<'t, str>, bool), Told> {
        let opened = self.line;
        let wrong = |what: &str| {
            let instead =
                "in the file, write a quote inside a quoted cell twice, or put no quote at the cell's beginning";
            Err(told(opened, what, instead))
        };
        let mut cell = Cow::Borrowed("");
        self.at += 1;
        loop {
            let rest = &self.text[self.at..];
            let Some(end) = rest.find('"') else {
                return wrong("a quote (\") is opened on this line and never closed");
            };
            cell += &rest[..end];
            self.line += rest[..end].matches(self.ending).count();
            self.at += end + 1;
            let after = &self.text[self.at..];
            let ends = after.strip_prefix('\r').unwrap_or(after);
            if after.starts_with('"') {
                cell += "\"";
                self.at += 1;
            } else if after.starts_with(delimiter) {
                self.at += 1;
                return Ok((cell, false));
            } else if ends.is_empty() || ends.starts_with(self.ending) || after.starts_with(self.ending) {
                self.next_line();
                return Ok((cell, true));
            } else {
                return wrong("a quote (\") is opened on this line, and where it is closed the cell goes on");
            }
        }
    }
}

fn place(bytes: &[u8], at: usize, delimiter: char) -> (usize, usize) {
    let before = &bytes[..at];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let field = before[start..].iter().filter(|byte| char::from(**byte) == delimiter).count() + 1;
    (line, field)
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn utf_16(bytes: &[u8]) -> Result<Cow<'static, str>, Told> {
    let (little, bytes) = match bytes {
        [0xFF, 0xFE, rest @ ..] => (true, rest),
        [0xFE, 0xFF, rest @ ..] => (false, rest),
        rest => (true, rest),
    };
    let units = bytes.chunks(2).map(|pair| match *pair {
        [a, b] if little => u16::from_le_bytes([a, b]),
        [a, b] => u16::from_be_bytes([a, b]),
        // Half a letter: it is none.
        _ => 0xD800,
    });
    let text: Result<String, _> = char::decode_utf16(units).collect();
    text.map(Cow::Owned).map_err(|_| told(1, "is not UTF-16", "take encoding = \"utf-16\" out"))
}

/// The letters of 0x80 to 0x9F, where this encoding is not Latin 1; what it does not define stays a control character.
const WINDOWS: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8D}Ž\u{8F}\u{90}\u{2018}\u{2019}\u{201C}\u{201D}•–—˜™š›œ\u{9D}žŸ";

fn windows_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9F => WINDOWS.chars().nth(usize::from(byte - 0x80)).unwrap_or('\u{FFFD}'),
        _ => char::from(byte),
    }
}
