//! `callsheet doctor`: what was found, which value won and why, what is missing, and the fix beside it.

use serde_json::json;

use super::exit::{Exit, Stop};
use super::paint::{self, Safe, Tone, out, say, table, toned};
use super::session::Session;
use super::times::Askers;
use crate::app;
use crate::clock::{Clock as _, Machine};
use crate::config::Settings;
use crate::notify::{self, Failed};
use crate::run::view::count;
use crate::service::tools as service;
use crate::service::trigger::list::{Line, triggers as listed};
use crate::topology::fault::Faults;
use crate::topology::plan::Mode;
use crate::words::time::date_time;
use crate::words::tool::{reach, repeat};
use crate::words::trigger::{fires, wrong};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Prints NDJSON: one JSON object for each thing
    #[arg(long)]
    json: bool,
    /// Calls no model, and opens no connection
    #[arg(long)]
    offline: bool,
}

pub(super) async fn doctor(session: &Session, args: &Args) -> Result<Exit, Stop> {
    let settings = &session.settings;
    found(session, args.json);
    let mut wrong: Vec<String> = Vec::new();
    let mut line = |name: &str, found: Result<String, String>| {
        if found.is_err() {
            wrong.push(name.to_owned());
        }
        print(args.json, name, found.map_or_else(Said::Wrong, Said::Fine));
    };
    line("journal", journal(session));
    let tried = tools(session, args.offline).await;
    let tools_fail = tried.is_err();
    match tried {
        Ok((lines, remarks)) => {
            lines.into_iter().for_each(|(name, found)| line(&name, found));
            remarks.into_iter().for_each(|(name, text)| print(args.json, &name, Said::Noted(text)));
        }
        Err(faults) => line("tools", Err(faults.render(false))),
    }
    let mut askers = Askers::default();
    for (name, checked) in session.project.check_all(Mode::Rehearsal) {
        checked.iter().for_each(|checked| askers.add(session, &checked.plan));
        // What is wrong with the tools is told above, once.
        if tools_fail && checked.is_err() {
            continue;
        }
        let told = |faults: Faults| format!("{}: callsheet check {name}", count(faults.len(), "fault"));
        line(
            &format!("topology {name}"),
            checked.map(|c| format!("no fault; {}", count(c.tests.len(), "test"))).map_err(told),
        );
    }
    triggers(session).into_iter().for_each(|(name, said)| line(&name, said));
    line("people", Ok(people(session)));
    if let Some(said) = telemetry(settings, args.offline).await {
        line("telemetry", said);
    }
    let (told, remarks) = notified(settings, args.offline).await;
    told.into_iter().for_each(|(name, said)| line(&name, said));
    remarks.into_iter().for_each(|(name, text)| print(args.json, &name, Said::Noted(text)));
    match (settings.mode(), args.offline) {
        (Mode::Live, false) => {
            for (model, came) in app::try_models(settings).await {
                let name = format!("model {model}");
                let speed = came.as_ref().ok().and_then(|tried| tried.speed);
                line(&name, came.map(|tried| tried.text));
                line(&name, Ok(askers.times(session, &model)));
                for text in askers.slow(session, &model, speed) {
                    print(args.json, &name, Said::Noted(text));
                }
            }
        }
        (Mode::Live, true) => {
            for model in settings.models.live() {
                let there = settings.endpoint(&model).map(|_| "its provider is known, and its key is there".to_owned());
                line(&format!("model {model}"), there);
                line(&format!("model {model}"), Ok(askers.times(session, &model)));
            }
        }
        _ => line("models", Ok("no model is named: runs are rehearsals".to_owned())),
    }
    if wrong.is_empty() {
        return Ok(Exit::Done);
    }
    let things = count(wrong.len(), "thing");
    wrong.dedup();
    say(format!("{things} to mend: {}", Safe(&wrong.join(", "))));
    Ok(Exit::Failed)
}

/// Which settings were found, and where.
fn found(session: &Session, as_json: bool) {
    let settings = &session.settings;
    if as_json {
        for origin in &settings.origins {
            paint::json(&json!({ "setting": origin.setting, "value": origin.value, "from": origin.from }));
        }
        return;
    }
    out(format!("project: {}", session.shown_path(&settings.root.join("callsheet.toml"))));
    let shown = |value: &str| session.shown_path(std::path::Path::new(value));
    let rows = settings.origins.iter().map(|o| vec![o.setting.clone(), shown(&o.value), o.from.clone()]);
    out(format!("\n{}\n", table(&["setting", "value", "from"], rows)));
}

/// What is well or to be mended, and what somebody should look at, each by the name of what it is about.
type Lines = (Vec<(String, Result<String, String>)>, Vec<(String, String)>);

