//! Comments as people type them: they stop an approval until they are resolved, whatever draft there is by then; they say what
//! is wrong with what was typed; and no model reads them, unless somebody sends them along.

use std::fs;

use serde_json::{Value, json};

use crate::attended::people;
use crate::cli::{Project, check, untouched};

const LOUD: &str = "comment 1 sequence --at /mails/0/subject --blocking -m 'Too loud, @ben.'";

#[test]
fn a_blocking_comment_stops_approval_of_every_draft_until_it_is_resolved() {
    let blocked =
        ["an open comment blocks this approval", "c1 of ana on /mails/0/subject of version 2 of sequence: Too loud"];
    check(
        "blocked",
        untouched,
        &[
            ("run re-engagement", 3, &[]),
            (LOUD, 0, &["c1 on /mails/0/subject of version 2 of sequence (blocks approval): Too loud, @ben."]),
            ("approve 1", 2, &blocked),
            (
                "review 1",
                0,
                &["Comments", "open, blocks approval", "| Too loud, @ben.", "1 open comment blocks approval"],
            ),
            ("review 1 --json", 0, &["\"comment\":1,", "\"at\":\"/mails/0/subject\"", "\"stops\":[1]"]),
            ("reply 1 c1 -m 'It is the tone of the brand.'", 0, &["c1: It is the tone of the brand."]),
            // Nor is a draft of one's own an answer to somebody's objection.
            ("request-changes 1 -m 'Calmer, please.'", 3, &["approval 2 is waiting"]),
            ("approve 2", 2, &["c1 of ana"]),
            ("comments 1 --open", 0, &["c1 on /mails/0/subject of version 2", "| It is the tone of the brand."]),
            ("resolve 1 c1", 0, &["resolves", "c1"]),
            ("resolve 1 c1", 2, &["ana has resolved it"]),
            ("reply 1 c1 -m 'One more thing.'", 2, &["ana has resolved it"]),
            ("comments 1 --open", 0, &["no open comments"]),
            ("comments 1", 0, &["resolved by ana", "(resolved without a word)"]),
            ("messages 1", 0, &["comments", "replies", "resolves"]),
            ("approve 2", 0, &["audience.csv"]),
            ("comment 1 sequence -m 'Too late.'", 2, &["is over"]),
            ("audit verify 1", 0, &[]),
        ],
    );
}

#[test]
fn whoever_made_a_comment_settles_it_or_whoever_may_approve_saying_why() {
    check(
        "settled",
        people,
        &[
            ("run re-engagement", 3, &[]),
            ("comment 1 finding --blocking -m 'Where is this from?' --as cleo", 0, &["c1 on version 1 of finding"]),
            ("comment 1 sequence -m 'Nice.' --as eve", 2, &["`eve` is not one of the people"]),
            ("approve 1 --as ben", 2, &["c1 of cleo", "cleo can resolve it, and so can whoever may approve here"]),
            ("resolve 1 c1 --as ben", 2, &["say why it is settled"]),
            ("resolve 1 c1 -m 'It is in the query.' --as ben", 0, &["c1: It is in the query."]),
            ("comment 1 sequence --blocking -m 'Mine.' --as ben", 0, &["c2"]),
            ("resolve 1 c2 -m 'Whatever.' --as cleo", 2, &["only ben, who made it, and whoever may approve"]),
            ("comment 1 sequence -m 'Nice, @ana and @cleo.' --as ben", 0, &["c3"]),
            ("comments 1 --json", 0, &["\"mentions\":[\"ana\",\"cleo\"]", "\"resolved_by\":\"ben\""]),
            ("resolve 1 2 --as ben", 0, &[]),
            // What does not block stops nobody.
            ("approve 1 --as ben", 0, &["audience.csv"]),
        ],
    );
}

#[test]
fn what_cannot_be_commented_on_is_said() {
    check(
        "faults",
        untouched,
        &[
            ("comment 1 sequence -m 'Early.'", 2, &["nothing has run here yet"]),
            ("run re-engagement", 3, &[]),
            ("comment 7 sequence -m 'Where?'", 2, &["there is no run 7"]),
            ("comment 1 sequnce -m 'What?'", 2, &["no artefact sequnce", "did you mean `sequence`?"]),
            ("comment 1 sequence --version 9 -m 'Which?'", 2, &["sequence has no version 9"]),
            ("comment 1 sequence --at /mails/9/subject -m 'Where?'", 2, &["there is no \"/mails/9/subject\" in it"]),
            ("comment 1 sequence --at subject -m 'Where?'", 2, &["there is no \"subject\" in it"]),
            ("comment 1 sequence -m ' '", 2, &["a comment has to say something"]),
            (
                "comment 1 sequence --version 1 -m 'Of what was replaced.'",
                2,
                &["another version has taken that one's place"],
            ),
            ("reply 1 c1 -m 'To whom?'", 2, &["there is no such comment"]),
            ("resolve 1 soon", 2, &["there is no such comment"]),
            ("request-changes 1 -m 'So.' --send c4", 2, &["there is no such comment"]),
            ("comments 1", 0, &["run 1 has no comments"]),
            ("approve 1", 0, &["audience.csv"]),
        ],
    );
}

/// What the models of the run were asked after `lines`, as its recording has it.
fn asked(lines: &[&str]) -> String {
    let project = Project::new();
    for line in lines {
        let (code, text) = project.types(line);
        assert!(code == 0 || code == 3, "{line}: {text}");
    }
    fs::read_to_string(project.path("asked.toml")).unwrap()
}

#[test]
fn no_model_reads_a_comment_that_nobody_sends_along() {
    let comment = "comment 1 sequence --at /mails/0/subject -m 'Zebra stripes.' --record asked.toml";
    let reply = "reply 1 c1 -m 'Okapi.' --record asked.toml";
    let run = "run re-engagement --record asked.toml";
    let told = asked(&[run, comment, reply, "request-changes 1 -m 'Quagga.' --record asked.toml"]);
    assert!(told.contains("Quagga") && !told.contains("Zebra") && !told.contains("Okapi"));
    let told = asked(&[run, comment, reply, "request-changes 1 -m 'Quagga.' --send all --record asked.toml"]);
    assert!(told.contains("On /mails/0/subject of sequence, ana: Zebra stripes.") && told.contains("ana: Okapi."));
}

/// A part that a later draft changes is told to be outdated; one that it leaves is not.
#[test]
fn a_comment_says_whether_its_part_has_changed() {
    let project = Project::new();
    let types = |line: &str, wanted: i32| {
        let (code, text) = project.types(line);
        assert_eq!(code, wanted, "{line}: {text}");
        text
    };
    types("run re-engagement", 3);
    types("comment 1 sequence --at /mails/0/subject -m 'Shorter.'", 0);
    types("comment 1 sequence --at /mails/1/subject -m 'Good.'", 0);
    let body: Value = serde_json::from_str(&types("show 1 --artefact sequence --json", 0)).unwrap();
    let mut mails = body;
    mails["mails"][0]["subject"] = json!("Fifteen percent off");
    fs::write(project.path("mine.toml"), toml::to_string(&mails).unwrap()).unwrap();
    types("edit 1 --file mine.toml", 3);
    let outdated: Vec<bool> = types("comments 1 --json", 0)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["outdated"].as_bool().unwrap())
        .collect();
    assert_eq!(outdated, [true, false]);
}
