//! What `new` writes: an agent, a topology with its rehearsal, a schema, or a tool's table, each as small as it can be checked.

use std::fmt::Write as _;

use super::File;

/// How a member of a new team hands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seat {
    /// A model with these outcomes: the first goes on, the others go back.
    Model(Vec<String>),
    /// A person, who signs what was written last.
    Person,
}

/// The file of a new model agent with one outcome.
pub fn model(name: &str) -> File {
    let text = format!(
        "#:schema ../.schema/agent.json\nschema_version = 1\nkind = \"model\"\n\
         does = \"Says in one sentence what {name} does.\"\noutcomes = [\"done\"]\n\
         instructions = \"\"\"\nYou are the {name}. Do what the message asks for, from your desk and from nothing else.\n\
         Your note says in one sentence what you did.\n\"\"\"\n"
    );
    (format!("agents/{name}.toml"), text)
}

/// The file of a new person.
pub fn person(name: &str) -> File {
    (format!("agents/{name}.toml"), include_str!("minimal/agents/approver.toml").to_owned())
}

/// The file of a new schema: a title and a text.
pub fn schema(name: &str) -> File {
    let text = format!(
        r#"{{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "{name}",
  "type": "object",
  "description": "Say what it is: models are shown this.",
  "additionalProperties": false,
  "required": ["title", "text"],
  "properties": {{
    "title": {{ "type": "string", "description": "Its title.", "minLength": 1, "maxLength": 200 }},
    "text": {{ "type": "string", "description": "Its text.", "minLength": 1, "maxLength": 20000 }}
  }}
}}
"#
    );
    (format!("schemas/{name}.json"), text)
}

/// What a model of a new team writes.
fn artefact(member: &str) -> String {
    format!("{member}_text").replace('-', "_")
}

