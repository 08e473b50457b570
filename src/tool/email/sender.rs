//! Who sends.

use lettre::message::Mailbox;

/// Who sends, as every mail says it.
pub(super) struct Sender {
    pub(super) from: Mailbox,
    pub(super) reply_to: Option<Mailbox>,
    pub(super) postal_address: String,
    pub(super) unsubscribe_url: String,
}
