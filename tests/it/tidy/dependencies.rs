//! What is built on: each dependency has its reason, a licence that permits, and a source that everybody can read.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;

use serde::Deserialize;

use super::source::{read, root};

/// Dependencies that may share the comment above the first of them.
const DEPENDENCIES_PER_COMMENT_MAX: usize = 2;

#[test]
fn every_dependency_has_a_reason() {
    let mut wrong = String::new();
    for file in ["Cargo.toml", "core/Cargo.toml"] {
        without_reason(file, &mut wrong);
    }
    assert!(wrong.is_empty(), "no reason for a dependency; write a comment above it:\n{wrong}");
}

fn without_reason(file: &str, wrong: &mut String) {
    let (mut inside, mut since_comment) = (false, usize::MAX);
    for (nth, line) in read(file).lines().enumerate() {
        if line.starts_with('[') {
            (inside, since_comment) = (line.contains("dependencies]"), usize::MAX);
        } else if line.starts_with('#') {
            since_comment = 0;
        } else if inside && line.contains('=') {
            since_comment = since_comment.saturating_add(1);
            if since_comment > DEPENDENCIES_PER_COMMENT_MAX {
                let _ = writeln!(wrong, "{file}:{}: {line}", nth + 1);
            }
        }
    }
}

/// What `cargo metadata` says of a package, as far as it is looked at.
#[derive(Deserialize)]
struct Package {
    name: String,
    license: Option<String>,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Deny {
    licenses: Licences,
}

#[derive(Deserialize)]
struct Licences {
    allow: BTreeSet<String>,
}

#[test]
fn every_dependency_permits_and_can_be_read() {
    let allowed = toml::from_str::<Deny>(&read("deny.toml")).unwrap().licenses.allow;
    let mut cargo = Command::new(env!("CARGO"));
    let output = cargo.args(["metadata", "--format-version", "1", "--locked"]).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout).unwrap();
    assert!(metadata.packages.len() > 100, "only {} packages are looked at", metadata.packages.len());
    let mut wrong = String::new();
    for Package { name, license, source } in &metadata.packages {
        if !permits(license.as_deref().unwrap_or_default(), &allowed) {
            let _ = writeln!(wrong, "{name}: the licence {license:?} is not one of those in deny.toml");
        }
        if source.as_deref().is_some_and(|source| !source.starts_with("registry+")) {
            let _ = writeln!(wrong, "{name}: comes from {source:?} and not from the registry");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Whether one of the ways to take `expression` needs allowed licences only. `/` is what `OR` was written as once.
fn permits(expression: &str, allowed: &BTreeSet<String>) -> bool {
    // No expression here has an AND within an OR, so what stands between ANDs has to be allowed each for itself.
    let flat = expression.replace(['(', ')'], "").replace('/', " OR ");
    flat.split(" AND ").all(|part| part.split(" OR ").any(|one| allowed.contains(one.trim())))
}

/// The rule can fail: each is shown what it must refuse, and what it must leave alone.
#[test]
fn licences_are_read() {
    let allowed: BTreeSet<String> = ["MIT", "ISC", "Unicode-3.0"].map(str::to_owned).into();
    let check = |expression: &str, wanted: bool| assert_eq!(permits(expression, &allowed), wanted, "{expression}");
    check("MIT", true);
    check("Apache-2.0 OR MIT", true);
    check("Apache-2.0/MIT", true);
    check("(MIT OR Apache-2.0) AND Unicode-3.0", true);
    check("MIT AND GPL-3.0-only", false);
    check("GPL-3.0-only OR Apache-2.0", false);
    check("", false);
}
