//! `callsheet completions`: what a shell completes, made of the command line itself.

use clap::Command;
use clap_complete::Shell;

use super::exit::{Exit, Stop};
use super::paint::{raw, say};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    shell: Kind,
}

/// The shells that there are completions for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    Bash,
    Zsh,
    Fish,
}

/// Prints them for the whole command line, `of`.
pub(super) fn completions(args: &Args, mut of: Command) -> Result<Exit, Stop> {
    let (shell, hint) = match args.shell {
        Kind::Bash => (Shell::Bash, "source <(callsheet completions bash)    # in ~/.bashrc"),
        Kind::Zsh => (Shell::Zsh, "source <(callsheet completions zsh)    # in ~/.zshrc, after compinit"),
        Kind::Fish => (Shell::Fish, "callsheet completions fish > ~/.config/fish/completions/callsheet.fish"),
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut of, "callsheet", &mut script);
    raw(String::from_utf8_lossy(&script).trim_end());
    if super::paint::is_terminal() {
        say(format!("to use it: {hint}"));
    }
    Ok(Exit::Done)
}
