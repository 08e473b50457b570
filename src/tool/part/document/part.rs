//! The parts of a document: as much as a model reads at once, each with its place, so that what is said of it can be looked
//! up. Lines stay whole, unless one is longer than a part.

/// Most bytes of text that are taken out of one file.
pub const TEXT_BYTES_MAX: usize = 8 << 20;
/// Characters after which a part ends at the next blank line.
const PART_CHARS: usize = 1_200;
/// Characters that no part has more of.
const PART_CHARS_MAX: usize = 2_400;
/// Parts of one document; what comes after them is not read.
const PARTS_MAX: usize = 20_000;
/// Longest heading that is told.
const HEADING_CHARS_MAX: usize = 120;

/// A part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Where it is, such as `Prices > Europe, lines 12-30`.
    pub place: String,
    /// What stands there.
    pub text: String,
}

/// A line, a paragraph or a page of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A heading of a level, from 1 on.
    Heading(usize, String),
    /// Anything else.
    Text(String),
}

/// What lines are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A line of a text.
    Line,
    /// A paragraph of a document that has no lines.
    Paragraph,
    /// A page of paper.
    Page,
}

impl Unit {
    fn word(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Paragraph => "paragraph",
            Self::Page => "page",
        }
    }
}

/// Puts numbered lines together to parts. A page begins a part; so does a heading.
pub fn parts(lines: impl IntoIterator<Item = (usize, Line)>, unit: Unit) -> Vec<Part> {
    let mut making = Making { unit, ..Making::default() };
    for (number, line) in lines {
        match line {
            Line::Heading(level, text) => {
                making.end();
                making.headings.truncate(level.saturating_sub(1));
                making.headings.push(text.split_whitespace().collect::<Vec<_>>().join(" "));
                making.add(number, &text);
            }
            Line::Text(text) => {
                if unit == Unit::Page && number != making.last && !making.text.is_empty() {
                    making.end();
                }
                making.add(number, &text);
            }
        }
        if making.parts.len() >= PARTS_MAX {
            break;
        }
    }
    making.end();
    making.parts
}

struct Making {
    unit: Unit,
    headings: Vec<String>,
    text: String,
    chars: usize,
    first: usize,
    last: usize,
    parts: Vec<Part>,
}

impl Default for Making {
    fn default() -> Self {
        let (headings, parts) = (Vec::new(), Vec::new());
        Self { unit: Unit::Line, headings, text: String::new(), chars: 0, first: 0, last: 0, parts }
    }
}

impl Making {
    fn add(&mut self, number: usize, line: &str) {
        let chars = line.chars().count();
        let is_blank = line.trim().is_empty();
        if (is_blank && self.chars >= PART_CHARS) || self.chars + chars > PART_CHARS_MAX {
            self.end();
        }
        let mut rest = line;
        while let Some((at, _)) = rest.char_indices().nth(PART_CHARS_MAX) {
            self.push(number, &rest[..at]);
            self.end();
            rest = &rest[at..];
        }
        self.push(number, rest);
    }

    fn push(&mut self, number: usize, line: &str) {
        if self.text.is_empty() {
            if line.trim().is_empty() {
                return;
            }
            self.first = number;
        }
        self.text.push_str(line);
        self.text.push('\n');
        self.chars += line.chars().count() + 1;
        if !line.trim().is_empty() {
            self.last = number;
        }
    }

    fn end(&mut self) {
        let text = std::mem::take(&mut self.text);
        self.chars = 0;
        if text.trim().is_empty() {
            return;
        }
        let (word, first, last) = (self.unit.word(), self.first, self.last);
        let numbers = if first == last { format!("{word} {first}") } else { format!("{word}s {first}-{last}") };
        let headings: Vec<&str> = self.headings.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
        let place = match headings.is_empty() {
            true => numbers,
            false => format!("{}, {numbers}", cut(&headings.join(" > "))),
        };
        self.parts.push(Part { place, text: text.trim_end().to_owned() });
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(HEADING_CHARS_MAX) {
        Some((at, _)) => format!("{}\u{2026}", &text[..at]),
        None => text.to_owned(),
    }
}
