//! What is wrong with a tool's settings or with what they name, and where in its table that is written.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use crate::topology::code::Code;

/// Names that a suggestion looks through.
const NAMES_MAX: usize = 1_000;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The keys below the tool's table that lead to it.
    pub at: Vec<String>,
    /// Whether it is about the last of these keys, not about its value.
    pub is_key: bool,
    /// Its bytes within the text there; none means all of it.
    pub within: Option<Range<usize>>,
    /// Its kind.
    pub code: Code,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub instead: String,
    /// What was written, and what there is that may have been meant.
    pub known: Option<(String, Vec<String>)>,
    /// Settings to add to the table there, and what is said after them.
    pub settings: Option<(String, String)>,
}

impl Wrong {
    /// What is wrong with the value that `keys` lead to.
    pub fn at(keys: &[&str], code: Code, what: impl Into<String>) -> Self {
        let at = keys.iter().map(|key| (*key).to_owned()).collect();
        Self {
            at,
            is_key: false,
            within: None,
            code,
            what: what.into(),
            instead: String::new(),
            known: None,
            settings: None,
        }
    }

    /// With what to write instead.
    #[must_use]
    pub fn instead(self, instead: impl Into<String>) -> Self {
        Self { instead: instead.into(), ..self }
    }

    /// With what may have been meant by `given`.
    #[must_use]
    pub fn known<'k>(self, given: &str, known: impl IntoIterator<Item = &'k str>) -> Self {
        let known = known.into_iter().map(str::to_owned).collect();
        Self { known: Some((given.to_owned(), known)), ..self }
    }

    /// With the names beside `path`, a path below `root` that is not there.
    #[must_use]
    pub fn near(self, root: &Path, path: &str) -> Self {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten().take(NAMES_MAX);
        let names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        self.known(name, names.iter().map(String::as_str))
    }
}

/// The sentence without its place.
impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if self.instead.is_empty() { Ok(()) } else { write!(f, "; {}", self.instead) }
    }
}
