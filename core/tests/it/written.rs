//! Small teams as values, and the files that say the same: what random topologies are written from, well formed or not.

use std::fmt::Write as _;

use super::files::Memory;

const ARTEFACTS: [&str; 2] = ["a", "b"];

/// A member of a team, `m` and its place in it. Artefacts are bits, recipients are members or (`None`) the end.
pub(crate) struct Someone {
    pub(crate) kind: Kind,
    /// Whether a model is offered tools.
    pub(crate) offered: bool,
    /// Members whom a model may ask.
    pub(crate) asks: Vec<usize>,
    pub(crate) reads: u8,
    pub(crate) writes: u8,
    /// Delivered by a tool, approved by a person.
    pub(crate) holds: u8,
    pub(crate) ways: Vec<(&'static str, Way)>,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Model,
    Person,
    Sender,
    /// A tool agent that acts on nothing.
    Own,
    /// What decides by a rule over a parameter.
    Rule,
    /// A person who answers.
    Answers,
}

#[derive(Clone, Copy)]
pub(crate) struct Way {
    pub(crate) to: Option<usize>,
    pub(crate) rounds: Option<(u8, Option<usize>)>,
}

fn named(bits: u8) -> impl Iterator<Item = &'static str> {
    ARTEFACTS.into_iter().enumerate().filter(move |(bit, _)| bits & (1 << bit) != 0).map(|(_, name)| name)
}

fn list(bits: u8) -> String {
    format!("[{}]", named(bits).map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", "))
}

fn told(to: Option<usize>) -> String {
    to.map_or_else(|| "\"end\"".to_owned(), |to| format!("\"m{to}\""))
}

/// A project whose topology `random` is `team`.
pub(crate) fn files(team: &[Someone]) -> Memory {
    let mut text = "schema_version = 1\ndescription = \"random\"\n[artefacts]\n".to_owned();
    ARTEFACTS.iter().for_each(|name| writeln!(text, "{name} = {{ schema = \"any\" }}").unwrap());
    let mut files = Memory::default().with("schemas/any.json", "{}");
    let mut handoffs = "[handoffs]\nstart = \"m0\"\n".to_owned();
    text.push_str("[params]\nn = { type = \"integer\", default = 1 }\n[team]\n");
    for (index, one) in team.iter().enumerate() {
        let (entry, agent) = member(one);
        writeln!(text, "m{index} = {{ {entry} }}").unwrap();
        // Of a rule the file is left over, and nobody reads it.
        files = files.with(&format!("agents/m{index}.toml"), &format!("schema_version = 1\ndoes = \"x\"\n{agent}\n"));
        let ways = one.ways.iter().map(|(outcome, way)| match way.rounds {
            None => format!("{outcome} = {}", told(way.to)),
            Some((max, then)) => {
                format!("{outcome} = {{ to = {}, rounds = {max}, then = {} }}", told(way.to), told(then))
            }
        });
        writeln!(handoffs, "m{index} = {{ {} }}", ways.collect::<Vec<_>>().join(", ")).unwrap();
    }
    let budget = "[budget]\nsteps = \"unlimited\"\ntokens = 1\ncost_usd = \"unlimited\"\nactive_time = \"1h\"\n";
    files.with("topologies/random.toml", &format!("{text}{handoffs}{budget}"))
}

/// A member's entry in the team, and the rest of its agent's file.
fn member(one: &Someone) -> (String, String) {
    let (reads, writes, holds) = (list(one.reads), list(one.writes), list(one.holds));
    match one.kind {
        Kind::Sender => {
            let args: Vec<String> = named(one.holds).map(|name| format!("{name} = {name:?}")).collect();
            (format!("tool = \"out.send\", args = {{ {} }}", args.join(", ")), String::new())
        }
        Kind::Own => (format!("tool = \"count.words\", writes = {writes}"), String::new()),
        Kind::Rule => {
            let last = one.ways.last().map(|(outcome, _)| *outcome).unwrap_or_default();
            let lines = one.ways.iter().enumerate().take(one.ways.len().max(2) - 1);
            let lines =
                lines.map(|(n, (outcome, _))| format!("{{ when = \"params.n\", is = {n}, outcome = {outcome:?} }}"));
            let lines = lines.collect::<Vec<_>>().join(", ");
            (format!("rule = [{lines}], else = {last:?}, limits = {{ turns = 1000000 }}"), String::new())
        }
        Kind::Answers => {
            let outcomes: Vec<&str> =
                one.ways.iter().map(|(outcome, _)| *outcome).filter(|of| *of != "expired").collect();
            let agent = format!(
                "kind = \"person\"\noutcomes = {outcomes:?}\nexpires = {{ after = \"1d\", then = \"reject\" }}"
            );
            (format!("reads = {reads}, writes = {writes}"), agent)
        }
        Kind::Person => (
            format!("approves = {holds}"),
            "kind = \"person\"\nexpires = { after = \"1d\", then = \"reject\" }".to_owned(),
        ),
        Kind::Model => {
            let outcomes: Vec<&str> = one.ways.iter().map(|(outcome, _)| *outcome).collect();
            let tools: &[&str] = if one.offered { &["look.up", "count.words"] } else { &[] };
            let agent = format!(
                "kind = \"model\"\noutcomes = {outcomes:?}\ntools = {tools:?}\ninstructions = \"x\"\n\
                 limits = {{ turns = 1000000 }}"
            );
            let asks: Vec<String> = one.asks.iter().map(|to| format!("m{to}")).collect();
            (format!("reads = {reads}, writes = {writes}, may_ask = {asks:?}"), agent)
        }
    }
}
