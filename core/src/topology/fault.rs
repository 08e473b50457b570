//! Faults in the files people write: what is wrong, where, on which path, and what to write instead.
//! Rendering only; the rules that find them are in `raw` and `check`.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str};

pub use super::code::Code;
use super::secret::blotted;

/// Faults that are printed unasked.
pub const SHOWN_MAX: usize = 20;

/// A byte range of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Path below the project's root, with `/`.
    pub file: Arc<str>,
    /// Bytes of the file's text.
    pub span: Range<usize>,
}

/// A value and where it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where.
    pub place: Place,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Its kind.
    pub code: Code,
    /// Where it is.
    pub place: Place,
    /// What is wrong, one sentence.
    pub what: String,
    /// A path through the team that shows it, from `start`; empty if none is needed.
    pub path: Vec<String>,
    /// What to write instead.
    pub instead: String,
    /// The name that was probably meant.
    pub did_you_mean: Option<String>,
    /// The name that was written instead of it.
    pub given: Option<String>,
    /// What to write, where that is known to the letter.
    pub edit: Option<Edit>,
}

/// A change of a file: these bytes become that text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced; no bytes if something is put in.
    pub place: Place,
    /// By what.
    pub text: String,
}

/// Every fault of a project's files, with their texts.
#[derive(Clone, Default, PartialEq)]
pub struct Faults {
    list: Vec<Fault>,
    sources: BTreeMap<Arc<str>, Arc<str>>,
}

impl Place {
    /// The start of `file`.
    pub fn top(file: &str) -> Self {
        Self { file: file.into(), span: 0..0 }
    }
}

impl Fault {
    /// A fault with neither path nor suggestion.
    pub fn new(code: Code, place: &Place, what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self {
            code,
            place: place.clone(),
            what: what.into(),
            path: vec![],
            instead: instead.into(),
            did_you_mean: None,
            given: None,
            edit: None,
        }
    }

    /// With the text that is right in place of what is at `place`.
    #[must_use]
    pub fn with_edit(mut self, place: Place, text: impl Into<String>) -> Self {
        self.edit = Some(Edit { place, text: text.into() });
        self
    }

    /// With the path that shows it.
    #[must_use]
    pub fn on_path(mut self, path: Vec<String>) -> Self {
        self.path = path;
        self
    }

    /// With the nearest of `known` to `given`, if one is near.
    #[must_use]
    pub fn meant<'k>(self, given: &str, known: impl IntoIterator<Item = &'k str>) -> Self {
        let meant = nearest(given, known);
        self.meaning(given, meant)
    }

    /// With what was probably meant by `given`, if that is known.
    #[must_use]
    pub fn meaning(mut self, given: &str, meant: Option<&str>) -> Self {
        self.did_you_mean = meant.map(str::to_owned);
        self.given = meant.map(|_| given.to_owned());
        self
    }
}

/// The one of `known` that `given` was probably meant to be.
pub fn nearest<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let given: String = given.chars().take(64).collect();
    let scored = known.into_iter().map(|name| (strsim::jaro_winkler(&given, name), name));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(_, name)| *name != given);
    let edits = |name: &str| strsim::damerau_levenshtein(&given, name);
    let close = |name: &str| edits(name) <= 1 + given.chars().count().min(name.len()) / 3;
    // Of a short word, two letters that changed places leave little that is alike.
    let is_slip = |name: &str| given.len() >= 3 && edits(name) == 1;
    best.filter(|(score, name)| (*score >= 0.75 && close(name)) || is_slip(name)).map(|(_, name)| name)
}

/// What types are called elsewhere, and what they are called here.
const OTHER_TYPES: [(&str, &str); 16] = [
    ("int", "integer"),
    ("long", "integer"),
    ("str", "string"),
    ("text", "string"),
    ("date", "string"),
    ("bool", "boolean"),
    ("float", "number"),
    ("double", "number"),
    ("decimal", "number"),
    ("list", "array"),
    ("tuple", "array"),
    ("dict", "object"),
    ("map", "object"),
    ("table", "object"),
    ("none", "null"),
    ("nil", "null"),
];

