//! Tables of providers and what is set for models: whether it can be kept, and what wins.

use std::collections::BTreeSet;

use serde_json::{Map, Number, Value};

use super::models::{Models, Provider, known_providers};
use super::origin::{Origin, word};
use crate::model::wire::{self, Extra, Way};
use crate::topology::fault::{At, Code, Fault, Faults};
use crate::topology::manner::{Calls, Manner, time_words};
use crate::topology::plan::{Dialect, ModelSpec, provider_and_name};
use crate::topology::raw::project::{self, Asking, Project};

/// A provider's table; a key does not travel in the clear.
fn provider(name: &At<String>, written: &project::Provider, faults: &mut Faults) -> Option<Provider> {
    let known = known_providers().remove(&name.value).filter(|_| written.base_url.is_none());
    let Some(base_url) = written.base_url.as_ref().map(|at| &at.value).or(known.as_ref().map(|known| &known.base_url))
    else {
        let what = "`base_url` is missing";
        faults.push(Fault::new(Code::MissingKey, &name.place, what, "write base_url = \"https://...\""));
        return None;
    };
    let wrong = match wire::way(base_url) {
        Ok(Way::Clear) if !written.allow_http => "it is neither https nor http to this machine".to_owned(),
        Ok(_) => String::new(),
        Err(why) => why,
    };
    if let Some(url) = written.base_url.as_ref().filter(|_| !wrong.is_empty()) {
        let what = format!("this base URL cannot be used: {wrong}");
        let instead = "write an https URL such as \"https://api.openai.com/v1\", or allow_http = true beside it";
        faults.push(Fault::new(Code::WrongValue, &url.place, what, instead));
        return None;
    }
    let dialect = written.dialect.or(known.as_ref().map(|known| known.dialect)).unwrap_or(Dialect::OpenAi);
    fits(&written.asking, dialect, faults);
    let key_env = written.key_env.as_ref().map(|at| at.value.clone());
    let key_file = written.key_file.as_ref().map(|at| at.value.clone());
    let known_key = known.as_ref().and_then(|known| known.key_env.clone()).filter(|_| key_file.is_none());
    Some(Provider {
        dialect,
        base_url: base_url.trim_end_matches('/').to_owned(),
        key_env: key_env.or(known_key),
        key_file,
        refuses_private: !written.accepts_private,
        omits: omits(written, faults),
        asking: written.asking.clone(),
    })
}

fn omits(written: &project::Provider, faults: &mut Faults) -> BTreeSet<Extra> {
    let words = Extra::ALL.map(|(word, _)| word).join(", ");
    let mut omits = BTreeSet::new();
    for at in &written.omit {
        match Extra::ALL.iter().find(|(word, _)| *word == at.value) {
            Some((_, extra)) => drop(omits.insert(*extra)),
            None => {
                let what = format!("a request has no part {:?} that can be left out", at.value);
                let fault = Fault::new(Code::WrongValue, &at.place, what, format!("write one of {words}"));
                faults.push(fault.meant(&at.value, Extra::ALL.map(|(word, _)| word)));
            }
        }
    }
    omits
}

/// Whether a server of this dialect can be asked so.
fn fits(asking: &Asking, dialect: Dialect, faults: &mut Faults) {
    if let Some(calls) =
        asking.calls.as_ref().filter(|at| at.value == Calls::JsonSchema && dialect == Dialect::Anthropic)
    {
        let what =
            "Anthropic's messages have no form that an answer has to have: `calls = \"json_schema\"` cannot be kept";
        faults.push(Fault::new(Code::WrongValue, &calls.place, what, "take `calls` out: its models call tools"));
    }
    // A plan and a recording hold what is sent, and a recording is TOML, which has no null.
    if let Some(at) = asking.extra.as_ref().filter(|at| has_null(&at.value)) {
        let what = "`extra` holds a number that JSON does not have";
        faults.push(Fault::new(Code::WrongValue, &at.place, what, "write a finite number, or take the field out"));
    }
    let fields = asking.extra.as_ref().and_then(|at| Some((&at.place, at.value.as_object()?)));
    if let Some((place, field)) = fields.and_then(|(place, fields)| Some((place, wire::own_field(dialect, fields)?))) {
        let what = format!("`extra` may not hold `{field}`: Callsheet writes that field of a request itself");
        let instead = match field.rsplit('.').next() {
            Some("temperature") => "write `temperature` beside `extra`",
            Some("max_tokens" | "max_completion_tokens" | "maxOutputTokens") => {
                "take it out: limits.output_tokens of each agent says it"
            }
            _ => "take it out",
        };
        faults.push(Fault::new(Code::WrongValue, place, what, instead));
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.iter().any(has_null),
        Value::Object(fields) => fields.values().any(has_null),
        _ => false,
    }
}

