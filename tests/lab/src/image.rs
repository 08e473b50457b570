//! What a disk may hold after the power went: all that was synced, and any part of the rest, in pieces of a sector.
//! A failed sync leaves what it was to write in doubt for ever: the system may have dropped it and called it clean.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::disk::Event;
use crate::random::Random;

/// Bytes that a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// Files by name.
pub type Files = BTreeMap<Arc<str>, Vec<u8>>;

/// A disk in the course of a log.
#[derive(Debug, Clone)]
pub struct Course {
    // What every image begins with; what is open comes on top, in order.
    synced: Files,
    open: Vec<(Event, Standing)>,
    acknowledged: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Unsynced,
    InDoubt,
    // Synced, over something in doubt.
    Synced,
}

/// Which of the open operations an image has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// None.
    None,
    /// All.
    All,
    /// All, of the last write only the first half of its sectors.
    LastTorn,
    /// All but the last.
    AllButLast,
    /// As the seed says, whole or torn.
    Seed(u64),
}

impl Course {
    /// Begins with files that are safe.
    pub fn new(synced: Files) -> Self {
        Self { synced, open: Vec::new(), acknowledged: 0 }
    }

    /// Goes one event on.
    pub fn step(&mut self, event: &Event) {
        match event {
            Event::Acknowledged(groups) => self.acknowledged = *groups,
            Event::Sync(file) => {
                self.turn(file, Standing::Synced);
                self.settle(file);
            }
            Event::SyncFailed(file) => self.turn(file, Standing::InDoubt),
            other => self.open.push((other.clone(), Standing::Unsynced)),
        }
    }

    /// Groups that are acknowledged by now.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged
    }

    /// Operations that an image may have or not.
    pub fn undecided(&self) -> usize {
        self.open.iter().filter(|(_, standing)| *standing != Standing::Synced).count()
    }

    /// One of the images that the disk may hold now.
    pub fn image(&self, keep: Keep) -> Files {
        let mut files = self.synced.clone();
        let mut random = Random::new(if let Keep::Seed(seed) = keep { seed } else { 0 });
        // From images with almost nothing to images with almost all.
        let eighths = 1 + random.below(7);
        let last = self.open.iter().rposition(|(_, standing)| *standing != Standing::Synced);
        for (place, (event, standing)) in self.open.iter().enumerate() {
            let is_last = Some(place) == last;
            let sectors: &mut dyn FnMut(usize, usize) -> bool = match keep {
                _ if *standing == Standing::Synced => &mut |_, _| true,
                Keep::None => continue,
                Keep::AllButLast if is_last => continue,
                Keep::LastTorn if is_last => &mut |sector, of| sector < of / 2,
                Keep::All | Keep::AllButLast | Keep::LastTorn => &mut |_, _| true,
                Keep::Seed(_) if random.below(4) == 0 => &mut |_, _| random.below(2) == 0,
                Keep::Seed(_) if random.below(8) < eighths => &mut |_, _| true,
                Keep::Seed(_) => continue,
            };
            apply(&mut files, event, sectors);
        }
        files
    }

    fn turn(&mut self, file: &str, into: Standing) {
        for (event, standing) in &mut self.open {
            if file_of(event) == Some(file) && *standing == Standing::Unsynced {
                *standing = into;
            }
        }
    }

    // What is synced and has nothing in doubt before it in its file is part of every image.
    fn settle(&mut self, file: &str) {
        let mut is_in_doubt = false;
        let synced = &mut self.synced;
        self.open.retain(|(event, standing)| {
            if file_of(event) != Some(file) {
                return true;
            }
            is_in_doubt |= *standing == Standing::InDoubt;
            if !is_in_doubt {
                apply(synced, event, &mut |_, _| true);
            }
            is_in_doubt
        });
    }
}

/// Puts `files` where the journal is looked for, and nothing else beside them.
pub fn lay_out(files: &Files, folder: &Path) -> std::io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("journal.db{suffix}");
        match files.get(name.as_str()) {
            Some(bytes) => std::fs::write(folder.join(name), bytes)?,
            None => match std::fs::remove_file(folder.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            },
        }
    }
    Ok(())
}

/// A number that two different images hardly share.
pub fn fingerprint(files: &Files) -> u64 {
    let mut sum = 0xcbf2_9ce4_8422_2325_u64;
    let mut mix = |word: u64| sum = (sum ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
    for (name, bytes) in files {
        mix(name.len() as u64);
        mix(bytes.len() as u64);
        for word in bytes.chunks(8) {
            let mut whole = [0; 8];
            whole[..word.len()].copy_from_slice(word);
            mix(u64::from_le_bytes(whole));
        }
    }
    sum
}

fn file_of(event: &Event) -> Option<&str> {
    match event {
        Event::Write { file, .. } | Event::Truncate { file, .. } => Some(file),
        Event::Sync(file) | Event::SyncFailed(file) | Event::Delete(file) => Some(file),
        Event::Acknowledged(_) => None,
    }
}

fn apply(files: &mut Files, event: &Event, has_sector: &mut dyn FnMut(usize, usize) -> bool) {
    match event {
        Event::Write { file, at, bytes } => {
            let content = files.entry(Arc::clone(file)).or_default();
            let (first, end) = (at / SECTOR_BYTES, (at + bytes.len()).div_ceil(SECTOR_BYTES));
            for sector in first..end {
                if !has_sector(sector - first, end - first) {
                    continue;
                }
                let from = at.max(&(sector * SECTOR_BYTES)).to_owned();
                let to = (at + bytes.len()).min((sector + 1) * SECTOR_BYTES);
                if content.len() < to {
                    content.resize(to, 0);
                }
                content[from..to].copy_from_slice(&bytes[from - at..to - at]);
            }
        }
        Event::Truncate { file, size } if has_sector(0, 1) => {
            files.entry(Arc::clone(file)).or_default().resize(*size, 0);
        }
        Event::Delete(file) if has_sector(0, 1) => {
            files.remove(file);
        }
        _ => {}
    }
}
