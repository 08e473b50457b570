//! The files of a project that no team uses: which they are, and what is wrong with each by itself.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::config::Folder;
use crate::topology::check::{Files, ReadError, Surroundings, alone};
use crate::topology::fault::Faults;

/// Where such files are, and how they end.
const KINDS: [(&str, &str); 3] = [("agents", ".toml"), ("schemas", ".json"), ("rehearsals", ".toml")];

/// A project's folder, and what was read of it.
pub struct Seen {
    folder: Folder,
    read: RefCell<BTreeSet<String>>,
}

impl Seen {
    /// Of which nothing was read yet.
    pub fn new(folder: Folder) -> Self {
        Self { folder, read: RefCell::default() }
    }
}

impl Files for Seen {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        self.read.borrow_mut().insert(path.to_owned());
        self.folder.read(path)
    }

    fn names(&self, folder: &str) -> Vec<String> {
        self.folder.names(folder)
    }
}

/// The files that were not read when all teams were checked, by path, with what is wrong with them.
pub fn unused(files: &Seen, around: &Surroundings) -> Vec<(String, Faults)> {
    let paths = KINDS.into_iter().flat_map(|(folder, ending)| {
        let mut names = files.names(folder);
        names.sort();
        names.into_iter().filter(move |name| name.ends_with(ending)).map(move |name| format!("{folder}/{name}"))
    });
    let unread: Vec<String> = paths.filter(|path| !files.read.borrow().contains(path)).collect();
    unread.into_iter().map(|path| (path.clone(), alone(&path, files, around))).collect()
}
