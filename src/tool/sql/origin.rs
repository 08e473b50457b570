//! Finds where a statement counts with a column of text, by following columns through the engine's own program for it.
//! The engine would count a text as far as it begins with digits, and say nothing. It looks at no data.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::column::Kind;
use super::load::Columns;

/// A place where a statement counts with a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    /// Such as `orders.amount`.
    pub(super) column: String,
    /// What is done with it, such as `sum()` or `+`.
    pub(super) how: String,
}

/// One instruction of the program.
struct Op {
    code: String,
    p1: i64,
    p2: i64,
    p3: i64,
    p4: String,
}

/// What is known of a value: the columns of text it may come from as they are, and whether it is a number for certain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Value {
    /// A bit for each column of text, in the order of [`Flow::texts`]; what is beyond the last bit shares it.
    texts: u128,
    number: bool,
}

/// By number; a register that is absent holds nothing, or NULL, yet.
type Registers = Vec<Option<Value>>;

/// Where `sql` counts with a text of `tables`; `is_number` says it of a parameter.
pub(super) fn counted_texts(
    connection: &Connection,
    sql: &str,
    tables: &[Columns],
    is_number: &dyn Fn(&str) -> bool,
) -> rusqlite::Result<BTreeSet<Found>> {
    let mut program = connection.prepare(&format!("EXPLAIN {sql}"))?;
    let mut parameters = BTreeMap::new();
    for place in 1..=program.parameter_count() {
        let number = program.parameter_name(place).and_then(|name| name.strip_prefix(':')).is_some_and(is_number);
        parameters.insert(place as i64, number);
    }
    let mut rows = program.raw_query();
    let mut ops = Vec::new();
    while let Some(row) = rows.next()? {
        let p4 = row.get::<_, Option<String>>("p4").ok().flatten().unwrap_or_default();
        ops.push(Op { code: row.get("opcode")?, p1: row.get("p1")?, p2: row.get("p2")?, p3: row.get("p3")?, p4 });
    }
    let mut flow = Flow {
        ops: &ops,
        tables,
        texts: texts(tables),
        parameters,
        cursors: BTreeMap::new(),
        rows: BTreeMap::new(),
        grown: false,
    };
    Ok(flow.found())
}

/// The columns of text, such as `orders.note`.
fn texts(tables: &[Columns]) -> Vec<String> {
    let columns = tables.iter().flat_map(|table| table.columns.iter().map(move |(name, kind)| (table, name, kind)));
    let texts = columns.filter(|(_, _, kind)| **kind == Some(Kind::Text));
    texts.map(|(table, name, _)| format!("{}.{name}", table.table)).collect()
}

struct Flow<'a> {
    ops: &'a [Op],
    tables: &'a [Columns],
    texts: Vec<String>,
    parameters: BTreeMap<i64, bool>,
    /// What a cursor stands on: a table's root page, or rows that the statement makes itself.
    cursors: BTreeMap<i64, Source>,
    /// Rows that the statement makes, by place, whatever the order in which it makes them.
    rows: BTreeMap<Place, BTreeMap<i64, Value>>,
    /// Whether a pass has learnt something of such rows.
    grown: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Table(i64),
    Cursor(i64),
    Register(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Cursor(i64),
    Register(i64),
}

/// More registers than a statement within the limits has.
const REGISTERS_MAX: usize = 100_000;

/// Passes after which the search ends; each but the last has learnt something.
const PASSES_MAX: usize = 64;

