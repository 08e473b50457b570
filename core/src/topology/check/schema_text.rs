//! Rule: a schema file is a JSON Schema, and says what its words say: types, references, patterns, names of fields. Each
//! fault is told on its line.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::draft::Draft;
use super::json::Places;
use crate::topology::fault::{Code, Fault, Place, nearest, nearest_type};
use crate::topology::order::ORDER;
use crate::topology::pointer::below;

/// The types of JSON.
const TYPES: [&str; 7] = ["string", "integer", "number", "boolean", "array", "object", "null"];

/// What the value of a keyword is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Takes {
    Schema,
    Schemas,
    Named,
    Type,
    Names,
    Values,
    Count,
    Number,
    Flag,
    Text,
    Pattern,
    Reference,
    Any,
}

/// Keywords, and what each takes.
const KEYWORDS: [(&str, Takes); 53] = [
    ("type", Takes::Type),
    ("properties", Takes::Named),
    ("patternProperties", Takes::Named),
    ("definitions", Takes::Named),
    ("$defs", Takes::Named),
    ("dependentSchemas", Takes::Named),
    ("items", Takes::Schema),
    ("additionalItems", Takes::Schema),
    ("additionalProperties", Takes::Schema),
    ("unevaluatedItems", Takes::Schema),
    ("unevaluatedProperties", Takes::Schema),
    ("contains", Takes::Schema),
    ("propertyNames", Takes::Schema),
    ("not", Takes::Schema),
    ("if", Takes::Schema),
    ("then", Takes::Schema),
    ("else", Takes::Schema),
    ("allOf", Takes::Schemas),
    ("anyOf", Takes::Schemas),
    ("oneOf", Takes::Schemas),
    ("prefixItems", Takes::Schemas),
    ("required", Takes::Names),
    ("enum", Takes::Values),
    ("const", Takes::Any),
    ("default", Takes::Any),
    ("examples", Takes::Any),
    ("dependencies", Takes::Any),
    ("dependentRequired", Takes::Any),
    ("minLength", Takes::Count),
    ("maxLength", Takes::Count),
    ("minItems", Takes::Count),
    ("maxItems", Takes::Count),
    ("minProperties", Takes::Count),
    ("maxProperties", Takes::Count),
    ("minContains", Takes::Count),
    ("maxContains", Takes::Count),
    ("minimum", Takes::Number),
    ("maximum", Takes::Number),
    ("exclusiveMinimum", Takes::Number),
    ("exclusiveMaximum", Takes::Number),
    ("multipleOf", Takes::Number),
    ("uniqueItems", Takes::Flag),
    ("readOnly", Takes::Flag),
    ("writeOnly", Takes::Flag),
    ("deprecated", Takes::Flag),
    ("title", Takes::Text),
    ("description", Takes::Text),
    ("format", Takes::Text),
    ("$schema", Takes::Text),
    ("$id", Takes::Text),
    ("$comment", Takes::Text),
    ("pattern", Takes::Pattern),
    ("$ref", Takes::Reference),
];

/// Limits of which the first may not be above the second.
const PAIRS: [(&str, &str); 5] = [
    ("minimum", "maximum"),
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
    ("minContains", "maxContains"),
];

/// Whether a schema has no fault; what is wrong is told.
pub(super) fn check(draft: &mut Draft<'_>, file: &Arc<str>, text: &str, schema: &Value) -> bool {
    let before = draft.faults.len();
    let places = Places::of(text);
    let mut look = Look { draft, file, places: &places, root: schema };
    for (name, span) in &places.twice {
        look.tell(span.clone(), format!("{name} is written twice, and only the last counts"), "keep one of them");
    }
    look.schema(schema, "");
    if draft.faults.len() > before {
        return false;
    }
    let Err(error) = jsonschema::validator_for(schema) else { return true };
    let why: String = error.to_string().chars().take(300).collect();
    let place = Place { file: file.clone(), span: places.value_at(error.instance_path().as_str()) };
    let what = format!("{file} is no JSON Schema: {why}");
    draft.fault(Code::BadSchema, &place, what, "see json-schema.org; references lead within the file only");
    false
}

struct Look<'l, 'd> {
    draft: &'l mut Draft<'d>,
    file: &'l Arc<str>,
    places: &'l Places,
    root: &'l Value,
}

impl Look<'_, '_> {
    fn place(&self, span: std::ops::Range<usize>) -> Place {
        Place { file: self.file.clone(), span }
    }

    fn tell(&mut self, span: std::ops::Range<usize>, what: impl Into<String>, instead: impl Into<String>) {
        let place = self.place(span);
        self.draft.fault(Code::BadSchema, &place, what, instead);
    }

    /// Tells of a word that is not among `known`.
    fn meant(&mut self, pointer: &str, is_key: bool, what: String, instead: String, word: (&str, Option<&str>)) {
        let span = if is_key { self.places.key_at(pointer) } else { self.places.value_at(pointer) };
        let mut fault = Fault::new(Code::BadSchema, &self.place(span), what, instead);
        let (given, meant) = word;
        fault.given = meant.map(|_| given.to_owned());
        fault.did_you_mean = meant.map(str::to_owned);
        self.draft.faults.push(fault);
    }