/// The topology `name` and its rehearsal: `seats` in their order, each of whom hands on to the next. Models write a text of
/// the schema `schema` each; persons sign the last one. A script that `is_whole` gets a test.
pub fn topology(name: &str, seats: &[(String, Seat)], schema: &str, is_whole: bool) -> Vec<File> {
    let (mut artefacts, mut team, mut handoffs, mut script) = (vec![], String::new(), String::new(), String::new());
    let mut path: Vec<String> = Vec::new();
    let mut last_model: Option<&str> = None;
    for (place, (member, seat)) in seats.iter().enumerate() {
        let next = seats.get(place + 1).map_or("end", |(next, _)| next.as_str());
        let reads = match artefacts.as_slice() {
            [] => String::new(),
            all => format!("reads = [{}], ", listed(all)),
        };
        match seat {
            Seat::Model(outcomes) => {
                let back = last_model.unwrap_or(member.as_str());
                let first = outcomes.first().map_or("done", String::as_str);
                let mine = artefact(member);
                let _ = writeln!(team, "{member} = {{ {reads}writes = [\"{mine}\"] }}");
                let others = outcomes.iter().skip(1);
                let others: String = others
                    .map(|outcome| format!(", {outcome} = {{ to = \"{back}\", rounds = 3, then = \"{next}\" }}"))
                    .collect();
                let _ = writeln!(handoffs, "{member} = {{ {first} = \"{next}\"{others} }}");
                let _ = write!(
                    script,
                    "\n[[{member}]]\noutcome = \"{first}\"\nnote = \"{member} says in one sentence what is new.\"\n\
                     writes.{mine} = {{ title = \"What {member} wrote\", text = \"Made up, until a model writes it.\" }}\n"
                );
                path.push(format!("{member}:{first}"));
                artefacts.push(mine);
                last_model = Some(member);
            }
            Seat::Person => {
                let of = artefacts.last().cloned().unwrap_or_default();
                let back = last_model.unwrap_or("end");
                let _ = writeln!(team, "{member} = {{ approves = [\"{of}\"] }}");
                let _ = writeln!(
                    handoffs,
                    "{member} = {{ approve = \"{next}\", request_changes = {{ to = \"{back}\", rounds = 3, then = \"end\" }}, \
                     reject = \"end\", expired = \"end\" }}"
                );
                path.push(format!("{member}:approve"));
            }
        }
    }
    let made: Vec<String> = artefacts.iter().map(|name| format!("{name} = {{ schema = \"{schema}\" }}")).collect();
    let start = seats.first().map_or("", |(member, _)| member);
    let steps = 20 * seats.len();
    let text = format!(
        "#:schema ../.schema/topology.json\nschema_version = 1\ndescription = \"Say in one sentence what {name} is for.\"\n\
         params = {{ topic = {{ type = \"string\", default = \"what is new\", description = \"what it is about\" }} }}\n\
         budget = {{ steps = {steps}, tokens = 200_000, cost_usd = 2.00, active_time = \"1h\" }}\n\n\
         [artefacts]\n{}\n\n[team]\n{team}\n[handoffs]\nstart = \"{start}\"\n{handoffs}",
        made.join("\n")
    );
    let test = match is_whole {
        true => format!("\n[[test]]\nname = \"it goes through\"\nstatus = \"done\"\npath = [{}]\n", listed(&path)),
        false => String::new(),
    };
    let script = format!(
        "#:schema ../.schema/rehearsal.json\n# What each model says when none runs; of several pieces for one member, the first \
         whose `when` holds.\nschema_version = 1\n{script}{test}"
    );
    vec![(format!("topologies/{name}.toml"), text), (format!("rehearsals/{name}.toml"), script)]
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

/// The table of a new tool that needs no file: what is to be put into `callsheet.toml`.
/// `asked` is a query of the project that an audience can come from, if it has one.
pub fn tool(name: &str, kind: &str, asked: Option<&str>) -> Option<String> {
    let audience = asked.map_or_else(
        || {
            "audience = \"NAME.query\"    # put the name of a tool of kind sql here, whose query gives the addresses"
                .to_owned()
        },
        |asked| format!("audience = {asked:?}    # the tool whose query gives the addresses"),
    );
    let email = format!(
        "from = \"news@example.com\"\nreply_to = \"hello@example.com\"\npostal_address = \"Your shop, its street, its town\"\n\
         unsubscribe_url = \"https://www.example.com/unsubscribe\"\n{audience}"
    );
    let (what, rest) = match kind {
        "documents" => (
            "search and read for agents, over Markdown, text, HTML, DOCX and PDF files",
            "root = \"data\"    # a folder of the project",
        ),
        "webhook" => (
            "post, which sends to one address what a person approved",
            "url = \"https://example.com/hook\"    # put your address here; docs/connectors.md has signatures and channels",
        ),
        "http" => (
            "get, which reads pages of the servers that you name",
            "hosts = [\"www.example.com\"]    # put the names of your servers here; docs/connectors.md shows endpoints of an API",
        ),
        "mcp" => (
            "tools of an MCP server, each as you name it here",
            "command = [\"your-mcp-server\"]    # put the command that starts your server here\n\
             # No agent has any of its tools yet. Look at what it lists, which prints the lines to paste for each tool:\n\
             #   callsheet mcp inspect NAME",
        ),
        "postgres" => (
            "query, which reads a PostgreSQL database by the queries below",
            "# The variable that holds the address. Set it before you start callsheet:\n\
             #   export DATABASE_URL=postgresql://role:password@host:5432/database\n\
             url_env = \"DATABASE_URL\"\n\n\
             # This query works in every database. Put your own questions in its place, after a look at what there is:\n\
             #   callsheet data inspect NAME\n\
             [tools.NAME.queries.tables]\ndescription = \"The tables that there are, each with its schema.\"\n\
             sql = \"SELECT table_schema, table_name FROM information_schema.tables \
             WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2\"",
        ),
        "files" => (
            "list and read for agents, and publish, which writes what a person approved to out/",
            "root = \"data\"    # a folder of the project",
        ),
        "sink" => {
            ("deliver, which notes each item in a record and reaches nobody: for tests", "record = \"sink.jsonl\"")
        }
        "email" => (
            "deliver, which writes one .eml a mail and audience.csv to out/; with [tools.NAME.smtp] it sends them",
            email.as_str(),
        ),
        _ => return None,
    };
    Some(format!(
        "\n# {name}: {what}.\n[tools.{name}]\nkind = \"{kind}\"\n{}\n",
        rest.replace("tools.NAME", &format!("tools.{name}")).replace("inspect NAME", &format!("inspect {name}"))
    ))
}
