//! What an HTML source says: texts, comments, and the values of attributes, in order. Nothing is laid out or left out
//! because it is hidden; whoever reads the source finds no word that is not here.

/// Something that the source says, and where.
pub(super) struct Piece {
    /// The tag, with the attribute if it is the value of one.
    pub(super) of: String,
    /// Its text, without entities, on one line.
    pub(super) text: String,
}

/// All pieces with text in them.
pub(super) fn pieces(source: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut tag = "text".to_owned();
    let mut rest = source;
    while !rest.is_empty() {
        let open = tag_start(rest).unwrap_or(rest.len());
        push(&mut pieces, &tag, &rest[..open]);
        rest = &rest[open..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            let end = comment.find("-->").unwrap_or(comment.len());
            push(&mut pieces, "comment", &comment[..end]);
            rest = comment.get(end + 3..).unwrap_or_default();
        } else if !rest.is_empty() {
            let (inner, after) = split_tag(&rest[1..]);
            tag = element(inner, &mut pieces);
            rest = after;
        }
    }
    pieces
}

/// Where the next tag or comment begins; a lone `<` is text.
fn tag_start(text: &str) -> Option<usize> {
    let begins =
        |at: &usize| text[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
    text.match_indices('<').map(|(at, _)| at).find(begins)
}

/// A tag's inside and what follows it; a `>` within quotes does not end it.
fn split_tag(text: &str) -> (&str, &str) {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => return (&text[..at], &text[at + 1..]),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
    }
    (text, "")
}

/// Takes an element's attributes; what it is called.
fn element(inner: &str, pieces: &mut Vec<Piece>) -> String {
    let name_end = inner.find(|c: char| c.is_whitespace()).unwrap_or(inner.len());
    let (name, mut rest) = inner.split_at(name_end);
    let shown = name.trim_start_matches(['/', '!', '?']).trim_end_matches('/').to_ascii_lowercase();
    if name.starts_with(['!', '?']) {
        push(pieces, &shown, rest);
        return "text".to_owned();
    }
    while let Some((attribute, value, after)) = attribute(rest) {
        // A name alone says something too.
        let (of, text) =
            if value.is_empty() { (shown.clone(), attribute) } else { (format!("{shown} {attribute}"), value) };
        push(pieces, &of, text);
        rest = after;
    }
    if name.starts_with('/') || shown.is_empty() { "text".to_owned() } else { shown }
}

/// The next attribute, its value, and what follows.
fn attribute(text: &str) -> Option<(&str, &str, &str)> {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
    if text.is_empty() {
        return None;
    }
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, '=' | '/')).unwrap_or(text.len()).max(1);
    let (name, rest) = text.split_at(end);
    let Some(value) = rest.trim_start().strip_prefix('=') else { return Some((name, "", rest)) };
    let value = value.trim_start();
    if let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let (value, after) = value[1..].split_once(quote).unwrap_or((&value[1..], ""));
        return Some((name, value, after));
    }
    let end = value.find(char::is_whitespace).unwrap_or(value.len());
    Some((name, &value[..end], &value[end..]))
}

fn push(pieces: &mut Vec<Piece>, of: &str, text: &str) {
    let text = unescaped(text).split_whitespace().collect::<Vec<_>>().join(" ");
    if !text.is_empty() {
        pieces.push(Piece { of: of.to_owned(), text });
    }
}

/// Longest entity that is looked for.
const ENTITY_BYTES_MAX: usize = 12;

/// The text with its entities read: numbers, and the five that every writer uses. Others stay as they are written.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find(';').filter(|end| *end <= ENTITY_BYTES_MAX);
        match end.and_then(|end| Some((entity(&rest[1..end])?, end))) {
            Some((c, end)) => {
                plain.push(c);
                rest = &rest[end + 1..];
            }
            None => {
                plain.push('&');
                rest = &rest[1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => {
            let digits = name.strip_prefix('#')?;
            let hex = digits.strip_prefix(['x', 'X']);
            let code = hex.map_or_else(|| digits.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok())?;
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, said: &[&str]) {
        let found: Vec<String> =
            pieces(source).into_iter().map(|piece| format!("{}: {}", piece.of, piece.text)).collect();
        assert_eq!(found, said, "{source}");
    }

    #[test]
    fn every_word_of_a_source_is_said() {
        check("<p>a &amp; b</p>", &["p: a & b"]);
        check(
            "<div style=\"display:none\">early &#8203;look</div>",
            &["div style: display:none", "div: early \u{200b}look"],
        );
        check(
            "<a href='https://a.example/?x=1&amp;y=2' title=more>here</a>",
            &["a href: https://a.example/?x=1&y=2", "a title: more", "a: here"],
        );
        check("one <!-- two --> three < four > five", &["text: one", "comment: two", "text: three < four > five"]);
        check(
            "<img alt=\"a > b\" hidden/><style>p::after { content: 'x' }</style>",
            &["img alt: a > b", "img: hidden", "style: p::after { content: 'x' }"],
        );
        check("<!doctype html><p>open", &["doctype: html", "p: open"]);
        check("<p", &[]);
        check("<!-- never closed", &["comment: never closed"]);
        check("a &unknown; b &#xzz; &", &["text: a &unknown; b &#xzz; &"]);
    }
}
