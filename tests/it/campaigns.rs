//! The shipped data and rehearsals: the right answers counted by hand, the traps, and what the scripts say of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use jiff::tz::TimeZone;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};

use walk::{Told, Walk, long_subjects};

mod investigation;
mod walk;

#[path = "../../examples/generate_data.rs"]
#[expect(dead_code, reason = "it is a program with a main of its own")]
mod generate;

const QUARTERS: [&str; 5] = ["2025-Q4", "2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4"];

/// Delivered mails and clicks.
type Count = (usize, usize);

/// How rows are read; `RIGHT`, or with one thing forgotten.
#[derive(Clone, Copy)]
struct Reading {
    once: bool,
    berlin: bool,
    renamed: bool,
    unknown_is_no_base: bool,
}

const RIGHT: Reading = Reading { once: true, berlin: true, renamed: true, unknown_is_no_base: true };

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

type Row = BTreeMap<String, String>;

static SENDS: LazyLock<Vec<Row>> = LazyLock::new(|| rows("sends.csv"));
static CONTACTS: LazyLock<Vec<Row>> = LazyLock::new(|| rows("contacts.csv"));

fn rows(name: &str) -> Vec<Row> {
    csv::Reader::from_path(root().join("data").join(name)).unwrap().deserialize().map(Result::unwrap).collect()
}

/// Counts by segment and region of `quarter`, read from the files without SQL and without `calendar.csv`.
fn counted(quarter: &str, how: Reading) -> BTreeMap<(String, String), Count> {
    let mut counts: BTreeMap<(String, String), Count> = BTreeMap::new();
    for mail in mails(quarter, how) {
        let count = counts.entry((mail.segment, mail.region)).or_default();
        *count = (count.0 + 1, count.1 + usize::from(mail.clicked));
    }
    counts
}

/// A delivered mail whose tracking is known.
struct Mail {
    segment: String,
    region: String,
    clicked: bool,
    sent: jiff::Zoned,
}

/// The mails of `quarter`, read from the files without SQL and without `calendar.csv`.
fn mails(quarter: &str, how: Reading) -> Vec<Mail> {
    let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    let contacts: BTreeMap<&str, &str> = CONTACTS.iter().map(|c| (&*c["contact_id"], &*c["region"])).collect();
    let mut messages: BTreeMap<String, Mail> = BTreeMap::new();
    for (place, row) in SENDS.iter().enumerate() {
        let sent: jiff::Timestamp = row["sent_at"].parse().unwrap();
        let local = sent.to_zoned(if how.berlin { zone.clone() } else { TimeZone::UTC });
        let own = format!("{}-Q{}", local.year(), (local.month() + 2) / 3);
        let unknown = row["clicked"].is_empty() && how.unknown_is_no_base;
        if own != quarter || row["delivered"] != "1" || unknown || row["segment"].is_empty() {
            continue;
        }
        let segment =
            if how.renamed { row["segment"].replace("lapsed-eu", "lapsed_eu") } else { row["segment"].clone() };
        let region =
            if row["region"].is_empty() { contacts[&*row["contact_id"]].to_owned() } else { row["region"].clone() };
        let key = if how.once { row["message_id"].clone() } else { place.to_string() };
        let clicked = row["clicked"] == "1";
        let entry = messages.entry(key).or_insert(Mail { segment, region, clicked: false, sent: local });
        entry.clicked |= clicked;
    }
    messages.into_values().collect()
}

fn by_segment(counts: &BTreeMap<(String, String), Count>) -> BTreeMap<&str, Count> {
    let mut sums: BTreeMap<&str, Count> = BTreeMap::new();
    for ((segment, _), (n, k)) in counts {
        let sum = sums.entry(segment).or_default();
        *sum = (sum.0 + n, sum.1 + k);
    }
    sums
}

fn rate((n, k): Count) -> f64 {
    k as f64 / n as f64
}

/// The data in SQLite, empty fields as NULL.
fn database() -> rusqlite::Connection {
    let db = rusqlite::Connection::open_in_memory().unwrap();
    for (name, path) in project()["tools"]["performance"]["csv"].as_object().unwrap() {
        let mut reader = csv::Reader::from_path(root().join(path.as_str().unwrap())).unwrap();
        let columns: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        db.execute_batch(&format!("BEGIN; CREATE TABLE {name} ({})", columns.join(" TEXT, ") + " TEXT")).unwrap();
        let marks = vec!["nullif(?, '')"; columns.len()].join(", ");
        let mut insert = db.prepare(&format!("INSERT INTO {name} VALUES ({marks})")).unwrap();
        for record in reader.records() {
            insert.execute(rusqlite::params_from_iter(record.unwrap().iter())).unwrap();
        }
        db.execute_batch("COMMIT").unwrap();
    }
    db
}