/// What each tool declares, reads, and finds when it is opened; or why there is none.
async fn tools(session: &Session, offline: bool) -> Result<Lines, Faults> {
    let tools = service::tools(&session.project)?;
    let (mut lines, mut remarks) = (Vec::new(), Vec::new());
    let users = service::users(&session.project);
    let mut unused = Vec::new();
    for service::Found { spec, reads, faults } in service::found(&tools) {
        if faults.is_empty() && users.has_none(&spec.name) {
            unused.push(spec.name.to_string());
            continue;
        }
        let mut line = |said| lines.push((spec.name.to_string(), said));
        line(Ok(format!("{}; {}", reach(&spec), repeat(&spec))));
        reads.into_iter().for_each(|fact| line(Ok(format!("reads {fact}"))));
        faults.into_iter().for_each(|wrong| line(Err(wrong)));
    }
    if !unused.is_empty() {
        lines.push(("tools".to_owned(), Ok(format!("no team uses {}", unused.join(", ")))));
    }
    if !offline {
        for (name, came) in service::tried(&tools).await {
            let told = came.as_ref().map(|opened| opened.remarks.as_slice()).unwrap_or_default();
            remarks.extend(told.iter().map(|remark| (name.to_string(), remark.clone())));
            lines.push((name.to_string(), came.map(|opened| opened.text)));
        }
    }
    Ok((lines, remarks))
}

/// What the collector says that the environment names, if it names one.
async fn telemetry(settings: &Settings, offline: bool) -> Option<Result<String, String>> {
    let collector = match app::collector(settings) {
        Ok(named) => named?,
        Err(why) => return Some(Err(why)),
    };
    Some(if offline { Ok(format!("spans go to {}", collector.place())) } else { collector.answers().await })
}

/// Whom the project tells of what waits, and who did not take what they were told last. Nothing is sent to try it.
async fn notified(settings: &Settings, offline: bool) -> Lines {
    let (mut lines, mut remarks) = (Vec::new(), Vec::new());
    for (name, channel) in notify::channels(settings, "") {
        let name = format!("notify {name}");
        let mut line = |said| lines.push((name.clone(), said));
        let channel = match channel {
            Ok(channel) => channel,
            Err(why) => {
                line(Err(why));
                continue;
            }
        };
        line(match channel.failed() {
            None => Ok(format!("is told of what waits for people while serve runs, {}", channel.manner())),
            Some(Failed { at, why }) => {
                let at = date_time(at, &settings.timezone);
                Err(format!("{why}, {at}; serve tries again as long as what it tells of waits"))
            }
        });
        if !offline && let Some(opened) = channel.opened().await {
            line(opened);
        }
        remarks.extend(channel.remarks().into_iter().map(|remark| (name.clone(), remark)));
    }
    (lines, remarks)
}

/// What is said of a thing.
enum Said {
    /// It is well.
    Fine(String),
    /// It works, and somebody should look.
    Noted(String),
    /// It is to be mended.
    Wrong(String),
}

fn print(as_json: bool, name: &str, said: Said) {
    let (tone, word, text) = match said {
        Said::Fine(text) => (Tone::Good, "ok", text),
        Said::Noted(text) => (Tone::Attention, "but", text),
        Said::Wrong(text) => (Tone::Bad, "not ok", text),
    };
    if as_json {
        paint::json(&json!({ "what": name, "ok": word != "not ok", "text": text }));
    } else {
        out(format!("{} {} {}", toned(tone, word), toned(Tone::Strong, Safe(name)), Safe(&text)));
    }
}

fn journal(session: &Session) -> Result<String, String> {
    let path = session.shown_path(&session.settings.journal);
    if !session.settings.journal.exists() {
        return Ok(format!("{path}: the first run makes it"));
    }
    let rows = session.project.runs(false, usize::MAX).map_err(|error| Stop::from(error).text)?;
    let live = rows.iter().filter(|row| !row.summary.over).count();
    Ok(format!("{path}: {}, {live} not over", count(rows.len(), "run")))
}

/// What starts runs by itself, and what is wrong with that.
fn triggers(session: &Session) -> Vec<(String, Result<String, String>)> {
    let lines = match listed(&session.project, Machine.now()) {
        Ok(lines) => lines,
        Err(error) => return vec![("triggers".to_owned(), Err(Stop::from(error).text))],
    };
    let one = |line: Line| {
        let zone = session.zone();
        let next = line.next_at.map_or_else(String::new, |at| format!("; next on {}", date_time(at, zone)));
        let said = wrong(&line, zone).map_or_else(|| Ok(format!("fires {}{next}", fires(&line))), Err);
        (format!("trigger {}", line.trigger), said)
    };
    lines.into_iter().map(one).collect()
}

fn people(session: &Session) -> String {
    let who = session.project.who();
    match &session.settings.people {
        None => format!("callsheet.toml declares nobody, so you may approve, as {}", who.name),
        Some(people) if !people.contains_key(&who.name) => {
            let names: Vec<&str> = people.keys().map(String::as_str).collect();
            format!(
                "{}; you are {} ({}) and none of them: say who you are with --as NAME",
                names.join(", "),
                who.name,
                who.how
            )
        }
        Some(people) => format!("{} people; you are {} ({})", people.len(), who.name, who.how),
    }
}
