//! The check `campaign_qa` on an e-mail sequence: what must hold before anybody is asked to approve it. Facts about
//! text only; voice and taste are a critic's.

mod claim;
mod markup;
mod settings;

use serde_json::Value;

pub use self::settings::Settings;
use super::check::{Check, Finding, Sight};
use super::part::prose::found::Found;
use super::part::prose::{link, tag, text, written};

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
    fn name(&self) -> &str {
        "campaign_qa"
    }

    fn settings(&self) -> Value {
        schemars::schema_for!(Settings).to_value()
    }

    fn examine(&self, body: &Value, sight: &Sight<'_>, settings: &Value) -> Vec<Finding> {
        let mut found = Found::of(self.name());
        match serde_json::from_value::<Settings>(settings.clone()) {
            Ok(settings) => sequence(body, &settings, &claim::Sources::of(sight.desk, &settings), &mut found),
            // What is not understood is not passed over.
            Err(why) => found.must("settings", "", format!("[checks.campaign_qa] cannot be read: {why}")),
        }
        found.all
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
        let said = |field: &str| mail.get(field).and_then(Value::as_str).unwrap_or_default();
        // What a subject promises may be the list below it.
        let counts = written::counts(&text::plain(said("text")));
        for field in ["subject", "preheader", "text"] {
            let at = format!("/mails/{place}/{field}");
            let plain = text::plain(said(field));
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
            text::invisible(said(field), &at, found);
            text::mixed(&link::without_links(&plain), &at, found);
            link::links(&plain, &settings.link_hosts, &at, found);
            claim::numbers(&plain, &sources, &counts, &at, found);
            tag::foreign(&plain, &at, found);
            let ours = tag::without_foreign(&plain);
            text::tags(&ours, &settings.merge_tags, &settings.platform_tags, &at, found);
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
    let chars = text::length(subject);
    if subject.trim().is_empty() {
        return found.must("subject", at, "there is no subject: write one");
    }
    if chars > SUBJECT_CHARS_MAX {
        found.must("subject", at, format!("the subject has {chars} characters: {SUBJECT_CHARS_MAX} at most"));
    } else if chars > settings.subject_chars_max {
        let most = settings.subject_chars_max;
        found.should("subject", at, format!("the subject has {chars} characters: more than {most} are cut off"));
    }
    text::shouting(subject, at, found);
}
