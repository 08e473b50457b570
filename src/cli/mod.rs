//! The command line: one file for each command, under one enum that delegates.

mod accepted;
mod answer;
mod approvals;
mod argument;
mod audit;
mod changes;
mod check;
mod claim;
mod comment;
mod completions;
mod control;
mod data;
mod dead_letters;
mod decide;
mod doctor;
mod edit;
pub mod exit;
mod explain;
mod fill;
mod follow;
mod hint;
mod init;
mod layout;
mod mcp;
mod messages;
mod missing;
mod new;
mod note;
mod observe;
pub mod paint;
mod pasted;
mod prompt;
mod record;
mod rehearse;
mod rendered;
mod results;
mod review;
mod run;
mod runs;
mod schema;
mod serve;
mod session;
mod sheet;
mod show;
mod single;
mod story;
mod test;
mod times;
mod tools;
mod trace;
mod triggers;
mod typed;
mod watch;
mod writing;

use clap::{CommandFactory as _, Parser, Subcommand};
use serde_json::json;

use exit::{Exit, Stop};
use paint::{Block, Tone, say, toned};
use session::{Common, Session};

/// Runs teams of agents that do marketing work: checked before they start, bounded while they run, provable after.
#[derive(Debug, Parser)]
#[command(name = "callsheet", version, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a project: from a template, or around a CSV file of yours
    #[command(after_help = "Example:\n  callsheet init --csv clicks.csv")]
    Init(init::Args),
    /// Adds an agent, a topology, a schema or a tool to the project
    #[command(after_help = "Example:\n  callsheet new agent critic")]
    New(new::Args),
    /// Runs a topology, tells what happens, and asks you where a person decides
    #[command(after_help = "Example:\n  callsheet run re-engagement -p quarter=2026-Q1")]
    Run(run::Args),
    /// Serves the page on which you start, watch and approve runs, and drives all runs of the project
    #[command(after_help = "Example:\n  callsheet serve")]
    Serve(serve::Args),
    /// Rehearses without models: one run, every way it can go (--all), or a kill at every boundary (--crash)
    #[command(after_help = "Example:\n  callsheet rehearse re-engagement --all")]
    Rehearse(rehearse::Args),
    /// Checks the project's files and tells every fault at once; it starts nothing
    #[command(after_help = "Example:\n  callsheet check --watch")]
    Check(check::Args),
    /// Shows what each tool takes, how an agent calls it, and who uses it
    #[command(
        after_help = "Examples:\n  callsheet tools performance.query\n  callsheet tools articles.read --call '{ path = \"ferns-in-winter.md\" }'"
    )]
    Tools(tools::Args),
    /// Shows what MCP servers list, and accepts it: agents get nothing that nobody has accepted
    #[command(after_help = "Example:\n  callsheet mcp inspect memory")]
    Mcp(mcp::Args),
    /// Shows what a database holds, and accepts it for models to see
    #[command(after_help = "Example:\n  callsheet data inspect shop")]
    Data(data::Args),
    /// Tries one agent on one message: shows all that it reads, and what it answers
    #[command(after_help = "Example:\n  callsheet try analyst --message \"Look at 2026-Q1.\"")]
    Try(single::Args),
    /// Explains the code of a fault, with a wrong example and a right one
    #[command(after_help = "Example:\n  callsheet explain E060")]
    Explain(explain::Args),
    /// Runs the tests that the rehearsals contain
    #[command(after_help = "Example:\n  callsheet test re-engagement")]
    Test(test::Args),
    /// Lists the runs, newest first
    #[command(after_help = "Example:\n  callsheet runs --status waiting")]
    Runs(runs::Args),
    /// Lists what starts runs by itself while serve runs: when it fires next, and what its last firing came to
    #[command(after_help = "Example:\n  callsheet triggers")]
    Triggers(triggers::Args),
    /// Shows a run: its state, what it spent, its agents, and the versions of its artefacts
    #[command(after_help = "Example:\n  callsheet show 1 --artefact sequence --version 1")]
    Show(show::Args),
    /// Shows what the agents of a run said and did
    #[command(after_help = "Example:\n  callsheet messages 1 --from critic")]
    Messages(messages::Args),
    /// Shows the runs on a screen that follows them: who is at work, what was said last, and what waits
    #[command(after_help = "Example:\n  callsheet watch")]
    Watch(observe::Args),
    /// Draws a run as a sequence diagram
    #[command(after_help = "Example:\n  callsheet trace 1 --format mermaid")]
    Trace(trace::Args),
    /// Lists what waits for a person's decision
    #[command(after_help = "Example:\n  callsheet approvals")]
    Approvals(approvals::Args),
    /// Shows what would leave, to whom, what changed, and the evidence it rests on
    #[command(after_help = "Example:\n  callsheet review 1")]
    Review(review::Args),
    /// Approves exactly what `review` shows, and lets the run go on
    #[command(after_help = "Example:\n  callsheet approve 1")]
    Approve(decide::ApproveArgs),
    /// Answers a question that an agent or the team asks of you
    #[command(
        after_help = "Examples:\n  callsheet answer 1 --outcome known goal='300 readers'\n  callsheet answer 2 -m \"For the newsletter.\""
    )]
    Answer(answer::Args),
    /// Lets you write your own version of a draft; it is then approved anew
    #[command(after_help = "Example:\n  callsheet edit 1")]
    Edit(edit::Args),
    /// Asks the agents for another draft and tells them why
    #[command(after_help = "Example:\n  callsheet request-changes 1 -m \"Warmer, please.\"")]
    RequestChanges(decide::RequestArgs),
    /// Rejects what waits, and tells why
    #[command(after_help = "Example:\n  callsheet reject 1 -m \"We do not write to them this month.\"")]
    Reject(decide::Args),
    /// Says that you are working on something that waits; others see that, and may still decide
    #[command(after_help = "Example:\n  callsheet claim 1")]
    Claim(claim::Args),
    /// Asks somebody else to decide what waits, and says why
    #[command(after_help = "Example:\n  callsheet delegate 1 --to ben -m \"It is his campaign.\"")]
    Delegate(claim::DelegateArgs),
    /// Lists the comments on versions of artefacts, and how they stand
    #[command(after_help = "Example:\n  callsheet comments 1")]
    Comments(comment::ListArgs),
    /// Comments on a version, or on a part of it; with --blocking nobody approves that until it is resolved
    #[command(
        after_help = "Example:\n  callsheet comment 1 sequence --at /mails/0/subject --blocking -m \"Too loud, @ben.\""
    )]
    Comment(comment::Args),
    /// Answers a comment
    #[command(after_help = "Example:\n  callsheet reply 1 c1 -m \"It is the brand's tone.\"")]
    Reply(comment::ReplyArgs),
    /// Settles a comment: it stops nothing any more
    #[command(after_help = "Example:\n  callsheet resolve 1 c1 -m \"Agreed with ben.\"")]
    Resolve(comment::ResolveArgs),
    /// Says whether something left, where Callsheet could not find out
    #[command(after_help = "Example:\n  callsheet settle 2 --did-not")]
    Settle(decide::SettleArgs),
    /// Takes up a run where it stopped, with higher limits if you give some
    #[command(after_help = "Example:\n  callsheet resume 1 --steps 200")]
    Resume(control::ResumeArgs),
    /// Says something to a member of a run; its next turn is shown it, and it decides nothing
    #[command(after_help = "Example:\n  callsheet note 1 drafter \"Keep it under 120 words.\"")]
    Note(note::Args),
    /// Tells you how a run ends, where `[notify]` reaches you
    #[command(after_help = "Example:\n  callsheet follow 1")]
    Follow(follow::Args),
    /// Attaches a table of what came of a run, such as opens, clicks and revenue, also after its end; or shows what was attached
    #[command(after_help = "Examples:\n  callsheet results 1 opens.csv\n  callsheet results 1")]
    Results(results::Args),
    /// Pauses a run: it begins nothing new until you resume it
    #[command(after_help = "Example:\n  callsheet pause 1")]
    Pause(control::Args),
    /// Ends a run for good
    #[command(after_help = "Example:\n  callsheet cancel 1")]
    Cancel(control::Args),
    /// Lists messages that could not be handled, and does with them what you say
    #[command(after_help = "Example:\n  callsheet dead-letters 1 --retry m3")]
    DeadLetters(dead_letters::Args),
    /// Verifies that nobody changed the journal or a delivered file
    #[command(after_help = "Example:\n  callsheet audit verify 1")]
    Audit(audit::Args),
    /// Prints the JSON Schemas with which your editor completes the files, or writes them to a folder
    #[command(after_help = "Example:\n  callsheet schema --write .schema")]
    Schema(schema::Args),
    /// Shows which settings hold and where they come from, tries connections and models, and says what to mend
    #[command(after_help = "Example:\n  callsheet doctor --offline")]
    Doctor(doctor::Args),
    /// Prints what your shell needs to complete commands and options
    #[command(after_help = "Example:\n  callsheet completions bash")]
    Completions(completions::Args),
}

