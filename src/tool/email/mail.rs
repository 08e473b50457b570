//! The bytes of one mail: text, HTML made from it, and headers. Whatever could be random comes from the effect, so the
//! same call gives the same bytes. Merge tags are left for the mail platform to fill in.

use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{MultiPart, SinglePart};
use serde::Deserialize;

use super::super::part::args::invalid;
use super::super::{Intent, Item};
use super::audience::{self, List};
use super::sender::Sender;
use crate::failure::Failure;
use crate::id::Digest;

/// Where a mail platform puts the recipient's own link.
const UNSUBSCRIBE_TAG: &str = "{{unsubscribe_url}}";

/// The last second of the year 9999, beyond which a mail has no date.
const DATE_MS_MAX: u64 = 253_402_300_799_000;

/// The fields of a mail that are used; an artefact may have more.
#[derive(Deserialize)]
pub(super) struct Mail {
    pub(super) id: String,
    day: u64,
    subject: String,
    #[serde(default)]
    preheader: String,
    text: String,
}

impl Mail {
    /// Says what keeps it from being a mail.
    pub(super) fn check(&self) -> Result<(), String> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        if !self.id.starts_with(|c: char| c.is_ascii_alphanumeric()) || self.id.len() > 40 || !self.id.chars().all(fits)
        {
            return Err("its id is to be lower-case letters, digits, '_' and '-', 40 at most".to_owned());
        }
        for (field, text) in [("subject", &self.subject), ("preheader", &self.preheader)] {
            if text.chars().any(char::is_control) {
                return Err(format!("its {field} is to be one line, without control characters"));
            }
        }
        if self.subject.contains("=?") {
            let why = "its subject has =?, with which an encoded word begins: a mail program would show something else";
            return Err(why.to_owned());
        }
        if self.subject.trim().is_empty() || self.text.trim().is_empty() {
            return Err("it needs a subject and a text".to_owned());
        }
        if self.text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Err("its text has control characters".to_owned());
        }
        Ok(())
    }
}

/// The slot of one mail, for all of `list`.
pub(super) fn item(number: usize, mail: &Mail, sender: &Sender, list: &List, intent: &Intent) -> Result<Item, Failure> {
    let bytes = bytes(mail, sender, intent).map_err(|why| invalid(format!("mail {number}: {why}")))?;
    Ok(Item {
        key: format!("{number:02}-{}.eml", mail.id),
        recipient: format!("{} people, {} sha256:{}", list.size, audience::FILE, list.digest),
        recipients: list.size,
        title: format!("day {}: {}", mail.day, mail.subject),
        media_type: "message/rfc822".to_owned(),
        bytes,
        again: None,
    })
}

fn bytes(mail: &Mail, sender: &Sender, intent: &Intent) -> Result<Vec<u8>, lettre::error::Error> {
    let seed = Digest::of("callsheet mail 1", &[&intent.effect.0.0, mail.id.as_bytes()]).to_string();
    let campaign = &intent.effect.to_string()[..16];
    let address = &sender.from.email;
    let page = sender.unsubscribe_url.replace("{id}", campaign);
    let unsubscribe = format!("the mail platform adds List-Unsubscribe for each recipient, to {page}");
    let date_ms = u64::try_from(intent.asked_at.0).unwrap_or(0).min(DATE_MS_MAX);
    let mut message = Message::builder()
        .from(sender.from.clone())
        .subject(mail.subject.clone())
        .date(SystemTime::UNIX_EPOCH + Duration::from_millis(date_ms))
        .message_id(Some(format!("<{}@{}>", &seed[..32], address.domain())))
        // No To: the platform addresses each copy. The envelope is not written.
        .envelope(Envelope::new(Some(address.clone()), vec![address.clone()])?);
    if let Some(reply_to) = &sender.reply_to {
        message = message.reply_to(reply_to.clone());
    }
    for (name, value) in [
        // No List-Unsubscribe: one click has to name the recipient, and this file is for all of them.
        (HeaderName::new_from_ascii_str("X-Callsheet-Unsubscribe"), unsubscribe),
        (HeaderName::new_from_ascii_str("X-Callsheet-Origin"), word(&intent.origin)),
        (HeaderName::new_from_ascii_str("X-Callsheet-Day"), mail.day.to_string()),
        (HeaderName::new_from_ascii_str("X-Unsent"), "1".to_owned()),
    ] {
        message = message.raw_header(HeaderValue::new(name, value));
    }
    let text = text(mail, sender);
    let parts = MultiPart::alternative()
        .boundary(format!("callsheet-{}", &seed[32..]))
        .singlepart(SinglePart::plain(text.clone()))
        .singlepart(SinglePart::html(html(mail, &text)));
    Ok(message.multipart(parts)?.formatted())
}

/// The text with its footer.
fn text(mail: &Mail, sender: &Sender) -> String {
    let body = mail.text.replace("\r\n", "\n").replace('\r', "\n");
    let leave =
        if body.contains(UNSUBSCRIBE_TAG) { String::new() } else { format!("\nUnsubscribe: {UNSUBSCRIBE_TAG}") };
    format!("{}\n\n-- \n{}{leave}\n", body.trim(), sender.postal_address)
}

/// The same text as HTML: paragraphs, line breaks and links, everything else escaped.
fn html(mail: &Mail, text: &str) -> String {
    let mut html = format!(
        "<!doctype html>\n<html><head><meta charset=\"utf-8\"><title>{}</title></head><body>\n",
        escaped(&mail.subject)
    );
    if !mail.preheader.is_empty() {
        html += &format!("<div style=\"display:none\">{}</div>\n", escaped(&mail.preheader));
    }
    for paragraph in text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()) {
        let lines: Vec<_> = paragraph.lines().map(linked).collect();
        html += &format!("<p>{}</p>\n", lines.join("<br>\n"));
    }
    html + "</body></html>\n"
}

/// A line, escaped, with its https links and the unsubscribe tag made links.
fn linked(line: &str) -> String {
    let words = line.split(' ').map(|word| {
        let (url, rest) = word.split_at(word.trim_end_matches(['.', ',', ';', ':', '!', '?', ')']).len());
        let (shown, rest) = (escaped(url), escaped(rest));
        if url.starts_with("https://") || url == UNSUBSCRIBE_TAG {
            format!("<a href=\"{shown}\">{shown}</a>{rest}")
        } else {
            format!("{shown}{rest}")
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// An origin as one word.
fn word(origin: &str) -> String {
    origin.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ',' | ' ')).take(80).collect()
}
