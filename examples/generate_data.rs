//! Writes the shipped data: `cargo run --example generate_data`. Everything in it is generated; no row is about anybody.
//!
//! The counts of the table [`cells`] are exact by construction, so the right answers are known before anyone asks. Chance only
//! decides who gets which mail when. What makes the data hard to read is added around these counts, and never changes them.

use std::fmt::Write as _;
use std::path::Path;

/// A quarter in Europe/Berlin, as UTC seconds; the last one is not over in the data.
pub(crate) struct Quarter {
    pub(crate) name: &'static str,
    starts: i64,
    ends: i64,
    /// When the data of the quarter ends.
    until: i64,
    /// The segment that clicks clearly less, if there is one.
    pub(crate) weak: Option<&'static str>,
}

/// A segment in a region in a quarter: how many mails were delivered and tracked, and how many of them clicked.
pub(crate) struct Cell {
    pub(crate) quarter: usize,
    pub(crate) segment: &'static str,
    pub(crate) region: &'static str,
    pub(crate) delivered: usize,
    pub(crate) clicks: usize,
}

/// One row of `sends.csv`; `None` is an empty field.
#[derive(Clone)]
struct Send {
    message: usize,
    contact: usize,
    campaign: &'static str,
    segment: Option<&'static str>,
    region: Option<&'static str>,
    sent: i64,
    delivered: Option<bool>,
    opened: bool,
    clicked: Option<bool>,
    unsubscribed: bool,
    ordered: bool,
    revenue_cents: u64,
}

struct Contact {
    segment: &'static str,
    region: &'static str,
}

const REGIONS: [&str; 3] = ["north", "west", "south"];
/// Of 100 delivered mails: the south clicks least, whatever the segment.
const CLICKS_PER_100: [usize; 3] = [12, 10, 5];

/// Segment, delivered mails a quarter by region, opens in a hundred. `seasonal` sits in the south (a mix effect), `club` is
/// too small to judge, `app_users` has opens made by machines.
const SEGMENTS: [(&str, [usize; 3], u64); 6] = [
    ("regulars", [500, 500, 400], 36),
    ("newcomers", [450, 500, 360], 35),
    ("lapsed_eu", [550, 550, 300], 41),
    ("app_users", [300, 400, 200], 82),
    ("seasonal", [50, 50, 800], 33),
    ("club", [20, 20, 20], 38),
];

/// Clicks where a segment is weak, by region.
const WEAK_CLICKS: [(&str, [usize; 3]); 3] =
    [("app_users", [20, 22, 5]), ("newcomers", [33, 31, 12]), ("lapsed_eu", [40, 33, 9])];

const CAMPAIGNS: [&str; 4] = ["care-letter", "new-arrivals", "weekend-offer", "reader-stories"];
const FIRST_NAMES: [&str; 32] = [
    "Ada", "Aino", "Amira", "Anton", "Bela", "Carla", "Chiara", "Daan", "Edda", "Elif", "Emil", "Fatma", "Greta",
    "Hugo", "Ines", "Jan", "Joana", "Kaja", "Lena", "Lucas", "Malik", "Marta", "Mira", "Nils", "Noor", "Oskar",
    "Paula", "Rafael", "Selma", "Tomas", "Vera", "Yusuf",
];

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    for (name, text) in files() {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(())
}

/// The files of `data/` that are generated, by name.
pub(crate) fn files() -> Vec<(&'static str, String)> {
    let mut chance = Chance(2026);
    let contacts = contacts();
    let sends = sends(&mut chance, &contacts);
    vec![
        ("contacts.csv", contacts_csv(&mut chance, &contacts)),
        ("sends.csv", sends_csv(&sends)),
        ("calendar.csv", calendar_csv()),
        ("segment_names.csv", "name,segment\nlapsed-eu,lapsed_eu\n".to_owned()),
    ]
}

/// The quarters, first to last.
pub(crate) fn quarters() -> [Quarter; 5] {
    let edges = [
        utc(2025, 9, 30, 22),
        utc(2025, 12, 31, 23),
        utc(2026, 3, 31, 22),
        utc(2026, 6, 30, 22),
        utc(2026, 9, 30, 22),
        utc(2026, 12, 31, 23),
    ];
    let names = ["2025-Q4", "2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4"];
    let weak = [Some("app_users"), Some("newcomers"), None, Some("lapsed_eu"), Some("lapsed_eu")];
    std::array::from_fn(|i| Quarter {
        name: names[i],
        starts: edges[i],
        ends: edges[i + 1],
        until: edges[i + 1].min(utc(2026, 10, 24, 18)),
        weak: weak[i],
    })
}

