//! Values that a tool was given and that nobody sees: no result and no reason holds them.

/// What stands for one of them.
const SHOWN: &str = "[hidden]";
/// Shorter values stand in many texts by chance.
const BYTES_MIN: usize = 8;

/// The values.
#[derive(Clone, Default)]
pub struct Hidden(Vec<String>);

impl Hidden {
    /// Those of `values` that can be told from other text. What every program sees, such as a path, is no secret.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let values = values.into_iter().map(|value| value.trim().to_owned());
        Self(values.filter(|value| value.len() >= BYTES_MIN && !value.starts_with('/')).collect())
    }

    /// Whether `text` holds one of them, as it is or as JSON writes it.
    pub fn is_in(&self, text: &str) -> bool {
        let written = |value: &String| serde_json::json!(value).to_string().trim_matches('"').to_owned();
        self.0.iter().any(|value| text.contains(value) || text.contains(&written(value)))
    }

    /// `text` without them.
    pub fn of(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, value| text.replace(value, SHOWN))
    }
}
