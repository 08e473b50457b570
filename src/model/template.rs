//! Templates over JSON: rendered with undefined names as errors and with bounded fuel; no files, no includes, no clock.

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value as Template, ValueKind};
use minijinja::{Environment, ErrorKind, State, UndefinedBehavior, escape_formatter, filters};
use serde_json::{Number, Value};

use crate::topology::template::{ORDERED, expression_written_out, written_out};

/// What one template may spend: about a million instructions, and some 64 MB that it makes.
pub const FUEL: u64 = 1_000_000;

const UNDEFINED: &str = "undefined value";

/// Why a template has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {what}, in the template {template:?}{hint}")]
pub struct Error {
    /// The key that it stands at, such as `writes.finding.segment`.
    pub at: String,
    /// The template as written.
    pub template: String,
    /// What is wrong.
    pub what: String,
    /// Which names it uses that are not in scope; empty if none.
    pub hint: String,
}

/// The names that templates may use, with their values.
#[derive(Debug, Clone, Default)]
pub struct Scope(BTreeMap<String, minijinja::Value>);

/// A rendered value.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered<T> {
    /// The value.
    pub value: T,
    /// Whether any of it came from a name in scope.
    pub computed: bool,
}

impl Scope {
    /// Adds a name; one that is there already gets the new value.
    pub fn add(&mut self, name: &str, value: &Value) {
        self.0.insert(name.to_owned(), from_json(value));
    }

    /// Renders every string in `value`; one that is exactly one `{{ expr }}` becomes what the expression is.
    ///
    /// # Errors
    /// The first template that has no value, with its key below `at`.
    pub fn render(&self, at: &str, value: &Value) -> Result<Rendered<Value>, Error> {
        let mut computed = false;
        let value = self.value(at, value, &mut computed)?;
        Ok(Rendered { value, computed })
    }

    /// Renders `template` as text.
    ///
    /// # Errors
    /// If it does not parse, uses an undefined value or runs out of fuel.
    pub fn text(&self, at: &str, template: &str) -> Result<Rendered<String>, Error> {
        let environment = environment();
        let wrong = |error| self.wrong(at, template, &error);
        let written = written_out(template);
        let parsed = environment.template_from_str(&written).map_err(wrong)?;
        let computed = parsed.undeclared_variables(false).iter().any(|name| name != ORDERED);
        let value = parsed.render(&self.0).map_err(wrong)?;
        Ok(Rendered { value, computed })
    }

    /// Whether the expression `when` is true.
    ///
    /// # Errors
    /// If it does not parse, is undefined or runs out of fuel.
    pub fn holds(&self, at: &str, when: &str) -> Result<bool, Error> {
        let environment = environment();
        let wrong = |error| self.wrong(at, when, &error);
        let written = expression_written_out(when);
        let value = environment.compile_expression(&written).and_then(|e| e.eval(&self.0)).map_err(wrong)?;
        if value.is_undefined() { Err(self.error(at, when, UNDEFINED.to_owned())) } else { Ok(value.is_true()) }
    }

    fn value(&self, at: &str, value: &Value, computed: &mut bool) -> Result<Value, Error> {
        match value {
            Value::String(text) => self.string(at, text, computed),
            Value::Array(items) => {
                let each = items.iter().enumerate();
                each.map(|(i, item)| self.value(&format!("{at}[{i}]"), item, computed)).collect()
            }
            Value::Object(entries) => {
                let each = entries.iter();
                each.map(|(key, item)| Ok((key.clone(), self.value(&format!("{at}.{key}"), item, computed)?))).collect()
            }
            plain => Ok(plain.clone()),
        }
    }

    fn string(&self, at: &str, text: &str, computed: &mut bool) -> Result<Value, Error> {
        let environment = environment();
        let inner = text.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        // `{{ a }} and {{ b }}` has both ends too, but what is between them is no expression.
        let inner = inner.map(expression_written_out);
        let Some(expression) = inner.as_ref().and_then(|inner| environment.compile_expression(inner).ok()) else {
            let rendered = self.text(at, text)?;
            *computed |= rendered.computed;
            return Ok(Value::String(rendered.value));
        };
        *computed |= expression.undeclared_variables(false).iter().any(|name| name != ORDERED);
        let value = expression.eval(&self.0).map_err(|error| self.wrong(at, text, &error))?;
        to_json(&value).map_err(|what| self.error(at, text, what.to_owned()))
    }

    fn wrong(&self, at: &str, template: &str, error: &minijinja::Error) -> Error {
        let detail = error.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
        self.error(at, template, format!("{}{detail}", error.kind()))
    }

