//! The pages of a PDF file, as Poppler's `pdftotext` reads them, if it is installed: a process of its own, without an
//! environment, which may take so much time and memory and say so much, and no more.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::tool::part::document::part::{Line, TEXT_BYTES_MAX};

/// Seconds of a processor that one file takes at most.
const SECONDS_MAX: u32 = 20;
/// Kilobytes of memory that it takes at most.
const KILOBYTES_MAX: u32 = 1_000_000;
/// Where programs are looked for, whatever our own environment says.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin";

/// Its pages, line by line.
///
/// # Errors
/// A clause, for people.
pub(super) fn pages(path: &Path) -> Result<Vec<(usize, Line)>, String> {
    // The shell sets the limits that we could only set with unsafe code; the path is no part of its text.
    let script = format!(
        "command -v pdftotext >/dev/null || exit 127; ulimit -t {SECONDS_MAX} -v {KILOBYTES_MAX} 2>/dev/null || ulimit -t \
         {SECONDS_MAX}; exec pdftotext -q -enc UTF-8 -eol unix \"$1\" -"
    );
    let mut child = Command::new("/bin/sh")
        .args(["-c", &script, "sh"])
        .arg(path)
        .env_clear()
        .env("PATH", PATH)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|why| format!("no shell to read it with: {why}"))?;
    let mut bytes = Vec::new();
    let out = child.stdout.take();
    let read = out.map(|out| out.take(TEXT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes));
    // Whoever has more to say is not listened to.
    let is_too_long = bytes.len() > TEXT_BYTES_MAX;
    if is_too_long {
        drop(child.kill());
    }
    let status = child.wait().map_err(|why| format!("pdftotext was lost: {why}"))?;
    match status.code() {
        _ if is_too_long => Err(format!("it has more than {TEXT_BYTES_MAX} bytes of text")),
        Some(0) if matches!(read, Some(Ok(_))) => Ok(lines(&String::from_utf8_lossy(&bytes))),
        Some(127) => {
            Err("PDF files are read by pdftotext, which is not installed (the package is often called poppler-utils)"
                .to_owned())
        }
        Some(_) => Err("pdftotext does not read it".to_owned()),
        None => Err(format!("it takes more than {SECONDS_MAX} s or {KILOBYTES_MAX} kB to read")),
    }
}

/// Pages end with a form feed.
fn lines(text: &str) -> Vec<(usize, Line)> {
    let pages = text.split('\u{C}').enumerate();
    pages.flat_map(|(at, page)| page.lines().map(move |line| (at + 1, Line::Text(line.to_owned())))).collect()
}
