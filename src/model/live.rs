//! Models of providers: an `Ask` becomes a conversation, goes over the wire once, and comes back as an act.

use std::sync::OnceLock;

use super::breaker::{Breakers, Now};
use super::wire::{Endpoint, Limits, Wire};
use super::{Ask, Model, Reply, conversation, reading};
use crate::failure::{Class, Failure, Work};
use crate::topology::manner::Wait;
use crate::topology::plan::{ModelSpec, provider_and_name};

/// Where a model is, with its key, read when it is needed; or why it cannot be reached.
pub type Endpoints = Box<dyn Fn(&str) -> Result<Endpoint, String> + Send + Sync>;

/// The models of all providers.
pub struct Live {
    endpoints: Endpoints,
    /// Made at the first call: it reads the machine's certificates.
    wire: OnceLock<Result<Wire, String>>,
    breakers: Breakers,
}

impl Live {
    /// Models where `endpoints` says that they are.
    pub fn new(now: Now, endpoints: Endpoints) -> Self {
        Self { endpoints, wire: OnceLock::new(), breakers: Breakers::new(now) }
    }

    async fn speak(&self, ask: &Ask) -> Result<Reply, Failure> {
        let unknown = || Failure::new(Class::Bug, format!("the plan has no model {}", ask.model)).unpaid();
        let ModelSpec { model, manner, .. } = ask.plan.models.get(&ask.model).ok_or_else(unknown)?;
        let permanent = |why: &String| Failure::new(Class::Permanent, why.clone()).unpaid();
        let mut endpoint = (self.endpoints)(model).map_err(|why| permanent(&why))?;
        // Where it is and its key are read when they are used; how it is asked is the run's.
        manner.iter().for_each(|pinned| endpoint.manner.clone_from(pinned));
        let wire = self.wire.get_or_init(|| Wire::new(Limits::default())).as_ref().map_err(permanent)?;
        let prompt = conversation::prompt(ask)?;
        let name = provider_and_name(model).map_or(model.as_str(), |(_, name)| name);
        self.breakers.open(model)?;
        let heard = wire.patient(ask.patience).say(&endpoint, name, &prompt, ask.pulse.0.as_ref()).await;
        self.breakers.tell(model, heard.as_ref().err().map(|failure| failure.class));
        let heard = heard.map_err(|failure| advised(ask, failure))?;
        Ok(reading::reply(ask, heard.spoken, heard.usage))
    }
}

/// A failure that says what to do about it, where that is a limit of ours.
fn advised(ask: &Ask, failure: Failure) -> Failure {
    if !failure.silent {
        return failure;
    }
    let advice = ask.plan.raise_advice(&ask.agent, &ask.model, Wait::Idle, ask.patience.idle_ms);
    Failure { reason: format!("{}; {advice}", failure.reason), ..failure }
}

impl Model for Live {
    fn reply<'a>(&'a self, ask: &'a Ask) -> Work<'a, Reply> {
        Box::pin(self.speak(ask))
    }
}
