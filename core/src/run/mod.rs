//! One run as a value: what can happen ([`event`]), what it comes to ([`state`], [`fold`]), what is decided next
//! ([`decide`]), and what heads leave to [`body`]. Nothing here waits, reads a clock, makes a random number or touches a file.

pub mod body;
pub mod branch;
pub mod comment;
pub mod decide;
pub mod desk;
pub mod event;
pub mod fold;
pub mod input;
pub mod invariant;
pub mod later;
mod meeting;
pub mod note;
pub mod owner;
pub mod queue;
pub mod record;
pub mod split;
pub mod state;
pub mod view;
pub mod waits;

use desk::{Desk, Held};

use crate::id::Digest;

/// What an approval of artefact versions binds, where no outward tool follows.
pub fn binds_desk(desk: &Desk) -> Digest {
    let held = |held: &Held| match held {
        Held::Version(version) => version.0.to_vec(),
        // All else is bound by how it is written down: which versions, in which order, and where in what.
        Held::All(_) | Held::Item { .. } | Held::Sections { .. } => serde_json::to_vec(held).unwrap_or_default(),
    };
    let parts: Vec<_> = desk.iter().map(|(name, on)| (name.as_str().as_bytes(), held(on))).collect();
    let parts: Vec<&[u8]> = parts.iter().flat_map(|(name, on)| [*name, on.as_slice()]).collect();
    Digest::of("callsheet versions 1", &parts)
}
