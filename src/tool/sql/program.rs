//! The engine's own program for a statement, as it lists it, and what its instructions do as far as others have to know.

use rusqlite::Connection;

/// One instruction of the program.
pub(super) struct Op {
    pub(super) code: String,
    pub(super) p1: i64,
    pub(super) p2: i64,
    pub(super) p3: i64,
    pub(super) p4: String,
}

/// The name of a parameter, with its number.
pub(super) type Parameter = (i64, String);

/// The instructions of `sql`, and its parameters.
pub(super) fn listed(connection: &Connection, sql: &str) -> rusqlite::Result<(Vec<Op>, Vec<Parameter>)> {
    let mut program = connection.prepare(&format!("EXPLAIN {sql}"))?;
    let name = |place: usize| Some((place as i64, program.parameter_name(place)?.trim_start_matches(':').to_owned()));
    let parameters = (1..=program.parameter_count()).filter_map(name).collect();
    let mut rows = program.raw_query();
    let mut ops = Vec::new();
    while let Some(row) = rows.next()? {
        let p4 = row.get::<_, Option<String>>("p4").ok().flatten().unwrap_or_default();
        ops.push(Op { code: row.get("opcode")?, p1: row.get("p1")?, p2: row.get("p2")?, p3: row.get("p3")?, p4 });
    }
    Ok((ops, parameters))
}

/// The name of the function in `sum(1)`, and how many arguments it has.
pub(super) fn function(op: &Op) -> (&str, i64) {
    let (name, rest) = op.p4.split_once('(').unwrap_or((&op.p4, "0)"));
    (name, rest.trim_end_matches(')').parse().unwrap_or(0))
}

/// Functions that count with their first argument.
pub(super) const COUNTING: [&str; 25] = [
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
pub(super) const NUMBERS: [&str; 12] = [
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
pub(super) const CHOOSING: [&str; 9] =
    ["max", "min", "nullif", "coalesce", "ifnull", "first_value", "last_value", "lag", "lead"];

pub(super) fn is_numeric_cast(op: &Op) -> bool {
    // The engine's letters for NUMERIC, INTEGER and REAL.
    (67..=69).contains(&op.p2)
}

/// Instructions that seek a key in a cursor.
pub(super) const SEARCHES: [&str; 10] =
    ["SeekLT", "SeekLE", "SeekGE", "SeekGT", "IdxLE", "IdxGT", "IdxLT", "IdxGE", "Found", "NotFound"];

/// Instructions that may go on at their second operand.
pub(super) const JUMPS: [&str; 46] = [
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
