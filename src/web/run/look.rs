//! What a view of a run is drawn of.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::super::person::Person;
use super::super::site::Site;
use crate::id::MessageId;
use crate::run::event::Limit;
use crate::service::overview::Overview;
use crate::service::reading::Reading;
use crate::words;

/// What a view is asked for in its address.
pub(super) type Asked = BTreeMap<String, String>;

/// What a view is drawn of.
pub(super) struct Look<'l> {
    pub(super) site: &'l Site,
    pub(super) person: &'l Person,
    pub(super) run: &'l Reading,
    pub(super) at_a_glance: &'l Overview,
    pub(super) asked: &'l Asked,
}

impl Look<'_> {
    /// A button that says one thing to the run, of one of its messages if that is given.
    pub(super) fn button(&self, what: &str, message: Option<MessageId>, label: &str, class: &str) -> Markup {
        html! {
            form method="post" action=(format!("/runs/{}/say", self.at_a_glance.run)) {
                (self.person.key())
                input type="hidden" name="what" value=(what);
                @if let Some(message) = message { input type="hidden" name="message" value=(message); }
                button class=(format!("button {class}")) { (label) }
            }
        }
    }
}

/// What a limit is called at the beginning of a row.
pub(super) fn limit_word(of: Limit, would_cost: bool) -> String {
    let word = words::limit(of, would_cost);
    word[..1].to_uppercase() + &word[1..]
}
