//! A small browser: loads a page, checks that it is sound, follows links, sends forms.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use scraper::{ElementRef, Html, Selector};
use tidegate::http::Doors;

use crate::harness::{Gateway, Options};
use crate::support::http::Response;

/// Elements that the pages have. None of them runs anything or loads from elsewhere.
const ELEMENTS: [&str; 36] = [
    "html", "head", "meta", "title", "link", "body", "header", "strong", "nav", "a", "main", "h1",
    "h2", "h3", "p", "form", "label", "input", "button", "article", "span", "time", "details",
    "summary", "table", "thead", "tbody", "tr", "th", "td", "code", "section", "dl", "dt", "dd",
    "ul",
];

/// Attributes that the pages have.
const ATTRIBUTES: [&str; 24] = [
    "lang",
    "charset",
    "name",
    "content",
    "rel",
    "type",
    "href",
    "class",
    "role",
    "method",
    "action",
    "for",
    "id",
    "value",
    "spellcheck",
    "autocapitalize",
    "placeholder",
    "datetime",
    "open",
    "scope",
    "colspan",
    "aria-current",
    "aria-label",
    "src",
];

/// One loaded page.
pub(crate) struct Page {
    /// Its path and query.
    pub(crate) at: String,
    pub(crate) html: Html,
    pub(crate) bytes: usize,
}

/// A gateway with the admin API.
pub(crate) fn admin() -> Gateway {
    let doors = Doors {
        admin: true,
        ..Doors::default()
    };
    Gateway::with(Options {
        doors,
        ..Options::default()
    })
}

/// Loads a page that must be there.
#[track_caller]
pub(crate) fn load(gateway: &Gateway, at: &str) -> Page {
    loads_as(gateway, at, 200)
}

/// Loads a page that must have this status.
#[track_caller]
pub(crate) fn loads_as(gateway: &Gateway, at: &str, status: u16) -> Page {
    let answer = gateway.get(at, &[]);
    assert_eq!(answer.status, status, "{at}: {}", answer.text());
    parse(&answer, at)
}

/// Parses an answer and checks that it is sound.
#[track_caller]
pub(crate) fn parse(answer: &Response, at: &str) -> Page {
    has_headers(answer, at);
    let text = String::from_utf8(answer.body.clone()).expect("a page in UTF-8");
    let html = Html::parse_document(&text);
    assert!(html.errors.is_empty(), "{at}: {:?}\n{text}", html.errors);
    for element in html.root_element().descendent_elements() {
        is_harmless(element, at);
    }
    Page {
        at: at.to_owned(),
        html,
        bytes: answer.body.len(),
    }
}

#[track_caller]
fn has_headers(answer: &Response, at: &str) {
    for (name, value) in [
        ("Content-Type", "text/html; charset=utf-8"),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-store"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{at}");
    }
    let policy = answer.header("Content-Security-Policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
}

/// Nothing that runs, and every address relative: of this origin, whatever a proxy puts in front.
#[track_caller]
fn is_harmless(element: ElementRef<'_>, at: &str) {
    let name = element.value().name();
    assert!(ELEMENTS.contains(&name), "{at}: <{name}>");
    for (attribute, value) in element.value().attrs() {
        assert!(
            ATTRIBUTES.contains(&attribute),
            "{at}: <{name} {attribute}={value:?}>"
        );
        if matches!(attribute, "href" | "src" | "action") {
            let path = value.split('?').next().unwrap_or_default();
            assert!(
                !path.starts_with('/') && !path.contains([':', '\\']) && !path.contains("//"),
                "{at}: <{name} {attribute}={value:?}>"
            );
        }
    }
}

impl Page {
    /// All that a selector finds.
    pub(crate) fn all(&self, selector: &str) -> Vec<ElementRef<'_>> {
        let selector = Selector::parse(selector).expect("a CSS selector");
        self.html.select(&selector).collect()
    }

    /// The texts of all that a selector finds, white space folded.
    pub(crate) fn texts(&self, selector: &str) -> Vec<String> {
        self.all(selector).into_iter().map(text_of).collect()
    }

    /// The text of the page's main part.
    pub(crate) fn text(&self) -> String {
        self.texts("main").concat()
    }

    /// The addresses of links that a selector finds, as a browser resolves them.
    pub(crate) fn links(&self, selector: &str) -> Vec<String> {
        let links = self.all(selector);
        let href = |link: ElementRef<'_>| link.attr("href").expect("a link").to_owned();
        links
            .into_iter()
            .map(|link| resolve(&self.at, &href(link)))
            .collect()
    }

    /// The address of the only link that a selector finds.
    #[track_caller]
    pub(crate) fn link(&self, selector: &str) -> String {
        let mut links = self.links(selector);
        assert_eq!(links.len(), 1, "{selector} on {}: {links:?}", self.at);
        links.remove(0)
    }

    /// The address and the encoded fields of the page's POST form.
    #[track_caller]
    pub(crate) fn form(&self) -> (String, String) {
        let form = self.all("form[method=post]");
        assert_eq!(form.len(), 1, "{}", self.text());
        let action = resolve(&self.at, form[0].attr("action").expect("an action"));
        let fields = self.all("form[method=post] input");
        let field = |input: &ElementRef<'_>| {
            let part = |name| escaped(input.attr(name).unwrap_or_default());
            format!("{}={}", part("name"), part("value"))
        };
        let fields: Vec<String> = fields.iter().map(field).collect();
        (action, fields.join("&"))
    }
}

/// Follows the links to next pages from `at` to the end; all pages.
#[track_caller]
pub(crate) fn walk(gateway: &Gateway, at: &str) -> Vec<Page> {
    let mut pages = vec![load(gateway, at)];
    while let Some(next) = pages
        .last()
        .and_then(|page| page.links("a[rel=next]").pop())
    {
        assert!(pages.iter().all(|page| page.at != next), "a circle: {next}");
        pages.push(load(gateway, &next));
    }
    pages
}

/// Sends a form as a browser does.
pub(crate) fn submit(gateway: &Gateway, form: &(String, String)) -> Response {
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    gateway.send("POST", &form.0, &[kind], &form.1)
}

/// The text of an element, white space folded.
pub(crate) fn text_of(element: ElementRef<'_>) -> String {
    let text: String = element.text().collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text in a query string or a form.
pub(crate) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A relative address seen from a page's own.
pub(crate) fn resolve(at: &str, relative: &str) -> String {
    let (path, _) = at.split_once('?').unwrap_or((at, ""));
    let mut folder = path[..=path.rfind('/').expect("a path")].to_owned();
    let mut rest = relative;
    loop {
        if let Some(behind) = rest.strip_prefix("./") {
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix("../") {
            rest = behind;
            let inner = folder
                .trim_end_matches('/')
                .rfind('/')
                .expect("not the top");
            folder.truncate(inner + 1);
        } else {
            return folder + rest;
        }
    }
}