/// The one of `known`, names of types among them, that `given` was probably meant to be.
pub fn nearest_type<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let known: Vec<&str> = known.into_iter().collect();
    let lower = given.to_ascii_lowercase();
    let other = OTHER_TYPES.iter().find(|(other, _)| *other == lower).map_or(lower.as_str(), |(_, right)| right);
    known.iter().copied().find(|name| *name == other).or_else(|| nearest(&lower, known))
}

impl Faults {
    /// Adds a fault.
    pub fn push(&mut self, fault: Fault) {
        self.list.push(fault);
    }

    /// Adds faults.
    pub fn extend(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.list.extend(faults);
    }

    /// Keeps `text` as the source of `file`, for rendering.
    pub fn source(&mut self, file: Arc<str>, text: Arc<str>) {
        self.sources.insert(file, text);
    }

    /// Joins two sets.
    pub fn join(&mut self, other: Self) {
        self.list.extend(other.list);
        self.sources.extend(other.sources);
    }

    /// The faults, by file and place.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.list.iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Puts them in the order in which they are shown, each once. Where a secret is, nothing else is told.
    pub fn sort(&mut self) {
        let secrets: Vec<Place> =
            self.list.iter().filter(|fault| fault.code == Code::Secret).map(|fault| fault.place.clone()).collect();
        let within = |inner: &Place, outer: &Place| {
            inner.file == outer.file && inner.span.start >= outer.span.start && inner.span.end <= outer.span.end
        };
        // The key that it stands under is a part of it.
        let sources = &self.sources;
        let beside = |fault: &Fault, secret: &Place| {
            let between = fault.place.span.start..secret.span.start;
            let text = sources.get(&secret.file).filter(|_| fault.place.file == secret.file);
            let line = text.and_then(|text| text.get(between));
            fault.code == Code::UnknownKey && line.is_some_and(|line| !line.contains('\n'))
        };
        let is_told = |fault: &Fault| {
            fault.code == Code::Secret
                || !secrets.iter().any(|place| within(&fault.place, place) || beside(fault, place))
        };
        self.list.retain(is_told);
        let rank = |file: &str| u8::from(!file.starts_with("topologies/"));
        self.list.sort_by(|a, b| {
            let key = |f: &Fault| (rank(&f.place.file), f.place.file.clone(), f.place.span.start, f.code);
            key(a).cmp(&key(b))
        });
        self.list.dedup();
    }

    /// What to change so that the fault is gone, where that is known to the letter.
    pub fn edit(&self, fault: &Fault) -> Option<Edit> {
        if fault.edit.is_some() {
            return fault.edit.clone();
        }
        let (given, meant) = (fault.given.as_deref()?, fault.did_you_mean.as_deref()?);
        let text = self.sources.get(&fault.place.file)?;
        let span = clamp(text, &fault.place.span);
        // A file's name stands in some places without its ending.
        let stems = given.rsplit_once('.').zip(meant.rsplit_once('.')).map(|((given, _), (meant, _))| (given, meant));
        let (at, given, meant) = std::iter::once((given, meant)).chain(stems).find_map(|(given, meant)| {
            let at = text[span.clone()].find(given)?;
            Some((span.start + at, given, meant))
        })?;
        let place = Place { file: fault.place.file.clone(), span: at..at + given.len() };
        Some(Edit { place, text: meant.to_owned() })
    }

    /// Keeps the faults that `is_told` says yes to.
    pub fn retain(&mut self, is_told: impl FnMut(&Fault) -> bool) {
        self.list.retain(is_told);
    }

    /// The texts that are at hand, by file.
    pub fn sources(&self) -> Vec<(Arc<str>, Arc<str>)> {
        self.sources.iter().map(|(file, text)| (file.clone(), text.clone())).collect()
    }

    /// The text of a file that is at hand.
    pub fn text(&self, file: &str) -> Option<&str> {
        self.sources.get(file).map(|text| &**text)
    }

