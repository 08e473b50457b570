//! The resources that a server lists, as they are looked at: bounded, and without what cannot be asked for.

use std::collections::BTreeSet;

use rmcp::model::{Resource, ResourceTemplate};
use serde_json::{Map, Value, json};

use super::content::{listed, said};
use super::uris::unusable;

/// Most resources, and most templates, of one server.
pub(super) const RESOURCES_MAX: usize = 5_000;
/// Most bytes of the whole list, as JSON.
pub(super) const SHELF_BYTES_MAX: usize = 4 << 20;
/// Longest template that is shown.
const TEMPLATE_BYTES_MAX: usize = 2_000;

/// What a server has.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    /// Its resources in their order, each with its `uri`, its `name` and what else the server says of it.
    pub resources: Vec<Map<String, Value>>,
    /// Templates of addresses, each with its `uri` and what the server says of it.
    pub templates: Vec<Map<String, Value>>,
    /// How many it lists that have no address to be asked for, or that of another.
    pub left_out: usize,
}

impl Shelf {
    /// Takes what a server lists.
    pub(super) fn of(resources: Vec<Resource>, templates: Vec<ResourceTemplate>) -> Self {
        let (mut shelf, mut known) = (Self::default(), BTreeSet::new());
        for resource in resources {
            if unusable(&resource.uri).is_some() || !known.insert(resource.uri.clone()) {
                shelf.left_out += 1;
            } else {
                shelf.resources.push(listed(&resource));
            }
        }
        for template in templates {
            let uri = &template.uri_template;
            let is_usable =
                uri.len() <= TEMPLATE_BYTES_MAX && !uri.chars().any(|c| c.is_control() || c.is_whitespace());
            if !is_usable || uri.is_empty() {
                shelf.left_out += 1;
                continue;
            }
            let texts = [("name", Some(&template.name)), ("description", template.description.as_ref())];
            let texts = texts.into_iter().chain([("media_type", template.mime_type.as_ref())]);
            let mut told: Map<String, Value> =
                texts.filter_map(|(key, text)| Some((key.to_owned(), json!(said(text?))))).collect();
            told.insert("uri".to_owned(), json!(uri));
            shelf.templates.push(told);
        }
        shelf
    }
}
