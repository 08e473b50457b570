//! Every reply of `tests/cases/replies`, as it is; and the whole ones of them cut after every byte and in chunks of one.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use callsheet::failure::{Class, Failure, Usage};
use callsheet::model::prompt::{Spoken, SpokenCall};
use callsheet::model::wire::{Heard, Wire};
use callsheet::topology::plan::Dialect;
use serde::Deserialize;
use serde_json::Value;

use super::server::{Framing, Played, Then, framed, serve};
use super::{CANARY, DIALECTS, endpoint, limits, say};

/// Replies that are at least there.
const CASES_MIN: usize = 400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

/// One answer of a server, and what must come of it.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What it is.
    name: String,
    /// Status and phrase.
    #[serde(default = "ok")]
    status: String,
    /// Its content type; empty for none. An answer that is not 200 is JSON by default, the others are streams.
    kind: Option<String>,
    /// Further headers.
    #[serde(default)]
    headers: Vec<String>,
    /// How the body is framed.
    framing: Option<String>,
    /// The body as it is.
    body: Option<String>,
    /// The body as hexadecimal digits.
    hex: Option<String>,
    /// Or the data of its events.
    #[serde(default)]
    events: Vec<String>,
    /// Or the whole answer, status line and all; the connection is closed after it.
    raw: Option<String>,
    /// Then the class of the failure, what its reason says, and the rest of it.
    class: Option<Class>,
    #[serde(default)]
    says: Vec<String>,
    #[serde(default)]
    too_long: bool,
    #[serde(default)]
    lost: bool,
    retry_after_ms: Option<u64>,
    /// Or the reply.
    #[serde(default)]
    text: String,
    /// Id, name, and the arguments: JSON, or after a `!` the text that is none.
    #[serde(default)]
    calls: Vec<(String, String, String)>,
    signature: Option<String>,
    /// What was thought, as JSON.
    reasoning: Option<String>,
    /// In, out, cached, written.
    usage: Option<[u64; 4]>,
    /// Whether it is known that nothing was billed.
    #[serde(default)]
    unpaid: bool,
}

fn ok() -> String {
    "200 OK".to_owned()
}

impl Case {
    fn body(&self) -> Vec<u8> {
        if let Some(hex) = &self.hex {
            let digits: Vec<char> = hex.chars().filter(|c| !c.is_whitespace()).collect();
            let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
            return digits.chunks(2).map(byte).collect();
        }
        let event = |data: &String| format!("data: {data}\n\n");
        self.body.clone().unwrap_or_else(|| self.events.iter().map(event).collect()).into_bytes()
    }

    fn kind(&self) -> &str {
        let default = if self.status.starts_with("200") { "text/event-stream" } else { "application/json" };
        self.kind.as_deref().unwrap_or(default)
    }

    fn head(&self) -> Vec<String> {
        let kind = Some(self.kind()).filter(|kind| !kind.is_empty()).map(|kind| format!("content-type: {kind}"));
        [self.status.clone()].into_iter().chain(kind).chain(self.headers.clone()).collect()
    }

    fn played(&self) -> Played {
        if let Some(raw) = &self.raw {
            return Played { bytes: raw.clone().into_bytes(), then: Then::Close };
        }
        let framing = match self.framing.as_deref() {
            None | Some("chunk") => Framing::Chunk,
            Some("length") => Framing::Length,
            Some("close") => Framing::Close,
            Some("bytes") => Framing::Bytes,
            Some("broken") => Framing::Broken,
            Some(other) => panic!("{}: no framing is called {other}", self.name),
        };
        framed(&self.head(), &self.body(), framing)
    }

