//! Bounds of when and how often mails leave: not in quiet hours, and to nobody more often than the table allows, over all runs of the
//! project. Nobody waits for an hour: the clock is moved on.

use callsheet::run::state::Status;
use callsheet::tool::Item;

use super::days::{DAY_MS, DONE, LITTLE_MS, PEOPLE, answer, came, later, line, mails};
use super::killed::{shop_of, table};
use super::server::{Server, Tls};
use super::{mails as prepared, open, people, perform};
use crate::acting::Acting;
use crate::tools::{approved, write};

const HOUR_MS: u64 = 3_600_000;

/// A project whose mails of several days wait for their approval, with more in its mail tool's table.
fn waiting(server: &Server, more: &str) -> Acting {
    let keys = "user_env = \"MAIL_USER\"\npassword_env = \"MAIL_PASSWORD\"\n";
    let table = table(server.port, Tls::None).replace(keys, "").replace("one_click = true\n", more);
    let shop = shop_of(&PEOPLE, &table, &answer(PEOPLE.len()), &[]);
    shop.wait("letters");
    shop
}

/// Quiet hours from an hour ago until in two hours, as the file has them.
fn around_now() -> String {
    let hour = i64::try_from(HOUR_MS).unwrap();
    format!("quiet_hours = {{ from = \"{}\", until = \"{}\" }}\n", clock(-hour), clock(2 * hour))
}

#[test]
fn what_is_due_in_quiet_hours_waits_until_they_are_over() {
    let Some(server) = Server::start(Tls::None, false) else { return };
    let shop = waiting(&server, &around_now());
    let (_, review) = shop.types("review 2");
    assert!(line(&review).contains("(UTC): what would, waits until then is over"), "{review}");
    let (code, text) = shop.types("approve 2");
    assert!(code == 3 && line(&text).contains("waiting: 3 items of actor leave on 20"), "{code} {text}");
    // Whoever looks in between sends nothing, and the same hours are quiet on every day.
    let day = |days: u64, hours: u64| days * DAY_MS + hours * HOUR_MS + if hours == 2 { LITTLE_MS } else { 0 };
    for (ahead_ms, subjects) in [
        (day(0, 1), &[][..]),
        (day(0, 2), &["Hello"]),
        (day(1, 1), &["Hello"]),
        (day(1, 2), &["Again", "Hello"]),
        (day(9, 1), &["Again", "Hello"]),
    ] {
        assert_eq!(later(&shop, ahead_ms), Status::Waiting, "{ahead_ms}");
        assert_eq!(came(&server), mails(&PEOPLE, subjects), "{ahead_ms}");
    }
    assert_eq!(later(&shop, day(9, 2)), DONE);
    assert_eq!(came(&server), mails(&PEOPLE, &["Again", "Goodbye", "Hello"]));
    assert_eq!(shop.types("audit verify").0, 0);
}

/// A time of the day by UTC, so much from now on, as the file has it.
fn clock(ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(jiff::Timestamp::now().as_millisecond() + ms).unwrap();
    at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%H:%M").to_string()
}

#[test]
fn mails_of_later_days_leave_at_the_time_that_the_table_names() {
    let Some(server) = Server::start(Tls::None, false) else { return };
    let hour = i64::try_from(HOUR_MS).unwrap();
    let early = clock(-6 * hour);
    let shop = waiting(&server, &format!("at = \"{early}\"\n"));
    let says = format!("what leaves on a later day does so at {early} (UTC)");
    let (_, review) = shop.types("review 2");
    assert!(line(&review).contains(&says), "{review}");
    let (code, text) = shop.types("approve 2");
    let told = line(&text);
    assert!(code == 3 && told.contains(&format!("; those of later days at {early} (UTC)")), "{code} {text}");
    assert_eq!(came(&server), mails(&PEOPLE, &["Hello"]), "the first day is at once");
    // The sun may have set in between: whatever the hour, the days are those of the calendar.
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let (hours, minutes) = early.split_once(':').unwrap();
    let leaves = |days: i64| {
        let time = jiff::civil::time(hours.parse().unwrap(), minutes.parse().unwrap(), 0, 0);
        let day = now.date().checked_add(jiff::Span::new().days(days)).unwrap();
        let at = day.to_datetime(time).to_zoned(jiff::tz::TimeZone::UTC).unwrap();
        (u64::try_from(at.timestamp().as_millisecond() - now.timestamp().as_millisecond()).unwrap(), at)
    };
    let (first, at) = leaves(1);
    assert!(told.contains(&format!("leave on {}", at.strftime("%Y-%m-%d %H:%M"))), "{at}: {text}");
    let (last, _) = leaves(9);
    for (ahead_ms, subjects) in [
        (first - LITTLE_MS, &["Hello"][..]),
        (first + LITTLE_MS, &["Again", "Hello"]),
        (last - LITTLE_MS, &["Again", "Hello"]),
    ] {
        assert_eq!(later(&shop, ahead_ms), Status::Waiting, "{ahead_ms}");
        assert_eq!(came(&server), mails(&PEOPLE, subjects), "{ahead_ms}");
    }
    assert_eq!(later(&shop, last + LITTLE_MS), DONE);
    assert_eq!(came(&server), mails(&PEOPLE, &["Again", "Goodbye", "Hello"]));
    // Each is dated for when it leaves, as far as that was known when it was approved.
    let dated = |mail: &super::server::Taken| {
        let text = String::from_utf8_lossy(&mail.bytes).into_owned();
        text.contains("Subject: Hello")
            || text.lines().any(|line| line.starts_with("Date: ") && line.contains(&format!(" {early}:00 ")))
    };
    assert!(server.taken().iter().all(dated), "{:?}", server.taken());
    assert_eq!(shop.types("audit verify").0, 0);
}

