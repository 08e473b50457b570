//! The committed corpora of the fuzz targets, played through what the targets hold: bytes that a search once found stay
//! found, without the search.

use std::path::Path;

#[expect(unreachable_pub, reason = "it is a library of its own where the search runs")]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

#[test]
fn the_corpora_hold() {
    for (target, hold) in
        [("topology", targets::topology as fn(&[u8])), ("record", targets::record), ("reply", targets::reply)]
    {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() >= 5, "{target}: {files:?}");
        for file in files {
            println!("{}", file.display());
            hold(&std::fs::read(file).unwrap());
        }
    }
}
