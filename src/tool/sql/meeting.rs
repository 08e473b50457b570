//! What one instruction does with texts that comes out wrong: it counts with them, it orders what does not sort, or it
//! compares a date with what is none.

use super::column::Kind;
use super::day::{is_iso_date, is_iso_moment, is_unsortable_date};
use super::program::{COUNTING, Op, function, is_numeric_cast};
use super::register::{Texts, Value, get};

/// Texts, by their bits, and what is done with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meeting {
    pub(super) texts: u128,
    /// Such as `sum()` or `+`.
    pub(super) how: String,
    pub(super) why: Why,
}

/// Why that comes out wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// The engine would count the digits that a text begins with.
    Counts,
    /// The engine would order dates by the letters that they begin with.
    Orders,
    /// A date stands beside this text, which is not written as it is.
    Beside(String),
}

impl Meeting {
    fn of(texts: u128, how: &str, why: Why) -> Option<Self> {
        (texts != 0).then(|| Self { texts, how: how.to_owned(), why })
    }
}

const COMPARISON: &str = "a comparison with a number";

/// What is wrong with comparing these two; `orders` says that it matters which of them is the first.
pub(super) fn compared(values: [Value; 2], orders: bool, texts: &Texts, literals: &[Option<String>]) -> Vec<Meeting> {
    let mut found = Vec::new();
    let [one, other] = values;
    for (value, beside) in [(one, other), (other, one)] {
        if beside.number && !value.number {
            found.extend(Meeting::of(value.texts, COMPARISON, Why::Counts));
            continue;
        }
        let literal = beside.literal.and_then(|at| literals.get(at)?.as_deref());
        // Whether there is anything is a fair question of every text.
        if literal == Some("") {
            continue;
        }
        if orders {
            let unsorted = texts.of_kind(value.texts, Kind::is_unsorted);
            found.extend(Meeting::of(unsorted, "a comparison of which is first", Why::Orders));
        }
        let Some(literal) = literal else { continue };
        let misfits: fn(Kind) -> bool = match (is_iso_date(literal), is_iso_moment(literal)) {
            (true, _) => continue,
            (false, true) => |kind| kind == Kind::Date,
            _ if is_unsortable_date(literal) => |kind| matches!(kind, Kind::Date | Kind::Datetime | Kind::IsoText),
            _ => |kind| matches!(kind, Kind::Date | Kind::Datetime),
        };
        let why = Why::Beside(literal.to_owned());
        found.extend(Meeting::of(texts.of_kind(value.texts, misfits), "a comparison", why));
    }
    found
}

/// What `op` does with texts that comes out wrong.
pub(super) fn of(op: &Op, state: &[Option<Value>], texts: &Texts, literals: &[Option<String>]) -> Vec<Meeting> {
    let mut found = Vec::new();
    let mut add = |register: i64, how: &str| {
        let texts = get(state, register).map_or(0, |value| value.texts);
        found.extend(Meeting::of(texts, how, Why::Counts));
    };
    match op.code.as_str() {
        "Add" | "Subtract" | "Multiply" | "Divide" | "Remainder" | "BitAnd" | "BitOr" | "ShiftLeft" | "ShiftRight" => {
            let how = match op.code.as_str() {
                "Add" => "+",
                "Subtract" => "-",
                "Multiply" => "*",
                "Divide" => "/",
                "Remainder" => "%",
                _ => "an operation on bits",
            };
            add(op.p1, how);
            add(op.p2, how);
        }
        "AddImm" | "BitNot" => add(op.p1, "an operation on numbers"),
        "Cast" if is_numeric_cast(op) => add(op.p1, "CAST"),
        "If" | "IfNot" | "Not" | "IsTrue" => add(op.p1, "a condition"),
        "And" | "Or" => {
            add(op.p1, "a condition");
            add(op.p2, "a condition");
        }
        code @ ("Lt" | "Le" | "Gt" | "Ge" | "Eq" | "Ne") => {
            if let (Some(one), Some(other)) = (get(state, op.p1), get(state, op.p3)) {
                found.extend(compared([one, other], !matches!(code, "Eq" | "Ne"), texts, literals));
            }
        }
        "Function" | "PureFunc" | "AggStep" | "AggInverse" if COUNTING.contains(&function(op).0) => {
            add(op.p2, &format!("{}()", function(op).0));
        }
        "Function" | "PureFunc" | "AggStep" | "AggInverse" if ["min", "max"].contains(&function(op).0) => {
            let (name, arguments) = function(op);
            for nth in 0..arguments.max(1) {
                let given = get(state, op.p2 + nth).map_or(0, |value| value.texts);
                found.extend(Meeting::of(texts.of_kind(given, Kind::is_unsorted), &format!("{name}()"), Why::Orders));
            }
        }
        _ => {}
    }
    found
}
