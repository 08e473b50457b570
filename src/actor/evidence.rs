//! What an auditor can prove beside the chain: that the plan is the one that was pinned, that the records are a history
//! that can happen, that every body that they name is or was there, that each manifest is the one that was approved, and
//! which delivered files are no longer as they were delivered. The last breaks no chain: files are their owner's.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::history::{Error, load_telling};
use crate::id::{Digest, EffectId, RunId};
use crate::journal::{Cause, Error as JournalError, Store, Subject};
use crate::run::body::{Listing, Receipt};
use crate::run::event::{Event, ItemHead, Manifest, Settled, Wish};
use crate::run::state::State;
use crate::tool::part::beneath;
use crate::tool::part::record::sha256;

/// What of a run is as it was.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Evidence {
    /// Manifests that say what was approved.
    pub manifests: u64,
    /// Files that are as they were delivered.
    pub files: u64,
    /// Files that are not.
    pub differing: Vec<Differing>,
}

/// A file that is not as it was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Differing {
    /// Its place below the project.
    pub place: String,
    /// What became of it, after "was".
    pub what: &'static str,
}

/// Verifies what `run` rests on beside its chain; its files are looked for below `project`.
///
/// # Errors
/// [`JournalError::Damaged`], saying what is not as it was, or why the run cannot be replayed.
pub fn verify(store: &dyn Store, run: RunId, project: &Path) -> Result<Evidence, Error> {
    let bodies: BTreeMap<Digest, bool> = store.bodies(run)?.into_iter().collect();
    let (mut evidence, mut delivers) = (Evidence::default(), BTreeMap::new());
    let loaded = load_telling(store, run, &mut |record, fact| {
        let head: Value = serde_json::from_slice(&record.head.json).unwrap_or_default();
        if let Some(missing) = named(&head).into_iter().find(|digest| !bodies.contains_key(digest)) {
            return Err(damaged(run, &format!("has lost body {missing}, which record {} names", record.seq)));
        }
        look(store, run, project, &fact.is, &mut delivers, &mut evidence)
    })?;
    approvals(run, &loaded.state)?;
    Ok(evidence)
}

/// What one event says of manifests and files.
fn look(
    store: &dyn Store,
    run: RunId,
    project: &Path,
    event: &Event,
    delivers: &mut BTreeMap<EffectId, Digest>,
    evidence: &mut Evidence,
) -> Result<(), Error> {
    if let Event::EffectAsked { id, wish: Wish::Deliver { item, .. }, .. } = event {
        delivers.insert(*id, *item);
    }
    let Event::EffectSettled { id, result, .. } = event else { return Ok(()) };
    if let Settled::Prepared { manifest: Some(manifest), .. } = result {
        evidence.manifests += u64::from(is_listed(store, run, manifest)?);
    }
    if let (Settled::Performed { receipt }, Some(item)) = (result, delivers.get(id)) {
        delivered(store, run, project, receipt.digest, *item, evidence)?;
    }
    Ok(())
}

/// The bodies that a head names.
fn named(head: &Value) -> Vec<Digest> {
    match head {
        Value::Object(map) => {
            let is_body = map.contains_key("bytes") || map.contains_key("recipients");
            let own = map.get("digest").filter(|_| is_body).and_then(Value::as_str).and_then(|text| text.parse().ok());
            own.into_iter().chain(map.values().flat_map(named)).collect()
        }
        Value::Array(list) => list.iter().flat_map(named).collect(),
        _ => Vec::new(),
    }
}

/// Whether the list that a person saw can still be read; it is an error if it is not that of the items.
fn is_listed(store: &dyn Store, run: RunId, manifest: &Manifest) -> Result<bool, Error> {
    let Some(list) = read::<Listing>(store, run, manifest.body.digest)? else { return Ok(false) };
    let listed = list.items.iter().map(|listed| ItemHead {
        digest: listed.digest,
        recipients: listed.recipients,
        after_ms: listed.after_ms,
    });
    let same = listed.eq(manifest.items.iter().cloned());
    let other = || {
        damaged(run, &format!("has a manifest, {}, that lists other items than it binds", manifest.body.digest.short()))
    };
    if same { Ok(true) } else { Err(other()) }
}

/// Approvals bind their manifests, and permits are for what was approved.
fn approvals(run: RunId, state: &State) -> Result<(), Error> {
    for (no, approval) in &state.approvals {
        if approval.manifest.as_ref().is_some_and(|manifest| manifest.body.digest != approval.binds) {
            return Err(damaged(run, &format!("has an approval, {no}, that binds another manifest than its own")));
        }
    }
    let other = |(no, _): &(_, _)| damaged(run, &format!("has a permit, {no}, for another manifest than was approved"));
    let wrong = state.permits.iter().find(|(no, permit)| {
        let approved = state.approvals.get(no).and_then(|approval| approval.manifest.as_ref());
        approved != Some(&permit.manifest)
    });
    wrong.as_ref().map_or(Ok(()), |found| Err(other(found)))
}

/// Whether the file that a receipt speaks of is as it was delivered. Of one that an older callsheet wrote, the receipt
/// has no digest: it was the item.
fn delivered(
    store: &dyn Store,
    run: RunId,
    project: &Path,
    receipt: Digest,
    item: Digest,
    evidence: &mut Evidence,
) -> Result<(), Error> {
    let Some(receipt) = read::<Receipt>(store, run, receipt)? else { return Ok(()) };
    let place = receipt.place;
    if !place.starts_with("out/") || beneath::plain(&place).is_err() {
        return Ok(());
    }
    let wanted = match receipt.sha256 {
        Some(digest) => Some(digest),
        None => store.body(run, item)?.map(|body| sha256(&body.bytes)),
    };
    let Some(wanted) = wanted else { return Ok(()) };
    let what = match std::fs::read(project.join(&place)) {
        Ok(bytes) if sha256(&bytes) == wanted => None,
        Ok(_) => Some("changed"),
        Err(why) if why.kind() == ErrorKind::NotFound => Some("removed"),
        Err(_) => Some("made unreadable"),
    };
    match what {
        Some(what) => evidence.differing.push(Differing { place, what }),
        None => evidence.files += 1,
    }
    Ok(())
}

/// A body as what it was written as; none if it was erased.
fn read<T: DeserializeOwned>(store: &dyn Store, run: RunId, digest: Digest) -> Result<Option<T>, Error> {
    let body = store.body(run, digest)?;
    let read = body.map(|body| serde_json::from_slice(&body.bytes)).transpose();
    read.map_err(|_| damaged(run, &format!("has a body, {}, that is not what was written", digest.short())))
}

fn damaged(run: RunId, what: &str) -> Error {
    let text = format!("{what}; restore the journal from a copy");
    JournalError::Damaged(Cause::new(Subject::Run(run), &text)).into()
}
