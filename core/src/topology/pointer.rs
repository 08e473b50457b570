//! JSON pointers (RFC 6901): where a part of a document stands.

/// The pointer to `key`, a name or a place in a list, below `pointer`.
pub fn below(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// The keys through which a pointer leads, the outermost first.
pub fn keys(pointer: &str) -> impl Iterator<Item = String> + '_ {
    pointer.split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~"))
}

/// The pointer to what holds the part at `pointer`, and the part's key in it; none for the whole of a document.
pub fn parent(pointer: &str) -> Option<(&str, String)> {
    let (above, _) = pointer.rsplit_once('/')?;
    Some((above, keys(&pointer[above.len()..]).next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_below_a_key_leads_back_to_it() {
        let check = |names: &[&str], pointer: &str| {
            let built = names.iter().fold(String::new(), |at, name| below(&at, name));
            assert_eq!(built, pointer);
            assert_eq!(keys(&built).collect::<Vec<_>>(), names);
            let above = names.split_last().map(|(last, above)| {
                (above.iter().fold(String::new(), |at, name| below(&at, name)), (*last).to_owned())
            });
            assert_eq!(parent(&built).map(|(above, last)| (above.to_owned(), last)), above);
        };
        check(&[], "");
        check(&["mails", "0", "subject"], "/mails/0/subject");
        check(&["a/b", "m~n", "~1", ""], "/a~1b/m~0n/~01/");
    }
}