static DATABASE: LazyLock<Mutex<rusqlite::Connection>> = LazyLock::new(|| Mutex::new(database()));

fn project() -> Value {
    toml::from_str(&text("callsheet.toml")).unwrap()
}

/// What `performance.query` returns, from the shipped SQL.
fn query(db: &rusqlite::Connection, name: &str, args: &Value) -> Value {
    let project = project();
    let query = &project["tools"]["performance"]["queries"][name];
    let mut statement = db.prepare(query["sql"].as_str().unwrap()).unwrap();
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    for (arg, value) in args.as_object().unwrap() {
        let place = statement.parameter_index(&format!(":{arg}")).unwrap().unwrap();
        match value.as_i64() {
            Some(number) => statement.raw_bind_parameter(place, number).unwrap(),
            None => statement.raw_bind_parameter(place, value.as_str().unwrap()).unwrap(),
        }
    }
    let mut found = statement.raw_query();
    let mut rows = Vec::new();
    while let Some(row) = found.next().unwrap() {
        let cell = |i| match row.get_ref(i).unwrap() {
            ValueRef::Null => json!(null),
            ValueRef::Integer(n) => json!(n),
            ValueRef::Text(text) => json!(std::str::from_utf8(text).unwrap()),
            other => panic!("{other:?}"),
        };
        rows.push(Value::Object(columns.iter().enumerate().map(|(i, c)| (c.clone(), cell(i))).collect()));
    }
    json!({ "columns": columns, "row_count": rows.len(), "rows": rows, "source": { "query": name } })
}

#[test]
fn the_committed_data_is_what_the_generator_writes() {
    let mut bytes = 0;
    for (name, generated) in generate::files() {
        let committed = text(&format!("data/{name}"));
        assert!(committed == generated, "data/{name} differs: cargo run --example generate_data");
        bytes += committed.len();
    }
    assert!(bytes < 3 << 20, "{bytes} bytes");
    assert!(SENDS.len() >= 20_000);
    let hosts = ["@example.com", "@example.org", "@example.net"];
    for contact in &*CONTACTS {
        let email = &contact["email"];
        assert!(email.is_empty() || hosts.iter().any(|host| email.ends_with(host)), "{email}");
    }
}

#[test]
fn the_right_answers_are_as_constructed_and_as_written_in_the_readme() {
    let expected = [
        ("2025-Q4", Some(("app_users", (900, 47)))),
        ("2026-Q1", Some(("newcomers", (1310, 76)))),
        ("2026-Q2", None),
        ("2026-Q3", Some(("lapsed_eu", (1400, 82)))),
    ];
    let readme = text("data/README.md");
    let cells = generate::cells();
    for (i, (name, period)) in QUARTERS.iter().zip(generate::quarters()).enumerate() {
        assert_eq!(*name, period.name);
        let constructed = cells.iter().filter(|c| c.quarter == i);
        let constructed =
            constructed.map(|c| ((c.segment.to_owned(), c.region.to_owned()), (c.delivered, c.clicks))).collect();
        let counts = counted(name, RIGHT);
        assert_eq!(counts, constructed, "{name}");
        let Some((_, weak)) = expected.iter().find(|(quarter, _)| quarter == name) else { continue };
        assert_eq!(period.weak, weak.map(|(segment, _)| segment));
        let line = match weak {
            Some((segment, count)) => {
                assert_eq!(by_segment(&counts)[segment], *count, "{name}");
                format!("| {name} | {segment} | {} | {} | {:.2} |", count.0, count.1, 100.0 * rate(*count))
            }
            None => format!("| {name} | none |"),
        };
        assert!(readme.contains(&line), "data/README.md lacks {line}");
    }
}

