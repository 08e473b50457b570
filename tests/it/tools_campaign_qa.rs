//! Tests of the check `campaign_qa`: a table of what passes and what is found.

use std::collections::BTreeMap;

use callsheet::id::ArtefactName;
use callsheet::tool::campaign_qa::CampaignQa;
use callsheet::tool::{Check, Sight};
use serde::Deserialize;
use serde_json::{Value, json};

mod scripts;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    subject: Option<String>,
    preheader: Option<String>,
    text: Option<String>,
    day: Option<i64>,
    mails: Option<usize>,
    settings: Option<Value>,
    desk: Option<BTreeMap<ArtefactName, Value>>,
    expect: Vec<String>,
}

fn base() -> Value {
    json!({ "name": "win-back", "mails": [
        {
            "id": "hello", "day": 0, "subject": "We miss you, {{first_name|there}}", "preheader": "A lot is new",
            "text": "Hi {{first_name|there}},\n\ncome back:\nhttps://example.com/?utm_source=mail&utm_medium=email&utm_campaign=wb\n\n{{unsubscribe_url}}",
        },
        { "id": "bye", "day": 4, "subject": "Last call", "preheader": "Really", "text": "Bye. {{unsubscribe_url}}" },
    ] })
}

fn desk() -> BTreeMap<ArtefactName, Value> {
    let finding =
        json!({ "segment": "lapsed", "n": 4_210, "gap": -31.21, "share": 0.125, "deep": [{ "rate": "3.37%" }] });
    [("finding".parse().unwrap(), finding)].into()
}

fn body(case: &Case) -> Value {
    let mut body = base();
    let texts = [("subject", &case.subject), ("preheader", &case.preheader), ("text", &case.text)];
    for (field, text) in texts.into_iter().filter_map(|(field, text)| Some((field, text.as_ref()?))) {
        body["mails"][0][field] = text.as_str().into();
    }
    if let Some(day) = case.day {
        body["mails"][0]["day"] = day.into();
    }
    if let Some(count) = case.mails {
        let mail = |day: usize| {
            let mut mail = body["mails"][1].clone();
            mail["day"] = day.into();
            mail
        };
        body["mails"] = (0..count).map(mail).collect();
    }
    body
}

/// What is wrong with the case, if anything.
fn check(case: &Case) -> Option<String> {
    let mut settings = json!({ "link_hosts": ["example.com"] });
    if let Some(Value::Object(more)) = &case.settings {
        settings.as_object_mut().unwrap().extend(more.clone());
    }
    let found = CampaignQa.examine(&body(case), &Sight::of(case.desk.as_ref().unwrap_or(&desk())), &settings);
    let mut got: Vec<_> = found
        .iter()
        .map(|one| {
            let level = serde_json::to_value(one.level).unwrap();
            let rule = one.rule.strip_prefix("campaign_qa.").unwrap();
            format!("{} {rule} {}", level.as_str().unwrap(), one.at)
        })
        .collect();
    got.sort();
    (got != case.expect).then(|| format!("{}: expected {:?}, found {found:#?}", case.name, case.expect))
}

#[test]
fn the_table_holds() {
    #[derive(Deserialize)]
    struct Cases {
        case: Vec<Case>,
    }
    let cases: Cases = toml::from_str(include_str!("../cases/tools/campaign_qa.toml")).unwrap();
    let base = Case {
        name: "base".into(),
        subject: None,
        preheader: None,
        text: None,
        day: None,
        mails: None,
        settings: None,
        desk: None,
        expect: Vec::new(),
    };
    let wrong: Vec<_> = cases.case.iter().chain([&base]).filter_map(check).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let rules: std::collections::BTreeSet<_> =
        cases.case.iter().flat_map(|case| &case.expect).filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(rules.len(), 15, "every rule but shape has a case that fails: {rules:?}");
}

#[test]
fn a_body_that_is_no_sequence_is_said_to_be_none() {
    for body in [json!(null), json!([]), json!({ "mails": {} }), json!({ "mails": [1, null, "x"] })] {
        let found = CampaignQa.examine(&body, &Sight::of(&desk()), &json!({}));
        assert!(!found.is_empty(), "{body}");
    }
    let found = CampaignQa.examine(&json!({}), &Sight::of(&desk()), &json!({}));
    assert_eq!(found[0].rule, "campaign_qa.shape");
}

#[test]
fn the_finding_names_the_number() {
    let mut body = base();
    body["mails"][0]["subject"] = "7,000 came back".into();
    let found = CampaignQa.examine(&body, &Sight::of(&desk()), &json!({ "link_hosts": ["example.com"] }));
    assert!(found[0].what.contains("7,000"), "{found:?}");
}
