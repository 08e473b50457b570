//! A mail to one recipient: merge tags filled in from what the audience says of them, and their own link to leave the list.

use lettre::Address;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::super::part::args::{invalid, permanent, quoted};
use super::super::part::prose::text::{Piece, pieces};
use super::super::{Intent, Item};
use super::audience::{List, Person};
use super::mail::{self, Letter, Mail};
use super::sender::Sender;
use crate::failure::Failure;
use crate::id::{Digest, Timestamp};

/// The tag that is the recipient's own link.
const UNSUBSCRIBE: &str = "unsubscribe_url";
/// Longest value that is filled in; a longer one is no name of anything.
const VALUE_CHARS_MAX: usize = 100;
/// Longest line of a header that servers take.
const LINK_BYTES_MAX: usize = 900;

/// What stands for itself in no part of an address.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where one leaves the list: an address with `{column}` in it, so that it is each recipient's own.
#[derive(Debug, Clone)]
pub(super) struct Leave {
    pub(super) template: String,
    /// Whether the page takes a POST as the wish itself (RFC 8058).
    pub(super) one_click: bool,
}

impl Leave {
    /// # Errors
    /// What keeps `template` from being one.
    pub(super) fn new(template: &str, one_click: bool) -> Result<Self, String> {
        let is_own = |piece: Part<'_>| matches!(piece, Part::Name(name) if name != "id");
        if parts(template)?.into_iter().any(is_own) {
            return Ok(Self { template: template.to_owned(), one_click });
        }
        let what =
            "the same link for everybody unsubscribes nobody: put {email}, or another column of the audience, into it";
        Err(what.to_owned())
    }

    /// The link of whoever `row` is about.
    fn link(&self, campaign: &str, row: &Map<String, Value>) -> Result<String, Failure> {
        let mut link = String::new();
        for part in parts(&self.template).map_err(permanent)? {
            match part {
                Part::Text(text) => link.push_str(text),
                Part::Name("id") => link.push_str(campaign),
                Part::Name(name) => {
                    let value = row.get(name).and_then(text_of).filter(|value| !value.is_empty());
                    let value = value.ok_or_else(|| {
                        permanent(format!("audience: somebody has no {name}, which unsubscribe_url needs of everybody"))
                    })?;
                    link.extend(utf8_percent_encode(&value, ESCAPED));
                }
            }
        }
        if link.len() > LINK_BYTES_MAX {
            return Err(permanent(format!("unsubscribe_url becomes longer than {LINK_BYTES_MAX} bytes")));
        }
        Ok(link)
    }
}

enum Part<'t> {
    Text(&'t str),
    Name(&'t str),
}

/// The template taken apart at its braces.
fn parts(template: &str) -> Result<Vec<Part<'_>>, String> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or("unsubscribe_url has a { without its }")?;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(format!("unsubscribe_url has {{{name}}}, which is no name of a column"));
        }
        parts.extend([Part::Text(before), Part::Name(name)]);
        rest = after;
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

/// The slots of mail `number`, dated `dated`, one for each of the people of `list`.
pub(super) fn items(
    number: usize,
    mail: &Mail,
    (sender, leave): (&Sender, &Leave),
    list: &List,
    (intent, dated): (&Intent, Timestamp),
) -> Result<Vec<Item>, Failure> {
    let one = |(place, person): (usize, &Person)| {
        item((number, place + 1), mail, (sender, leave), person, list, (intent, dated))
    };
    list.people.iter().enumerate().map(one).collect()
}

fn item(
    (number, place): (usize, usize),
    mail: &Mail,
    (sender, leave): (&Sender, &Leave),
    person: &Person,
    list: &List,
    (intent, dated): (&Intent, Timestamp),
) -> Result<Item, Failure> {
    let about = |why: Failure| Failure { reason: format!("mail {number}: {}", why.reason), ..why };
    let email = person.email.to_string();
    if !email.is_ascii() {
        return Err(permanent(format!("audience: {} has letters that mail servers do not take", quoted(&email))));
    }
    let link = leave.link(&mail::campaign(intent), &person.row)?;
    let fill = |text: &str| filled(text, &person.row, &link).map_err(about);
    let subject = fill(&mail.subject)?;
    if subject.contains("=?") {
        return Err(about(invalid("its subject has =?, with which an encoded word begins, once it is filled in")));
    }
    let mut headers = vec![("List-Unsubscribe", format!("<{link}>"))];
    if leave.one_click {
        headers.push(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
    }
    let letter = Letter {
        seed: Digest::of("callsheet mail 2", &[&intent.effect.0.0, mail.id.as_bytes(), email.as_bytes()]),
        to: Some(person.email.clone()),
        subject,
        preheader: fill(&mail.preheader)?,
        text: fill(&mail.with_footer(sender))?,
        headers,
    };
    let bytes = letter.bytes(sender, dated);
    let bytes = bytes.map_err(|why| about(invalid(why.to_string())))?;
    if !bytes.is_ascii() {
        return Err(about(permanent("its bytes are not those that every mail server takes")));
    }
    Ok(Item {
        key: format!("{number:02}-{}-{place:05}.eml", mail.id),
        recipient: email,
        recipients: 1,
        title: mail.title(),
        media_type: mail::MEDIA_TYPE.to_owned(),
        bytes,
        after_ms: mail.after_ms(),
        again: Some(list.again()),
    })
}

/// Whom an approved mail goes to.
pub(super) fn recipient(item: &Item) -> Result<Address, Failure> {
    item.recipient.parse().map_err(|_| permanent(format!("{} is no address", quoted(&item.recipient))))
}

/// `text` with its tags filled in. A value is never read for tags itself.
fn filled(text: &str, row: &Map<String, Value>, link: &str) -> Result<String, Failure> {
    let mut out = String::with_capacity(text.len());
    for piece in pieces(text) {
        let tag = match piece {
            Piece::Words(words) => {
                out.push_str(words);
                continue;
            }
            Piece::Loose => return Err(invalid("a merge tag is not closed or not opened: write {{name|fallback}}")),
            Piece::Tag(tag) => tag,
        };
        let (name, fallback) = tag.split_once('|').map_or((tag, None), |(name, after)| (name, Some(after)));
        if name == UNSUBSCRIBE {
            out.push_str(link);
            continue;
        }
        let Some(value) = row.get(name) else {
            let known: Vec<&str> = row.keys().map(String::as_str).collect();
            let known = known.join(", ");
            return Err(invalid(format!("{} is no column of the audience; it has {known}", quoted(name))));
        };
        match (text_of(value).filter(|value| is_plain(value)), fallback) {
            (Some(value), _) => out.push_str(value.trim()),
            (None, Some(fallback)) => out.push_str(fallback),
            (None, None) => {
                let what =
                    format!("somebody has no {name}, and {{{{{tag}}}}} has no fallback: write {{{{{name}|there}}}}");
                return Err(invalid(what));
            }
        }
    }
    Ok(out)
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Whether a value reads as a name or a number. What holds a line break or a link would say something of its own in a mail
/// that was approved for what its team wrote.
fn is_plain(value: &str) -> bool {
    let shown = !value.chars().any(char::is_control) && !value.contains("://") && !value.contains("www.");
    !value.trim().is_empty() && shown && value.chars().count() <= VALUE_CHARS_MAX
}
