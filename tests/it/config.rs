//! Tests of config: who wins, what is told, what is found.

use std::collections::BTreeMap;
use std::path::PathBuf;

use callsheet::config::{Error, Flags, Known, Settings};
use callsheet::id::NanoUsd;
use callsheet::model::wire::{self, Extra, Way};
use callsheet::topology::fault::{Code, Faults};
use callsheet::topology::manner::Calls;
use callsheet::topology::plan::Mode;
use serde_json::{Number, Value, json};

const PROJECT: &str = include_str!("../cases/config/callsheet.toml");
const USER: &str = include_str!("../cases/config/user.toml");

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(project: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("project/agents/deep")).unwrap();
        std::fs::create_dir_all(folder.path().join("home/callsheet")).unwrap();
        std::fs::write(folder.path().join("project/callsheet.toml"), project).unwrap();
        std::fs::write(folder.path().join("home/callsheet/config.toml"), USER).unwrap();
        Self { folder }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn read(&self, flags: &Flags, environment: &[(&str, &str)]) -> Result<Settings, Error> {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Settings::read(flags, &self.path("project/agents/deep"), environment.iter().map(pair).collect())
    }

    fn with_user(&self, flags: &Flags, environment: &[(&str, &str)]) -> Settings {
        let home = self.path("home").display().to_string();
        self.read(flags, &[environment, &[("XDG_CONFIG_HOME", &home)]].concat()).unwrap()
    }
}

#[test]
fn the_project_file_is_read() {
    let place = Place::new(PROJECT);
    let settings = place.read(&Flags::default(), &[]).unwrap();
    assert_eq!(settings.root, place.path("project"));
    assert_eq!(settings.timezone, "Europe/Berlin");
    assert_eq!(settings.journal, place.path("project/state/journal.db"));
    assert_eq!(settings.models.aliases["judge"], "anthropic/claude-sonnet-4-5");
    assert_eq!(settings.models.prices["openai/gpt-5"].input_per_million, NanoUsd(1_250_000_000));
    let sql = &settings.tools["performance"];
    assert_eq!(
        (sql.kind.value.as_str(), &sql.table.value),
        ("sql", &json!({ "files": ["data/*.csv"], "rows_max": 500 }))
    );
    assert_eq!(&PROJECT[sql.place.span.clone()], "[tools.performance]");
    assert_eq!(settings.checks["campaign_qa"].table.value, json!({ "link_hosts": ["example.com"] }));
    assert_eq!(settings.people.as_ref().unwrap()["ana"], ["lifecycle"]);
    // Nothing names a person here but the number of the system's user.
    let person = settings.person.as_ref().map(|person| (person.name.starts_with("uid-"), person.known));
    assert_eq!((person, settings.no_color, settings.mode()), (Some((true, Known::OsUser)), false, Mode::Rehearsal));
}

