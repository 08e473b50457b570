//! What has to hold of any bytes: one function a target. `tests/it/fuzz.rs` holds the committed corpora against the same
//! functions, so that what a search once found stays found.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use callsheet::actor::history::read_fact;
use callsheet::app;
use callsheet::config::{Flags, Settings};
use callsheet::id::RunId;
use callsheet::model::wire::{Kind, Limits, heard};
use callsheet::run::event::Fact;
use callsheet::run::fold::Illegal;
use callsheet::run::invariant::holds;
use callsheet::run::state::State;
use callsheet::topology::check::{Files, ReadError, Surroundings, check};
use callsheet::topology::plan::{Dialect, Mode, Plan};
use callsheet::topology::raw::{project, walk};

/// The shipped project: what an input does not replace is read from it.
static SHIPPED: LazyLock<(BTreeMap<String, Vec<u8>>, Surroundings)> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = if root.join("topologies").is_dir() { root } else { root.parent().expect("a folder above") };
    let mut files = BTreeMap::new();
    for folder in ["agents", "rehearsals", "schemas", "topologies"] {
        for entry in root.join(folder).read_dir().expect("a folder").map(|entry| entry.expect("an entry")) {
            let name = entry.file_name().into_string().expect("a plain name");
            files.insert(format!("{folder}/{name}"), std::fs::read(entry.path()).expect("a file"));
        }
    }
    let settings = Settings::read(&Flags::default(), root, BTreeMap::new()).expect("settings");
    (files, app::surroundings(&settings, Mode::Rehearsal).expect("surroundings"))
});

/// The shipped project with some of its files replaced.
struct Overlay<'b>(BTreeMap<&'b str, &'b [u8]>);

impl<'b> Overlay<'b> {
    /// `bytes` is one file after the other, each below a line `--- PATH`.
    fn new(bytes: &'b [u8]) -> Self {
        let mut files = BTreeMap::new();
        let starts: Vec<usize> = (0..bytes.len())
            .filter(|at| bytes[*at..].starts_with(b"--- ") && (*at == 0 || bytes[at - 1] == b'\n'))
            .collect();
        for (nth, start) in starts.iter().enumerate() {
            let whole = &bytes[start + 4..starts.get(nth + 1).copied().unwrap_or(bytes.len())];
            let end = whole.iter().position(|byte| *byte == b'\n').unwrap_or(whole.len());
            if let Ok(path) = std::str::from_utf8(&whole[..end]) {
                files.insert(path, whole.get(end + 1..).unwrap_or_default());
            }
        }
        Self(files)
    }
}

impl Files for Overlay<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let own = self.0.get(path).map(|bytes| bytes.to_vec());
        own.or_else(|| SHIPPED.0.get(path).cloned()).ok_or(ReadError::Missing)
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let below = |path: &str| path.strip_prefix(folder)?.strip_prefix('/').map(str::to_owned);
        self.0.keys().copied().chain(SHIPPED.0.keys().map(String::as_str)).filter_map(below).collect()
    }
}

/// Any bytes as files of a project: a plan that survives being written down, or faults that can be told.
pub fn topology(bytes: &[u8]) {
    let files = Overlay::new(bytes);
    if let Some(text) = files.0.get("callsheet.toml")
        && let Ok(text) = walk::text("callsheet.toml", text.to_vec())
    {
        project::read(&Arc::from("callsheet.toml"), &text);
    }
    for name in ["re-engagement", "content-repurposing"] {
        match check(name, &files, &SHIPPED.1) {
            Ok(checked) => {
                let json = serde_json::to_vec(&checked.plan).expect("a plan is JSON");
                let again: Plan = serde_json::from_slice(&json).expect("its JSON is a plan");
                assert_eq!(again, checked.plan);
                assert_eq!(serde_json::to_vec(&again).expect("a plan is JSON"), json, "its digest would change");
            }
            Err(faults) => {
                assert!(!faults.render(true).is_empty());
                faults.iter().for_each(|fault| assert!(faults.position(fault) >= (1, 1)));
            }
        }
    }
}

/// The plan of a golden journal.
static PLAN: LazyLock<Arc<Plan>> = LazyLock::new(|| {
    let golden = include_bytes!("../../tests/cases/golden/content-repurposing.json");
    let golden: serde_json::Value = serde_json::from_slice(golden).expect("JSON");
    Arc::new(serde_json::from_value(golden["plan"].clone()).expect("a plan"))
});

/// Any lines as the records of a run: each is an event or refused with a sentence, and what is an event comes to the
/// same state when it is written down and read again.
pub fn record(bytes: &[u8]) {
    let facts: Vec<Fact> = bytes.split(|byte| *byte == b'\n').filter_map(|line| read_fact(line).ok()).collect();
    let again = facts.iter().map(|fact| read_fact(&serde_json::to_vec(fact).expect("a fact is JSON")));
    let again: Vec<Fact> = again.collect::<Result<_, _>>().expect("its JSON is a fact");
    assert_eq!(facts, again);
    assert_eq!(fold(&facts), fold(&again));
}

fn fold(facts: &[Fact]) -> Result<State, Illegal> {
    let mut state = State::new(RunId(uuid::Uuid::nil()), Arc::clone(&PLAN));
    facts.iter().try_for_each(|fact| state.apply(fact))?;
    // Whoever folds looks next; what is wrong is said, and nothing is too much for an integer.
    let _ = (holds(&state), state.status(), state.outstanding(), state.wake_at(), state.due_at());
    Ok(state)
}

/// Any bytes as the body of a provider's answer: a reply or a failure of a class, and the same one however it is cut up.
/// The first byte chooses the dialect, and whether it is a stream.
pub fn reply(bytes: &[u8]) {
    let Some((first, body)) = bytes.split_first() else { return };
    let dialect = [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini][usize::from(*first % 3)];
    let kind = if *first & 0x80 == 0 { Kind::Events } else { Kind::Document };
    let limits = Limits { reply_bytes_max: 1 << 12, event_bytes_max: 1 << 10, calls_max: 4, ..Limits::default() };
    let whole = heard(dialect, kind, &limits, [body]);
    assert_eq!(whole, heard(dialect, kind, &limits, body.chunks(1)), "cut at every byte");
    if let Ok(heard) = whole {
        let calls = heard.spoken.calls.len() as u64;
        assert!(calls <= limits.calls_max && heard.spoken.text.len() as u64 <= limits.reply_bytes_max);
    }
}
