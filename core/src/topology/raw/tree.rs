//! A value with the places of all that is in it, so that what is wrong deep in a table is told on its line.

use serde_json::Value;

use crate::topology::fault::{At, Place};
use crate::topology::pointer::keys;

/// A value, and where it and its parts are written.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// The whole of it.
    pub value: Value,
    /// Where it is.
    pub place: Place,
    /// What it consists of: keys with their places, or the indexes of a list.
    pub parts: Vec<(At<String>, Tree)>,
}

impl Tree {
    /// A value that is written nowhere, such as a default.
    pub fn unwritten(value: Value, place: &Place) -> Self {
        Self { value, place: place.clone(), parts: vec![] }
    }

    /// The part under `key`, with the key.
    pub fn part(&self, key: &str) -> Option<&(At<String>, Self)> {
        self.parts.iter().find(|(name, _)| name.value == key)
    }

    /// What `keys` lead to, as far as they lead anywhere.
    pub fn at<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> &Self {
        let mut found = self;
        for key in keys {
            match found.part(key) {
                Some((_, tree)) => found = tree,
                None => break,
            }
        }
        found
    }

    /// What a JSON pointer leads to, as far as it leads anywhere.
    pub fn pointed(&self, pointer: &str) -> &Self {
        let keys: Vec<String> = keys(pointer).collect();
        self.at(keys.iter().map(String::as_str))
    }

    /// Every text in it.
    pub fn texts(&self) -> Vec<At<String>> {
        match &self.value {
            Value::String(text) => vec![At { value: text.clone(), place: self.place.clone() }],
            _ => self.parts.iter().flat_map(|(_, part)| part.texts()).collect(),
        }
    }
}
