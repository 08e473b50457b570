//! The only way to a terminal: text of others is made harmless, colours go where they are wanted.

use std::fmt::{self, Display, Write as _};
use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};

/// Text from a model, a tool, a file or a server: printed with everything visible and nothing obeyed. Control
/// characters, escapes, bidirectional marks and invisible characters appear as `\u{..}`; line breaks as a blank.
pub struct Safe<'a>(pub &'a str);

/// As [`Safe`], with line breaks and tabs kept: for text shown as a block.
pub struct Block<'a>(pub &'a str);

impl Display for Safe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut safe = String::with_capacity(self.0.len());
        self.0
            .chars()
            .try_for_each(|c| if matches!(c, '\n' | '\t') { safe.write_char(' ') } else { visible(c, &mut safe) })?;
        f.pad(&safe)
    }
}

impl Display for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut safe = String::with_capacity(self.0.len());
        let text = self.0.replace("\r\n", "\n");
        text.chars()
            .try_for_each(|c| if matches!(c, '\n' | '\t') { safe.write_char(c) } else { visible(c, &mut safe) })?;
        f.write_str(&safe)
    }
}

fn visible(c: char, to: &mut String) -> fmt::Result {
    let invisible = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    if c.is_control() || invisible { write!(to, "\\u{{{:x}}}", u32::from(c)) } else { to.write_char(c) }
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

/// `text` in `tone`; the stream drops the colour where it is not wanted.
pub fn toned(tone: Tone, text: impl Display) -> String {
    let style = tone.style();
    format!("{style}{text}{style:#}")
}

/// Data: a line on stdout. A reader that went away ends the process quietly, as for any filter.
pub fn out(line: impl Display) {
    if let Err(error) = writeln!(anstream::stdout(), "{line}")
        && error.kind() == io::ErrorKind::BrokenPipe
    {
        std::process::exit(0);
    }
}

/// Talk: a line on stderr.
pub fn say(line: impl Display) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Talk that is over in a moment: a line on a terminal that the next one takes the place of. Anywhere else, nothing.
pub fn passing(line: impl Display) {
    use std::io::IsTerminal as _;
    if io::stderr().is_terminal() {
        let line = Safe(&line.to_string()).to_string();
        let (start, rest_cleared) = ("\r", "\x1b[K");
        let mut to = anstream::stderr();
        let _ = write!(to, "{start}{line}{rest_cleared}");
        let _ = to.flush();
    }
}

/// Whether a person is at both ends.
pub fn is_terminal() -> bool {
    use std::io::IsTerminal as _;
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// A table whose columns fit the terminal; cells are made harmless here.
pub fn table(heading: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    table.set_header(heading.iter().map(|cell| cell.to_uppercase()));
    for row in rows {
        table.add_row(row.iter().map(|cell| Safe(cell).to_string()));
    }
    let lines = table.to_string();
    lines.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
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
}
