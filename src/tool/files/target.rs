//! The folder of a project that published files go into, beside files of others: each is there whole or not at all, under the
//! name that was approved, and nothing is written over. What was put there is noted beside the journal, so that the folder holds
//! nothing but content, and so that whatever was done to a file since, it is known that it was put there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::open::Ground;
use super::super::part::args::permanent;
use super::super::part::beneath;
use super::super::part::disk::{Disk, Machine, sync_folder};
use super::super::part::outbox::{file_name, names, unreadable};
use super::super::part::record::{self, Line, Record, not_written, sha256};
use super::super::{Approved, Item, Wrong};
use crate::failure::{Class, Failure};
use crate::file::words;
use crate::run::body::Receipt;
use crate::topology::code::Code;

/// Its record, below the folder that sinks keep their records in.
const RECORD: &str = ".callsheet/published.jsonl";

/// A folder that is published into.
#[derive(Clone)]
pub struct Target {
    project: Arc<Path>,
    /// As the table names it.
    pub(super) folder: String,
    record: Arc<Path>,
}

impl Target {
    /// The folder of this name, whether it is there or not.
    ///
    /// # Errors
    /// If it is no path below the project.
    pub fn new(folder: &str, ground: &Ground<'_>) -> Result<Self, String> {
        beneath::plain(folder).map_err(|why| why.to_string())?;
        Ok(Self { project: ground.root.into(), folder: folder.to_owned(), record: ground.records.join(RECORD).into() })
    }

    /// What is wrong with it, for `check`.
    pub(super) fn wrong(&self) -> Vec<Wrong> {
        missing(&self.project, "publish_to", &self.folder)
    }

    /// The items under names that are free now. If the folder cannot be looked at, they stay as they are, and it is told when
    /// they are put there.
    pub(super) fn free(&self, mut items: Vec<Item>) -> Vec<Item> {
        let Ok(real) = self.real() else { return items };
        for nth in 0..items.len() {
            let is_free =
                |name: &String| !is_there(&real.join(name)) && !items[..nth].iter().any(|other| other.key == *name);
            let found = names(&items[nth].key).find(is_free);
            items[nth].key = found.unwrap_or_else(|| items[nth].key.clone());
        }
        items
    }

    /// Puts the item there and notes it.
    ///
    /// # Errors
    /// Permanent or transient if nothing was put there; in doubt if it may be there and is not noted.
    pub fn put(&self, approved: &Approved) -> Result<Receipt, Failure> {
        self.put_on(&Machine, approved)
    }

    /// [`Target::put`] on `disk`.
    ///
    /// # Errors
    /// As [`Target::put`].
    pub fn put_on(&self, disk: &dyn Disk, approved: &Approved) -> Result<Receipt, Failure> {
        let name = file_name(&approved.item.key)?;
        let real = self.real()?;
        let mut record = self.take(disk, approved)?;
        if let Some(receipt) = self.known(approved, &real)? {
            return Ok(receipt);
        }
        // Whoever waited for the record may have waited too long.
        approved.deadline.check()?;
        let (path, place) = (real.join(name), self.place(name));
        if is_there(&path) {
            return Err(taken(&place));
        }
        let line = Line { file: Some(place.clone()), ..Line::of(approved) };
        let draft = draft(approved, &real);
        let failed = |why: io::Error| not_written(Path::new(&place), &why);
        // What is about to happen is noted first: from its bytes alone, a file that is there could be somebody else's.
        record.append(disk, &Line { intended: true, ..line.clone() }).map_err(failed)?;
        let written = disk.write(&draft, &approved.item.bytes).and_then(|file| disk.sync(&file, &draft));
        let named = written.and_then(|()| disk.link(&draft, &path));
        // One that is left behind is hidden and harmless.
        let _ = fs::remove_file(&draft);
        named.map_err(|why| if why.kind() == io::ErrorKind::AlreadyExists { taken(&place) } else { failed(why) })?;
        sync_folder(disk, &real).and_then(|()| record.append(disk, &line)).map_err(|why| {
            Failure::new(Class::InDoubt, format!("{place} is written, but not noted in {RECORD}: {}", words(&why)))
        })?;
        Ok(self.receipt(&line))
    }

