//! Where the values of a JSON text are, by their pointers. The text has been parsed: what is no JSON is told by others.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::topology::pointer::below;

/// The places of a text's values and keys.
#[derive(Debug, Default)]
pub(super) struct Places {
    values: BTreeMap<String, Range<usize>>,
    keys: BTreeMap<String, Range<usize>>,
    /// Keys that an object has twice.
    pub(super) twice: Vec<(String, Range<usize>)>,
}

impl Places {
    pub(super) fn of(text: &str) -> Self {
        let mut places = Self::default();
        let mut scan = Scan { bytes: text.as_bytes(), at: 0 };
        places.value(&mut scan, String::new());
        places
    }

    /// Where the value is that a pointer leads to, or the nearest one around it.
    pub(super) fn value_at(&self, pointer: &str) -> Range<usize> {
        let mut pointer = pointer;
        loop {
            if let Some(span) = self.values.get(pointer) {
                return span.clone();
            }
            match pointer.rsplit_once('/') {
                Some((outer, _)) => pointer = outer,
                None => return 0..0,
            }
        }
    }

    /// Where the last key of a pointer is.
    pub(super) fn key_at(&self, pointer: &str) -> Range<usize> {
        self.keys.get(pointer).cloned().unwrap_or_else(|| self.value_at(pointer))
    }

    fn value(&mut self, scan: &mut Scan<'_>, pointer: String) {
        scan.blank();
        let start = scan.at;
        match scan.byte() {
            Some(b'{') => self.object(scan, &pointer),
            Some(b'[') => self.list(scan, &pointer),
            Some(b'"') => drop(scan.string()),
            _ => scan.plain(),
        }
        self.values.insert(pointer, start..scan.at);
    }

    fn object(&mut self, scan: &mut Scan<'_>, pointer: &str) {
        scan.at += 1;
        loop {
            scan.blank();
            match scan.byte() {
                Some(b'"') => {}
                Some(b',') => {
                    scan.at += 1;
                    continue;
                }
                Some(b'}') => return scan.at += 1,
                _ => return,
            }
            let key = scan.string();
            let name = String::from_utf8_lossy(&scan.bytes[key.clone()]).into_owned();
            let below = below(pointer, name.trim_matches('"'));
            if self.keys.insert(below.clone(), key.clone()).is_some() {
                self.twice.push((name, key));
            }
            scan.blank();
            scan.at += usize::from(scan.byte() == Some(b':'));
            self.value(scan, below);
        }
    }

    fn list(&mut self, scan: &mut Scan<'_>, pointer: &str) {
        scan.at += 1;
        let mut index = 0;
        loop {
            scan.blank();
            match scan.byte() {
                Some(b']') => return scan.at += 1,
                Some(b',') => scan.at += 1,
                Some(_) => {
                    self.value(scan, format!("{pointer}/{index}"));
                    index += 1;
                }
                None => return,
            }
        }
    }
}

struct Scan<'t> {
    bytes: &'t [u8],
    at: usize,
}

impl Scan<'_> {
    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blank(&mut self) {
        while self.byte().is_some_and(|b| b.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// The string that begins here, with its quotes.
    fn string(&mut self) -> Range<usize> {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.byte() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                break;
            }
        }
        self.at = self.at.min(self.bytes.len());
        start..self.at
    }

    fn plain(&mut self) {
        let start = self.at;
        while self.byte().is_some_and(|b| !b.is_ascii_whitespace() && !b",]}".contains(&b)) {
            self.at += 1;
        }
        // Whatever this is, the scan goes on.
        self.at += usize::from(self.at == start);
    }
}
