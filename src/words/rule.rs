//! What is said of the rules that were applied to what a person approves.

use crate::run::body::Applied;

/// A rule with its version, and the part of its digest by which people tell two apart.
pub fn named(rule: &Applied) -> String {
    let digest = rule.sha256.get(..8).unwrap_or_default();
    format!("{} version {} ({digest})", rule.rule, rule.version)
}

/// What it came to over one thing, in a word.
pub fn came_to(rule: &Applied) -> &'static str {
    match (rule.found.is_empty(), rule.on_fail.as_str()) {
        (true, _) => "holds",
        (false, "gate") => "does not hold: you have to accept it",
        (false, "warn") => "does not hold: you are told",
        (false, _) => "does not hold: it may not leave",
    }
}

/// One rule over all that it was applied to: how often it holds, and where it does not.
pub fn lines(rules: &[Applied]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut told: Vec<&str> = Vec::new();
    for rule in rules {
        if told.contains(&rule.rule.as_str()) {
            continue;
        }
        told.push(&rule.rule);
        let all: Vec<&Applied> = rules.iter().filter(|other| other.rule == rule.rule).collect();
        let holds: Vec<&str> = all.iter().filter(|it| it.found.is_empty()).map(|it| it.of.as_str()).collect();
        if !holds.is_empty() {
            lines.push(format!("{} holds over {}", named(rule), holds.join(", ")));
        }
        for it in all.iter().filter(|it| !it.found.is_empty()) {
            let found = it.found.join("; ");
            lines.push(format!("{} over {} {}: {found}", named(it), it.of, came_to(it)));
        }
    }
    lines
}
