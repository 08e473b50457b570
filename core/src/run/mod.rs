//! One run as a value: what can happen ([`event`]), what it comes to ([`state`], [`fold`]), what is decided next
//! ([`decide`]), and what heads leave to [`body`]. Nothing here waits, reads a clock, makes a random number or touches a file.

pub mod body;
pub mod decide;
pub mod event;
pub mod fold;
pub mod input;
pub mod invariant;
pub mod state;
pub mod view;

use std::collections::BTreeMap;

use crate::id::{ArtefactName, Digest};

/// What an approval of artefact versions binds, where no outward tool follows.
pub fn binds_desk(desk: &BTreeMap<ArtefactName, Digest>) -> Digest {
    let parts: Vec<&[u8]> = desk.iter().flat_map(|(name, digest)| [name.as_str().as_bytes(), &digest.0]).collect();
    Digest::of("callsheet versions 1", &parts)
}
