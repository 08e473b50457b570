//! Requests that fire triggers: `POST /hooks/TOPOLOGY/NAME`. They carry no token of a person; what they carry is signed.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::fail::{Fail, Plain};
use super::guesses::Peer;
use super::sent::Named;
use super::site::Site;
use super::table::{Answered, Taken, given};
use crate::id::RunNo;
use crate::service::trigger::fire::Fate;
use crate::service::trigger::hook::{BODY_BYTES_MAX, Delivery, Refused};

/// What the headers of a request are called.
const HEADERS: [(&str, &str); 3] = [
    ("x-callsheet-timestamp", "When it was signed, in seconds since 1970; five minutes off at most."),
    ("x-callsheet-delivery", "What tells it from others: the same again starts nothing again."),
    (
        "x-callsheet-signature",
        "sha256= and the HMAC-SHA256 in hexadecimal digits, with the trigger's key, over time, a dot, delivery, a dot and body.",
    ),
];

/// A request as it came.
pub(super) struct Signed {
    peer: Peer,
    delivery: Delivery,
}

impl FromRequest<Arc<Site>> for Signed {
    type Rejection = Plain;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Plain> {
        let peer = request.extensions().get::<Peer>().copied();
        let peer = peer.ok_or_else(|| Fail::broken("nobody knows where this request comes from"))?;
        let [at, id, signature] = HEADERS.map(|(name, _)| {
            let value = request.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        });
        let long = || Fail::new(StatusCode::PAYLOAD_TOO_LARGE, Refused::Long.to_string());
        let body = Bytes::from_request(request, site).await.map_err(|_| long())?;
        if body.len() > BODY_BYTES_MAX {
            return Err(long().into());
        }
        Ok(Self { peer, delivery: Delivery { id, at, signature, body: body.into() } })
    }
}

impl Taken for Signed {
    fn describe(operation: &mut Value) {
        // No token is asked for.
        operation["security"] = json!([]);
        let header = |(name, what): (&str, &str)| json!({ "name": name, "in": "header", "required": true, "schema": { "type": "string" }, "description": what });
        operation["parameters"].as_array_mut().into_iter().for_each(|all| all.extend(HEADERS.map(header)));
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": {} } } });
    }
}

/// What a firing came to.
#[derive(Serialize, JsonSchema)]
pub(super) struct Fired {
    /// The run that it started.
    run: Option<RunNo>,
    /// Why it started none.
    skipped: Option<String>,
}

/// That it was heard.
pub(super) type Accepted = Result<(StatusCode, Json<Fired>), Plain>;

impl Answered for Accepted {
    const STATUS: &str = "202";

    fn describe(answers: &mut schemars::SchemaGenerator) -> Value {
        given("application/json", "It was heard.", &answers.subschema_for::<Fired>().to_value())
    }
}

pub(super) async fn fire(
    State(site): State<Arc<Site>>,
    Named((topology, name)): Named<(String, String)>,
    signed: Signed,
) -> Accepted {
    let Signed { peer, delivery } = signed;
    // Whoever was right from there before goes on, whoever else guesses there.
    let (trigger, signature) = (format!("{topology}/{name}"), delivery.signature.clone());
    let too_many = || Fail::new(StatusCode::TOO_MANY_REQUESTS, "too many signatures were wrong; wait a minute");
    if site.guesses.is_closed(peer, &trigger) {
        return Err(too_many().into());
    }
    let came = site.triggers.deliver(&topology, &name, delivery).await;
    let looked = match came {
        Err(Refused::Unsigned) => site.guesses.look(peer, &signature, None),
        _ => site.guesses.look(peer, &trigger, Some(())),
    };
    looked.map_err(|_| too_many())?;
    let accepted = |run, skipped| Ok((StatusCode::ACCEPTED, Json(Fired { run, skipped })));
    match came {
        Ok(Fate::Started(run)) => accepted(Some(run), None),
        Ok(Fate::Skipped(why)) => accepted(None, Some(why)),
        Ok(Fate::Waits(run)) => {
            let why = format!("run {run} of this trigger is not over; send it again later");
            Err(Fail::new(StatusCode::TOO_MANY_REQUESTS, why).into())
        }
        Ok(Fate::Unfit(why)) | Err(Refused::Body(why)) => Err(Fail::new(StatusCode::BAD_REQUEST, why).into()),
        Ok(Fate::Failed(_)) => {
            let why =
                "the run cannot start; callsheet triggers says why, on the machine of the server. Send it again later";
            Err(Fail::new(StatusCode::SERVICE_UNAVAILABLE, why).into())
        }
        Err(refused @ (Refused::Unsigned | Refused::Old)) => {
            Err(Fail::new(StatusCode::UNAUTHORIZED, refused.to_string()).into())
        }
        Err(Refused::Long) => Err(Fail::new(StatusCode::PAYLOAD_TOO_LARGE, Refused::Long.to_string()).into()),
        Err(Refused::Failed(error)) => Err(Fail::from(error).into()),
    }
}
