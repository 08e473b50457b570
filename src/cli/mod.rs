//! The command line: one file for each command, under one enum that delegates.

mod approvals;
mod audit;
mod check;
mod completions;
mod control;
mod dead_letters;
mod decide;
mod doctor;
mod edit;
pub mod exit;
mod explain;
mod hint;
mod init;
mod messages;
mod new;
pub mod paint;
mod prompt;
mod record;
mod rehearse;
mod rendered;
mod review;
mod run;
mod runs;
mod schema;
mod session;
mod show;
mod single;
mod story;
mod test;
mod times;
mod tools;
mod trace;
mod watch;
mod writing;

use clap::{CommandFactory as _, Parser, Subcommand};

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
    Init(init::Args),
    /// Adds an agent, a topology, a schema or a tool
    New(new::Args),
    /// Runs a topology, tells what happens, and asks where a person decides
    Run(run::Args),
    /// Rehearses: one run, every way that it can go (--all), or a kill at every boundary (--crash)
    Rehearse(rehearse::Args),
    /// Checks topologies: every fault at once, nothing is started
    Check(check::Args),
    /// Shows what each tool takes, how it is called, and who uses it
    Tools(tools::Args),
    /// Tries one agent on one message, with all that it is shown
    Try(single::Args),
    /// Explains a fault's code
    Explain(explain::Args),
    /// Runs the tests of the rehearsals
    Test(test::Args),
    /// Lists runs
    Runs(runs::Args),
    /// Shows a run: state, spending, agents, artefacts
    Show(show::Args),
    /// Shows what the agents of a run said and did
    Messages(messages::Args),
    /// Draws a run as a sequence diagram
    Trace(trace::Args),
    /// Lists what waits for a person
    Approvals(approvals::Args),
    /// Shows what would leave, to whom, on what evidence
    Review(review::Args),
    /// Approves exactly what `review` shows, and drives the run on
    Approve(decide::Args),
    /// Puts a version of your own in place of a draft; it is approved anew
    Edit(edit::Args),
    /// Asks for another draft
    RequestChanges(decide::Args),
    /// Rejects it
    Reject(decide::Args),
    /// Says whether an outward act that is in doubt happened
    Settle(decide::SettleArgs),
    /// Takes a run up where it stopped; with new limits if you give some
    Resume(control::ResumeArgs),
    /// Begins nothing new in a run
    Pause(control::Args),
    /// Ends a run
    Cancel(control::Args),
    /// Lists messages that could not be handled, and says what becomes of them
    DeadLetters(dead_letters::Args),
    /// Verifies the journal, or exports a checkpoint of it
    Audit(audit::Args),
    /// Prints the editors' JSON Schemas, or writes them to a folder
    Schema(schema::Args),
    /// Says what was found, which value won, what is missing
    Doctor(doctor::Args),
    /// Prints what a shell needs to complete commands and options
    Completions(completions::Args),
}

/// Runs the command line and says how it ended.
pub async fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            if !error.use_stderr() {
                let _ = error.print();
                return Exit::Done;
            }
            // It quotes what was typed, which may be text of others.
            say(error.render().to_string().trim_end());
            return Exit::Input;
        }
    };
    match dispatch(cli).await {
        Ok(exit) => exit,
        Err(stop) => {
            if !stop.text.is_empty() {
                say(format!("{} {}", toned(Tone::Bad, "error:"), Block(&stop.text)));
            }
            stop.exit
        }
    }
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
        _ => {}
    }
    let session = Session::open(&cli.common)?;
    match cli.command {
        Command::Run(args) => run::run(&session, args).await,
        Command::Rehearse(args) => rehearse::rehearse(&session, args).await,
        Command::New(args) => new::new(&session, &args),
        Command::Tools(args) => tools::tools(&session, &args),
        Command::Try(args) => single::single(&session, &args).await,
        Command::Test(args) => test::test(&session, &args).await,
        Command::Runs(args) => runs::runs(&session, &args),
        Command::Show(args) => show::show(&session, &args),
        Command::Messages(args) => messages::messages(&session, &args).await,
        Command::Trace(args) => trace::trace(&session, &args),
        Command::Approvals(args) => approvals::approvals(&session, &args),
        Command::Review(args) => review::review(&session, &args),
        Command::Approve(args) => decide::decide(&session, args, crate::run::event::Decision::Approve).await,
        Command::RequestChanges(args) => {
            decide::decide(&session, args, crate::run::event::Decision::RequestChanges).await
        }
        Command::Reject(args) => decide::decide(&session, args, crate::run::event::Decision::Reject).await,
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
