//! What is bound is shown: no word of what an outward tool would let leave is missing from what a person is shown, of the
//! tools that there are and of mails with parts that nobody thought of. Words are found in the bytes by this file's own
//! reading, not by that of the product.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use callsheet::app;
use callsheet::tool::part::shown::{self, Shown};
use callsheet::tool::{Item, Outward, Tool};
use proptest::prelude::*;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::cli::Project;
use crate::support::settings;
use crate::tools::{intent, outward};

/// Marks of HTML that say nothing to a reader.
const MARKS: [&str; 17] = [
    "doctype", "html", "head", "meta", "title", "body", "div", "p", "br", "a", "charset", "href", "style", "amp",
    "quot", "lt", "39",
];

/// Words of a text: letters and digits in a row.
fn words(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Words of the bytes that are not in `shown`, but for marks and boundaries.
fn missing(bytes: &[u8], shown: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    // Soft line breaks and escapes of quoted-printable hide words from this reading.
    assert!(!text.contains("=\r\n"), "the test's texts are to be plain:\n{text}");
    let shown = words(shown);
    words(&text).into_iter().filter(|word| !shown.contains(word) && !MARKS.contains(&word.as_str())).collect()
}

fn told(parts: &[Shown]) -> String {
    let lines = parts.iter().map(|part| match part {
        Shown::Field { name, value } => format!("{name}: {value}"),
        Shown::Text { name, text } => format!("{name}\n{text}"),
        Shown::Rows(rows) => rows.join("\n"),
        Shown::File { name, media_type, bytes, sha256 } => format!("{name} {media_type} {bytes} {sha256}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What each outward kind would let leave: the tool, and arguments that use all that it takes.
fn args(tool: &dyn Outward) -> serde_json::Value {
    let name = tool.spec().name.as_str();
    match name.rsplit('.').next().unwrap() {
        "publish" => json!({ "versions": [
            { "channel": "linkedin", "title": "Ferns in winter", "text": "Water less.\n\nLight <b>more</b>." },
            { "channel": "newsletter", "text": "Short one." },
        ] }),
        "deliver" if name.starts_with("email") => json!({
            "sequence": { "name": "s", "mails": [
                { "id": "one", "day": 2, "subject": "Come back", "preheader": "hiddenpreheader & more",
                  "text": "Hello {{first_name|there}},\n\nsee https://example.com/x?utm_source=mail\n\n{{unsubscribe_url}}" },
            ] },
            "audience": { "query": "audience", "args": { "segment": "lapsed_eu" }, "size": 721 },
        }),
        "deliver" => json!({ "items": [{ "to": "somebody", "title": "t", "deep": { "er": ["words", 12] } }, "bare"] }),
        other => panic!("{name}: say here what {other} is called with, so that what it lets leave is looked at"),
    }
}

#[tokio::test]
async fn no_word_of_any_outward_tool_is_missing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tools: Vec<Tool> = app::tools(&settings(root)).unwrap().into_values().collect();
    let folder = tempfile::tempdir().unwrap();
    let sink = crate::tools::config("repeat = { class = \"queryable\" }").unwrap();
    tools.extend(crate::tools::open::<callsheet::tool::sink::Config>("sink", sink, folder.path()).unwrap());
    let outward = |tool| if let Tool::Outward(tool) = tool { Some(tool) } else { None };
    let tools: Vec<_> = tools.into_iter().filter_map(outward).collect();
    assert!(tools.len() >= 3, "the outward tools are not there");
    for tool in tools {
        let name = tool.spec().name.clone();
        let items = tool.prepare(intent(args(tool.as_ref()))).await;
        for item in items.unwrap_or_else(|why| panic!("{name}: {why:?}")) {
            let shown = told(&tool.shown(&item));
            let missing = missing(plain(&item.bytes).as_bytes(), &shown);
            let boundary = |word: &String| item.media_type == "message/rfc822" && word.len() == 32;
            let missing: Vec<_> = missing.into_iter().filter(|word| !boundary(word)).collect();
            assert!(missing.is_empty(), "{name}, {}: {missing:?} is not in\n{shown}", item.key);
        }
    }
}

#[test]
fn review_shows_all_that_is_then_in_the_files() {
    for (topology, folder) in [("re-engagement", "1-re-engagement"), ("content-repurposing", "1-content-repurposing")] {
        let project = Project::new();
        project.types(&format!("run {topology}"));
        let (code, shown) = project.types("review 1 --whole");
        assert_eq!(code, 0, "{shown}");
        let (code, text) = project.types("approve 1");
        assert_eq!(code, 0, "{text}");
        let mut files = 0;
        for entry in fs::read_dir(project.path("out").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with('.') {
                continue;
            }
            files += 1;
            let text = plain(&fs::read(&path).unwrap());
            let missing = missing(text.as_bytes(), &shown);
            let missing: Vec<_> = missing.into_iter().filter(|word| word.len() != 32).collect();
            assert!(missing.is_empty(), "{}: {missing:?} is not in\n{shown}", path.display());
        }
        assert!(files >= 3, "{topology} wrote {files} files");
    }
    let project = Project::new();
    project.types("run re-engagement");
    let (_, cut) = project.types("review 1");
    assert!(cut.contains("more rows") && cut.contains("callsheet review 1 --whole"), "{cut}");
    let asked = "it is read with {\"args\":{\"segment\":\"lapsed_eu\"},\"query\":\"audience\"}";
    assert!(cut.contains(asked), "what is asked when the list leaves is bound, and shown: {cut}");
}

/// A mail with quoted-printable undone, in ASCII words; other files as they are.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace("=\r\n", "");
    if !text.contains("quoted-printable") {
        return text;
    }
    let mut plain: Vec<u8> = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match code.filter(|_| *first == b'=') {
            Some(code) => {
                plain.push(code);
                rest = &after[2..];
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// A part of a random mail.
#[derive(Debug, Clone)]
enum Part {
    Text(String),
    /// Shown and hidden text, a comment, the value of an attribute.
    Html(String, String, String, String),
    File(String, Vec<u8>),
    /// A mail within.
    Mail(Box<Mail>),
    /// Parts within, with lines before and after them.
    Several(Vec<Part>, String, String),
}

#[derive(Debug, Clone)]
struct Mail {
    headers: Vec<(String, String)>,
    part: Part,
}

fn word() -> impl Strategy<Value = String> {
    "[a-z]{3,8}[0-9]{3}"
}

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(word(), 1..5).prop_map(|words| words.join(" "))
}

fn mail() -> impl Strategy<Value = Mail> {
    let leaf = prop_oneof![
        text().prop_map(Part::Text),
        (text(), text(), text(), text()).prop_map(|(a, b, c, d)| Part::Html(a, b, c, d)),
        (word(), proptest::collection::vec(any::<u8>(), 1..80)).prop_map(|(name, bytes)| Part::File(name, bytes)),
    ];
    let part = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            (headers(), inner.clone()).prop_map(|(headers, part)| Part::Mail(Box::new(Mail { headers, part }))),
            (proptest::collection::vec(inner, 1..4), text(), text())
                .prop_map(|(parts, a, b)| Part::Several(parts, a, b)),
        ]
    });
    (headers(), part).prop_map(|(headers, part)| Mail { headers, part })
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    proptest::collection::vec((word().prop_map(|name| format!("X-{name}")), text()), 1..4)
}

impl Mail {
    fn write(&self, depth: usize, out: &mut String) {
        for (name, value) in &self.headers {
            out.push_str(&format!("{name}: {}\r\n", value.replacen(' ', "\r\n ", 1)));
        }
        self.part.write(depth, out);
    }

    fn says(&self, all: &mut Vec<String>) {
        all.extend(self.headers.iter().flat_map(|(name, value)| [name.clone(), value.clone()]));
        self.part.says(all);
    }
}

impl Part {
    fn write(&self, depth: usize, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(&format!("Content-Type: text/plain\r\n\r\n{text}\r\n")),
            Self::Html(seen, hidden, comment, title) => out.push_str(&format!(
                "Content-Type: text/html\r\n\r\n<p title='{title}'>{seen}</p><!-- {comment} -->\
                 <div style=\"display:none\">{hidden}</div>\r\n"
            )),
            Self::File(name, bytes) => out.push_str(&format!(
                "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename={name}.bin\r\n\
                 Content-Transfer-Encoding: base64\r\n\r\n{}\r\n",
                base64(bytes)
            )),
            Self::Mail(mail) => {
                out.push_str("Content-Type: message/rfc822\r\n\r\n");
                mail.write(depth + 1, out);
            }
            Self::Several(parts, before, after) => {
                out.push_str(&format!("Content-Type: multipart/mixed; boundary=\"b{depth}\"\r\n\r\n{before}\r\n"));
                for part in parts {
                    out.push_str(&format!("--b{depth}\r\n"));
                    part.write(depth + 1, out);
                }
                out.push_str(&format!("--b{depth}--\r\n{after}\r\n"));
            }
        }
    }

    fn says(&self, all: &mut Vec<String>) {
        match self {
            Self::Text(text) => all.push(text.clone()),
            Self::Html(one, two, three, four) => all.extend([one, two, three, four].map(Clone::clone)),
            Self::File(name, bytes) => {
                let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
                all.extend([name.clone(), digest]);
            }
            Self::Mail(mail) => mail.says(all),
            Self::Several(parts, before, after) => {
                all.extend([before.clone(), after.clone()]);
                parts.iter().for_each(|part| part.says(all));
            }
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        let letter = |nth: usize| LETTERS[(bits >> (18 - 6 * nth) & 63) as usize] as char;
        (0..4).map(|nth| if nth <= three.len() { letter(nth) } else { '=' }).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

fn item(bytes: Vec<u8>) -> Item {
    Item {
        key: "01.eml".to_owned(),
        recipient: "somebody".to_owned(),
        recipients: 1,
        title: "a mail".to_owned(),
        media_type: "message/rfc822".to_owned(),
        after_ms: 0,
        again: None,
        bytes,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_word_of_a_random_mail_is_missing(mail in mail()) {
        let mut text = String::new();
        mail.write(0, &mut text);
        let told = told(&shown::parts(&item(text.clone().into_bytes())));
        let mut all = Vec::new();
        mail.says(&mut all);
        if told.contains("not readable as a mail") {
            // Then every line is shown as it is, with what is encoded in it.
            all = text.lines().map(str::to_owned).collect();
        }
        for word in all.iter().flat_map(|said| words(said)) {
            prop_assert!(words(&told).contains(&word), "{word} is missing in\n{told}\nof\n{text}");
        }
    }

    #[test]
    fn any_bytes_are_shown_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        shown::parts(&item(bytes));
    }
}

/// What of a mail's headers and parts is shown, by name.
fn check(mail: &str, expected: &[(&str, &str)]) {
    let parts = shown::parts(&item(mail.replace('\n', "\r\n").into_bytes()));
    for (name, value) in expected {
        let found = parts.iter().any(|part| match part {
            Shown::Field { name: of, value: is } => of == name && is == value,
            Shown::Text { name: of, text } => of.starts_with(name) && text.trim_end().replace("\r\n", "\n") == *value,
            Shown::Rows(_) | Shown::File { .. } => false,
        });
        assert!(found, "{name}: {value:?} is not among {parts:#?}");
    }
}

#[test]
fn what_a_reader_would_not_see_is_shown() {
    check(
        "Subject: =?utf-8?q?Offer=0D=0ABcc=3A_all=40example=2Ecom?=\nReply-To: other@example.com\n\
         List-Unsubscribe: <https://example.com/u>\nno header at all\n\nbody\n",
        &[
            ("Subject", "Offer\r\nBcc: all@example.com"),
            ("Reply-To", "other@example.com"),
            ("List-Unsubscribe", "<https://example.com/u>"),
            ("no header", "no header at all"),
            ("text", "body"),
        ],
    );
    check(
        "Subject: s\nContent-Type: multipart/alternative; boundary=b\n\nbefore\n--b\nContent-Type: text/plain\n\n\
         Same words.\n--b\nContent-Type: text/html\n\n<p>Same <b>words.</b></p><i hidden>early look</i>\n--b--\nafter\n",
        &[
            ("text", "Same words."),
            ("HTML: it says what the text says, and beside that", "i: hidden\ni: early look"),
            ("outside the parts", "before\nafter"),
        ],
    );
}

#[test]
fn an_encoded_word_is_refused_where_mails_are_built() {
    let project = Project::new();
    project.replace("callsheet.toml", "from = \"", "from = \"=?utf-8?q?x?= ");
    let (code, text) = project.types("check re-engagement");
    assert!(code == 2 && text.contains("encoded word"), "{text}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tool =
        app::tools(&settings(root)).unwrap().into_values().find(|tool| tool.spec().name.as_str() == "email.deliver");
    let tool = outward(&tool.unwrap());
    let mut args = args(tool.as_ref());
    args["sequence"]["mails"][0]["subject"] = "Offer =?utf-8?q?=0D=0ABcc=3A?=".into();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let why = runtime.block_on(tool.prepare(intent(args))).unwrap_err();
    assert!(why.reason.contains("encoded word"), "{why:?}");
}
