//! `callsheet rehearse TOPOLOGY --crash`: the real process dies by SIGKILL at every boundary of a run in a scratch copy
//! of the project, is taken up again, and what it comes to is compared. It says nothing about power loss.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::came::Came;
use super::campaign::{Campaign, Draft, Ended, Wanted};
use super::scratch::{Scratch, settings};
use crate::cli::exit::{Exit, Stop};
use crate::cli::paint::{self, Tone, out, say, table, toned};
use crate::cli::session::Session;
use crate::service::error::Error;
use crate::topology::plan::{Mode, Plan};
use crate::topology::spec::Reach;

const POINTS: [&str; 4] = ["decided", "committed", "started", "performed"];

/// Passings after which a boundary is taken for endless.
const PASSINGS_MAX: u64 = 2_000;

/// Rehearsals that are under way at a time.
const LANES_MAX: usize = 4;

/// Kinds of tools that may say how long a call takes, and how long it takes at most in the scratch copy: twice that is
/// waited for before it is asked about. The recipients of mails are read anew within it.
const TIMED_KINDS: [(&str, &str); 3] = [("email", "4s"), ("files", "500ms"), ("sink", "500ms")];

/// A command of the undisturbed run, and the project before it.
struct Stage {
    name: String,
    before: Scratch,
    words: Vec<String>,
}

/// What kills at one boundary of one command came to.
#[derive(Debug, Default)]
struct Lane {
    kills: u64,
    equal: u64,
    /// Kills after which a person was asked whether an outward act had happened.
    asked: u64,
    /// Each other outcome: at which passing, and the first difference.
    different: Vec<String>,
}

pub(super) fn crash(session: &Session, topology: &str, params: &[String], json: bool) -> Result<Exit, Stop> {
    let checked = session.project.check_to_start(topology, Mode::Rehearsal, None).map_err(Error::Faulty)?.checked;
    checked.by_itself().map_err(Error::Faulty)?;
    let fresh = Scratch::fresh(&session.settings.root)?;
    shorten(fresh.path())?;
    say_waits(fresh.path(), topology, &checked.plan)?;
    let draft = Draft { topology: topology.to_owned(), params: params.to_vec(), starter: starter(session) };
    let (stages, wanted) = undisturbed(&draft, &fresh)?;
    say(format!("undisturbed: {}", stages.iter().map(|stage| stage.name.as_str()).collect::<Vec<_>>().join(", ")));
    let lanes: Vec<(usize, &str)> =
        (0..stages.len()).flat_map(|stage| POINTS.into_iter().map(move |point| (stage, point))).collect();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        while let Some((stage, point)) = lanes.get(next.fetch_add(1, Ordering::SeqCst)) {
            let lane = sweep(&draft, &stages[*stage], point, &wanted);
            let name = &stages[*stage].name;
            say(format!("{name}, {point}: {} kills, {} different", lane.kills, lane.different.len()));
            if let Ok(mut done) = done.lock() {
                done.insert((*stage, *point), lane);
            }
        }
    };
    let width = std::thread::available_parallelism().map_or(1, usize::from).min(LANES_MAX);
    std::thread::scope(|scope| (0..width).for_each(|_| drop(scope.spawn(work))));
    let done = done.into_inner().unwrap_or_default();
    Ok(report(topology, &stages, &lanes, &done, json))
}

/// Who starts the runs of the scratch copies: whoever is here, or the first of the people that the project declares.
fn starter(session: &Session) -> String {
    let first = session.settings.people.as_ref().and_then(|people| people.keys().next().cloned());
    session
        .project
        .declared(session.project.who())
        .map(|who| who.name)
        .ok()
        .or(first)
        .unwrap_or_else(|| session.project.who().name)
}

/// The run without any kill: its commands, each with the project before it, and what it comes to.
fn undisturbed(draft: &Draft, fresh: &Scratch) -> Result<(Vec<Stage>, Came), Stop> {
    let campaign = Campaign::over(draft, Scratch::whole(fresh.path())?)?;
    let mut stages = Vec::new();
    while let Some(act) = campaign.next()? {
        let before = Scratch::whole(campaign.root())?;
        let words = act.words.clone();
        campaign.expect(&act)?;
        stages.push(Stage { name: act.name, before, words });
        campaign.bounded(stages.len())?;
    }
    let came = campaign.came()?;
    Ok((stages, came))
}

/// Kills at each passing of `point` until there is none left.
fn sweep(draft: &Draft, stage: &Stage, point: &str, wanted: &Came) -> Lane {
    let mut lane = Lane::default();
    for nth in 1..=PASSINGS_MAX {
        match kill(draft, stage, &format!("{point}:{nth}"), wanted) {
            Ok(Some((difference, asked))) => {
                lane.kills += 1;
                lane.asked += u64::from(asked);
                match difference {
                    None => lane.equal += 1,
                    Some(difference) => lane.different.push(format!("{point}:{nth}: {difference}")),
                }
            }
            Ok(None) => return lane,
            Err(stop) => {
                lane.kills += 1;
                lane.different.push(format!("{point}:{nth}: {}", stop.text));
            }
        }
    }
    lane.different.push(format!("{point} is passed more than {PASSINGS_MAX} times"));
    lane
}

