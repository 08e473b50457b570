//! `callsheet explain`: what a fault's code means, with a wrong and a right example.

use super::exit::{Exit, Stop};
use super::paint::{out, prose};
use crate::topology::code::Code;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Such as E012; without one, all codes are listed
    code: Option<String>,
}

pub(super) fn explain(args: &Args) -> Result<Exit, Stop> {
    let Some(wanted) = &args.code else {
        Code::ALL.iter().for_each(|code| out(format!("{}  {}", code.as_str(), code.title())));
        return Ok(Exit::Done);
    };
    let found = Code::ALL.iter().find(|code| code.as_str().eq_ignore_ascii_case(wanted));
    let code =
        found.ok_or_else(|| Stop::input(format!("there is no code {wanted}; `callsheet explain` lists them")))?;
    let text = code.explain();
    prose(format!("{}: {}\n{}", code.as_str(), code.title(), text.split_once('\n').map_or("", |(_, text)| text)));
    Ok(Exit::Done)
}
