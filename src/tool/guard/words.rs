//! Rules about what a text says: terms, links, and what was left over in it.

use super::super::check::Finding;
use super::super::part::prose::fold::Folded;
use super::super::part::prose::found::Found;
use super::super::part::prose::{link, tag, text};
use super::rule::{Kind, Rule};
use super::scope::{Group, Piece};

/// How much is quoted of what was found.
const FOUND_CHARS_MAX: usize = 60;

/// What is wrong with a group: where, and what.
pub(super) type Wrongs = Vec<(String, String)>;

/// Terms that are there and may not be, or are not and have to be.
pub(super) fn terms(rule: &Rule, group: &Group) -> Wrongs {
    let terms = rule.terms.as_deref().unwrap_or_default();
    let folded = |text: &str| Folded::of(&flat(rule.kind, text));
    let has = |texts: &[Folded], term: &str| texts.iter().any(|text| text.has(&flat(rule.kind, term)));
    let texts: Vec<Folded> = group.pieces.iter().map(|piece| folded(piece.text())).collect();
    let list = |terms: &[&String]| terms.iter().map(|term| named(term)).collect::<Vec<_>>().join(" or ");
    match rule.kind {
        Kind::Banned => {
            let found = group.pieces.iter().zip(&texts).flat_map(|(piece, text)| {
                let of = terms.iter().filter_map(|term| Some((term, text.found(term)?)));
                of.map(|(term, found)| (piece.at.clone(), banned(term, found)))
            });
            found.collect()
        }
        Kind::Unsubscribe if terms.iter().any(|term| has(&texts, term)) => Vec::new(),
        Kind::Unsubscribe => {
            let what = format!("there is no way to leave the list: add {}", list(&terms.iter().collect::<Vec<_>>()));
            vec![(group.at.clone(), what)]
        }
        _ => {
            let missing = terms.iter().filter(|term| !has(&texts, term));
            missing.map(|term| (group.at.clone(), format!("{} is missing: add it", named(term)))).collect()
        }
    }
}

/// What was found of a term that may not stand there, and which term that is.
fn banned(term: &str, found: &str) -> String {
    if term.to_lowercase() == found {
        return format!("{} may not stand here: say it otherwise", named(term));
    }
    let found: String = found.chars().take(FOUND_CHARS_MAX).collect();
    format!("{} may not stand here (the term is {}): say it otherwise", named(&found), named(term))
}

/// A term as the project's file has it.
fn named(term: &str) -> String {
    format!("\"{term}\"")
}

/// An address is the same, whatever parts its lines.
fn flat(kind: Kind, text: &str) -> String {
    if kind != Kind::PostalAddress {
        return text.to_owned();
    }
    let part = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '|' | '/' | '\u{b7}' | '\u{2022}' | '\u{3001}');
    text.split(part).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Links that lead elsewhere, are not https, or cannot be told apart in the figures afterwards.
pub(super) fn links(rule: &Rule, group: &Group) -> Wrongs {
    let hosts = rule.link_hosts.as_deref().unwrap_or_default();
    each(
        group,
        |plain, at, found| {
            link::links(plain, hosts, at, found);
            link::relative(plain, at, found);
        },
        |finding| rule.utm == Some(true) || !finding.rule.ends_with(".utm"),
    )
}

/// Blanks, notes to oneself, and tags that nobody fills in.
pub(super) fn placeholders(rule: &Rule, group: &Group) -> Wrongs {
    let (known, always) = (rule.merge_tags.as_deref(), rule.platform_tags.as_deref());
    let look = |plain: &str, at: &str, found: &mut Found| {
        tag::foreign(plain, at, found);
        let ours = tag::without_foreign(plain);
        text::tags(&ours, known.unwrap_or_default(), always.unwrap_or_default(), at, found);
        text::placeholders(&ours, at, found);
    };
    each(group, look, |_| true)
}

/// Subjects that are missing, too long, or shout.
pub(super) fn subject(rule: &Rule, group: &Group) -> Wrongs {
    let field = rule.fields.first().map_or("subject", String::as_str);
    // What the rule names is all that is in the group.
    let is_one = |piece: &&Piece| !rule.fields.is_empty() || piece.field == field;
    let subjects: Vec<&Piece> = group.pieces.iter().filter(is_one).collect();
    if subjects.is_empty() {
        return vec![(group.at.clone(), format!("there is no {field}: write one"))];
    }
    let mut wrong = Vec::new();
    for piece in subjects {
        let plain = text::plain(piece.text());
        let chars = text::length(&plain);
        let most = rule.chars_max.unwrap_or(usize::MAX);
        if plain.trim().is_empty() {
            wrong.push((piece.at.clone(), format!("the {field} is empty: write one")));
        } else if chars > most {
            wrong.push((piece.at.clone(), format!("the {field} has {chars} characters: {most} at most")));
        }
        let mut found = Found::of("");
        text::shouting(&plain, &piece.at, &mut found);
        wrong.extend(found.all.into_iter().map(|finding| (finding.at, finding.what)));
    }
    wrong
}

/// What `look` finds in each text, as far as it counts.
fn each(group: &Group, look: impl Fn(&str, &str, &mut Found), counts: impl Fn(&Finding) -> bool) -> Wrongs {
    let mut found = Found::of("");
    for piece in group.pieces.iter().filter(|piece| piece.value.is_string()) {
        look(&text::plain(piece.text()), &piece.at, &mut found);
    }
    found.all.into_iter().filter(counts).map(|finding| (finding.at, finding.what)).collect()
}
