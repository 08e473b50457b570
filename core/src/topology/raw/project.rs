//! `callsheet.toml` as written, and the user's file, which has the same keys.

use std::sync::Arc;

use serde_json::Value;
use toml::de::DeTable;

use super::walk::{Keys, Node, Reader, json};
use super::{Entries, Read, Tree};
use crate::id::NanoUsd;
use crate::topology::fault::At;
use crate::topology::manner::Calls;
use crate::topology::plan::Dialect;

/// A project file.
#[derive(Debug, Default)]
pub struct Project {
    /// The time zone of dates.
    pub timezone: Option<At<String>>,
    /// `[models]`
    pub models: Models,
    /// `[tools.NAME]`
    pub tools: Entries<Tool>,
    /// Tools of which the file says so little that it is told here.
    pub broken_tools: Vec<String>,
    /// `[checks.NAME]`
    pub checks: Entries<Tree>,
    /// `[people.NAME]`; none means one person.
    pub people: Option<Entries<Person>>,
    /// `[notify]`
    pub notify: Option<Tree>,
    /// `[journal] path`
    pub journal: Option<At<String>>,
}

/// `[models]`
#[derive(Debug, Default)]
pub struct Models {
    /// The default model.
    pub default: Option<At<String>>,
    /// Whose price a rehearsal's bill uses.
    pub priced_as: Option<At<String>>,
    /// Models by alias.
    pub aliases: Entries<At<String>>,
    /// What is asked when one fails, by alias or model.
    pub fallbacks: Entries<At<String>>,
    /// Where models are.
    pub providers: Entries<Provider>,
    /// Providers of which something is wrong that is told here.
    pub broken_providers: Vec<String>,
    /// What is set for single models.
    pub settings: Entries<Asking>,
    /// Models that cost nothing.
    pub free: Vec<At<String>>,
    /// Prices by model; none is told.
    pub prices: Entries<Option<Price>>,
}

/// Where models are.
#[derive(Debug)]
pub struct Provider {
    /// How it is spoken to.
    pub dialect: Option<Dialect>,
    /// Where; none is where the known provider of this name is.
    pub base_url: Option<At<String>>,
    /// The variable of its key.
    pub key_env: Option<At<String>>,
    /// The file of its key.
    pub key_file: Option<At<String>>,
    /// Whether its key may travel in the clear.
    pub allow_http: bool,
    /// Whether private data may be shown to its models.
    pub accepts_private: bool,
    /// Parts of a request that its server does not take.
    pub omit: Vec<At<String>>,
    /// What is set for all of its models.
    pub asking: Asking,
}

/// How a model is asked, or all of a provider's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asking {
    /// How it says what it does.
    pub calls: Option<At<Calls>>,
    /// One call's time-out.
    pub call_timeout_ms: Option<u64>,
    /// The longest silence within a reply.
    pub idle_timeout_ms: Option<u64>,
    /// How far its words are left to chance.
    pub temperature: Option<f64>,
    /// Fields of a request, an object.
    pub extra: Option<At<Value>>,
}

/// What a model costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// A million input tokens.
    pub input_per_million: NanoUsd,
    /// A million output tokens.
    pub output_per_million: NanoUsd,
    /// A million input tokens that come from the provider's cache.
    pub cached_per_million: Option<NanoUsd>,
    /// A million input tokens that go into the provider's cache.
    pub cache_write_per_million: Option<NanoUsd>,
    /// When the price was looked up, `YYYY-MM-DD`.
    pub dated: Option<String>,
}

/// A person.
#[derive(Debug)]
pub struct Person {
    /// Their groups.
    pub groups: Vec<At<String>>,
    /// Where mails reach them; none within is told.
    pub email: Option<Option<At<String>>>,
}

/// A tool's connection.
#[derive(Debug)]
pub struct Tool {
    /// Its kind; empty if none is written.
    pub kind: At<String>,
    /// The rest of the table.
    pub table: Tree,
}

/// Reads the text of a project file.
pub fn read(file: &Arc<str>, text: &str) -> Read<Project> {
    super::read(file, text, project)
}

fn project(reader: &mut Reader, table: &DeTable<'_>) -> Option<Project> {
    let known = ["schema_version", "timezone", "models", "tools", "checks", "people", "notify", "journal"];
    let keys = reader.keys(table, 0..0, &known);
    reader.schema_version(&keys);
    let tools = reader.entries(keys.get("tools"));
    let mut broken_tools = vec![];
    let tools = tools.into_iter().filter_map(|(name, node)| {
        let read = tool(reader, node);
        broken_tools.extend(read.is_none().then(|| name.value.clone()));
        Some((name, read?))
    });
    let tools = tools.collect();
    let checks = reader.entries(keys.get("checks"));
    let checks = checks.into_iter().filter_map(|(name, node)| {
        reader.map(node)?;
        Some((name, reader.tree(node)))
    });
    let checks = checks.collect();
    let people = keys.get("people").map(|node| {
        let people = reader.entries(Some(node));
        people
            .into_iter()
            .filter_map(|(name, node)| {
                let keys = reader.table(node, &["groups", "email"])?;
                let groups = reader.strings(keys.get("groups"));
                let email = keys.get("email").map(|node| reader.string(node));
                Some((name, Person { groups, email }))
            })
            .collect()
    });
    let notify = keys.get("notify").and_then(|node| {
        reader.map(node)?;
        Some(reader.tree(node))
    });
    let journal = keys.get("journal").and_then(|node| reader.table(node, &["path"]));
    Some(Project {
        timezone: keys.get("timezone").and_then(|node| reader.string(node)),
        models: keys.get("models").map(|node| models(reader, node)).unwrap_or_default(),
        tools,
        broken_tools,
        checks,
        people,
        notify,
        journal: journal.and_then(|keys| keys.get("path").and_then(|node| reader.string(node))),
    })
}

