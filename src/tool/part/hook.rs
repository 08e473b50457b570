//! What is posted to hooks of others: the signature over it, and a text for a channel of a service that takes Slack's form.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// HMAC-SHA256 of `parts`, one after the other, as a header has it: `sha256=` and hexadecimal digits.
pub fn signature(key: &str, parts: &[&[u8]]) -> String {
    // A key of any length is taken; this cannot fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return String::new() };
    parts.iter().for_each(|part| mac.update(part));
    let digits = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("sha256={digits}")
}

/// The text as a channel shows it word for word: with `&`, `<` and `>` written so, no one is called and no link has another name.
pub fn for_channel(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_everybody_computes() {
        // As `printf '{}' | openssl dgst -sha256 -hmac key` prints it.
        let right = "sha256=a777724d943eb48dc69bca8a4a6d57a04db3f9ec7e1de4e581e860265bdf3032";
        assert_eq!(signature("key", &[b"{}"]), right);
        assert_eq!(signature("key", &[b"{", b"}"]), right);
        assert_ne!(signature("key", &[b"{}"]), signature("other", &[b"{}"]));
    }
}
