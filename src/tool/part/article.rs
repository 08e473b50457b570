//! A text file as its readers see it: without a byte-order mark, with plain line ends, its front matter set apart.

use super::args::{invalid, quoted};
use crate::failure::Failure;

/// A text and what is said of it before it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Article {
    /// What readers see.
    pub text: String,
    /// What stood before it between marks, for programs.
    pub front_matter: Option<Front>,
}

/// Front matter: YAML between `---`, or TOML between `+++`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Front {
    /// Its lines, without the marks.
    pub text: String,
    /// Its title, which is often written nowhere else.
    pub title: Option<String>,
}

impl Article {
    /// Its title: the one that is said before it begins, or else its first heading of the first rank.
    pub fn title(&self) -> Option<String> {
        let heading =
            || self.text.lines().find_map(|line| line.strip_prefix("# ")).map(|title| title.trim().to_owned());
        let said = self.front_matter.as_ref().and_then(|front| front.title.clone());
        said.or_else(heading).filter(|title| !title.is_empty())
    }
}

/// The article in the bytes of the file `path`.
///
/// # Errors
/// [`Class::Invalid`](crate::failure::Class::Invalid) if they are no text.
pub fn read(path: &str, bytes: Vec<u8>) -> Result<Article, Failure> {
    let text = String::from_utf8(bytes).map_err(|_| invalid(format!("{} is not UTF-8 text", quoted(path))))?;
    if let Some(at) = text.find('\0') {
        return Err(invalid(format!("{} is no text: there is a NUL at byte {at}", quoted(path))));
    }
    let text = text.trim_start_matches('\u{FEFF}').replace("\r\n", "\n").replace('\r', "\n");
    Ok(match parted(&text) {
        Some((front, rest)) => Article {
            text: rest.trim_start_matches('\n').to_owned(),
            front_matter: Some(Front { text: front.to_owned(), title: title(front) }),
        },
        None => Article { text, front_matter: None },
    })
}

/// The front matter and what follows it. A line of dashes alone is a rule, so there must be something that it says.
fn parted(text: &str) -> Option<(&str, &str)> {
    let (first, rest) = text.split_once('\n')?;
    let mark = Some(first.trim_end()).filter(|mark| matches!(*mark, "---" | "+++"))?;
    let sign = if mark == "---" { ':' } else { '=' };
    let mut from = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == mark || (mark == "---" && line.trim_end() == "...") {
            let front = rest[..from].trim_end();
            return front.contains(sign).then_some((front, &rest[from + line.len()..]));
        }
        from += line.len();
    }
    None
}

fn title(front: &str) -> Option<String> {
    let mut values = front.lines().filter_map(|line| line.strip_prefix("title")?.trim_start().strip_prefix([':', '=']));
    let title = values.next()?.trim().trim_matches(['"', '\'']).trim();
    (!title.is_empty()).then(|| title.to_owned())
}
