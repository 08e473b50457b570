//! A sender as a file says them.

use lettre::message::Mailbox;

/// Why a text is nobody who could send: what it is, and what to write.
#[derive(Debug)]
pub struct NoMailbox {
    /// What is wrong with it, with the text.
    pub what: String,
    /// What to write instead.
    pub instead: &'static str,
}

/// Who is written, as in `News <news@example.com>`.
///
/// # Errors
/// It is no address, or a mail program would read another one in it.
pub fn mailbox(text: &str) -> Result<Mailbox, NoMailbox> {
    if text.contains("=?") {
        return Err(NoMailbox {
            what: "has =?, with which an encoded word begins".to_owned(),
            instead: "write it plainly",
        });
    }
    let wrong = |_| NoMailbox {
        what: format!("= {text:?} is no sender"),
        instead: "write one such as \"News <news@example.com>\"",
    };
    text.parse().map_err(wrong)
}
