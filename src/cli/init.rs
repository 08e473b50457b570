//! `callsheet init`: a project to begin with, in a folder that is empty. Nothing that is there is touched.

use std::path::{Path, PathBuf};

use super::exit::{Exit, Stop};
use super::paint::{Safe, out, say};
use super::schema;
use super::writing::write_new;
use crate::app::{self, editor_schemas};
use crate::file;
use crate::template::csv::{self, listed, word};
use crate::template::{self, File, IGNORED, Template};
use crate::topology::fault::nearest;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder of the project; `init` makes it if it is not there
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Begins with this project: minimal, re-engagement, content-repurposing or investigate
    #[arg(long, value_name = "NAME", conflicts_with = "csv")]
    template: Option<String>,
    /// Begins with a team that reads this CSV file of yours and writes a newsletter about it
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

/// Names that are told of those in the way.
const NAMES_SHOWN_MAX: usize = 8;
/// What may be in the folder all the same: a repository without a file.
const HARMLESS: &str = ".git";

/// A project to be written.
struct Project {
    files: Vec<File>,
    topology: &'static str,
    /// The person's data: where they are, and where they go.
    data: Option<(PathBuf, String)>,
    remarks: Vec<String>,
}

pub(super) fn init(args: &Args) -> Result<Exit, Stop> {
    let project = match (&args.csv, &args.template) {
        (Some(file), _) => of_csv(file)?,
        (None, name) => of_template(name.as_deref().unwrap_or(template::FIRST))?,
    };
    let root = &args.dir;
    let names = in_the_way(root, args.csv.as_deref())?;
    if !names.is_empty() {
        let shown: Vec<&str> = names.iter().take(NAMES_SHOWN_MAX).map(String::as_str).collect();
        let more = names.len().saturating_sub(shown.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        return Err(Stop::input(format!(
            "{} is not empty: {}{more} would stand among the new files\nname another folder: callsheet init DIR",
            root.display(),
            shown.join(", ")
        )));
    }
    let schemas = editor_schemas().into_iter().map(|(name, of)| (format!(".schema/{name}"), schema::text(of)));
    let ignored = (IGNORED.0.to_owned(), IGNORED.1.to_owned());
    let files = project.files.iter().map(|(path, text)| (path.clone(), in_zone(text)));
    for (path, text) in files.chain(schemas).chain([ignored]) {
        write_new(root, &path, text.as_bytes())?;
    }
    project.files.iter().for_each(|(path, _)| out(Safe(path)));
    if let Some((from, to)) = &project.data {
        let bytes = std::fs::read(from).map_err(|why| unread(from, &why))?;
        write_new(root, to, &bytes)?;
        out(format!("{} (a copy of {}, and what the team reads)", Safe(to), Safe(&from.display().to_string())));
    }
    project.remarks.iter().for_each(|remark| say(Safe(remark)));
    let go = if root == Path::new(".") { String::new() } else { format!("  cd {}\n", root.display()) };
    let run = format!("callsheet run {}", project.topology);
    say(format!(
        "\nNext:\n{go}  {:<32} every fault at once, or what is proved\n  {run:<32} a rehearsal: no model runs",
        "callsheet check"
    ));
    say(format!("  {:<32} the tests in rehearsals/", "callsheet test"));
    Ok(Exit::Done)
}

/// The text of a file in which times are shown as this machine shows them, if it names its zone.
fn in_zone(text: &str) -> String {
    let zone = jiff::tz::TimeZone::system();
    match zone.iana_name() {
        // Another name of the same.
        Some("Etc/UTC") | None => text.to_owned(),
        Some(name) => text.replace("\ntimezone = \"UTC\"\n", &format!("\ntimezone = \"{name}\"\n")),
    }
}

fn of_template(name: &str) -> Result<Project, Stop> {
    let Some(template) = Template::named(name) else {
        let names = template::TEMPLATES.iter().map(|template| template.name);
        let meant = nearest(name, names).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
        return Err(Stop::input(format!("there is no template {name}{meant}\nthere are:\n{}", listed())));
    };
    Ok(Project { files: template.files(), topology: template.topology, data: None, remarks: vec![] })
}

fn of_csv(from: &Path) -> Result<Project, Stop> {
    let name = from.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| Stop::input(format!("{} is no file's name", from.display())))?;
    file::regular(from).map_err(|why| unread(from, &why))?;
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let to = format!("data/{}.csv", word(stem));
    // The newsletter is published by a tool of this name.
    let table = match word(stem) {
        table if table == "letters" || table == "stats" => format!("{table}_data"),
        table => table,
    };
    let (csv, remarks) = app::csv_of(from, &to, &table).map_err(|why| {
        Stop::input(format!("{}: {why}\nmend the file, and try again; nothing was written", from.display()))
    })?;
    let form = csv.form.iter().map(|setting| format!("{to} is read with {setting}, as it seems to be written so"));
    let remarks = form.chain(remarks.into_iter().map(|remark| format!("{to}, {remark}"))).collect();
    Ok(Project { files: csv.files(), topology: csv::TOPOLOGY, data: Some((from.to_owned(), to)), remarks })
}

/// What is in the folder beside the CSV file that is to be read.
fn in_the_way(root: &Path, csv: Option<&Path>) -> Result<Vec<String>, Stop> {
    if !root.exists() {
        return Ok(vec![]);
    }
    let unread = |why| Stop::input(format!("{} is no folder that can be read: {}", root.display(), file::words(&why)));
    let csv = csv.and_then(|file| file.canonicalize().ok());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_csv = csv.is_some() && entry.path().canonicalize().ok() == csv;
        if name != HARMLESS && !is_csv {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn unread(file: &Path, why: &std::io::Error) -> Stop {
    Stop::input(format!("{} cannot be read: {}", file.display(), file::words(why)))
}
