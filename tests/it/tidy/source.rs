//! Rust files as the house rules read them: which there are, and what of their text is code.

use std::path::{Path, PathBuf};

/// A Rust file of the repository.
pub(super) struct File {
    /// From the repository's root, with `/`.
    pub(super) name: String,
    /// As it is.
    pub(super) text: String,
    /// Without comments, contents of strings and its own tests; each line in its place.
    pub(super) code: String,
}

impl File {
    /// `core/src/run/decide/mod.rs` is `["run", "decide"]`; the roots of the crate have none.
    pub(super) fn module_path(&self) -> Vec<&str> {
        let inner = self
            .name
            .trim_start_matches("core/")
            .trim_start_matches("src/")
            .trim_end_matches(".rs")
            .trim_end_matches("/mod");
        if matches!(inner, "lib" | "main") { Vec::new() } else { inner.split('/').collect() }
    }
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

pub(super) fn rust_files(folders: &[&str]) -> Vec<File> {
    let mut paths = Vec::new();
    folders.iter().for_each(|folder| collect(&root().join(folder), &mut paths));
    paths.sort();
    assert!(!paths.is_empty(), "no Rust file below {folders:?}: this test looks in the wrong place");
    let file = |path: PathBuf| {
        let inner = path.strip_prefix(root()).unwrap().components();
        let name = inner.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
        let text = std::fs::read_to_string(&path).unwrap();
        let code = without_tests(&blanked(&text, true)).to_owned();
        File { name, text, code }
    };
    paths.into_iter().map(file).collect()
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

pub(super) fn types(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for keyword in ["struct ", "enum ", "trait ", "type "] {
        let starts = code.match_indices(keyword).filter(|(at, _)| is_start(code, *at));
        found.extend(starts.map(|(at, _)| (line_of(code, at), word(&code[at + keyword.len()..]))));
    }
    found
}

/// The lines in which `wanted` stands as a word of its own.
pub(super) fn lines_with(code: &str, wanted: &str) -> Vec<usize> {
    let ends = |at: usize| {
        let open = wanted.ends_with(|c: char| !is_word(c));
        open || !code[at + wanted.len()..].starts_with(is_word)
    };
    let found = code.match_indices(wanted).map(|(at, _)| at).filter(|at| is_start(code, *at) && ends(*at));
    found.map(|at| line_of(code, at)).collect()
}

pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

pub(super) fn is_start(code: &str, at: usize) -> bool {
    !code[..at].ends_with(is_word)
}

pub(super) fn word(text: &str) -> String {
    text.chars().take_while(|c| is_word(*c)).collect()
}

pub(super) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

pub(super) fn without_tests(code: &str) -> &str {
    code.find("#[cfg(test)]\nmod tests {").map_or(code, |at| &code[..at])
}

/// `text` with the contents of strings (and comments, if wanted) blanked; lines stay lines, and a line of a string is
/// not empty.
pub(super) fn blanked(text: &str, comments: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let fresh = !out.ends_with(is_word);
        let (length, kind) = match c {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), Kind::Comment),
            '/' if rest.starts_with("/*") => (rest.find("*/").map_or(rest.len(), |at| at + 2), Kind::Comment),
            '"' => (quoted(rest), Kind::Text),
            'r' if fresh && raw(rest).is_some() => (raw(rest).unwrap_or(1), Kind::Text),
            'b' if fresh && rest[1..].starts_with('r') && raw(&rest[1..]).is_some() => {
                (1 + raw(&rest[1..]).unwrap_or(1), Kind::Text)
            }
            '\'' => (character(rest), Kind::Text),
            _ => (c.len_utf8(), Kind::Code),
        };
        let (piece, after) = rest.split_at(length);
        match kind {
            Kind::Comment if comments => out.extend(piece.chars().map(|c| if c == '\n' { c } else { ' ' })),
            Kind::Text if length > 1 => out.extend(piece.chars().map(|c| if c == '\n' { c } else { '"' })),
            _ => out.push_str(piece),
        }
        rest = after;
    }
    out
}

enum Kind {
    Code,
    Comment,
    Text,
}

/// The length of the string literal at the start.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of the raw string literal at the start, if it is one.
fn raw(text: &str) -> Option<usize> {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    let body = text[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(body.find(&end).map_or(text.len(), |at| 2 + hashes + at + end.len()))
}

/// The length of the character literal at the start; 1 if it is a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let from = at + escaped.len_utf8();
            text[from..].find('\'').map_or(1, |end| from + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}