impl Flow<'_> {
    fn found(&mut self) -> BTreeSet<Found> {
        for op in self.ops {
            let source = match op.code.as_str() {
                "OpenRead" | "ReopenIdx" if op.p3 == 0 => Source::Table(op.p2),
                "OpenPseudo" => Source::Register(op.p2),
                "OpenDup" => Source::Cursor(op.p2),
                _ => continue,
            };
            self.cursors.insert(op.p1, source);
        }
        let mut states = Vec::new();
        for _ in 0..PASSES_MAX {
            self.grown = false;
            states = self.pass();
            if !self.grown {
                break;
            }
        }
        let mut found = BTreeSet::new();
        for (op, state) in self.ops.iter().zip(&states) {
            let Some(state) = state else { continue };
            let mut counted = counted(op, state);
            if SEARCHES.contains(&op.code.as_str()) {
                counted.push((self.sought(op, state), COMPARISON.to_owned()));
            }
            for (texts, how) in counted {
                let named = self.texts.iter().enumerate().filter(|(nth, _)| texts & bit(*nth) != 0);
                found.extend(named.map(|(_, column)| Found { column: column.clone(), how: how.clone() }));
            }
        }
        found
    }

    /// What the registers hold before each instruction that can be reached.
    fn pass(&mut self) -> Vec<Option<Registers>> {
        let mut states: Vec<Option<Registers>> = self.ops.iter().map(|_| None).collect();
        if let Some(first) = states.first_mut() {
            *first = Some(Registers::new());
        }
        let mut waiting = BTreeSet::from([0]);
        while let Some(at) = waiting.pop_first() {
            let mut state = states[at].clone().unwrap_or_default();
            self.step(&self.ops[at], &mut state);
            for next in self.successors(at) {
                let Some(place) = usize::try_from(next).ok().filter(|next| *next < states.len()) else { continue };
                if join(&mut states[place], &state) {
                    waiting.insert(place);
                }
            }
        }
        states
    }

    fn successors(&self, at: usize) -> Vec<i64> {
        let (op, next) = (&self.ops[at], at as i64 + 1);
        match op.code.as_str() {
            "Init" | "Goto" => vec![op.p2],
            "Halt" => vec![],
            "Jump" => vec![op.p1, op.p2, op.p3],
            "Gosub" => vec![op.p2, next],
            "Return" => self.after("Gosub", op.p1).into_iter().chain([next]).collect(),
            "InitCoroutine" => vec![if op.p2 > 0 { op.p2 } else { next }, op.p3],
            // Whoever yields goes on wherever somebody yields to it.
            "Yield" | "EndCoroutine" => self.after("Yield", op.p1),
            code if JUMPS.contains(&code) && op.p2 > 0 => vec![op.p2, next],
            _ => vec![next],
        }
    }

    /// Where it goes on after any `code` that goes by `register`.
    fn after(&self, code: &str, register: i64) -> Vec<i64> {
        let same = self.ops.iter().enumerate().filter(|(_, op)| op.code == code && op.p1 == register);
        let next = |(place, op): (usize, &Op)| [place as i64 + 1, if op.code == "Yield" { op.p2 } else { 0 }];
        same.flat_map(next).filter(|place| *place > 0).collect()
    }

    fn step(&mut self, op: &Op, state: &mut Registers) {
        let number = || Some(Value { number: true, ..Value::default() });
        match op.code.as_str() {
            "Integer" | "Int64" | "Real" | "Rowid" | "IdxRowid" | "Count" | "Sequence" | "NewRowid" | "IsTrue"
            | "Not" | "BitNot" => set(state, op.p2, number()),
            "Add" | "Subtract" | "Multiply" | "Divide" | "Remainder" | "BitAnd" | "BitOr" | "ShiftLeft"
            | "ShiftRight" | "And" | "Or" => set(state, op.p3, number()),
            "AddImm" => set(state, op.p1, number()),
            "Cast" if is_numeric_cast(op) => set(state, op.p1, number()),
            "String8" | "String" | "Blob" => set(state, op.p2, Some(Value::default())),
            "Variable" => {
                let number = self.parameters.get(&op.p1).copied().unwrap_or(false);
                set(state, op.p2, Some(Value { number, ..Value::default() }));
            }
            "Concat" => set(state, op.p3, Some(Value::default())),
            "Null" | "BeginSubrtn" => (op.p2..=op.p3.max(op.p2)).for_each(|register| set(state, register, None)),
            "SCopy" | "IntCopy" => {
                let value = get(state, op.p1);
                set(state, op.p2, value);
            }
            "Copy" => {
                for nth in 0..=op.p3 {
                    let value = get(state, op.p1 + nth);
                    set(state, op.p2 + nth, value);
                }
            }
            "Move" => {
                (0..op.p3).for_each(|nth| {
                    let value = get(state, op.p1 + nth);
                    set(state, op.p1 + nth, None);
                    set(state, op.p2 + nth, value);
                });
            }
            "Column" => set(state, op.p3, self.column(op.p1, op.p2)),
            "Function" | "PureFunc" => {
                let value = called(op, state);
                set(state, op.p3, value);
            }
            "AggStep" | "AggInverse" => {
                if let Some(value) = called(op, state) {
                    let before = get(state, op.p3);
                    set(state, op.p3, Some(before.map_or(value, |before| before.or(value))));
                }
            }
            "AggValue" => {
                let value = get(state, op.p1);
                set(state, op.p3, value);
            }
            "MakeRecord" => {
                let cells = (0..op.p2).filter_map(|nth| Some((nth, get(state, op.p1 + nth)?))).collect();
                self.learn(Place::Register(op.p3), &cells);
            }
            "SorterData" | "RowData" => {
                let cells = self.rows_of(op.p1);
                self.learn(Place::Register(op.p2), &cells);
            }
            "Insert" | "IdxInsert" | "SorterInsert" => {
                let cells = self.rows.get(&Place::Register(op.p2)).cloned().unwrap_or_default();
                self.learn(self.place(op.p1), &cells);
            }
            _ => {}
        }
    }

    fn column(&self, cursor: i64, place: i64) -> Option<Value> {
        match self.cursors.get(&cursor) {
            Some(Source::Table(root)) => {
                let table = self.tables.iter().find(|table| table.root_page == *root)?;
                let (name, kind) = table.columns.get(usize::try_from(place).ok()?)?;
                let name = format!("{}.{name}", table.table);
                let nth = self.texts.iter().position(|text| *kind == Some(Kind::Text) && *text == name);
                let texts = nth.map_or(0, bit);
                Some(Value { texts, number: matches!(kind, Some(Kind::Integer | Kind::Real)) })
            }
            _ => self.rows_of(cursor).get(&place).copied(),
        }
    }

    fn rows_of(&self, cursor: i64) -> BTreeMap<i64, Value> {
        self.rows.get(&self.place(cursor)).cloned().unwrap_or_default()
    }

    /// Where the rows of a cursor are kept that stands on no table.
    fn place(&self, cursor: i64) -> Place {
        match self.cursors.get(&cursor) {
            Some(Source::Register(register)) => Place::Register(*register),
            Some(Source::Cursor(other)) => Place::Cursor(*other),
            _ => Place::Cursor(cursor),
        }
    }

    /// The texts that a search in a cursor compares with numbers: what it stands on, and the key that is sought.
    fn sought(&self, op: &Op, state: &[Option<Value>]) -> u128 {
        let given = op.p4.parse::<i64>().unwrap_or(0);
        let record = self.rows.get(&Place::Register(op.p3)).filter(|_| given == 0);
        let keys: Vec<(i64, Value)> = match record {
            Some(cells) => cells.iter().map(|(nth, value)| (*nth, *value)).collect(),
            None => (0..given).filter_map(|nth| Some((nth, get(state, op.p3 + nth)?))).collect(),
        };
        let pairs = keys.into_iter().filter_map(|(nth, key)| Some((key, self.column(op.p1, nth)?)));
        let mixed = pairs.map(|(key, column)| match (key.number, column.number) {
            (true, false) => column.texts,
            (false, true) => key.texts,
            _ => 0,
        });
        mixed.fold(0, |all, texts| all | texts)
    }

    fn learn(&mut self, place: Place, cells: &BTreeMap<i64, Value>) {
        let known = self.rows.entry(place).or_default();
        for (nth, value) in cells {
            match known.get_mut(nth) {
                None => {
                    known.insert(*nth, *value);
                    self.grown = true;
                }
                Some(before) => {
                    let both = before.or(*value);
                    self.grown |= both != *before;
                    *before = both;
                }
            }
        }
    }
}

