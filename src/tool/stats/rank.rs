//! `stats.rank`: reads rows of counts, compares each segment with all others, and names the weakest if there is one.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::part::args::{invalid, quoted, read};
use super::figure::{alpha, object, percent, points, short, whole};
use super::proportion::{Count, Difference, adjusted, compare};
use crate::failure::Failure;

const BASE_MIN: u64 = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    rows: Vec<Map<String, Value>>,
    name: String,
    n: String,
    k: String,
    stratum: Option<String>,
    base_min: Option<u64>,
    alpha: Option<f64>,
}

/// Counts by segment, by stratum.
type Table = BTreeMap<String, BTreeMap<String, Count>>;

struct Segment {
    name: String,
    own: Count,
    rest: Count,
    found: Difference,
}

struct Excluded {
    name: Option<String>,
    n: u64,
    why: String,
}

/// The result of `stats.rank`.
pub(super) fn rank(args: Value) -> Result<Value, Failure> {
    let args: Args = read("stats.rank", args)?;
    let (alpha, base_min) = (alpha(args.alpha)?, args.base_min.unwrap_or(BASE_MIN));
    if args.rows.is_empty() {
        return Err(invalid("rows is empty: there is nothing to rank"));
    }
    let mut excluded = Vec::new();
    let table = table(&args, &mut excluded)?;
    let totals = totals(&table);
    let all = totals.values().copied().fold(Count::default(), Count::plus);
    let mut segments = Vec::new();
    for (name, strata) in &table {
        let own = sum(strata);
        let rest = Count { n: all.n - own.n, k: all.k - own.k };
        match judge(strata, &totals, own, rest, base_min, args.stratum.as_deref(), alpha) {
            Ok(found) => segments.push(Segment { name: name.clone(), own, rest, found }),
            Err(why) => excluded.push(Excluded { name: Some(name.clone()), n: own.n, why }),
        }
    }
    segments.sort_by(|a, b| a.found.difference.total_cmp(&b.found.difference).then_with(|| a.name.cmp(&b.name)));
    Ok(shown(&segments, &excluded, all, &Limits { alpha, base_min, adjusted: args.stratum.is_some() }))
}

/// What it gives.
pub(super) fn schema() -> Value {
    let number = || json!({ "type": "number" });
    let segment = |kinds: Value| {
        let fields = json!({
            "name": { "type": "string" }, "n": { "type": "integer" }, "k": { "type": "integer" }, "rate": number(),
            "rest_rate": number(), "raw_gap_pp": number(), "gap_pp": number(),
            "interval_pp": { "type": "array", "items": number(), "minItems": 2, "maxItems": 2 }, "p_value": number(),
            "adjusted": { "type": "boolean" }, "significant": { "type": "boolean" },
        });
        object(&kinds, &fields, &[])
    };
    let excluded =
        json!({ "name": { "type": ["string", "null"] }, "n": { "type": "integer" }, "why": { "type": "string" } });
    let fields = json!({
        "weakest": segment(json!(["object", "null"])), "rest": Count::schema(),
        "segments": { "type": "array", "items": segment(json!("object")) },
        "excluded": { "type": "array", "items": object(&json!("object"), &excluded, &[]) },
        "base_min": { "type": "integer" }, "alpha": number(), "alpha_each": number(), "tested": { "type": "integer" },
    });
    object(&json!("object"), &fields, &[])
}

/// The comparison of one segment with the others, or why it is not judged.
fn judge(
    strata: &BTreeMap<String, Count>,
    totals: &BTreeMap<String, Count>,
    own: Count,
    rest: Count,
    base_min: u64,
    stratum: Option<&str>,
    alpha: f64,
) -> Result<Difference, String> {
    if own.n < base_min.max(1) {
        return Err(format!("its base of {} is below {base_min}", own.n));
    }
    if rest.n == 0 {
        return Err("there is nothing to compare it with".to_owned());
    }
    let Some(stratum) = stratum else {
        return Ok(compare(own, rest, alpha));
    };
    let pairs: Vec<_> = strata
        .iter()
        .map(|(name, own)| {
            let total = totals.get(name).copied().unwrap_or_default();
            (*own, Count { n: total.n - own.n, k: total.k - own.k })
        })
        .collect();
    adjusted(&pairs, alpha).ok_or_else(|| format!("it shares no {stratum} with the others"))
}