/// Runs the command line and says how it ended.
pub async fn main() -> Exit {
    if !crate::config::is_utf8() {
        paint::show_ascii_only();
    }
    // What it prints for programs is for programs when it fails, too.
    let for_programs = std::env::args_os().take_while(|arg| arg != "--").any(|arg| arg == "--json");
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            if !error.use_stderr() {
                let _ = error.print();
                return Exit::Done;
            }
            if for_programs {
                let text = error.render().to_string();
                refused(&Stop::input(text.trim_start_matches("error: ").trim_end()));
                return Exit::Input;
            }
            if let Some(text) = missing::named(&error, Cli::command()) {
                say(format!("{} {}", toned(Tone::Bad, "error:"), Block(&text)));
                return Exit::Input;
            }
            // It quotes what was typed, which may be text of others.
            say(error.render().to_string().trim_end());
            return Exit::Input;
        }
    };
    match dispatch(cli).await {
        Ok(exit) => exit,
        Err(stop) => {
            if for_programs {
                refused(&stop);
            } else if !stop.text.is_empty() {
                say(format!("{} {}", toned(Tone::Bad, "error:"), Block(&stop.text)));
            }
            stop.exit
        }
    }
}

/// Why a command did nothing, as a JSON object.
fn refused(stop: &Stop) {
    let error = if stop.faults.is_empty() { stop.text.as_str() } else { stop.text.lines().next().unwrap_or_default() };
    paint::json(&json!({ "error": error, "exit": stop.exit as u8, "faults": check::listed(&stop.faults) }));
}

