//! `stats.compare`: two proportions, as they are and with the same mix of strata on both sides.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::part::args::{invalid, quoted, read};
use super::figure::{alpha, object, percent, points, short, whole};
use super::proportion::{self, Count, Difference};
use crate::failure::Failure;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    a: Option<Group>,
    b: Option<Group>,
    rows: Option<Vec<Map<String, Value>>>,
    columns: Option<Columns>,
    alpha: Option<f64>,
}

/// The columns of rows that have the counts of both sides.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Columns {
    a_n: String,
    a_k: String,
    b_n: String,
    b_k: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    n: Value,
    k: Value,
}

/// The result of `stats.compare`.
pub(super) fn compare(args: Value) -> Result<Value, Failure> {
    let args: Args = read("stats.compare", args)?;
    let alpha = alpha(args.alpha)?;
    let pairs = match (&args.a, &args.b, &args.rows, &args.columns) {
        (Some(a), Some(b), None, None) => vec![(group("a", a)?, group("b", b)?)],
        (None, None, Some(rows), Some(columns)) => pairs(rows, columns)?,
        _ => return Err(invalid("give a and b, each with n and k; or rows, and columns that name theirs")),
    };
    let sum = |side: fn(&(Count, Count)) -> Count| pairs.iter().map(side).fold(Count::default(), Count::plus);
    let (a, b) = (sum(|pair| pair.0), sum(|pair| pair.1));
    for (name, count) in [("a", a), ("b", b)] {
        if count.n == 0 {
            return Err(invalid(format!(
                "{name} counts nothing (n = 0): there is nothing to compare, so go on without"
            )));
        }
    }
    let mut found = shown(&proportion::compare(a, b, alpha), alpha);
    found.extend([("a".to_owned(), a.shown()), ("b".to_owned(), b.shown()), ("alpha".to_owned(), json!(alpha))]);
    if args.rows.is_some() {
        found.insert("adjusted".to_owned(), adjusted(&pairs, a, b, alpha));
    }
    Ok(Value::Object(found))
}

/// What it gives.
pub(super) fn schema() -> Value {
    let number = || json!({ "type": "number" });
    let mut fields = json!({
        "difference_pp": number(), "interval_pp": { "type": "array", "items": number(), "minItems": 2, "maxItems": 2 },
        "p_value": number(), "significant": { "type": "boolean" },
    });
    let mut adjusted = fields.clone();
    for rate in ["a_rate", "b_rate", "mix_pp"] {
        adjusted[rate] = number();
    }
    for count in ["strata", "left_out"] {
        adjusted[count] = json!({ "type": "integer" });
    }
    for side in ["a", "b"] {
        fields[side] = Count::schema();
    }
    fields["alpha"] = number();
    fields["adjusted"] = object(&json!(["object", "null"]), &adjusted, &[]);
    object(&json!("object"), &fields, &["adjusted"])
}

fn shown(found: &Difference, alpha: f64) -> Map<String, Value> {
    let fields = [
        ("difference_pp", json!(points(found.difference))),
        ("interval_pp", json!([points(found.low), points(found.high)])),
        ("p_value", json!(short(found.p))),
        ("significant", json!(found.p < alpha)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What is left with the same mix on both sides: the difference, both rates in the mix of all, and how much the mix makes.
/// Null if no stratum has both sides.
fn adjusted(pairs: &[(Count, Count)], a: Count, b: Count, alpha: f64) -> Value {
    let shared: Vec<_> = pairs.iter().copied().filter(|(a, b)| a.n > 0 && b.n > 0).collect();
    let Some(found) = proportion::adjusted(&shared, alpha) else { return Value::Null };
    let all: u64 = shared.iter().map(|(a, b)| a.n + b.n).sum();
    let rate = |side: fn(&(Count, Count)) -> Count| {
        shared.iter().map(|pair| side(pair).rate() * (pair.0.n + pair.1.n) as f64 / all as f64).sum::<f64>()
    };
    let mut shown = shown(&found, alpha);
    let inside = |side: fn(&(Count, Count)) -> Count| shared.iter().map(|pair| side(pair).n).sum::<u64>();
    shown.extend([
        ("a_rate".to_owned(), json!(percent(rate(|pair| pair.0)))),
        ("b_rate".to_owned(), json!(percent(rate(|pair| pair.1)))),
        ("mix_pp".to_owned(), json!(points(a.rate() - b.rate() - found.difference))),
        ("strata".to_owned(), json!(shared.len())),
        ("left_out".to_owned(), json!(a.n + b.n - inside(|pair| pair.0) - inside(|pair| pair.1))),
    ]);
    Value::Object(shown)
}

fn group(name: &str, group: &Group) -> Result<Count, Failure> {
    let count = Count {
        n: whole(&group.n).map_err(|why| invalid(format!("{name}.n {why}")))?,
        k: whole(&group.k).map_err(|why| invalid(format!("{name}.k {why}")))?,
    };
    if count.k > count.n {
        return Err(invalid(format!("{name}: k = {} of n = {} is no proportion", count.k, count.n)));
    }
    Ok(count)
}

fn pairs(rows: &[Map<String, Value>], columns: &Columns) -> Result<Vec<(Count, Count)>, Failure> {
    if rows.is_empty() {
        return Err(invalid("rows is empty: there is nothing to compare"));
    }
    let side = |place: usize, row: &Map<String, Value>, n: &str, k: &str| {
        let at = |why: String| invalid(format!("row {}: {why}", place + 1));
        let cell = |column: &str| {
            let missing = || {
                let has: Vec<_> = row.keys().map(String::as_str).collect();
                at(format!("has no column {}; it has {}", quoted(column), has.join(", ")))
            };
            whole(row.get(column).ok_or_else(missing)?).map_err(|why| at(format!("{column} {why}")))
        };
        let count = Count { n: cell(n)?, k: cell(k)? };
        if count.k > count.n {
            return Err(at(format!("{k} = {} is more than {n} = {}", count.k, count.n)));
        }
        Ok(count)
    };
    let pair = |(place, row)| {
        let a = side(place, row, &columns.a_n, &columns.a_k)?;
        Ok((a, side(place, row, &columns.b_n, &columns.b_k)?))
    };
    rows.iter().enumerate().map(pair).collect()
}