#[test]
fn what_a_server_puts_off_shortly_before_quiet_hours_waits_as_what_leaves_later_does() {
    let people = ["ann@example.org", "later@example.org"];
    let Some(server) = Server::start(Tls::None, false) else { return };
    let keys = "user_env = \"MAIL_USER\"\npassword_env = \"MAIL_PASSWORD\"\n";
    // They begin in three to four minutes.
    let quiet = format!("quiet_hours = {{ from = \"{}\", until = \"{}\" }}\n", clock(240_000), clock(10_800_000));
    let table = table(server.port, Tls::None).replace(keys, "").replace("one_click = true\n", &quiet);
    let shop = shop_of(&people, &table, &answer(2), &[]);
    shop.wait("letters");
    let (code, text) = shop.types("approve 2");
    assert!(code == 3 && line(&text).contains("waiting: 1 item of actor leaves on 20"), "{code} {text}");
    assert_eq!(came(&server), mails(&people[..1], &["Hello"]));
    let (_, runs) = shop.types("runs");
    assert!(line(&runs).contains("waiting until 20"), "{runs}");
    // Once they are over it is tried again, as often as anything is: this server never takes it.
    assert_eq!(later(&shop, 2 * HOUR_MS), Status::Waiting);
    assert_eq!(later(&shop, 3 * HOUR_MS + LITTLE_MS), Status::Stuck);
    assert_eq!(shop.types("audit verify").0, 0);
}

