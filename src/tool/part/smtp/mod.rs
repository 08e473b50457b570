//! A mail server: where it is, how it is spoken to, and what its answers mean for one mail. What it says is bounded, and
//! nothing that is told of it holds a secret.

pub mod mailbox;
mod stream;

use std::error::Error as StdError;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error as Broken;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, TlsParameters};
use lettre::transport::smtp::commands::{Auth, Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Severity;
use tokio::net::TcpStream;

use self::stream::{Bounded, Bounds};
use super::super::open::Secrets;
use super::address::{Finder, Guard, Refused};
use super::args::permanent;
use super::hidden::Hidden;
use crate::failure::{Class, Failure};
use crate::net;
use crate::topology::editor::{MailServer, Tls};

/// To a connection; TLS and signing in come after it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server is waited for that is told goodbye.
const QUIT_TIMEOUT: Duration = Duration::from_secs(2);
/// How much of what a server says is told.
const SAID_CHARS_MAX: usize = 300;

/// A mail server, and whoever signs in there.
pub struct Server {
    host: String,
    port: u16,
    tls: Tls,
    keys: Option<(String, String)>,
    secrets: Secrets,
    guard: Guard,
    hello: ClientId,
}

/// A connection on which mails can leave.
pub struct Connection {
    smtp: AsyncSmtpConnection,
    bounds: Bounds,
    hidden: Hidden,
    host: String,
}

/// What a server answered to the content of a mail.
pub enum Ended {
    /// It has the mail, and said this.
    Taken(String),
    /// It says that it does not.
    NotTaken(Failure),
    /// Nobody knows.
    Unknown(String),
}

/// What of a mail server's table contradicts itself.
#[derive(Debug, thiserror::Error)]
#[error("smtp: {what}: {instead}")]
pub struct Unfit {
    /// The key that is wrong.
    pub key: &'static str,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub instead: String,
}

impl Unfit {
    fn new(key: &'static str, what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self { key, what: what.into(), instead: instead.into() }
    }

    fn half(key: &'static str, other: &str) -> Self {
        Self::new(key, "user_env and password_env belong together", format!("write `{other}` too"))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.place()).finish()
    }
}

impl Server {
    /// The variables of whoever signs in that are not set.
    pub fn unset(&self) -> Vec<String> {
        self.secrets.unset(self.keys.iter().flat_map(|(user, password)| [user, password]))
    }

    /// Nobody is asked.
    ///
    /// # Errors
    /// What of the table contradicts itself.
    pub fn new(given: &MailServer, sender: &Address, secrets: Secrets, finder: Finder) -> Result<Self, Unfit> {
        let host = given.host.trim().to_owned();
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
        if host.is_empty() || !host.chars().all(fits) {
            return Err(Unfit::new(
                "host",
                format!("{:?} is no host", given.host),
                "write one such as smtp.example.com",
            ));
        }
        if given.tls == Tls::None && !net::is_local(&host) {
            let what =
                "tls = \"none\" is for a server on this machine: what goes further is read by everybody in between";
            return Err(Unfit::new("tls", what, "leave `tls` out, or write tls = \"implicit\""));
        }
        let keys = match (&given.user_env, &given.password_env) {
            (Some(user), Some(password)) => Some((user.clone(), password.clone())),
            (None, None) => None,
            (Some(_), None) => return Err(Unfit::half("user_env", "password_env")),
            (None, Some(_)) => return Err(Unfit::half("password_env", "user_env")),
        };
        let literal = host.parse::<IpAddr>().is_ok_and(|address| !super::address::is_public(address));
        if literal && !given.private_host {
            let what = format!("{host} is not a public address");
            return Err(Unfit::new("host", what, "write private_host = true if it is yours"));
        }
        let port = match given.tls {
            Tls::Required => 587,
            Tls::Implicit => 465,
            Tls::None => 25,
        };
        Ok(Self {
            guard: Guard::new(finder, given.private_host.then(|| host.clone())),
            port: given.port.unwrap_or(port),
            tls: given.tls,
            keys,
            secrets,
            hello: ClientId::Domain(sender.domain().to_owned()),
            host,
        })
    }

    /// Where it is, as the file says it.
    pub fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// What is there, once it was signed in to: no mail is sent.
    pub async fn opened(&self) -> Result<String, Failure> {
        let connection = self.connect().await?;
        connection.quit();
        let tls = match self.tls {
            Tls::Required | Tls::Implicit => "under TLS",
            Tls::None => "in the clear",
        };
        let who = if self.keys.is_some() { "signed in" } else { "nobody signs in" };
        Ok(format!("{}: {tls}, {who}; no mail was sent", self.place()))
    }

