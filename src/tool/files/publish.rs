//! `NAME.publish`: approved texts become files, each as Markdown or as a page of HTML. What a person approves are the bytes of
//! the files, and what each is called.

use std::collections::BTreeMap;

use icu_normalizer::DecomposingNormalizerBorrowed;
use jiff::tz::TimeZone;
use maud::html;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::super::open::Ground;
use super::super::part::args::{invalid, quoted, read};
use super::super::part::outbox::{self, blocking};
use super::super::part::{Error, tool_name};
use super::super::{Approved, Declared, Intent, Item, Look, Outward};
use super::target::Target;
use crate::failure::{Failure, Work};
use crate::id::Timestamp;
use crate::markdown;
use crate::run::body::Receipt;
use crate::text;
use crate::topology::spec::{Connection, Repeat, ToolSpec};

/// Most channels of one publication.
const CHANNELS_MAX: usize = 20;
/// Longest name of a channel.
const CHANNEL_BYTES_MAX: usize = 40;
/// How much of a title becomes part of a name.
const TITLE_BYTES_MAX: usize = 60;
/// What stands in a name for what is known of a text.
const NAMES: [&str; 3] = ["{channel}", "{title}", "{date}"];

/// What a published text becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A Markdown file.
    #[default]
    Markdown,
    /// A page of HTML.
    Html,
}

impl Form {
    fn ending(self) -> &'static str {
        match self {
            Self::Markdown => "md",
            Self::Html => "html",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Markdown => "text/markdown",
            Self::Html => "text/html",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Markdown => "one Markdown file",
            Self::Html => "one HTML page",
        }
    }
}

/// What a table says of publishing.
pub(super) struct Wanted<'c> {
    /// The kind of the table.
    pub(super) kind: &'static str,
    /// The folder, if one is named.
    pub(super) to: Option<&'c str>,
    pub(super) form: Form,
    /// What a file is called, if that is said.
    pub(super) name: Option<&'c str>,
    pub(super) call_timeout_ms: u64,
}

/// What publishes.
pub(super) struct Publish {
    spec: ToolSpec,
    form: Form,
    /// What a file is called, without its ending.
    name: String,
    zone: TimeZone,
    /// The folder that is named for it, if one is.
    target: Option<Target>,
}

impl Publish {
    /// That of this table.
    pub(super) fn new(name: &str, wanted: &Wanted<'_>, ground: &Ground<'_>) -> Result<Self, Error> {
        let target = wanted.to.map(|folder| Target::new(folder, ground));
        let target = target.transpose().map_err(|why| Error::new(name, why).of("publish_to"))?;
        let of_file = wanted.name.unwrap_or("{channel}");
        named(of_file).map_err(|why| Error::new(name, why).of("publish_name"))?;
        let zone = TimeZone::get(ground.zone).unwrap_or(TimeZone::UTC);
        Ok(Self { spec: spec(name, wanted)?, form: wanted.form, name: of_file.to_owned(), zone, target })
    }

    fn items(&self, intent: Intent) -> Result<Vec<Item>, Failure> {
        let publication: Publication = read(self.spec.name.as_str(), intent.args)?;
        let versions = match publication.versions {
            Versions::List(list) => list,
            Versions::ByChannel(map) => map.into_iter().map(|(channel, body)| body.on(channel)).collect(),
        };
        if versions.is_empty() || versions.len() > CHANNELS_MAX {
            return Err(invalid(format!("there are {} versions: 1 to {CHANNELS_MAX} are published", versions.len())));
        }
        let mut items: Vec<Item> = Vec::new();
        for version in versions {
            let channel = version.channel.clone();
            let item = self.item(version, intent.asked_at)?;
            if items.iter().any(|other| other.key == item.key) {
                return Err(invalid(format!("two versions become the file {}, the second for {channel}", item.key)));
            }
            items.push(item);
        }
        Ok(items)
    }

