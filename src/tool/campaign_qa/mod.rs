//! The check `campaign_qa` on an e-mail sequence: what must hold before anybody is asked to approve it. Facts about
//! text only; voice and taste are a critic's.

mod claim;
mod found;
mod link;
mod markup;
mod moment;
mod number;
mod settings;
mod tag;
mod text;
mod words;

use std::collections::BTreeMap;

use serde_json::Value;
use unicode_segmentation::UnicodeSegmentation as _;

use self::found::Found;
pub use self::settings::Settings;
use super::{Check, Finding};
use crate::id::ArtefactName;

/// Longest subject that any mail program shows whole; beyond it a mail is refused.
const SUBJECT_CHARS_MAX: usize = 150;
/// Most mails of a sequence.
const MAILS_MAX: usize = 10;
/// The tag that a mail platform replaces by the recipient's own link.
const UNSUBSCRIBE: &str = "{{unsubscribe_url}}";

/// The check.
#[derive(Debug, Clone, Copy, Default)]
pub struct CampaignQa;

impl Check for CampaignQa {
    fn name(&self) -> &'static str {
        "campaign_qa"
    }

    fn settings(&self) -> Value {
        schemars::schema_for!(Settings).to_value()
    }

    fn examine(&self, body: &Value, desk: &BTreeMap<ArtefactName, Value>, settings: &Value) -> Vec<Finding> {
        let mut found = Found::default();
        match serde_json::from_value::<Settings>(settings.clone()) {
            Ok(settings) => sequence(body, &settings, &claim::Sources::of(desk, &settings), &mut found),
            // What is not understood is not passed over.
            Err(why) => found.must("settings", "", format!("[checks.campaign_qa] cannot be read: {why}")),
        }
        found.0
    }
}

fn sequence(body: &Value, settings: &Settings, sources: &claim::Sources, found: &mut Found) {
    let Some(mails) = body.get("mails").and_then(Value::as_array) else {
        return found.must(
            "shape",
            "",
            "it has no list of mails: write mails = [{ id, day, subject, preheader, text }]",
        );
    };
    if mails.is_empty() || mails.len() > MAILS_MAX {
        found.must("length", "/mails", format!("there are {} mails: write 1 to {MAILS_MAX}", mails.len()));
    }
    days(mails, found);
    let day = |mail: &Value| mail.get("day").and_then(Value::as_i64).unwrap_or_default();
    let earlier: Vec<i64> = mails.iter().map(day).collect();
    for (place, mail) in mails.iter().enumerate() {
        let sources = sources.on(day(mail), &earlier[..place]);
        let written = |field: &str| mail.get(field).and_then(Value::as_str).unwrap_or_default();
        // What a subject promises may be the list below it.
        let counts = claim::counts(&text::plain(written("text")));
        for field in ["subject", "preheader", "text"] {
            let at = format!("/mails/{place}/{field}");
            let plain = text::plain(written(field));
            match field {
                "subject" => subject(&plain, settings, &at, found),
                "preheader" if plain.trim().is_empty() => {
                    found.should("preheader", &at, "there is no preheader: say in a line why to open the mail");
                }
                "text" if !plain.contains(UNSUBSCRIBE) => {
                    found.must("unsubscribe", &at, format!("the text has no {UNSUBSCRIBE}: add it as the last line"));
                }
                _ => {}
            }
            text::invisible(written(field), &at, found);
            text::mixed(&link::without_links(&plain), &at, found);
            link::links(&plain, settings, &at, found);
            claim::numbers(&plain, &sources, &counts, &at, found);
            tag::foreign(&plain, &at, found);
            let ours = tag::without_foreign(&plain);
            text::tags(&ours, settings, &at, found);
            text::placeholders(&ours, &at, found);
            markup::marks(&ours, &at, found);
        }
    }
}

fn days(mails: &[Value], found: &mut Found) {
    let mut last: Option<i64> = None;
    for (place, mail) in mails.iter().enumerate() {
        let at = format!("/mails/{place}/day");
        match mail.get("day").and_then(Value::as_i64).filter(|day| *day >= 0) {
            None => found.must("days", &at, "day is to be a whole number, 0 or more: days after the start"),
            Some(day) => {
                if let Some(last) = last.filter(|last| *last >= day) {
                    found.must("days", &at, format!("day {day} is not after day {last} of the mail before it"));
                }
                last = Some(day);
            }
        }
    }
}

fn subject(subject: &str, settings: &Settings, at: &str, found: &mut Found) {
    // As readers count: an emoji of several parts is one.
    let chars = subject.graphemes(true).count();
    if subject.trim().is_empty() {
        return found.must("subject", at, "there is no subject: write one");
    }
    if chars > SUBJECT_CHARS_MAX {
        found.must("subject", at, format!("the subject has {chars} characters: {SUBJECT_CHARS_MAX} at most"));
    } else if chars > settings.subject_chars_max {
        let most = settings.subject_chars_max;
        found.should("subject", at, format!("the subject has {chars} characters: more than {most} are cut off"));
    }
    let words = text::with_fallbacks(subject);
    // A script without capitals cannot shout in them.
    let letters = words.chars().filter(|c| c.is_alphabetic()).count();
    let capitals = words.chars().filter(|c| c.is_uppercase()).count();
    let small = words.chars().any(|c| c.is_lowercase() && c != '\u{df}');
    if capitals >= 5 && !small && capitals * 2 > letters {
        found.should("subject", at, "the subject is all capitals: write it as a sentence");
    }
    if subject.contains("!!") {
        found.should("subject", at, "the subject shouts (!!): one exclamation mark at most");
    }
}
