//! What the tests of tools share: calls, and projects in a folder of their own.

use std::path::Path;
use std::sync::Arc;

use callsheet::failure::Failure;
use callsheet::id::{Digest, EffectId, RunId, Timestamp};
use callsheet::tool::{Approved, Call, Deadline, Item, Source, Tool};
use serde_json::Value;

/// The effect numbered `n`.
pub(crate) fn effect(n: u8) -> EffectId {
    EffectId(Digest::of("test effect", &[&[n]]))
}

/// A call with `args`, in `folder`.
pub(crate) fn call_in(folder: &Path, args: Value) -> Call {
    Call {
        effect: effect(1),
        args,
        asked_at: Timestamp(1_790_000_000_000),
        folder: folder.to_owned(),
        origin: "computed".to_owned(),
    }
}

/// What `tool` answers to `args`.
pub(crate) async fn call(tool: &Arc<dyn Tool>, args: Value) -> Result<Value, Failure> {
    tool.call(call_in(Path::new("nowhere"), args)).await
}

/// The item as it is performed under the effect numbered `n`.
pub(crate) fn approved(n: u8, folder: &Path, item: &Item) -> Approved {
    let deadline = Deadline::new(|| false);
    Approved { effect: effect(n), item: item.clone(), folder: folder.to_owned(), source: source(1, 1), deadline }
}

/// The run numbered `run` of the journal numbered `journal`.
pub(crate) fn source(journal: u128, run: u128) -> Source {
    let id = |n: u128| RunId(uuid::Uuid::from_u128(n));
    Source { journal: id(journal), run: id(run) }
}

/// Writes `bytes` to `path` below `root`.
pub(crate) fn write(root: &Path, path: &str, bytes: impl AsRef<[u8]>) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// A configuration from its TOML.
pub(crate) fn config<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    let value: Value = toml::from_str(text).map_err(|why| why.to_string())?;
    serde_json::from_value(value).map_err(|why| why.to_string())
}
