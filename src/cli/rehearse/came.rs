//! What a run came to, without what may differ between two runs of the same thing: ids, times, epochs, attempts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::exit::Stop;
use crate::id::Digest;
use crate::run::event::Event;
use crate::run::view::{Texts as _, brief_of};
use crate::service::audit::chain;
use crate::service::project::Project;

/// What a run came to: what is compared, part by part, each as lines with a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Came(Vec<(&'static str, Vec<(String, String)>)>);

impl Came {
    /// What the newest run of the project at `root` came to.
    pub(super) fn of(project: &Project, root: &Path) -> Result<Self, Stop> {
        let row = project.run(None)?;
        let chain = chain(project, Some(row.no), &[]).map_or_else(|error| error.to_string(), |_| "holds".to_owned());
        let mut story = project.story(row)?;
        let texts = story.texts();
        let body = |digest: Digest| texts.value(digest).unwrap_or(Value::Null).to_string();
        let (mut artefacts, mut decisions) = (Vec::new(), Vec::new());
        for news in story.news()? {
            if let Event::VersionWritten(version) = &news.fact.is {
                let name = format!("{} of {}", version.artefact, version.writer);
                artefacts.push((name, body(version.body.digest)));
            }
            if let Event::PersonAnswered { by, outcome, comment, .. } = &news.fact.is {
                decisions.push((by.name.clone(), json!([outcome, body(comment.digest)]).to_string()));
            }
            if let Event::ApprovalDecided { by, decision, comment, .. } = news.fact.is {
                let comment = comment.map(|comment| body(comment.digest));
                decisions.push((by.name, json!([decision, comment]).to_string()));
            }
        }
        let state = story.state();
        let path = story.view.path().into_iter().map(|hop| (hop, String::new())).collect();
        let results = state.results.iter().map(|message| {
            let desk: BTreeMap<_, _> = message
                .desk
                .iter()
                .map(|(name, held)| (name, held.versions().map(&body).collect::<Vec<_>>()))
                .collect();
            (message.outcome.to_string(), json!(desk).to_string())
        });
        let permits = state.permits.values();
        let mut items: Vec<_> =
            permits.map(|permit| (permit.member.to_string(), format!("{} items", permit.used.len()))).collect();
        items.sort();
        let status = vec![(state.status().word().to_owned(), String::new())];
        // What runs side by side is written and decided in any order.
        artefacts.sort();
        decisions.sort();
        let mut files = Vec::new();
        list(root, root, &mut files)?;
        Ok(Self(vec![
            ("status", status),
            ("path", path),
            ("artefacts", artefacts),
            ("decisions", decisions),
            ("what was performed", items),
            ("what reached end", results.collect()),
            ("files", files),
            ("the journal's chain", vec![(chain, String::new())]),
        ]))
    }

    /// The first thing in which `other` differs.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        self.0.iter().zip(&other.0).find_map(|((part, wanted), (_, found))| {
            let longest = wanted.len().max(found.len());
            let nth = (0..longest).find(|nth| wanted.get(*nth) != found.get(*nth))?;
            let (wanted, found) = (wanted.get(nth), found.get(nth));
            Some(format!("{part}: {}", apart(wanted, found)))
        })
    }
}

fn apart(wanted: Option<&(String, String)>, found: Option<&(String, String)>) -> String {
    let shown = |text: &str| brief_of(&Value::from(text));
    match (wanted, found) {
        (Some((name, _)), None) => format!("{} is missing", shown(name)),
        (None, Some((name, _))) => format!("{} is one more", shown(name)),
        (Some((one, _)), Some((other, _))) if one != other => format!("{} in place of {}", shown(other), shown(one)),
        (Some((name, wanted)), Some((_, found))) => {
            let same = wanted.chars().zip(found.chars()).take_while(|(one, other)| one == other).count();
            let from = |text: &str| shown(&text.chars().skip(same.saturating_sub(20)).collect::<String>());
            format!("{}: {} in place of {}", shown(name), from(found), from(wanted))
        }
        (None, None) => String::new(),
    }
}

/// The files below `folder` by name, without hidden ones.
fn list(root: &Path, folder: &Path, into: &mut Vec<(String, String)>) -> Result<(), Stop> {
    let mut paths: Vec<_> = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    paths.sort_by_key(fs::DirEntry::file_name);
    for entry in paths {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if name.starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            list(root, &path, into)?;
        } else {
            let inner = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            into.push((inner, plain(&name, &fs::read(&path)?)));
        }
    }
    Ok(())
}

/// A file's content without what is its run's own.
pub(super) fn plain(name: &str, bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    match extension {
        Some("eml") => {
            let own = |line: &&str| {
                let lower = line.to_ascii_lowercase();
                lower.starts_with("date:")
                    || lower.starts_with("message-id:")
                    || lower.contains("boundary=")
                    || lower.starts_with("--")
            };
            text.lines().filter(|line| !own(line)).collect::<Vec<_>>().join("\n")
        }
        Some("jsonl") => {
            let mut lines: Vec<String> = text.lines().map(without_own).collect();
            lines.sort();
            lines.join("\n")
        }
        _ if std::str::from_utf8(bytes).is_ok() && bytes.len() < 1 << 16 => text.into_owned(),
        _ => format!("{} bytes, {}", bytes.len(), Digest::of("callsheet rehearse file 1", &[bytes])),
    }
}

/// A line of a sink's record without the keys that no other run's has.
fn without_own(line: &str) -> String {
    match serde_json::from_str(line) {
        Ok(Value::Object(mut map)) => {
            map.remove("effect");
            map.remove("journal");
            Value::Object(map).to_string()
        }
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(file: &str, content: &str) -> Came {
        let files = vec![(file.to_owned(), plain(file, content.as_bytes()))];
        Came(vec![("status", vec![("done".to_owned(), String::new())]), ("files", files)])
    }

    #[test]
    fn a_planted_difference_is_seen_and_what_is_the_runs_own_is_not() {
        let mail =
            "Date: one\r\nMessage-ID: <a>\r\nContent-Type: multipart/alternative;\r\n boundary=\"a\"\r\n\r\n--a\r\nHi";
        let again = mail.replace("Date: one", "Date: two").replace("<a>", "<b>").replace("--a", "--b");
        let cases = [
            ("a.eml", mail, again.as_str(), None),
            ("a.eml", mail, "Hi", Some("a.eml")),
            ("a.txt", "Date: one", "Date: two", Some("Date: two in place of Date: one")),
            ("r.jsonl", "{\"effect\":1,\"key\":2}", "{\"effect\":3,\"key\":2}", None),
            ("r.jsonl", "{\"journal\":1,\"key\":2}", "{\"journal\":3,\"key\":2}", None),
            (
                "r.jsonl",
                "{\"effect\":1,\"key\":2}",
                "{\"effect\":3,\"key\":2}\n{\"effect\":3,\"key\":2}",
                Some("r.jsonl"),
            ),
        ];
        for (file, one, other, wanted) in cases {
            let found = came(file, one).difference(&came(file, other));
            match wanted {
                None => assert_eq!(found, None, "{file}"),
                Some(wanted) => assert!(found.as_ref().is_some_and(|found| found.contains(wanted)), "{found:?}"),
            }
        }
        let missing = came("a.txt", "x").difference(&came("b.txt", "x"));
        assert_eq!(missing.as_deref(), Some("files: b.txt in place of a.txt"));
    }
}
