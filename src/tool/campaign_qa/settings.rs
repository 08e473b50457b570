//! What people set for the check.

use schemars::JsonSchema;
use serde::Deserialize;

/// What `[checks.campaign_qa]` says.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Hosts that links may lead to, each exactly; with none, no link passes.
    pub link_hosts: Vec<String>,
    /// Merge tags about the recipient; each is written with a fallback.
    pub merge_tags: Vec<String>,
    /// Merge tags that always have a value.
    pub platform_tags: Vec<String>,
    /// Longest subject without a remark.
    pub subject_chars_max: usize,
    /// Numbers that need no source, such as a postcode or a discount that is always given.
    pub numbers_allowed: Vec<f64>,
}

impl Default for Settings {
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            link_hosts: Vec::new(),
            merge_tags: words(&["first_name", "last_name", "company", "city"]),
            platform_tags: words(&["unsubscribe_url", "preferences_url", "view_in_browser_url"]),
            subject_chars_max: 60,
            numbers_allowed: Vec::new(),
        }
    }
}