/// The counts that the data holds, exactly. The quarter that is not over has a fifth of the mails.
pub(crate) fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for (quarter, period) in quarters().iter().enumerate() {
        let share = if period.until < period.ends { 5 } else { 1 };
        for (segment, delivered, _) in SEGMENTS {
            let weak = WEAK_CLICKS.iter().find(|(name, _)| period.weak == Some(*name) && *name == segment);
            for (r, region) in REGIONS.into_iter().enumerate() {
                let clicks = match (segment, weak) {
                    ("club", _) => usize::from(region == "west"),
                    (_, Some((_, clicks))) => clicks[r],
                    _ => delivered[r] * CLICKS_PER_100[r] / 100,
                };
                cells.push(Cell { quarter, segment, region, delivered: delivered[r] / share, clicks: clicks / share });
            }
        }
    }
    cells
}

fn contacts() -> Vec<Contact> {
    let mut contacts = Vec::new();
    for (segment, delivered, _) in SEGMENTS {
        for (count, region) in delivered.into_iter().zip(REGIONS) {
            contacts.extend((0..count * 2 / 3).map(|_| Contact { segment, region }));
        }
    }
    contacts
}

fn sends(chance: &mut Chance, contacts: &[Contact]) -> Vec<Send> {
    let quarters = quarters();
    let mut sends: Vec<Send> = Vec::new();
    for cell in cells() {
        let quarter = &quarters[cell.quarter];
        for i in 0..cell.delivered {
            let mut send = send(chance, contacts, &cell, quarter);
            send.clicked = Some(i < cell.clicks);
            send.opened |= i < cell.clicks;
            send.ordered = i < cell.clicks && chance.percent(20);
            send.revenue_cents = if send.ordered { 1_500 + chance.below(7_500) } else { 0 };
            if chance.percent(2) {
                send.region = None; // the contact still has it
            }
            sends.push(send);
        }
        sends.extend(uncounted(chance, contacts, &cell, quarter));
    }
    at_the_edges(chance, &quarters, &mut sends);
    rename(&mut sends);
    order(chance, &quarters, sends)
}

fn send(chance: &mut Chance, contacts: &[Contact], cell: &Cell, quarter: &Quarter) -> Send {
    let fits = |c: &Contact| c.segment == cell.segment && c.region == cell.region;
    let first = contacts.iter().position(fits).unwrap_or(0);
    let many = contacts[first..].iter().take_while(|c| fits(c)).count();
    let opens = SEGMENTS.iter().find(|(name, ..)| *name == cell.segment).map_or(0, |(.., opens)| *opens);
    Send {
        message: 0,
        contact: first + chance.index(many),
        campaign: CAMPAIGNS[chance.index(CAMPAIGNS.len())],
        segment: Some(cell.segment),
        region: Some(cell.region),
        sent: quarter.starts + 2 * 3_600 + chance.seconds(quarter.until - quarter.starts - 4 * 3_600),
        delivered: Some(true),
        opened: chance.percent(opens),
        clicked: Some(false),
        unsubscribed: chance.below(1_000) < 3,
        ordered: false,
        revenue_cents: 0,
    }
}

/// Rows that are no base: bounced, unknown deliveries, lost tracking, mails without a segment.
fn uncounted(chance: &mut Chance, contacts: &[Contact], cell: &Cell, quarter: &Quarter) -> Vec<Send> {
    // In the quarter without a weak segment, lost tracking read as "did not click" would make one of the regulars.
    let outage = usize::from(quarter.weak.is_none() && cell.segment == "regulars") * 120;
    let kinds = [cell.delivered / 50, cell.delivered / 200, cell.delivered / 200 + outage, cell.delivered / 150];
    let mut rows = Vec::new();
    for (kind, count) in kinds.into_iter().enumerate() {
        for _ in 0..count {
            let mut row = send(chance, contacts, cell, quarter);
            match kind {
                0 => (row.delivered, row.opened) = (Some(false), false),
                1 => (row.delivered, row.opened) = (None, false),
                2 => row.clicked = None,
                _ => row.segment = None,
            }
            rows.push(row);
        }
    }
    rows
}

/// Puts mails that did not click into the first and last hour of quarters; in UTC the first hour is still the quarter before.
fn at_the_edges(chance: &mut Chance, quarters: &[Quarter], sends: &mut [Send]) {
    for quarter in quarters {
        let segment = quarter.weak.unwrap_or("regulars");
        let inside = |s: &Send| (quarter.starts..quarter.until).contains(&s.sent);
        let plain = |s: &Send| s.delivered == Some(true) && s.clicked == Some(false) && s.segment == Some(segment);
        let early = if quarter.until < quarter.ends { 40 } else { 250 };
        for (count, send) in sends.iter_mut().filter(|s| inside(s) && plain(s)).enumerate() {
            match count {
                n if n < early => send.sent = quarter.starts + chance.seconds(3_600),
                n if n < early + 40 && quarter.until == quarter.ends => {
                    send.sent = quarter.ends - 1 - chance.seconds(3_600)
                }
                _ => break,
            }
        }
    }
}

/// Until the middle of August 2026 one segment had another name.
fn rename(sends: &mut [Send]) {
    for send in sends {
        if send.segment == Some("lapsed_eu") && send.sent < utc(2026, 8, 14, 22) {
            send.segment = Some("lapsed-eu");
        }
    }
}

