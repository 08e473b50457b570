//! A table of a file against the JSON Schema of what it is to be: each fault on its line, in the words of all files.

use serde_json::{Value, json};

use super::fault::{At, Code, Fault, Place, nearest, nearest_type};
use super::raw::Tree;

/// What is wrong with `tree`, which is to be as `schema` says.
pub fn faults(tree: &Tree, schema: &Value) -> Vec<Fault> {
    let mut look = Look { root: schema, faults: vec![] };
    look.value(tree, schema);
    look.faults
}

/// What is left of `tree` without the entries, such as one rule among `rules`, of which `faults` tell; nothing if they tell of
/// the whole.
pub fn sound(tree: &Tree, faults: &[Fault]) -> Option<Value> {
    let is_wrong = |tree: &Tree| faults.iter().any(|fault| holds(tree, &fault.place));
    if faults.iter().any(|fault| fault.place == tree.place) {
        return None;
    }
    let mut left = tree.value.clone();
    for (key, part) in &tree.parts {
        let is_own = |place: &Place| *place == key.place || *place == part.place;
        let within: Vec<&At<String>> =
            part.parts.iter().filter(|(_, inner)| is_wrong(inner)).map(|(key, _)| key).collect();
        let others = part.parts.iter().any(|(key, _)| faults.iter().any(|fault| fault.place == key.place));
        if faults.iter().any(|fault| is_own(&fault.place)) || others || (!within.is_empty() && !part.value.is_object())
        {
            left.as_object_mut()?.remove(&key.value);
        } else if let Some(table) = left.get_mut(&key.value).and_then(Value::as_object_mut) {
            within.iter().for_each(|key| drop(table.remove(&key.value)));
        }
    }
    Some(left)
}

/// Whether a value, or something in it, is at `place`.
fn holds(tree: &Tree, place: &Place) -> bool {
    tree.place == *place || tree.parts.iter().any(|(key, part)| key.place == *place || holds(part, place))
}

struct Look<'s> {
    root: &'s Value,
    faults: Vec<Fault>,
}

impl<'s> Look<'s> {
    fn value(&mut self, tree: &Tree, schema: &'s Value) {
        let schema = self.resolved(schema);
        let options = self.options(schema);
        if !options.is_empty() {
            return self.one_of(tree, &options);
        }
        if let Some(words) = words(schema) {
            return self.word(tree, &words);
        }
        if !accepts(schema, &tree.value) {
            return self.wrong(tree, &wanted(schema));
        }
        let number = |key: &str| schema.get(key).and_then(Value::as_f64);
        let outside = tree.value.as_f64().filter(|value| {
            number("minimum").is_some_and(|least| *value < least) || number("maximum").is_some_and(|most| *value > most)
        });
        let pattern = schema.get("pattern").filter(|_| tree.value.is_string());
        let misfit = |pattern: &Value| {
            jsonschema::validator_for(&json!({ "pattern": pattern })).is_ok_and(|fits| !fits.is_valid(&tree.value))
        };
        if outside.is_some() || pattern.is_some_and(misfit) {
            return self.wrong(tree, &wanted(schema));
        }
        match &tree.value {
            Value::Object(_) => self.table(tree, schema),
            Value::Array(_) => {
                if let Some(items) = schema.get("items") {
                    tree.parts.iter().for_each(|(_, part)| self.value(part, items));
                }
            }
            _ => {}
        }
    }

    fn table(&mut self, tree: &Tree, schema: &'s Value) {
        let properties = schema.get("properties").and_then(Value::as_object);
        let property = |name: &str| properties.and_then(|properties| properties.get(name));
        let known: Vec<&str> = properties.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        let rest = schema.get("additionalProperties");
        let required = schema.get("required").and_then(Value::as_array);
        let mut missing: Vec<&str> = required.into_iter().flatten().filter_map(Value::as_str).collect();
        missing.retain(|name| tree.part(name).is_none());
        for (key, part) in &tree.parts {
            match (property(&key.value), rest) {
                (Some(schema), _) => self.value(part, schema),
                (None, Some(Value::Bool(false))) => {
                    let free = || known.iter().copied().filter(|known| tree.part(known).is_none());
                    let meant = nearest(&key.value, missing.iter().copied()).or_else(|| nearest(&key.value, free()));
                    missing.retain(|name| Some(*name) != meant);
                    let what = format!("unknown key `{}`", key.value);
                    // What is written there would be a secret: it is named, and lies elsewhere.
                    let variable = format!("{}_env", key.value);
                    if meant.is_none() && free().any(|name| name == variable) {
                        missing.retain(|name| *name != variable);
                        let instead =
                            format!("write {variable} with the name of the environment variable that holds it");
                        self.faults.push(Fault::new(Code::UnknownKey, &key.place, what, instead));
                        continue;
                    }
                    let instead = format!("keys here are {}", known.join(", "));
                    let fault = Fault::new(Code::UnknownKey, &key.place, what, instead);
                    self.faults.push(fault.meant(&key.value, meant));
                }
                (None, Some(schema)) if schema.is_object() => self.value(part, schema),
                _ => {}
            }
        }
        for name in missing {
            let example = property(name).map_or_else(String::new, |schema| self.example(schema));
            let what = format!("`{name}` is missing");
            self.faults.push(Fault::new(Code::MissingKey, &tree.place, what, format!("write {name} = {example}")));
        }
    }