impl Value {
    /// What is known of a value that is the one or the other.
    fn or(self, other: Self) -> Self {
        Self { texts: self.texts | other.texts, number: self.number && other.number }
    }
}

fn bit(nth: usize) -> u128 {
    1 << nth.min(127)
}

fn get(state: &[Option<Value>], register: i64) -> Option<Value> {
    usize::try_from(register).ok().and_then(|register| state.get(register).copied().flatten())
}

fn set(state: &mut Registers, register: i64, value: Option<Value>) {
    let Some(place) = usize::try_from(register).ok().filter(|place| *place < REGISTERS_MAX) else { return };
    if place >= state.len() && value.is_some() {
        state.resize(place + 1, None);
    }
    if let Some(before) = state.get_mut(place) {
        *before = value;
    }
}

/// Adds to `into` what may be before the same instruction on another way; whether that is new.
fn join(into: &mut Option<Registers>, state: &[Option<Value>]) -> bool {
    let Some(known) = into else {
        *into = Some(state.to_vec());
        return true;
    };
    let mut new = false;
    if known.len() < state.len() {
        known.resize(state.len(), None);
    }
    for (before, value) in known.iter_mut().zip(state) {
        let both = match (*before, *value) {
            (Some(before), Some(value)) => Some(before.or(value)),
            (before, value) => before.or(value),
        };
        new |= both != *before;
        *before = both;
    }
    new
}

