//! What the value of a parameter may be, beside its type.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

/// The values that a parameter takes; all of its type if nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// The least number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Number>,
    /// The greatest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Number>,
    /// The only values; empty allows all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<Value>,
}

impl Bounds {
    /// Whether every value of the type will do.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a value of the right type lies within.
    pub fn take(&self, value: &Value) -> bool {
        let above = |least: &Number| value.as_number().is_none_or(|number| !is_less(number, least));
        let below = |greatest: &Number| value.as_number().is_none_or(|number| !is_less(greatest, number));
        self.minimum.as_ref().is_none_or(above)
            && self.maximum.as_ref().is_none_or(below)
            && (self.one_of.is_empty() || self.one_of.iter().any(|other| is_same(other, value)))
    }

    /// What will do, such as `from 1 to 12`; none if all will.
    pub fn words(&self) -> Option<String> {
        let range = match (&self.minimum, &self.maximum) {
            (Some(least), Some(greatest)) => Some(format!("from {least} to {greatest}")),
            (Some(least), None) => Some(format!("{least} or more")),
            (None, Some(greatest)) => Some(format!("{greatest} or less")),
            (None, None) => None,
        };
        let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let listed: Vec<String> = self.one_of.iter().map(shown).collect();
        if listed.is_empty() { range } else { Some(format!("one of {}", listed.join(", "))) }
    }
}

/// Whether one number is less than another; whole ones are compared as such.
pub(super) fn is_less(one: &Number, other: &Number) -> bool {
    match (one.as_i128(), other.as_i128()) {
        (Some(one), Some(other)) => one < other,
        _ => one.as_f64().zip(other.as_f64()).is_some_and(|(one, other)| one < other),
    }
}

/// Whether two values are the same: 1 is 1.0.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one.as_number(), other.as_number()) {
        (Some(one), Some(other)) => !is_less(one, other) && !is_less(other, one),
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_lies_within_its_bounds_or_not() {
        let check = |bounds: Value, words: Option<&str>, takes: &[Value], refuses: &[Value]| {
            let bounds: Bounds = serde_json::from_value(bounds).unwrap();
            assert_eq!(bounds.words().as_deref(), words);
            takes.iter().for_each(|value| assert!(bounds.take(value), "{bounds:?} takes {value}"));
            refuses.iter().for_each(|value| assert!(!bounds.take(value), "{bounds:?} refuses {value}"));
        };
        check(json!({}), None, &[json!("x"), json!(-1)], &[]);
        let month = json!({ "minimum": 1, "maximum": 12 });
        check(month, Some("from 1 to 12"), &[json!(1), json!(12), json!(1.5)], &[json!(0), json!(13), json!(12.01)]);
        check(json!({ "minimum": 0.5 }), Some("0.5 or more"), &[json!(1)], &[json!(0)]);
        check(json!({ "maximum": -3 }), Some("-3 or less"), &[json!(-3)], &[json!(-2)]);
        let size = json!({ "one_of": ["small", "large"] });
        check(size, Some("one of small, large"), &[json!("small")], &[json!("Small"), json!("")]);
        check(json!({ "one_of": [1, 2.5] }), Some("one of 1, 2.5"), &[json!(1.0), json!(2.5)], &[json!(2)]);
    }
}
