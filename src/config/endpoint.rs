//! Where a model is and with which key: the one place where a key is read.

use super::Settings;
use crate::file;
use crate::model::wire::{Endpoint, Key};
use crate::topology::plan::Dialect;

/// Largest file of a key.
const KEY_BYTES_MAX: u64 = 64 << 10;

impl Settings {
    /// How the provider of `model` is spoken to, and whether it may not be told what is private.
    ///
    /// # Errors
    /// A sentence: there is no such provider.
    pub fn provider_of(&self, model: &str) -> Result<(Dialect, bool), String> {
        let (_, provider) = self.models.provider(model).map_err(|(what, instead)| format!("{what}; {instead}"))?;
        Ok((provider.dialect, provider.refuses_private))
    }

    /// Where `model` is, with its key.
    ///
    /// # Errors
    /// A sentence: no such provider, or its key is not to be had.
    pub fn endpoint(&self, model: &str) -> Result<Endpoint, String> {
        let (name, provider) = self.models.provider(model).map_err(|(what, instead)| format!("{what}; {instead}"))?;
        let key = match (&provider.key_env, &provider.key_file) {
            (_, Some(path)) => {
                let read = file::text(&self.root.join(path), KEY_BYTES_MAX);
                let text =
                    read.map_err(|error| format!("the key of {name} is to be in {path}: {}", file::words(&error)))?;
                Some(Some(text.trim().to_owned()).filter(|text| !text.is_empty()).ok_or(format!("{path} is empty"))?)
            }
            (Some(variable), None) => {
                let key = self.secret(variable).map(str::to_owned);
                Some(key.ok_or_else(|| format!("{model} needs a key: set {variable}, or rehearse with --rehearse"))?)
            }
            (None, None) => None,
        };
        Ok(Endpoint {
            dialect: provider.dialect,
            base_url: provider.base_url.clone(),
            key: key.as_deref().map(Key::new),
            omits: provider.omits.clone(),
            manner: self.models.manner(model),
        })
    }
}