fn tool(reader: &mut Reader, node: &Node<'_>) -> Option<Tool> {
    let table = reader.map(node)?;
    // Which kinds there are is not known here, so who knows them tells of a kind that is missing.
    let kind = match table.get("kind") {
        Some(kind) => reader.string(kind)?,
        None => reader.at(node.span(), String::new()),
    };
    let mut rest = reader.tree(node);
    rest.parts.retain(|(key, _)| key.value != "kind");
    rest.value.as_object_mut().map(|table| table.remove("kind"));
    Some(Tool { kind, table: rest })
}

fn models(reader: &mut Reader, node: &Node<'_>) -> Models {
    let known = ["default", "priced_as", "aliases", "fallbacks", "providers", "settings", "free", "prices"];
    let Some(keys) = reader.table(node, &known) else { return Models::default() };
    let aliases = reader.entries(keys.get("aliases"));
    let fallbacks = reader.entries(keys.get("fallbacks"));
    let providers = reader.entries(keys.get("providers"));
    let settings = reader.entries(keys.get("settings"));
    let prices = reader.entries(keys.get("prices"));
    let mut broken_providers = vec![];
    let providers = providers.into_iter().filter_map(|(name, node)| {
        let read = provider(reader, node);
        broken_providers.extend(read.is_none().then(|| name.value.clone()));
        Some((name, read?))
    });
    let providers = providers.collect();
    Models {
        broken_providers,
        providers,
        default: keys.get("default").and_then(|node| reader.string(node)),
        priced_as: keys.get("priced_as").and_then(|node| reader.string(node)),
        aliases: aliases.into_iter().filter_map(|(name, node)| Some((name, reader.string(node)?))).collect(),
        fallbacks: fallbacks.into_iter().filter_map(|(name, node)| Some((name, reader.string(node)?))).collect(),
        settings: settings
            .into_iter()
            .filter_map(|(name, node)| {
                let keys = reader.table(node, &ASKING)?;
                Some((name, asking(reader, &keys)))
            })
            .collect(),
        free: reader.strings(keys.get("free")),
        prices: prices.into_iter().map(|(name, node)| (name, price(reader, node))).collect(),
    }
}

fn provider(reader: &mut Reader, node: &Node<'_>) -> Option<Provider> {
    let own = ["dialect", "base_url", "key_env", "key_file", "allow_http", "accepts_private", "omit"];
    let keys = reader.table(node, &[&own[..], &ASKING].concat())?;
    let words = [("openai", Dialect::OpenAi), ("anthropic", Dialect::Anthropic), ("gemini", Dialect::Gemini)];
    let dialect = match keys.get("dialect") {
        Some(node) => Some(reader.word(node, &words)?),
        None => None,
    };
    let base_url = match keys.get("base_url") {
        Some(node) => Some(reader.string(node)?),
        None => None,
    };
    let mut text = |key: &str| keys.get(key).and_then(|node| reader.string(node));
    let (key_env, key_file) = (text("key_env"), text("key_file"));
    let allow_http = keys.get("allow_http").and_then(|node| reader.boolean(node)).unwrap_or(false);
    let accepts_private = keys.get("accepts_private").and_then(|node| reader.boolean(node)).unwrap_or(true);
    let omit = reader.strings(keys.get("omit"));
    let asking = asking(reader, &keys);
    Some(Provider { dialect, base_url, key_env, key_file, allow_http, accepts_private, omit, asking })
}

/// Keys of [`Asking`].
const ASKING: [&str; 5] = ["calls", "call_timeout", "idle_timeout", "temperature", "extra"];

fn asking(reader: &mut Reader, keys: &Keys<'_, '_>) -> Asking {
    let calls = keys.get("calls").and_then(|node| {
        let word = reader.word(node, &Calls::ALL)?;
        Some(reader.at(node.span(), word))
    });
    let temperature = keys.get("temperature").and_then(|node| {
        let number = json(node.get_ref()).as_f64().filter(|number| (0.0..=2.0).contains(number));
        if number.is_none() {
            reader.wrong(node, "a number from 0 to 2, such as 0.2");
        }
        number
    });
    let extra = keys.get("extra").and_then(|node| {
        reader.map(node)?;
        Some(reader.json(node))
    });
    Asking {
        calls,
        call_timeout_ms: keys.get("call_timeout").and_then(|node| reader.duration(node)),
        idle_timeout_ms: keys.get("idle_timeout").and_then(|node| reader.duration(node)),
        temperature,
        extra,
    }
}

const PRICE: [&str; 5] = [
    "input_usd_per_million",
    "output_usd_per_million",
    "cached_usd_per_million",
    "cache_write_usd_per_million",
    "dated",
];

fn price(reader: &mut Reader, node: &Node<'_>) -> Option<Price> {
    let keys = reader.table(node, &PRICE)?;
    let input = dollars(reader, &keys, "input_usd_per_million");
    let output = dollars(reader, &keys, "output_usd_per_million");
    let dated = keys.get("dated").and_then(|node| reader.string(node)).map(|at| at.value);
    let cached = keys.get("cached_usd_per_million").and_then(|node| reader.money(node));
    let cache_write = keys.get("cache_write_usd_per_million").and_then(|node| reader.money(node));
    Some(Price {
        input_per_million: input?,
        output_per_million: output?,
        cached_per_million: cached,
        cache_write_per_million: cache_write,
        dated,
    })
}

fn dollars(reader: &mut Reader, keys: &Keys<'_, '_>, name: &str) -> Option<NanoUsd> {
    match keys.get(name) {
        Some(node) => reader.money(node),
        None => {
            reader.missing(keys, name, "3.00");
            None
        }
    }
}
