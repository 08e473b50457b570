//! What looks like a secret in a text.

use std::collections::BTreeMap;

/// How well-known keys begin, and how much must follow.
const PREFIXES: [(&str, usize); 11] = [
    ("sk-", 16),
    ("sk_live_", 8),
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 30),
    ("ghp_", 20),
    ("gho_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
];

/// The text with every key in it blotted out, byte for byte.
pub fn blotted(text: &str) -> String {
    let words = text.split_inclusive(|c| !in_word(c)).map(|word| {
        let bare = word.trim_end_matches(|c| !in_word(c));
        if key(bare) { format!("{}{}", "*".repeat(bare.len()), &word[bare.len()..]) } else { word.to_owned() }
    });
    words.collect()
}

/// Whether the text holds what looks like a secret: a key, or a password within an address.
pub fn looks_secret(text: &str) -> bool {
    text.contains("-----BEGIN") || password_in_address(text) || text.split(|c| !in_word(c)).any(key)
}

fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '=')
}

fn key(word: &str) -> bool {
    let known = PREFIXES.iter().any(|(prefix, more)| {
        word.strip_prefix(prefix).is_some_and(|rest| {
            rest.len() >= *more && rest.bytes().any(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
        })
    });
    known || (word.len() >= 32 && mixed(word) && bits(word) >= 4.2)
}

/// `https://user:password@host`
fn password_in_address(text: &str) -> bool {
    text.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', ' ']).next().unwrap_or_default();
        authority.split_once('@').is_some_and(|(user, _)| user.split_once(':').is_some_and(|(_, word)| word.len() >= 4))
    })
}

fn mixed(word: &str) -> bool {
    let has = |class: fn(&u8) -> bool| word.bytes().any(|b| class(&b));
    has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit)
}

/// Bits a character, by the frequencies within the word.
fn bits(word: &str) -> f64 {
    let mut counts = BTreeMap::new();
    for byte in word.bytes() {
        *counts.entry(byte).or_insert(0_u32) += 1;
    }
    let all = f64::from(u32::try_from(word.len()).unwrap_or(u32::MAX));
    counts.values().map(|n| f64::from(*n) / all).map(|share| -share * share.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_secrets_and_words_are_not() {
        let secrets = [
            "sk-proj-4f8a9b7c6d5e4f3a2b1c",
            "Bearer AKIAIOSFODNN7EXAMPLE",
            "-----BEGIN PRIVATE KEY-----",
            "https://ana:hunter22@example.com/x",
            "q8Zt3LkV0wYx7RbN2mPsD5uHjA9cEfG4iTo6",
        ];
        let harmless = [
            "risk-assessment-of-the-segment",
            "https://example.com/?utm_source=news&utm_campaign=win-back-2026",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "{{ segments.rows }} and a long sentence with Many Words and 12 numbers",
            "mail ana@example.com: hello",
        ];
        for text in secrets {
            assert!(looks_secret(text), "{text}");
        }
        for text in harmless {
            assert!(!looks_secret(text), "{text}");
            assert_eq!(blotted(text), text);
        }
        assert_eq!(blotted("a \"sk-proj-4f8a9b7c6d5e4f3a2b1c\", b"), format!("a \"{}\", b", "*".repeat(28)));
    }
}
