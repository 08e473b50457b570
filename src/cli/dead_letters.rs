//! `callsheet dead-letters`: messages that could not be handled, and what becomes of them.

use serde_json::json;

use super::exit::{Exit, Stop};
use super::paint::{self, Block, out, say, table};
use super::session::Session;
use super::story::Bodies;
use crate::id::MessageId;
use crate::run::event::DeadLetterAnswer;
use crate::run::input::Say;
use crate::run::view::why::letter_text;
use crate::topology::plan::Recipient;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run; the newest if none is given
    run: Option<u64>,
    /// Hand this message to its agent again, such as m3
    #[arg(long, value_name = "MESSAGE", conflicts_with_all = ["discard", "stop"])]
    retry: Option<String>,
    /// Drop this message
    #[arg(long, value_name = "MESSAGE", conflicts_with = "stop")]
    discard: Option<String>,
    /// End the run as failed because of this message
    #[arg(long, value_name = "MESSAGE")]
    stop: Option<String>,
    /// As NDJSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn dead_letters(session: &Session, args: Args) -> Result<Exit, Stop> {
    let store = session.store()?;
    let row = session.row(store.as_ref(), args.run)?;
    let answers = [
        (&args.retry, DeadLetterAnswer::Retry),
        (&args.discard, DeadLetterAnswer::Discard),
        (&args.stop, DeadLetterAnswer::Stop),
    ];
    for (message, answer) in answers {
        if let Some(message) = message {
            let message = number(message)?;
            return session.act(&row, Say::DeadLetter { message, answer }).await;
        }
    }
    let state = session.load(store.as_ref(), &row)?.state;
    let texts = Bodies::new(store, row.id);
    let (mut cells, mut details) = (Vec::new(), Vec::new());
    for (id, letter) in &state.dead {
        let to = match &letter.message.to {
            Recipient::Member(agent) => agent.to_string(),
            Recipient::End => "end".to_owned(),
        };
        let reason = letter_text(&state, &texts, letter);
        if args.json {
            paint::json(&json!({ "message": id.to_string(), "to": to, "class": letter.class, "reason": reason }));
        }
        let (first, more) = reason.split_once('\n').unwrap_or((&reason, ""));
        if !more.is_empty() {
            details.push(format!("{id}:\n{more}"));
        }
        cells.push(vec![id.to_string(), to, letter.class.word().to_owned(), first.to_owned()]);
    }
    if args.json {
        return Ok(Exit::Done);
    }
    if cells.is_empty() {
        say(format!("run {} has no dead letters", row.no));
        return Ok(Exit::Done);
    }
    out(table(&["message", "to", "class", "reason"], cells));
    for detail in details {
        out(format!("\n{}", Block(&detail)));
    }
    say(format!(
        "mend the cause outside (data, a folder, a connection: the run keeps the files that it was started with), then: \
         callsheet dead-letters {} --retry MESSAGE (or --discard, --stop)",
        row.no
    ));
    Ok(Exit::Waiting)
}

fn number(text: &str) -> Result<MessageId, Stop> {
    let digits = text.strip_prefix('m').unwrap_or(text);
    let wrong = |_| Stop::input(format!("{text} is no message; they are numbered like m3"));
    digits.parse().map(MessageId).map_err(wrong)
}
