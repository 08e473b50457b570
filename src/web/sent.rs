//! What programs send: what an address names, what stands behind its `?`, and a body of JSON. What cannot be read
//! is refused in JSON, too.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::fail::{Fail, Plain};
use super::person::Person;
use super::site::Site;

/// The header in which a page's script carries its session's key.
const KEY: &str = "x-callsheet-key";

/// What a program sent.
pub(super) struct Sent<T> {
    pub(super) person: Person,
    pub(super) said: T,
}

impl<T: DeserializeOwned> FromRequest<Arc<Site>> for Sent<T> {
    type Rejection = Plain;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Plain> {
        let person = request.extensions().get::<Person>().cloned();
        let person = person.ok_or_else(|| Plain(Fail::forbidden("enter first")))?;
        let carried = request.headers().get(KEY).and_then(|key| key.to_str().ok()).unwrap_or_default().to_owned();
        if !person.posts(site, &carried) {
            return Err(Plain(Fail::forbidden("this is not from a page of yours; nothing was done")));
        }
        let read = Json::<T>::from_request(request, site).await;
        let Json(said) = read.map_err(|rejected| Plain(Fail::new(rejected.status(), told(&rejected))))?;
        Ok(Self { person, said })
    }
}

/// Why a body is not read, in a sentence.
fn told(rejected: &JsonRejection) -> String {
    let text = rejected.body_text();
    match rejected {
        JsonRejection::MissingJsonContentType(_) => "send JSON, with Content-Type: application/json".to_owned(),
        JsonRejection::JsonDataError(_) => {
            let why = text.rsplit_once("type: ").map_or(text.as_str(), |(_, why)| why);
            let why = why.rsplit_once(" at line ").map_or(why, |(why, _)| why);
            format!("the body is JSON, but not what is expected here: {why}")
        }
        _ => text,
    }
}

/// What stands behind `?` in an address.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Site>> for Asked<T> {
    type Rejection = Plain;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Site>) -> Result<Self, Plain> {
        let read = Query::try_from_uri(&parts.uri);
        read.map(|read| Self(read.0)).map_err(|rejected| Plain(Fail::new(rejected.status(), rejected.body_text())))
    }
}

/// What an address names.
pub(super) struct Named<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Site>> for Named<T> {
    type Rejection = Plain;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Plain> {
        let read = Path::from_request_parts(parts, site).await;
        read.map(|Path(named)| Self(named))
            .map_err(|rejected| Plain(Fail::new(rejected.status(), rejected.body_text())))
    }
}
