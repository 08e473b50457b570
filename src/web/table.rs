//! The interface for programs as a table: each route is added together with what the OpenAPI document says of it,
//! and what it takes and answers is read off its handler's type. So nothing is answered that is not described, and
//! nothing described that is not answered.

use std::sync::Arc;

use axum::extract::State;
use axum::handler::Handler;
use axum::http::HeaderMap;
use axum::response::sse::Sse;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::fail::Plain;
use super::metrics::Figures;
use super::person::Person;
use super::sent::{Asked, Named, Sent};
use super::site::Site;

/// What the document says of the whole.
const ABOUT: &str = "Runs of teams of agents, and what waits in them for people. Times are in UTC, except in records, \
    which have milliseconds since 1970.";

/// What the statuses of refusals mean.
const REFUSED: &str = "It is refused: 400 or 422 what was asked is wrong, 401 nobody is known by this token, 403 \
    they may not, 404 there is no such thing, 405 that is not done here, 408 it took too long, 409 it is too late, \
    413 it is too much, 415 it is no JSON, 421 the server is not called so, 429 too many tokens were wrong.";

/// Routes of programs.
pub(super) struct Table {
    router: Router<Arc<Site>>,
    paths: Map<String, Value>,
    /// The forms of answers.
    answers: SchemaGenerator,
}

/// What the document says of a route beside what its handler's type does: a name, and a sentence.
pub(super) type Said = (&'static str, &'static str);

impl Table {
    pub(super) fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        let answers = settings.with(|settings| settings.definitions_path = "/components/schemas".into());
        Self { router: Router::new(), paths: Map::new(), answers: answers.into_generator() }
    }

    pub(super) fn get<A: 'static, H>(mut self, path: &str, said: Said, handler: H) -> Self
    where
        H: Handler<A, Arc<Site>> + Described<A>,
    {
        self.describe::<A, H>("get", path, said);
        Self { router: self.router.route(path, get(handler)), ..self }
    }

    pub(super) fn post<A: 'static, H>(mut self, path: &str, said: Said, handler: H) -> Self
    where
        H: Handler<A, Arc<Site>> + Described<A>,
    {
        self.describe::<A, H>("post", path, said);
        Self { router: self.router.route(path, post(handler)), ..self }
    }

    fn describe<A, H: Described<A>>(&mut self, method: &str, path: &str, (name, sentence): Said) {
        let named = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let parameters: Vec<Value> = named.map(in_path).collect();
        let mut operation = json!({ "operationId": name, "summary": sentence, "parameters": parameters });
        H::describe(&mut operation, &mut self.answers);
        operation["responses"]["4XX"] = json!({ "$ref": "#/components/responses/Refused" });
        operation["responses"]["5XX"] = json!({ "$ref": "#/components/responses/Failed" });
        let of_path = self.paths.entry(path).or_insert_with(|| json!({}));
        of_path[method] = operation;
    }

    /// The routes, and one more that gives the document.
    pub(super) fn finish(mut self) -> Router<Arc<Site>> {
        const DOCUMENT: &str = "/api/openapi.json";
        let own = given("application/json", "This document.", &json!({ "type": "object" }));
        let own = json!({ "operationId": "document", "summary": "What the interface is", "responses": { "200": own } });
        self.paths.insert(DOCUMENT.to_owned(), json!({ "get": own }));
        let error = self.answers.subschema_for::<Told>();
        let failure =
            |what: &str| json!({ "description": what, "content": { "application/json": { "schema": error } } });
        let refused = failure(REFUSED);
        let schemas = self.answers.take_definitions(true);
        let document = Arc::new(json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Callsheet",
                "version": env!("CARGO_PKG_VERSION"),
                "description": ABOUT,
            },
            "security": [{ "token": [] }],
            "paths": self.paths,
            "components": {
                "securitySchemes": {
                    "token": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "What stands behind # in a person's link.",
                    },
                },
                "responses": { "Refused": refused, "Failed": failure("The server failed; its log says why.") },
                "schemas": schemas,
            },
        }));
        self.router.route(DOCUMENT, get(async move || Json(Arc::clone(&document))))
    }
}

