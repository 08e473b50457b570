//! A tool of a server, as it is looked at and called.

use std::sync::Arc;

use serde_json::Value;

use super::answer;
use super::config::Given;
use super::link::Link;
use crate::failure::Work;
use crate::tool::part::args::read;
use crate::tool::{Call, Callable, Declared, Look, Opened, Wrong};
use crate::topology::code::Code;
use crate::topology::spec::ToolSpec;

/// A tool of a server.
pub(super) struct Asked {
    pub(super) spec: ToolSpec,
    /// What the file calls it.
    pub(super) verb: String,
    /// What the file says of it.
    pub(super) given: Given,
    pub(super) link: Arc<Link>,
    /// It tells what is wrong with its server, for all of its tools.
    pub(super) is_first: bool,
}

impl Asked {
    /// What the server calls it.
    pub(super) fn of(&self) -> &str {
        self.given.name_at_server(&self.verb)
    }
}

impl Declared for Asked {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn look(&self) -> Look {
        let of = self.of();
        let wrong = match self.link.accepted() {
            Err(why) => self.is_first.then(|| Wrong::at(&[self.link.place.key()], Code::Unaccepted, why)),
            Ok(accepted) if accepted.list.get(of).is_none() => {
                let what = format!("{} lists no tool {of:?}", accepted.server);
                let known: Vec<&str> = accepted.list.names().collect();
                let wrong = Wrong::at(&["tools", &self.verb], Code::Unaccepted, what);
                Some(wrong.instead(format!("it lists {}", known.join(", "))).known(of, known))
            }
            Ok(accepted) => self.given.wrong(&self.verb, of, accepted.list.get(of)),
        };
        Look { facts: Vec::new(), faults: wrong.into_iter().collect() }
    }

    fn unset(&self) -> Vec<String> {
        self.link.place.unset()
    }

    fn open(&self) -> Option<Work<'_, Opened>> {
        // That nothing is accepted is told by a look.
        (self.is_first && self.link.accepted().is_ok()).then(|| -> Work<'_, Opened> {
            Box::pin(async {
                let session = self.link.session().await?;
                let tools = session.list.names().count();
                Ok(format!("{} answers, and lists the {tools} tools that were accepted", session.server).into())
            })
        })
    }
}

impl Callable for Asked {
    fn call(&self, call: Call) -> Work<'_, Value> {
        Box::pin(async move {
            let arguments = read(self.spec.name.as_str(), call.args)?;
            let session = self.link.session().await?;
            let place = &self.link.place;
            let result = session.call(self.of(), arguments).await.map_err(|broken| broken.failure(place, ""))?;
            answer::read(result, place)
        })
    }
}
