//! The models that make vectors, at the project's providers. Nothing is connected to before the first call.

use std::sync::OnceLock;

use crate::config::Settings;
use crate::failure::{Class, Failure, Work};
use crate::model::wire::{Limits, Wire};
use crate::tool::embedder::{Embedded, Embedder};
use crate::topology::plan::{Dialect, provider_and_name};

/// The providers of these settings.
pub(super) struct Providers {
    settings: Settings,
    /// Made at the first call: it reads the machine's certificates.
    wire: OnceLock<Result<Wire, String>>,
}

impl Providers {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { settings: settings.clone(), wire: OnceLock::new() }
    }
}

impl Embedder for Providers {
    fn refuses_private(&self, model: &str) -> Result<bool, String> {
        match self.settings.provider_of(model)? {
            (Dialect::Anthropic, _) => {
                Err(format!("the provider of {model:?} speaks Anthropic's dialect, which has no vectors"))
            }
            (_, refuses_private) => Ok(refuses_private),
        }
    }

    fn embed(&self, model: &str, texts: Vec<String>) -> Work<'_, Embedded> {
        let model = model.to_owned();
        Box::pin(async move {
            let permanent = |why: String| Failure::new(Class::Permanent, why);
            let endpoint = self.settings.endpoint(&model).map_err(permanent)?;
            let wire = self.wire.get_or_init(|| Wire::new(Limits::default())).as_ref();
            let wire = wire.map_err(|why| permanent(why.clone()))?;
            let name = provider_and_name(&model).map_or(model.as_str(), |(_, name)| name);
            let came = wire.embed(&endpoint, name, &texts).await?;
            Ok(Embedded { vectors: came.vectors, tokens: came.tokens })
        })
    }
}
