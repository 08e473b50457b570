//! The only way to a terminal: text of others is made harmless, colours go where they are wanted. Whatever is printed passes
//! here once more on its way out, so that what a command forgot to make harmless is harmless all the same.

use std::fmt::{self, Display, Write as _};
use std::io::{self, IsTerminal, Write as _};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::layout;
use crate::text::characters;

/// Text from a model, a tool, a file or a server: printed with everything visible and nothing obeyed. Control
/// characters, escapes, bidirectional marks and invisible characters that their writing does not need appear as
/// `\u{..}`; line breaks as a blank.
pub struct Safe<'a>(pub &'a str);

/// As [`Safe`], with line breaks and tabs kept: for text shown as a block.
pub struct Block<'a>(pub &'a str);

/// As [`Safe`], with line breaks and tabs spelled out: for text that stands in a line of its own, such as a header.
pub struct Field<'a>(pub &'a str);

impl Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&visible(self.0).replace('\n', "\\u{a}").replace('\t', "\\u{9}"))
    }
}

impl Display for Safe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&visible(self.0).replace(['\n', '\t'], " "))
    }
}

impl Display for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible(&self.0.replace("\r\n", "\n")))
    }
}

/// `text` with all that deceives spelled out; line breaks and tabs are kept.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (c, deceives) in characters(text) {
        if deceives || c == '\r' {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// All that [`toned`] writes beside text.
const STYLES: [&str; 6] = ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m"];

/// `text` as it may reach a terminal: our own colours, and everything else visible.
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\x1b') {
        shown.push_str(&visible(&rest[..at]));
        rest = &rest[at..];
        let own = STYLES.iter().find(|style| rest.starts_with(**style));
        let len = own.map_or(1, |style| style.len());
        shown.push_str(&own.map_or_else(|| visible("\x1b"), |style| (*style).to_owned()));
        rest = &rest[len..];
    }
    shown.push_str(&visible(rest));
    shown
}

/// Where the program's log goes: each line harmless, to stderr.
pub struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(harmless(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// What a piece of text is, for its colour; never for its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// A name or a heading.
    Strong,
    /// Beside the point.
    Faint,
    /// It went well.
    Good,
    /// Somebody has to look.
    Attention,
    /// It went wrong.
    Bad,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Attention => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
        }
    }
}

/// `text` in `tone`, harmless; the stream drops the colour where it is not wanted.
pub fn toned(tone: Tone, text: impl Display) -> String {
    let style = tone.style();
    format!("{style}{}{style:#}", visible(&text.to_string()))
}

/// Data: a line on stdout, broken at words where a terminal is too narrow for it.
pub fn out(line: impl Display) {
    laid_out(line, layout::folded);
}

/// As [`out`], for prose: each line begins where its paragraph does.
pub fn prose(text: impl Display) {
    laid_out(text, layout::prose);
}

/// As [`out`], where text stands in a column: later lines begin at column `at`.
pub fn hung(line: impl Display, at: usize) {
    laid_out(line, |line, columns| layout::hung(line, at, columns));
}

/// Data that is copied or read by programs: on stdout as it is, however long.
pub fn raw(line: impl Display) {
    print_out(&harmless(&line.to_string()));
}

fn laid_out(line: impl Display, fit: impl Fn(&str, usize) -> String) {
    let line = shown_by(&io::stdout(), harmless(&line.to_string()));
    print_out(&columns().map_or_else(|| line.clone(), |columns| fit(&line, columns)));
}

/// A reader that went away ends the process quietly, as for any filter.
fn print_out(line: &str) {
    if let Err(error) = writeln!(anstream::stdout(), "{line}")
        && error.kind() == io::ErrorKind::BrokenPipe
    {
        std::process::exit(0);
    }
}

/// Data for programs: a line of JSON on stdout, in which what deceives is escaped as JSON does it.
pub fn json(value: &impl Serialize) {
    // By way of a value, so that keys stand in the same order whatever they come from.
    let text = serde_json::to_value(value).map(|value| value.to_string());
    let ascii_only = ASCII_ONLY.load(Ordering::Relaxed) && io::stdout().is_terminal();
    raw(text.map_or_else(|error| format!("{{\"error\":\"{error}\"}}"), |text| escaped(&text, ascii_only)));
}