    /// What readers get is the text and nothing else: how it came to be is told with its version, in the journal and in `review`.
    fn item(&self, version: Version, at: Timestamp) -> Result<Item, Failure> {
        let text = Text::of(version)?;
        let told = |what: String| invalid(format!("the version for {} {what}", text.channel));
        let bytes = match self.form {
            Form::Markdown => text.source.clone(),
            Form::Html => match markdown::unfit(&text.source) {
                Some(what) => return Err(told(what)),
                None => text.page(),
            },
        };
        let name = self.file_name(&text, at).map_err(told)?;
        let place = self.target.as_ref().map(|target| target.folder.clone());
        Ok(Item {
            key: format!("{name}.{}", self.form.ending()),
            title: text.title.unwrap_or_else(|| format!("the version for {}", text.channel)),
            recipient: place.unwrap_or(text.channel),
            recipients: 1,
            media_type: self.form.media_type().to_owned(),
            bytes: bytes.into_bytes(),
            after_ms: 0,
            again: None,
        })
    }

    fn file_name(&self, text: &Text, at: Timestamp) -> Result<String, String> {
        let mut name = self.name.replace("{channel}", &text.channel);
        if name.contains("{title}") {
            let title = text.title.clone().or_else(|| markdown::heading(&text.source));
            let title = title.map(|title| as_name(&title)).filter(|title| !title.is_empty());
            name = name.replace("{title}", &title.ok_or("has no title in letters that a file's name takes")?);
        }
        let date = jiff::Timestamp::from_millisecond(at.0).map(|at| at.to_zoned(self.zone.clone()).date());
        Ok(name.replace("{date}", &date.map_err(|why| why.to_string())?.to_string()))
    }
}

impl Declared for Publish {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn look(&self) -> Look {
        Look { facts: Vec::new(), faults: self.target.as_ref().map(Target::wrong).unwrap_or_default() }
    }
}

impl Outward for Publish {
    fn prepare(&self, intent: Intent) -> Work<'_, Vec<Item>> {
        Box::pin(async move {
            let items = self.items(intent)?;
            let Some(target) = self.target.clone() else { return Ok(items) };
            // Whoever approves sees the name that the file gets.
            blocking(move || Ok(target.free(items))).await
        })
    }

    fn perform(&self, item: Approved) -> Work<'_, Receipt> {
        Box::pin(async move {
            match self.target_of(&item) {
                Some(target) => blocking(move || target.put(&item)).await,
                None => outbox::put(item, Vec::new()).await,
            }
        })
    }

    fn query(&self, item: Approved) -> Work<'_, Option<Receipt>> {
        Box::pin(async move {
            match self.target_of(&item) {
                Some(target) => blocking(move || target.find(&item)).await,
                None => outbox::find(item).await,
            }
        })
    }
}

impl Publish {
    /// Where `item` goes, if not into the run's own folder: a draft reaches nobody.
    fn target_of(&self, item: &Approved) -> Option<Target> {
        self.target.clone().filter(|_| !item.draft)
    }
}

fn spec(name: &str, wanted: &Wanted<'_>) -> Result<ToolSpec, Error> {
    let version = json!({
        "type": "object",
        "properties": {
            "channel": { "type": "string" }, "title": { "type": "string" }, "text": { "type": "string" }
        },
        "required": ["channel", "text"],
    });
    let args = json!({
        "type": "object",
        "properties": { "versions": {
            "type": ["object", "array"],
            "description": "by channel, or a list of { channel, title?, text }",
            "items": version, "additionalProperties": { "type": ["object", "string"] },
        } },
        "required": ["versions"],
        "additionalProperties": false,
    });
    let (form, folder) = (wanted.form.words(), wanted.to);
    let description = match folder {
        Some(folder) => format!("Writes {form} per channel into {folder}, once they are approved."),
        None => format!("Writes {form} per channel into the run's folder, once they are approved."),
    };
    let place = Connection::new(wanted.kind, folder.map(|folder| ("publish_to", folder)));
    let spec = ToolSpec::outward(tool_name(name, "publish")?, &description, args, Repeat::Queryable, place);
    Ok(ToolSpec { call_timeout_ms: wanted.call_timeout_ms, ..spec })
}

