//! Models as the files name them: providers, aliases, fallbacks and prices, and the keys that they are reached with.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::NanoUsd;
use crate::model::wire::Extra;
use crate::topology::fault::{Code, Fault, Faults, Place, nearest};
use crate::topology::plan::{Dialect, Mode, ModelSpec, provider_and_name};
use crate::topology::raw::project::{Asking, Price, Project};

/// The alias of agents that name none.
pub const DEFAULT: &str = "default";

/// Models and prices.
#[derive(Debug, Clone, Default)]
pub struct Models {
    /// `provider/model`; none makes every run a rehearsal.
    pub default: Option<String>,
    /// True if a flag or the environment names the default: then it stands for every alias.
    pub for_all: bool,
    /// Models by alias.
    pub aliases: BTreeMap<String, String>,
    /// By alias or model: the alias or model that is asked when it fails.
    pub fallbacks: BTreeMap<String, String>,
    /// Where models are, by the first part of their names.
    pub providers: BTreeMap<String, Provider>,
    /// What is set for single models.
    pub settings: BTreeMap<String, Asking>,
    /// Prices by model.
    pub prices: BTreeMap<String, Price>,
    /// Models that cost nothing.
    pub free: BTreeSet<String>,
    /// The model that a flag or a variable names, and which.
    pub outside: Option<(String, Place)>,
    /// Providers that files write of, whether they can be used or not.
    pub written: BTreeSet<String>,
    /// Whose price the bill of a rehearsal uses.
    pub priced_as: Option<String>,
}

/// Where models are.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// How it is spoken to.
    pub dialect: Dialect,
    /// The part of its URLs that all requests begin with, without a `/` at the end.
    pub base_url: String,
    /// The name of the variable that holds its key.
    pub key_env: Option<String>,
    /// The file that holds its key, below the project's folder.
    pub key_file: Option<String>,
    /// Whether nothing private is shown to its models.
    pub refuses_private: bool,
    /// What its server does not take and is not sent.
    pub omits: BTreeSet<Extra>,
    /// What is set for all of its models.
    pub asking: Asking,
}

/// Providers that need no table: name, dialect, base URL, the variable of the key.
const KNOWN: [(&str, Dialect, &str, Option<&str>); 5] = [
    ("openai", Dialect::OpenAi, "https://api.openai.com/v1", Some("OPENAI_API_KEY")),
    ("anthropic", Dialect::Anthropic, "https://api.anthropic.com/v1", Some("ANTHROPIC_API_KEY")),
    ("gemini", Dialect::Gemini, "https://generativelanguage.googleapis.com/v1beta", Some("GEMINI_API_KEY")),
    ("openrouter", Dialect::OpenAi, "https://openrouter.ai/api/v1", Some("OPENROUTER_API_KEY")),
    ("ollama", Dialect::OpenAi, "http://127.0.0.1:11434/v1", None),
];

/// The providers that need no table.
pub fn known_providers() -> BTreeMap<String, Provider> {
    let known = KNOWN.into_iter().map(|(name, dialect, base_url, key_env)| {
        let key_env = key_env.map(str::to_owned);
        let (omits, asking) = (BTreeSet::new(), Asking::default());
        let provider = Provider {
            dialect,
            base_url: base_url.to_owned(),
            key_env,
            key_file: None,
            refuses_private: false,
            omits,
            asking,
        };
        (name.to_owned(), provider)
    });
    known.collect()
}

impl Models {
    /// The models of a mode, by alias.
    pub(super) fn specs(&self, mode: Mode) -> BTreeMap<String, ModelSpec> {
        let named = self.named();
        match mode {
            // The recording has them, with the prices of its day.
            Mode::Replay => BTreeMap::new(),
            Mode::Rehearsal => {
                let price = self.priced_as.as_ref().and_then(|model| self.prices.get(model));
                let aliases = named.into_keys().chain([DEFAULT.to_owned()]);
                aliases.map(|alias| (alias, spec("rehearsal".to_owned(), price))).collect()
            }
            Mode::Live => {
                let live = |(alias, model): (String, String)| {
                    let provider = provider_and_name(&model).and_then(|(provider, _)| self.providers.get(provider));
                    let refuses_private = provider.is_some_and(|provider| provider.refuses_private);
                    let fallback = self.fallback(&alias, &model);
                    let price = self.prices.get(&model);
                    let Asking { call_timeout_ms, idle_timeout_ms, .. } = self.asking(&model);
                    let manner = Some(self.manner(&model));
                    let spec = spec(model, price);
                    (alias, ModelSpec { refuses_private, fallback, call_timeout_ms, idle_timeout_ms, manner, ..spec })
                };
                named.into_iter().map(live).collect()
            }
        }
    }

