//! One notice as one mail to one address, over a connection of its own: a sentence, a link, and that neither decides
//! anything. The same notice has the same id whenever it is sent, so that a mail that came twice is known to have.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lettre::Address;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};

use super::notice::Told;
use crate::clock::{Clock as _, Machine};
use crate::failure::{Class, Failure};
use crate::id::Digest;
use crate::tool::part::smtp::{Ended, Server};

/// How long a server has for a mail, from its greeting on.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What every mail says below its link.
const FOOT: &str = "Neither this mail nor the link decides anything: you do, on that page.\n\
                    An answer to this mail reaches no run.";

/// Where a channel's mails go to one address.
#[derive(Debug)]
pub(super) struct Mail {
    pub(super) server: Arc<Server>,
    pub(super) from: Mailbox,
    pub(super) to: Address,
}

impl Mail {
    /// Sends it once; why it was not taken, for people.
    pub(super) async fn send(&self, told: &Told) -> Result<(), String> {
        let bytes = self.bytes(told).map_err(|error| error.to_string())?;
        let sent = tokio::time::timeout(TIMEOUT, self.hand_over(&bytes)).await;
        let sent = sent.map_err(|_| format!("{} does not answer in time", self.server.place()))?;
        sent.map_err(|why| why.reason)
    }

    async fn hand_over(&self, bytes: &[u8]) -> Result<(), Failure> {
        let place = self.server.place();
        let permanent = |why: String| Failure::new(Class::Permanent, why);
        let mut connection = self.server.connect().await?;
        let taken = connection.envelope(&self.from.email, &self.to).await?;
        if let Err(said) = taken {
            connection.quit();
            return Err(permanent(format!("{place} takes nothing for {}: {said}", self.to)));
        }
        match connection.content(bytes).await {
            Ended::Taken(_) => {
                connection.quit();
                Ok(())
            }
            Ended::NotTaken(why) => Err(why),
            Ended::Unknown(why) => Err(permanent(format!("whether {place} took a mail is not known: {why}"))),
        }
    }

    fn bytes(&self, told: &Told) -> Result<Vec<u8>, lettre::error::Error> {
        let seed = Digest::of("callsheet notice 1", &[told.id.as_bytes(), self.to.to_string().as_bytes()]).to_string();
        let now_ms = u64::try_from(Machine.now().0).unwrap_or(0);
        // So that no program answers it, such as one that says that somebody is on holiday (RFC 3834).
        let by_a_program = HeaderName::new_from_ascii_str("Auto-Submitted");
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, self.to.clone()))
            .subject(told.text.clone())
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(now_ms))
            .message_id(Some(format!("<{}@{}>", &seed[..32], self.from.email.domain())))
            .raw_header(HeaderValue::new(by_a_program, "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN)
            .body(format!("{}.\n\n{}\n\n{FOOT}\n", told.text, told.link))?;
        Ok(message.formatted())
    }
}
