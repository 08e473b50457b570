//! Numbers and quotes open the call that they come from, where whoever wrote them said it and a check looked it up: on the
//! page and in the terminal. What has no such pointer leads nowhere.

use std::collections::BTreeSet;

use super::server::Server;
use crate::cli::Project;

/// What leads to a call on this page: the record, and the words that lead there.
fn sources(server: &Server, path: &str) -> Vec<(u64, String)> {
    let page = server.sends(&server.asks("GET", path)).text();
    let links = page.split("<a class=\"source\" href=\"").skip(1);
    let link = |rest: &str| {
        let (href, rest) = rest.split_once('"')?;
        let record = href.split_once("record=")?.1.parse().ok()?;
        let words = rest.split_once('>')?.1.split_once("</a>")?.0;
        let words = words.trim_start_matches("<span class=\"prose-text\">").trim_end_matches("</span>");
        Some((record, words.trim_matches(['\u{201c}', '\u{201d}']).to_owned()))
    };
    links.map(|rest| link(rest).unwrap_or_else(|| panic!("{path}: {rest}"))).collect()
}

#[test]
fn what_is_claimed_opens_the_call_that_it_comes_from() {
    let project = Project::new();
    let (code, told) = project.types("run competitive-brief");
    assert_eq!(code, 3, "{told}");
    let server = Server::start(project.command(), 0);
    let story = sources(&server, "/runs/1/story");
    let approval = server.get("/api/approvals/1");
    let claims = approval["claims"].as_array().unwrap();
    // Those of the brief, each of which rests on one of a watcher's.
    assert!(claims.len() >= 3 && story.len() >= 2 * claims.len(), "{story:?}");
    let records: BTreeSet<u64> = story.iter().map(|(record, _)| *record).collect();
    for claim in claims {
        assert!(records.contains(&claim["record"].as_u64().unwrap()), "{claim}");
    }
    for (record, words) in &story {
        let opened = server.sends(&server.asks("GET", &format!("/runs/1/messages?record={record}"))).text();
        let (_, shown) = opened.split_once("id=\"record\"").unwrap();
        assert!(shown.contains("market.read") && shown.contains(words.as_str()), "record {record} has not {words:?}");
    }
    let (drafts, of_drafts) = (sources(&server, "/runs/1/drafts"), story.iter().cloned().collect::<BTreeSet<_>>());
    assert_eq!(drafts.into_iter().collect::<BTreeSet<_>>(), of_drafts, "the drafts lead where the story leads");
    let (_, told) = project.types("messages 1 --detail");
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    for record in records {
        assert!(told.contains(&format!("from market.read at /text (record {record})")), "{record}: {told}");
    }
    assert!(!project.types("messages 1").1.contains("from market.read at"));
}

#[test]
fn what_has_no_pointer_leads_nowhere() {
    let project = Project::new();
    let (code, told) = project.types("run re-engagement");
    assert_eq!(code, 3, "{told}");
    let server = Server::start(project.command(), 0);
    for view in ["story", "drafts"] {
        assert_eq!(sources(&server, &format!("/runs/1/{view}")), [], "{view}");
    }
}
