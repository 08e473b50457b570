//! The most that a run can come to, counted by hand for small teams.

use callsheet::topology::bill::Bill;

use super::{base, checked};

/// The handoffs' own steps and asks between two decisions and in a whole run.
type Counted = [u64; 4];

fn bill(text: &str) -> Bill {
    let files = base().with("topologies/re-engagement.toml", text);
    Bill::of(&checked("re-engagement", &files).unwrap_or_else(|faults| panic!("{}", faults.render(false))).plan)
}

#[test]
fn it_is_what_a_count_by_hand_comes_to() {
    let usual = base().text("topologies/re-engagement.toml");
    // Analyst and critic have tools: 16 steps a turn. Planner and drafter can call nothing: 6. Of drafter and critic there
    // is one turn more than there are rounds. Beyond a decision only those two go on.
    let (once, pair) = (16 + 6, 6 + 16);
    let rounds = |critic: u64, changes: u64| {
        let text = usual.replace("rounds = 3, then = \"approver\"", &format!("rounds = {critic}, then = \"approver\""));
        text.replace("rounds = 5, then = \"end\"", &format!("rounds = {changes}, then = \"end\""))
    };
    let no_changes = usual
        .replace("request_changes = { to = \"drafter\", rounds = 5, then = \"end\" }", "request_changes = \"end\"");
    let one = once + 4 * pair + MENDS;
    let cases: [(&str, String, Counted); 3] = [
        ("as it is", usual.clone(), [one, 1, once + 6 * (4 * pair + MENDS), 6]),
        ("fewer rounds", rounds(1, 2), [once + 2 * pair + MENDS, 1, once + 3 * (2 * pair + MENDS), 3]),
        ("no changes", no_changes, [one, 1, one, 1]),
    ];
    for (name, text, counted) in cases {
        let Bill { between_decisions: between, whole_run: whole } = bill(&text);
        let found = [between.steps, between.approvals, whole.steps, whole.approvals].map(|bound| bound.by_handoffs);
        assert_eq!(found, counted.map(Some), "{name}");
    }
}

/// The analyst writes the audience, which the approver approves, too: it is the dearer of those who may be asked anew.
const MENDS: u64 = 2 * 16;

#[test]
fn what_is_tightest_is_said() {
    let usual = base().text("topologies/re-engagement.toml");
    let told = |from: &str, to: &str| bill(&usual.replace(from, to)).to_string();
    insta::assert_snapshot!(told("steps = 80", "steps = 90"));
    insta::assert_snapshot!(told("steps = 80", "steps = \"unlimited\""));
    insta::assert_snapshot!(told("cost_usd = 5.00", "cost_usd = \"unlimited\""));
}
