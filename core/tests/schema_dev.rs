//! dev
use callsheet_core::{id::Digest, topology::editor_schemas};
use serde_json::Value;
#[test]
fn write() {
    let (_, mut schema) = editor_schemas(&[]).into_iter().find(|(n, _)| *n == "topology.json").unwrap();
    let digest = Digest::of("callsheet editor schema 1", &[schema.to_string().as_bytes()]);
    schema["$comment"] = Value::from(format!(
        "Made by `callsheet schema --write`, which brings it up to date as long as it is as it was made: {digest}"
    ));
    std::fs::write("../.schema/topology.json", format!("{schema:#}\n")).unwrap();
}