    /// Whether [`Target::put`] put the item there.
    ///
    /// # Errors
    /// If the folder or the record cannot be read.
    pub fn find(&self, approved: &Approved) -> Result<Option<Receipt>, Failure> {
        self.known(approved, &self.real()?)
    }

    /// What is known of the item: it is noted as put there; or it was about to be (a crash came between the two), and what is there
    /// under its name is what was approved.
    fn known(&self, approved: &Approved, real: &Path) -> Result<Option<Receipt>, Failure> {
        let failed = |why: io::Error| unreadable(&self.record, &why);
        let lines = record::about(&self.record, approved.effect).map_err(failed)?;
        if let Some(line) = lines.iter().find(|line| !line.intended) {
            return Ok(Some(self.receipt(line)));
        }
        let Some(line) = lines.first() else { return Ok(None) };
        let path = real.join(file_name(&approved.item.key)?);
        let is_file = path.symlink_metadata().is_ok_and(|of| of.is_file());
        if !is_file || sha256(&fs::read(&path).map_err(|why| unreadable(&path, &why))?) != line.digest {
            return Ok(None);
        }
        // Another run's, that came in between.
        let others = |other: Line| (!other.intended && other.file == line.file).then_some(());
        if record::find(&self.record, others).map_err(failed)?.is_some() {
            return Ok(None);
        }
        // A crash may have left it.
        let _ = fs::remove_file(draft(approved, real));
        Ok(Some(self.receipt(line)))
    }

    /// The folder itself, which has to lie in the project.
    fn real(&self) -> Result<PathBuf, Failure> {
        let real = beneath::existing(&self.project, &self.folder)
            .map_err(|why| permanent(format!("nothing is published: {why}")))?;
        if real.is_dir() {
            Ok(real)
        } else {
            Err(permanent(format!("nothing is published: {} is no folder", self.folder)))
        }
    }

    fn take(&self, disk: &dyn Disk, approved: &Approved) -> Result<Record, Failure> {
        let is_new = !self.record.exists();
        let folder = self.record.parent().unwrap_or(Path::new(""));
        let failed = |why: io::Error| not_written(&self.record, &why);
        fs::create_dir_all(folder).map_err(failed)?;
        let record = Record::take(&self.record, &approved.deadline)?;
        if is_new {
            let above = [Some(folder), folder.parent()];
            above.into_iter().flatten().try_for_each(|folder| sync_folder(disk, folder)).map_err(failed)?;
        }
        Ok(record)
    }

    fn place(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    fn receipt(&self, line: &Line) -> Receipt {
        let place = line.file.clone().unwrap_or_else(|| self.place(&line.key));
        Receipt { sha256: Some(line.digest), ..Receipt::at(place) }
    }
}

/// What is wrong with the folder that `key` names, if it is not there.
pub(super) fn missing(project: &Path, key: &str, folder: &str) -> Vec<Wrong> {
    let told = |what: String| Wrong::at(&[key], Code::MissingFile, what);
    let wrong = match beneath::existing(project, folder) {
        Err(beneath::Error::Unreadable { why, .. }) if why.kind() == io::ErrorKind::NotFound => {
            let wrong = told(format!("there is no folder {folder}"));
            wrong.instead(format!("make {folder}, or name another folder")).near(project, folder)
        }
        Err(why) => told(why.to_string()),
        Ok(real) if !real.is_dir() => told(format!("{folder} is no folder")).instead("name a folder"),
        Ok(_) => return Vec::new(),
    };
    vec![wrong]
}

/// The file before it has its name, called by its effect: two attempts of one effect do not run at once, two effects do not meet.
fn draft(approved: &Approved, real: &Path) -> PathBuf {
    real.join(format!(".{}.part", &approved.effect.to_string()[..32]))
}

/// Whether anything has this name, a link that leads nowhere, too.
fn is_there(path: &Path) -> bool {
    !path.symlink_metadata().is_err_and(|why| why.kind() == io::ErrorKind::NotFound)
}

fn taken(place: &str) -> Failure {
    permanent(format!("{place} is there already, and nothing is written over: move it away, and try again"))
}
