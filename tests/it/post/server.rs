//! The mail server of the tests, `tests/mail/server.py`: a process of its own, which ends with whoever started it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;

/// Who may sign in, and with what; no result, no reason and no file of ours may hold the second.
pub(crate) const USER: &str = "shop-4411";
pub(crate) const PASSWORD: &str = "canary-mail-5d0e77";

/// How it keeps a connection private.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tls {
    None,
    Required,
    Implicit,
}

impl Tls {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Required => "required",
            Self::Implicit => "implicit",
        }
    }
}

pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    pub(crate) dir: tempfile::TempDir,
}

/// A mail that it took.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) to: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) tls: bool,
    /// The client's port: one for each connection.
    pub(crate) port: u64,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// A server, or none where it is not installed, which is told; a run of `./test.sh` fails then.
    pub(crate) fn start(tls: Tls, signs_in: bool) -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("target/mail/bin/python");
        if !crate::tools::is_there(&python, "a mail server") {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        certify(dir.path());
        let mut command = Command::new(python);
        command.arg(root.join("tests/mail/server.py")).arg("--taken").arg(dir.path().join("taken.jsonl"));
        command.args(["--tls", tls.word()]);
        command.arg("--certificate").arg(dir.path().join("server.pem"));
        command.arg("--key").arg(dir.path().join("key.pem"));
        if signs_in {
            command.args(["--user", USER, "--password", PASSWORD]);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Some(Self { child, port: line.trim().parse().unwrap(), dir })
    }

    /// The authority that signed its certificate, in a file.
    pub(crate) fn authority(&self) -> PathBuf {
        self.dir.path().join("authority.pem")
    }

    /// What it took, in order; of a line that it is still writing nothing is taken yet.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        let text = std::fs::read_to_string(self.dir.path().join("taken.jsonl")).unwrap_or_default();
        let read = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            Taken {
                to: line["to"][0].as_str().unwrap().to_owned(),
                bytes: unhex(line["bytes"].as_str().unwrap()),
                tls: line["tls"].as_bool().unwrap(),
                port: line["port"].as_u64().unwrap(),
            }
        };
        text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(read).collect()
    }
}

/// An authority that only the test knows, and a certificate for this machine that it signed.
fn certify(dir: &Path) {
    let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let server = names.signed_by(&key, &authority).unwrap();
    std::fs::write(dir.join("authority.pem"), authority.pem()).unwrap();
    std::fs::write(dir.join("server.pem"), server.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), key.serialize_pem()).unwrap();
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}
