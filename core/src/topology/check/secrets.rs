//! Rule: no secret is written into a file. Files name the environment variables that hold them.

use crate::topology::fault::{At, Code, Fault};
use crate::topology::secret::looks_secret;

/// A fault if the text holds what looks like a secret. It does not quote it.
pub fn fault(at: &At<String>) -> Option<Fault> {
    looks_secret(&at.value).then(|| {
        let instead = "take it out of the file and replace it, it has been seen; a key or a token stays in an environment \
                       variable, which key_env, token_env or headers_env names";
        Fault::new(Code::Secret, &at.place, "this looks like a secret", instead)
    })
}
