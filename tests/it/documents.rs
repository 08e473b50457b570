//! Documents: what is found in them and where, what is read anew, and what is not read at all.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use callsheet::failure::{Class, Failure};
use callsheet::tool::Tool;
use callsheet::tool::documents::Config;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::tools::{call, config, is_there, open, write};

const GUIDE: &str = "\
# Shipping

We ship on weekdays.

## To Europe

Parcels to Österreich take three days.
```
# no heading
```

## Elsewhere

A parcel takes as long as it takes.
";

const PAGE: &str = "<html><head><title>x</title><style>p { color: red }</style></head><body>
<h1>Prices</h1>
<p>Everything costs <b>9 &euro;</b>.</p>
<script>alert('fernweh')</script>
<h2 class=\"x\">In <i>bulk</i></h2>
<p>A hundred cost 800.</p></body></html>
";

fn docx(xml: &str) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    archive.start_file("word/document.xml", options).unwrap();
    archive.write_all(xml.as_bytes()).unwrap();
    archive.finish().unwrap().into_inner()
}

fn word(paragraphs: &str) -> Vec<u8> {
    let space = "xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"";
    docx(&format!("<?xml version=\"1.0\"?><w:document {space}><w:body>{paragraphs}</w:body></w:document>"))
}

const LETTER: &str = "<w:p><w:pPr><w:pStyle w:val=\"Heading1\"/></w:pPr><w:r><w:t>Returns &amp; repairs</w:t></w:r></w:p>\
    <w:p><w:r><w:t>Send it </w:t><w:t>back within</w:t><w:tab/><w:t>30 days &#8212; please.</w:t></w:r></w:p>";

/// A PDF of pages of text.
fn pdf(pages: &[String]) -> Vec<u8> {
    let mut objects = vec!["<< /Type /Catalog /Pages 2 0 R >>".to_owned()];
    let kids: Vec<String> = (0..pages.len()).map(|at| format!("{} 0 R", 4 + 2 * at)).collect();
    objects.push(format!("<< /Type /Pages /Kids [{}] /Count {} >>", kids.join(" "), pages.len()));
    objects.push("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned());
    for (at, text) in pages.iter().enumerate() {
        let resources = "/MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >>";
        objects.push(format!("<< /Type /Page /Parent 2 0 R {resources} /Contents {} 0 R >>", 5 + 2 * at));
        let lines: Vec<String> = text.lines().map(|line| format!("({line}) '")).collect();
        let stream = format!("BT /F1 8 Tf 10 TL 20 780 Td {} ET", lines.join(" "));
        objects.push(format!("<< /Length {} >>\nstream\n{stream}\nendstream", stream.len()));
    }
    let mut out = "%PDF-1.4\n".to_owned();
    let mut places = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        places.push(out.len());
        out.push_str(&format!("{} 0 obj\n{object}\nendobj\n", at + 1));
    }
    let start = out.len();
    out.push_str(&format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1));
    places.iter().for_each(|place| out.push_str(&format!("{place:010} 00000 n \n")));
    out.push_str(&format!("trailer << /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n", objects.len() + 1));
    out.into_bytes()
}

fn project() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "docs/guide.md", GUIDE);
    write(dir.path(), "docs/deep/page.HTML", PAGE);
    write(dir.path(), "docs/letter.docx", word(LETTER));
    write(dir.path(), "docs/plain.txt", "\u{FEFF}first line\n\nsecond: fernweh\n");
    write(dir.path(), "docs/picture.png", "fernweh");
    write(dir.path(), "docs/.hidden.txt", "fernweh");
    dir
}

fn tools(root: &Path, more: &str) -> [Tool; 2] {
    let config = config::<Config>(&format!("root = \"docs\"\n{more}")).unwrap();
    open("library", config, root).unwrap().try_into().unwrap_or_else(|_| panic!("two tools"))
}

async fn search(tool: &Tool, query: &str) -> Vec<Value> {
    call(tool, json!({ "query": query })).await.unwrap()["hits"].as_array().unwrap().clone()
}