    /// Exactly what must come of it, but for the reason.
    fn expected(&self) -> Result<Heard, Failure> {
        let known = self.usage.map(|[input_tokens, output_tokens, cached_tokens, cache_write_tokens]| Usage {
            input_tokens,
            output_tokens,
            cached_tokens,
            cache_write_tokens,
        });
        let usage = if self.unpaid { Some(Usage::NOTHING) } else { known };
        if let Some(class) = self.class {
            let (too_long, lost, retry_after_ms) = (self.too_long, self.lost, self.retry_after_ms);
            return Err(Failure {
                class,
                reason: String::new(),
                retry_after_ms,
                usage,
                too_long,
                lost,
                silent: false,
                drifted: false,
                about: None,
            });
        }
        let call = |(id, name, args): &(String, String, String)| SpokenCall {
            id: id.clone(),
            name: name.clone(),
            args: match args.strip_prefix('!') {
                Some(text) => Err(text.to_owned()),
                None => Ok(serde_json::from_str::<Value>(args).unwrap()),
            },
        };
        let calls = self.calls.iter().map(call).collect();
        Ok(Heard {
            spoken: Spoken {
                text: self.text.clone(),
                calls,
                signature: self.signature.clone(),
                reasoning: self.reasoning.as_deref().map(|json| serde_json::from_str(json).unwrap()),
            },
            usage,
        })
    }

    /// What is wrong with what came of it.
    fn fault(&self, came: &Result<Heard, Failure>) -> Option<String> {
        let reason = came.as_ref().err().map_or("", |failure| failure.reason.as_str());
        let bare = came.clone().map_err(|failure| Failure { reason: String::new(), ..failure });
        let expected = self.expected();
        if bare != expected {
            return Some(format!("{}\n  came {came:?}\n  not  {expected:?}", self.name));
        }
        if came.is_err() && format!("{came:?}").contains(CANARY) {
            return Some(format!("{}\n  tells the key: {came:?}", self.name));
        }
        let missing: Vec<_> = self.says.iter().filter(|words| !reason.contains(*words)).collect();
        let long = reason.chars().count() > 450 || reason.contains(|c: char| c.is_control());
        (!missing.is_empty() || long).then(|| format!("{}\n  says {reason:?}\n  not  {missing:?}", self.name))
    }
}

/// All cases of a dialect, with those of any dialect.
fn cases(dialect: &str) -> Vec<Case> {
    ["any", dialect].into_iter().flat_map(below).collect()
}

fn below(dialect: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/replies").join(dialect);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let file = |path| match toml::from_str::<File>(&std::fs::read_to_string(&path).unwrap()) {
        Ok(file) => file.case,
        Err(error) => panic!("{path:?}: {error}"),
    };
    paths.into_iter().flat_map(file).collect()
}

/// Asks a server that answers request N with `played(N)`, `count` times, 16 at once; returns what came of each.
async fn replies(
    dialect: Dialect,
    count: usize,
    played: impl Fn(usize) -> Played + Send + Sync + 'static,
) -> Vec<Result<Heard, Failure>> {
    let base = serve(move |asked| played(asked.path().split('/').nth(1).unwrap().parse().unwrap()));
    let wire = Wire::new(limits()).unwrap();
    let gate = Arc::new(tokio::sync::Semaphore::new(16));
    let one = |nth: usize| {
        let (wire, endpoint) = (wire.clone(), endpoint(dialect, format!("{base}/{nth}/v1")));
        let gate = Arc::clone(&gate);
        tokio::spawn(async move {
            let _turn = gate.acquire().await.unwrap();
            say(&wire, &endpoint).await
        })
    };
    let asked: Vec<_> = (0..count).map(one).collect();
    let mut came = Vec::with_capacity(count);
    for asked in asked {
        came.push(asked.await.unwrap());
    }
    came
}

