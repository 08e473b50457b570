//! The words of templates: which names, filters and tests one uses, and where. `name?` is written out here, since the
//! engine does not know it; what templates come to is computed elsewhere.

mod bytes;
mod ordered;

use std::borrow::Cow;
use std::ops::Range;

use bytes::{is_part, is_start, past};
pub use ordered::ORDERED;

/// Filters that there are.
pub const FILTERS: &[&str] = &[
    "abs",
    "attr",
    "batch",
    "bool",
    "capitalize",
    "chain",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "zip",
];

/// Words of the language, and functions that need no name in scope.
const WORDS: [&str; 34] = [
    "and",
    "or",
    "not",
    "in",
    "is",
    "if",
    "else",
    "elif",
    "endif",
    "for",
    "endfor",
    "recursive",
    "set",
    "endset",
    "with",
    "endwith",
    "true",
    "false",
    "none",
    "True",
    "False",
    "None",
    "loop",
    "range",
    "dict",
    "namespace",
    "debug",
    "filter",
    "endfilter",
    "raw",
    "endraw",
    "do",
    "break",
    "continue",
];

/// A word of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// What it is.
    pub kind: WordKind,
    /// A filter's name, or a path such as `brief.week` or `sold.rows[0].item`, without its `?`.
    pub text: String,
    /// Its bytes in the template, a `?` included.
    pub span: Range<usize>,
    /// Whether a `?` follows, so that it may be absent.
    pub optional: bool,
    /// Whether it is called, so that its last part is no plain field.
    pub called: bool,
}

impl Word {
    /// The name that its path begins with.
    pub fn root(&self) -> &str {
        self.text.split(['.', '[']).next().unwrap_or_default()
    }
}

/// The keys of a path, its root first: `sold.rows[0].item` has four.
pub fn keys(path: &str) -> Vec<String> {
    path.split(['.', '[', ']']).filter(|key| !key.is_empty()).map(str::to_owned).collect()
}

/// What the loops of a template go over: the name of an item, and the path of the list. One that goes over something else
/// than a plain path is left out.
pub fn loops(template: &str) -> Vec<(String, String)> {
    let plain = |span: Range<usize>| {
        let mut parts = template[span].trim_matches(['-', '+', ' ', '\n']).split_whitespace();
        let (word, name, inside, path) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_all = matches!(parts.next(), None | Some("if" | "recursive"));
        let is_path = path.bytes().next().is_some_and(is_start)
            && path.chars().all(|c| c.is_ascii_alphanumeric() || "_.[]".contains(c));
        let is_loop = word == "for" && inside == "in" && is_all && is_path;
        is_loop.then(|| (name.to_owned(), path.to_owned()))
    };
    expressions(template).into_iter().filter_map(plain).collect()
}

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WordKind {
    /// A name, with the fields that follow it.
    Name,
    /// After `|`.
    Filter,
}

/// The words of a template, which stands between `{{ }}` and `{% %}`.
pub fn words(template: &str) -> Vec<Word> {
    expressions(template).into_iter().flat_map(|span| within(template, span)).collect()
}

/// The words of an expression without braces.
pub fn words_of_expression(text: &str) -> Vec<Word> {
    within(text, 0..text.len())
}

/// The template with each `name?` written out, none where there is no such name, and with comparisons as calls of [`ORDERED`].
pub fn written_out(template: &str) -> Cow<'_, str> {
    let spelt = spelt(template, words(template));
    let spans: Vec<Range<usize>> =
        expressions(&spelt).into_iter().filter(|span| spelt[span.clone()].contains(['<', '>'])).collect();
    let mut whole = spelt.to_string();
    for span in spans.into_iter().rev() {
        // Signs that take white space away stand beside the braces.
        let inner = &spelt[span.clone()];
        let start = span.start + inner.len() - inner.trim_start_matches(['-', '+']).len();
        let end = span.end - (inner.len() - inner.trim_end_matches(['-', '+']).len());
        if start < end {
            whole.replace_range(start..end, &ordered::ordered(&spelt[start..end]));
        }
    }
    if whole == *spelt { spelt } else { whole.into() }
}

/// The same for an expression without braces.
pub fn expression_written_out(text: &str) -> Cow<'_, str> {
    let spelt = spelt(text, words_of_expression(text));
    if spelt.contains(['<', '>']) { ordered::ordered(&spelt).into() } else { spelt }
}

fn spelt(text: &str, words: Vec<Word>) -> Cow<'_, str> {
    if !words.iter().any(|word| word.optional) {
        return text.into();
    }
    let (mut whole, mut from) = (String::new(), 0);
    for word in words.iter().filter(|word| word.optional) {
        let ends = word.text.match_indices(['.', '[']).map(|(at, _)| at).chain([word.text.len()]);
        let defined: Vec<String> = ends.map(|end| format!("{} is defined", &word.text[..end])).collect();
        whole.push_str(&text[from..word.span.start]);
        whole.push_str(&format!("({} if {} else none)", word.text, defined.join(" and ")));
        from = word.span.end;
    }
    whole.push_str(&text[from..]);
    whole.into()
}

/// What is between the braces of a template.
fn expressions(template: &str) -> Vec<Range<usize>> {
    let (mut found, mut at) = (vec![], 0);
    while let Some(start) = template[at..].find('{').map(|start| at + start) {
        let close = match template.as_bytes().get(start + 1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            Some(b'#') => "#}",
            _ => {
                at = start + 1;
                continue;
            }
        };
        let Some(end) = end_of(template, start + 2, close) else { break };
        let inner = template[start + 2..end].trim_matches(['-', '+', ' ']);
        if close == "%}" && inner == "raw" {
            at = template[end..].find("endraw").map_or(template.len(), |more| end + more);
            continue;
        }
        if close != "#}" {
            found.push(start + 2..end);
        }
        at = end + 2;
    }
    found
}

