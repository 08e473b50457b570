//! Mails that leave one by one, over one connection for as many as wait: whoever withdrew is left out, a line is noted before the
//! server is told, and what is not known to have left or to have stayed is nobody's guess.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use lettre::Address;
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

use super::super::part::args::permanent;
use super::super::part::smtp::{Connection, Ended, Server};
use super::super::{Approved, Callable, Deadline};
use super::note::{Frequency, Is, Known, Notes};
use super::{audience, personal};
use crate::failure::{Class, Failure};
use crate::run::body::Receipt;

/// What sends.
pub(super) struct Post {
    pub(super) server: Server,
    from: Address,
    notes: Notes,
    /// How many mails one recipient may have.
    frequency: Option<Frequency>,
    /// The connection that is open, if one is; whoever has it sends.
    line: Mutex<Option<Connection>>,
    /// How many mails wait for it, with the one that has it.
    waiting: AtomicUsize,
    /// How many attempts there were: each has its number.
    attempts: AtomicU64,
    reading: Mutex<Option<Reading>>,
}

/// Who may be written to, as it was read for every attempt that had begun by then.
struct Reading {
    question: Option<Value>,
    /// Attempts with a lower number had begun.
    before: u64,
    may: Arc<BTreeSet<String>>,
}

/// A mail that waits for its turn.
struct Waits<'p>(&'p AtomicUsize);

impl<'p> Waits<'p> {
    fn new(count: &'p AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// How far a mail came before it is told to the server.
enum Ready<'p> {
    /// The recipient withdrew.
    Withdrawn,
    /// The server refuses the recipient for good, and said this.
    Refused(String),
    /// The server knows from whom and to whom.
    Open(MutexGuard<'p, Option<Connection>>, Connection),
}

impl Post {
    pub(super) fn new(server: Server, from: Address, records: &std::path::Path, frequency: Option<Frequency>) -> Self {
        Self {
            server,
            from,
            notes: Notes::below(records),
            frequency,
            line: Mutex::new(None),
            waiting: AtomicUsize::new(0),
            attempts: AtomicU64::new(0),
            reading: Mutex::new(None),
        }
    }

    /// Makes the record before anything can be approved: from then on, what it does not say did not happen.
    pub(super) async fn begin(&self) -> Result<(), Failure> {
        self.notes.begin(Deadline::new(|| false)).await
    }

    /// Sends one approved mail, if whoever gets it is still among the people of `tool`. What comes before the server is told is
    /// over within `longest`.
    pub(super) async fn send(
        &self,
        tool: &dyn Callable,
        approved: Approved,
        longest: Duration,
    ) -> Result<Receipt, Failure> {
        let waits = Waits::new(&self.waiting);
        let sent = self.one(tool, &approved, longest).await;
        drop(waits);
        // Nobody waits for it: the server need not, either.
        if self.waiting.load(Ordering::SeqCst) == 0
            && let Ok(mut line) = self.line.try_lock()
            && let Some(connection) = line.take()
        {
            connection.quit();
        }
        sent
    }

    async fn one(&self, tool: &dyn Callable, approved: &Approved, longest: Duration) -> Result<Receipt, Failure> {
        let attempt = self.attempts.fetch_add(1, Ordering::SeqCst);
        let to = personal::recipient(&approved.item)?;
        let ready = tokio::time::timeout(longest, self.ready(tool, approved, &to, attempt)).await;
        let (mut line, mut connection) = match ready.unwrap_or_else(|_| Err(self.too_slow(longest)))? {
            Ready::Withdrawn => {
                let dropped = vec![to.to_string()];
                return Ok(Receipt { dropped, ..Receipt::at("nothing was sent") });
            }
            Ready::Refused(said) => {
                let refused = vec![to.to_string()];
                return Ok(Receipt { refused, remark: Some(said), ..Receipt::at("nothing was sent") });
            }
            Ready::Open(line, connection) => (line, connection),
        };
        if !self.notes.tell(approved, self.frequency).await? {
            // It is used for the next mail, if it can be.
            *line = connection.start_over().await.ok().map(|()| connection);
            return Ok(self.left_out(&to));
        }
        // Looked at after the line is there: whoever slept in between finds either the time passed or the line read.
        if let Err(late) = approved.deadline.check() {
            self.notes.add(approved, Is::NotTaken).await?;
            return Err(late);
        }
        let said = match connection.content(&approved.item.bytes).await {
            Ended::Taken(said) => said,
            Ended::NotTaken(why) => {
                self.notes.add(approved, Is::NotTaken).await?;
                return Err(why);
            }
            Ended::Unknown(why) => return Err(Failure::new(Class::InDoubt, self.unknown(approved, &why))),
        };
        // It is sent, whether that can be noted or not.
        let noted = self.notes.add(approved, Is::Taken(said.clone())).await;
        *line = Some(connection);
        let receipt = self.receipt(&to, &said);
        Ok(match noted {
            Ok(()) => receipt,
            Err(why) => Receipt { remark: Some(format!("that is not noted: {}", why.reason)), ..receipt },
        })
    }

    /// Whether the mail was sent, as far as it was noted.
    ///
    /// # Errors
    /// If that cannot be told: a person has to look at the server.
    pub(super) async fn query(&self, approved: &Approved) -> Result<Option<Receipt>, Failure> {
        match self.notes.known(approved.effect).await? {
            Known::NotSent => Ok(None),
            Known::Sent(said) => Ok(Some(self.receipt(&personal::recipient(&approved.item)?, &said))),
            Known::Unknown => Err(permanent(self.unknown(approved, "the process ended before it answered"))),
            Known::Nothing => Err(permanent(
                self.unknown(approved, "the record of what was sent, .callsheet/mail.jsonl, is not there"),
            )),
        }
    }

    /// The receipt, if the mail is known to be sent.
    pub(super) async fn already(&self, approved: &Approved) -> Result<Option<Receipt>, Failure> {
        match self.notes.known(approved.effect).await? {
            Known::Sent(said) => Ok(Some(self.receipt(&personal::recipient(&approved.item)?, &said))),
            Known::NotSent | Known::Unknown | Known::Nothing => Ok(None),
        }
    }

    async fn ready<'p>(
        &'p self,
        tool: &dyn Callable,
        approved: &Approved,
        to: &Address,
        attempt: u64,
    ) -> Result<Ready<'p>, Failure> {
        self.notes.begin(approved.deadline.clone()).await?;
        let mut line = self.line.lock().await;
        if !self.may_get(tool, approved, attempt).await?.contains(&to.to_string().to_lowercase()) {
            return Ok(Ready::Withdrawn);
        }
        // Taken out: one that is left in the middle of a mail is not used again.
        let mut connection = match line.take() {
            Some(connection) => connection,
            None => self.server.connect().await?,
        };
        match connection.envelope(&self.from, to).await? {
            Ok(()) => Ok(Ready::Open(line, connection)),
            Err(said) => {
                *line = Some(connection);
                Ok(Ready::Refused(said))
            }
        }
    }