    /// Where the bytes `within` of the value of a text are in its file: escapes and indents make that the whole text.
    pub fn within(&self, at: &At<String>, within: Range<usize>) -> Place {
        let Some(text) = self.sources.get(&at.place.file) else { return at.place.clone() };
        let span = clamp(text, &at.place.span);
        // A text that is a whole file has no span of its own.
        let span = if span.is_empty() { 0..text.len() } else { span };
        match text[span.clone()].find(at.value.as_str()) {
            Some(start) if !at.value.is_empty() => {
                let start = span.start + start;
                Place { file: at.place.file.clone(), span: start + within.start..start + within.end }
            }
            _ => at.place.clone(),
        }
    }

    /// Line and column of a fault, from 1.
    pub fn position(&self, fault: &Fault) -> (usize, usize) {
        let text = self.sources.get(&fault.place.file).map_or("", |text| text);
        let before = &text[..floor_char(text, fault.place.span.start)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// The first [`SHOWN_MAX`] faults as text for a terminal.
    pub fn render(&self, color: bool) -> String {
        self.render_up_to(SHOWN_MAX, color)
    }

    /// The first `shown_max` faults as text for a terminal.
    pub fn render_up_to(&self, shown_max: usize, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() }.decor_style(DecorStyle::Ascii);
        let sources = self.redacted();
        let mut text = String::new();
        for fault in self.list.iter().take(shown_max) {
            let fault = &Fault { what: blotted(&fault.what), instead: blotted(&fault.instead), ..fault.clone() };
            let source = sources.get(&fault.place.file).map(String::as_str);
            text.push_str(&renderer.render(&[group(fault, source)]));
            text.push_str("\n\n");
        }
        let more = self.list.len().saturating_sub(shown_max);
        if more > 0 {
            text.push_str(&format!("... and {more} more\n\n"));
        }
        let count = self.list.len();
        text.push_str(&format!("{count} {}\n", if count == 1 { "fault" } else { "faults" }));
        text
    }

    /// The sources that faults point into, with every secret blotted out.
    fn redacted(&self) -> BTreeMap<Arc<str>, String> {
        let mut sources: BTreeMap<Arc<str>, String> = BTreeMap::new();
        for fault in &self.list {
            let Some(text) = self.sources.get(&fault.place.file) else { continue };
            let text = sources.entry(fault.place.file.clone()).or_insert_with(|| text.to_string());
            let span = clamp(text, &fault.place.span);
            if fault.code == Code::Secret {
                let blot: String = text[span.clone()].bytes().map(|b| if b == b'\n' { '\n' } else { '*' }).collect();
                text.replace_range(span, &blot);
            }
        }
        // A file that does not parse was not searched, and a key may be on the line that is shown.
        sources.into_iter().map(|(file, text)| (file, blotted(&text))).collect()
    }
}

fn group<'a>(fault: &'a Fault, source: Option<&'a str>) -> Group<'a> {
    let safe = |text: String| normalize_untrusted_str(&text);
    let title = Level::ERROR.primary_title(&fault.what).id(fault.code.as_str());
    let mut group = match source.filter(|text| !text.is_empty()) {
        Some(source) => {
            let span = clamp(source, &fault.place.span);
            // Of many lines the first says where.
            let line = source[span.clone()].find('\n').map_or(span.end, |end| span.start + end);
            let mark = AnnotationKind::Primary.span(span.start..line);
            title.element(Snippet::source(source).path(&*fault.place.file).annotation(mark))
        }
        None => title.element(Origin::path(&*fault.place.file)),
    };
    if !fault.path.is_empty() {
        group = group.element(Level::NOTE.message(safe(format!("on the path {}", fault.path.join(" -> ")))));
    }
    if let Some(meant) = &fault.did_you_mean {
        group = group.element(Level::HELP.message(safe(format!("did you mean `{meant}`?"))));
    }
    if !fault.instead.is_empty() {
        group = group.element(Level::HELP.message(safe(fault.instead.clone())));
    }
    group.element(Level::HELP.message(format!("callsheet explain {}", fault.code)))
}

/// The span within the text, on character boundaries.
fn clamp(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = floor_char(text, span.start);
    start..floor_char(text, span.end.max(start))
}

fn floor_char(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self { list: vec![fault], sources: BTreeMap::new() }
    }
}

impl IntoIterator for Faults {
    type Item = Fault;
    type IntoIter = std::vec::IntoIter<Fault>;
    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Faults {}