    /// One of several forms: the one that the value's type or tag chooses.
    fn one_of(&mut self, tree: &Tree, options: &[&'s Value]) {
        let tag = |option: &&&Value| {
            let properties = option.get("properties").and_then(Value::as_object);
            properties
                .into_iter()
                .flatten()
                .find_map(|(key, schema)| Some((key.clone(), schema.get("const")?.as_str()?.to_owned())))
        };
        let tags: Vec<(String, String)> = options.iter().filter_map(|option| tag(&option)).collect();
        if let Some((key, part)) = tree.parts.iter().find(|(key, _)| tags.iter().any(|(tag, _)| *tag == key.value)) {
            let of = |option: &&&Value| tag(option).is_some_and(|(_, word)| part.value == word);
            let Some(chosen) = options.iter().find(|option| of(option)) else {
                let words: Vec<&str> =
                    tags.iter().filter(|(tag, _)| *tag == key.value).map(|(_, word)| word.as_str()).collect();
                return self.word(part, &words);
            };
            return self.value(tree, chosen);
        }
        let choice: Option<Vec<&str>> =
            options.iter().map(|option| words(option)).collect::<Option<Vec<_>>>().map(|words| words.concat());
        if let Some(words) = choice {
            return self.word(tree, &words);
        }
        // A text may be a word of one form, or the text of another.
        let mut fitting = options.iter().filter(|option| {
            let inner = self.options(option);
            accepts(option, &tree.value)
                && (inner.is_empty() || inner.iter().any(|option| accepts(option, &tree.value)))
        });
        match fitting.next() {
            Some(option) => self.value(tree, option),
            None => {
                let all: Vec<String> = options.iter().map(|option| wanted(option)).collect();
                self.wrong(tree, &all.join(", or "));
            }
        }
    }

    fn word(&mut self, tree: &Tree, words: &[&str]) {
        let given = tree.value.as_str();
        if given.is_some_and(|given| words.contains(&given)) {
            return;
        }
        self.wrong(tree, &quoted(words));
        let told = given.and_then(|given| Some((given, self.faults.pop()?)));
        if let Some((given, fault)) = told {
            let meant = nearest_type(given, words.iter().copied());
            self.faults.push(fault.meaning(given, meant));
        }
    }

    fn wrong(&mut self, tree: &Tree, wanted: &str) {
        let found = match &tree.value {
            Value::Object(_) => "this table".to_owned(),
            Value::Array(_) => "this list".to_owned(),
            plain => plain.to_string(),
        };
        let what = format!("{found} is not {wanted}");
        self.faults.push(Fault::new(Code::WrongValue, &tree.place, what, format!("write {wanted}")));
    }

    fn resolved(&self, schema: &'s Value) -> &'s Value {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|at| at.strip_prefix('#'));
        target.and_then(|pointer| self.root.pointer(pointer)).unwrap_or(schema)
    }

    /// The forms that a value may have, without the one that it is absent.
    fn options(&self, schema: &'s Value) -> Vec<&'s Value> {
        let list = ["anyOf", "oneOf"].into_iter().find_map(|word| schema.get(word).and_then(Value::as_array));
        let options = list.into_iter().flatten().map(|option| self.resolved(option));
        options.filter(|option| option.get("type") != Some(&json!("null"))).collect()
    }

    /// What can be written there: each of its words, if it is a choice among words.
    fn example(&self, schema: &'s Value) -> String {
        let schema = self.resolved(schema);
        if let Some(words) = self.choice(schema) {
            return quoted(&words);
        }
        let example = match types(schema).first() {
            Some(&"integer" | &"number") => "1",
            Some(&"boolean") => "true",
            Some(&"array") => "[...]",
            Some(&"object") => "{ ... }",
            _ => "\"...\"",
        };
        example.to_owned()
    }

    /// The words of a schema that is a choice among words, its forms included.
    fn choice(&self, schema: &'s Value) -> Option<Vec<&'s str>> {
        let options = self.options(schema);
        match options.is_empty() {
            true => words(schema),
            false => options.iter().map(|option| words(option)).collect::<Option<Vec<_>>>().map(|words| words.concat()),
        }
    }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(" or ")
}

/// The words of a schema that is a choice among words.
fn words(schema: &Value) -> Option<Vec<&str>> {
    if let Some(word) = schema.get("const").and_then(Value::as_str) {
        return Some(vec![word]);
    }
    schema.get("enum")?.as_array()?.iter().map(Value::as_str).collect()
}

fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect(),
        _ => vec![],
    }
}

fn accepts(schema: &Value, value: &Value) -> bool {
    let types = types(schema);
    let is = |kind: &&str| match *kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    };
    types.is_empty() || types.iter().any(is)
}

/// What is to be written, in words.
fn wanted(schema: &Value) -> String {
    let examples = schema.get("examples").and_then(Value::as_array).filter(|list| !list.is_empty());
    if let Some(examples) = examples {
        let list: Vec<String> = examples.iter().map(Value::to_string).collect();
        return format!("a text such as {}", list.join(" or "));
    }
    let described = || schema.get("description").and_then(Value::as_str).map(str::to_owned);
    if schema.get("pattern").is_some() {
        return described().unwrap_or_else(|| "a text of another form".to_owned());
    }
    if let Some(words) = words(schema) {
        return quoted(&words);
    }
    let least = schema.get("minimum").and_then(Value::as_f64).map(|least| format!(" from {least}")).unwrap_or_default();
    let one = |kind: &&str| match *kind {
        "string" => "a text in quotes".to_owned(),
        "integer" => format!("a whole number{least}"),
        "number" => format!("a number{least}"),
        "boolean" => "true or false".to_owned(),
        "array" => "a list, such as [\"a\", \"b\"]".to_owned(),
        _ => "a table".to_owned(),
    };
    let all: Vec<String> = types(schema).iter().map(one).collect();
    if all.is_empty() { "another value".to_owned() } else { all.join(" or ") }
}
