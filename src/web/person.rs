//! Whoever sent a request, and the forms that they fill in.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Form, FromRequest, Request};
use maud::{Markup, html};

use super::fail::Fail;
use super::site::Site;
use crate::id::Digest;
use crate::run::event::Who;

/// Whoever entered.
#[derive(Clone)]
pub(super) struct Person {
    pub(super) who: Who,
    /// What their forms carry; empty for a program, which carries its token in each request.
    pub(super) form: String,
    pub(super) session: Option<String>,
}

impl Person {
    /// What each form of theirs has in it.
    pub(super) fn key(&self) -> Markup {
        html! { input type="hidden" name="key" value=(self.form); }
    }

    /// Whether a form of theirs may carry this.
    pub(super) fn posts(&self, site: &Site, carried: &str) -> bool {
        self.session.as_ref().is_none_or(|session| site.keys.is_form(session, carried))
    }
}

/// A form that somebody filled in on a page of ours.
pub(super) struct Filled {
    pub(super) person: Person,
    pub(super) fields: BTreeMap<String, String>,
}

impl FromRequest<Arc<Site>> for Filled {
    type Rejection = Fail;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Fail> {
        let person = request.extensions().get::<Person>().cloned();
        let person = person.ok_or_else(|| Fail::forbidden("enter first"))?;
        let form = Form::<BTreeMap<String, String>>::from_request(request, site).await;
        let Form(fields) = form.map_err(|rejected| Fail::new(rejected.status(), rejected.body_text()))?;
        let carried = fields.get("key").map_or("", String::as_str);
        if !person.posts(site, carried) {
            return Err(Fail::forbidden(
                "this form is not from a page of yours; nothing was done. Load the page again",
            ));
        }
        Ok(Self { person, fields })
    }
}

impl Filled {
    /// A field, without the blanks around it; empty if it is not there.
    pub(super) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", |value| value.trim())
    }

    /// The digest that the page showed.
    pub(super) fn binds(&self) -> Result<Digest, Fail> {
        self.field("binds").parse().map_err(|_| Fail::input("the form does not say what it binds; load the page again"))
    }
}