#[test]
fn a_rehearsal_knows_no_quiet_hours() {
    let Some(server) = Server::start(Tls::None, false) else { return };
    let shop = waiting(&server, &around_now());
    for (line, exit) in [("run letters", 3), ("answer 3 --file answer.toml", 3), ("approve 4", 0)] {
        let (code, text) = shop.types(line);
        assert_eq!(code, exit, "{line}: {text}");
    }
    assert!(server.taken().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_more_mails_than_the_table_allows() {
    let Some(server) = Server::start(Tls::None, false) else { return };
    let dir = tempfile::tempdir().unwrap();
    people(dir.path(), &["ann@example.org", "spam@example.org"]);
    // When, to whom, and whether it is sent. Another run is another effect; each opens the tool anew.
    let cases = [
        (0, "ann", Some(true)),
        (24, "ann", Some(true)),
        (25, "ann", Some(false)),
        // What the server did not take does not count.
        (26, "spam", None),
        (27, "spam", None),
        (28, "spam", None),
        (24 * 7 - 1, "ann", Some(false)),
        // The first one is seven days old.
        (24 * 7, "ann", Some(true)),
        (24 * 8 - 1, "ann", Some(false)),
        (24 * 8, "ann", Some(true)),
    ];
    for (n, (hours, to, sent)) in (1_u8..).zip(cases) {
        let tool = open(dir.path(), server.port, "frequency = { mails = 2, days = 7 }", "").unwrap();
        let items = prepared(tool.as_ref(), 2).await;
        let item: &Item = items.iter().find(|item| item.recipient.starts_with(to)).unwrap();
        let mut slot = approved(n, &dir.path().join("out"), item);
        slot.at = slot.at.plus_ms(hours * HOUR_MS);
        let before = server.taken().len();
        let receipt = perform(tool.as_ref(), slot.clone()).await;
        let what = format!("{to} after {hours} hours");
        match sent {
            None => assert!(receipt.is_err(), "{what}"),
            Some(true) => assert!(receipt.unwrap().place.starts_with("sent to ann"), "{what}"),
            Some(false) => {
                let receipt = receipt.unwrap();
                assert_eq!((receipt.over.len(), receipt.remark.as_deref()), (1, Some("2 mails in 7 days at most")));
                assert!(tool.query(slot.clone()).await.unwrap().is_none(), "{what}");
            }
        }
        assert_eq!(server.taken().len() - before, usize::from(sent == Some(true)), "{what}");
        // One and the same mail does not count against itself.
        if sent == Some(true) {
            assert!(perform(tool.as_ref(), slot).await.unwrap().over.is_empty(), "{what}");
        }
    }
    let noted = std::fs::read_to_string(dir.path().join(".callsheet/mail.jsonl")).unwrap();
    assert!(!noted.contains("ann@"), "the record holds nobody's address");
}

#[test]
fn over_all_runs_whoever_had_enough_is_left_out_and_named() {
    let Some(server) = Server::start(Tls::None, false) else { return };
    let shop = waiting(&server, "frequency = { mails = 1, days = 30 }\n");
    let (code, text) = shop.types("approve 2");
    assert_eq!(code, 3, "{text}");
    assert_eq!(came(&server), mails(&PEOPLE, &["Hello"]));
    // Another run, with one more reader.
    let rows = "email,first_name,no\nann@example.org,Ann,1\nbob@example.org,Bob,4\neve@example.org,Eve,9\n";
    write(shop.path(), "people.csv", rows);
    write(shop.path(), "answer.toml", answer(3));
    for (line, exit) in [("run letters --model ollama/none", 3), ("answer 3 --file answer.toml", 3), ("approve 4", 3)] {
        let (code, text) = shop.types(line);
        assert_eq!(code, exit, "{line}: {text}");
    }
    assert_eq!(came(&server).len(), 3, "{:?}", came(&server));
    let (_, shown) = shop.types("show 2");
    let says = "nothing was sent; left out, since they have had as many as they may have: 1: ann@example.org; 1 mail in 30 days at most";
    assert!(line(&shown).contains(says), "{shown}");
    // The later days of the first run count as well.
    assert_eq!(later(&shop, DAY_MS + LITTLE_MS), Status::Waiting);
    assert_eq!(came(&server).len(), 3);
}

#[test]
fn bounds_that_cannot_hold_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    people(dir.path(), &["ann@example.org"]);
    for (more, says) in [
        ("quiet_hours = { from = \"20:00\" }", "has `from` without `until`"),
        (
            "quiet_hours = { from = \"8:00\", until = \"09:00\" }",
            "from is \"8:00\", and a time is written as \"20:00\"",
        ),
        ("quiet_hours = { from = \"24:00\", until = \"09:00\" }", "a time is written as"),
        ("quiet_hours = { from = \"09:00\", until = \"09:00\" }", "ends when it begins"),
        ("quiet_hours = {}", "names no time"),
        ("quiet_hours = { days = [\"caturday\"] }", "unknown variant"),
        (
            "quiet_hours = { days = [\"monday\", \"tuesday\", \"wednesday\", \"thursday\", \"friday\", \"saturday\", \"sunday\"] }",
            "leaves no day",
        ),
        ("at = \"9:00\"", "at is \"9:00\", and a time is written as \"20:00\""),
        ("at = \"25:00\"", "a time is written as"),
        ("at = \"\"", "a time is written as"),
        ("at = 9", "expected a string"),
        (
            "at = \"07:59\"\nquiet_hours = { from = \"20:00\", until = \"08:00\" }",
            "at is \"07:59\", which lies in quiet_hours",
        ),
        ("at = \"20:00\"\nquiet_hours = { from = \"20:00\", until = \"08:00\" }", "lies in quiet_hours"),
        ("at = \"12:15\"\nquiet_hours = { from = \"12:00\", until = \"13:00\" }", "lies in quiet_hours"),
        ("frequency = { mails = 0, days = 7 }", "1 to 1000 mails in 1 to 366 days"),
        ("frequency = { mails = 1, days = 400 }", "1 to 1000 mails in 1 to 366 days"),
    ] {
        let why = open(dir.path(), 1, more, "").err().unwrap();
        assert!(why.contains(says), "{more}: {why}");
    }
    let fits = "at = \"08:00\"\nquiet_hours = { from = \"20:00\", until = \"08:00\", days = [\"sunday\"] }";
    assert!(open(dir.path(), 1, fits, "").is_ok());
    for more in [
        "at = \"09:00\"",
        "quiet_hours = { from = \"20:00\", until = \"08:00\", days = [\"sunday\"] }",
        "frequency = { mails = 2, days = 7 }",
    ] {
        assert!(open(dir.path(), 1, more, "").is_ok(), "{more}");
        let without = super::text_of(1, more, "").split("[smtp]").next().unwrap().to_owned();
        let why = super::open_found(dir.path(), &without, callsheet::tool::part::address::system()).err().unwrap();
        assert!(why.contains("is for mails that are sent: name the server in [tools.email.smtp]"), "{why}");
    }
}