/// Kills once, goes on to the end, compares: the first difference, and whether a person was asked. None if the process
/// did not pass there.
fn kill(draft: &Draft, stage: &Stage, at: &str, wanted: &Came) -> Result<Option<(Option<String>, bool)>, Stop> {
    let campaign = Campaign::over(draft, Scratch::whole(stage.before.path())?)?;
    if campaign.callsheet(&stage.words, Some(at))? != Ended::Killed {
        return Ok(None);
    }
    let (mut acts, mut asked) = (0, false);
    while let Some(act) = campaign.next()? {
        asked |= act.wanted == Wanted::Answer;
        campaign.expect(&act)?;
        acts += 1;
        campaign.bounded(acts)?;
    }
    Ok(Some((wanted.difference(&campaign.came()?), asked)))
}

fn report(
    topology: &str,
    stages: &[Stage],
    lanes: &[(usize, &str)],
    done: &BTreeMap<(usize, &str), Lane>,
    json: bool,
) -> Exit {
    let rows: Vec<(&str, &str, &Lane)> = lanes
        .iter()
        .filter_map(|(stage, point)| Some((stages[*stage].name.as_str(), *point, done.get(&(*stage, *point))?)))
        .collect();
    let kills: u64 = rows.iter().map(|(_, _, lane)| lane.kills).sum();
    let whole = rows.len() == lanes.len() && kills > 0;
    let equal = rows.iter().all(|(_, _, lane)| lane.different.is_empty());
    if json {
        let lanes = rows.iter().map(|(command, boundary, lane)| {
            json!({ "command": command, "boundary": boundary, "kills": lane.kills, "equal": lane.equal,
                "asked": lane.asked, "different": lane.different })
        });
        paint::json(&json!({ "topology": topology, "kills": kills, "boundaries": lanes.collect::<Vec<_>>() }));
    } else {
        let cells = rows.iter().map(|(command, point, lane)| {
            let first = lane.different.first().cloned().unwrap_or_default();
            let counts = [lane.kills, lane.equal, lane.different.len() as u64, lane.asked];
            let counts = counts.map(|count| count.to_string());
            [vec![(*command).to_owned(), (*point).to_owned()], counts.to_vec(), vec![first]].concat()
        });
        let heading = ["command", "boundary", "kills", "equal", "different", "a person is asked", "first difference"];
        out(table(&heading, cells));
    }
    if equal && whole {
        say(toned(Tone::Good, format!("{kills} kills, all equal")));
        return Exit::Done;
    }
    say(toned(Tone::Bad, format!("{kills} kills, and not all came to the same")));
    Exit::Failed
}

/// Lets the copy's outward tools give up sooner, where their kind can be told so.
fn shorten(root: &Path) -> Result<(), Stop> {
    let path = root.join("callsheet.toml");
    let mut text = std::fs::read_to_string(&path)?;
    let wrong = |why: &dyn std::fmt::Display| Stop::failed(format!("callsheet.toml: {why}"));
    let table: toml::Table = toml::from_str(&text).map_err(|why| wrong(&why))?;
    let tools = table.get("tools").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    for (name, tool) in tools {
        let kind = tool.get("kind").and_then(toml::Value::as_str).unwrap_or_default();
        let Some((_, call_timeout)) = TIMED_KINDS.iter().find(|(timed, _)| *timed == kind) else { continue };
        // The project's own record is of another journal, and would be refused by the copy's.
        if kind == "sink" {
            let record = tool.get("record").and_then(toml::Value::as_str).unwrap_or("sink.jsonl");
            let _ = std::fs::remove_file(root.join(record));
        }
        let mut shorter: toml::Table = toml::from_str(&text).map_err(|why| wrong(&why))?;
        let of = shorter.get_mut("tools").and_then(|tools| tools.get_mut(&name)).and_then(toml::Value::as_table_mut);
        let Some(of) = of else { continue };
        of.insert("call_timeout".to_owned(), toml::Value::from(*call_timeout));
        let shorter = toml::to_string(&shorter).map_err(|why| wrong(&why))?;
        std::fs::write(&path, &shorter)?;
        if settings(root).is_ok_and(|settings| crate::app::tools(&settings).is_ok()) {
            text = shorter;
        } else {
            std::fs::write(&path, &text)?;
        }
    }
    Ok(())
}

/// Says how long is waited for what is in doubt.
fn say_waits(root: &Path, topology: &str, plan: &Plan) -> Result<(), Stop> {
    let tools = crate::app::tools(&settings(root)?).map_err(|faults| Stop::input(faults.render(false)))?;
    let outward = plan.tools.values().filter(|spec| spec.reach == Reach::ActsOut);
    let longest = outward.filter_map(|spec| tools.get(&spec.name)).map(|tool| tool.spec().call_timeout_ms).max();
    if let Some(longest) = longest {
        let waits_s = (longest * 2).div_ceil(1_000);
        say(format!(
            "{topology}: an outward act in doubt is asked about after {waits_s} s; each kill there waits so long"
        ));
    }
    Ok(())
}