/// Asserts that each case comes to what it says.
async fn check(dialect: &str, cases: Vec<Case>) {
    let (_, spoken) = DIALECTS.into_iter().find(|(name, _)| *name == dialect).unwrap();
    let shared = cases.clone();
    let came = replies(spoken, cases.len(), move |nth| shared[nth].played()).await;
    let faults: Vec<_> = cases.iter().zip(&came).filter_map(|(case, came)| case.fault(came)).collect();
    assert!(faults.is_empty(), "{} of {} replies of {dialect}:\n{}", faults.len(), cases.len(), faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_openai_reply_has_its_outcome() {
    check("openai", cases("openai")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_anthropic_reply_has_its_outcome() {
    check("anthropic", cases("anthropic")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_gemini_reply_has_its_outcome() {
    check("gemini", cases("gemini")).await;
}

#[test]
fn there_are_many_replies_and_no_name_twice() {
    let folders = DIALECTS.iter().map(|(name, _)| *name).chain(["any"]);
    let all: Vec<_> = folders.flat_map(|name| below(name).into_iter().map(move |case| (name, case.name))).collect();
    assert!(all.len() >= CASES_MIN, "{} replies", all.len());
    let names: BTreeSet<_> = all.iter().collect();
    assert_eq!(names.len(), all.len(), "a name is used twice");
}

/// The replies that are whole, which cutting and splitting must not change.
fn whole(dialect: &str) -> Vec<Case> {
    cases(dialect).into_iter().filter(|case| case.class.is_none() && case.raw.is_none()).collect()
}

/// The bytes without which the reply is not whole: its document, or its stream up to the empty line of its last event.
fn needed(case: &Case) -> usize {
    let body = case.body();
    if case.kind().starts_with("application/json") {
        return body.trim_ascii_end().len();
    }
    let text = String::from_utf8_lossy(&body);
    let last = ["[DONE]", "\"message_stop\"", "\"finishReason\""].into_iter().find_map(|word| text.find(word)).unwrap();
    let is_end = |end: &usize| ["\n\n", "\r\r", "\r\n\r"].iter().any(|empty| body[..*end].ends_with(empty.as_bytes()));
    (last..=body.len()).find(is_end).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_in_chunks_of_one_byte_is_the_same_reply() {
    for (dialect, _) in DIALECTS {
        let bytes = |case| Case { framing: Some("bytes".to_owned()), ..case };
        check(dialect, whole(dialect).into_iter().map(bytes).collect()).await;
    }
}

/// Plays each whole reply cut after every `step` bytes, as `framing` says, and asserts that it is never taken for whole.
async fn cuts(dialect: &str, framing: Framing, class: Class, step: usize) -> usize {
    let (_, spoken) = DIALECTS.into_iter().find(|(name, _)| *name == dialect).unwrap();
    let (mut faults, mut count) = (Vec::new(), 0);
    for case in whole(dialect) {
        let (head, body, needed) = (case.head(), case.body(), needed(&case));
        let sizes: Vec<usize> = (0..=body.len()).step_by(step).collect();
        let (played, shared) = (sizes.clone(), body.clone());
        let came = replies(spoken, sizes.len(), move |nth| framed(&head, &shared[..played[nth]], framing)).await;
        count += sizes.len();
        for (size, came) in sizes.into_iter().zip(came) {
            let fault = match &came {
                _ if size >= needed && framing != Framing::Broken => case.fault(&came),
                Ok(heard) if size >= needed => case.fault(&Ok(heard.clone())),
                Err(failure) if failure.class == class => None,
                _ => Some(format!("came {came:?}")),
            };
            faults.extend(fault.map(|fault| format!("{} cut at {size} of {}: {fault}", case.name, body.len())));
        }
    }
    assert!(faults.is_empty(), "{} cuts of {dialect}:\n{}", faults.len(), faults[..faults.len().min(20)].join("\n"));
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_ends_too_early_is_truncated_at_every_byte() {
    for (dialect, _) in DIALECTS {
        let count = cuts(dialect, Framing::Length, Class::Truncated, 1).await;
        assert!(count > 5_000, "only {count} cuts of {dialect}");
    }
}

/// Each takes a connection of its own, so not at every byte.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_within_a_reply_is_transient_wherever() {
    for (dialect, _) in DIALECTS {
        let count = cuts(dialect, Framing::Broken, Class::Transient, 7).await;
        assert!(count > 500, "only {count} cuts of {dialect}");
    }
}
