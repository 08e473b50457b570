//! Which addresses may be asked: public ones, and of others only those of hosts that the file names. A name is resolved once,
//! and what is connected to is what was looked at.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::failure::Work;

/// Whether an address is one that everybody on the internet can ask. What is not known to be is not.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        // This network; private; shared by a provider; this machine; link; private.
        [0 | 10 | 127, ..] | [100, 64..=127, ..] | [169, 254, ..] | [172, 16..=31, ..] | [192, 168, ..] => true,
        // Assignments of protocols, examples, relays of 6to4.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        // Measurements; many at once, reserved, all.
        [198, 18 | 19, ..] | [224..=255, ..] => true,
        _ => false,
    };
    !special
}

/// What is given out is 2000::/3. Within it, what carries another address, or stands for none, is left out.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let special = match (first, second) {
        // Assignments of protocols, Teredo among them; examples; 6to4; examples.
        (0x2001, ..0x0200) | (0x2001, 0x0db8) | (0x2002, _) | (0x3fff, ..0x1000) => true,
        _ => false,
    };
    (0x2000..0x4000).contains(&first) && !special
}

/// Finds the addresses of a name: the system, unless a test stands for it.
pub type Finder = Arc<dyn Fn(String) -> Work<'static, Vec<IpAddr>> + Send + Sync>;

/// Looks at every address before it is connected to.
#[derive(Clone)]
pub struct Guard {
    finder: Finder,
    /// Hosts that may be anywhere.
    private: Arc<BTreeSet<String>>,
}

/// Why an address is not asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refused {
    /// It is not one that everybody can ask.
    #[error("{0} is not a public address; a host of your own network is named with private_hosts")]
    Private(String),
    /// Nobody knows the name.
    #[error("there is no host {0}")]
    Nowhere(String),
}

impl Refused {
    /// The refusal that an error of the client comes from, if it comes from one.
    pub fn within<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e Self> {
        std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
    }
}

impl Guard {
    /// Lets through public addresses, and those of the hosts in `private`, wherever these are.
    pub fn new(finder: Finder, private: impl IntoIterator<Item = String>) -> Self {
        Self { finder, private: Arc::new(private.into_iter().collect()) }
    }

    /// Refuses an address that a URL names itself; a name is looked at when it is resolved.
    ///
    /// # Errors
    /// It is not one that may be asked.
    pub fn literal(&self, url: &Url) -> Result<(), Refused> {
        let host = url.host_str().unwrap_or_default();
        let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        match address {
            Some(address) if !is_public(address) && !self.private.contains(host) => {
                Err(Refused::Private(host.to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// The addresses of a host, all of which may be asked: one that may not is reason enough to ask none.
    ///
    /// # Errors
    /// There is none, or one of them may not be asked.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Refused> {
        let found = (self.finder)(host.to_owned()).await.map_err(|_| Refused::Nowhere(host.to_owned()))?;
        if found.is_empty() {
            return Err(Refused::Nowhere(host.to_owned()));
        }
        let private = found.iter().find(|address| !is_public(**address));
        match private.filter(|_| !self.private.contains(host)) {
            Some(address) => Err(Refused::Private(format!("{host} ({address})"))),
            None => Ok(found),
        }
    }

    /// Whether the host of `url` takes connections; it is asked nothing.
    ///
    /// # Errors
    /// It has no address that may be asked.
    pub async fn connects(&self, url: &Url, timeout: Duration) -> Result<bool, Refused> {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = url.port_or_known_default().unwrap_or_default();
        let found: Vec<SocketAddr> =
            self.addresses(host).await?.into_iter().map(|address| SocketAddr::new(address, port)).collect();
        let connected = tokio::time::timeout(timeout, tokio::net::TcpStream::connect(found.as_slice())).await;
        Ok(matches!(connected, Ok(Ok(_))))
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = guard.addresses(name.as_str()).await?;
            // The port is set by who connects.
            let found: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(found)
        })
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}

/// The system's finder.
pub fn system() -> Finder {
    Arc::new(|host| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await;
            let found =
                found.map_err(|why| crate::failure::Failure::new(crate::failure::Class::Transient, why.to_string()))?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}
