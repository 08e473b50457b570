//! The resources of an MCP server, as `callsheet mcp inspect` shows them, with the lines that give some to agents.

use serde_json::{Map, Value};

use crate::app::mcp::{Server, Shelf};
use crate::cli::accepted::{INDENT, line};
use crate::cli::paint::{self, Safe, out, raw};
use crate::run::view::count;

/// Resources that are shown; a server may have thousands.
const SHOWN_MAX: usize = 20;

/// Prints what a server has to be read, and what of it agents may read.
pub(super) fn resources(name: &str, server: &Server, shelf: &Shelf) {
    let uri = |of: &Map<String, Value>| text(of, "uri").to_owned();
    let row = |of: &Map<String, Value>| {
        let given = if server.gives(text(of, "uri")) { format!("{name}.resource") } else { "-".to_owned() };
        vec![uri(of), text(of, "media_type").to_owned(), given]
    };
    let rows = shelf.resources.iter().take(SHOWN_MAX).map(row);
    out(paint::table(&["resource", "media type", "agents read it with"], rows));
    let more = shelf.resources.len().saturating_sub(SHOWN_MAX);
    if more > 0 {
        line(&format!("and {more} more; --json prints all of them"));
    }
    let template = |of: &Map<String, Value>| line(&format!("and what fits the template {}", text(of, "uri")));
    shelf.templates.iter().take(SHOWN_MAX).for_each(template);
    if shelf.left_out > 0 {
        line(&format!("{} of its list cannot be asked for, or stand there twice", count(shelf.left_out, "line")));
    }
    if !shelf.resources.iter().any(|of| server.gives(text(of, "uri"))) {
        suggest(name, &shelf.resources);
    }
    out("");
}

/// Prints the lines that give resources to agents.
fn suggest(name: &str, resources: &[Map<String, Value>]) {
    line("no agent reads them; in callsheet.toml, after a look at what they are:");
    let pasted = |text: String| raw(format!("{:INDENT$}{text}", ""));
    pasted(format!("[tools.{name}.resources]"));
    pasted(format!("uris = [{}]", Safe(&Value::from(pattern(resources)).to_string())));
    pasted("# or \"inside\", if it stays here".to_owned());
    pasted("reach = \"reads_out\"".to_owned());
}

/// What most addresses begin with, up to where they go on in different ways.
fn pattern(resources: &[Map<String, Value>]) -> String {
    let mut uris = resources.iter().map(|of| text(of, "uri"));
    let Some(first) = uris.next() else { return "docs://guides/*".to_owned() };
    let scheme = &first[..first.find(':').map_or(0, |at| at + 1)];
    let shared = uris.filter(|uri| uri.starts_with(scheme)).fold(first, |shared, uri| {
        let same = shared.char_indices().zip(uri.chars()).find(|((_, a), b)| a != b);
        &shared[..same.map_or(shared.len().min(uri.len()), |((at, _), _)| at)]
    });
    let end = shared.rfind(['/', ':']).map_or(0, |at| at + 1);
    format!("{}*", &shared[..end])
}

fn text<'m>(of: &'m Map<String, Value>, key: &str) -> &'m str {
    of.get(key).and_then(Value::as_str).unwrap_or_default()
}
