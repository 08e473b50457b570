//! What the bytes of an expression are: parts of names, or texts.

/// The byte after the one at `at`, or after the text that begins there.
pub(super) fn past(bytes: &[u8], at: usize) -> usize {
    let quote = bytes[at];
    if quote != b'"' && quote != b'\'' {
        return at + 1;
    }
    let mut end = at + 1;
    while end < bytes.len() && bytes[end] != quote {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    (end + 1).min(bytes.len())
}

pub(super) fn is_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

pub(super) fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
