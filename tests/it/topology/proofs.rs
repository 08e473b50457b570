//! What is proved of a topology, and counting of turns.

use super::{base, checked};

#[test]
fn the_proof_says_who_gates_and_how_many_turns_there_are() {
    insta::assert_snapshot!(checked("re-engagement", &base()).unwrap().proof.to_string());
}

/// (rounds of critic -> drafter, rounds of critic -> planner, most turns of drafter and of critic)
#[test]
fn turns_are_counted_exactly_in_small_teams_and_from_above_in_large_ones() {
    for (to_drafter, to_planner, most) in [(3, 0, 4), (1, 2, 4), (100, 0, 101), (2000, 2, 2003)] {
        let text = base().text("topologies/re-engagement.toml");
        let text =
            text.replace("rounds = 3, then = \"approver\"", &format!("rounds = {to_drafter}, then = \"approver\""));
        let text = text.replace("steps = 80", "steps = \"unlimited\"");
        let mut files = base();
        let text = if to_planner > 0 {
            let critic = files.text("agents/critic.toml").replace("\"revise\"]", "\"revise\", \"replan\"]");
            files = files.with("agents/critic.toml", &critic);
            let replan = format!("replan = {{ to = \"planner\", rounds = {to_planner}, then = \"end\" }}, revise");
            text.replace("revise", &replan)
        } else {
            text
        };
        let text = ["planner", "drafter", "critic"].iter().fold(text, |text, name| {
            let found = text.find(&format!("\n{name} ")).unwrap();
            let at = found + text[found..].find('{').unwrap() + 1;
            format!("{} limits = {{ turns = 100_000 }},{}", &text[..at], &text[at..])
        });
        let proof = checked("re-engagement", &files.with("topologies/re-engagement.toml", &text)).unwrap().proof;
        assert_eq!((proof.turns["drafter"], proof.turns["critic"]), (most, most), "{to_drafter} {to_planner}");
        assert_eq!(proof.turns["analyst"], 1);
    }
}