/// Says why files cannot be called so.
fn named(template: &str) -> Result<(), String> {
    let literal = NAMES.iter().fold(template.to_owned(), |rest, name| rest.replace(name, ""));
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if template.starts_with('.') || template.len() > 40 || !literal.chars().all(fits) {
        let what = "is no name of a file: letters, digits, '.', '_', '-' and";
        return Err(format!("publish_name {} {what} {}", quoted(template), NAMES.join(", ")));
    }
    if !template.contains("{channel}") && !template.contains("{title}") {
        return Err("publish_name calls every file the same: put {channel} or {title} into it".to_owned());
    }
    Ok(())
}

/// A title as part of a file's name: small letters and digits, and one `-` for whatever stands between them.
fn as_name(title: &str) -> String {
    let plain = DecomposingNormalizerBorrowed::new_nfkd().normalize(title).replace('\u{df}', "ss");
    let mut name = String::new();
    for c in plain.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => name.push(c.to_ascii_lowercase()),
            // What stood over a letter, and letters that such a name does not take.
            c if !c.is_ascii() => {}
            _ if name.is_empty() || name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    name.truncate(TITLE_BYTES_MAX);
    name.trim_end_matches('-').to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Publication {
    versions: Versions,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Versions {
    List(Vec<Version>),
    ByChannel(BTreeMap<String, Body>),
}

#[derive(Deserialize)]
struct Version {
    channel: String,
    title: Option<String>,
    text: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    Text(String),
    Titled { title: Option<String>, text: String },
}

impl Body {
    fn on(self, channel: String) -> Version {
        match self {
            Self::Text(text) => Version { channel, title: None, text },
            Self::Titled { title, text } => Version { channel, title, text },
        }
    }
}

/// A version that can be published.
struct Text {
    channel: String,
    title: Option<String>,
    /// All of it as Markdown, with its title.
    source: String,
}

impl Text {
    fn of(version: Version) -> Result<Self, Failure> {
        let Version { channel, title, text } = version;
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        let begins = channel.starts_with(|c: char| c.is_ascii_lowercase());
        if !begins || channel.len() > CHANNEL_BYTES_MAX || !channel.chars().all(fits) {
            return Err(invalid(format!(
                "a channel is named with lower-case letters, digits, '_' and '-', {CHANNEL_BYTES_MAX} at most, not {}",
                quoted(&channel)
            )));
        }
        if text.trim().is_empty() {
            return Err(invalid(format!("the version for {channel} has no text")));
        }
        let title = title.map(|title| title.split_whitespace().collect::<Vec<_>>().join(" "));
        if let Some(c) = [Some(text.as_str()), title.as_deref()].into_iter().flatten().find_map(text::first_hidden) {
            let code = u32::from(c);
            let what =
                format!("the version for {channel} has a character that does not show (U+{code:04X}): leave it out");
            return Err(invalid(what));
        }
        let heading = title.as_ref().map_or_else(String::new, |title| format!("# {title}\n\n"));
        let source = format!("{heading}{}\n", text.replace("\r\n", "\n").trim_end());
        Ok(Self { channel, title, source })
    }

    /// All of it as a page of its own.
    fn page(&self) -> String {
        let title = self.title.clone().or_else(|| markdown::heading(&self.source));
        let title = html! { title { (title.as_deref().unwrap_or(&self.channel)) } }.into_string();
        format!(
            "<!doctype html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, \
             initial-scale=1\">\n{title}\n</head>\n<body>\n{}</body>\n</html>\n",
            markdown::html(&self.source, markdown::Form::Page)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::as_name;

    #[test]
    fn a_title_becomes_a_name_or_nothing() {
        for (title, name) in [
            ("Ferns in winter", "ferns-in-winter"),
            ("  20 % off: \u{201c}Gr\u{f6}\u{df}e\u{201d} & more!  ", "20-off-grosse-more"),
            ("../../etc/passwd", "etc-passwd"),
            ("\u{ff21}\u{ff22}", "ab"),
            ("\u{65e5}\u{672c}", ""),
            ("---", ""),
            ("a".repeat(70).as_str(), "a".repeat(60).as_str()),
        ] {
            assert_eq!(as_name(title), name, "{title}");
        }
    }
}