/// The name of the function in `sum(1)`, and how many arguments it has.
fn function(op: &Op) -> (&str, i64) {
    let (name, rest) = op.p4.split_once('(').unwrap_or((&op.p4, "0)"));
    (name, rest.trim_end_matches(')').parse().unwrap_or(0))
}

/// Functions that count with their first argument.
const COUNTING: [&str; 25] = [
    "sum",
    "avg",
    "total",
    "abs",
    "round",
    "ceil",
    "ceiling",
    "floor",
    "trunc",
    "sign",
    "sqrt",
    "exp",
    "ln",
    "log",
    "log10",
    "log2",
    "pow",
    "power",
    "mod",
    "median",
    "percentile",
    "percentile_cont",
    "percentile_disc",
    "char",
    "ntile",
];

/// Functions whose result is a number, beside those.
const NUMBERS: [&str; 12] = [
    "count",
    "length",
    "octet_length",
    "instr",
    "unicode",
    "julianday",
    "unixepoch",
    "row_number",
    "rank",
    "dense_rank",
    "cume_dist",
    "percent_rank",
];

/// Functions whose result is one of their arguments.
const CHOOSING: [&str; 9] = ["max", "min", "nullif", "coalesce", "ifnull", "first_value", "last_value", "lag", "lead"];

fn called(op: &Op, state: &[Option<Value>]) -> Option<Value> {
    let (name, arguments) = function(op);
    if COUNTING.contains(&name) || NUMBERS.contains(&name) {
        return Some(Value { number: true, ..Value::default() });
    }
    if !CHOOSING.contains(&name) {
        return Some(Value::default());
    }
    let taken = if name == "nullif" { 1 } else { arguments.max(1) };
    let values = (0..taken).filter_map(|nth| get(state, op.p2 + nth));
    values.reduce(Value::or)
}

fn is_numeric_cast(op: &Op) -> bool {
    // The engine's letters for NUMERIC, INTEGER and REAL.
    (67..=69).contains(&op.p2)
}

/// The texts that `op` counts with, and how.
fn counted(op: &Op, state: &[Option<Value>]) -> Vec<(u128, String)> {
    let mut found = Vec::new();
    let mut add = |register: i64, how: &str| {
        found.extend(get(state, register).filter(|value| value.texts != 0).map(|value| (value.texts, how.to_owned())));
    };
    let is_number = |register: i64| get(state, register).is_some_and(|value| value.number);
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
        "Lt" | "Le" | "Gt" | "Ge" | "Eq" | "Ne" => {
            if is_number(op.p1) {
                add(op.p3, COMPARISON);
            }
            if is_number(op.p3) {
                add(op.p1, COMPARISON);
            }
        }
        "Function" | "PureFunc" | "AggStep" | "AggInverse" if COUNTING.contains(&function(op).0) => {
            add(op.p2, &format!("{}()", function(op).0));
        }
        _ => {}
    }
    found
}

const COMPARISON: &str = "a comparison with a number";

/// Instructions that seek a key in a cursor.
pub(super) const SEARCHES: [&str; 10] =
    ["SeekLT", "SeekLE", "SeekGE", "SeekGT", "IdxLE", "IdxGT", "IdxLT", "IdxGE", "Found", "NotFound"];

/// Instructions that may go on at their second operand.
const JUMPS: [&str; 46] = [
    "VFilter",
    "MustBeInt",
    "Once",
    "If",
    "IfNot",
    "IsType",
    "IfNullRow",
    "SeekLT",
    "SeekLE",
    "SeekGE",
    "SeekGT",
    "IfNoHope",
    "NoConflict",
    "NotFound",
    "Found",
    "SeekRowid",
    "NotExists",
    "Last",
    "IfSizeBetween",
    "SorterSort",
    "Sort",
    "Rewind",
    "IfEmpty",
    "SorterNext",
    "Prev",
    "Next",
    "IdxLE",
    "IdxGT",
    "IdxLT",
    "IdxGE",
    "IFindKey",
    "RowSetRead",
    "RowSetTest",
    "Program",
    "IsNull",
    "NotNull",
    "Ne",
    "Eq",
    "Gt",
    "Le",
    "Lt",
    "Ge",
    "ElseEq",
    "IfPos",
    "IfNotZero",
    "DecrJumpZero",
];
