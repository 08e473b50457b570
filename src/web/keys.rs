//! Who may enter: links that carry a token, and the sessions that they are exchanged for. Both are made of one secret beside
//! the journal, so nothing about a person is stored, and a server that was killed still knows its browsers.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::clock::{Clock as _, Machine};
use crate::id::Timestamp;

/// How long a session lasts.
const SESSION_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

const SECRET_BYTES: usize = 32;

/// The secret of a project's server. It has no `Debug`, and its value leaves this file only as what is made of it.
pub struct Keys([u8; SECRET_BYTES]);

impl Keys {
    /// Reads the secret in `path`, or makes one there that only this user can read.
    ///
    /// # Errors
    /// What the system says, or that the file is no secret of ours.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        match Self::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            read => return read,
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut secret = [0; SECRET_BYTES];
        secret[..16].copy_from_slice(&Machine.random());
        secret[16..].copy_from_slice(&Machine.random());
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(mut file) => {
                file.write_all(&secret)?;
                file.sync_all()?;
                Ok(Self(secret))
            }
            // Another process was faster.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Self::read(path),
            Err(error) => Err(error),
        }
    }

    fn read(path: &Path) -> std::io::Result<Self> {
        let mut bytes = Vec::new();
        OpenOptions::new().read(true).open(path)?.take(SECRET_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        let secret = bytes.try_into().map_err(|_| std::io::Error::new(ErrorKind::InvalidData, "it is no key"))?;
        Ok(Self(secret))
    }

    /// What `name`'s link carries: 256 bits, as hexadecimal digits.
    pub fn token(&self, name: &str) -> String {
        hex(&self.mac("link", &[name]).finalize().into_bytes())
    }

    /// Whose link carries `token`.
    pub(super) fn whose<'n>(&self, token: &str, mut names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
        let token = unhex(token)?;
        names.find(|name| self.mac("link", &[name]).verify_slice(&token).is_ok())
    }

    /// A session of `name` that begins now, as a cookie carries it.
    pub(super) fn session(&self, name: &str, now: Timestamp) -> String {
        let (until, salt) = (now.plus_ms(SESSION_MS).0.to_string(), hex(&Machine.random()));
        let sign = hex(&self.mac("session", &[name, &until, &salt]).finalize().into_bytes());
        format!("{}.{until}.{salt}.{sign}", hex(name.as_bytes()))
    }

    /// Whose session this is, if it is one and has not ended.
    pub(super) fn person(&self, session: &str, now: Timestamp) -> Option<String> {
        let [name, until, salt, sign] = session.split('.').collect::<Vec<_>>().try_into().ok()?;
        let name = String::from_utf8(unhex(name)?).ok()?;
        self.mac("session", &[&name, until, salt]).verify_slice(&unhex(sign)?).ok()?;
        (until.parse::<i64>().ok()? > now.0).then_some(name)
    }

    /// What every form of a session carries, so that no other site can post in its name.
    pub(super) fn form(&self, session: &str) -> String {
        hex(&self.mac("form", &[session]).finalize().into_bytes())
    }

    /// Whether a form carries what those of `session` do.
    pub(super) fn is_form(&self, session: &str, carried: &str) -> bool {
        unhex(carried).is_some_and(|carried| self.mac("form", &[session]).verify_slice(&carried).is_ok())
    }

    /// Over parts that no other parts read as.
    fn mac(&self, what: &str, parts: &[&str]) -> Hmac<Sha256> {
        // A key shorter than a block is followed by zeros.
        let mut key = hmac::digest::Key::<Hmac<Sha256>>::default();
        key[..SECRET_BYTES].copy_from_slice(&self.0);
        let mut mac = Hmac::new(&key);
        for part in [what].iter().chain(parts) {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        mac
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_given_opens_the_door() {
        let (ours, others) = (Keys([1; SECRET_BYTES]), Keys([2; SECRET_BYTES]));
        let names = ["ana", "ben"];
        let whose = |token: &str| ours.whose(token, names.into_iter());
        assert_eq!(whose(&ours.token("ben")), Some("ben"));
        for token in
            [others.token("ben"), ours.token("eve"), String::new(), "zz".to_owned(), ours.token("ben")[1..].to_owned()]
        {
            assert_eq!(whose(&token), None, "{token}");
        }
        let (now, later) = (Timestamp(1_000), Timestamp(1_000).plus_ms(SESSION_MS));
        let session = ours.session("ana", now);
        assert_eq!(ours.person(&session, now).as_deref(), Some("ana"));
        assert_eq!(ours.person(&session, later), None, "it has ended");
        assert_eq!(others.person(&session, now), None, "another server's");
        for place in 0..session.len() {
            let mut changed = session.clone().into_bytes();
            changed[place] = if changed[place] == b'1' { b'2' } else { b'1' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(ours.person(&changed, now), None, "place {place} of {session}");
        }
        assert!(ours.is_form(&session, &ours.form(&session)));
        assert!(!ours.is_form(&ours.session("ana", now), &ours.form(&session)), "another session's");
        assert!(!ours.is_form(&session, ""));
    }
}
