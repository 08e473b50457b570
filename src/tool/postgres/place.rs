//! Where a database is, and how it is spoken to: the address comes from the environment, and is spoken to with TLS unless it
//! is this machine.

use std::time::Duration;

use tokio_postgres::config::{Host, SslMode};

use crate::failure::Failure;
use crate::net;
use crate::tool::open::Secrets;
use crate::tool::part::args::permanent;
use crate::tool::part::hidden::Hidden;

/// To a connection, TLS and password included.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A database, by the name of the variable that says where it is.
pub(super) struct Place {
    pub(super) url_env: String,
    pub(super) allow_plain: bool,
    pub(super) secrets: Secrets,
}

/// How it is spoken to now.
pub(super) struct Way {
    pub(super) config: tokio_postgres::Config,
    /// What nobody sees: the address with its password, and the password.
    pub(super) hidden: Hidden,
}

impl Place {
    /// # Errors
    /// The variable is not set, or holds no address that may be asked; its value is never quoted.
    pub(super) fn way(&self) -> Result<Way, Failure> {
        let variable = &self.url_env;
        let url = self.secrets.needed(variable)?;
        let mut config: tokio_postgres::Config = url.parse().map_err(|_| {
            permanent(format!("{variable} holds no address such as postgresql://role:password@host/database"))
        })?;
        let password = config.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
        let hidden = Hidden::new(password.into_iter().chain([url]));
        if config.get_hosts().is_empty() {
            return Err(permanent(format!("{variable} names no host")));
        }
        let is_local =
            config.get_hosts().iter().all(is_local) && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback);
        let mode = match config.get_ssl_mode() {
            _ if !is_local && !self.allow_plain => SslMode::Require,
            // What a server on this machine offers by itself is a certificate that nobody knows.
            SslMode::Prefer if is_local => SslMode::Disable,
            mode => mode,
        };
        config.ssl_mode(mode).connect_timeout(CONNECT_TIMEOUT).application_name("callsheet").options("");
        Ok(Way { config, hidden })
    }
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(host) => net::is_local(host),
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}
