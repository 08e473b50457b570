//! A mail, part by part: every header line, every text, what the HTML says beside the text, attachments, and whatever
//! stands outside the parts. Headers are taken from the bytes, so that one that nobody knows is shown as well.

use mail_parser::{Encoding, Message, MessageParser, MessagePart, MimeHeaders as _, PartType};

use super::html;
use super::part::Shown;

pub(super) fn parts(bytes: &[u8]) -> Vec<Shown> {
    match parsed(bytes) {
        Some(mail) => {
            let mut shown = Vec::new();
            message(&mail, bytes, bytes.len(), &mut shown);
            shown
        }
        None => vec![Shown::text("not readable as a mail", String::from_utf8_lossy(bytes))],
    }
}

/// The mail that `bytes` are. The parser panics on some that are nested in a way of their own (0.11.9, a mail within a mail
/// as the last of several parts); they are shown as they are, like whatever is no mail.
fn parsed(bytes: &[u8]) -> Option<Message<'_>> {
    std::panic::catch_unwind(|| MessageParser::default().parse(bytes)).ok().flatten()
}

/// Headers and contents of `mail`, whose places are in `raw` and which ends at `last`, and of the mails within.
fn message(mail: &Message<'_>, raw: &[u8], last: usize, shown: &mut Vec<Shown>) {
    let mut covered: Vec<(usize, usize)> = Vec::new();
    let mut texts = String::new();
    for part in &mail.parts {
        let (start, body, end) = (at(part.offset_header), at(part.offset_body), at(part.offset_end));
        headers(raw.get(start..body).unwrap_or_default(), shown);
        let inner = match part.body {
            PartType::Multipart(_) => body,
            // The end of a mail within that runs on to the last byte is not told.
            PartType::Message(_) if end <= body => last,
            _ => end.max(body),
        };
        covered.push((start, inner));
        match &part.body {
            PartType::Text(text) => {
                texts.push_str(text);
                shown.push(Shown::text(&name(part, "text"), text.as_ref()));
            }
            PartType::Html(text) => html_part(part, text, &texts, shown),
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) => {
                shown.push(Shown::file(&name(part, "a file without a name"), &media_type(part), bytes));
            }
            // One that is not encoded has its places in the same bytes.
            PartType::Message(within) if part.encoding == Encoding::None => message(within, raw, inner, shown),
            PartType::Message(within) => message(within, within.raw_message(), within.raw_message().len(), shown),
            PartType::Multipart(_) => {}
        }
    }
    outside(raw, last, mail, &mut covered, shown);
}

fn at(offset: u32) -> usize {
    offset as usize
}

/// Each header line of a block, unfolded and decoded; what is no header as it is.
fn headers(block: &[u8], shown: &mut Vec<Shown>) {
    let text = String::from_utf8_lossy(block).replace("\r\n", "\n");
    let mut lines: Vec<String> = Vec::new();
    for line in text.split('\n').filter(|line| !line.trim().is_empty()) {
        match lines.last_mut().filter(|_| line.starts_with([' ', '\t'])) {
            Some(last) => last.push_str(line),
            None => lines.push(line.to_owned()),
        }
    }
    for line in lines {
        match line.split_once(':') {
            Some((name, value)) => shown.push(Shown::field(name.trim(), decoded(value.trim()))),
            None => shown.push(Shown::field("no header", line)),
        }
    }
}

/// A header's value as a reader's program shows it.
fn decoded(value: &str) -> String {
    if !value.contains("=?") {
        return value.to_owned();
    }
    let line = format!("Subject: {value}\r\n\r\n");
    let subject = MessageParser::default().parse_headers(line.as_bytes()).and_then(|m| m.subject().map(str::to_owned));
    subject.unwrap_or_else(|| value.to_owned())
}

/// What the HTML says beside what the texts before it say.
fn html_part(part: &MessagePart<'_>, source: &str, texts: &str, shown: &mut Vec<Shown>) {
    let said = plain(texts);
    let beside: Vec<String> = html::pieces(source)
        .into_iter()
        .filter(|piece| !says(&said, &plain(&piece.text)))
        .map(|piece| format!("{}: {}", piece.of, piece.text))
        .collect();
    let what = match (texts.trim().is_empty(), beside.is_empty()) {
        (true, _) => "HTML",
        (false, false) => "HTML: it says what the text says, and beside that",
        (false, true) => "HTML: it says what the text says, and nothing else",
    };
    shown.push(Shown::text(&name(part, what), beside.join("\n")));
}

/// Whether `words` stand in `text` as words, and not as part of others.
fn says(text: &str, words: &str) -> bool {
    let cut = |inner: Option<char>, outer: Option<char>| {
        inner.is_some_and(char::is_alphanumeric) && outer.is_some_and(char::is_alphanumeric)
    };
    text.match_indices(words).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + words.len()..]);
        !cut(words.chars().next(), before.chars().next_back()) && !cut(words.chars().next_back(), after.chars().next())
    })
}

/// Words alone, to find them again in another layout.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn name(part: &MessagePart<'_>, what: &str) -> String {
    part.attachment_name().map_or_else(|| what.to_owned(), |name| format!("{what}, {name}"))
}

fn media_type(part: &MessagePart<'_>) -> String {
    let of = part.content_type();
    of.map_or_else(|| "unknown".to_owned(), |of| format!("{}/{}", of.ctype(), of.subtype().unwrap_or("unknown")))
}

/// Lines before, between and after the parts that no program shows, but for the boundaries.
fn outside(raw: &[u8], last: usize, mail: &Message<'_>, covered: &mut [(usize, usize)], shown: &mut Vec<Shown>) {
    let boundary = |part: &MessagePart<'_>| Some(part.content_type()?.attribute("boundary")?.to_owned());
    let boundaries: Vec<String> = mail.parts.iter().filter_map(boundary).collect();
    covered.sort_unstable();
    let mut lines = Vec::new();
    let mut from = covered.first().map_or(0, |(start, _)| *start);
    for (start, end) in covered.iter().copied().chain([(last, last)]) {
        let gap = String::from_utf8_lossy(raw.get(from..start).unwrap_or_default()).into_owned();
        let is_boundary = |line: &str| {
            let marks = line.trim_end().strip_prefix("--").map(|rest| rest.strip_suffix("--").unwrap_or(rest));
            marks.is_some_and(|marks| marks.is_empty() || boundaries.iter().any(|boundary| boundary == marks))
        };
        lines.extend(gap.lines().filter(|line| !line.trim().is_empty() && !is_boundary(line)).map(str::to_owned));
        from = from.max(end);
    }
    if !lines.is_empty() {
        shown.push(Shown::text("outside the parts", lines.join("\n")));
    }
}