async fn dispatch(cli: Cli) -> Result<Exit, Stop> {
    match &cli.command {
        Command::Explain(args) => return explain::explain(args),
        Command::Schema(args) => return schema::schema(args),
        Command::Init(args) => return init::init(args),
        Command::Completions(args) => return completions::completions(args, Cli::command()),
        Command::Check(args) if args.watch => return watch::watch(&cli.common, args).await,
        Command::Check(args) => {
            let (session, faults) = Session::look(&cli.common)?;
            return check::check(&session, faults, args);
        }
        // A file may lie in no project, or in one that has faults.
        Command::Data(args) if args.is_about_file() => {
            let session = Session::look(&cli.common).ok();
            return data::file(session.as_ref().map(|(session, _)| session), args);
        }
        _ => {}
    }
    let session = Session::open(&cli.common)?;
    match cli.command {
        Command::Run(args) => run::run(&session, args).await,
        Command::Serve(args) => serve::serve(&session, &args).await,
        Command::Rehearse(args) => rehearse::rehearse(&session, args).await,
        Command::New(args) => new::new(&session, &args),
        Command::Tools(args) => tools::tools(&session, &args).await,
        Command::Mcp(args) => mcp::mcp(&session, &args).await,
        Command::Data(args) => data::data(&session, &args).await,
        Command::Try(args) => single::single(&session, &args).await,
        Command::Test(args) => test::test(&session, &args).await,
        Command::Runs(args) => runs::runs(&session, &args),
        Command::Triggers(args) => triggers::triggers(&session, &args),
        Command::Show(args) => show::show(&session, &args),
        Command::Messages(args) => messages::messages(&session, &args).await,
        Command::Watch(args) => observe::watch(&session, &args).await,
        Command::Trace(args) => trace::trace(&session, &args),
        Command::Approvals(args) => approvals::approvals(&session, &args),
        Command::Review(args) => review::review(&session, &args),
        Command::Approve(args) => decide::approve(&session, args).await,
        Command::RequestChanges(args) => decide::request_changes(&session, args).await,
        Command::Claim(args) => claim::claim(&session, args).await,
        Command::Delegate(args) => claim::delegate(&session, args).await,
        Command::Comments(args) => comment::comments(&session, &args),
        Command::Comment(args) => comment::comment(&session, args).await,
        Command::Note(args) => note::note(&session, args).await,
        Command::Follow(args) => follow::follow(&session, args).await,
        Command::Results(args) => results::results(&session, args).await,
        Command::Reply(args) => comment::reply(&session, args).await,
        Command::Resolve(args) => comment::resolve(&session, args).await,
        Command::Reject(args) => decide::decide(&session, args, crate::run::event::Decision::Reject).await,
        Command::Answer(args) => answer::answer(&session, args).await,
        Command::Edit(args) => edit::edit(&session, args).await,
        Command::Settle(args) => decide::settle(&session, args).await,
        Command::Resume(args) => control::resume(&session, args).await,
        Command::Pause(args) => control::pause(&session, args).await,
        Command::Cancel(args) => control::cancel(&session, args).await,
        Command::DeadLetters(args) => dead_letters::dead_letters(&session, args).await,
        Command::Audit(args) => audit::audit(&session, &args),
        Command::Doctor(args) => doctor::doctor(&session, &args).await,
        Command::Check(_) | Command::Init(_) | Command::Explain(_) | Command::Schema(_) | Command::Completions(_) => {
            Ok(Exit::Done)
        }
    }
}