    /// A connection that is private and signed in, as far as the file asks for it.
    pub async fn connect(&self) -> Result<Connection, Failure> {
        let keys = self.keys()?;
        let hidden = keys.as_ref().map(hidden).unwrap_or_default();
        let bounds = Bounds::new(self.tls == Tls::Required);
        let stream = self.stream(&bounds).await?;
        let told = |step: &str, why: &Broken| self.told(step, why, &hidden);
        let mut smtp = AsyncSmtpConnection::connect_with_transport(stream, &self.hello)
            .await
            .map_err(|why| told("being greeted", &why))?;
        if self.tls == Tls::Required {
            if !smtp.can_starttls() {
                let what =
                    "offers no TLS at this port: nothing was told to it. Is tls = \"implicit\" right, or another port?";
                return Err(permanent(format!("{} {what}", self.place())));
            }
            let tls = TlsParameters::new_rustls(self.host.clone()).map_err(|why| told("TLS", &why))?;
            smtp.starttls(tls, &self.hello).await.map_err(|why| told("TLS", &why))?;
            bounds.set_settled();
        }
        if let Some(keys) = &keys {
            // What a server says to a password may be the password.
            smtp.auth(&[Mechanism::Plain, Mechanism::Login], keys).await.map_err(|why| self.not_signed_in(&why))?;
        }
        Ok(Connection { smtp, bounds, hidden, host: self.host.clone() })
    }

    fn keys(&self) -> Result<Option<Credentials>, Failure> {
        let Some((user, password)) = &self.keys else { return Ok(None) };
        let value = |variable: &String| {
            let value = self.secrets.get(variable).filter(|value| !value.is_empty());
            value.ok_or_else(|| permanent(format!("it needs {variable}: set that variable")))
        };
        Ok(Some(Credentials::new(value(user)?, value(password)?)))
    }

    /// The connection, to an address that was looked at.
    async fn stream(&self, bounds: &Bounds) -> Result<Box<dyn AsyncTokioStream>, Failure> {
        let addresses = self.guard.addresses(&self.host).await.map_err(|why| match why {
            Refused::Private(address) => {
                let what = "is not a public address: write private_host = true under smtp if it is yours";
                Failure::new(Class::Policy, format!("{address} {what}"))
            }
            Refused::Nowhere(_) => Failure::new(Class::Transient, why.to_string()),
        })?;
        let addresses: Vec<SocketAddr> = addresses.into_iter().map(|at| SocketAddr::new(at, self.port)).collect();
        let lost = |why: String| Failure::new(Class::Transient, format!("{} cannot be reached: {why}", self.place()));
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(addresses.as_slice()));
        let tcp = connecting.await.map_err(|_| lost("no answer".to_owned()))?;
        let tcp = tcp.map_err(|why| lost(crate::file::words(&why)))?;
        if self.tls != Tls::Implicit {
            return Ok(Box::new(Bounded { inner: tcp, bounds: bounds.clone() }));
        }
        let name = rustls::pki_types::ServerName::try_from(self.host.clone())
            .map_err(|_| permanent(format!("{} is no name that a certificate can have", self.host)))?;
        let tls = tokio_rustls::TlsConnector::from(Arc::new(net::tls().map_err(permanent)?));
        let tls = tls.connect(name, tcp).await.map_err(|why| match is_certificate(&why) {
            true => self.untrusted(&why.to_string()),
            false => lost(why.to_string()),
        })?;
        Ok(Box::new(Bounded { inner: tls, bounds: bounds.clone() }))
    }

    fn untrusted(&self, why: &str) -> Failure {
        let what =
            "its certificate is not one that this machine trusts (SSL_CERT_FILE names others); nothing was told to it";
        permanent(format!("{}: {what}: {why}", self.place()))
    }

    fn not_signed_in(&self, why: &Broken) -> Failure {
        let host = &self.host;
        match why.status() {
            Some(code) if why.is_permanent() => {
                let (user, password) = self.keys.as_ref().map_or(("", ""), |(user, password)| (user, password));
                permanent(format!("{host} takes neither {user} nor {password}, or not together (SMTP {code})"))
            }
            Some(code) => Failure::new(Class::Throttled, format!("{host} lets nobody sign in now (SMTP {code})")),
            None if why.is_client() => {
                permanent(format!("{host} offers no way to sign in that is known here (PLAIN and LOGIN are)"))
            }
            None => Failure::new(Class::Transient, format!("{host} broke off while it was signed in to")),
        }
    }

    fn told(&self, step: &str, why: &Broken, hidden: &Hidden) -> Failure {
        if is_certificate(why) { self.untrusted("TLS") } else { told(&self.host, step, why, hidden) }
    }
}

