//! Requests that fire triggers. Each is signed with a key that the file names and does not hold, over its time, its id and its exact
//! bytes: nobody else fires it, and nobody fires it again with what they overheard.

use serde_json::Value;

use super::fire::{Due, Fate, Triggers};
use super::given::Came;
use crate::service::error::Error;
use crate::service::start::Voice;
use crate::tool::part::hook::is_signed;
use crate::topology::check;
use crate::topology::spec::Labels;
use crate::topology::trigger::When;

/// The most bytes of a body.
pub const BODY_BYTES_MAX: usize = 64 << 10;

/// How far the time of a request may be off.
const OFF_MS_MAX: u64 = 300_000;

/// The longest id of a delivery.
const ID_BYTES_MAX: usize = 128;

/// What was posted.
#[derive(Debug, Clone, Default)]
pub struct Delivery {
    /// What tells it from others: the same again fires nothing again.
    pub id: String,
    /// When it was signed, in seconds since 1970.
    pub at: String,
    /// `sha256=` and the HMAC in hexadecimal digits, over time, `.`, id, `.` and body.
    pub signature: String,
    /// The body.
    pub body: Vec<u8>,
}

/// Why a request fires nothing.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is no such trigger, its key is not set, or this is not signed with it.
    #[error("no trigger of this name takes a request that is signed like this")]
    Unsigned,
    /// It is too old, or from the future.
    #[error("the request is more than five minutes old or early: sign it anew, by a clock that is right")]
    Old,
    /// Something of it cannot be read, or gives no value.
    #[error("{0}")]
    Body(String),
    /// It is too long.
    #[error("the body has more than {BODY_BYTES_MAX} bytes")]
    Long,
    /// The journal says no.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Triggers {
    /// What a request to fire the trigger `name` of `topology` comes to.
    ///
    /// # Errors
    /// If it is not to be heard.
    pub async fn deliver(&self, topology: &str, name: &str, delivery: Delivery) -> Result<Fate, Refused> {
        let declared = {
            let (project, topology) = (self.project().clone(), topology.to_owned());
            let declared = move || {
                // Only what is a topology of the project is read.
                match project.topologies().contains(&topology) {
                    true => check::triggers(&topology, &project.settings.folder()).0,
                    false => Vec::new(),
                }
            };
            tokio::task::spawn_blocking(declared).await.unwrap_or_default()
        };
        let trigger = declared.iter().find(|trigger| trigger.name == name).ok_or(Refused::Unsigned)?;
        let When::Webhook { key_env } = &trigger.when else { return Err(Refused::Unsigned) };
        let Some(key) = self.project().settings.secret(key_env) else {
            tracing::error!(trigger = super::fire::id(topology, name), "a request came, and {key_env} is not set");
            return Err(Refused::Unsigned);
        };
        let Delivery { id, at, signature, body } = delivery;
        let parts = [at.as_bytes(), b".", id.as_bytes(), b".", body.as_slice()];
        if !is_signed(key, &parts, &signature) {
            return Err(Refused::Unsigned);
        }
        let now = self.now();
        let seconds = at.parse::<i64>().map_err(|_| Refused::Old)?;
        if now.0.abs_diff(seconds.saturating_mul(1_000)) > OFF_MS_MAX {
            return Err(Refused::Old);
        }
        if id.is_empty() || id.len() > ID_BYTES_MAX || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            let why = format!("the id of a delivery has 1 to {ID_BYTES_MAX} letters, digits or signs of ASCII");
            return Err(Refused::Body(why));
        }
        if body.len() > BODY_BYTES_MAX {
            return Err(Refused::Long);
        }
        let document: Value = serde_json::from_slice(&body)
            .map_err(|error| Refused::Body(format!("the body is no JSON, at line {}", error.line())))?;
        // Whoever has the key may hand on what others wrote.
        let otherwise = Labels { untrusted: true, private: false };
        let came = Came { document, otherwise, ..Came::default() };
        let why = format!("delivery {id}");
        let due = Due { topology, trigger, key: id, at: now, why, voice: Voice::Named };
        match self.fire(&due, move || Ok(came)).await? {
            Some(Fate::Unfit(why)) => Err(Refused::Body(why)),
            Some(fate) => Ok(fate),
            None => Ok(self.settled(&due).await?),
        }
    }
}