    /// What is asked when `alias` fails; nothing if that would come back to it.
    fn fallback(&self, alias: &str, model: &str) -> Option<String> {
        let next = |name: &str| self.fallbacks.get(name);
        let first = next(alias).or_else(|| next(model))?;
        let chain = std::iter::successors(Some(first), |name| next(name)).take(self.fallbacks.len() + 1);
        let circular = chain.clone().count() > self.fallbacks.len() || chain.into_iter().any(|name| name == alias);
        (!circular).then(|| first.clone())
    }

    /// Models that have no price and are not declared free.
    pub(super) fn unpriced(&self) -> BTreeSet<String> {
        let priced = |model: &String| self.prices.contains_key(model) || self.free.contains(model);
        self.named().into_values().filter(|model| !priced(model)).collect()
    }

    /// Models of which nobody says where they are: what is wrong, what to do, and where a file names them.
    pub(super) fn nowhere(&self) -> BTreeMap<String, (String, String, Option<Place>)> {
        // What a file names is told with the file.
        let wrong = |(model, place): &(String, Place)| {
            let (what, instead) = self.provider(model).err()?;
            let meant = self.meant(model).map(|meant| format!("did you mean {meant}? ")).unwrap_or_default();
            Some((model.clone(), (what, format!("{meant}{instead}"), Some(place.clone()))))
        };
        self.outside.iter().filter_map(wrong).collect()
    }

    /// The name that was probably meant by a model of an unknown provider.
    fn meant(&self, model: &str) -> Option<String> {
        let (provider, name) = model.split_once('/')?;
        nearest(provider, self.providers.keys().map(String::as_str)).map(|near| format!("{near}/{name}"))
    }

    /// The provider of `model`, with its name; else what is wrong and what to do.
    pub(super) fn provider<'m>(&'m self, model: &'m str) -> Result<(&'m str, &'m Provider), (String, String)> {
        let known = || self.providers.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let (name, _) = provider_and_name(model).ok_or_else(|| {
            let what = format!("the model {model:?} is not PROVIDER/MODEL, such as openai/gpt-5");
            (what, format!("the providers are: {}", known()))
        })?;
        let provider = self.providers.get(name).ok_or_else(|| {
            let what = format!("there is no provider {name:?} for the model {model:?}");
            (what, format!("there are: {}; others need a table [models.providers.{name}] in callsheet.toml", known()))
        })?;
        Ok((name, provider))
    }

    /// The models that live runs ask, each once.
    pub fn live(&self) -> BTreeSet<String> {
        self.named().into_values().collect()
    }

    /// Every model that can be meant, by alias; a fallback that is no alias is its own.
    pub fn named(&self) -> BTreeMap<String, String> {
        let own = |(alias, model): (&String, &String)| (alias.clone(), model.clone());
        let mut named: BTreeMap<String, String> = self.aliases.iter().map(own).collect();
        named.extend(self.default.iter().map(|model| (DEFAULT.to_owned(), model.clone())));
        if let Some(model) = self.default.as_ref().filter(|_| self.for_all) {
            named.values_mut().for_each(|of| of.clone_from(model));
        }
        let fallbacks: Vec<String> = self.fallbacks.values().filter(|to| !named.contains_key(*to)).cloned().collect();
        named.extend(fallbacks.into_iter().map(|model| (model.clone(), model)));
        named
    }
}

/// Tells of models that a file names and that are with no provider there is.
pub(super) fn told(models: &Models, file: &Project, faults: &mut Faults) {
    let named = file.models.default.iter().chain(file.models.aliases.iter().map(|(_, model)| model));
    let fallbacks = file.models.fallbacks.iter().map(|(_, to)| to);
    let fallbacks = fallbacks.filter(|to| !models.aliases.contains_key(&to.value));
    for at in named.chain(fallbacks) {
        let is_written = at.value.split_once('/').is_some_and(|(provider, _)| models.written.contains(provider));
        if let Err((what, instead)) = models.provider(&at.value)
            && !is_written
        {
            let fault = Fault::new(Code::UnknownModel, &at.place, what, instead);
            let (provider, _) = at.value.split_once('/').unwrap_or((&at.value, ""));
            let known = models.providers.keys().map(String::as_str).filter(|_| at.value.contains('/'));
            faults.push(fault.meant(provider, known));
        }
    }
}

fn spec(model: String, price: Option<&Price>) -> ModelSpec {
    let of = |part: fn(&Price) -> NanoUsd| price.map_or(NanoUsd(0), part);
    ModelSpec {
        model,
        input_per_million: of(|price| price.input_per_million),
        output_per_million: of(|price| price.output_per_million),
        cached_per_million: price.and_then(|price| price.cached_per_million),
        cache_write_per_million: price.and_then(|price| price.cache_write_per_million),
        ..ModelSpec::default()
    }
}
