//! A server of a few lines: it reads a request and writes the bytes that the test gives for its path. No HTTP library, so
//! that it can be as wrong as it likes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// What is written, and what becomes of the connection.
pub(crate) struct Played {
    pub(crate) bytes: Vec<u8>,
    pub(crate) then: Then,
}

#[derive(PartialEq, Eq)]
pub(crate) enum Then {
    /// It serves the next request.
    Stay,
    /// It is closed.
    Close,
    /// It says no more, and stays open until the client goes.
    Silence,
    /// It says this, over and over, until the client goes.
    Again(Vec<u8>),
}

/// A request as it came.
#[derive(Clone)]
pub(crate) struct Asked {
    /// Its first line and its headers.
    pub(crate) head: String,
    /// Its body.
    pub(crate) body: String,
    /// The same as it came: what is not text is lost above.
    pub(crate) bytes: Vec<u8>,
    /// The client's port: one for each connection.
    pub(crate) port: u16,
}

impl Asked {
    pub(crate) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }
}

/// Starts a server for as long as the process lives; returns where it is, such as `http://127.0.0.1:4711`.
pub(crate) fn serve(answer: impl Fn(&Asked) -> Played + Send + Sync + 'static) -> String {
    listening(move |stream| while_open(stream, &answer))
}

/// [`serve`] where `listener` listens.
pub(crate) fn serve_at(listener: TcpListener, answer: impl Fn(&Asked) -> Played + Send + Sync + 'static) {
    each(listener, move |stream| while_open(stream, &answer));
}

fn while_open(mut stream: TcpStream, answer: &impl Fn(&Asked) -> Played) {
    stream.set_nodelay(true).unwrap();
    while let Some(asked) = read(&mut stream) {
        let played = answer(&asked);
        // The client may have gone as soon as it had enough.
        let mut written = stream.write_all(&played.bytes);
        match played.then {
            Then::Stay if written.is_ok() => continue,
            Then::Again(bytes) => {
                while written.is_ok() {
                    written = stream.write_all(&bytes);
                }
            }
            Then::Silence => drop(stream.read(&mut [0])),
            Then::Stay | Then::Close => {}
        }
        break;
    }
}

/// A server that answers whatever it hears first with `bytes`.
pub(crate) fn greeting(bytes: &'static [u8]) -> String {
    listening(move |mut stream| {
        // What the client does with it is what the test looks at.
        let _heard = stream.read(&mut [0; 16 << 10]);
        let _said = stream.write_all(bytes);
    })
}

/// A server whose certificate nobody has signed.
pub(crate) fn self_signed() -> String {
    let made = rcgen::generate_simple_self_signed(Vec::from(["127.0.0.1".to_owned()])).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let tls = rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(Vec::from([made.cert.der().clone()]), key.into())
        .unwrap();
    let tls = Arc::new(tls);
    listening(move |mut stream| {
        let mut tls = rustls::ServerConnection::new(Arc::clone(&tls)).unwrap();
        // It ends with the client's refusal.
        while tls.is_handshaking() && tls.complete_io(&mut stream).is_ok() {}
    })
}

/// Gives each connection to `serve`; returns where it listens.
pub(crate) fn listening(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    each(listener, serve);
    format!("http://{address}")
}

fn each(listener: TcpListener, serve: impl Fn(TcpStream) + Send + Sync + 'static) {
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(stream));
        }
    });
}

/// One request with its whole body, so that closing never resets what the client has not read.
pub(crate) fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().ok())?
            });
            let body_end = end + 4 + length.unwrap_or(0);
            if bytes.len() >= body_end {
                let bytes = bytes[end + 4..body_end].to_vec();
                let body = String::from_utf8_lossy(&bytes).into_owned();
                return Some(Asked { head, body, bytes, port: stream.peer_addr().ok()?.port() });
            }
        }
        match stream.read(&mut buffer) {
            Ok(count @ 1..) => bytes.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    }
}

/// How a body is put on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Framing {
    /// With its length.
    Length,
    /// Ended by the end of the connection.
    Close,
    /// In one chunk.
    Chunk,
    /// In chunks of one byte.
    Bytes,
    /// In a chunk that is not followed by the last one.
    Broken,
}

/// An answer as bytes: `head` is the status and the headers, a line each.
pub(crate) fn framed(head: &[String], body: &[u8], framing: Framing) -> Played {
    let mut bytes = format!("HTTP/1.1 {}\r\n", head.join("\r\n")).into_bytes();
    let chunk = |part: &[u8]| [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat();
    let last = b"0\r\n\r\n".to_vec();
    let (header, body) = match framing {
        Framing::Length => (format!("content-length: {}", body.len()), body.to_vec()),
        Framing::Close => ("connection: close".to_owned(), body.to_vec()),
        Framing::Chunk if body.is_empty() => ("transfer-encoding: chunked".to_owned(), last),
        Framing::Chunk => ("transfer-encoding: chunked".to_owned(), [chunk(body), last].concat()),
        Framing::Bytes => {
            let parts = body.chunks(1).map(chunk).chain([last]);
            ("transfer-encoding: chunked".to_owned(), parts.collect::<Vec<_>>().concat())
        }
        Framing::Broken if body.is_empty() => ("transfer-encoding: chunked".to_owned(), Vec::new()),
        Framing::Broken => ("transfer-encoding: chunked".to_owned(), chunk(body)),
    };
    bytes.extend_from_slice(format!("{header}\r\n\r\n").as_bytes());
    bytes.extend_from_slice(&body);
    let then = if matches!(framing, Framing::Close | Framing::Broken) { Then::Close } else { Then::Stay };
    Played { bytes, then }
}
