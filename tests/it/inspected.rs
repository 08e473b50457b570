//! What people are told of a CSV file and of what they wrote about it: `data inspect` wherever the file lies, the lines that
//! differ from theirs, and the word that mends each mistake.

use std::fs;

use crate::cli::Project;

const SHOP: &str = "Kunde;E-Mail;Letzter Kauf;Umsatz\nAna;ana@example.com;14.08.2026;900,00\n\
                    Bo;bo@example.com;02.03.2026;1.240,90\nCy;cy@example.com;11.11.2025;80,00\n";

/// How `SHOP` is declared whole.
const DECLARED: &str = "[tools.shop.csv.shop]\npath = \"shop.csv\"\ndelimiter = \";\"\ndecimal = \",\"\nthousands = \".\"\n\
                        [tools.shop.csv.shop.columns]\n\"Letzter Kauf\" = { type = \"date\", format = \"%d.%m.%Y\" }\n";

/// A folder with the file, and with a project that says this of it, if anything.
fn folder(project: Option<&str>) -> Project {
    let folder = Project::empty();
    fs::write(folder.path("shop.csv"), SHOP).unwrap();
    if let Some(text) = project {
        let query = "[tools.shop.queries.all]\ndescription = \"All.\"\nsql = 'SELECT count(*) AS n FROM shop'\n";
        let head = "schema_version = 1\n[tools.shop]\nkind = \"sql\"\nlabels = { private = true }\n";
        fs::write(folder.path("callsheet.toml"), format!("{head}{query}{text}")).unwrap();
        let topology = "schema_version = 1\ndescription = \"x\"\n[team]\nana = {}\n[handoffs]\nstart = \"ana\"\nana = \"end\"\n\
                        [budget]\nsteps = 20\ntokens = 90_000\ncost_usd = 1.0\nactive_time = \"5m\"\n";
        let agent = "schema_version = 1\nkind = \"model\"\ndoes = \"Asks.\"\ninstructions = \"Ask.\"\ntools = [\"shop.query\"]\n";
        for (path, text) in [
            ("topologies/t.toml", topology),
            ("agents/ana.toml", agent),
            ("rehearsals/t.toml", "schema_version = 1\n[[ana]]\nnote = \"Done.\"\n"),
        ] {
            fs::create_dir_all(folder.path(path).parent().unwrap()).unwrap();
            fs::write(folder.path(path), text).unwrap();
        }
    }
    folder
}

fn stdout(project: &Project, line: &str) -> String {
    String::from_utf8(project.command().args(crate::cli::words(line)).output().unwrap().stdout).unwrap()
}

#[test]
fn a_file_is_looked_at_wherever_it_lies() {
    let without = folder(None);
    let (code, text) = without.types("data inspect shop.csv");
    assert_eq!(code, 0, "{text}");
    for says in ["[tools.shop]", "decimal = \",\"", "callsheet init --csv shop.csv", "Letzter Kauf date"] {
        assert!(text.contains(says), "{says}: {text}");
    }
    // A project with faults is no reason to say nothing.
    let faulty = folder(Some("nonsense = \n"));
    assert_eq!(faulty.types("data inspect shop.csv").0, 0);
    let (code, text) = without.types("data inspect shop");
    assert!(code == 2 && text.contains("no callsheet.toml"), "{text}");
}

