//! `callsheet doctor`: what was found, which value won and why, what is missing, and the fix beside it.

use serde_json::json;

use super::exit::{Exit, Stop};
use super::paint::{self, Safe, Tone, out, say, table, toned};
use super::session::Session;
use crate::app;
use crate::journal::Query;
use crate::run::view::count;
use crate::topology::fault::Faults;
use crate::topology::plan::Mode;
use crate::topology::spec::{Reach, Repeat, ToolSpec};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// As NDJSON
    #[arg(long)]
    json: bool,
    /// Call no model
    #[arg(long)]
    offline: bool,
}

pub(super) async fn doctor(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let settings = &session.settings;
    if args.json {
        for origin in &settings.origins {
            paint::json(&json!({ "setting": origin.setting, "value": origin.value, "from": origin.from }));
        }
    } else {
        out(format!("project: {}", session.shown_path(&settings.root.join("callsheet.toml"))));
        let shown = |value: &str| session.shown_path(std::path::Path::new(value));
        let rows = settings.origins.iter().map(|o| vec![o.setting.clone(), shown(&o.value), o.from.clone()]);
        out(format!("\n{}\n", table(&["setting", "value", "from"], rows)));
    }
    let mut wrong = 0;
    let mut line = |name: &str, found: Result<String, String>| {
        let (tone, word, text) = match found {
            Ok(text) => (Tone::Good, "ok", text),
            Err(text) => {
                wrong += 1;
                (Tone::Bad, "no", text)
            }
        };
        if args.json {
            paint::json(&json!({ "what": name, "ok": word == "ok", "text": text }));
        } else {
            out(format!("{} {} {}", toned(tone, word), toned(Tone::Strong, Safe(name)), Safe(&text)));
        }
    };
    line("journal", journal(session));
    match app::tools(settings) {
        Ok(tools) => tools.values().for_each(|tool| {
            let (spec, look) = (tool.spec(), tool.look());
            line(spec.name.as_str(), Ok(words(spec)));
            look.facts.into_iter().for_each(|fact| line(spec.name.as_str(), Ok(format!("reads {fact}"))));
            look.faults.into_iter().for_each(|fault| line(spec.name.as_str(), Err(fault)));
        }),
        Err(faults) => line("tools", Err(faults.render(false))),
    }
    for name in session.topologies() {
        let checked = session.check(&name, Mode::Rehearsal);
        let told = |faults: Faults| format!("{}: callsheet check {name}", count(faults.len(), "fault"));
        line(&format!("topology {name}"), checked.map(|c| format!("{} rehearsal tests", c.tests.len())).map_err(told));
    }
    line("people", Ok(people(session)));
    match (settings.mode(), args.offline) {
        (Mode::Live, false) => {
            for (model, came) in app::try_models(settings).await {
                line(&format!("model {model}"), came);
            }
        }
        (Mode::Live, true) => {
            for model in settings.models.live() {
                let there = settings.endpoint(&model).map(|_| "its provider is known and its key is there".to_owned());
                line(&format!("model {model}"), there);
            }
        }
        _ => line("models", Ok("none is named: runs are rehearsals".to_owned())),
    }
    if wrong > 0 {
        say(format!("{} to mend", count(wrong, "thing")));
    }
    Ok(if wrong == 0 { Exit::Done } else { Exit::Failed })
}

/// What a tool declares, in words.
fn words(spec: &ToolSpec) -> String {
    let reach = match spec.reach {
        Reach::Inside => "stays inside",
        Reach::ReadsOut => "reads outside",
        Reach::ActsOut => "acts outside, needs an approval",
    };
    let repeat = match spec.repeat {
        Repeat::Pure => "has no effect",
        Repeat::Idempotent { .. } => "knows repeats by their key",
        Repeat::Queryable => "can be asked whether it happened",
        Repeat::Once => "is never repeated: in doubt a person is asked",
    };
    format!("{reach}; {repeat}")
}

fn journal(session: &Session) -> Result<String, String> {
    let path = session.shown_path(&session.settings.journal);
    if !session.settings.journal.exists() {
        return Ok(format!("{} will be made by the first run", path));
    }
    let read = session.store().map_err(|stop| stop.text)?;
    let rows = read.runs(&Query { limit: usize::MAX, ..Query::default() }).map_err(|error| error.to_string())?;
    let live = rows.iter().filter(|row| !row.summary.over).count();
    Ok(format!("{}: {} runs, {live} not over", path, rows.len()))
}

fn people(session: &Session) -> String {
    let who = session.who();
    match &session.settings.people {
        None => format!("single-person project: {} may approve", who.name),
        Some(people) if !people.contains_key(&who.name) => {
            let names: Vec<&str> = people.keys().map(String::as_str).collect();
            format!("{}; you are {} ({}), who is none of them: use --as NAME", names.join(", "), who.name, who.how)
        }
        Some(people) => format!("{} people; you are {} ({})", people.len(), who.name, who.how),
    }
}