#[test]
fn within_regions_only_the_weak_segment_differs() {
    for (name, period) in QUARTERS[..4].iter().zip(generate::quarters()) {
        for ((segment, region), count) in counted(name, RIGHT) {
            let usual = match region.as_str() {
                "north" => 0.12,
                "west" => 0.10,
                _ => 0.05,
            };
            let ratio = rate(count) / usual;
            match segment.as_str() {
                "club" => assert!(count.0 == 20, "{name} {segment}"),
                weak if period.weak == Some(weak) => {
                    assert!((0.5..0.7).contains(&ratio), "{name} {weak} {region} {ratio}")
                }
                other => assert!((ratio - 1.0).abs() < 1e-9, "{name} {other} {region} {ratio}"),
            }
        }
    }
}

#[test]
fn each_trap_catches_who_forgets_it() {
    let right = counted("2026-Q3", RIGHT);
    let sums = by_segment(&right);
    assert!(rate(sums["club"]) < rate(sums["lapsed_eu"]), "the small base looks worst");
    assert!(rate(sums["seasonal"]) < rate(sums["lapsed_eu"]), "the mix effect looks worse");

    let twice = counted("2026-Q3", Reading { once: false, ..RIGHT });
    assert!(rate(by_segment(&twice)["lapsed_eu"]) > 0.08, "counted twice, the weak segment hides");
    let old_names = counted("2026-Q3", Reading { renamed: false, ..RIGHT });
    assert!(by_segment(&old_names)["lapsed-eu"].0 > 500 && by_segment(&old_names)["lapsed_eu"].0 > 500);
    let utc = Reading { berlin: false, ..RIGHT };
    assert_eq!(by_segment(&counted("2026-Q3", utc))["lapsed_eu"].0, 1400 - 250 + 40);
    assert!(rate(by_segment(&counted("2026-Q2", utc))["lapsed_eu"]) < 0.085, "the next quarter's mails drag this one");
    let lost = counted("2026-Q2", Reading { unknown_is_no_base: false, ..RIGHT });
    assert!(rate(by_segment(&lost)["regulars"]) < 0.08, "lost tracking looks like no interest");

    let sends = &*SENDS;
    let out_of_order = sends.windows(2).filter(|pair| pair[0]["sent_at"] > pair[1]["sent_at"]).count();
    assert!(out_of_order > 300, "{out_of_order}");
    let opens = |segment: &str| sends.iter().filter(|s| s["segment"] == segment && s["opened"] == "1").count();
    let mails = |segment: &str| sends.iter().filter(|s| s["segment"] == segment).count();
    let most = ["regulars", "newcomers", "seasonal"].map(|s| opens(s) * 100 / mails(s));
    assert!(most.iter().all(|percent| *percent < 50) && opens("app_users") * 100 / mails("app_users") > 75);
}

#[test]
fn the_shipped_queries_count_what_hands_count() {
    let db = database();
    for quarter in QUARTERS.iter().chain(&["last"]) {
        let result = query(&db, "clicks_by_segment", &json!({ "quarter": quarter }));
        let own = if *quarter == "last" { "2026-Q3" } else { *quarter };
        let mut shipped = BTreeMap::new();
        for row in result["rows"].as_array().unwrap() {
            assert_eq!((&row["quarter"], &row["complete"]), (&json!(own), &json!(u8::from(own != "2026-Q4"))));
            let key = ["segment", "region"].map(|c| row[c].as_str().unwrap().to_owned());
            let count = ["delivered", "clicks"].map(|c| row[c].as_u64().unwrap() as usize);
            shipped.insert(key.into(), count.into());
        }
        assert_eq!(shipped, counted(own, RIGHT), "{quarter}");
    }
    assert_eq!(query(&db, "clicks_by_segment", &json!({ "quarter": "2031-Q1" }))["row_count"], json!(0));
    for segment in ["lapsed_eu", "newcomers", "app_users", "lapsed-eu", ""] {
        let allowed = CONTACTS.iter().filter(|c| {
            c["segment"] == segment && c["consent"] == "1" && c["suppressed"] == "0" && !c["email"].is_empty()
        });
        let allowed: BTreeSet<String> = allowed.map(|c| c["email"].clone()).collect();
        let args = json!({ "segment": segment });
        let audience = query(&db, "audience", &args);
        let shipped = audience["rows"].as_array().unwrap().iter().map(|r| r["email"].as_str().unwrap().to_owned());
        assert_eq!(shipped.collect::<BTreeSet<_>>(), allowed);
        assert_eq!(query(&db, "audience_size", &args)["rows"][0]["size"], json!(allowed.len()));
    }
}

