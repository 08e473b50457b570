//! Finds where a statement does with a column of text what comes out wrong, by following columns through the engine's own
//! program for it: the engine counts a text as far as it begins with digits, orders it letter by letter, and says nothing. It
//! looks at no data.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::column::Kind;
use super::load::Columns;
use super::meeting::{self, Meeting, Why};
use super::order::{self, Term};
use super::program::{self, CHOOSING, COUNTING, JUMPS, NUMBERS, Op, SEARCHES, function, is_numeric_cast};
use super::register::{Registers, Texts, Value, get, join, set};

/// A place where a statement does so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    /// Such as `orders.amount`.
    pub(super) column: String,
    /// What is done with it, such as `sum()` or `+`.
    pub(super) how: String,
    /// Why that comes out wrong.
    pub(super) why: Why,
}

/// What is known of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Bound {
    /// It is a number.
    Number,
    /// It is this text.
    Text(String),
    /// It may be anything else.
    Other,
}

/// Where `sql` does with a text of `tables` what comes out wrong; `bound` says what a parameter is.
pub(super) fn misused(
    connection: &Connection,
    sql: &str,
    tables: &[Columns],
    bound: &dyn Fn(&str) -> Bound,
) -> rusqlite::Result<BTreeSet<Found>> {
    let (ops, parameters) = program::listed(connection, sql)?;
    let parameters: BTreeMap<i64, Bound> = parameters.into_iter().map(|(at, name)| (at, bound(&name))).collect();
    let texts = Texts::of(tables);
    let literals = ops.iter().map(|op| match (op.code.as_str(), parameters.get(&op.p1)) {
        ("String8", _) => Some(op.p4.clone()),
        ("Variable", Some(Bound::Text(text))) => Some(text.clone()),
        _ => None,
    });
    let (cursors, rows) = (BTreeMap::new(), BTreeMap::new());
    let literals = literals.collect();
    let mut flow = Flow { ops: &ops, tables, texts, literals, parameters, cursors, rows, grown: false };
    let (mut found, results) = flow.found();
    let names: Vec<String> = connection.prepare(sql)?.column_names().map(str::to_owned).collect();
    found.extend(flow.ordered(sql, &names, &results));
    Ok(found)
}

struct Flow<'a> {
    ops: &'a [Op],
    tables: &'a [Columns],
    texts: Texts,
    /// By instruction, the text that it makes.
    literals: Vec<Option<String>>,
    parameters: BTreeMap<i64, Bound>,
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

/// Passes after which the search ends; each but the last has learnt something.
const PASSES_MAX: usize = 64;