    fn error(&self, at: &str, template: &str, what: String) -> Error {
        let environment = environment();
        let inner = template.trim().trim_start_matches("{{").trim_end_matches("}}");
        let (template_written, inner) = (written_out(template), expression_written_out(inner));
        let used = match environment.template_from_str(&template_written).map(|t| t.undeclared_variables(false)) {
            Ok(used) if !used.is_empty() => used,
            _ => environment.compile_expression(&inner).map(|e| e.undeclared_variables(false)).unwrap_or_default(),
        };
        let known = |name: &String| self.0.contains_key(name) || environment.globals().any(|(g, _)| g == name);
        let mut unknown: Vec<String> = used.into_iter().filter(|name| !known(name)).collect();
        unknown.sort();
        let names: Vec<&str> = self.0.keys().map(String::as_str).collect();
        let hint = match unknown.is_empty() {
            true => String::new(),
            false => format!("; not in scope: {}; in scope: {}", unknown.join(", "), names.join(", ")),
        };
        Error { at: at.to_owned(), template: template.to_owned(), what, hint }
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
        environment.set_syntax(syntax);
    }
    environment.set_formatter(|out, state, value| match whole(value) {
        Some(whole) => Ok(write!(out, "{whole}")?),
        None => escape_formatter(out, state, value),
    });
    environment.add_function(ORDERED, ordered);
    let tests = [
        ("<", ["<", "lt", "lessthan"].as_slice()),
        ("<=", &["<=", "le"]),
        (">", &[">", "gt", "greaterthan"]),
        (">=", &[">=", "ge"]),
    ];
    for (sign, names) in tests {
        for name in names {
            environment.add_test(*name, move |left: &Template, right: &Template| ordered(left, sign, right));
        }
    }
    environment.add_filter("sort", |state: &State<'_, '_>, list: Template, args: Kwargs| {
        one_order(&list, &args)?;
        filters::sort(state, list, args)
    });
    environment.add_filter("min", |state: &State<'_, '_>, list: Template, args: Kwargs| {
        one_order(&list, &args)?;
        filters::min(state, list, args)
    });
    environment.add_filter("max", |state: &State<'_, '_>, list: Template, args: Kwargs| {
        one_order(&list, &args)?;
        filters::max(state, list, args)
    });
    environment
}

/// The whole number that a fraction is: sums of a database come as 2980.0, and nobody writes them so.
fn whole(value: &Template) -> Option<i64> {
    /// Up to here every whole number is a floating one.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let real = f64::try_from(value.clone()).ok().filter(|_| value.is_number() && !value.is_integer())?;
    (real.fract() == 0.0 && real.abs() < EXACT_MAX).then_some(real as i64)
}

/// Whether two values are in an order. What has none is no order that somebody meant: it is an error, where it stands.
fn ordered(left: &Template, sign: &str, right: &Template) -> Result<bool, minijinja::Error> {
    if family(left) != family(right) || family(left).is_none() {
        let what = format!("{sign} compares {} with {}, and neither is less", kind(left), kind(right));
        return Err(minijinja::Error::new(ErrorKind::InvalidOperation, what));
    }
    Ok(match sign {
        "<" => left < right,
        "<=" => left <= right,
        ">" => left > right,
        _ => left >= right,
    })
}

/// Values of one family are in an order.
fn family(value: &Template) -> Option<u8> {
    match value.kind() {
        ValueKind::Number | ValueKind::Bool => Some(0),
        ValueKind::String => Some(1),
        ValueKind::Seq => Some(2),
        _ => None,
    }
}

/// What a value is called in an error.
fn kind(value: &Template) -> &'static str {
    match value.kind() {
        ValueKind::None => "null",
        ValueKind::Undefined => "nothing",
        ValueKind::Bool => "true or false",
        ValueKind::Number => "a number",
        ValueKind::String => "a text",
        ValueKind::Seq | ValueKind::Iterable => "a list",
        ValueKind::Map => "an object",
        _ => "something without an order",
    }
}

/// Whether all of a list is in one order, by the attribute that its filter goes by.
fn one_order(list: &Template, args: &Kwargs) -> Result<(), minijinja::Error> {
    let attribute = args.peek::<Option<String>>("attribute").ok().flatten();
    let Ok(items) = list.try_iter() else { return Ok(()) };
    let key = |item: Template| match &attribute {
        Some(path) => path.split('.').try_fold(item, |item, key| item.get_attr(key)),
        None => Ok(item),
    };
    let mut keys = items.filter_map(|item| key(item).ok()).filter(|key| !key.is_undefined());
    let Some(first) = keys.next() else { return Ok(()) };
    keys.try_for_each(|key| ordered(&first, "<", &key).map(drop))
}

fn from_json(value: &Value) -> minijinja::Value {
    match value {
        Value::Null => minijinja::Value::from(()),
        Value::Bool(flag) => minijinja::Value::from(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => minijinja::Value::from(whole),
            (None, Some(whole)) => minijinja::Value::from(whole),
            (None, None) => minijinja::Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => minijinja::Value::from(text.as_str()),
        Value::Array(items) => minijinja::Value::from(items.iter().map(from_json).collect::<Vec<_>>()),
        Value::Object(entries) => {
            minijinja::Value::from_pairs(entries.iter().map(|(key, item)| (key.as_str(), from_json(item))))
        }
    }
}

/// What an expression came to, as JSON: whole numbers stay whole. The error says what has no JSON.
fn to_json(value: &minijinja::Value) -> Result<Value, &'static str> {
    match value.kind() {
        ValueKind::Undefined => Err(UNDEFINED),
        ValueKind::None => Ok(Value::Null),
        ValueKind::Bool => Ok(Value::Bool(value.is_true())),
        ValueKind::Number => number(value).map(Value::Number).ok_or("a number that JSON cannot hold"),
        ValueKind::String => Ok(Value::String(value.to_string())),
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter().map_err(|_| "a list that cannot be read")?.map(|item| to_json(&item)).collect()
        }
        ValueKind::Map => {
            let keys = value.try_iter().map_err(|_| "a map that cannot be read")?;
            let entry = |key: minijinja::Value| {
                let item = value.get_item(&key).map_err(|_| UNDEFINED)?;
                Ok((key.to_string(), to_json(&item)?))
            };
            keys.map(entry).collect()
        }
        _ => Err("a value that JSON cannot hold"),
    }
}

fn number(value: &minijinja::Value) -> Option<Number> {
    if !value.is_integer() {
        return f64::try_from(value.clone()).ok().and_then(Number::from_f64);
    }
    let signed = i64::try_from(value.clone()).ok().map(Number::from);
    signed.or_else(|| u64::try_from(value.clone()).ok().map(Number::from))
}