/// Where something was found: file and place.
fn places(hits: &[Value]) -> Vec<(&str, &str)> {
    hits.iter().map(|hit| (hit["file"].as_str().unwrap(), hit["place"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn each_hit_says_its_file_its_place_and_the_digest() {
    let dir = project();
    let [search_in, read] = tools(dir.path(), "");
    assert!(search_in.look().facts[0].contains("4 documents"), "{:?}", search_in.look());
    assert!(search_in.spec().labels.untrusted && read.spec().labels.untrusted);
    let cases = [
        ("osterreich", ("guide.md", "Shipping > To Europe, lines 5-10"), "three days"),
        ("ELSEWHERE", ("guide.md", "Shipping > Elsewhere, lines 12-14"), "as long as"),
        ("weekdays", ("guide.md", "Shipping, lines 1-3"), "We ship"),
        ("costs", ("deep/page.HTML", "Prices, line 2"), "9 \u{20AC}"),
        ("bulk hundred", ("deep/page.HTML", "Prices > In bulk, line 5"), "A hundred cost 800."),
        ("repairs", ("letter.docx", "Returns & repairs, paragraphs 1-2"), "back within 30 days \u{2014} please."),
        ("fernweh", ("plain.txt", "lines 1-3"), "second: fernweh"),
    ];
    for (query, place, says) in cases {
        let hits = search(&search_in, query).await;
        assert_eq!(places(&hits)[0], place, "{query}: {hits:?}");
        assert!(hits[0]["text"].as_str().unwrap().contains(says), "{query}: {hits:?}");
        let bytes = fs::read(dir.path().join("docs").join(place.0)).unwrap();
        let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hits[0]["digest"], digest, "{query}");
        let (file, part) = (&hits[0]["file"], &hits[0]["part"]);
        let again = call(&read, json!({ "file": file, "part": part, "parts": 1 })).await.unwrap();
        assert_eq!(again["parts"][0], hits[0], "{query}");
    }
    // What runs or is drawn is not said, and the rarer word counts more.
    assert_eq!(places(&search(&search_in, "fernweh").await).len(), 1);
    assert_eq!(places(&search(&search_in, "parcel parcels three").await)[0].1, "Shipping > To Europe, lines 5-10");
    assert_eq!(search(&search_in, "nothing-of-the-kind xyzzy").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_document_is_read_part_by_part_and_whole() {
    let dir = project();
    let lines: Vec<String> = (1..=400).map(|n| format!("line {n} {}", "word ".repeat(n % 30))).collect();
    let long = "x".repeat(7_000);
    write(dir.path(), "docs/long.txt", format!("{}\n{long}\nend\n", lines.join("\n")));
    let [_, read] = tools(dir.path(), "");
    let (mut next, mut whole, mut numbers) = (json!(1), String::new(), Vec::new());
    while !next.is_null() {
        let came = call(&read, json!({ "file": "long.txt", "part": next, "parts": 3 })).await.unwrap();
        for part in came["parts"].as_array().unwrap() {
            let text = part["text"].as_str().unwrap();
            assert!(text.chars().count() <= 2_400, "{}", text.len());
            whole.push_str(text);
            numbers.push(part["part"].as_u64().unwrap());
        }
        next = came["next"].clone();
    }
    assert!(numbers.len() > 10 && numbers.iter().zip(1..).all(|(number, n)| *number == n), "{numbers:?}");
    let bare = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(bare(&whole), bare(&format!("{}{long}end", lines.concat())));
    for file in ["nothing.txt", "../canary.txt", "/etc/passwd", "", ".hidden.txt", "picture.png", "deep"] {
        let why = call(&read, json!({ "file": file })).await.unwrap_err();
        assert_eq!(why.class, Class::Invalid, "{file}: {why:?}");
    }
}

#[tokio::test]
async fn what_has_changed_is_read_again_and_nothing_else() {
    let dir = project();
    let [tool, _] = tools(dir.path(), "");
    search(&tool, "x1").await;
    let ids = || {
        let index = rusqlite::Connection::open(dir.path().join(".callsheet/documents/library.db")).unwrap();
        let mut all = index.prepare("SELECT path, id FROM files ORDER BY path").unwrap();
        let rows = all.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))).unwrap();
        rows.collect::<Result<std::collections::BTreeMap<_, _>, _>>().unwrap()
    };
    let before = ids();
    write(dir.path(), "docs/plain.txt", "third: wanderlust\n");
    write(dir.path(), "docs/new.txt", "novelty\n");
    fs::remove_file(dir.path().join("docs/letter.docx")).unwrap();
    // Another process has an index of its own to look into, the same one.
    let [tool, _] = tools(dir.path(), "");
    assert_eq!(search(&tool, "fernweh repairs").await, Vec::<Value>::new());
    assert_eq!(places(&search(&tool, "wanderlust novelty").await).len(), 2);
    let after = ids();
    let same: Vec<&String> =
        before.iter().filter(|(path, id)| after.get(*path) == Some(id)).map(|(path, _)| path).collect();
    assert_eq!(same, ["deep/page.HTML", "guide.md"]);
    // An index that is none is made anew.
    for bytes in [b"no database".as_slice(), b""] {
        fs::write(dir.path().join(".callsheet/documents/library.db"), bytes).unwrap();
        let [tool, _] = tools(dir.path(), "");
        assert_eq!(places(&search(&tool, "weekdays").await).len(), 1);
    }
}

#[tokio::test]
async fn words_are_words_whatever_they_mean_to_an_index() {
    let dir = project();
    let [tool, _] = tools(dir.path(), "");
    for query in [
        "weekdays\"",
        "\"weekdays",
        "weekdays*",
        "*weekdays",
        "weekdays AND",
        "NOT weekdays",
        "NEAR(weekdays)",
        "text:weekdays",
        "^weekdays",
        "weekdays OR 1=1",
        "{text} : weekdays",
        "weekdays'); DROP TABLE parts; --",
        "(weekdays",
        "weekdays + ship",
        "weekdays \u{0} x",
        "week\u{200B}days weekdays",
    ] {
        assert!(!search(&tool, query).await.is_empty(), "{query}");
    }
    for query in ["", "  ", "\"", "* - + ()", "\u{0}"] {
        assert_eq!(call(&tool, json!({ "query": query })).await.unwrap_err().class, Class::Invalid, "{query}");
    }
    let many = format!("weekdays {}", "other ".repeat(50_000));
    assert!(!search(&tool, &many).await.is_empty());
}

/// Why a document of this name and these bytes is left out.
async fn left_out(name: &str, bytes: &[u8]) -> String {
    let dir = project();
    write(dir.path(), &format!("docs/{name}"), bytes);
    let [tool, read] = tools(dir.path(), "file_bytes_max = 20_000_000");
    let came = call(&tool, json!({ "query": "weekdays" })).await.unwrap();
    assert_eq!((places(came["hits"].as_array().unwrap()).len(), &came["documents"]), (1, &json!(4)), "{name}: {came}");
    let why: Failure = call(&read, json!({ "file": name })).await.unwrap_err();
    assert_eq!(why.class, Class::Invalid, "{name}");
    came["left_out"][0].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn what_cannot_be_read_is_left_out_and_told() {
    let bomb = format!("<w:p><w:t>{}</w:t></w:p>", "a".repeat(80 << 20));
    let laughs =
        "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]><p><t>&b; alone</t></p>";
    let cases: [(&str, Vec<u8>, &str); 7] = [
        ("broken.docx", b"PK\x03\x04 no archive".to_vec(), "no DOCX file"),
        ("other.docx", b"text".to_vec(), "no DOCX file"),
        ("bomb.docx", word(&bomb), "unpacks to more than"),
        ("torn.docx", docx("<w:p><w:t>x</w:p>"), "not well-formed"),
        ("latin.txt", b"one\ntwo \xE9\n".to_vec(), "not UTF-8 text: line 2"),
        ("long.md", "a b c ".repeat(2_000_000).into_bytes(), "more than 8388608 bytes of text"),
        ("larger.txt", vec![b' '; 20_000_001], "20000001 bytes, more than 20000000 (file_bytes_max)"),
    ];
    for (name, bytes, says) in cases {
        let why = left_out(name, &bytes).await;
        assert!(why.starts_with(&format!("{name}: ")) && why.contains(says), "{name}: {why}");
    }
    // Entities of its own are not unfolded.
    let dir = project();
    write(dir.path(), "docs/laughs.docx", docx(laughs));
    let [tool, _] = tools(dir.path(), "");
    let hits = search(&tool, "alone").await;
    assert!(!hits[0]["text"].as_str().unwrap().contains("ha"), "{hits:?}");
    // Two gigabytes, of which the disk has none: told before anybody opens it.
    let huge = fs::File::create(dir.path().join("docs/huge.txt")).unwrap();
    huge.set_len(2 << 30).unwrap();
    assert!(tool.look().facts[1].contains("huge.txt: 2147483648 bytes"), "{:?}", tool.look());
    let came = call(&tool, json!({ "query": "weekdays" })).await.unwrap();
    assert!(came["left_out"][0].as_str().unwrap().contains("2147483648 bytes"), "{came}");
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_beyond_the_folder_is_read() {
    use std::os::unix::fs::symlink;
    let (dir, outside) = (project(), tempfile::tempdir().unwrap());
    write(outside.path(), "secret.txt", "canarybird\n");
    write(dir.path(), "beside.txt", "canarybird\n");
    let docs = dir.path().join("docs");
    symlink(outside.path().join("secret.txt"), docs.join("link.txt")).unwrap();
    symlink(outside.path(), docs.join("folder")).unwrap();
    symlink(&docs, docs.join("itself")).unwrap();
    symlink("../beside.txt", docs.join("up.txt")).unwrap();
    symlink("guide.md", docs.join("inside.md")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, docs.join("pipe.txt"), rustix::fs::Mode::RUSR).unwrap();
    let [tool, read] = tools(dir.path(), "");
    assert_eq!(search(&tool, "canarybird").await, Vec::<Value>::new());
    assert_eq!(call(&tool, json!({ "query": "weekdays" })).await.unwrap()["documents"], 4);
    for file in ["link.txt", "folder/secret.txt", "up.txt", "itself/guide.md", "inside.md", "pipe.txt"] {
        assert!(call(&read, json!({ "file": file })).await.is_err(), "{file}");
    }
    // The folder itself may not lead out either.
    symlink(outside.path(), dir.path().join("away")).unwrap();
    for root in ["away", "docs/folder"] {
        let tools = open("library", config::<Config>(&format!("root = {root:?}")).unwrap(), dir.path()).unwrap();
        assert_eq!(tools[0].look().faults.len(), 1, "{root}");
        assert_eq!(
            call(&tools[0], json!({ "query": "canarybird" })).await.unwrap_err().class,
            Class::Permanent,
            "{root}"
        );
    }
    for root in ["../x", "/etc", "a/../b", ""] {
        assert!(open("library", config::<Config>(&format!("root = {root:?}")).unwrap(), dir.path()).is_err(), "{root}");
    }
}

#[tokio::test]
async fn pages_of_pdf_files() {
    if !["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"].iter().any(|bin| Path::new(bin).join("pdftotext").exists())
    {
        is_there(Path::new("/usr/bin/pdftotext"), "pdftotext");
        assert!(left_out("x.pdf", &pdf(&["x".to_owned()])).await.contains("poppler-utils"));
        return;
    }
    let dir = project();
    write(dir.path(), "docs/report.pdf", pdf(&["The first page".to_owned(), "A second page on marmots".to_owned()]));
    let [tool, _] = tools(dir.path(), "");
    let hits = search(&tool, "marmots").await;
    assert_eq!(places(&hits), [("report.pdf", "page 2")], "{hits:?}");
    assert!(left_out("broken.pdf", b"%PDF-1.4 and nothing").await.contains("pdftotext does not read it"));
    // What says more than anybody reads.
    let page = format!("{}\n", "many words on one page ".repeat(6)).repeat(76);
    let why = left_out("bomb.pdf", &pdf(&vec![page; 1_000])).await;
    assert!(why.contains("bytes of text") || why.contains("takes more than"), "{why}");
}