/// JSON of the same meaning, without the characters that deceive. They stand in strings only.
fn escaped(json: &str, ascii_only: bool) -> String {
    let mut shown = String::with_capacity(json.len());
    for (c, deceives) in characters(json) {
        if deceives || (ascii_only && !c.is_ascii()) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Talk: a line on stderr, broken as [`out`] does it.
pub fn say(line: impl Display) {
    let line = shown_by(&io::stderr(), harmless(&line.to_string()));
    let line = columns_of(io::stderr()).map_or_else(|| line.clone(), |columns| layout::folded(&line, columns));
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Talk that is over in a moment: a line on a terminal that the next one takes the place of. Anywhere else, nothing.
pub fn passing(line: impl Display) {
    if io::stderr().is_terminal() {
        let line = shown_by(&io::stderr(), Safe(&line.to_string()).to_string());
        // A second line would stay.
        let line: String = line.chars().take(columns_of(io::stderr()).unwrap_or(usize::MAX) - 1).collect();
        let (start, rest_cleared) = ("\r", "\x1b[K");
        let mut to = anstream::stderr();
        let _ = write!(to, "{start}{line}{rest_cleared}");
        let _ = to.flush();
    }
}

/// An empty screen, where there is one.
pub fn clear() {
    if io::stdout().is_terminal() {
        let (home, all_cleared) = ("\x1b[H", "\x1b[2J");
        let mut to = io::stdout();
        let _ = write!(to, "{all_cleared}{home}");
        let _ = to.flush();
    }
}

/// Whether a person is at both ends.
pub fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// A table whose columns fit the terminal; cells are made harmless here.
pub fn table(heading: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let harmless = |row: Vec<String>| row.iter().map(|cell| Safe(cell).to_string()).collect();
    let rows: Vec<Vec<String>> = rows.into_iter().map(harmless).collect();
    layout::table(heading, &rows, columns())
}

/// How wide the terminal on stdout is; nothing where there is none.
pub fn columns() -> Option<usize> {
    columns_of(io::stdout())
}

fn columns_of(stream: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0).map(|columns| columns.max(layout::COLUMNS_MIN))
}

/// Whether the terminals of this process show ASCII only: other characters are spelled out on them, and on nothing else.
static ASCII_ONLY: AtomicBool = AtomicBool::new(false);

/// From now on, terminals are shown ASCII only.
pub fn show_ascii_only() {
    ASCII_ONLY.store(true, Ordering::Relaxed);
}

/// `text` in characters that a terminal of this process shows.
fn shown_by(stream: &impl IsTerminal, text: String) -> String {
    if text.is_ascii() || !ASCII_ONLY.load(Ordering::Relaxed) || !stream.is_terminal() {
        return text;
    }
    let spelled = |c: char| if c.is_ascii() { c.to_string() } else { format!("\\u{{{:x}}}", u32::from(c)) };
    text.chars().map(spelled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        let cases = [
            ("plain é 漢", "plain é 漢"),
            ("\x1b[2Jgone", "\\u{1b}[2Jgone"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("a\r\nb\tc", "a\\u{d} b c"),
            ("\x07\x00\x7f", "\\u{7}\\u{0}\\u{7f}"),
        ];
        for (hostile, shown) in cases {
            assert_eq!(Safe(hostile).to_string(), shown);
        }
        assert_eq!(Block("a\r\nb\x1b]0;x\x07").to_string(), "a\nb\\u{1b}]0;x\\u{7}");
    }

    #[test]
    fn what_a_command_forgot_is_harmless_all_the_same() {
        let own = toned(Tone::Good, "ok \x1b[32m");
        assert_eq!(own, "\x1b[32mok \\u{1b}[32m\x1b[0m");
        for (printed, shown) in [
            (own.as_str(), own.as_str()),
            ("\x1b[8mhidden\x1b[31;5m\x1b]0;title\x07", "\\u{1b}[8mhidden\\u{1b}[31;5m\\u{1b}]0;title\\u{7}"),
            ("a\rb\u{9b}2J\u{202e}\n\tc\x1b", "a\\u{d}b\\u{9b}2J\\u{202e}\n\tc\\u{1b}"),
        ] {
            assert_eq!(harmless(printed), shown);
        }
        for tone in [Tone::Plain, Tone::Strong, Tone::Faint, Tone::Good, Tone::Attention, Tone::Bad] {
            assert_eq!(harmless(&toned(tone, "x")), toned(tone, "x"), "{tone:?} writes what STYLES does not have");
        }
        let json = escaped(&serde_json::json!({ "a": "\u{9b}\u{e0041}\u{202e}é" }).to_string(), false);
        assert_eq!(json, "{\"a\":\"\\u009b\\udb40\\udc41\\u202eé\"}");
        assert_eq!(escaped("\"é\"", true), "\"\\u00e9\"");
    }
}
