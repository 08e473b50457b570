//! `callsheet dead-letters`: messages that could not be handled, and what becomes of them.

use super::exit::{Exit, Stop};
use super::paint::{self, Block, out, say, table};
use super::session::Session;
use crate::id::{MessageId, RunNo};
use crate::run::event::DeadLetterAnswer;
use crate::run::input::Say;
use crate::service::letter::letters;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run; the newest if none is given
    run: Option<u64>,
    /// Hands this message to its agent again, such as m3
    #[arg(long, value_name = "MESSAGE", conflicts_with_all = ["discard", "stop"])]
    retry: Option<String>,
    /// Drops this message
    #[arg(long, value_name = "MESSAGE", conflicts_with = "stop")]
    discard: Option<String>,
    /// Ends the run as failed because of this message
    #[arg(long, value_name = "MESSAGE")]
    stop: Option<String>,
    /// Prints NDJSON: one JSON object for each message
    #[arg(long)]
    json: bool,
}

pub(super) async fn dead_letters(session: &Session, args: Args) -> Result<Exit, Stop> {
    let project = &session.project;
    let mut story = project.read(project.run(args.run.map(RunNo))?)?;
    let answers = [
        (&args.retry, DeadLetterAnswer::Retry),
        (&args.discard, DeadLetterAnswer::Discard),
        (&args.stop, DeadLetterAnswer::Stop),
    ];
    for (message, answer) in answers {
        if let Some(message) = message {
            let message = number(message)?;
            return session.act(&mut story, Say::DeadLetter { message, answer }).await;
        }
    }
    let (mut cells, mut details) = (Vec::new(), Vec::new());
    for letter in letters(&story) {
        if args.json {
            paint::json(&letter);
        }
        let (first, more) = letter.reason.split_once('\n').unwrap_or((&letter.reason, ""));
        if !more.is_empty() {
            details.push(format!("{}:\n{more}", letter.message));
        }
        cells.push(vec![
            letter.message.to_string(),
            letter.to.clone(),
            letter.class.word().to_owned(),
            first.to_owned(),
        ]);
    }
    if args.json {
        return Ok(Exit::Done);
    }
    if cells.is_empty() {
        say(format!("run {} has no dead letters", story.row.no));
        return Ok(Exit::Done);
    }
    out(table(&["message", "to", "class", "reason"], cells));
    for detail in details {
        out(format!("\n{}", Block(&detail)));
    }
    say(format!(
        "mend the cause, such as data, a folder or a connection (the run keeps the topology, agents and script that it started \
         with), then type: callsheet dead-letters {} --retry MESSAGE (or --discard, --stop)",
        story.row.no
    ));
    Ok(Exit::Waiting)
}

fn number(text: &str) -> Result<MessageId, Stop> {
    let digits = text.strip_prefix('m').unwrap_or(text);
    let wrong = |_| Stop::input(format!("{text} is no message; they are numbered like m3"));
    digits.parse().map(MessageId).map_err(wrong)
}