#[test]
fn of_a_file_that_is_declared_only_what_differs_is_printed() {
    let alone = "shop = { path = \"shop.csv\", delimiter = \";\", thousands = \".\", decimal = \",\", columns = { \
                 \"Letzter Kauf\" = { type = \"date\", format = \"%d.%m.%Y\" } } }";
    let some = "[tools.shop.csv.shop]\npath = \"shop.csv\"\ndelimiter = \";\"\n[tools.shop.csv.shop.columns]\n\
                \"Letzter Kauf\" = \"text\"\nUmsatz = \"text\"\nKunde = \"text\"\n";
    // What stands there, what is printed, and what is not.
    let cases: [(&str, &[&str], &[&str]); 3] = [
        (
            "[tools.shop.csv]\nshop = \"shop.csv\"\n",
            &["# In place of shop = \"shop.csv\" in [tools.shop]:", alone],
            &[],
        ),
        (
            some,
            &[
                "# In [tools.shop.csv.shop], beside its path",
                "decimal = \",\"",
                "thousands = \".\"",
                "# In [tools.shop.csv.shop.columns]",
                "\"Letzter Kauf\" = {",
                "Umsatz\" = \"number\"",
            ],
            &["delimiter", "Kunde\" ="],
        ),
        (DECLARED, &[], &["decimal", "[tools"]),
    ];
    for (written, says, not) in cases {
        let project = folder(Some(written));
        let printed = stdout(&project, "data inspect shop.csv");
        let printed = printed.split("\n\n").next().unwrap();
        for says in says {
            assert!(spaced(printed).contains(&spaced(says)), "{written}\n{says}\n{printed}");
        }
        for not in [not, ["free_sql", "labels", "kind"].as_slice()].concat() {
            assert!(!printed.contains(not), "{written}\n{not}\n{printed}");
        }
    }
}

fn spaced(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '"').collect()
}

/// What is written, a part of it and what stands there instead; and what `check` says of it.
const MISTAKES: &[(&str, &str, &[&str])] = &[
    ("count(*) AS n", "E-Mail", &["names the column E-Mail without quotes", "write \"E-Mail\""]),
    ("count(*) AS n", "Letzter Kauf", &["names the column Letzter Kauf without quotes", "write \"Letzter Kauf\""]),
    ("count(*) AS n", "\"Letzter Kauff\"", &["names the column `Letzter Kauff`", "did you mean `Letzter Kauf`?"]),
    (
        "count(*) AS n",
        "max(\"Letzter Kauff\") AS m",
        &["names the column `Letzter Kauff`", "did you mean `Letzter Kauf`?"],
    ),
    ("WHERE", "WHERE \"Letzter Kauf\" > '01.06.2026'", &["error[E090]", "write '2026-06-01' in the query"]),
    ("decimal = \",\"", "decimal = \".\"", &["--> callsheet.toml:12:", "write decimal = \",\" with thousands = \".\""]),
    ("thousands = \".\"", "thousands = \",\"", &["--> callsheet.toml:11:", "the other way round"]),
    (
        "decimal = \",\"\nthousands = \".\"\n",
        "",
        &["looks like a number with a decimal comma", "thousands = \".\", decimal = \",\""],
    ),
];

#[test]
fn each_mistake_is_told_with_what_to_write() {
    let right = folder(Some(DECLARED));
    assert_eq!(right.types("check").0, 0, "{}", right.types("check").1);
    for (find, with, says) in MISTAKES {
        let project = folder(Some(DECLARED));
        let text =
            fs::read_to_string(project.path("callsheet.toml")).unwrap().replace("FROM shop'", "FROM shop WHERE'''");
        let text = text.replace("sql = '", "sql = '''");
        let text = if *find == "WHERE" { text } else { text.replace(" WHERE'''", "'''") };
        assert!(text.contains(find), "{find}");
        fs::write(project.path("callsheet.toml"), text.replacen(find, with, 1)).unwrap();
        let (code, text) = project.types("check");
        assert_eq!(code, 2, "{with}: {text}");
        for says in *says {
            assert!(text.contains(says), "{with} does not say {says:?}: {text}");
        }
        assert!(!text.contains("string literal") && !text.contains("whoever keeps"), "{with}: {text}");
    }
}

#[test]
fn a_day_that_there_is_not_is_to_be_mended_in_the_file() {
    for (day, says) in [
        ("31.02.2026", "column \"Letzter Kauf\" has \"31.02.2026\", and there is no such day"),
        ("2026-03-02", "column \"Letzter Kauf\" has \"2026-03-02\", a date that is not in its format"),
    ] {
        let project = folder(Some(DECLARED));
        fs::write(project.path("shop.csv"), SHOP.replace("02.03.2026", day)).unwrap();
        let (code, text) = project.types("check");
        assert!(code == 2 && text.contains(says) && text.contains("in the file, write the day"), "{day}: {text}");
    }
}

