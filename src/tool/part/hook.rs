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

/// Whether `signed` is that signature; how long the answer takes does not depend on where they differ.
pub fn is_signed(key: &str, parts: &[&[u8]], signed: &str) -> bool {
    let digits = signed.strip_prefix("sha256=").filter(|digits| digits.len() == 64 && digits.is_ascii());
    let byte = |nth: usize| digits.and_then(|digits| u8::from_str_radix(&digits[2 * nth..2 * nth + 2], 16).ok());
    let (Some(bytes), Ok(mut mac)) =
        ((0..32).map(byte).collect::<Option<Vec<u8>>>(), Hmac::<Sha256>::new_from_slice(key.as_bytes()))
    else {
        return false;
    };
    parts.iter().for_each(|part| mac.update(part));
    mac.verify_slice(&bytes).is_ok()
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
        assert!(is_signed("key", &[b"{", b"}"], right));
        let wrong =
            [right.replace("a777", "a778"), right[..70].to_owned(), right[7..].to_owned(), format!("{right}00")];
        for wrong in wrong.iter().map(String::as_str).chain(["", "sha256=", "sha256=+7"]) {
            assert!(!is_signed("key", &[b"{}"], wrong), "{wrong}");
        }
        assert!(!is_signed("other", &[b"{}"], right) && !is_signed("key", &[b"[]"], right));
    }
}