/// Flags > environment > project > user, setting by setting; the origin says which won.
#[test]
fn the_nearest_wins() {
    let place = Place::new(PROJECT);
    let flag =
        Flags { model: Some("f/m".into()), journal: Some("f.db".into()), person: Some("f".into()), ..Flags::default() };
    let environment =
        [("CALLSHEET_MODEL", "e/m"), ("CALLSHEET_JOURNAL", "e.db"), ("CALLSHEET_PERSON", "e"), ("USER", "os")];
    let none = Flags::default();
    let bare = Place::new("schema_version = 1\n");
    let cases = [
        (&place, &flag, &environment[..], "models.default", "f/m", "--model"),
        (&place, &none, &environment, "models.default", "e/m", "CALLSHEET_MODEL"),
        (&place, &none, &[], "models.default", "ollama/u", "~/.config/callsheet/config.toml"),
        (&place, &flag, &environment, "person", "f", "--as"),
        (&place, &none, &environment, "person", "e", "CALLSHEET_PERSON"),
        (&place, &none, &environment[3..], "person", "os", "USER"),
        (&place, &none, &[], "timezone", "Europe/Berlin", "callsheet.toml"),
        (&bare, &none, &[], "timezone", "Europe/Paris", "~/.config/callsheet/config.toml"),
        (&place, &none, &[("CALLSHEET_MODLE", "x")], "CALLSHEET_MODLE", "unknown variable, ignored", "environment"),
    ];
    for (place, flags, environment, setting, value, from) in cases {
        let settings = place.with_user(flags, environment);
        let origin = settings.origins.iter().find(|origin| origin.setting == setting).unwrap();
        assert_eq!((origin.value.as_str(), origin.from.as_str()), (value, from), "{setting}");
    }
    let journal = |flags, environment: &[_]| place.with_user(flags, environment).journal;
    assert_eq!(journal(&flag, &environment), place.path("project/agents/deep/f.db"));
    assert_eq!(journal(&none, &environment), place.path("project/agents/deep/e.db"));
    assert_eq!(journal(&none, &[]), place.path("project/state/journal.db"));
    assert_eq!(bare.read(&none, &[]).unwrap().journal, bare.path("project/.callsheet/journal.db"));
    let known = |environment: &[_]| place.read(&none, environment).unwrap().person.unwrap().known;
    assert_eq!((known(&environment), known(&environment[3..])), (Known::Claimed, Known::OsUser));
}

#[test]
fn a_run_is_live_only_if_a_model_is_named() {
    let place = Place::new(PROJECT);
    let mode = |flags: &Flags, environment: &[_]| place.read(flags, environment).unwrap().mode();
    let rehearse = Flags { rehearse: true, ..Flags::default() };
    let model = [("CALLSHEET_MODEL", "openai/gpt-5")];
    assert_eq!(mode(&Flags::default(), &[]), Mode::Rehearsal);
    assert_eq!(mode(&Flags::default(), &model), Mode::Live);
    assert_eq!(mode(&rehearse, &model), Mode::Rehearsal);
}

#[test]
fn models_have_their_prices_and_a_rehearsal_the_one_it_is_priced_as() {
    let place = Place::new(PROJECT);
    let model = Flags { model: Some("openrouter/unpriced".into()), ..Flags::default() };
    let all = place.read(&model, &[]).unwrap().surroundings(Mode::Live, [], []);
    assert!(all.models.values().all(|spec| spec.model == "openrouter/unpriced"));
    let named = PROJECT.replace("[models]\n", "[models]\ndefault = \"openrouter/unpriced\"\n");
    let settings = Place::new(&named).read(&Flags::default(), &[]).unwrap();
    let live = settings.surroundings(Mode::Live, [], ["campaign_qa", "other"]);
    assert_eq!(live.models["judge"].output_per_million, NanoUsd(15_000_000_000));
    assert_eq!(live.models["default"].model, "openrouter/unpriced");
    assert_eq!(live.unpriced.iter().collect::<Vec<_>>(), ["openrouter/unpriced"]);
    assert_eq!(live.checks["other"], json!({}));
    assert!(!live.models["local"].refuses_private, "nobody says so");
    let rehearsal = settings.surroundings(Mode::Rehearsal, [], []);
    for alias in ["judge", "default"] {
        assert_eq!(rehearsal.models[alias].model, "rehearsal");
        assert_eq!(rehearsal.models[alias].input_per_million, NanoUsd(3_000_000_000));
    }
    let bare = Place::new("schema_version = 1\n").read(&Flags::default(), &[]).unwrap();
    let around = bare.surroundings(bare.mode(), [], []);
    assert!(around.single_person && around.models["default"].input_per_million == NanoUsd(0));
}