#[test]
fn what_tools_print_is_in_the_order_of_the_query() {
    let project = folder(Some(DECLARED));
    let file = fs::read_to_string(project.path("callsheet.toml")).unwrap();
    let sql = "SELECT \"Umsatz\" AS umsatz, \"Kunde\" AS kunde FROM shop WHERE \"Letzter Kauf\" >= :since";
    let query = format!("args = {{ since = \"string\" }}\nsql = '{sql}'");
    fs::write(project.path("callsheet.toml"), file.replace("sql = 'SELECT count(*) AS n FROM shop'", &query)).unwrap();
    let (code, text) = project.types("tools shop");
    assert!(code == 0 && text.contains("rows of all: umsatz, kunde"), "{text}");
    assert!(text.contains("args = { query = \"all\", args = { since = \"SINCE\" } }"), "{text}");
    let call = |since: &str| {
        project.types(&format!("tools shop.query --call '{{ query = \"all\", args = {{ since = \"{since}\" }} }}'"))
    };
    assert!(call("2026-03-02").1.contains("1240.9"), "{}", call("2026-03-02").1);
    // What somebody gives as a day is one.
    let (code, text) = call("01.06.2026");
    assert!(code == 1 && text.contains("\"01.06.2026\"") && text.contains("write '2026-06-01'"), "{text}");
}

#[test]
fn a_run_whose_tools_lack_a_variable_does_not_start() {
    let project = folder(Some(DECLARED));
    let file = fs::read_to_string(project.path("callsheet.toml")).unwrap();
    let bank = "[tools.bank]\nkind = \"postgres\"\nurl_env = \"NO_SUCH_URL\"\n[tools.bank.queries.one]\ndescription = \"One.\"\n\
                sql = 'SELECT 1 AS one'\n[tools.pages]\nkind = \"http\"\ntoken_env = \"NO_SUCH_TOKEN\"\n\
                [tools.pages.endpoints.price]\ndoes = \"x\"\nurl = \"https://api.example.com/v1\"\n";
    fs::write(project.path("callsheet.toml"), file + bank).unwrap();
    let agent = fs::read_to_string(project.path("agents/ana.toml")).unwrap();
    let all = "[\"shop.query\", \"bank.query\", \"pages.price\"]";
    fs::write(project.path("agents/ana.toml"), agent.replace("[\"shop.query\"]", all)).unwrap();
    assert_eq!(project.types("check").0, 0, "{}", project.types("check").1);
    let (code, text) = project.types("run t");
    assert_eq!(code, 2, "{text}");
    for says in [
        "nothing was started",
        "bank.query needs the variable NO_SUCH_URL, which is not set: export NO_SUCH_URL=...",
        "pages.price needs the variable NO_SUCH_TOKEN",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
    assert!(project.types("runs").1.contains("nothing has run here yet"));
    fs::write(project.path("agents/ana.toml"), agent).unwrap();
    assert_eq!(project.types("run t").0, 0, "{}", project.types("run t").1);
}

#[test]
fn what_init_makes_of_days_asks_for_no_order_that_there_is_not() {
    // The first could be two days, the second only one.
    for days in [["07/01/2026", "07/02/2026"], ["07/30/2026", "07/31/2026"]] {
        let project = Project::empty();
        let rows: String = (1..9).map(|n| format!("{},s{},{n}\n", days[n / 5], n % 2)).collect();
        fs::write(project.path("clicks.csv"), format!("day,segment,clicks\n{rows}")).unwrap();
        let (code, text) = project.types("init --csv clicks.csv");
        assert_eq!(code, 0, "{days:?}: {text}");
        let (code, text) = project.types("check");
        assert_eq!(code, 0, "{days:?}: {text}");
    }
}
