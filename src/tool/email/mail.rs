//! The bytes of one mail: text, HTML made from it, and headers. Whatever could be random comes from the effect, so the
//! same call gives the same bytes. In a file for a mail platform, merge tags are left for it to fill in.

use std::time::{Duration, SystemTime};

use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use serde::Deserialize;

use super::super::part::args::invalid;
use super::super::{Intent, Item};
use super::audience::{self, List};
use super::sender::Sender;
use crate::failure::Failure;
use crate::id::{Digest, Timestamp};

/// What the bytes of a mail are.
pub(super) const MEDIA_TYPE: &str = "message/rfc822";

/// Where the recipient's own link goes.
pub(super) const UNSUBSCRIBE_TAG: &str = "{{unsubscribe_url}}";

/// A day, which is what the offsets of a sequence are counted in.
const DAY_MS: u64 = 86_400_000;
/// The last second of the year 9999, beyond which a mail has no date.
const DATE_MS_MAX: u64 = 253_402_300_799_000;

/// The fields of a mail that are used; an artefact may have more.
#[derive(Deserialize)]
pub(super) struct Mail {
    pub(super) id: String,
    pub(super) day: u64,
    pub(super) subject: String,
    #[serde(default)]
    pub(super) preheader: String,
    text: String,
}

impl Mail {
    /// How long after the approval it leaves.
    pub(super) fn after_ms(&self) -> u64 {
        self.day.saturating_mul(DAY_MS)
    }

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

    /// One line on what it is.
    pub(super) fn title(&self) -> String {
        format!("day {}: {}", self.day, self.subject)
    }

    /// The text with its footer.
    pub(super) fn with_footer(&self, sender: &Sender) -> String {
        let body = self.text.replace("\r\n", "\n").replace('\r', "\n");
        let leave =
            if body.contains(UNSUBSCRIBE_TAG) { String::new() } else { format!("\nUnsubscribe: {UNSUBSCRIBE_TAG}") };
        format!("{}\n\n-- \n{}{leave}\n", body.trim(), sender.postal_address)
    }
}

/// The slot of one mail, for all of `list`: a file in which the mail platform fills in what is each recipient's own.
pub(super) fn item(number: usize, mail: &Mail, sender: &Sender, list: &List, intent: &Intent) -> Result<Item, Failure> {
    let campaign = campaign(intent);
    let page = sender.unsubscribe_url.replace("{id}", &campaign);
    let letter = Letter {
        seed: Digest::of("callsheet mail 1", &[&intent.effect.0.0, mail.id.as_bytes()]),
        // No To: the platform addresses each copy.
        to: None,
        subject: mail.subject.clone(),
        preheader: mail.preheader.clone(),
        text: mail.with_footer(sender),
        headers: vec![
            // No List-Unsubscribe: one click has to name the recipient, and this file is for all of them.
            (
                "X-Callsheet-Unsubscribe",
                format!("the mail platform adds List-Unsubscribe for each recipient, to {page}"),
            ),
            ("X-Callsheet-Origin", word(&intent.origin)),
            ("X-Callsheet-Day", mail.day.to_string()),
            ("X-Unsent", "1".to_owned()),
        ],
    };
    let bytes = letter.bytes(sender, intent.asked_at).map_err(|why| invalid(format!("mail {number}: {why}")))?;
    Ok(Item {
        key: format!("{number:02}-{}.eml", mail.id),
        recipient: format!("{} people, {} sha256:{}", list.size, audience::FILE, list.digest),
        recipients: list.size,
        title: mail.title(),
        media_type: MEDIA_TYPE.to_owned(),
        bytes,
        after_ms: 0,
        again: None,
    })
}

/// What the campaign is called where its effect is to be told from others.
pub(super) fn campaign(intent: &Intent) -> String {
    intent.effect.to_string()[..16].to_owned()
}

/// All that a mail is made of.
pub(super) struct Letter {
    /// Whatever could be random comes from it.
    pub(super) seed: Digest,
    pub(super) to: Option<Address>,
    pub(super) subject: String,
    pub(super) preheader: String,
    pub(super) text: String,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Letter {
    /// The bytes, dated `at`.
    pub(super) fn bytes(&self, sender: &Sender, at: Timestamp) -> Result<Vec<u8>, lettre::error::Error> {
        let seed = self.seed.to_string();
        let address = &sender.from.email;
        let date_ms = u64::try_from(at.0).unwrap_or(0).min(DATE_MS_MAX);
        let mut message = Message::builder()
            .from(sender.from.clone())
            .subject(self.subject.clone())
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(date_ms))
            .message_id(Some(format!("<{}@{}>", &seed[..32], address.domain())))
            // The envelope is not written.
            .envelope(Envelope::new(Some(address.clone()), vec![address.clone()])?);
        if let Some(to) = &self.to {
            message = message.to(Mailbox::new(None, to.clone()));
        }
        if let Some(reply_to) = &sender.reply_to {
            message = message.reply_to(reply_to.clone());
        }
        for (name, value) in &self.headers {
            message = message.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(name), value.clone()));
        }
        let parts = MultiPart::alternative()
            .boundary(format!("callsheet-{}", &seed[32..]))
            .singlepart(SinglePart::plain(self.text.clone()))
            .singlepart(SinglePart::html(self.html()));
        Ok(message.multipart(parts)?.formatted())
    }

    /// The text as HTML: paragraphs, line breaks and links, everything else escaped.
    fn html(&self) -> String {
        let mut html = format!(
            "<!doctype html>\n<html><head><meta charset=\"utf-8\"><title>{}</title></head><body>\n",
            escaped(&self.subject)
        );
        if !self.preheader.is_empty() {
            html += &format!("<div style=\"display:none\">{}</div>\n", escaped(&self.preheader));
        }
        for paragraph in self.text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()) {
            let lines: Vec<_> = paragraph.lines().map(linked).collect();
            html += &format!("<p>{}</p>\n", lines.join("<br>\n"));
        }
        html + "</body></html>\n"
    }
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
