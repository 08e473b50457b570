//! SQL that a model wrote: it is read, everything in it is looked at, and what is asked is written anew from what was read.
//! Each table is replaced by the columns of it that were accepted, so that nothing else is named at all; what is not known
//! to be harmless is refused by its name.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, DataType, Expr, Function, FunctionArguments, Ident, ObjectName, Query, Select, SetExpr, Statement,
    TableAlias, TableFactor, Value, ValueWithSpan, VisitMut as _, VisitorMut,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::seen::Table;
use crate::failure::{Class, Failure};
use crate::tool::part::args::{invalid, quoted};

/// Longest text.
const SQL_BYTES_MAX: usize = 16 << 10;
/// What reading and writing it takes: a chain of sums is as deep as it is long.
const STACK_BYTES: usize = 128 << 20;

/// Functions that compute from their arguments alone, and make nothing much larger than these.
const FUNCTIONS: &str = "\
    abs age array_agg array_length avg bool_and bool_or btrim cardinality ceil ceiling char_length \
    character_length coalesce concat concat_ws corr count cume_dist current_date date_bin date_part \
    date_trunc dense_rank div every exp first_value floor greatest grouping initcap lag last_value lead \
    least left length ln log lower ltrim make_date max min mod mode now nth_value ntile nullif octet_length \
    percent_rank percentile_cont percentile_disc position power rank regr_intercept regr_r2 regr_slope \
    replace reverse right round row_number rtrim sign split_part sqrt starts_with stddev stddev_pop \
    stddev_samp string_agg strpos substr substring sum to_char to_date to_number to_timestamp trim trunc \
    upper var_pop var_samp variance width_bucket";

/// Functions that stand where a table does.
const ROWS: &[&str] = &["generate_series", "unnest"];

/// Types that a value may be read as, as they are written anew.
const TYPES: &str = "\
    bigint, bool, boolean, char, character, character varying, date, decimal, double precision, float, \
    float4, float8, int, int2, int4, int8, integer, interval, json, jsonb, numeric, real, smallint, text, \
    time, timestamp, timestamp with time zone, timestamp without time zone, timestamptz, uuid, varchar";

/// The statement that is asked instead of `sql`.
///
/// # Errors
/// What is not taken: as [`Class::Policy`] if it is more than reading what was accepted.
pub(super) fn closed(sql: &str, tables: &[Table]) -> Result<String, Failure> {
    if sql.len() > SQL_BYTES_MAX {
        return Err(invalid(format!("the SQL has more than {SQL_BYTES_MAX} bytes")));
    }
    std::thread::scope(|scope| {
        let apart = std::thread::Builder::new().stack_size(STACK_BYTES);
        let reading = apart.spawn_scoped(scope, || rewritten(sql, tables));
        let reading =
            reading.map_err(|why| Failure::new(Class::Transient, format!("no thread for the query: {why}")))?;
        reading.join().unwrap_or_else(|_| Err(invalid("the SQL is not taken: it does not read as a SELECT")))
    })
}

fn rewritten(sql: &str, tables: &[Table]) -> Result<String, Failure> {
    let mut statement = one(sql)?;
    let mut named = Named::default();
    let ControlFlow::Continue(()) = statement.visit(&mut named) else { return Err(invalid("the SQL is not taken")) };
    let mut closing = Closing { tables, named: named.0, statements: 0 };
    if let ControlFlow::Break(failure) = statement.visit(&mut closing) {
        return Err(failure);
    }
    let text = statement.to_string();
    // What is written is what was looked at: a reader of the same language finds the same in it.
    match one(&text) {
        Ok(again) if again == statement => Ok(text),
        _ => Err(invalid(
            "the SQL is not taken: it cannot be written in another way without changing it; write it more plainly",
        )),
    }
}

fn one(sql: &str) -> Result<Statement, Failure> {
    let mut found = Parser::parse_sql(&PostgreSqlDialect {}, sql)
        .map_err(|why| invalid(format!("the SQL is not taken: {why}")))?
        .into_iter();
    match (found.next(), found.next()) {
        (Some(statement), None) => Ok(statement),
        (None, _) => Err(invalid("there is no statement: give one SELECT")),
        _ => Err(Failure::new(Class::Policy, "more than one statement: give one SELECT")),
    }
}

fn refuse<T>(what: impl Into<String>) -> ControlFlow<Failure, T> {
    ControlFlow::Break(Failure::new(Class::Policy, what))
}

/// The names that a statement gives to queries of its own.
#[derive(Default)]
struct Named(BTreeSet<String>);

impl VisitorMut for Named {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let named = query.with.iter().flat_map(|with| &with.cte_tables).map(|cte| folded(&cte.alias.name));
        self.0.extend(named);
        ControlFlow::Continue(())
    }
}

