//! How this program speaks to servers: one kind of client, with one TLS provider and the machine's certificate authorities.
//! What a server may send, and how long, is capped by whoever asks it.

use std::time::Duration;

use reqwest::{Client, ClientBuilder};

/// A client to build on: HTTP/1.1 only, no redirect, no retry, no proxy, no cookie, no decompression. A machine without
/// certificate authorities is no error: a local server needs none.
///
/// # Errors
/// Why there is no TLS, for people.
pub fn client(connect_timeout: Duration) -> Result<ClientBuilder, String> {
    let tls = tls()?;
    Ok(Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .connect_timeout(connect_timeout)
        .user_agent(concat!("callsheet/", env!("CARGO_PKG_VERSION"))))
}

/// TLS with the machine's certificate authorities, and no certificate of our own.
///
/// # Errors
/// Why there is no TLS, for people.
pub fn tls() -> Result<rustls::ClientConfig, String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Ok(rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// Whether `host` is this machine, by its name or address as a URL says it.
pub fn is_local(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
