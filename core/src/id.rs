//! Newtypes that parse: the names, numbers, digests, money and times that the rest is written in.
//! Nothing here reads a clock or makes a random number; both arrive from the shell.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

/// Why a text is not the name, number or amount that it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// Longest name of an agent, artefact, outcome, schema or tool, in bytes.
pub const NAME_BYTES_MAX: usize = 63;

/// Where a name may have dots.
#[derive(Clone, Copy, PartialEq)]
enum Dots {
    /// Nowhere.
    Never,
    /// Between a team that is a member and what is its own. Nobody writes such a name: `check` makes it.
    Within,
    /// Anywhere but at the start.
    Free,
}

fn word(text: &str, dots: Dots) -> Result<Arc<str>, Malformed> {
    let dotted = dots != Dots::Never;
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-' || (dotted && c == '.');
    let starts = text.starts_with(|c: char| c.is_ascii_lowercase());
    if starts && text.len() <= NAME_BYTES_MAX && text.chars().all(inner) {
        return Ok(text.into());
    }
    let also = if dots == Dots::Free { ", '.'" } else { "" };
    Err(Malformed(format!(
        "a name is a lower-case letter followed by letters, digits, '_', '-'{also}, {NAME_BYTES_MAX} bytes at most"
    )))
}

/// Reads what is parsed from a text where it stands, without a copy of the text.
struct Parses<T>(PhantomData<T>);

impl<T: FromStr<Err = Malformed>> de::Visitor<'_> for Parses<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, dots = $dots:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
        #[serde(transparent)]
        // Shared: a run names its members in every message, turn, effect and amount.
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Malformed;
            fn from_str(text: &str) -> Result<Self, Malformed> {
                word(text, Dots::$dots).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_str(Parses(PhantomData))
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(/** A member of a team: the name it has in one topology. */ AgentName, dots = Within);
name!(/** An artefact of a topology. */ ArtefactName, dots = Within);
name!(/** The one word with which a turn ends. */ Outcome, dots = Never);
name!(/** A tool, such as `stats.rank`: a connection's or kind's name, a dot, a verb. */ ToolName, dots = Free);

impl ToolName {
    /// A name that the code itself fixes.
    pub fn fixed(text: &'static str) -> Self {
        Self(text.into())
    }
}

impl Outcome {
    /// An outcome that the code itself fixes.
    pub fn fixed(text: &'static str) -> Self {
        Self(text.into())
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty), $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

number!(/** The number people know a run by; project-wide, never reused. */ RunNo(u64), "");
number!(/** The number people know an approval or a question by; project-wide, never reused. */ ApprovalNo(u64), "");
number!(/** A message's place among the messages of its run, from 1. */ MessageId(u32), "m");
number!(/** A comment's place among the comments of its run, from 1. */ CommentNo(u32), "c");
number!(/** A record's place in its run's journal, from 1; 0 is before the first. */ Seq(u64), "");
number!(/** Counts the ownerships of a run, from 1; an append of an older epoch is refused. */ Epoch(u64), "");

/// A run, inside and in `--json`; people see its [`RunNo`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RunId(pub uuid::Uuid);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A SHA-256 over length-prefixed parts, shown as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Digests `parts`, each prefixed by its length (u64, little-endian), under a `domain` that keeps
    /// digests of different things apart.
    pub fn of(domain: &str, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in std::iter::once(&domain.as_bytes()).chain(parts) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// The first eight hexadecimal digits, for people.
    pub fn short(&self) -> String {
        self.with_hex(|hex| hex[..8].to_owned())
    }

    /// Its 64 digits, without the machinery of formatting: a record names many digests, and all of them are written.
    fn with_hex<T>(&self, of: impl FnOnce(&str) -> T) -> T {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        of(std::str::from_utf8(&hex).unwrap_or_default())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_hex(|hex| f.write_str(hex))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

/// What a byte is worth as a hexadecimal digit; more than 15 if it is none. A table, since a long history has a million digests,
/// and a branch for each of their digits is guessed wrong by the processor every second time.
const HEX: [u8; 256] = {
    let mut worth = [u8::MAX; 256];
    let mut digit = 0;
    while digit < 16 {
        worth[b"0123456789abcdef"[digit] as usize] = digit as u8;
        digit += 1;
    }
    worth
};

impl FromStr for Digest {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (mut bytes, mut highest) = ([0; 32], 0);
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let (high, low) = (HEX[usize::from(pair[0])], HEX[usize::from(pair[1])]);
            highest = highest.max(high).max(low);
            *byte = high << 4 | low & 15;
        }
        if text.len() != 64 || highest > 15 {
            return Err(Malformed("a digest is 64 lower-case hexadecimal digits".to_owned()));
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.with_hex(|hex| to.serialize_str(hex))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Parses(PhantomData))
    }
}

impl JsonSchema for Digest {
    fn schema_name() -> Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$", "description": "A SHA-256, in hexadecimal digits." })
    }
}

/// An effect, the same on all its attempts and in every epoch: the idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct EffectId(pub Digest);

impl EffectId {
    /// The id of the `ordinal`-th effect that `agent` asks for while it handles `message` in `run`.
    pub fn of(run: RunId, agent: &AgentName, message: MessageId, ordinal: u32) -> Self {
        Self(Digest::of(
            "callsheet effect 1",
            &[run.0.as_bytes(), agent.as_str().as_bytes(), &message.0.to_le_bytes(), &ordinal.to_le_bytes()],
        ))
    }
}

impl fmt::Display for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This time and `ms` milliseconds; the end of time rather than an overflow.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add_unsigned(ms))
    }

    /// Milliseconds from `earlier` to here; 0 if it is later.
    pub fn ms_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

