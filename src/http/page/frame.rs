//! What all pages have in common.

use axum::http::StatusCode;
use maud::{DOCTYPE, Markup, html};

use super::Screen;
use crate::build_info::VERSION;
use crate::http::context::Context;
use crate::http::route::escaped;

/// A whole page around its content.
pub(super) fn page(context: &Context, screen: Screen, title: &str, inner: &Markup) -> Markup {
    let root = screen.root();
    // Relative as all links: without the slash that it begins with.
    let metrics = escaped(context.site.paths.telemetry.trim_start_matches('/'));
    let current = |of: Screen| (screen == of).then_some("page");
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " - tidegate" }
                link rel="stylesheet" href={ (root) "static/style.css?v=" (VERSION) };
                link rel="icon" type="image/svg+xml" href={ (root) "static/icon.svg?v=" (VERSION) };
            }
            body {
                header {
                    strong { "tidegate" }
                    nav {
                        a href=(root) aria-current=[current(Screen::Groups)] { "Groups" }
                        a href={ (root) "status" } aria-current=[current(Screen::Status)] { "Status" }
                        a href={ (root) (metrics) } { "Metrics" }
                        a href={ (root) "api/v1/openapi.yaml" } { "API" }
                    }
                }
                main {
                    h1 { (title) }
                    (inner)
                }
            }
        }
    }
}

/// The page that says why another is not shown.
pub(super) fn failure(context: &Context, screen: Screen, status: StatusCode, text: &str) -> Markup {
    let title = status.canonical_reason().unwrap_or("Error");
    let inner = html! {
        p.failed role="alert" { (text) }
        p { a href=(screen.root()) { "All groups" } }
    };
    page(context, screen, title, &inner)
}