/// Rows by time, then those that arrived late, then those that were reported twice.
fn order(chance: &mut Chance, quarters: &[Quarter], mut sends: Vec<Send>) -> Vec<Send> {
    sends.sort_by_key(|s| s.sent);
    let quarter_of = |s: &Send| quarters.iter().position(|q| (q.starts..q.ends).contains(&s.sent)).unwrap_or(0);
    let mut late = Vec::new();
    let mut again = Vec::new();
    let mut repeats = [0; 5];
    for (i, send) in sends.iter_mut().enumerate() {
        send.message = i + 1;
        let quarter = quarter_of(send);
        let of = |name: &str| send.segment.is_some_and(|s| s.replace('-', "_") == name);
        // Counted twice, clicks would hide the weak segment; where there is none, mails without clicks would make one.
        let wanted = match quarters[quarter].weak {
            Some(weak) => of(weak) && send.clicked == Some(true) && repeats[quarter] < 60,
            None => {
                of("newcomers") && send.clicked == Some(false) && send.delivered == Some(true) && repeats[quarter] < 300
            }
        };
        if wanted {
            repeats[quarter] += 1;
            again.push(send.clone());
            if repeats[quarter] % 3 == 0 {
                // Reported before the click, then again after it.
                (send.clicked, send.ordered, send.revenue_cents) = (Some(false), false, 0);
            }
        } else if i % 40 == 7 {
            late.push(i);
        }
    }
    let mut arrived: Vec<Send> =
        sends.iter().enumerate().filter(|(i, _)| i % 40 != 7 || !late.contains(i)).map(|(_, s)| s.clone()).collect();
    let mut end: Vec<Send> = late.into_iter().map(|i| sends[i].clone()).chain(again).collect();
    chance.shuffle(&mut end);
    arrived.append(&mut end);
    arrived
}

fn sends_csv(sends: &[Send]) -> String {
    let mut text =
        "message_id,contact_id,campaign,segment,region,sent_at,delivered,opened,clicked,unsubscribed,ordered,\
                    revenue_cents\n"
            .to_owned();
    let flag = |b: Option<bool>| b.map_or("", |b| if b { "1" } else { "0" });
    for s in sends {
        let _ = writeln!(
            text,
            "m{:06},c{:05},{},{},{},{},{},{},{},{},{},{}",
            s.message,
            s.contact + 1,
            s.campaign,
            s.segment.unwrap_or(""),
            s.region.unwrap_or(""),
            iso(s.sent),
            flag(s.delivered),
            flag(Some(s.opened)),
            flag(s.clicked),
            flag(Some(s.unsubscribed)),
            flag(Some(s.ordered)),
            s.revenue_cents
        );
    }
    text
}

fn contacts_csv(chance: &mut Chance, contacts: &[Contact]) -> String {
    let mut text = "contact_id,email,first_name,region,segment,consent,suppressed\n".to_owned();
    for (i, contact) in contacts.iter().enumerate() {
        let number = i + 1;
        let name = if chance.percent(3) { "" } else { FIRST_NAMES[chance.index(FIRST_NAMES.len())] };
        let user = if name.is_empty() { "reader".to_owned() } else { name.to_lowercase() };
        let host = ["example.com", "example.org", "example.net"][chance.index(3)];
        let email = if chance.below(200) == 0 { String::new() } else { format!("{user}.{number:05}@{host}") };
        let (consent, suppressed) = (u8::from(chance.percent(82)), u8::from(chance.percent(4)));
        let (region, segment) = (contact.region, contact.segment);
        let _ = writeln!(text, "c{number:05},{email},{name},{region},{segment},{consent},{suppressed}");
    }
    text
}

fn calendar_csv() -> String {
    let mut text = "quarter,starts_at,ends_at\n".to_owned();
    for q in quarters() {
        let _ = writeln!(text, "{},{},{}", q.name, iso(q.starts), iso(q.ends));
    }
    text
}

/// Splitmix64: small, seeded, the same everywhere.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    fn index(&mut self, n: usize) -> usize {
        self.below(n as u64) as usize
    }

    fn seconds(&mut self, n: i64) -> i64 {
        self.below(n.unsigned_abs()) as i64
    }

    fn percent(&mut self, n: u64) -> bool {
        self.below(100) < n
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.index(i + 1);
            items.swap(i, j);
        }
    }
}

/// Seconds since 1970 of an hour in UTC.
fn utc(year: i64, month: i64, day: i64, hour: i64) -> i64 {
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (153 * m + 2) / 5 + day - 719_469;
    days * 86_400 + hour * 3_600
}

/// A time as `2026-06-30T22:30:00Z`.
fn iso(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let mut year = 1970 + days / 366;
    while utc(year + 1, 1, 1, 0) <= days * 86_400 {
        year += 1;
    }
    let month = (1..=12).rev().find(|m| utc(year, *m, 1, 0) <= days * 86_400).unwrap_or(1);
    let day = days - utc(year, month, 1, 0) / 86_400 + 1;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}