impl Flow<'_> {
    /// What is done with texts, and the texts that each column of the result may come from.
    fn found(&mut self) -> (BTreeSet<Found>, Vec<u128>) {
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
        let (mut found, mut results) = (BTreeSet::new(), Vec::new());
        for (op, state) in self.ops.iter().zip(&states) {
            let Some(state) = state else { continue };
            let mut meetings = meeting::of(op, state, &self.texts, &self.literals);
            if SEARCHES.contains(&op.code.as_str()) {
                meetings.extend(self.sought(op, state, &states));
            }
            for Meeting { texts, how, why } in meetings {
                let one =
                    |(column, _): &(String, Kind)| Found { column: column.clone(), how: how.clone(), why: why.clone() };
                found.extend(self.texts.among(texts).map(one));
            }
            if op.code == "ResultRow" {
                let columns = (0..op.p2).map(|nth| get(state, op.p1 + nth).map_or(0, |value| value.texts));
                for (nth, texts) in columns.enumerate() {
                    if nth == results.len() {
                        results.push(0);
                    }
                    results[nth] |= texts;
                }
            }
        }
        (found, results)
    }

    /// The texts that the statement orders its rows by, although they do not sort. Where an order is made by the way, no
    /// instruction tells of it, so the terms are read as they are written.
    fn ordered(&self, sql: &str, names: &[String], results: &[u128]) -> Vec<Found> {
        let mut found = Vec::new();
        for term in order::terms(sql) {
            let result = |at: usize| results.get(at).copied().unwrap_or(0);
            let texts = match &term {
                Term::Place(place) => place.checked_sub(1).map_or(0, result),
                Term::Name(name) => match names.iter().position(|known| known.eq_ignore_ascii_case(name)) {
                    Some(at) => result(at),
                    None => self.named(name),
                },
            };
            let unsorted = self.texts.of_kind(texts, Kind::is_unsorted);
            let one = |(column, _): &(String, Kind)| Found {
                column: column.clone(),
                how: "ORDER BY".to_owned(),
                why: Why::Orders,
            };
            found.extend(self.texts.among(unsorted).map(one));
        }
        found
    }

    /// The columns of that name in the tables that are read, if they all are texts.
    fn named(&self, name: &str) -> u128 {
        let read = |table: &&Columns| self.cursors.values().any(|source| *source == Source::Table(table.root_page));
        let mut texts = 0;
        for table in self.tables.iter().filter(read) {
            for (column, _) in table.columns.iter().filter(|(column, _)| column.eq_ignore_ascii_case(name)) {
                match self.texts.of_kind(self.texts.bit_of(&format!("{}.{column}", table.table)), Kind::is_unsorted) {
                    0 => return 0,
                    bit => texts |= bit,
                }
            }
        }
        texts
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
            self.step(at, &mut state);
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

    fn step(&mut self, at: usize, state: &mut Registers) {
        let op = &self.ops[at];
        let number = || Some(Value { number: true, ..Value::default() });
        match op.code.as_str() {
            "Integer" | "Int64" | "Real" | "Rowid" | "IdxRowid" | "Count" | "Sequence" | "NewRowid" | "IsTrue"
            | "Not" | "BitNot" => set(state, op.p2, number()),
            "Add" | "Subtract" | "Multiply" | "Divide" | "Remainder" | "BitAnd" | "BitOr" | "ShiftLeft"
            | "ShiftRight" | "And" | "Or" => set(state, op.p3, number()),
            "AddImm" => set(state, op.p1, number()),
            "Cast" if is_numeric_cast(op) => set(state, op.p1, number()),
            "String8" | "String" | "Blob" | "Variable" => {
                let number = op.code == "Variable" && self.parameters.get(&op.p1) == Some(&Bound::Number);
                let literal = self.literals[at].as_ref().map(|_| at);
                set(state, op.p2, Some(Value { number, literal, ..Value::default() }));
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
                let texts = self.texts.bit_of(&format!("{}.{name}", table.table));
                let number = kind.is_some_and(|kind| !kind.is_text());
                Some(Value { texts, number, literal: None })
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

    /// What a search in a cursor compares: what the cursor stands on, and the key that is sought.
    fn sought(&self, op: &Op, state: &[Option<Value>], states: &[Option<Registers>]) -> Vec<Meeting> {
        let given = op.p4.parse::<i64>().unwrap_or(0);
        let record = self.rows.get(&Place::Register(op.p3)).filter(|_| given == 0);
        let keys: Vec<(i64, Value)> = match record {
            Some(cells) => cells.iter().map(|(nth, value)| (*nth, *value)).collect(),
            None => (0..given).filter_map(|nth| Some((nth, get(state, op.p3 + nth)?))).collect(),
        };
        let mut found = Vec::new();
        for (nth, key) in keys {
            let Some(column) = self.column(op.p1, nth) else { continue };
            // An index that is gone through by itself is searched with what stands in it.
            let orders = key.texts & column.texts == 0 && !self.is_same(op, (nth, key), states);
            found.extend(meeting::compared([key, column], orders, &self.texts, &self.literals));
        }
        found
    }

    /// Whether a search begins and ends at this part of its key. If it does not, the rows come in the order of their letters from there on,
    /// or up to there. Only the last part of a key can be such a border.
    fn is_same(&self, op: &Op, (nth, key): (i64, Value), states: &[Option<Registers>]) -> bool {
        let given = |op: &Op| op.p4.parse::<i64>().unwrap_or(0);
        if op.code.ends_with("Found") || nth + 1 != given(op) {
            return true;
        }
        let is_other = |(at, state): (&Op, &Option<Registers>)| {
            let ends = matches!(
                (op.code.as_str(), at.code.as_str()),
                ("SeekGE", "IdxGT") | ("IdxGT", "SeekGE") | ("SeekLE", "IdxLT") | ("IdxLT", "SeekLE")
            );
            let beside = state.as_ref().and_then(|state| get(state, at.p3 + nth));
            let is_key = ends && nth < given(at) && beside.is_some_and(|beside| beside.literal == key.literal);
            let is_search =
                SEARCHES.contains(&at.code.as_str()) && at.code.starts_with("Seek") != op.code.starts_with("Seek");
            (at.p1, at.p3) == (op.p1, op.p3) && is_search && (is_key || nth + 1 < given(at))
        };
        self.ops.iter().zip(states).any(is_other)
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
