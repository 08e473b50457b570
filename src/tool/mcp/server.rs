//! A server as people look at it: what it lists now, beside what was accepted.

use std::collections::BTreeMap;

use super::config::{Config, Given};
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
    /// The tools that the file gives to agents, by their names here.
    pub given: BTreeMap<String, Given>,
}

/// What a server lists now.
pub type Seen = Accepted;

impl Server {
    /// The server of `[tools.name]`.
    ///
    /// # Errors
    /// If the table contradicts itself.
    pub fn new(config: &Config, name: &str, ground: &Ground<'_>) -> Result<Self, Error> {
        let (place, accepted) = (config.place(name, ground)?, lock::accepted(ground.root, name));
        Ok(Self { place, accepted, given: config.tools.clone() })
    }

    /// The tool that the server calls `of`, as the file gives it to agents: its name here, and what is said of it.
    pub fn given(&self, of: &str) -> Option<(&str, &Given)> {
        let mut given = self.given.iter().map(|(verb, given)| (verb.as_str(), given));
        given.find(|(verb, given)| given.name_at_server(verb) == of)
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
