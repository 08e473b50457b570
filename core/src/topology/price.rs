//! The models of a plan, and what their calls cost.

use serde::{Deserialize, Serialize};

use super::speech::Manner;
use crate::failure::Usage;
use crate::id::NanoUsd;

/// A model that an alias stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ModelSpec {
    /// `provider/model`, or `rehearsal`.
    pub model: String,
    /// What a million input tokens cost.
    pub input_per_million: NanoUsd,
    /// What a million output tokens cost.
    pub output_per_million: NanoUsd,
    /// What a million input tokens cost that come from the provider's cache; none is the price of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_per_million: Option<NanoUsd>,
    /// What a million input tokens cost that go into the provider's cache; none is the price of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_per_million: Option<NanoUsd>,
    /// The alias of the model that is asked when this one fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// The time-out of one call, if it is written for the model or its provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_timeout_ms: Option<u64>,
    /// The longest silence within a reply, if it is written for the model or its provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout_ms: Option<u64>,
    /// True if nothing private may be shown to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refuses_private: bool,
    /// What is particular to requests to it. A plan that is older has none: its model is asked as callsheet.toml says then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manner: Option<Manner>,
}

impl ModelSpec {
    /// What a call costs, rounded up.
    pub fn price(&self, usage: Usage) -> NanoUsd {
        let written = usage.cache_write_tokens.min(usage.input_tokens);
        let cached = usage.cached_tokens.min(usage.input_tokens - written);
        let input = self.input_per_million;
        sum(&[
            (usage.input_tokens - written - cached, input),
            (cached, self.cached_per_million.unwrap_or(input)),
            (written, self.cache_write_per_million.unwrap_or(input)),
            (usage.output_tokens, self.output_per_million),
        ])
    }

    /// The most that a call with so many tokens can cost, however its provider caches.
    pub fn most(&self, input_tokens: u64, output_tokens: u64) -> NanoUsd {
        let prices = [Some(self.input_per_million), self.cached_per_million, self.cache_write_per_million];
        let input = prices.into_iter().flatten().max().unwrap_or(NanoUsd(0));
        sum(&[(input_tokens, input), (output_tokens, self.output_per_million)])
    }
}

/// Tokens at prices per million, rounded up.
fn sum(parts: &[(u64, NanoUsd)]) -> NanoUsd {
    let whole: u128 = parts.iter().map(|(tokens, price)| u128::from(*tokens) * u128::from(price.0)).sum();
    NanoUsd(u64::try_from(whole.div_ceil(1_000_000)).unwrap_or(u64::MAX))
}