#[test]
fn what_a_server_does_not_take_is_named_in_its_table() {
    let table = "schema_version = 1\n[models.providers.local]\ndialect = \"openai\"\n\
                 base_url = \"http://127.0.0.1:8080/v1\"\nomit = [\"tool_choice\", \"max_tokens\"]\n";
    let settings = Place::new(table).read(&Flags::default(), &[]).unwrap();
    let omits = [Extra::ToolChoice, Extra::MaxTokens].into();
    assert_eq!(settings.models.providers["local"].omits, omits);
    assert_eq!(settings.endpoint("local/m").unwrap().omits, omits, "and so it is asked");
    for (word, _) in Extra::ALL {
        let one = Place::new(&table.replace("\"tool_choice\", \"max_tokens\"", &format!("\"{word}\"")));
        assert_eq!(one.read(&Flags::default(), &[]).unwrap().endpoint("local/m").unwrap().omits.len(), 1, "{word}");
    }
    let wrong = Place::new(&table.replace("max_tokens", "max_token"));
    let Err(Error::Faults(faults)) = wrong.read(&Flags::default(), &[]) else { panic!("no fault") };
    let found: Vec<_> = faults.iter().map(|fault| (fault.code, faults.position(fault).0)).collect();
    assert_eq!(found, [(Code::WrongValue, 5)], "{faults}");
    assert!(faults.to_string().contains("max_completion_tokens"), "it says what there is: {faults}");
}

const ASKED: &str = "schema_version = 1\n[models.providers.local]\nbase_url = \"http://127.0.0.1:8080/v1\"\ncall_timeout = \"10m\"\n\
                     temperature = 0.2\nextra = { top_k = 40, sampler = { mirostat = 2 } }\n[models.providers.ollama]\n\
                     calls = \"json_schema\"\n[models.settings.\"local/slow\"]\ncall_timeout = \"1h\"\nidle_timeout = \"5m\"\n\
                     calls = \"json_schema\"\nextra = { top_k = 1 }\n";

/// The model's own wins over its provider's, and where it says nothing its provider's holds.
#[test]
fn how_models_are_asked_is_set_for_a_provider_or_for_one_model() {
    let settings = Place::new(ASKED).read(&Flags::default(), &[]).unwrap();
    let times = |model: &str| {
        let asking = settings.models.asking(model);
        (asking.call_timeout_ms, asking.idle_timeout_ms)
    };
    assert_eq!(times("local/other"), (Some(600_000), None));
    assert_eq!(times("local/slow"), (Some(3_600_000), Some(300_000)));
    let manner = |model: &str| settings.endpoint(model).unwrap().manner;
    let (other, slow, known) = (manner("local/other"), manner("local/slow"), manner("ollama/qwen3"));
    assert_eq!((other.calls, other.temperature.clone()), (Calls::Tools, Number::from_f64(0.2)));
    assert_eq!(Value::from(other.extra), json!({ "top_k": 40, "sampler": { "mirostat": 2 } }));
    assert_eq!((slow.calls, slow.temperature.clone()), (Calls::JsonSchema, Number::from_f64(0.2)));
    assert_eq!(Value::from(slow.extra.clone()), json!({ "top_k": 1, "sampler": { "mirostat": 2 } }));
    assert_eq!(known.calls, Calls::JsonSchema, "a known provider needs no base_url");
    assert_eq!(settings.models.providers["ollama"].base_url, "http://127.0.0.1:11434/v1");
    let live = Flags { model: Some("local/slow".into()), ..Flags::default() };
    let pinned = Place::new(ASKED).read(&live, &[]).unwrap().surroundings(Mode::Live, [], []);
    let spec = &pinned.models["default"];
    assert_eq!((spec.call_timeout_ms, spec.idle_timeout_ms), (Some(3_600_000), Some(300_000)), "and that is pinned");
    assert_eq!(spec.manner.as_ref(), Some(&slow), "as is how it is asked");
    let shown: Vec<_> = settings.origins.iter().map(|o| format!("{} = {}, {}", o.setting, o.value, o.from)).collect();
    for line in [
        "models.providers.local.call_timeout = 600 s, callsheet.toml",
        "models.providers.local.extra = sampler, top_k, callsheet.toml",
        "models.settings.\"local/slow\".calls = json_schema, callsheet.toml",
    ] {
        assert!(shown.iter().any(|origin| origin == line), "{line}: {shown:?}");
    }
}

