//! A server as people look at it: what it lists now, beside what was accepted.

use std::collections::BTreeMap;

use tokio::time::timeout;

use super::broken::Broken;
use super::config::{Config, Given};
use super::lock::{self, Accepted};
use super::place::Place;
use super::session::Session;
use super::shelf::Shelf;
use super::uris::Uris;
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
    uris: Uris,
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
        let uris = match &config.resources {
            Some(given) => Uris::read(&given.uris).map_err(|why| Error::new(name, why).of("resources"))?,
            None => Uris::default(),
        };
        Ok(Self { place, accepted, given: config.tools.clone(), uris })
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
        Ok(self.seen(&session))
    }

    /// The same, and what it has to be read: nothing if it says so itself, or why that cannot be told.
    ///
    /// # Errors
    /// Why it cannot be asked, for people.
    pub async fn see_all(&self) -> Result<(Seen, Result<Option<Shelf>, String>), Failure> {
        let session = Session::open(&self.place).await?;
        let time = self.place.start_timeout;
        let shelf = timeout(time, session.shelf()).await.unwrap_or(Err(Broken::Silent(time)));
        Ok((self.seen(&session), shelf.map_err(|broken| broken.failure(&self.place, "").reason)))
    }

    /// Whether agents may read the resource at `uri`.
    pub fn gives(&self, uri: &str) -> bool {
        self.uris.allow(uri)
    }

    fn seen(&self, session: &Session) -> Seen {
        Seen { from: self.place.from(), server: session.server.clone(), list: session.list.clone() }
    }
}