/// Where `close` stands outside of a text.
fn end_of(template: &str, from: usize, close: &str) -> Option<usize> {
    let bytes = template.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        if bytes[at..].starts_with(close.as_bytes()) {
            return Some(at);
        }
        at = if close == "#}" { at + 1 } else { past(bytes, at) };
    }
    None
}

fn within(text: &str, span: Range<usize>) -> Vec<Word> {
    let bytes = &text.as_bytes()[..span.end];
    let (mut words, mut at) = (vec![], span.start);
    // What stands before a word says what it is.
    let mut before = b' ';
    let mut after_is = false;
    while at < bytes.len() {
        let byte = bytes[at];
        if !is_start(byte) {
            let next = past(bytes, at);
            if !byte.is_ascii_whitespace() {
                (before, after_is) = (byte, false);
            }
            at = next;
            // A number's letters are no name.
            while byte.is_ascii_digit() && at < bytes.len() && is_part(bytes[at]) {
                at += 1;
            }
            continue;
        }
        let start = at;
        at = end_of_path(bytes, at);
        let word = &text[start..at];
        let optional = bytes.get(at) == Some(&b'?');
        at += usize::from(optional);
        let called = bytes[at..].iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'(');
        let kind = if before == b'|' { WordKind::Filter } else { WordKind::Name };
        let is_keyword = WORDS.contains(&word.split(['.', '[']).next().unwrap_or_default());
        let is_elsewhere = is_keyword || after_is || before == b'.' || is_argument(bytes, at);
        let is_name = kind == WordKind::Name && !is_elsewhere;
        if is_name || (kind == WordKind::Filter && !after_is) {
            words.push(Word { kind, text: word.to_owned(), span: start..at, optional, called });
        }
        after_is = word == "is" || (after_is && word == "not");
        before = b'a';
    }
    words
}

/// Where the path ends that begins at `at`, its fields and its plain places in lists, such as `[0]`, included.
fn end_of_path(bytes: &[u8], mut at: usize) -> usize {
    loop {
        let rest = &bytes[at..];
        let digits = rest.iter().skip(1).take_while(|b| b.is_ascii_digit()).count();
        let after = rest.get(1).copied();
        at += match rest.first() {
            Some(byte) if is_part(*byte) => 1,
            Some(b'.') if after.is_some_and(is_start) => 1,
            Some(b'[') if digits > 0 && rest.get(digits + 1) == Some(&b']') => digits + 2,
            _ => return at,
        };
    }
}

/// Whether one `=` follows: the name of an argument, or of what `set` sets.
fn is_argument(bytes: &[u8], at: usize) -> bool {
    let rest = bytes[at..].iter().skip_while(|b| b.is_ascii_whitespace());
    let next: Vec<u8> = rest.take(2).copied().collect();
    next.first() == Some(&b'=') && next.get(1) != Some(&b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_where_they_stand() {
        let check = |template: &str, wanted: &[&str]| {
            let found: Vec<String> =
                words(template).iter().map(|word| template[word.span.clone()].to_owned()).collect();
            assert_eq!(found, wanted, "{template}");
        };
        check("plain a.b", &[]);
        check("{{ brief.week }} and {{ x|title }}", &["brief.week", "x", "title"]);
        check("{{ 'a.b {{' ~ c }} {# d #}", &["c"]);
        check(
            "{% for m in draft.mails if m is defined and not m is none %}{{ loop.index }}{% endfor %}",
            &["m", "draft.mails", "m", "m"],
        );
        check("{{ rows[0].item | default(value='x') }} {{ 1e5 }}", &["rows[0].item", "default"]);
        check("{{ rows[n].item }} {{ a[0][1] }}", &["rows", "n", "a[0][1]"]);
        check("{{ review? }} {{ review.points? | length }}", &["review?", "review.points?", "length"]);
        check("{{ open", &[]);
    }

    #[test]
    fn an_optional_name_is_written_out() {
        assert_eq!(written_out("{{ a }}?"), "{{ a }}?");
        assert_eq!(written_out("{% if r? %}x{% endif %}"), "{% if (r if r is defined else none) %}x{% endif %}");
        assert_eq!(expression_written_out("a.b?"), "(a.b if a is defined and a.b is defined else none)");
        let first = "(a[0].b if a is defined and a[0] is defined and a[0].b is defined else none)";
        assert_eq!(expression_written_out("a[0].b?"), first);
    }

    #[test]
    fn loops_say_what_they_go_over() {
        let check = |template: &str, wanted: &[(&str, &str)]| {
            let found = loops(template);
            let found: Vec<_> = found.iter().map(|(name, path)| (name.as_str(), path.as_str())).collect();
            assert_eq!(found, wanted, "{template}");
        };
        check("{%- for row in sold.rows if row.x %}{{ row.y }}{% endfor %}", &[("row", "sold.rows")]);
        check("{% for k, v in a.items() %}{% endfor %}{% for a in [1] %}{% endfor %}{% for a in b | sort %}", &[]);
    }

    #[test]
    fn the_filters_are_those_of_the_engine() {
        let environment = minijinja::Environment::new();
        let is_known = |name: &str| {
            let expression = format!("''|{name}");
            let error = environment.compile_expression(&expression).and_then(|e| e.eval(())).err();
            error.is_none_or(|error| error.kind() != minijinja::ErrorKind::UnknownFilter)
        };
        for filter in FILTERS {
            assert!(is_known(filter), "{filter}");
        }
        assert!(!is_known("titel"));
    }
}