impl Connection {
    /// Says from whom and to whom the next mail is; a server that refuses this recipient for good is quoted.
    pub async fn envelope(&mut self, from: &Address, to: &Address) -> Result<Result<(), String>, Failure> {
        self.bounds.renew();
        let Self { smtp, hidden, host, .. } = self;
        smtp.command(Mail::new(Some(from.clone()), vec![]))
            .await
            .map_err(|why| told(host, "the sender", &why, hidden))?;
        let Err(why) = smtp.command(Rcpt::new(to.clone(), vec![])).await else { return Ok(Ok(())) };
        let failure = told(host, "the recipient", &why, hidden);
        if !is_of_recipient(&why) {
            return Err(failure);
        }
        self.start_over().await?;
        Ok(Err(failure.reason))
    }

    /// Takes back from whom and to whom the mail was, so that the connection is used for the next one.
    ///
    /// # Errors
    /// What it came to, if the connection is not used again.
    pub async fn start_over(&mut self) -> Result<(), Failure> {
        let Self { smtp, hidden, host, .. } = self;
        smtp.command(Rset).await.map(drop).map_err(|why| told(host, "starting over", &why, hidden))
    }

    /// Hands the mail over.
    pub async fn content(&mut self, bytes: &[u8]) -> Ended {
        let Self { smtp, hidden, host, .. } = self;
        match smtp.command(Data).await {
            Ok(answer) if answer.code().severity == Severity::PositiveIntermediate => {}
            Ok(answer) => return Ended::NotTaken(permanent(format!("{host} answers DATA with {}", answer.code()))),
            // Without its word that it listens, nothing of the mail was said.
            Err(why) => return Ended::NotTaken(told(host, "DATA", &why, hidden)),
        }
        // Its last line break is written with the dot that ends it: another one would be a line that nobody approved.
        match smtp.message(bytes.strip_suffix(b"\r\n").unwrap_or(bytes)).await {
            Ok(answer) if answer.code().severity == Severity::PositiveCompletion => {
                Ended::Taken(short(&hidden.of(&answer.message().collect::<Vec<_>>().join(" "))))
            }
            Ok(answer) => Ended::Unknown(format!("{host} answers the mail with {}", answer.code())),
            Err(why) if why.status().is_some() => Ended::NotTaken(told(host, "the mail", &why, hidden)),
            Err(why) => Ended::Unknown(told(host, "the mail", &why, hidden).reason),
        }
    }

    /// Says goodbye, beside whatever goes on.
    pub fn quit(mut self) {
        tokio::spawn(async move {
            // Nothing rests on it.
            let _ = tokio::time::timeout(QUIT_TIMEOUT, self.smtp.quit()).await;
        });
    }
}

/// The password, and what it becomes on the way.
fn hidden(keys: &Credentials) -> Hidden {
    let written = [
        Auth::new(Mechanism::Plain, keys.clone(), None),
        Auth::new(Mechanism::Login, keys.clone(), Some("Password".to_owned())),
    ];
    let written = written.into_iter().flatten().filter_map(|line| {
        let line = line.to_string();
        line.split_whitespace().last().map(str::to_owned)
    });
    let plain = Mechanism::Login.response(keys, Some("Password"));
    Hidden::new(written.chain(plain))
}

/// What an answer that is no yes means, whatever the step: what goes away by itself is tried again.
fn told(host: &str, step: &str, why: &Broken, hidden: &Hidden) -> Failure {
    let said = why.source().map(ToString::to_string).unwrap_or_default();
    let said = short(&hidden.of(&said));
    let said = if said.is_empty() { said } else { format!(": {said}") };
    let Some(code) = why.status() else {
        let class = if why.is_client() { Class::Permanent } else { Class::Transient };
        return Failure::new(class, format!("{host} broke off at {step}{said}"));
    };
    let class = if why.is_transient() { Class::Throttled } else { Class::Permanent };
    Failure::new(class, format!("{host} refuses {step} (SMTP {code}){said}"))
}

/// Whether a refusal is about this address, and not about whoever sends: by its enhanced code (RFC 3463: 5.1 is the address, 5.2 the
/// mailbox), or, of a server that says none, by what its code is for (RFC 5321).
fn is_of_recipient(why: &Broken) -> bool {
    let Some(code) = why.status().filter(|_| why.is_permanent()) else { return false };
    let said = why.source().map(ToString::to_string).unwrap_or_default();
    let enhanced = said.split_whitespace().next().filter(|word| word.split('.').count() == 3 && word.starts_with("5."));
    match enhanced {
        Some(word) => word.starts_with("5.1.") || word.starts_with("5.2."),
        None => matches!(u16::from(code), 550..=553),
    }
}

fn is_certificate(why: &(dyn StdError + 'static)) -> bool {
    let is = |error: &(dyn StdError + 'static)| {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let known = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let known = known.or_else(|| error.downcast_ref::<rustls::Error>());
        matches!(known, Some(rustls::Error::InvalidCertificate(_)))
    };
    let mut cause = Some(why);
    while let Some(error) = cause {
        if is(error) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// One line, not too long.
fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(SAID_CHARS_MAX).collect()
}