fn tool(name: &str, args: &Value) -> Value {
    match name {
        "performance.query" => query(&DATABASE.lock().unwrap(), args["query"].as_str().unwrap(), &args["args"]),
        "stats.compare" => investigation::compare(args),
        "stats.rank" => rank(args),
        "articles.read" => {
            match std::fs::read_to_string(root().join("data/articles").join(args["path"].as_str().unwrap())) {
                Ok(text) => {
                    let title = text.lines().find_map(|line| line.strip_prefix("# "));
                    json!({ "path": args["path"], "title": title, "words": text.split_whitespace().count(),
                        "link": "https://www.example.com/journal/it", "text": text })
                }
                Err(_) => json!({ "error": "no such file" }),
            }
        }
        other => panic!("{other}"),
    }
}

/// A plain ranking: the rate against what the regions lead one to expect, weak if it is a quarter below.
fn rank(args: &Value) -> Value {
    let rows = args["rows"].as_array().unwrap();
    let number = |row: &Value, key: &str| row[args[key].as_str().unwrap()].as_f64().unwrap();
    let sum = |key: &str, rows: &[&Value]| rows.iter().map(|row| number(row, key)).sum::<f64>();
    let usual = |region: &Value| {
        let all: Vec<&Value> = rows.iter().filter(|row| row["region"] == *region).collect();
        sum("k", &all) / sum("n", &all)
    };
    let names: BTreeSet<&str> = rows.iter().filter_map(|row| row["segment"].as_str()).collect();
    let (mut weakest, mut excluded, mut tested) = (None, vec![], 0);
    for name in names {
        let own: Vec<&Value> = rows.iter().filter(|row| row["segment"] == name).collect();
        let (n, k) = (sum("n", &own), sum("k", &own));
        if n < args["base_min"].as_f64().unwrap() {
            excluded.push(json!({ "name": name, "n": n as u64, "why": "too few" }));
            continue;
        }
        tested += 1;
        let expected: f64 = own.iter().map(|row| number(row, "n") * usual(&row["region"])).sum();
        if k < 0.75 * expected {
            let (rate, rest) = (100.0 * k / n, 100.0 * expected / n);
            weakest = Some(json!({ "name": name, "n": n as u64, "k": k as u64, "rate": rate, "rest_rate": rest,
                "raw_gap_pp": rest - rate,
                "gap_pp": rate - rest, "interval_pp": [rate - rest - 1.0, rate - rest + 1.0], "p_value": 0.001 }));
        }
    }
    json!({ "weakest": weakest, "excluded": excluded, "base_min": args["base_min"], "alpha": 0.05, "tested": tested })
}

#[test]
fn the_scripts_tell_the_story_that_the_data_holds() {
    let found = [
        "analyst:weak_segment",
        "planner:planned",
        "drafter:drafted",
        "critic:revise",
        "drafter:drafted",
        "critic:pass",
    ];
    let walk = Walk::of("re-engagement", tool);
    let check = |quarter: &str, decisions: &[&str], rest: &[&str], segment: Value| {
        let told = walk.tell(&[("quarter", quarter)], decisions);
        let path: Vec<&str> =
            if segment.is_null() { rest.to_vec() } else { found.iter().chain(rest).copied().collect() };
        assert_eq!(told.path, path, "{quarter}: {:#?}", told.notes);
        assert_eq!(told.artefacts["finding"]["segment"], segment, "{quarter}");
        told
    };
    let told = check("2026-Q3", &["approve"], &["approver:approve", "sender:done"], json!("lapsed_eu"));
    assert_eq!(long_subjects(&told.artefacts["sequence"]), json!([]));
    assert!(told.notes[0].starts_with("lapsed_eu clicked 5.8"), "{}", told.notes[0]);
    for mail in told.artefacts["sequence"]["mails"].as_array().unwrap() {
        let text = mail["text"].as_str().unwrap();
        for part in ["{{first_name|there}}", "{{unsubscribe_url}}", "utm_campaign=winback-2026-q3"] {
            assert!(text.contains(part), "{text}");
        }
    }
    let other = check("2026-Q1", &["reject"], &["approver:reject"], json!("newcomers"));
    assert_ne!(other.artefacts["sequence"], told.artefacts["sequence"]);
    check("last", &["reject"], &["approver:reject"], json!("lapsed_eu"));
    let nothing = check("2026-Q2", &[], &["analyst:nothing_found"], json!(null));
    assert_eq!(
        nothing.notes[0],
        "No segment of 2026-Q2 clicked clearly less than others of the same region: 5 ranked, 1 below 500 mails."
    );
    let unknown = check("2031-Q1", &[], &["analyst:nothing_found"], json!(null));
    assert_eq!(unknown.notes[0], "There is no 2031-Q1 in the data, so there is nothing to rank.");
    let again = ["approver:request_changes", "drafter:drafted", "critic:pass", "approver:approve", "sender:done"];
    let shorter = check("2026-Q3", &["request_changes", "approve"], &again, json!("lapsed_eu"));
    assert_ne!(shorter.artefacts["sequence"], told.artefacts["sequence"]);
}

