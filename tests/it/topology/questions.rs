//! Who may ask whom: what the files may say of it, what a rehearsal may, and how many turns that makes.

use callsheet::topology::fault::Code;

use super::{Memory, base, checked};

const TOPOLOGY: &str = "topologies/re-engagement.toml";
const SCRIPT: &str = "rehearsals/re-engagement.toml";

/// The base project in which the planner may ask the analyst, and asks with `call`; `answers` are the analyst's lines.
fn files(call: &str, answers: &str) -> Memory {
    let files = base();
    let team = files.text(TOPOLOGY).replace("planner  = { reads", "planner  = { may_ask = [\"analyst\"], reads");
    let script = files.text(SCRIPT).replace("[[planner]]", &format!("{answers}\n[[planner]]\ncalls = [{call}]"));
    files.with(TOPOLOGY, &team).with(SCRIPT, &script)
}

const CALL: &str = r#"{ tool = "team.ask", args = { to = "analyst", question = "Since when?" }, as = "said" }"#;
const ANSWER: &str =
    "[[analyst]]\nwhen = \"message.outcome == 'question'\"\noutcome = \"answer\"\nnote = \"Since May.\"\n";

#[test]
fn a_rehearsal_may_ask_and_answer() {
    let plan = checked("re-engagement", &files(CALL, ANSWER)).unwrap().plan;
    assert_eq!(plan.team["planner"].may_ask[0].as_str(), "analyst");
    let script = plan.script.unwrap();
    assert_eq!(script.lines["planner"][0].calls[0].tool.as_str(), "team.ask");
    assert!(script.lines["analyst"].iter().any(|line| line.outcome.as_deref() == Some("answer")));
    let expects =
        files(CALL, ANSWER).text(SCRIPT).replace("\"planner:done\"", "\"planner:question\", \"planner:done\"");
    checked("re-engagement", &files(CALL, ANSWER).with(SCRIPT, &expects)).unwrap();
}

#[test]
fn what_a_rehearsal_cannot_ask_is_told_where_it_is_written() {
    let check = |call: &str, answers: &str, code: Code, what: &str, instead: &str| {
        let files = files(call, answers);
        let faults = checked("re-engagement", &files).unwrap_err();
        let told = faults.render(false);
        let fault = faults.iter().next().unwrap();
        assert!(faults.len() == 1 && fault.code == code && *fault.place.file == *SCRIPT, "{told}");
        assert!(fault.what.contains(what) && fault.instead.contains(instead), "{told}");
    };
    let with = |from: &str, to: &str| CALL.replace(from, to);
    let script = Code::Script;
    check(
        &with("to = \"analyst\"", "to = \"critic\""),
        ANSWER,
        script,
        "whom `planner` may ask is named `critic`",
        "analyst",
    );
    check(&with("to = \"analyst\", ", ""), ANSWER, script, "`to` of this question is no text", "to = \"analyst\"");
    check(&with("\"Since when?\"", "\" \""), ANSWER, script, "`question` of this question is no text", "question =");
    check(
        &with("question =", "note = \"x\", question ="),
        ANSWER,
        script,
        "argument of team.ask is named `note`",
        "to, question",
    );
    let many = (0..5).map(|n| with("\"said\"", &format!("\"said{n}\""))).collect::<Vec<_>>().join(", ");
    check(&many, ANSWER, script, "a turn asks 4 questions at most", "ask less");
    let writes = format!("{ANSWER}writes.finding = {{ }}\n");
    check(CALL, &writes, script, "answers a question, and writes `finding`", "take it out");
    let silent = "[[analyst]]\noutcome = \"nothing_found\"\n";
    let without = files(CALL, silent).text(SCRIPT);
    let outcome = "outcome = \"{{ 'weak_segment' if ranked.weakest else 'nothing_found' }}\"";
    let literal = without.replace(outcome, "outcome = \"weak_segment\"");
    let faults = checked("re-engagement", &files(CALL, silent).with(SCRIPT, &literal)).unwrap_err();
    assert!(
        faults.render(false).contains("`analyst` is asked here, and has no line that answers"),
        "{}",
        faults.render(false)
    );

    // Nobody is named whom it may ask.
    let nobody = files(CALL, "").with(TOPOLOGY, &base().text(TOPOLOGY));
    let told = checked("re-engagement", &nobody).unwrap_err().render(false);
    assert!(told.contains("`planner` is to ask `analyst`") && told.contains("may_ask ="), "{told}");
}

#[test]
fn nobody_waits_for_themselves_and_questions_are_counted_among_the_turns() {
    let circle =
        files(CALL, ANSWER).text(TOPOLOGY).replacen("analyst  = {", "analyst  = { may_ask = [\"planner\"],", 1);
    let faults = checked("re-engagement", &files(CALL, ANSWER).with(TOPOLOGY, &circle)).unwrap_err();
    assert!(faults.iter().all(|fault| fault.code == Code::AskCircle) && faults.len() == 1, "{}", faults.render(false));

    let proof = checked("re-engagement", &files(CALL, ANSWER)).unwrap().proof;
    assert_eq!((proof.turns["planner"], proof.turns["analyst"]), (1, 1 + 4));
    let few = files(CALL, ANSWER).text(TOPOLOGY).replacen("analyst  = {", "analyst  = { limits = { turns = 4 },", 1);
    let faults = checked("re-engagement", &files(CALL, ANSWER).with(TOPOLOGY, &few)).unwrap_err();
    let told = faults.render(false);
    assert!(told.contains("the handoffs and questions allow 5"), "{told}");
}

/// Forty members, each of whom may ask all that come after: more ways to ask than anybody counts one by one.
#[test]
fn many_who_ask_each_other_are_counted_in_no_time() {
    let name = |n: usize| format!("m{n}");
    let member = |n: usize| {
        let later: Vec<String> = (n + 1..40).map(|later| format!("{:?}", name(later))).collect();
        let asks = if later.is_empty() { String::new() } else { format!(", may_ask = [{}]", later.join(", ")) };
        format!("{} = {{ file = \"agents/echo.toml\"{asks} }}\n", name(n))
    };
    let next = |n: usize| if n == 39 { "end".to_owned() } else { name(n + 1) };
    let team: String = (0..40).map(member).collect();
    let handoffs: String = (0..40).map(|n| format!("{} = {:?}\n", name(n), next(n))).collect();
    let lines: String = (0..40).map(|n| format!("[[{}]]\noutcome = \"done\"\nnote = \"Said.\"\n", name(n))).collect();
    let topology = format!(
        "schema_version = 1\ndescription = \"Forty.\"\nbudget = {{ steps = 100, tokens = 1_000_000, cost_usd = 1.00, \
         active_time = \"1h\" }}\n[team]\n{team}[handoffs]\nstart = \"m0\"\n{handoffs}"
    );
    let echo = "schema_version = 1\nkind = \"model\"\ndoes = \"Says it.\"\noutcomes = [\"done\"]\ninstructions = \"Say it.\"\n";
    let files = base()
        .with("topologies/forty.toml", &topology)
        .with("agents/echo.toml", echo)
        .with("rehearsals/forty.toml", &format!("schema_version = 1\n{lines}"));
    let faults = checked("forty", &files).unwrap_err();
    let told = faults.render(false);
    assert!(faults.iter().all(|fault| matches!(fault.code, Code::TurnsTooFew | Code::StepsTooFew)), "{told}");
    assert!(told.contains(&u32::MAX.to_string()), "{told}");
}
