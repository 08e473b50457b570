//! What a check finds, as it goes through a text.

use super::super::super::check::{Finding, Level};

/// What one check found so far.
pub(in crate::tool) struct Found {
    check: String,
    pub(in crate::tool) all: Vec<Finding>,
}

impl Found {
    /// Nothing, of a check of this name.
    pub(in crate::tool) fn of(check: &str) -> Self {
        Self { check: check.to_owned(), all: Vec::new() }
    }

    pub(in crate::tool) fn must(&mut self, rule: &str, at: &str, what: impl Into<String>) {
        self.add(Level::Must, rule, at, what.into());
    }

    pub(in crate::tool) fn should(&mut self, rule: &str, at: &str, what: impl Into<String>) {
        self.add(Level::Should, rule, at, what.into());
    }

    pub(in crate::tool) fn add(&mut self, level: Level, rule: &str, at: &str, what: String) {
        let finding = Finding { level, rule: format!("{}.{rule}", self.check), at: at.to_owned(), what };
        // The same fault twice in one text is one thing to mend.
        if !self.all.contains(&finding) {
            self.all.push(finding);
        }
    }
}