/// A name as the server understands it.
fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_ascii_lowercase() }
}

/// The parts of a name with dots, if they are names.
fn parts(name: &ObjectName) -> Option<Vec<String>> {
    name.0.iter().map(|part| part.as_ident().map(folded)).collect()
}

struct Closing<'t> {
    tables: &'t [Table],
    named: BTreeSet<String>,
    statements: usize,
}

impl VisitorMut for Closing<'_> {
    type Break = Failure;

    fn pre_visit_statement(&mut self, statement: &mut Statement) -> ControlFlow<Failure> {
        self.statements += 1;
        match statement {
            Statement::Query(_) if self.statements == 1 => ControlFlow::Continue(()),
            _ => refuse("only a SELECT is taken here"),
        }
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Failure> {
        let own = query.with.iter().flat_map(|with| &with.cte_tables).map(|cte| folded(&cte.alias.name));
        for name in own {
            if name.starts_with("pg_") || self.tables.iter().any(|table| table.name == name) {
                return refuse(format!(
                    "{} is the name of something else: call the query in WITH otherwise",
                    quoted(&name)
                ));
            }
        }
        if !query.locks.is_empty() {
            return refuse("rows are read and not locked here: leave FOR UPDATE and FOR SHARE out");
        }
        body(&query.body)
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Failure> {
        match (&select.into, select.optimizer_hints.is_empty()) {
            (None, true) => ControlFlow::Continue(()),
            (Some(_), _) => refuse("SELECT INTO makes a table: leave INTO out"),
            _ => refuse("hints are not taken"),
        }
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Failure> {
        match factor {
            TableFactor::Derived { sample: None, .. }
            | TableFactor::NestedJoin { .. }
            | TableFactor::UNNEST { with_offset: false, .. } => ControlFlow::Continue(()),
            TableFactor::Function { name, .. } | TableFactor::Table { name, args: Some(_), .. } => {
                match parts(name).as_deref() {
                    Some([name]) if ROWS.contains(&name.as_str()) => ControlFlow::Continue(()),
                    _ => refuse(format!("the function {} is not there", quoted(&name.to_string()))),
                }
            }
            TableFactor::Table { .. } => self.table(factor),
            _ => refuse("that is no table: name tables and queries in FROM"),
        }
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Failure> {
        expression(expr)
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Failure> {
        // Some of the functions that were let through are words of the language, and no names.
        if let Expr::Function(Function { name, .. }) = expr
            && let [part] = name.0.as_slice()
            && let Some(ident) = part.as_ident()
        {
            *name = ObjectName::from(vec![Ident::new(folded(ident))]);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<Failure> {
        let text = match &mut value.value {
            Value::Number(..) | Value::Boolean(_) | Value::Null => return ControlFlow::Continue(()),
            Value::Placeholder(mark) => match mark.strip_prefix('$').filter(|number| number.parse::<u16>().is_ok()) {
                Some(_) => return ControlFlow::Continue(()),
                None => return refuse("a parameter is written :name"),
            },
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => std::mem::take(text),
            Value::DollarQuotedString(quoted) => std::mem::take(&mut quoted.value),
            _ => return refuse("a text is written 'so' here"),
        };
        if text.contains('\0') {
            return refuse("a text has no NUL character");
        }
        // Between marks that it does not hold nothing in it means anything.
        let tag = (0..).map(|n: u32| format!("t{n}")).find(|tag| !text.contains(&format!("${tag}")));
        value.value = Value::DollarQuotedString(sqlparser::ast::DollarQuotedString { value: text, tag });
        ControlFlow::Continue(())
    }

    fn pre_visit_ident(&mut self, ident: &mut Ident) -> ControlFlow<Failure> {
        let is_plain = |c: char| !c.is_control() && !matches!(c, '"' | '\\' | '\'' | '`' | '$');
        match ident.quote_style {
            None | Some('"') if ident.value.chars().all(is_plain) && !ident.value.is_empty() => {
                // In quotes it is a name, and none of the words that mean something without being called.
                *ident = Ident::with_quote('"', folded(ident));
                ControlFlow::Continue(())
            }
            _ => refuse(format!("{} is no name that is taken here", quoted(&ident.value))),
        }
    }
}

impl Closing<'_> {
    /// The accepted columns of a table in its place; a query that the statement names itself stays.
    fn table(&self, factor: &mut TableFactor) -> ControlFlow<Failure> {
        let TableFactor::Table {
            name,
            alias,
            args: None,
            with_hints,
            version: None,
            with_ordinality: false,
            partitions,
            json_path: None,
            sample: None,
            index_directives,
            inheritance: None,
        } = factor
        else {
            return refuse("a table is named in FROM, and nothing is added to it");
        };
        if !(with_hints.is_empty() && partitions.is_empty() && index_directives.is_empty()) {
            return refuse("a table is named in FROM, and nothing is added to it");
        }
        let asked = parts(name).unwrap_or_default();
        let table = match asked.as_slice() {
            [own] if self.named.contains(own) => return ControlFlow::Continue(()),
            [table] => self.tables.iter().find(|known| known.name == *table),
            [schema, table] => self.tables.iter().find(|known| known.name == *table && known.schema == *schema),
            _ => None,
        };
        let Some(table) = table else {
            let known: Vec<String> =
                self.tables.iter().map(|table| format!("{}.{}", table.schema, table.name)).collect();
            return refuse(format!(
                "the table {} is not there; there are: {}",
                quoted(&name.to_string()),
                known.join(", ")
            ));
        };
        let names: Vec<String> = table.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
        let text = format!("SELECT {} FROM \"{}\".\"{}\"", names.join(", "), table.schema, table.name);
        let Ok(Statement::Query(subquery)) = one(&text) else {
            return refuse(format!("the table {} cannot be named", quoted(&table.name)));
        };
        let own =
            || TableAlias { explicit: true, name: Ident::with_quote('"', &table.name), columns: Vec::new(), at: None };
        let alias = Some(alias.take().unwrap_or_else(own));
        *factor = TableFactor::Derived { lateral: false, subquery, alias, sample: None };
        ControlFlow::Continue(())
    }
}

/// Refuses what is no SELECT within a query.
fn body(body: &SetExpr) -> ControlFlow<Failure> {
    match body {
        SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) => ControlFlow::Continue(()),
        SetExpr::SetOperation { left, right, .. } => {
            self::body(left)?;
            self::body(right)
        }
        SetExpr::Table(_) => refuse("write SELECT * FROM instead of TABLE"),
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
            refuse("only a SELECT is taken here")
        }
    }
}

fn expression(expr: &Expr) -> ControlFlow<Failure> {
    match expr {
        Expr::Function(function) => called(function),
        Expr::Cast { data_type, format: None, .. } => typed(data_type),
        Expr::TypedString(text) => typed(&text.data_type),
        Expr::BinaryOp { op, .. } | Expr::AnyOp { compare_op: op, .. } | Expr::AllOp { compare_op: op, .. } => match op
        {
            BinaryOperator::PGCustomBinaryOperator(_) | BinaryOperator::Custom(_) => {
                refuse(format!("the operator {op} is not taken"))
            }
            _ => ControlFlow::Continue(()),
        },
        Expr::Identifier(_)
        | Expr::CompoundIdentifier(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotUnknown(_)
        | Expr::IsDistinctFrom(..)
        | Expr::IsNotDistinctFrom(..)
        | Expr::In { .. }
        | Expr::Between { .. }
        | Expr::Like { .. }
        | Expr::ILike { .. }
        | Expr::SimilarTo { .. }
        | Expr::UnaryOp { .. }
        | Expr::AtTimeZone { .. }
        | Expr::Extract { .. }
        | Expr::Ceil { .. }
        | Expr::Floor { .. }
        | Expr::Position { .. }
        | Expr::Substring { .. }
        | Expr::Trim { .. }
        | Expr::Nested(_)
        | Expr::Value(_)
        | Expr::Case { .. }
        | Expr::Exists { .. }
        | Expr::Subquery(_)
        | Expr::GroupingSets(_)
        | Expr::Cube(_)
        | Expr::Rollup(_)
        | Expr::Tuple(_)
        | Expr::Array(_)
        | Expr::Interval(_) => ControlFlow::Continue(()),
        other => refuse(format!(
            "{} is not taken: write it with what SELECT, its operators and its functions give",
            quoted(&other.to_string())
        )),
    }
}

fn called(function: &Function) -> ControlFlow<Failure> {
    let is_plain = !function.uses_odbc_syntax && function.parameters == FunctionArguments::None;
    match parts(&function.name).as_deref() {
        Some([name]) if is_plain && FUNCTIONS.split(' ').any(|known| known == name) => ControlFlow::Continue(()),
        _ => refuse(format!(
            "the function {} is not there; there are: {}",
            quoted(&function.name.to_string()),
            FUNCTIONS
        )),
    }
}

fn typed(kind: &DataType) -> ControlFlow<Failure> {
    let text = kind.to_string().to_ascii_lowercase();
    let plain: String = text.split(['(', '[']).next().unwrap_or_default().trim().to_owned();
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest.trim());
    let whole = if rest.is_empty() || rest.starts_with('[') { plain } else { format!("{plain} {rest}") };
    if TYPES.split(", ").any(|known| known == whole) {
        return ControlFlow::Continue(());
    }
    refuse(format!("the type {} is not taken", quoted(&kind.to_string())))
}
