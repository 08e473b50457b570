//! A server as people look at it: what it lists now, beside what was accepted.

use super::config::Config;
use super::lock::{self, Accepted};
use super::place::Place;
use super::session::Session;
use crate::failure::Failure;
use crate::tool::open::Ground;
use crate::tool::part::Error;

/// A server of the project.
pub struct Server {
    place: Place,
    /// What was accepted of it, if anything was; or why that cannot be read.
    pub accepted: Result<Option<Accepted>, String>,
    /// The tools that the file gives to agents: what the server calls each, and its name here.
    pub given: Vec<(String, String)>,
}

/// What a server lists now.
pub type Seen = Accepted;

impl Server {
    /// The server of `[tools.name]`.
    ///
    /// # Errors
    /// If the table contradicts itself.
    pub fn new(config: &Config, name: &str, ground: &Ground<'_>) -> Result<Self, Error> {
        let given =
            config.tools.iter().map(|(verb, given)| (given.name.clone().unwrap_or_else(|| verb.clone()), verb.clone()));
        Ok(Self {
            place: config.place(name, ground)?,
            accepted: lock::accepted(ground.root, name),
            given: given.collect(),
        })
    }

    /// The command or the address.
    pub fn from(&self) -> String {
        self.place.from()
    }

    /// Opens the server and asks for its tools; calls none.
    ///
    /// # Errors
    /// Why it cannot be asked, for people.
    pub async fn see(&self) -> Result<Seen, Failure> {
        let session = Session::open(&self.place).await?;
        Ok(Seen { from: self.place.from(), server: session.server.clone(), list: session.list.clone() })
    }
}
