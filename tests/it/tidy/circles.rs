//! No file needs, over whatever way round, a file that needs it: one can be read, changed and tested before the other.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{File, is_start, rust_files, word};

/// What a crate's modules are called, and where they are.
type Modules = BTreeMap<Vec<String>, String>;

#[test]
fn no_file_needs_a_file_that_needs_it() {
    let mut found = Vec::new();
    for folder in ["core/src", "src"] {
        let files = rust_files(&[folder]);
        let modules: Modules = files.iter().map(|file| (owned(file.module_path()), file.name.clone())).collect();
        let needs = files.iter().map(|file| (file.name.clone(), needed(file, &modules))).collect();
        found.extend(circles(&needs).iter().map(|circle| circle.join(" <-> ")));
    }
    let instead = "move what both need into a file of its own that needs neither";
    assert!(found.is_empty(), "{} circles of files; {instead}:\n{}\n", found.len(), found.join("\n"));
}

/// The rule can fail: each is shown what it must find, and what it must leave alone.
#[test]
fn circles_are_seen() {
    let modules = ["", "a", "a::b", "a::c", "d"];
    let check = |at: &str, code: &str, wanted: &[&str]| {
        let path = |text: &str| text.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let modules: Modules = modules.iter().map(|name| (path(name), (*name).to_owned())).collect();
        let file =
            File { name: format!("src/{}.rs", at.replace("::", "/")), text: String::new(), code: code.to_owned() };
        assert_eq!(needed(&file, &modules).into_iter().collect::<Vec<_>>(), wanted, "{at}: {code}");
    };
    check("a::b", "use super::{Draft, c};", &["a", "a::c"]);
    check("a::b", "use super::c::{X, y};\nuse crate::d;", &["a::c", "d"]);
    check("a", "mod b;\nfn f() { b::go() }", &["a::b"]);
    check("a", "mod b;", &[]);
    check("a", "pub use b::{\n    X,\n    inner::{Y, Z},\n};\nmod b;", &["a::b"]);
    check("d", "fn f(x: crate::a::b::X) -> std::io::Result<()> { super::a::f() }", &["a", "a::b"]);
    check("a::b", "use self::own::X; use serde::a::b;", &[]);

    let graph = |edges: &[(&str, &str)]| {
        let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in edges {
            needs.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        circles(&needs)
    };
    assert_eq!(graph(&[("a", "b"), ("b", "c"), ("a", "c")]), Vec::<Vec<String>>::new());
    assert_eq!(graph(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")]), [["a", "b", "c"]]);
}

fn owned(path: Vec<&str>) -> Vec<String> {
    path.into_iter().map(str::to_owned).collect()
}

/// The files whose names `file` uses: what it imports, and what it reaches by a path. `mod x;` alone is no use.
fn needed(file: &File, modules: &Modules) -> BTreeSet<String> {
    let here = owned(file.module_path());
    let mut found = BTreeSet::new();
    for path in paths(&file.code) {
        let Some(full) = absolute(&path, &here, modules) else { continue };
        let known = (0..=full.len()).rev().find_map(|length| modules.get(&full[..length]));
        found.extend(known.cloned());
    }
    found.remove(&file.name);
    found.remove(modules.get(&here).map_or("", |name| name));
    found
}

/// Where a path leads, from the crate's root; nothing for what is not of this crate.
fn absolute(path: &[String], here: &[String], modules: &Modules) -> Option<Vec<String>> {
    let up = path.iter().take_while(|part| *part == "super").count();
    let (from, rest): (&[String], &[String]) = match path.first().map(String::as_str) {
        Some("crate") => (&[], &path[1..]),
        Some("self") => (here, &path[1..]),
        Some("super") => (&here[..here.len().checked_sub(up)?], &path[up..]),
        Some(child) if modules.contains_key(&[here, &[child.to_owned()]].concat()) => (here, path),
        _ => return None,
    };
    Some([from, rest].concat())
}

/// Every path of two words or more in `code`, those of a group in braces one by one.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let first = word(&code[at..]);
        if first.is_empty() || !is_start(code, at) || code[..at].ends_with("::") {
            at += code[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        }
        at += tree(&code[at..], &[], &mut found).max(1);
    }
    found
}

/// Reads `a::b::{c, d::e}` at the start of `code` and adds its paths; how long it is.
fn tree(code: &str, before: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = before.to_vec();
    let mut at = 0;
    loop {
        let part = word(&code[at..]);
        at += part.len();
        if !part.is_empty() {
            path.push(part);
        }
        let Some(rest) = code[at..].strip_prefix("::") else { break };
        at += 2;
        if rest.starts_with('{') {
            return at + group(rest, &path, found);
        }
        if word(rest).is_empty() {
            break;
        }
    }
    if path.len() > 1 {
        found.push(path);
    }
    at
}

/// Reads `{a, b::c}` at the start of `code`; how long it is.
fn group(code: &str, before: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut at = 1;
    while let Some(c) = code[at..].chars().next() {
        match c {
            '}' => return at + 1,
            _ if word(&code[at..]).is_empty() => at += c.len_utf8(),
            _ => at += tree(&code[at..], before, found),
        }
    }
    at
}

/// The files that need each other, a list for each knot of them.
fn circles(needs: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        needs.keys().map(|from| (from, reached_from(from, needs))).collect();
    let back = |from: &String, to: &String| reached.get(to).is_some_and(|further| further.contains(from));
    let mut knots: Vec<Vec<String>> = Vec::new();
    for (from, further) in &reached {
        if further.contains(from) && !knots.iter().flatten().any(|name| name == *from) {
            knots.push(further.iter().filter(|to| back(from, to)).map(|to| (*to).clone()).collect());
        }
    }
    knots
}

fn reached_from<'a>(from: &str, needs: &'a BTreeMap<String, BTreeSet<String>>) -> BTreeSet<&'a String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&String> = needs.get(from).into_iter().flatten().collect();
    while let Some(next) = open.pop() {
        if found.insert(next) {
            open.extend(needs.get(next).into_iter().flatten());
        }
    }
    found
}
