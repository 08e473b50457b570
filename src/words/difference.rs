//! What differs between two versions of a part, word by word where that reads best.

use similar::{ChangeTag, DiffTag, TextDiff};

use crate::service::change::Part;

/// How alike two lines are, from 0 to 1, so that their difference is shown word by word.
const ALIKE_MIN: f32 = 0.6;

/// A stretch of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// It stands in both.
    Same(String),
    /// It stood before.
    Gone(String),
    /// It stands now.
    New(String),
}

/// The lines that differ, each in pieces: one that went or came as a whole is one piece.
pub fn lines(part: &Part) -> Vec<Vec<Piece>> {
    match (&part.before, &part.now) {
        (Some(before), Some(now)) => between(before, now),
        (before, now) => {
            let gone = whole(before.as_deref().unwrap_or_default().lines(), Piece::Gone);
            gone.chain(whole(now.as_deref().unwrap_or_default().lines(), Piece::New)).collect()
        }
    }
}

/// Word by word where two lines are alike, else the old ones above the new ones.
fn between(before: &str, now: &str) -> Vec<Vec<Piece>> {
    let (before, now): (Vec<&str>, Vec<&str>) = (before.lines().collect(), now.lines().collect());
    let mut lines = Vec::new();
    for op in TextDiff::from_slices(&before, &now).ops() {
        let (old, new) = (&before[op.old_range()], &now[op.new_range()]);
        match (op.tag(), old, new) {
            (DiffTag::Equal, ..) => {}
            (_, [old], [new]) if is_alike(old, new) => lines.push(by_words(old, new)),
            _ => {
                lines.extend(whole(old.iter().copied(), Piece::Gone));
                lines.extend(whole(new.iter().copied(), Piece::New));
            }
        }
    }
    lines
}

fn is_alike(old: &str, new: &str) -> bool {
    TextDiff::from_words(old, new).ratio() >= ALIKE_MIN
}

fn whole<'l>(
    lines: impl Iterator<Item = &'l str>,
    piece: impl Fn(String) -> Piece,
) -> impl Iterator<Item = Vec<Piece>> {
    lines.filter(|line| !line.trim().is_empty()).map(move |line| vec![piece(line.to_owned())])
}

/// Words that went and came, between two stretches that stayed.
#[derive(Default)]
struct Swap {
    before: String,
    now: String,
}

impl Swap {
    /// Adds it to a line; the blank at its end stands behind it, and is the same in both.
    fn add_to(&mut self, line: &mut Vec<Piece>) {
        let ends_blank = [&self.before, &self.now].into_iter().any(|text| text.ends_with(' '));
        let Self { before, now } = std::mem::take(self);
        let pieces = [Piece::Gone(before.trim_end().to_owned()), Piece::New(now.trim_end().to_owned())];
        line.extend(pieces.into_iter().filter(|piece| !piece.text().is_empty()));
        line.extend(ends_blank.then(|| Piece::Same(" ".to_owned())));
    }

    fn is_empty(&self) -> bool {
        self.before.is_empty() && self.now.is_empty()
    }
}

impl Piece {
    /// Its words.
    pub fn text(&self) -> &str {
        let (Self::Same(text) | Self::Gone(text) | Self::New(text)) = self;
        text
    }
}

/// A line in which words changed.
fn by_words(before: &str, now: &str) -> Vec<Piece> {
    let (mut line, mut swap, mut blank) = (Vec::new(), Swap::default(), String::new());
    for change in TextDiff::from_words(before, now).iter_all_changes() {
        let word = change.value();
        match change.tag() {
            // Blanks between words that changed change with them.
            ChangeTag::Equal if word.trim().is_empty() && blank.is_empty() => blank.push_str(word),
            ChangeTag::Equal => {
                swap.add_to(&mut line);
                same(&mut line, &std::mem::take(&mut blank));
                same(&mut line, word);
            }
            tag => {
                let blank = std::mem::take(&mut blank);
                if swap.is_empty() {
                    same(&mut line, &blank);
                } else {
                    swap.before.push_str(&blank);
                    swap.now.push_str(&blank);
                }
                if tag == ChangeTag::Delete { swap.before.push_str(word) } else { swap.now.push_str(word) }
            }
        }
    }
    swap.add_to(&mut line);
    line
}

/// Adds words that stayed.
fn same(line: &mut Vec<Piece>, words: &str) {
    match line.last_mut() {
        _ if words.is_empty() => {}
        Some(Piece::Same(text)) => text.push_str(words),
        _ => line.push(Piece::Same(words.to_owned())),
    }
}
