//! `callsheet serve` as whoever means ill, errs or is slow meets it: the real program, and requests whose every byte
//! the test writes. A case changes one thing in a request that is answered; what is refused does nothing, and tells nothing.

mod attached;
mod attended;
mod cases;
mod claimed;
mod commented;
mod documented;
mod fired;
mod mailed;
mod notified;
mod restarted;
mod said;
mod server;
mod slow;

use serde_json::json;

use crate::cli::Project;
use cases::{Case, all, tokens};
use server::{Answer, Request, Server, project};

/// What every answer tells a browser.
const TOLD: [(&str, &str); 8] = [
    ("content-security-policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ("cache-control", "no-"),
];

/// A server with a run that waits for a person, and two people who entered.
struct Stage {
    project: Project,
    server: Server,
    ana: Browser,
    ben: Browser,
    /// What the open approval of run 1 binds.
    binds: String,
}

/// Somebody's browser: its cookie, and the key in its forms.
struct Browser {
    cookie: String,
    key: String,
}

impl Stage {
    fn new() -> Self {
        let project = project();
        let server = Server::start(project.command(), 0);
        assert_eq!(server.starts("announcement"), 1);
        assert!(server.listens(1, 0).until("approval_asked"));
        let binds = server.get("/api/approvals/1")["binds"].as_str().unwrap().to_owned();
        let (_, link) = project.types(&format!("serve --listen 127.0.0.1:{} --link ben", server.port));
        let ben = Browser::enters(&server, link.trim().split_once('#').unwrap().1);
        Self { ana: Browser::enters(&server, &server.token), ben, project, server, binds }
    }

    /// Starts the server again, where it was: it has forgotten how many tokens were wrong.
    fn again(&mut self) {
        self.server.kill();
        self.server = Server::start(self.project.command(), self.server.port);
    }

    /// As a page of ana's browser asks for `path`.
    fn page(&self, path: &str) -> Request {
        self.ana.asks(&self.server, "GET", path)
    }

    /// As a form of a page of ana's posts these fields.
    fn form(&self, path: &str, fields: &[(&str, &str)]) -> Request {
        self.ana.posts(&self.server, path, fields)
    }

    /// A form that is refused at the latest for not saying why: a case about the door never gets so far.
    fn decides(&self) -> Request {
        self.form("/approvals/1/decide", &[("decision", "reject"), ("binds", &self.binds)])
    }
}

impl Browser {
    fn enters(server: &Server, token: &str) -> Self {
        let host = format!("127.0.0.1:{}", server.port);
        let form = Request::new("POST", "/enter").with("host", &host).with("origin", &format!("http://{host}"));
        let answer = server.sends(&form.form(&[("token", token), ("next", "/")]));
        let set = answer.header("set-cookie").unwrap_or_else(|| panic!("{}", answer.whole())).to_owned();
        assert!(set.ends_with("; HttpOnly; SameSite=Strict; Path=/"), "{set}");
        let cookie = set.split_once(';').unwrap().0.to_owned();
        let mut browser = Self { cookie, key: String::new() };
        let page = server.sends(&browser.asks(server, "GET", "/")).text();
        let (_, after) = page.split_once("name=\"key\" value=\"").unwrap();
        browser.key = after.split_once('"').unwrap().0.to_owned();
        browser
    }

    fn asks(&self, server: &Server, method: &str, path: &str) -> Request {
        let request = Request::new(method, path).with("host", &format!("127.0.0.1:{}", server.port));
        request.with("cookie", &self.cookie)
    }

    fn posts(&self, server: &Server, path: &str, fields: &[(&str, &str)]) -> Request {
        let fields: Vec<(&str, &str)> =
            [("key", self.key.as_str())].into_iter().chain(fields.iter().copied()).collect();
        let request = self.asks(server, "POST", path).with("origin", &format!("http://127.0.0.1:{}", server.port));
        request.with("sec-fetch-site", "same-origin").form(&fields)
    }
}

/// Sends each case, and tells all that is not as it should be.
fn check(stage: &Stage, cases: &[Case]) {
    // That a run refused something is recorded; what is open, and how many runs there are, stays as it was.
    let stands = || {
        let mut open = stage.server.get("/api/approvals");
        // Who looked is noted, and is nothing that is done.
        open.as_array_mut().unwrap().iter_mut().for_each(|one| drop(one.as_object_mut().unwrap().remove("looked")));
        (open, stage.server.get("/api/runs").as_array().map(Vec::len))
    };
    let before = stands();
    let faults: Vec<String> = cases.iter().filter_map(|case| fault(stage, case)).collect();
    assert!(faults.is_empty(), "{} of {} cases:\n{}", faults.len(), cases.len(), faults.join("\n"));
    assert_eq!(stands(), before, "something that was refused was done");
}

/// What is wrong with the answer of a case.
fn fault(stage: &Stage, case: &Case) -> Option<String> {
    let answer = stage.server.sends(&case.request);
    let told = |what: &str| Some(format!("{}: {what}\n{}\n", case.what, answer.whole()));
    if !case.wanted.contains(&answer.status) || !answer.whole().contains(&case.says) {
        return told(&format!("wanted {:?} with {:?}", case.wanted, case.says));
    }
    // What is no HTTP is answered by the library below, with a number and nothing else.
    let is_below = answer.body.is_empty() && answer.status == 400;
    if let Some((name, _)) = TOLD.iter().find(|(name, value)| !is_below && !holds(&answer, name, value)) {
        return told(&format!("no {name}"));
    }
    let secrets = [&stage.server.token, &stage.ana.cookie, &stage.ana.key, &stage.ben.cookie, &stage.ben.key];
    let leaks = secrets.iter().any(|secret| answer.whole().contains(*secret));
    // The campaign's name, what its people and its machine are called, what it wrote, how it broke.
    let place = stage.project.path("").display().to_string();
    let private = ["announcement", "newsletter", "ana", "seed-swap", "panicked", "src/", &stage.binds, &place];
    let is_refused = answer.status >= 400 || answer.status == 0;
    if is_refused && (leaks || !case.knows && private.iter().any(|word| answer.text().contains(word))) {
        return told("it tells what is not to be told");
    }
    None
}

fn holds(answer: &Answer, name: &str, value: &str) -> bool {
    answer.header(name).is_some_and(|told| told.starts_with(value))
}

#[test]
fn what_is_not_from_here_or_from_nobody_is_refused_and_tells_nothing() {
    let mut stage = Stage::new();
    let mut cases = all(&stage);
    cases.extend(said::all(&stage));
    cases.extend(commented::all(&stage));
    cases.extend(commented::others(&stage));
    cases.extend(attended::all(&stage));
    check(&stage, &cases);
    // Fewer at a time than make the door close.
    let wrong = tokens(&stage);
    for some in wrong.chunks(10) {
        stage.again();
        check(&stage, some);
    }
    cases.extend(wrong);
    println!("web: {} requests, each as it should be", cases.len());
    assert!(cases.len() >= 200);
    // The requests that the cases change are answered: what was refused was refused for what was changed.
    let rejects = [("decision", "request_changes"), ("binds", &stage.binds), ("comment", "shorter, please")];
    let answer = stage.server.sends(&stage.form("/approvals/1/decide", &rejects));
    assert_eq!((answer.status, answer.header("location")), (303, Some("/runs/1")), "{}", answer.whole());
}

/// Wrong tokens close the door of the address that they come from, for whoever was not let in there before; sessions go on.
#[test]
fn whoever_guesses_tokens_is_stopped_and_nobody_else() {
    let mut stage = Stage::new();
    stage.again();
    let enters = |stage: &Stage, token: &str| {
        let host = format!("127.0.0.1:{}", stage.server.port);
        let form = Request::new("POST", "/enter").with("host", &host).with("origin", &format!("http://{host}"));
        stage.server.sends(&form.form(&[("token", token)])).status
    };
    // A program that has an old token, and says it again and again, keeps nobody out.
    let old: Vec<u16> = (0..30).map(|_| enters(&stage, &"0".repeat(64))).collect();
    assert_eq!(old, [403; 30]);
    assert_eq!(enters(&stage, &stage.server.token), 303);
    stage.again();
    let statuses: Vec<u16> = (0..30).map(|nth| enters(&stage, &format!("{nth:064x}"))).collect();
    assert_eq!((&statuses[..20], &statuses[20..]), (&[403; 20][..], &[429; 10][..]));
    assert_eq!(enters(&stage, &stage.server.token), 429, "the right one says that it is right");
    let program = stage.server.asks("GET", "/api/runs");
    assert_eq!(stage.server.sends(&program).status, 429);
    assert_eq!(stage.server.sends(&stage.page("/runs")).status, 200, "a session is shut out");
    assert_eq!(stage.server.sends_from("127.0.0.2", &program).status, 200, "another address is shut out");
    // Whoever was let in before goes on, while others guess from beside them.
    stage.again();
    assert_eq!(stage.server.sends(&program).status, 200);
    (0..30).for_each(|nth| assert!(matches!(enters(&stage, &format!("{nth:064x}")), 403 | 429)));
    assert_eq!(enters(&stage, &format!("{:064x}", 99)), 429);
    assert_eq!(stage.server.sends(&program).status, 200, "a program is shut out by whoever guesses beside it");
}

#[test]
fn one_of_two_people_decides_and_the_other_is_told_who_did() {
    let stage = Stage::new();
    let decides = |browser: &Browser, binds: &str| {
        let fields = [("decision", "request_changes"), ("comment", "shorter"), ("binds", binds)];
        stage.server.sends(&browser.posts(&stage.server, "/approvals/1/decide", &fields))
    };
    // Both at once, each by a double click.
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let both = [&stage.ana, &stage.ben, &stage.ana, &stage.ben];
        let clicks: Vec<_> = both.map(|browser| scope.spawn(|| decides(browser, &stage.binds))).into();
        clicks.into_iter().map(|click| click.join().unwrap()).collect()
    });
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    let whole: Vec<String> = answers.iter().map(Answer::whole).collect();
    assert_eq!(statuses, [303, 409, 409, 409], "{whole:?}");
    let told = |answer: &Answer| answer.text().contains("ana") || answer.text().contains("ben");
    assert!(answers.iter().filter(|answer| answer.status == 409).all(told), "{whole:?}");
    // The next draft is another approval, with another digest: the one that the page showed before opens nothing.
    assert!(stage.server.listens(1, 0).until("approval 2 is waiting"));
    let next = stage.server.get("/api/approvals/2")["binds"].as_str().unwrap().to_owned();
    let program = |binds: &str| {
        let sent = json!({ "decision": "approve", "binds": binds });
        stage.server.posts("/api/approvals/2/decide", &sent)
    };
    assert_ne!(next, stage.binds);
    assert_eq!(program(&stage.binds).status, 409);
    assert_eq!(stage.server.get("/api/approvals/2")["open"], json!(true));
    assert_eq!(program(&next).status, 200);
}
