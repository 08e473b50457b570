//! The check `campaign_qa` in every script: texts that hold nothing wrong, and texts that do, each with its rule.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::*;

/// What the shipped campaign has on its desk when mails are written, and a few prices.
fn shipped_desk() -> BTreeMap<ArtefactName, Value> {
    let finding = json!({ "segment": "lapsed_eu", "delivered": 1_400, "clicks": 82, "rate": 5.86, "rest_rate": 8.53 });
    let mails = json!([{ "day": 0 }, { "day": 4 }, { "day": 9 }]);
    let plan = json!({ "offer_percent": 15, "offer_days": 14, "mails": mails });
    let prices = json!({ "readers": 4_210, "pot": 9.99, "set": 24.5 });
    [("finding", finding), ("plan", plan), ("prices", prices)].map(|(name, body)| (name.parse().unwrap(), body)).into()
}

/// The rules that find something in a mail of this subject and text.
fn rules(subject: &str, text: &str) -> BTreeSet<String> {
    let text = format!("{text}\n\n{{{{unsubscribe_url}}}}");
    let mail = json!({ "id": "one", "day": 0, "subject": subject, "preheader": "More inside", "text": text });
    let settings = json!({ "link_hosts": ["example.com", "www.example.com", "bücher.example"] });
    let found = CampaignQa.examine(&json!({ "name": "x", "mails": [mail] }), &Sight::of(&shipped_desk()), &settings);
    found.into_iter().map(|one| one.rule.strip_prefix("campaign_qa.").unwrap().to_owned()).collect()
}

#[derive(Deserialize)]
struct Texts {
    texts: Vec<(String, String)>,
}

#[test]
fn harmless_texts_pass() {
    let cases: Texts = toml::from_str(include_str!("../../cases/tools/qa/harmless.toml")).unwrap();
    let wrong: Vec<_> = cases
        .texts
        .iter()
        .flat_map(|(_, text)| [("Hello", text.as_str()), (text.lines().next().unwrap(), text.as_str())])
        .filter(|(subject, text)| rules(subject, text).iter().any(|rule| rule != "subject"))
        .map(|(subject, text)| format!("{subject} | {text}: {:?}", rules(subject, text)))
        .collect();
    assert!(wrong.is_empty(), "{} false alarms:\n{}", wrong.len(), wrong.join("\n"));
    let languages: BTreeSet<_> = cases.texts.iter().map(|(language, _)| language).collect();
    assert!(cases.texts.len() >= 60 && languages.len() >= 20, "{} in {languages:?}", cases.texts.len());
}

#[test]
fn harmful_texts_are_found() {
    let cases: Texts = toml::from_str(include_str!("../../cases/tools/qa/harmful.toml")).unwrap();
    let wrong: Vec<_> = cases
        .texts
        .iter()
        .map(|(rule, text)| (rule, text, rules("Hello", text)))
        .filter(|(rule, _, found)| *found != BTreeSet::from([(*rule).clone()]))
        .map(|(rule, text, found)| format!("{text:?}: expected {rule}, found {found:?}"))
        .collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases.texts.len() >= 60, "{}", cases.texts.len());
}

#[test]
fn the_mails_that_were_tried_are_judged_as_they_should_be() {
    #[derive(Deserialize)]
    struct Mail {
        id: String,
        subject: String,
        text: String,
        expect: String,
    }
    let mails: Vec<Mail> = serde_json::from_str(include_str!("../../cases/tools/qa/mails.json")).unwrap();
    for mail in &mails {
        let found = rules(&mail.subject, &mail.text);
        assert_eq!(!found.is_empty(), mail.expect.starts_with("found"), "{}: {found:?}", mail.id);
    }
    assert_eq!(mails.len(), 11);
}

/// A term that began with an earlier mail has less left.
#[test]
fn what_is_left_of_a_term_may_be_said() {
    let left = |day: i64, days: &str| {
        let mail = |id: &str, day: i64, text: &str| json!({ "id": id, "day": day, "subject": "Hello", "preheader": "x", "text": text });
        let texts = ["15 % for 14 days.", "Hello.", &format!("{days} days left.")]
            .map(|text| format!("{text} {{{{unsubscribe_url}}}}"));
        let mails = json!([mail("a", 0, &texts[0]), mail("b", 4, &texts[1]), mail("c", day, &texts[2])]);
        let found = CampaignQa.examine(&json!({ "mails": mails }), &Sight::of(&shipped_desk()), &json!({}));
        found.into_iter().map(|one| one.rule).collect::<Vec<_>>()
    };
    for (day, days) in [(9, "14"), (9, "9"), (9, "5"), (18, "14")] {
        assert_eq!(left(day, days), Vec::<String>::new(), "{days} on {day}");
    }
    for (day, days) in [(9, "10"), (9, "4"), (9, "13"), (9, "15"), (18, "0")] {
        assert_eq!(left(day, days), ["campaign_qa.terms"], "{days} on {day}");
    }
}
