//! What the models of the shipped teams are asked: every field that a schema requires of one has a source in what it is
//! shown, and twelve requests stand whole in `docs/requests/`, as they are sent. The script speaks, so that each turn comes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use callsheet::failure::Work;
use callsheet::model::conversation::prompt;
use callsheet::model::names::Names;
use callsheet::model::prompt::{Prompt, Said};
use callsheet::model::rehearsal::Rehearsal;
use callsheet::model::{Act, Answer, Ask, Model, Reply};
use callsheet::run::event::Decision;
use callsheet::run::input::Brief;
use callsheet::run::state::Status;
use callsheet::topology::plan::{Dialect, Mode, Plan, Role};
use serde_json::{Value, json};

use crate::support::{Driven, Rig, brief, shipped, who};
use crate::wire::requests::asked;

/// Speaks the script, and keeps what was asked and what came of it.
#[derive(Default)]
struct Kept {
    all: Mutex<Vec<(Ask, Act)>>,
}

impl Model for Kept {
    fn reply<'a>(&'a self, ask: &'a Ask) -> Work<'a, Reply> {
        Box::pin(async move {
            let reply = Rehearsal.reply(ask).await?;
            self.all.lock().unwrap().push((ask.clone(), reply.act.clone()));
            Ok(reply)
        })
    }
}

/// Every request of a run that a person sends back once and then signs, with what its answer was.
async fn told(topology: &str, params: &[(&str, &str)]) -> Vec<(Ask, Act)> {
    let plan = shipped(topology);
    let mut given: Brief = brief(&plan);
    given.extend(params.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    asked_of(&plan, &given).await
}

/// The same of a plan, whose script speaks.
pub(crate) async fn asked_of(plan: &Plan, given: &Brief) -> Vec<(Ask, Act)> {
    let kept = Arc::new(Kept::default());
    let mut rig = Rig::new();
    rig.live = Some(Arc::clone(&kept) as Arc<dyn Model>);
    let plan = Plan { mode: Mode::Live, ..plan.clone() };
    let system = rig.system().await;
    let handle = system.run(&plan, given, who("ada")).await.unwrap();
    let run = Driven::of(&rig, system, handle);
    for decision in [Decision::RequestChanges, Decision::Approve] {
        if run.settled().await == Status::Waiting {
            run.decide("ada", decision).await.unwrap();
        }
    }
    run.settled().await;
    assert!(run.reasons().is_empty(), "{}: {:?}", plan.name, run.reasons());
    run.system.stop().await;
    std::mem::take(&mut *kept.all.lock().unwrap())
}

/// The shipped teams, with parameters under which each of their members writes what it can write.
const RUNS: [(&str, &[(&str, &str)]); 4] = [
    ("re-engagement", &[]),
    ("content-repurposing", &[]),
    ("investigate", &[]),
    ("investigate", &[("before", "2026-Q3"), ("after", "2026-Q4")]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The places of a schema where something has to be written: `mails[].day`, and `args.*` for keys of any name.
fn required(schema: &Value, root: &Value, at: &str, found: &mut BTreeSet<String>) {
    let target = schema["$ref"].as_str().and_then(|target| root.pointer(target.trim_start_matches('#')));
    let schema = target.unwrap_or(schema);
    let below = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
    let names = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let properties = names.filter_map(|name| Some((name, schema["properties"].get(name)?))).collect::<Vec<_>>();
    match (properties.is_empty(), schema.get("items"), schema.get("additionalProperties")) {
        (false, _, _) => properties.into_iter().for_each(|(name, of)| required(of, root, &below(name), found)),
        (_, Some(items), _) => required(items, root, &format!("{at}[]"), found),
        (_, _, Some(open)) if open.is_object() => required(open, root, &below("*"), found),
        _ => drop(found.insert(at.to_owned())),
    }
}

/// What was written at such a place.
fn written<'a>(body: &'a Value, path: &str) -> Vec<&'a Value> {
    let steps = path.split('.').flat_map(|key| match key.strip_suffix("[]") {
        Some(key) => vec![key, "*"],
        None => vec![key],
    });
    steps.filter(|step| !step.is_empty()).fold(vec![body], |found, step| {
        let next = |value: &'a Value| -> Vec<&'a Value> {
            match (step, value) {
                ("*", Value::Array(list)) => list.iter().collect(),
                ("*", Value::Object(map)) => map.values().collect(),
                (key, value) => value.get(key).into_iter().collect(),
            }
        };
        found.into_iter().flat_map(next).collect()
    })
}

/// What stands between `open` and `close` in what the model is told, every time.
fn between(prompt: &Prompt, open: &str, close: &str) -> String {
    let users = prompt.said.iter().filter_map(|said| match said {
        Said::User(text) => Some(text.as_str()),
        _ => None,
    });
    let parts = users.flat_map(|text| text.split(open).skip(1).filter_map(|rest| rest.split_once(close)));
    parts.map(|(part, _)| part).collect::<Vec<_>>().join("\n")
}

/// The part of a request that a source names.
fn source(prompt: &Prompt, names: &Names, name: &str) -> String {
    let tool = |wanted: &str| {
        let mut ids = BTreeSet::new();
        let mut text = String::new();
        for said in &prompt.said {
            match said {
                Said::Model(spoken) => {
                    let of = |called: &str| {
                        names.tool(called).is_some_and(|tool| wanted.is_empty() || tool.as_str() == wanted)
                    };
                    ids = spoken.calls.iter().filter(|call| of(&call.name)).map(|call| call.id.clone()).collect();
                }
                Said::Results(results) => {
                    results.iter().filter(|(id, _)| ids.contains(id)).for_each(|(_, result)| text.push_str(result));
                }
                Said::User(_) => {}
            }
        }
        text
    };
    match name.split_once(' ').unwrap_or((name, "")) {
        ("brief", _) => between(prompt, "<brief>", "</brief>"),
        ("message", _) => between(prompt, "<message>", "</message>"),
        ("desk", artefact) => between(prompt, &format!("<artefact name=\"{artefact}\""), "</artefact>"),
        ("findings", artefact) => between(prompt, &format!("<findings artefact=\"{artefact}\""), "</findings>"),
        ("result", wanted) => tool(wanted),
        ("tools", _) => prompt.tools.iter().map(|tool| tool.schema.to_string()).collect(),
        ("instructions", _) => prompt.system.clone(),
        _ => panic!("{name} is no source"),
    }
}

/// Whether `text` says `value`; of a truth value, whether it speaks of the `field` at all.
fn says(text: &str, value: &Value, field: &str) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(_) => text.contains(&format!("\"{field}\":")),
        Value::String(said) => text.contains(json!(said).to_string().trim_matches('"')),
        Value::Number(number) => {
            let number = number.to_string();
            let part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit() || c == '.');
            text.match_indices(&number).any(|(at, _)| {
                let after = &text[at + number.len()..];
                !(part(text[..at].chars().next_back()) || part(after.chars().next()) && part(after.chars().nth(1)))
            })
        }
        Value::Array(list) => list.iter().all(|one| says(text, one, field)),
        Value::Object(map) => map.values().all(|one| says(text, one, field)),
    }
}

