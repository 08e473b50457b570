//! What people remark: whether it can be taken, and whom it names.

use std::collections::BTreeMap;

use serde_json::Value;

/// Longest remark, in characters.
const CHARS_MAX: usize = 4_000;

/// What is wrong with a remark on the part `at` of a version with this text, a sentence each.
pub fn faults(at: &str, text: &str, version: Option<&Value>) -> Vec<String> {
    let mut faults = said(text);
    match version {
        None => faults.push("the text of that version was erased".to_owned()),
        Some(version) if version.pointer(at).is_none() => {
            faults.push(format!("there is no {at:?} in it: a part is named like /mails/0/subject"));
        }
        Some(_) => {}
    }
    faults
}

/// What is wrong with what is said in a comment.
pub(super) fn said(text: &str) -> Vec<String> {
    let (is_empty, chars) = (text.trim().is_empty(), text.chars().count());
    let empty = is_empty.then(|| "a comment has to say something".to_owned());
    let long = (chars > CHARS_MAX).then(|| format!("a comment has {CHARS_MAX} characters at most, not {chars}"));
    empty.into_iter().chain(long).collect()
}

/// What is wrong with what is said to a member.
pub(super) fn noted(text: &str) -> Vec<String> {
    said(text).into_iter().map(|fault| fault.replacen("a comment", "a note", 1)).collect()
}

/// Whom a text names as `@name`, of these people; each once.
pub(super) fn mentions(text: &str, people: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let named = |name: &str| {
        text.match_indices(&format!("@{name}")).any(|(at, found)| {
            let before = text[..at].chars().next_back();
            let mut after = text[at + found.len()..].chars();
            // A full stop may end the sentence.
            let goes_on = match after.next() {
                Some('.') => after.next().is_some_and(is_of_name),
                Some(next) => is_of_name(next),
                None => false,
            };
            !goes_on && !before.is_some_and(is_of_name)
        })
    };
    people.keys().filter(|name| named(name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn people_are_named_by_whole_names() {
        let people = ["ana", "ana-maria", "ben", "j.d"].map(|name| (name.to_owned(), Vec::new()));
        let people = BTreeMap::from(people);
        let check = |text: &str, wanted: &[&str]| assert_eq!(mentions(text, &people), wanted, "{text}");
        check("@ana, look", &["ana"]);
        check("Ask @ben. And @ana.", &["ana", "ben"]);
        check("@ana-maria and (@ben)", &["ana-maria", "ben"]);
        check("@j.d. said so", &["j.d"]);
        check("mail@ana.example, @anabel, @eve, ana", &[]);
        check("@ana.b", &[]);
    }

    #[test]
    fn a_remark_says_something_of_a_part_that_is_there() {
        let version = json!({ "mails": [{ "subject": "Hello" }] });
        let check = |at: &str, text: &str, version: Option<&Value>, wanted: &[&str]| {
            let found = faults(at, text, version);
            assert_eq!(found.len(), wanted.len(), "{found:?}");
            assert!(found.iter().zip(wanted).all(|(found, wanted)| found.contains(wanted)), "{found:?}");
        };
        check("", "All of it.", Some(&version), &[]);
        check("/mails/0/subject", "Too loud.", Some(&version), &[]);
        check("/mails/1/subject", "Too loud.", Some(&version), &["there is no"]);
        check("mails", " \n", Some(&version), &["has to say something", "there is no"]);
        check("", &"x".repeat(CHARS_MAX + 1), Some(&version), &["4000 characters"]);
        check("", "Gone.", None, &["erased"]);
    }
}
