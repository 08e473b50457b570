//! What every page is, whoever sees it: its head, its style, its scripts.

use maud::{DOCTYPE, Markup, html};

/// A page of somebody who has not entered.
pub(super) fn bare(title: &str, body: Markup) -> Markup {
    whole(title, None, &html! { main.bare id="main" tabindex="-1" { (body) } })
}

/// A page; it hears of news from `live`, if that is given.
pub(super) fn whole(title: &str, live: Option<&str>, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " \u{2013} Callsheet" }
                link rel="stylesheet" href="/assets/page.css";
                link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                script type="module" src="/assets/page.js" {}
            }
            body data-live=[live] { (body) }
        }
    }
}