#[test]
fn an_article_becomes_three_versions() {
    let walk = Walk::of("content-repurposing", tool);
    let path = [
        "researcher:researched",
        "drafter:drafted",
        "critic:revise",
        "drafter:drafted",
        "critic:pass",
        "approver:approve",
        "publisher:done",
    ];
    for article in ["ferns-in-winter.md", "repotting.md"] {
        let told = walk.tell(&[("article", article)], &["approve"]);
        assert_eq!(told.path, path, "{:#?}", told.notes);
        let title = text(&format!("data/articles/{article}")).lines().next().unwrap().replace("# ", "");
        assert_eq!(told.artefacts["notes"]["title"], json!(title));
        assert!(told.artefacts["channels"]["versions"][2]["text"].as_str().unwrap().len() <= 200);
    }
    let missing = walk.tell(&[("article", "none.md")], &[]);
    assert_eq!(missing.path, ["researcher:nothing_usable"]);
    assert_eq!(missing.notes, ["none.md cannot be read: no such file"]);
}

#[test]
fn a_campaign_without_its_source_is_no_success() {
    let missing = "run content-repurposing -p article=none.md";
    crate::cli::check(
        "a missing article",
        crate::cli::untouched,
        &[(missing, 1, &["there is no file \"none.md\"", "failed"])],
    );
    let heading = "# How to bring ferns through the winter";
    for (name, instead, title) in [
        ("a title in front matter", "---\ntitle: In front\n---", "\"title\":\"In front\""),
        ("a byte-order mark", "\u{FEFF}# Ferns", "\"title\":\"Ferns\""),
        ("no title at all", "Ferns", "\"title\":\"ferns-in-winter\""),
    ] {
        crate::cli::check(
            name,
            |p| p.replace("data/articles/ferns-in-winter.md", heading, instead),
            &[
                ("run content-repurposing", 3, &["approval 1 is waiting"]),
                ("show 1 --artefact notes --json", 0, &[title]),
            ],
        );
    }
}

#[test]
fn both_campaigns_name_the_same_roles() {
    for name in ["re-engagement", "content-repurposing"] {
        let topology: Value = toml::from_str(&text(&format!("topologies/{name}.toml"))).unwrap();
        for role in ["drafter", "critic", "approver"] {
            assert!(topology["team"][role].is_object(), "{name} has no {role}");
            let file = text(&format!("agents/{role}.toml"));
            for artefact in topology["artefacts"].as_object().unwrap().keys() {
                assert!(!file.contains(artefact.as_str()), "agents/{role}.toml names {artefact}");
            }
        }
    }
}

#[test]
fn the_shipped_tests_expect_what_the_scripts_say() {
    for name in ["re-engagement", "content-repurposing", "investigate"] {
        let walk = Walk::of(name, tool);
        let script: Value = toml::from_str(&text(&format!("rehearsals/{name}.toml"))).unwrap();
        for test in script["test"].as_array().unwrap() {
            let words = |key: &str| test.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
            let decisions = words("decisions");
            let decisions: Vec<&str> = decisions.iter().map(|d| d.as_str().unwrap()).collect();
            let given = test.get("params").and_then(Value::as_object).into_iter().flatten();
            let params = given.map(|(name, value)| (name.as_str(), value.as_str().unwrap()));
            let told: Told = walk.tell(&params.collect::<Vec<_>>(), &decisions);
            assert_eq!(json!(told.path), Value::Array(words("path")), "{}", test["name"]);
            for (artefact, parts) in test.get("artefacts").and_then(Value::as_object).into_iter().flatten() {
                for (key, part) in parts.as_object().unwrap() {
                    assert_eq!(told.artefacts[artefact.as_str()][key], *part, "{}: {artefact}.{key}", test["name"]);
                }
            }
        }
    }
}
