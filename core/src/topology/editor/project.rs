//! The shape of `callsheet.toml`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::notify::Notify;
use super::shape::{Duration, Money, Temperature, Version};
use crate::topology::manner::Calls;
use crate::topology::plan::Dialect;
use crate::topology::speech::Extra;

/// `callsheet.toml`: models, tools, checks, people and the journal.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Project {
    /// The version of the form.
    pub schema_version: Version,
    /// The time zone of dates, such as "Europe/Berlin".
    pub timezone: Option<String>,
    /// Models; without a default every run is a rehearsal.
    pub models: Option<Models>,
    /// Connections of tools, by name.
    #[serde(default)]
    pub tools: BTreeMap<String, Tool>,
    /// Settings of checks, by name.
    #[serde(default)]
    pub checks: BTreeMap<String, BTreeMap<String, Value>>,
    /// People, by name; without any the project has one person.
    #[serde(default)]
    pub people: BTreeMap<String, Person>,
    /// Who is told, outside of this program, of what waits for people.
    pub notify: Option<Notify>,
    /// Where runs are recorded.
    pub journal: Option<Journal>,
}

/// Models.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Models {
    /// `provider/model`.
    pub default: Option<String>,
    /// Whose price the bill of a rehearsal uses.
    pub priced_as: Option<String>,
    /// Models by alias.
    #[serde(default)]
    pub aliases: BTreeMap<String, String>,
    /// What is asked when a model fails: an alias or model, by alias or model.
    #[serde(default)]
    pub fallbacks: BTreeMap<String, String>,
    /// Where models are, by the first part of their names.
    #[serde(default)]
    pub providers: BTreeMap<String, Provider>,
    /// What is set for single models, by `provider/model`.
    #[serde(default)]
    pub settings: BTreeMap<String, ModelSettings>,
    /// Models that cost nothing.
    #[serde(default)]
    pub free: Vec<String>,
    /// Prices by model.
    #[serde(default)]
    pub prices: BTreeMap<String, Price>,
}

/// Where models are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// How it is spoken to; "openai" if it is not written.
    pub dialect: Option<Dialect>,
    /// Where, such as "http://127.0.0.1:8080/v1"; known of openai, anthropic, gemini, openrouter and ollama.
    pub base_url: Option<String>,
    /// The environment variable that holds its key.
    pub key_env: Option<String>,
    /// The file that holds its key, below the project's folder.
    pub key_file: Option<String>,
    /// Whether its key may travel in the clear.
    #[serde(default)]
    pub allow_http: bool,
    /// Whether private data may be shown to its models; true if it is not written.
    pub accepts_private: Option<bool>,
    /// Parts of a request that its server does not take, such as "tool_choice" or "stream_options".
    #[serde(default)]
    pub omit: Vec<Extra>,
    /// How its models say what they do: by calls of tools, or as one JSON document in a form that the server forces.
    pub calls: Option<Calls>,
    /// Time-out of one call; wins over the limits of agents.
    pub call_timeout: Option<Duration>,
    /// The longest silence within a reply; wins over the limits of agents.
    pub idle_timeout: Option<Duration>,
    /// From 0, where the likeliest words are said, to 2.
    pub temperature: Option<Temperature>,
    /// Fields that are put into each request, such as { top_k = 40 }.
    #[serde(default)]
    pub extra: BTreeMap<String, Value>,
}

/// What is set for one model; wins over what is set for its provider.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelSettings {
    /// How it says what it does: by calls of tools, or as one JSON document in a form that the server forces.
    pub calls: Option<Calls>,
    /// Time-out of one call; wins over the limits of agents.
    pub call_timeout: Option<Duration>,
    /// The longest silence within a reply; wins over the limits of agents.
    pub idle_timeout: Option<Duration>,
    /// From 0, where the likeliest words are said, to 2.
    pub temperature: Option<Temperature>,
    /// Fields that are put into each request, such as { top_k = 40 }.
    #[serde(default)]
    pub extra: BTreeMap<String, Value>,
}

/// What a model costs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// US dollars for a million input tokens.
    pub input_usd_per_million: Money,
    /// US dollars for a million output tokens.
    pub output_usd_per_million: Money,
    /// US dollars for a million input tokens that come from the provider's cache.
    pub cached_usd_per_million: Option<Money>,
    /// US dollars for a million input tokens that go into the provider's cache.
    pub cache_write_usd_per_million: Option<Money>,
    /// When it was looked up.
    pub dated: Option<String>,
}

/// A tool's connection; the keys beside `kind` are the kind's.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Tool {
    /// Its kind, such as "sql".
    pub kind: String,
    /// The rest.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// A person.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Their groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Where mails reach them that say what waits for them, such as "ana@example.com".
    pub email: Option<String>,
}

/// Where runs are recorded.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    /// A path below the project's folder.
    pub path: Option<String>,
}
