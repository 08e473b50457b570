//! Which resources of a server agents may read: by patterns of the project's file. What a server lists changes with every
//! page that somebody writes there, so no list is pinned. The patterns are: whatever a server lists, refers to or answers,
//! nothing beside them is asked for or taken.

/// Longest address.
const URI_BYTES_MAX: usize = 2_000;
/// How often letters that are spelt with `%` are looked through: `%252e` is a dot to whoever reads it twice.
const SPELT_MAX: usize = 4;

/// The patterns: a whole address, or the beginning of some with a `*` behind it.
#[derive(Debug, Clone, Default)]
pub(super) struct Uris(Vec<String>);

impl Uris {
    /// Takes them as the file has them.
    ///
    /// # Errors
    /// What of them is no pattern, with what to write.
    pub(super) fn read(patterns: &[String]) -> Result<Self, String> {
        if patterns.is_empty() {
            return Err("uris is empty: name what agents may read, such as \"docs://guides/*\"".to_owned());
        }
        for pattern in patterns {
            let literal = pattern.strip_suffix('*').unwrap_or(pattern);
            if pattern == "*" {
                continue;
            }
            if literal.contains('*') {
                return Err(format!("{pattern:?} has a * that is not its end: write the beginning, then *"));
            }
            let scheme = literal.split_once(':').map(|(scheme, _)| scheme).unwrap_or_default();
            if !is_scheme(scheme) {
                return Err(format!("{pattern:?} does not begin as an address does, such as \"docs://guides/*\""));
            }
            if let Some(why) = unusable(literal) {
                return Err(format!("{pattern:?} is no pattern: {why}"));
            }
        }
        Ok(Self(patterns.to_vec()))
    }

    /// Whether agents may read `uri`, which is usable.
    pub(super) fn allow(&self, uri: &str) -> bool {
        self.0.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => uri.starts_with(beginning),
            None => uri == pattern,
        })
    }

    /// Whether agents may read some of what a template stands for: what it begins with, up to the first thing to fill in.
    pub(super) fn may_allow(&self, template: &str) -> bool {
        let literal = template.split('{').next().unwrap_or_default();
        self.0.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => literal.starts_with(beginning) || beginning.starts_with(literal),
            None => pattern.starts_with(literal),
        })
    }

    /// All of them, in words.
    pub(super) fn words(&self) -> String {
        self.0.join(", ")
    }
}

/// Why nobody is asked for `uri`, if nobody is: a clause. A server may go up where it says `..`, past the pattern.
pub(super) fn unusable(uri: &str) -> Option<String> {
    if uri.is_empty() || uri.len() > URI_BYTES_MAX {
        return Some(format!("an address has 1 to {URI_BYTES_MAX} bytes"));
    }
    if uri.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Some("an address has no blank and no control character".to_owned());
    }
    let mut text = uri.as_bytes().to_vec();
    for _ in 0..SPELT_MAX {
        let is_up = |part: &[u8]| part == b"..";
        if text.split(|byte| matches!(byte, b'/' | b'\\' | b'?' | b'#')).any(is_up) {
            return Some("it goes up, by ..".to_owned());
        }
        if text.contains(&0) {
            return Some("an address has no blank and no control character".to_owned());
        }
        let next: Vec<u8> = percent_encoding::percent_decode(&text).collect();
        if next == text {
            return None;
        }
        text = next;
    }
    Some("it spells its letters in too many layers of %".to_owned())
}

fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::{Uris, unusable};

    #[test]
    fn nothing_beside_the_patterns_is_allowed() {
        let uris = Uris::read(&["docs://guides/*".to_owned(), "docs://prices".to_owned()]).unwrap();
        for (uri, is_allowed) in [
            ("docs://guides/a", true),
            ("docs://guides/", true),
            ("docs://guides", false),
            ("docs://prices", true),
            ("docs://prices/2026", false),
            ("docs://Guides/a", false),
            ("file:///docs://guides/a", false),
        ] {
            assert_eq!(uris.allow(uri), is_allowed, "{uri}");
        }
        for (template, may) in [
            ("docs://guides/{name}", true),
            ("docs://{+path}", true),
            ("docs://guides/a/{part}", true),
            ("docs://secrets/{name}", false),
            ("mail://{name}", false),
        ] {
            assert_eq!(uris.may_allow(template), may, "{template}");
        }
    }

    #[test]
    fn an_address_that_could_lead_past_its_pattern_is_none() {
        for uri in [
            "docs://guides/../secrets",
            "docs://guides/..",
            "docs://guides/%2e%2e/secrets",
            "docs://guides/%252E./secrets",
            "docs://guides/..%2fsecrets",
            "docs://guides/..\\secrets",
            "docs://guides/..?x",
            "docs://guides/%00",
            "docs://guides/a b",
            "docs://guides/\u{1b}[2J",
            "docs://guides/%2525252525252e",
            "",
        ] {
            assert!(unusable(uri).is_some(), "{uri:?}");
        }
        for uri in ["docs://guides/a..b", "docs://guides/...", "docs://guides/50%25", "file:///a/b.md?c=d#e"] {
            assert_eq!(unusable(uri), None, "{uri:?}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        for (pattern, words) in [
            ("docs://*/a", "not its end"),
            ("guides/*", "begin as an address"),
            ("docs://a/../*", "goes up"),
            ("docs:// a", "no blank"),
        ] {
            let why = Uris::read(&[pattern.to_owned()]).unwrap_err();
            assert!(why.contains(words), "{pattern}: {why}");
        }
        assert!(Uris::read(&[]).is_err() && Uris::read(&["*".to_owned()]).is_ok());
    }
}
