//! What an answer is like: the same for every query but for its rows, of which a named query says the columns.

use serde_json::{Map, Value, json};

/// The JSON Schema of an answer whose rows have these columns; any, if nothing is known of them.
pub(in crate::tool) fn of(columns: Option<&[String]>) -> Value {
    let cell = json!({ "type": ["string", "number", "null"] });
    let row = match columns {
        None => json!({ "type": "object", "additionalProperties": cell }),
        Some(columns) => {
            let cells: Map<String, Value> = columns.iter().map(|column| (column.clone(), cell.clone())).collect();
            json!({ "type": "object", "properties": cells, "required": columns, "additionalProperties": false })
        }
    };
    json!({
        "type": "object",
        "properties": {
            "columns": { "type": "array", "items": { "type": "string" } },
            "row_count": { "type": "integer" },
            "rows": { "type": "array", "items": row },
            "truncated": { "type": "boolean" },
            "source": {
                "type": "object",
                "properties": { "query": { "type": "string" }, "sql_digest": { "type": "string" } },
                "additionalProperties": false,
            },
        },
        "required": ["columns", "row_count", "rows", "truncated", "source"],
        "additionalProperties": false,
    })
}