    fn wrong(&mut self, pointer: &str, wanted: &str) {
        let keyword = pointer.rsplit('/').next().unwrap_or_default();
        let what = format!("`{keyword}` takes {wanted}");
        self.tell(self.places.value_at(pointer), what, format!("write {wanted}"));
    }

    fn schema(&mut self, value: &Value, pointer: &str) {
        let object = match value {
            Value::Bool(_) => return,
            Value::Object(object) => object,
            Value::String(word) if type_of(word).is_some() => {
                let place = self.place(self.places.value_at(pointer));
                let right = json!({ "type": type_of(word) }).to_string();
                let fault = Fault::new(Code::BadSchema, &place, "a schema is an object", format!("write {right}"));
                self.draft.faults.push(fault.with_edit(place, right));
                return;
            }
            _ => {
                let span = self.places.value_at(pointer);
                return self.tell(span, "a schema is an object", "write { \"type\": \"string\" } or the like");
            }
        };
        for (key, value) in object.iter().filter(|(key, _)| *key != ORDER) {
            let below = below(pointer, key);
            match KEYWORDS.iter().find(|(keyword, _)| keyword == key) {
                Some((_, takes)) => self.keyword(*takes, value, &below),
                None => self.unknown(key, &below, object),
            }
        }
        self.required(object, pointer);
        for (least, most) in PAIRS {
            let number = |key: &str| object.get(key).and_then(Value::as_f64);
            if let (Some(low), Some(high)) = (number(least), number(most))
                && low > high
            {
                let span = self.places.value_at(&format!("{pointer}/{least}"));
                self.tell(span, format!("`{least}` is above `{most}`: nothing fits"), format!("write {high} or less"));
            }
        }
    }

    fn unknown(&mut self, key: &str, pointer: &str, object: &Map<String, Value>) {
        let free = KEYWORDS.iter().map(|(keyword, _)| *keyword).filter(|keyword| !object.contains_key(*keyword));
        // A word of nobody's is ignored by all; one that is nearly a keyword was meant to be it.
        let meant = free.clone().find(|keyword| keyword.eq_ignore_ascii_case(key)).or_else(|| nearest(key, free));
        if meant.is_some() {
            let instead =
                "keywords are those of JSON Schema, such as type, properties, required, items, enum".to_owned();
            self.meant(pointer, true, format!("no keyword is named `{key}`"), instead, (key, meant));
        }
    }

    fn keyword(&mut self, takes: Takes, value: &Value, pointer: &str) {
        match (takes, value) {
            (Takes::Schema, Value::Array(list)) if pointer.ends_with("/items") => {
                list.iter().enumerate().for_each(|(nth, value)| self.schema(value, &format!("{pointer}/{nth}")));
            }
            (Takes::Schema, value) => self.schema(value, pointer),
            (Takes::Schemas, Value::Array(list)) if !list.is_empty() => {
                list.iter().enumerate().for_each(|(nth, value)| self.schema(value, &format!("{pointer}/{nth}")));
            }
            (Takes::Schemas, _) => self.wrong(pointer, "a list of schemas"),
            (Takes::Named, Value::Object(named)) => {
                for (name, value) in named.iter().filter(|(name, _)| *name != ORDER) {
                    self.schema(value, &below(pointer, name));
                }
            }
            (Takes::Named, _) => self.wrong(pointer, "an object of schemas by name"),
            (Takes::Type, Value::Array(list)) if !list.is_empty() => {
                list.iter().enumerate().for_each(|(nth, value)| self.a_type(value, &format!("{pointer}/{nth}")));
            }
            (Takes::Type, value) => self.a_type(value, pointer),
            (Takes::Names, Value::Array(list)) if list.iter().all(Value::is_string) => {}
            (Takes::Names, _) => self.wrong(pointer, "a list of names, such as [\"week\"]"),
            (Takes::Values, Value::Array(list)) if !list.is_empty() => {}
            (Takes::Values, _) => self.wrong(pointer, "a list of one value or more"),
            (Takes::Count, value) if !value.is_u64() => self.wrong(pointer, "a whole number from 0"),
            (Takes::Number, value) if !value.is_number() => self.wrong(pointer, "a number"),
            (Takes::Flag, value) if !value.is_boolean() => self.wrong(pointer, "true or false"),
            (Takes::Text | Takes::Pattern | Takes::Reference, value) if !value.is_string() => {
                self.wrong(pointer, "a text");
            }
            (Takes::Pattern, pattern) if jsonschema::validator_for(&json!({ "pattern": pattern })).is_err() => {
                let instead = "close each ( and [, and write a plain one as \\(";
                self.tell(self.places.value_at(pointer), "this is no regular expression", instead);
            }
            (Takes::Reference, Value::String(to)) => self.reference(to, pointer),
            _ => {}
        }
    }

