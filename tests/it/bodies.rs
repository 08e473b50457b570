//! Bodies that are written at one place and read at others: what an earlier callsheet wrote is read, and written again with
//! the same bytes, so that a digest over it stays what it was.

use callsheet::failure::{Class, Failure, Usage};
use callsheet::run::body::{FailureReport, Listing, Receipt, Repeated, is_result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The body as it is written after it was read.
fn again<T: Serialize + DeserializeOwned>(body: &str) -> String {
    let read: T = serde_json::from_str(body).unwrap_or_else(|why| panic!("{body}: {why}"));
    json!(read).to_string()
}

#[test]
fn what_was_written_is_read_and_written_alike() {
    type Case = (fn(&str) -> String, &'static str);
    let cases: &[Case] = &[
        (
            again::<Listing>,
            r#"{"items":[{"bytes":461,"digest":"d530f518608909300513a72d051eae9acf85433cb44ee829462d26e564799584","key":"linkedin.md","media_type":"text/markdown","recipient":"linkedin","recipients":1,"title":"How to bring ferns through the winter"}],"member":"publisher","tool":"articles.publish"}"#,
        ),
        (
            again::<Listing>,
            r#"{"items":[{"again":{"args":{"segment":"lapsed_eu"},"query":"reachable"},"bytes":9,"digest":"e83bf1fafd46479aaf5e727bb6eed490564ddc9a1ee984517f2f84f0adb456fe","key":"audience.csv","media_type":"text/csv","recipient":"the mail platform's list","recipients":0,"title":"721 people"}],"member":"sender","tool":"email.deliver"}"#,
        ),
        (again::<Receipt>, r#"{"place":"ann says that it happened"}"#),
        (
            again::<Receipt>,
            r#"{"dropped":["a@example.com"],"place":"out/1-news/audience.csv","remark":"it was there already, and nothing was done","sha256":"e83bf1fafd46479aaf5e727bb6eed490564ddc9a1ee984517f2f84f0adb456fe"}"#,
        ),
        (again::<FailureReport>, r#"{"error":"the actor panicked: \"oh\""}"#),
        (
            again::<FailureReport>,
            r#"{"error":"HTTP 429","lost":true,"retry_after_ms":2000,"usage":{"cache_write_tokens":0,"cached_tokens":0,"input_tokens":10,"output_tokens":2}}"#,
        ),
        (again::<Repeated>, r#"{"same_as_before":"you made this very call before"}"#),
    ];
    for (again, body) in cases {
        assert_eq!(again(body), *body);
    }
}

#[test]
fn a_report_says_of_a_failure_what_its_head_does_not() {
    let failure = Failure { retry_after_ms: Some(7), ..Failure::new(Class::Throttled, "wait") };
    let failure = failure.lost().with_usage(Usage { input_tokens: 3, ..Usage::NOTHING });
    let report = FailureReport::from(&failure);
    assert_eq!((report.error.as_str(), report.lost, report.retry_after_ms), ("wait", true, Some(7)));
    assert_eq!(report.usage, failure.usage);
}

#[test]
fn a_result_is_told_from_what_stands_in_its_place() {
    let cases: [(Value, bool); 8] = [
        (json!({ "error": "no such table" }), false),
        (json!({ "error": "no answer", "lost": true, "retry_after_ms": 5 }), false),
        (json!({ "same_as_before": "its result stands above" }), false),
        (json!({ "rows": [], "row_count": 0 }), true),
        // A server's own field of that name is data.
        (json!({ "error": null, "rows": [1] }), true),
        (json!("left out to make room"), true),
        (json!(["error"]), true),
        (json!(["error", null, 5, true]), true),
    ];
    for (body, is) in cases {
        assert_eq!(is_result(&body), is, "{body}");
    }
}