    /// Who may be written to now: read once for all attempts that had begun by then.
    async fn may_get(
        &self,
        tool: &dyn Callable,
        approved: &Approved,
        attempt: u64,
    ) -> Result<Arc<BTreeSet<String>>, Failure> {
        let question = &approved.item.again;
        let mut reading = self.reading.lock().await;
        if let Some(known) = reading.as_ref().filter(|known| known.question == *question && attempt < known.before) {
            return Ok(Arc::clone(&known.may));
        }
        let before = self.attempts.load(Ordering::SeqCst);
        let may = Arc::new(audience::may_get(tool, question.as_ref(), approved.effect).await?);
        *reading = Some(Reading { question: question.clone(), before, may: Arc::clone(&may) });
        Ok(may)
    }

    /// What becomes of a mail whose recipient has had as many as they may have.
    fn left_out(&self, to: &Address) -> Receipt {
        let (over, remark) = (vec![to.to_string()], self.frequency.map(Frequency::words));
        Receipt { over, remark, ..Receipt::at("nothing was sent") }
    }

    fn receipt(&self, to: &Address, said: &str) -> Receipt {
        Receipt::at(format!("sent to {to} by {}: {said}", self.server.place()))
    }

    /// What a person needs to find out whether it left.
    fn unknown(&self, approved: &Approved, why: &str) -> String {
        let item = &approved.item;
        let id = message_id(&item.bytes).unwrap_or_default();
        let place = self.server.place();
        format!("whether {place} has {} to {} is not known: {why}; look for {id} in its log", item.key, item.recipient)
    }

    fn too_slow(&self, longest: Duration) -> Failure {
        let why = format!(
            "it did not come to this mail within {} ms, three quarters of this tool's call_timeout: {} was not told of it",
            longest.as_millis(),
            self.server.place()
        );
        Failure::new(Class::Transient, why)
    }
}

/// The mail's own id, which servers write into their logs.
fn message_id(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().take_while(|line| !line.is_empty()).find_map(|line| line.strip_prefix("Message-ID: "))?;
    Some(line.trim().to_owned())
}
