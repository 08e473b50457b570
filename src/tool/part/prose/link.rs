//! Links in a text: found however they are written, and led only to hosts that are allowed.

use super::super::args::quoted;
use super::found::Found;
use super::text;

/// Ends of names that mail programs turn into links by themselves.
const TURNED_INTO_LINKS: [&str; 20] = [
    "com", "net", "org", "info", "biz", "io", "co", "ai", "app", "dev", "eu", "de", "uk", "fr", "us", "ru", "cn",
    "xyz", "shop", "online",
];

const UTM: [&str; 3] = ["utm_source", "utm_medium", "utm_campaign"];

/// Reports links that lead elsewhere, are not https, or cannot be told apart in the figures afterwards.
pub(in crate::tool) fn links(text: &str, hosts: &[String], at: &str, found: &mut Found) {
    for word in words(text) {
        let lower = word.to_ascii_lowercase();
        if let Some(rest) = lower.strip_prefix("https://") {
            url(word, &word[word.len() - rest.len()..], hosts, at, found);
        } else if let Some((_, does, instead)) = OTHER_SCHEMES.iter().find(|(scheme, ..)| begins(&lower, scheme)) {
            found.must("links", at, format!("{} {does}: {instead}", quoted(word)));
        } else if lower.contains("://") || lower.starts_with("//") {
            found.must("links", at, format!("{} is no https link: write https://", quoted(word)));
        } else if let Some((_, host)) = word.split_once('@') {
            if is_host(host) && !is_allowed(host, hosts) {
                found.should("links", at, format!("the address {} is outside link_hosts", quoted(word)));
            }
        } else if looks_like_link(&lower) {
            found.must("links", at, format!("mail programs make {} a link: write it with https://", quoted(word)));
        }
    }
}

/// Reports links of Markdown and HTML that only lead on from the page that they stand on.
pub(in crate::tool) fn relative(text: &str, at: &str, found: &mut Found) {
    for target in targets(text).filter(|target| is_relative(target)) {
        let what = format!(
            "{} is a relative link, which leads nowhere from here: write all of it, with https://",
            quoted(target)
        );
        found.must("links", at, what);
    }
}

/// Where links of Markdown and HTML lead, as it is written.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    let ends = |c: char| c.is_whitespace() || ")>\"'".contains(c);
    let after = |mark: &'static str| text.match_indices(mark).map(move |(at, mark)| &text[at + mark.len()..]);
    let all = after("](").chain(after("href=")).chain(after("HREF="));
    all.map(move |rest| rest.trim_start_matches(['<', '"', '\'', ' ']).split(ends).next().unwrap_or_default())
}

/// Whether a link leads on from where it stands. What a tag becomes is not known here; `#` stays within the text.
fn is_relative(target: &str) -> bool {
    let lower = target.to_ascii_lowercase();
    let is_told = lower.contains("://") || lower.starts_with("//") || looks_like_link(&lower) || lower.contains('@');
    let is_scheme = OTHER_SCHEMES.iter().any(|(scheme, ..)| lower.starts_with(scheme));
    !is_told && !is_scheme && !lower.is_empty() && !lower.starts_with(['#', '{', '*', '[', '%'])
}

/// The text without its links, for whoever reads the rest of it.
pub(in crate::tool) fn without_links(text: &str) -> String {
    let parts = text.split_inclusive(char::is_whitespace).flat_map(|word| {
        let before = before_scheme(word);
        // Lines stay lines.
        let space = &word[word.trim_end().len()..];
        if before.len() == word.len() { [word, "", ""] } else { [before, " ", space] }
    });
    parts.collect()
}

/// The words of a text, without what is around them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let around = |c: char| ".,;:!?()[]{}'*".contains(c);
    text.split(|c: char| c.is_whitespace() || "<>\"`“”«»".contains(c))
        .flat_map(|word| {
            let before = before_scheme(word);
            before.split('|').chain([&word[before.len()..]])
        })
        .map(move |word| word.trim_matches(around))
        .filter(|word| !word.is_empty())
}

/// What stands in a word before a link begins in it; all of it if none does.
fn before_scheme(word: &str) -> &str {
    let lower = word.to_ascii_lowercase();
    let starts = ["https://", "http://"].into_iter().filter_map(|scheme| lower.find(scheme));
    &word[..starts.min().unwrap_or(word.len())]
}

fn url(word: &str, after: &str, hosts: &[String], at: &str, found: &mut Found) {
    let authority = after.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    if !is_allowed(authority, hosts) || after.contains('\\') {
        let hosts = hosts.join(", ");
        return found.must("links", at, format!("{} does not lead to link_hosts ({hosts})", quoted(word)));
    }
    // What stands after # never reaches a server, so nobody counts it.
    let (address, fragment) = after.split_once('#').unwrap_or((after, ""));
    let query = address.split_once('?').map_or("", |(_, query)| query);
    let has = |name: &str| {
        query.split('&').filter_map(|pair| pair.split_once('=')).any(|(key, value)| key == name && !value.is_empty())
    };
    let missing: Vec<_> = UTM.into_iter().filter(|name| !has(name)).collect();
    if !missing.is_empty() {
        let after = if fragment.contains("utm_") { ", since what stands after # is never counted" } else { "" };
        found.should("utm", at, format!("{} has no {}{after}: add it before any #", quoted(word), missing.join(", ")));
    }
}

/// A host, exactly: no port, no user, no other letters that look alike. One with letters of other scripts is the same in
/// the form that servers are asked for.
fn is_allowed(host: &str, hosts: &[String]) -> bool {
    let Some(host) = asked_for(host) else { return false };
    hosts.iter().any(|allowed| asked_for(allowed).is_some_and(|allowed| allowed == host))
}

fn asked_for(host: &str) -> Option<String> {
    idna::domain_to_ascii(host).ok()
}

/// Links that open something else than a page: what they do, and what to write.
const OTHER_SCHEMES: [(&str, &str, &str); 7] = [
    ("mailto:", "opens a mail, and links lead to pages", "write the address without mailto:"),
    ("tel:", "opens a call, and links lead to pages", "write the number without tel:"),
    ("sms:", "opens a message, and links lead to pages", "write the number without sms:"),
    ("javascript:", "runs a program in place of a page", "write a link with https://"),
    ("vbscript:", "runs a program in place of a page", "write a link with https://"),
    ("data:", "holds its content in itself", "write a link with https://"),
    ("file:", "leads to a file of the reader's own machine", "write a link with https://"),
];

/// Whether a word is such a link, also as the target of one in Markdown.
fn begins(lower: &str, scheme: &str) -> bool {
    lower.starts_with(scheme) || lower.contains(&format!("]({scheme}"))
}

fn is_host(text: &str) -> bool {
    let label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    text.contains('.') && text.split('.').all(label)
}

fn looks_like_link(lower: &str) -> bool {
    // Some programs take the full stop of Chinese and Japanese for a dot.
    let lower = text::with_fallbacks(lower).to_lowercase().replace('\u{3002}', ".");
    let (host, path) = lower.split_once(['/', '?']).map_or((lower.as_str(), false), |(host, _)| (host, true));
    let host = host.split(':').next().unwrap_or_default();
    let end = host.rsplit('.').next().unwrap_or_default();
    let named = end.len() >= 2 && end.chars().all(char::is_alphabetic);
    is_host(host) && named && (path || host.starts_with("www.") || TURNED_INTO_LINKS.contains(&end))
}
