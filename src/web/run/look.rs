//! What a view of a run is drawn of.

use std::collections::BTreeMap;

use super::super::person::Person;
use super::super::site::Site;
use crate::run::event::Limit;
use crate::service::overview::Overview;
use crate::service::reading::Reading;

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

/// What a limit is called; `would_cost` where no model runs.
pub(super) fn limit_word(of: Limit, would_cost: bool) -> &'static str {
    match of {
        Limit::Steps => "Steps",
        Limit::Tokens => "Tokens",
        Limit::Cost if would_cost => "Would cost",
        Limit::Cost => "Cost",
        Limit::ActiveTime => "Active time",
        Limit::Recipients => "Recipients",
        Limit::Turns => "Turns",
        Limit::StepsPerTurn => "Steps per turn",
    }
}
