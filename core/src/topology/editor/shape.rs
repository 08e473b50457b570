//! Values whose form a JSON Schema has to spell out.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

macro_rules! shape {
    ($(#[$doc:meta])* $name:ident, $schema:tt) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize)]
        pub struct $name(pub Value);

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

shape!(/** The number 1. */ Version, { "const": 1, "description": "the version of this file's form: 1" });
shape!(/** A duration. */ Duration, {
    "type": "string",
    "pattern": "^[1-9][0-9]{0,8}(ms|s|m|h|d)$",
    "description": "a duration, such as \"100ms\", \"90s\", \"5m\", \"2h\" or \"14d\""
});
shape!(/** Dollars. */ Money, { "anyOf": [
    { "type": "number", "minimum": 0 },
    { "type": "string", "pattern": "^[0-9]{1,10}(\\.[0-9]{1,9})?$" }
], "description": "US dollars, such as 5.00" });
shape!(/** A temperature. */ Temperature, { "type": "number", "minimum": 0, "maximum": 2 });
shape!(/** A count from 1. */ Count, { "type": "integer", "minimum": 1, "maximum": 1_000_000_000_000_u64 });
shape!(/** A small count from 1. */ Small, { "type": "integer", "minimum": 1, "maximum": 1_000_000 });
shape!(/** A small count from 0. */ SmallOrNone, { "type": "integer", "minimum": 0, "maximum": 1_000_000 });
shape!(/** Restarts. */ Restarts, { "type": "integer", "minimum": 0, "maximum": 1_000 });
shape!(/** The word "unlimited". */ Unlimited, { "const": "unlimited" });
shape!(/** One outcome or more. */ Outcomes, { "type": "array", "items": { "type": "string" }, "minItems": 1 });
shape!(/** Branches of a split over a list. */ Branches, { "type": "integer", "minimum": 1, "maximum": 1_000 });
shape!(/** Branches of a split to one member. */ Times, { "type": "integer", "minimum": 2, "maximum": 1_000 });
