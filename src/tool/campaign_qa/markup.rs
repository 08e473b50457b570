//! Marks of Markdown and HTML. A mail is written as it stands, so readers would see them. Lists, lines and quotes that
//! read well as plain text are left alone.

use super::super::part::args::quoted;
use super::super::part::prose::found::Found;
use super::super::part::prose::{link, text};

/// Longest stretch that marks enclose, in bytes.
const BYTES_MAX: usize = 400;

/// Reports marks that readers would see.
pub(super) fn marks(text: &str, at: &str, found: &mut Found) {
    let text = text::with_fallbacks(text);
    let mut report = |mark: &str| {
        found.must("markup", at, format!("readers see the marks in {}: write it without them", quoted(mark)));
    };
    for line in text.lines() {
        linked(line).into_iter().for_each(&mut report);
        // A path may have marks in it that are none.
        let line = link::without_links(line);
        if is_heading(&line) || is_table(&line) || line.trim().starts_with("```") {
            report(line.trim());
        }
        for mark in ["**", "__", "~~", "`", "*", "_"] {
            enclosed(&line, mark).into_iter().for_each(&mut report);
        }
        tagged(&line).into_iter().for_each(&mut report);
        entity(&line).into_iter().for_each(&mut report);
    }
}

/// `[words](address)`
fn linked(line: &str) -> Option<&str> {
    let middle = line.find("](")?;
    let start = line[..middle].rfind('[')?;
    let end = line[middle..].find(')')?;
    Some(&line[start..=middle + end])
}

fn is_heading(line: &str) -> bool {
    let rest = line.trim_start().trim_start_matches('#');
    let level = line.trim_start().len() - rest.len();
    (1..=6).contains(&level) && rest.starts_with(' ') && rest.contains(char::is_alphabetic)
}

fn is_table(line: &str) -> bool {
    let line = line.trim();
    line.matches('|').count() >= 2 && line.contains("---") && line.chars().all(|c| "|-: ".contains(c))
}

/// The first stretch between two of `mark`, which stand close to what they enclose and apart from what is around: an
/// asterisk after a price, or a name with underscores, is none.
fn enclosed<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    let single = mark.len() == 1;
    let own = |c: char| mark.starts_with(c);
    let apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && !own(c));
    let opens = |at: &usize| {
        let after = line[at + mark.len()..].chars().next();
        let close = after.is_some_and(|c| !c.is_whitespace() && !own(c) && (!single || c.is_alphanumeric()));
        close && apart(line[..*at].chars().next_back())
    };
    let closes = |at: &usize| {
        let before = line[..*at].chars().next_back();
        before.is_some_and(|c| !c.is_whitespace() && !own(c)) && apart(line[at + mark.len()..].chars().next())
    };
    let places: Vec<usize> = line.match_indices(mark).map(|(at, _)| at).collect();
    let start = *places.iter().find(|at| opens(at))?;
    let end = places.into_iter().filter(|at| *at > start + mark.len()).find(closes)?;
    (end - start < BYTES_MAX).then(|| &line[start..end + mark.len()])
}

/// `<b>`, `</p>`, `<a href="...">`, `<br/>`
fn tagged(line: &str) -> Option<&str> {
    line.match_indices('<').find_map(|(at, _)| {
        let inner = &line[at + 1..at + line[at..].find('>')?];
        let name: String = inner.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
        let rest = inner.trim_start_matches('/')[name.len()..].trim_end_matches('/');
        let known = TAGS.contains(&name.to_ascii_lowercase().as_str());
        (known && (rest.trim().is_empty() || rest.contains('='))).then(|| &line[at..=at + 1 + inner.len()])
    })
}

/// The elements that mails are made of.
const TAGS: [&str; 28] = [
    "a", "b", "body", "br", "center", "div", "em", "font", "h1", "h2", "h3", "head", "hr", "html", "i", "img", "li",
    "ol", "p", "script", "span", "strong", "style", "table", "td", "tr", "u", "ul",
];

/// `&nbsp;`, `&#39;`
fn entity(line: &str) -> Option<&str> {
    line.match_indices('&').find_map(|(at, _)| {
        let inner = line[at + 1..].split(';').next().filter(|inner| at + 1 + inner.len() < line.len())?;
        let number = inner.strip_prefix('#').is_some_and(|digits| {
            let digits = digits.trim_start_matches(['x', 'X']);
            !digits.is_empty() && digits.len() <= 6 && digits.chars().all(|c| c.is_ascii_hexdigit())
        });
        let name = (2..=8).contains(&inner.len()) && inner.chars().all(|c| c.is_ascii_alphanumeric());
        (number || name).then(|| &line[at..at + 2 + inner.len()])
    })
}
