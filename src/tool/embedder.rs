//! The port for models that make vectors of texts. Who answers it asks a provider, once; whether what is asked may be told
//! there is looked at by whoever asks.

use std::sync::Arc;

use crate::failure::{Class, Failure, Work};

/// What a model makes of texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// One for each text, in their order: finite numbers, all of one length, and a direction.
    pub vectors: Vec<Vec<f32>>,
    /// What the provider counted, if it says.
    pub tokens: Option<u64>,
}

/// Models of providers that make vectors of texts.
pub trait Embedder: Send + Sync {
    /// Whether the provider of `model` may not be told what is private.
    ///
    /// # Errors
    /// A sentence: there is no such provider, or it has no vectors.
    fn refuses_private(&self, model: &str) -> Result<bool, String>;

    /// Asks `model` once.
    fn embed(&self, model: &str, texts: Vec<String>) -> Work<'_, Embedded>;
}

/// No model at all.
pub fn none() -> Arc<dyn Embedder> {
    Arc::new(None)
}

struct None;

impl Embedder for None {
    fn refuses_private(&self, model: &str) -> Result<bool, String> {
        Err(format!("there is no provider for the model {model:?}"))
    }

    fn embed(&self, model: &str, _: Vec<String>) -> Work<'_, Embedded> {
        let failure = Failure::new(Class::Permanent, format!("there is no provider for the model {model:?}"));
        Box::pin(async { Err(failure) })
    }
}