/// What is wrong with a value whose sources are said to be these; any of them may have it.
fn unsourced(prompt: &Prompt, names: &Names, sources: &str, value: &Value, field: &str) -> Option<String> {
    let is_text = value.is_string() || value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
    let is_found = sources.split(" or ").any(|of| match of {
        // Nobody gives what is to be said in words of one's own; a number is never that.
        "own words" => is_text,
        "own calls" => value.is_object() && !prompt.tools.is_empty(),
        // What may be chosen is listed, and the instructions say how.
        "own choice" => {
            prompt.system.contains(field)
                || prompt.tools.iter().any(|tool| tool.schema.to_string().contains(&format!("\"{field}\"")))
        }
        of => says(&source(prompt, names, of), value, field),
    });
    (!is_found).then(|| format!("{value} is not in {sources}"))
}

/// By topology, agent, artefact and place: where what belongs there is found.
type Table = BTreeMap<String, BTreeMap<String, BTreeMap<String, Places>>>;
type Places = BTreeMap<String, String>;

/// The links of what was written, without what is added to count them.
fn links(value: &Value) -> Vec<String> {
    let text = value.to_string();
    let ends = |c: char| c.is_whitespace() || "?\"\\".contains(c);
    text.split("https://").skip(1).map(|rest| format!("https://{}", rest.split(ends).next().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_that_is_required_of_a_model_has_a_source_in_its_request() {
    let text = fs::read_to_string(root().join("tests/cases/sources.toml")).unwrap();
    let table: Table = toml::from_str(&text).unwrap();
    let (mut wrong, mut used, mut turns) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (topology, params) in RUNS {
        for (ask, act) in told(topology, params).await {
            let Act::Answer(Answer { writes, .. }) = act else { continue };
            let (asked, names) = (prompt(&ask).unwrap(), Names::of(&ask.plan.team[&ask.agent]));
            for (artefact, body) in writes {
                let schema = &ask.plan.schemas[&ask.plan.artefacts[&artefact].schema];
                let mut places = BTreeSet::new();
                required(schema, schema, "", &mut places);
                turns.insert(format!("{topology}.{}.{artefact}", ask.agent));
                for place in places {
                    let name = format!("{topology}.{}.{artefact}.{place}", ask.agent);
                    let sources = table
                        .get(topology)
                        .and_then(|of| of.get(ask.agent.as_str())?.get(artefact.as_str())?.get(&place));
                    let Some(sources) = sources else {
                        wrong.insert(format!(
                            "{name} is required, and sources.toml does not say where a model finds it"
                        ));
                        continue;
                    };
                    let field =
                        place.rsplit('.').map(|key| key.trim_end_matches("[]")).find(|key| *key != "*").unwrap();
                    let values = written(&body, &place).into_iter();
                    wrong.extend(values.filter_map(|value| {
                        Some(format!("{name}: {}", unsourced(&asked, &names, sources, value, field)?))
                    }));
                    used.insert(name);
                }
                let shown = format!("{} {}", source(&asked, &names, "brief"), asked.text());
                let unknown = links(&body).into_iter().filter(|link| !shown.contains(link.as_str()));
                wrong.extend(unknown.map(|link| format!("{topology}.{}: {link} is nowhere", ask.agent)));
            }
        }
        for (name, member) in &shipped(topology).team {
            let expected = member.writes.iter().filter(|_| matches!(member.role, Role::Model { .. }));
            let missing: Vec<String> = expected.map(|artefact| format!("{topology}.{name}.{artefact}")).collect();
            // The archivist is handed the work in the last run only.
            let missing = missing.into_iter().filter(|turn| !turns.contains(turn) && (topology, params) != RUNS[2]);
            wrong.extend(missing.map(|turn| format!("{turn} was never written")));
        }
    }
    for (topology, agents) in &table {
        for (agent, artefacts) in agents {
            for (artefact, places) in artefacts {
                let all = places.keys().map(|place| format!("{topology}.{agent}.{artefact}.{place}"));
                wrong.extend(
                    all.filter(|name| !used.contains(name)).map(|name| format!("{name} is not required any more")),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

/// A page: its name, the run that the request is of, the agent, which of its turns, and what the turn is.
type Page = (&'static str, usize, &'static str, usize, &'static str);

const PAGES: [Page; 12] = [
    ("re-engagement-analyst", 0, "analyst", 0, "The analyst gets the brief."),
    ("re-engagement-planner", 0, "planner", 0, "The planner gets the finding."),
    ("re-engagement-drafter", 0, "drafter", 0, "The drafter gets the plan."),
    ("re-engagement-critic", 0, "critic", 0, "The critic gets the first draft, with what the checks found in it."),
    ("re-engagement-drafter-again", 0, "drafter", 1, "The drafter is sent back to its draft by the critic."),
    ("content-repurposing-researcher", 1, "researcher", 0, "The researcher gets the brief."),
    ("content-repurposing-drafter", 1, "drafter", 0, "The drafter gets the notes."),
    ("content-repurposing-critic", 1, "critic", 0, "The critic gets the first versions."),
    ("investigate-investigator", 2, "investigator", 0, "The investigator gets the brief."),
    ("investigate-archivist-asked", 2, "archivist", 0, "The archivist is asked within the investigator's turn."),
    ("investigate-sceptic", 2, "sceptic", 0, "The sceptic gets the report."),
    ("investigate-archivist", 3, "archivist", 1, "The archivist is handed the work, since a quarter is not over."),
];

/// JSON set out over lines, its keys in their order; a line break within a text is one.
fn set_out(json: &str) -> String {
    let (mut page, mut depth, mut in_text, mut escaped) = (String::new(), 0_usize, false, false);
    let mut chars = json.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            'n' if escaped => {
                page.pop();
                page.push('\n');
            }
            _ if in_text => page.push(c),
            '{' | '[' if chars.peek().is_some_and(|next| "]}".contains(*next)) => page.push(c),
            '{' | '[' => {
                depth += 1;
                let _ = write!(page, "{c}\n{}", "  ".repeat(depth));
            }
            '}' | ']' if page.ends_with(['{', '[']) => page.push(c),
            '}' | ']' => {
                depth -= 1;
                let _ = write!(page, "\n{}{c}", "  ".repeat(depth));
            }
            ',' => drop(write!(page, ",\n{}", "  ".repeat(depth))),
            ':' => page.push_str(": "),
            _ => page.push(c),
        }
        in_text ^= c == '"' && !escaped;
        escaped = in_text && c == '\\' && !escaped;
    }
    page
}

/// The pages in `docs/requests/` are what is sent today. `CALLSHEET_WRITE=docs` writes them anew.
#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_requests_are_what_is_sent() {
    let mut all = Vec::new();
    for (topology, params) in RUNS {
        all.push(told(topology, params).await);
    }
    let folder = root().join("docs/requests");
    let is_written = std::env::var("CALLSHEET_WRITE").is_ok_and(|what| what == "docs");
    let mut stale = Vec::new();
    for (name, run, agent, nth, what) in PAGES {
        let mut first = all[run].iter().filter(|(ask, _)| ask.agent.as_str() == agent && ask.now.said.is_empty());
        let ask = &first.nth(nth).unwrap_or_else(|| panic!("{name} has no such turn")).0;
        let sent = asked(Dialect::OpenAi, "/v1", "qwen3", &prompt(ask).unwrap()).await;
        let page = format!("# {name}\n\n{what}\n\n```text\n{}\n```\n", set_out(&sent.body));
        let path = folder.join(format!("{name}.md"));
        if is_written {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &page).unwrap();
        }
        if fs::read_to_string(&path).unwrap_or_default() != page {
            stale.push(name);
        }
    }
    let how = "CALLSHEET_WRITE=docs cargo test --test it requests::the_pages";
    assert!(
        stale.is_empty(),
        "docs/requests is not what is sent: {stale:?}; read what changed, and write it with {how}"
    );
}