fn in_path(name: &str) -> Value {
    let (schema, what) = match name {
        "topology" => (json!({ "type": "string" }), "The name of the topology's file."),
        "trigger" => (json!({ "type": "string" }), "The name of the trigger in it."),
        "comment" => (json!({ "type": "string", "pattern": "^c[0-9]+$" }), "The comment, such as c1."),
        _ => (json!({ "type": "integer", "minimum": 0 }), "The number of the run, or of the approval."),
    };
    json!({ "name": name, "in": "path", "required": true, "schema": schema, "description": what })
}

/// An error.
#[derive(JsonSchema)]
#[schemars(rename = "Error")]
#[expect(dead_code, reason = "read by the document alone")]
struct Told {
    /// What is wrong, in a sentence.
    error: String,
}

/// A handler whose type says what it takes and answers.
pub(super) trait Described<A> {
    fn describe(operation: &mut Value, answers: &mut SchemaGenerator);
}

/// What a handler takes of a request.
pub(super) trait Taken {
    fn describe(_operation: &mut Value) {}
}

/// What a handler answers.
pub(super) trait Answered {
    /// The status of what is well.
    const STATUS: &str = "200";

    fn describe(answers: &mut SchemaGenerator) -> Value;
}

macro_rules! described {
    ($($taken:ident),*) => {
        impl<F, Answer, M, $($taken),*> Described<(M, $($taken,)*)> for F
        where
            F: Fn($($taken),*) -> Answer,
            Answer: Future<Output: Answered>,
            $($taken: Taken),*
        {
            fn describe(operation: &mut Value, answers: &mut SchemaGenerator) {
                $($taken::describe(operation);)*
                let status = <Answer::Output as Answered>::STATUS;
                operation["responses"][status] = <Answer::Output as Answered>::describe(answers);
            }
        }
    };
}

described!(T1);
described!(T1, T2);
described!(T1, T2, T3);
described!(T1, T2, T3, T4);

impl Taken for State<Arc<Site>> {}
impl Taken for Extension<Person> {}
impl Taken for HeaderMap {}
impl<T> Taken for Named<T> {}

impl<T: JsonSchema> Taken for Asked<T> {
    fn describe(operation: &mut Value) {
        let schema = inlined::<T>();
        let required =
            |name: &String| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
        let properties = schema["properties"].as_object().into_iter().flatten();
        let parameter = |(name, schema): (&String, &Value)| {
            let what = &schema["description"];
            json!({ "name": name, "in": "query", "required": required(name), "schema": schema, "description": what })
        };
        let parameters: Vec<Value> = properties.map(parameter).collect();
        operation["parameters"].as_array_mut().into_iter().for_each(|all| all.extend(parameters.iter().cloned()));
    }
}

impl<T: JsonSchema> Taken for Sent<T> {
    fn describe(operation: &mut Value) {
        let content = json!({ "application/json": { "schema": inlined::<T>() } });
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
}

/// The form of what is sent, in one piece.
fn inlined<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

pub(super) fn given(kind: &str, what: &str, schema: &Value) -> Value {
    json!({ "description": what, "content": { kind: { "schema": schema } } })
}

impl<T: JsonSchema> Answered for Result<Json<T>, Plain> {
    fn describe(answers: &mut SchemaGenerator) -> Value {
        given("application/json", "It is done, or found.", &answers.subschema_for::<T>().to_value())
    }
}

impl<S> Answered for Result<Sse<S>, Plain> {
    fn describe(_: &mut SchemaGenerator) -> Value {
        let what = "Server-sent events, each `record` with one record as the data.";
        given("text/event-stream", what, &json!({ "type": "string" }))
    }
}

impl Answered for Result<Figures, Plain> {
    fn describe(_: &mut SchemaGenerator) -> Value {
        given("text/plain", "Figures, as Prometheus reads them.", &json!({ "type": "string" }))
    }
}