#[test]
fn how_models_cannot_be_asked_is_told_with_its_line() {
    for (find, replace, code, line, says) in [
        ("top_k = 40", "top_k = nan", Code::WrongValue, 6, "a number that JSON does not have"),
        ("top_k = 40", "messages = []", Code::WrongValue, 6, "`messages`: Callsheet writes that field"),
        ("top_k = 40", "temperature = 1", Code::WrongValue, 6, "write `temperature` beside `extra`"),
        ("top_k = 40", "max_tokens = 1", Code::WrongValue, 6, "limits.output_tokens"),
        ("top_k = 1 ", "stream = false ", Code::WrongValue, 13, "`stream`"),
        ("temperature = 0.2", "temperature = 3", Code::WrongValue, 5, "from 0 to 2"),
        ("temperature = 0.2", "temperature = \"low\"", Code::WrongValue, 5, "from 0 to 2"),
        ("\"10m\"", "600", Code::WrongValue, 4, "a duration"),
        ("calls = \"json_schema\"\n[", "calls = \"json\"\n[", Code::WrongValue, 8, "json_schema"),
        ("[models.providers.ollama]", "[models.providers.ours]", Code::MissingKey, 7, "base_url"),
        ("[models.settings.\"local/slow\"]", "[models.settings.slow]", Code::WrongValue, 9, "PROVIDER/MODEL"),
        ("[models.providers.ollama]", "[models.providers.anthropic]", Code::WrongValue, 8, "take `calls` out"),
        ("base_url =", "dialect = \"gemini\"\nbase_url =", Code::WrongValue, 15, "generationConfig"),
    ] {
        assert!(ASKED.contains(find), "{find}");
        let text = ASKED.replacen(find, replace, 1);
        let gemini = "extra = { generationConfig = { maxOutputTokens = 1 } }\n";
        let text = if says == "generationConfig" { text.replace("extra = { top_k = 1 }\n", gemini) } else { text };
        let line = if says == "generationConfig" { line - 1 } else { line };
        let place = Place::new(&text);
        let Err(Error::Faults(faults)) = place.read(&Flags::default(), &[]) else { panic!("{replace}: no fault") };
        let found: Vec<_> = faults.iter().map(|fault| (fault.code, faults.position(fault).0)).collect();
        assert_eq!(found, [(code, line)], "{replace}: {faults}");
        assert!(faults.to_string().contains(says), "{replace} does not say {says:?}: {faults}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (find, replace, code, line) in [
        ("timezone =", "timezon =", Code::UnknownKey, 2),
        ("\"Europe/Berlin\"", "\"Europe/Berln\"", Code::WrongValue, 2),
        ("rows_max = 500", "password = \"sk-live-4f8a9b7c6d5e4f3a2b1c\"", Code::Secret, 21),
        ("input_usd_per_million = 3.00", "input_usd_per_million = \"3 dollars\"", Code::WrongValue, 10),
        ("priced_as = \"anthropic/claude-sonnet-4-5\"", "priced_as = \"anthropic/claude\"", Code::Unpriced, 5),
        ("[people.ana]", "[people.\"Ana B\"]", Code::Name, 26),
        ("schema_version = 1", "schema_version = 3", Code::SchemaVersion, 1),
        ("[journal]", "[journal", Code::Syntax, 29),
    ] {
        assert!(PROJECT.contains(find), "{find}");
        let place = Place::new(&PROJECT.replacen(find, replace, 1));
        let Err(Error::Faults(faults)) = place.read(&Flags::default(), &[]) else { panic!("{find}: no fault") };
        let found: Vec<_> = faults.iter().map(|fault| (fault.code, faults.position(fault).0)).collect();
        assert_eq!(found, [(code, line)], "{find}: {faults}");
        assert!(!faults.to_string().contains("4f8a9b7c"), "{faults}");
    }
}

const NOTIFY: &str = r#"schema_version = 1
[people.ana]
groups = ["legal"]
[notify]
link = "https://page.example"
[notify.channels.ops]
kind = "webhook"
url_env = "HOOK"
key_env = "HOOK_KEY"
for = ["ana", "group:legal"]
"#;

#[test]
fn how_people_cannot_be_told_is_said_with_its_line() {
    let settings = Place::new(NOTIFY).read(&Flags::default(), &[]).unwrap();
    assert_eq!(settings.notify.unwrap().channels["ops"].whom(), ["ana", "group:legal"]);
    for (find, replace, code, line, says) in [
        ("link =", "links =", Code::UnknownKey, 5, "link"),
        ("\"https://page.example\"", "\"page.example\"", Code::WrongValue, 5, "https://callsheet.example.com"),
        ("\"https://page.example\"", "\"https://page.example/?a=b\"", Code::WrongValue, 5, "no such address"),
        ("channels.ops", "channels.\"o p\"", Code::Name, 6, "is no name"),
        ("\"webhook\"", "\"pager\"", Code::WrongValue, 7, "slack"),
        (
            "url_env = \"HOOK\"",
            "url = \"https://hooks.example\"",
            Code::UnknownKey,
            8,
            "write url_env with the name of",
        ),
        ("\"webhook\"", "\"slack\"", Code::UnknownKey, 9, "unknown key `key_env`"),
        ("url_env = \"HOOK\"\nkey_env = \"HOOK_KEY\"", "", Code::MissingKey, 6, "`url_env` is missing"),
        ("kind = \"webhook\"\n", "", Code::MissingKey, 6, "webhook"),
        ("[\"ana\", ", "[\"eve\", ", Code::WrongValue, 10, "nobody as \"eve\""),
        ("group:legal", "group:sales", Code::WrongValue, 10, "nobody as \"group:sales\""),
    ] {
        let faults = first_fault(NOTIFY, (find, replace), (code, line), says);
        assert_eq!(faults.len(), 1, "one cause is one fault: {faults}");
    }
}

/// What is told first of a file in which one thing is replaced: its code and line, and that it says so.
fn first_fault(file: &str, (find, replace): (&str, &str), is: (Code, usize), says: &str) -> Faults {
    assert!(file.contains(find), "{find}");
    let place = Place::new(&file.replacen(find, replace, 1));
    let Err(Error::Faults(faults)) = place.read(&Flags::default(), &[]) else { panic!("{replace}: no fault") };
    let first = faults.iter().next().unwrap();
    assert_eq!((first.code, faults.position(first).0), is, "{replace}: {faults}");
    assert!(faults.to_string().contains(says), "{replace} does not say {says:?}: {faults}");
    faults
}

const MAILS: &str = r#"schema_version = 1
[people.ana]
groups = ["legal"]
email = "ana@example.com"
[people.ben]
groups = ["sales"]
[notify.channels.mail]
kind = "email"
from = "Callsheet <calls@example.com>"
for = ["ana", "group:sales"]
[notify.channels.mail.smtp]
host = "smtp.example.com"
user_env = "SMTP_USER"
password_env = "SMTP_PASSWORD"
"#;

#[test]
fn how_people_cannot_be_mailed_is_said_with_its_line() {
    let settings = Place::new(MAILS).read(&Flags::default(), &[]).unwrap();
    assert_eq!(settings.emails["ana"], "ana@example.com");
    for (find, replace, code, line, says) in [
        ("\"ana@example.com\"", "\"ana at example\"", Code::WrongValue, 4, "is no e-mail address"),
        ("\"ana@example.com\"", "7", Code::WrongValue, 4, ""),
        ("email = ", "e_mail = ", Code::UnknownKey, 4, "email"),
        ("\"Callsheet <calls@example.com>\"", "\"Callsheet\"", Code::WrongValue, 9, "is no sender"),
        ("for = [", "to = \"legal\"\nfor = [", Code::WrongValue, 10, "\"legal\" is no e-mail address"),
        ("[\"ana\", ", "[\"ben\", ", Code::WrongValue, 10, "under [people.ben]"),
        ("[\"ana\", ", "[", Code::WrongValue, 7, "nobody whom it would tell"),
        ("[\"ana\", ", "[\"eve\", ", Code::WrongValue, 10, "nobody as \"eve\""),
        ("from = ", "url_env = \"HOOK\"\nfrom = ", Code::UnknownKey, 9, "unknown key `url_env`"),
        ("from = \"Callsheet <calls@example.com>\"\n", "", Code::MissingKey, 7, "`from` is missing"),
        ("\"smtp.example.com\"", "\"https://smtp.example.com\"", Code::WrongValue, 12, "is no host"),
        ("\"smtp.example.com\"", "\"10.0.0.7\"", Code::WrongValue, 12, "private_host = true"),
        ("user_env", "tls = \"none\"\nuser_env", Code::WrongValue, 13, "for a server on this machine"),
        ("user_env", "tls = \"starttls\"\nuser_env", Code::WrongValue, 13, "required"),
        ("password_env = \"SMTP_PASSWORD\"", "", Code::WrongValue, 13, "write `password_env` too"),
        ("user_env = \"SMTP_USER\"", "", Code::WrongValue, 14, "write `user_env` too"),
    ] {
        let faults = first_fault(MAILS, (find, replace), (code, line), says);
        assert_eq!(faults.len(), 1, "one cause is one fault: {faults}");
    }
    // One address of the channel's own needs nobody else's.
    let to = MAILS.replace("for = [\"ana\", \"group:sales\"]", "to = \"legal@example.com\"");
    assert!(Place::new(&to).read(&Flags::default(), &[]).is_ok());
}

#[test]
fn a_key_goes_over_tls_or_stays_on_this_machine() {
    let check = |url: &str, allow_http: bool, way: Result<Way, ()>| {
        let table = format!("\n[models.providers.p]\nbase_url = {url:?}\nallow_http = {allow_http}\n");
        let read = Place::new(&format!("schema_version = 1\n{table}")).read(&Flags::default(), &[]);
        let found = read.map(|settings| wire::way(&settings.models.providers["p"].base_url).unwrap());
        assert_eq!(found.map_err(drop), way, "{url}");
    };
    check("https://api.example.com/v1", false, Ok(Way::Tls));
    for local in ["http://127.0.0.1:8080/v1", "http://localhost/v1", "http://[::1]:1/v1", "http://127.1/v1"] {
        check(local, false, Ok(Way::Local));
    }
    check("http://gateway.example.com/v1", false, Err(()));
    check("http://gateway.example.com/v1", true, Ok(Way::Clear));
    check("http://127.0.0.1.example.com/v1", false, Err(()));
    // What stands before the `@` is a name, not a host.
    for (url, allow_http) in [("http://127.0.0.1:80@example.com/v1", true), ("https://me:secret@example.com/v1", false)]
    {
        check(url, allow_http, Err(()));
    }
    for odd in ["", "api.example.com/v1", "ftp://127.0.0.1/v1", "https://", "file:///etc/passwd"] {
        check(odd, true, Err(()));
    }
}

#[test]
fn no_project_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let result = Settings::read(&Flags::default(), folder.path(), BTreeMap::new());
    assert!(matches!(result, Err(Error::NoProject(_))));
}

#[test]
fn values_of_the_environment_are_not_shown() {
    let place = Place::new(PROJECT);
    let settings = place.read(&Flags::default(), &[("CRM_TOKEN", "hunter22"), ("EMPTY", "")]).unwrap();
    assert_eq!((settings.secret("CRM_TOKEN"), settings.secret("EMPTY")), (Some("hunter22"), None));
    let shown = format!("{settings:?}");
    assert!(shown.contains("CRM_TOKEN") && !shown.contains("hunter22"), "{shown}");
}