    fn a_type(&mut self, value: &Value, pointer: &str) {
        let Some(word) = value.as_str() else { return self.wrong(pointer, "a type, such as \"string\"") };
        if !TYPES.contains(&word) {
            let instead = format!("types are {}", TYPES.join(", "));
            self.meant(pointer, false, format!("no type is named `{word}`"), instead, (word, type_of(word)));
        }
    }

    fn reference(&mut self, to: &str, pointer: &str) {
        let Some(target) = to.strip_prefix('#') else {
            let instead = "references lead within the file: write \"#/definitions/NAME\"";
            return self.tell(self.places.value_at(pointer), format!("`{to}` leads out of the file"), instead);
        };
        if self.root.pointer(target).is_some() || !target.starts_with('/') && !target.is_empty() {
            return;
        }
        let there: Vec<String> = ["definitions", "$defs"]
            .into_iter()
            .flat_map(|key| {
                self.root.get(key).and_then(Value::as_object).into_iter().flatten().map(move |(n, _)| (key, n))
            })
            .filter(|(_, name)| *name != ORDER)
            .map(|(key, name)| format!("#/{key}/{name}"))
            .collect();
        let name = to.rsplit('/').next().unwrap_or_default();
        let same = there.iter().find(|path| path.rsplit('/').next() == Some(name)).cloned();
        let meant = same.or_else(|| nearest(to, there.iter().map(String::as_str)).map(str::to_owned));
        let instead = if there.is_empty() {
            "the file has no definitions".into()
        } else {
            format!("there are: {}", there.join(", "))
        };
        self.meant(pointer, false, format!("`{to}` leads nowhere"), instead, (to, meant.as_deref()));
    }

    /// Names that are required and that no field can have.
    fn required(&mut self, object: &Map<String, Value>, pointer: &str) {
        let names = object.get("required").and_then(Value::as_array);
        let Some(properties) = object.get("properties").and_then(Value::as_object) else { return };
        let is_closed =
            object.get("additionalProperties") == Some(&json!(false)) && !object.contains_key("patternProperties");
        let names: Vec<&str> = names.into_iter().flatten().filter_map(Value::as_str).collect();
        for (nth, name) in names.iter().enumerate().filter(|(_, name)| !properties.contains_key(**name)) {
            let free = properties.keys().map(String::as_str).filter(|known| !names.contains(known) && *known != ORDER);
            let meant = nearest(name, free);
            if is_closed || meant.is_some() {
                let known: Vec<&str> = properties.keys().map(String::as_str).filter(|known| *known != ORDER).collect();
                let instead = format!("`properties` has {}", known.join(", "));
                let what = format!("`{name}` is required, and no field has this name");
                self.meant(&format!("{pointer}/required/{nth}"), false, what, instead, (name, meant));
            }
        }
    }
}

/// The type of this name, or that was probably meant.
fn type_of(word: &str) -> Option<&'static str> {
    nearest_type(word, TYPES)
}

/// What JSON's own reader says, in words of ours, and where the line to change is; with what is right, if that is known.
pub(super) fn syntax(file: &Arc<str>, text: &str, said: &str, at: usize) -> Fault {
    let bytes = text.as_bytes();
    let before = || (0..at.min(bytes.len())).rev().find(|at| !bytes[*at].is_ascii_whitespace());
    let place = |span| Place { file: file.clone(), span };
    let fault = |span, what: &str, instead: &str| {
        Fault::new(Code::Syntax, &place(span), format!("{file} is not JSON: {what}"), instead)
    };
    let here = at..at + 1;
    if said.starts_with("trailing comma") {
        let comma = before().filter(|at| bytes[*at] == b',').unwrap_or(at);
        return fault(comma..comma + 1, "there is a comma too many", "take it out")
            .with_edit(place(comma..comma + 1), "");
    }
    if said.contains("expected `,`") {
        let end = before().map_or(at, |at| at + 1);
        return fault(here, "a comma is missing before this", "put a comma before it").with_edit(place(end..end), ",");
    }
    let words = [
        ("expected `:`", "a colon is missing after a key", "write \"KEY\": VALUE"),
        ("key must be a string", "a key stands without double quotes", "write \"KEY\": VALUE"),
        ("EOF", "the text ends before its last } or ]", "close what is open"),
        ("trailing characters", "something follows the last }", "take it out"),
        ("control character", "a text is not closed on its line", "close it with a double quote"),
        ("escape", "a text has a \\ that means nothing", "write \\ as \\\\"),
        ("number", "this is no number", "write a number, or put a text in double quotes"),
    ];
    let known = words.iter().find(|(word, _, _)| said.contains(word));
    let (what, instead) = known.map_or(
        ("this is no value", "write a text in double quotes, a number, true, false, null, [ ] or { }"),
        |(_, what, instead)| (*what, *instead),
    );
    fault(here, what, instead)
}