fn table(args: &Args, excluded: &mut Vec<Excluded>) -> Result<Table, Failure> {
    let mut table = Table::new();
    let (mut nameless, mut strataless) = (Count::default(), Count::default());
    for (place, row) in args.rows.iter().enumerate() {
        let at = |why: String| invalid(format!("row {}: {why}", place + 1));
        let cell = |column: &str| {
            let missing = || {
                let has: Vec<_> = row.keys().map(String::as_str).collect();
                at(format!("has no column {}; it has {}", quoted(column), has.join(", ")))
            };
            row.get(column).ok_or_else(missing)
        };
        let count = |column: &str| whole(cell(column)?).map_err(|why| at(format!("{column} {why}")));
        let own = Count { n: count(&args.n)?, k: count(&args.k)? };
        if own.k > own.n {
            return Err(at(format!("{} = {} is more than {} = {}", args.k, own.k, args.n, own.n)));
        }
        let Some(name) = label(cell(&args.name)?).map_err(|why| at(format!("{} {why}", args.name)))? else {
            nameless = nameless.plus(own);
            continue;
        };
        let stratum = match &args.stratum {
            None => Some(String::new()),
            Some(column) => label(cell(column)?).map_err(|why| at(format!("{column} {why}")))?,
        };
        let Some(stratum) = stratum else {
            strataless = strataless.plus(own);
            continue;
        };
        let sum = table.entry(name).or_default().entry(stratum).or_default();
        *sum = sum.plus(own);
    }
    if nameless.n > 0 {
        excluded.push(Excluded { name: None, n: nameless.n, why: format!("without a {}", args.name) });
    }
    if strataless.n > 0 {
        let column = args.stratum.as_deref().unwrap_or_default();
        excluded.push(Excluded { name: None, n: strataless.n, why: format!("without a {column}") });
    }
    Ok(table)
}

/// A name as text; `None` for null and for blank text.
fn label(value: &Value) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.trim().is_empty() => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(_) | Value::Bool(_) => Ok(Some(value.to_string())),
        _ => Err("is to be text, not a list or an object".to_owned()),
    }
}

fn totals(table: &Table) -> BTreeMap<String, Count> {
    let mut totals: BTreeMap<String, Count> = BTreeMap::new();
    let strata: BTreeSet<_> = table.values().flat_map(BTreeMap::keys).collect();
    for stratum in strata {
        let counts = table.values().filter_map(|strata| strata.get(stratum));
        totals.insert(stratum.clone(), counts.copied().fold(Count::default(), Count::plus));
    }
    totals
}

fn sum(strata: &BTreeMap<String, Count>) -> Count {
    strata.values().copied().fold(Count::default(), Count::plus)
}

struct Limits {
    alpha: f64,
    base_min: u64,
    adjusted: bool,
}

fn shown(segments: &[Segment], excluded: &[Excluded], all: Count, limits: &Limits) -> Value {
    let each = limits.alpha / segments.len().max(1) as f64;
    let below = |segment: &&Segment| segment.found.difference < 0.0 && segment.found.p < each;
    let ranked: Vec<_> = segments
        .iter()
        .map(|segment| {
            let found = &segment.found;
            json!({
                "name": segment.name, "n": segment.own.n, "k": segment.own.k, "rate": percent(segment.own.rate()),
                "rest_rate": percent(segment.rest.rate()),
                "raw_gap_pp": points(segment.rest.rate() - segment.own.rate()), "gap_pp": points(-found.difference),
                "interval_pp": [points(-found.high), points(-found.low)], "p_value": short(found.p),
                "adjusted": limits.adjusted, "significant": found.p < each,
            })
        })
        .collect();
    // Sorted by the gap: the first that is significant is the weakest.
    let weakest = segments.iter().position(|segment| below(&segment));
    let rest = weakest.map_or(all, |place| segments[place].rest);
    let excluded: Vec<_> = excluded.iter().map(|one| json!({ "name": one.name, "n": one.n, "why": one.why })).collect();
    json!({
        "weakest": weakest.map(|place| &ranked[place]), "rest": rest.shown(), "segments": ranked,
        "excluded": excluded, "base_min": limits.base_min, "alpha": limits.alpha, "alpha_each": short(each),
        "tested": segments.len(),
    })
}