/// Adds what one file says of providers and of single models.
pub(super) fn add(models: &mut Models, file: &Project, faults: &mut Faults, origins: &mut Vec<Origin>) {
    for (name, written) in &file.models.providers {
        word(name, faults);
        if let Some(provider) = provider(name, written, faults) {
            let setting = format!("models.providers.{}", name.value);
            shown(&setting, &provider.asking, &name.place.file, origins);
            models.providers.insert(name.value.clone(), provider);
        }
    }
    for (name, asking) in &file.models.settings {
        let provider = provider_and_name(&name.value).and_then(|(provider, _)| models.providers.get(provider));
        let Some(provider) = provider else {
            // What keeps a provider from being there is told where it is.
            if name.value.split_once('/').is_some_and(|(provider, _)| models.written.contains(provider)) {
                continue;
            }
            let what = format!("`{}` is not PROVIDER/MODEL with a provider that there is", name.value);
            let known = models.providers.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let instead = format!("write one such as \"ollama/qwen3\"; providers: {known}");
            let (given, _) = name.value.split_once('/').unwrap_or((&name.value, ""));
            let fault = Fault::new(Code::WrongValue, &name.place, what, instead);
            faults.push(fault.meant(given, models.providers.keys().map(String::as_str)));
            continue;
        };
        fits(asking, provider.dialect, faults);
        shown(&format!("models.settings.{:?}", name.value), asking, &name.place.file, origins);
        models.settings.insert(name.value.clone(), asking.clone());
    }
}

/// What is set, a line each. Of extra fields only the names: a value may be nobody's business.
fn shown(setting: &str, asking: &Asking, file: &str, origins: &mut Vec<Origin>) {
    let names =
        |at: &At<Value>| at.value.as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>().join(", "));
    let set = [
        ("calls", asking.calls.as_ref().map(|at| at.value.word().to_owned())),
        ("call_timeout", asking.call_timeout_ms.map(time_words)),
        ("idle_timeout", asking.idle_timeout_ms.map(time_words)),
        ("temperature", asking.temperature.map(|number| number.to_string())),
        ("extra", asking.extra.as_ref().and_then(names)),
    ];
    for (key, value) in set {
        let origin = |value| Origin { setting: format!("{setting}.{key}"), value, from: file.to_owned() };
        origins.extend(value.map(origin));
    }
}

impl Models {
    /// What is set for `model`: for itself, and for its provider where that says nothing.
    pub fn asking(&self, model: &str) -> Asking {
        let own = self.settings.get(model).cloned().unwrap_or_default();
        let provider = provider_and_name(model).and_then(|(provider, _)| self.providers.get(provider));
        let all = provider.map(|provider| provider.asking.clone()).unwrap_or_default();
        let extra = match (all.extra, own.extra) {
            (Some(all), Some(own)) => Some(At { value: merged(all.value, own.value), place: own.place }),
            (all, own) => own.or(all),
        };
        Asking {
            calls: own.calls.or(all.calls),
            call_timeout_ms: own.call_timeout_ms.or(all.call_timeout_ms),
            idle_timeout_ms: own.idle_timeout_ms.or(all.idle_timeout_ms),
            temperature: own.temperature.or(all.temperature),
            extra,
        }
    }

    /// The same, as far as it is about what is sent.
    pub(super) fn manner(&self, model: &str) -> Manner {
        let Asking { calls, temperature, extra, .. } = self.asking(model);
        let extra = match extra.map(|at| at.value) {
            Some(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        let temperature = temperature.and_then(Number::from_f64);
        Manner { calls: calls.map(|at| at.value).unwrap_or_default(), temperature, extra }
    }

    /// The keys of which the files say something else than was pinned of a model when a run started.
    pub fn changed(&self, pinned: &ModelSpec) -> Vec<&'static str> {
        let (asking, manner) = (self.asking(&pinned.model), self.manner(&pinned.model));
        let was = pinned.manner.as_ref().unwrap_or(&manner);
        let keys = [
            ("calls", was.calls != manner.calls),
            ("call_timeout", pinned.call_timeout_ms != asking.call_timeout_ms),
            ("idle_timeout", pinned.idle_timeout_ms != asking.idle_timeout_ms),
            ("temperature", was.temperature != manner.temperature),
            ("extra", was.extra != manner.extra),
        ];
        keys.into_iter().filter_map(|(key, is_changed)| is_changed.then_some(key)).collect()
    }
}

/// The fields of both; where both have one, the second's.
fn merged(first: Value, second: Value) -> Value {
    match (first, second) {
        (Value::Object(mut fields), Value::Object(more)) => {
            fields.extend(more);
            Value::Object(fields)
        }
        (_, second) => second,
    }
}
