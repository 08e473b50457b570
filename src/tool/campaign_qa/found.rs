//! What the check finds, as it goes through a text.

use super::super::{Finding, Level};

/// What was found so far.
#[derive(Default)]
pub(super) struct Found(pub(super) Vec<Finding>);

impl Found {
    pub(super) fn must(&mut self, rule: &str, at: &str, what: impl Into<String>) {
        self.add(Level::Must, rule, at, what.into());
    }

    pub(super) fn should(&mut self, rule: &str, at: &str, what: impl Into<String>) {
        self.add(Level::Should, rule, at, what.into());
    }

    fn add(&mut self, level: Level, rule: &str, at: &str, what: String) {
        let finding = Finding { level, rule: format!("campaign_qa.{rule}"), at: at.to_owned(), what };
        // The same fault twice in one text is one thing to mend.
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }
}