/// Writes a time for other programs: in UTC, such as `2026-11-26T09:11:16.25Z`. For what is printed; records keep the number.
///
/// # Errors
/// If `to` takes no text.
pub fn as_iso<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(time) => to.collect_str(&time),
        Err(_) => to.serialize_i64(at.0),
    }
}

/// The form of what [`as_iso`] writes.
pub struct Iso;

impl JsonSchema for Iso {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Iso".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// As [`as_iso`], of a time that may not be known.
///
/// # Errors
/// As [`as_iso`].
pub fn as_iso_if_known<S: Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => as_iso(at, to),
        None => to.serialize_none(),
    }
}

/// US dollars in billionths: enough for one token, an integer so that sums are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct NanoUsd(pub u64);

impl NanoUsd {
    const ONE: u64 = 1_000_000_000;
}

/// Parses plain decimal text such as `5`, `5.00` or `0.000_003`, never through a float.
impl FromStr for NanoUsd {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong =
            || Malformed(format!("an amount in dollars is like 5.00, with nine decimals at most, not {text:?}"));
        let plain = text.replace('_', "");
        let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, "0"));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
            return Err(wrong());
        }
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        let fraction: u64 = format!("{fraction:0<9}").parse().map_err(|_| wrong())?;
        whole.checked_mul(Self::ONE).and_then(|n| n.checked_add(fraction)).map(Self).ok_or_else(wrong)
    }
}

/// Dollars with two decimals, or as many as a small amount needs.
impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / Self::ONE, self.0 % Self::ONE);
        let digits = format!("{fraction:09}");
        let kept = digits.trim_end_matches('0').len().max(2);
        write!(f, "${whole}.{}", &digits[..kept])
    }
}

/// A number as people read it, its thousands apart: `600,000`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let apart = |(place, digit): (usize, char)| {
        let left = digits.len() - place;
        let comma = (place > 0 && left.is_multiple_of(3)).then_some(',');
        comma.into_iter().chain([digit])
    };
    digits.chars().enumerate().flat_map(apart).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_their_thousands_apart() {
        for (count, wanted) in [(0, "0"), (999, "999"), (1_000, "1,000"), (18_492, "18,492"), (1_234_567, "1,234,567")]
        {
            assert_eq!(thousands(count), wanted);
        }
    }

    #[test]
    fn money_is_read_from_text_and_exact() {
        let cases = [
            ("5.00", Some(5_000_000_000)),
            ("0.000_000_001", Some(1)),
            ("18446744073", Some(18_446_744_073_000_000_000)),
            ("18446744074", None),
            ("1e3", None),
            ("-1", None),
            (".5", None),
            ("1.0000000001", None),
        ];
        for (text, nanos) in cases {
            assert_eq!(text.parse::<NanoUsd>().ok(), nanos.map(NanoUsd), "{text}");
        }
        assert_eq!(NanoUsd(5_000_000_000).to_string(), "$5.00");
        assert_eq!(NanoUsd(123_400).to_string(), "$0.0001234");
    }

    #[test]
    fn a_digest_depends_on_where_its_parts_end() {
        assert_ne!(Digest::of("d", &[b"ab", b"c"]), Digest::of("d", &[b"a", b"bc"]));
        let digest = Digest::of("d", &[]);
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest.0.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), digest.to_string());
        for wrong in ["", &"A".repeat(64), &"g".repeat(64), &"a".repeat(63), &"é".repeat(32)] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }
}
