//! Rule: no secret is written into a file. Files name the environment variables that hold them.

use crate::topology::fault::{At, Code, Fault};
use crate::topology::secret::looks_secret;

/// A fault if the text holds what looks like a secret. It does not quote it.
pub fn fault(at: &At<String>) -> Option<Fault> {
    looks_secret(&at.value).then(|| {
        let instead = "put it into an environment variable and name that here: env = [\"TOKEN\"]; and replace the secret, it has been seen";
        Fault::new(Code::Secret, &at.place, "this looks like a secret", instead)
    })
}
