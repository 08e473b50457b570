//! Why a request comes to nothing, as its answer: a page for people, JSON for programs.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::html;

use super::parts::text;
use super::shell::bare;
use crate::service::error::Error;
use crate::words::error::Told;

/// Why a request comes to nothing.
#[derive(Debug)]
pub(super) struct Fail {
    status: StatusCode,
    text: String,
}

impl Fail {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    /// There is no such thing.
    pub(super) fn missing(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    /// What was sent is wrong.
    pub(super) fn input(text: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, text)
    }

    /// It is not theirs to ask.
    pub(super) fn forbidden(text: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, text)
    }

    /// So many tokens were wrong that none is looked at.
    pub(super) fn many_wrong() -> Self {
        let why = "too many tokens were wrong; wait a minute, then open the link that `callsheet serve` prints";
        Self::new(StatusCode::TOO_MANY_REQUESTS, why)
    }

    /// We failed.
    pub(super) fn broken(text: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, text)
    }

    /// As JSON.
    pub(super) fn json(self) -> Response {
        (self.status, axum::Json(serde_json::json!({ "error": self.text }))).into_response()
    }
}

impl From<Error> for Fail {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::NothingYet
            | Error::UnknownRun { .. }
            | Error::UnknownApproval(_)
            | Error::NoApproval(_)
            | Error::NoArtefact { .. }
            | Error::NoVersion { .. }
            | Error::Unknown { what: "campaign", .. } => StatusCode::NOT_FOUND,
            Error::Closed { .. } | Error::Over { .. } | Error::Refused { .. } | Error::Blocked { .. } => {
                StatusCode::CONFLICT
            }
            Error::Stranger { .. } => StatusCode::FORBIDDEN,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let Told { text, is_input, .. } = error.into();
        Self { status: if is_input { status } else { StatusCode::INTERNAL_SERVER_ERROR }, text }
    }
}

impl IntoResponse for Fail {
    fn into_response(self) -> Response {
        let page = bare(
            "That did not work",
            html! {
                h1 { "That did not work" }
                p.prose-text { (text(&self.text)) }
                p { a.button href="/" { "Home" } }
            },
        );
        (self.status, Html(page.into_string())).into_response()
    }
}

/// A failure that a program reads.
pub(super) struct Plain(pub(super) Fail);

impl From<Fail> for Plain {
    fn from(fail: Fail) -> Self {
        Self(fail)
    }
}

impl IntoResponse for Plain {
    fn into_response(self) -> Response {
        self.0.json()
    }
}
