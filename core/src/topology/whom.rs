//! Who is meant where a file names somebody: a person by name, or everybody in a group.

/// Whether `whom`, a name or `group:NAME`, means the person of this name, who is in these groups.
pub fn is_meant(whom: &str, name: &str, groups: impl IntoIterator<Item: AsRef<str>>) -> bool {
    match whom.strip_prefix("group:") {
        Some(group) => groups.into_iter().any(|of| of.as_ref() == group),
        None => whom == name,
    }
}
