//! The breaker of a model, as data: what calls came to, and whether the next one is let through.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use callsheet::failure::{Class, Usage};
use callsheet::id::Timestamp;
use callsheet::model::breaker::Breakers;

/// What happens: a call of a model ends, well or as a class, or time passes.
enum Step {
    Ends(&'static str, Option<Class>),
    Waits(i64),
    /// Whether a call of a model is let through; if not, how long it is to wait.
    Opens(&'static str, Option<u64>),
}
use Step::{Ends, Opens, Waits};

const DOWN: Step = Ends("a", Some(Class::Transient));

fn check(name: &str, steps: &[Step]) {
    let now = Arc::new(AtomicI64::new(1_000_000));
    let clock = Arc::clone(&now);
    let breakers = Breakers::new(Box::new(move || Timestamp(clock.load(Ordering::Relaxed))));
    for (nth, step) in steps.iter().enumerate() {
        match step {
            Ends(model, failed) => breakers.tell(model, *failed),
            Waits(ms) => drop(now.fetch_add(*ms, Ordering::Relaxed)),
            Opens(model, wait) => {
                let came = breakers.open(model);
                let told = came.as_ref().err().map(|f| (f.class, f.retry_after_ms, f.usage));
                let wanted = wait.map(|ms| (Class::Throttled, Some(ms), Some(Usage::NOTHING)));
                assert_eq!(told, wanted, "{name}, step {nth}: {came:?}");
            }
        }
    }
}

#[test]
fn it_opens_after_failures_in_a_row_and_closes_when_one_call_is_well() {
    check("four are few", &[DOWN, DOWN, DOWN, DOWN, Opens("a", None)]);
    check("five are enough", &[DOWN, DOWN, DOWN, DOWN, DOWN, Opens("a", Some(1_000))]);
    check("another model", &[DOWN, DOWN, DOWN, DOWN, DOWN, Opens("b", None)]);
    check(
        "time passes",
        &[DOWN, DOWN, DOWN, DOWN, DOWN, Waits(400), Opens("a", Some(600)), Waits(600), Opens("a", None)],
    );
    check("the sixth", &[DOWN, DOWN, DOWN, DOWN, DOWN, Waits(1_000), DOWN, Opens("a", Some(2_000))]);
    check("one is well", &[DOWN, DOWN, DOWN, DOWN, DOWN, Waits(1_000), Ends("a", None), DOWN, Opens("a", None)]);
    let throttled = || Ends("a", Some(Class::Throttled));
    check("asked to wait", &[throttled(), throttled(), throttled(), throttled(), throttled(), Opens("a", Some(1_000))]);
    let refused = || Ends("a", Some(Class::Refused));
    check("it answers, if only with a no", &[DOWN, DOWN, DOWN, DOWN, refused(), DOWN, Opens("a", None)]);
    let mut long: Vec<Step> = (0..40).map(|_| DOWN).collect();
    long.push(Opens("a", Some(30_000)));
    check("never longer than half a minute", &long);
}
