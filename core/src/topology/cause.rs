//! Faults that have one cause are one fault. Where several places say a word that nothing declares, and a word like it is
//! declared and said nowhere, the declaration is what is misspelt.

use std::collections::BTreeMap;
use std::ops::Range;

use super::fault::{Code, Edit, Fault, Faults, Place};

impl Faults {
    /// Tells what several places have for a cause once, where it is to be mended.
    pub fn by_cause(&mut self) {
        self.misspelt();
        self.undeclared();
    }

    /// A word that several places say and nothing declares or is like: it is not misspelt, its declaration is forgotten.
    fn undeclared(&mut self) {
        let mut groups: BTreeMap<String, Vec<Fault>> = BTreeMap::new();
        for fault in self.iter().filter(|fault| NAMING.contains(&fault.code) && fault.did_you_mean.is_none()) {
            let Some(given) = &fault.given else { continue };
            groups.entry(given.clone()).or_default().push(fault.clone());
        }
        for (given, faults) in groups.into_iter().filter(|(_, faults)| faults.len() > 1) {
            let declared = faults.iter().find_map(|fault| Some((fault, declaration(fault, &given)?)));
            let Some((first, line)) = declared else { continue };
            let more = match faults.len() - 1 {
                1 => "another place names it".to_owned(),
                more => format!("{more} more places name it"),
            };
            let what = format!("{}; {more}", first.what);
            let told = Fault { what, instead: format!("{line}; otherwise {}", first.instead), ..first.clone() };
            self.retain(|fault| !faults.contains(fault));
            self.push(told);
        }
    }

    /// A declaration that is misspelt, where everybody else agrees.
    fn misspelt(&mut self) {
        let mut groups: BTreeMap<(String, String), Vec<&Fault>> = BTreeMap::new();
        for fault in self.iter() {
            let (Some(given), Some(meant)) = (&fault.given, &fault.did_you_mean) else { continue };
            if let Some((given, meant)) = differing(given, meant) {
                groups.entry((given.to_owned(), meant.to_owned())).or_default().push(fault);
            }
        }
        let mut causes: Vec<(Fault, Vec<Place>)> = vec![];
        for ((given, meant), faults) in groups {
            let Some((place, beside)) = self.only(&meant) else { continue };
            let is_declaration = faults.iter().all(|fault| fault.place != place && !is_text(fault));
            // Who says it in a template says it, too.
            let quoted: usize =
                self.sources().iter().map(|(_, text)| text.matches(&format!("'{given}'")).count()).sum();
            if is_declaration && faults.len() + quoted > 1 {
                let what = format!(
                    "`{meant}` is said nowhere but here, and `{given}`, which is said elsewhere, is nowhere declared"
                );
                let fault = Fault::new(faults[0].code, &place, what, "write the same word in both places");
                let mut fault = fault.meaning(&meant, Some(&given));
                fault.edit = beside.and_then(|beside| self.both((&place, &beside), &meant, &given));
                let told = faults.iter().map(|fault| fault.place.clone()).collect();
                causes.push((fault, told));
            }
        }
        for (cause, told) in causes {
            self.retain(|fault| !told.contains(&fault.place));
            self.push(cause);
        }
    }

    /// Where `word` stands, if one place of all files says it; a schema says a field that it requires at two, of which the
    /// first is where it is declared.
    fn only(&self, word: &str) -> Option<(Place, Option<Place>)> {
        let sources = self.sources();
        let all = sources.iter().flat_map(|(file, text)| {
            whole(text, word).map(move |span| (Place { file: file.clone(), span: span.clone() }, is_key(text, &span)))
        });
        let all: Vec<(Place, bool)> = all.take(3).collect();
        match all.as_slice() {
            [(only, _)] => Some((only.clone(), None)),
            [(one, is_declared), (other, is_other)] if one.file == other.file && one.file.ends_with(".json") => {
                match (is_declared, is_other) {
                    (true, false) => Some((one.clone(), Some(other.clone()))),
                    (false, true) => Some((other.clone(), Some(one.clone()))),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The edit that writes `given` at both places of one file that say `meant`.
    fn both(&self, (one, other): (&Place, &Place), meant: &str, given: &str) -> Option<Edit> {
        let text = self.text(&one.file)?;
        let span = one.span.start.min(other.span.start)..one.span.end.max(other.span.end);
        let between = text.get(span.start + meant.len()..span.end - meant.len())?;
        let text = format!("{given}{between}{given}");
        Some(Edit { place: Place { file: one.file.clone(), span }, text })
    }
}

/// Whether the word in quotes at `span` of a JSON text is a key.
fn is_key(text: &str, span: &Range<usize>) -> bool {
    text.get(span.end..).and_then(|rest| rest.strip_prefix('"')).is_some_and(|rest| rest.trim_start().starts_with(':'))
}

/// Faults of those who name what is not there.
const NAMING: [Code; 5] =
    [Code::UnknownArtefact, Code::UnknownMember, Code::Script, Code::Expectation, Code::TemplateName];

/// The line that would declare what is named.
fn declaration(fault: &Fault, given: &str) -> Option<String> {
    match fault.code {
        Code::UnknownArtefact => Some(format!("write {given} = {{ schema = \"...\" }} under [artefacts]")),
        Code::UnknownMember => Some(format!("write {given} = {{ ... }} under [team]")),
        Code::TemplateName if fault.what.starts_with("`brief.") => {
            Some(format!("write {given} = {{ type = \"string\" }} under [params]"))
        }
        _ => None,
    }
}

/// A file that is not there is a cause of its own.
fn is_text(fault: &Fault) -> bool {
    fault.given.as_ref().is_some_and(|given| given.contains('/'))
}

/// The one part in which two dotted names differ, of either.
fn differing<'n>(given: &'n str, meant: &'n str) -> Option<(&'n str, &'n str)> {
    let parts = |name: &'n str| name.split(['.', ':']).collect::<Vec<_>>();
    let (given, meant) = (parts(given), parts(meant));
    let mut differing = given.iter().zip(&meant).filter(|(given, meant)| given != meant);
    let one = differing.next().map(|(given, meant)| (*given, *meant))?;
    (given.len() == meant.len() && differing.next().is_none()).then_some(one)
}

/// Where `word` stands as a whole word.
fn whole<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(byte));
    let bytes = text.as_bytes();
    text.match_indices(word).map(|(start, word)| start..start + word.len()).filter(move |span| {
        !is_part(span.start.checked_sub(1).and_then(|before| bytes.get(before))) && !is_part(bytes.get(span.end))
    })
}
