//! Whatever is pushed is shown as text.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::browser::{admin, escaped, load, loads_as};
use crate::harness::{Gateway, SECOND};

/// Texts that mean something to HTML, to attributes, to addresses or to a parser.
const HOSTILE: [&str; 16] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</title></style></textarea><svg/onload=alert(1)>",
    "<!--",
    "-->]]>",
    "&lt;b&gt; &amp; &#60; &quot",
    "javascript:alert(1)",
    "//elsewhere.example/x",
    "../../../../status?x=1#y",
    "a\nb\r\nc\td",
    "\u{0}\u{1b}[31m\u{7f}\u{85}",
    "\u{202e}\u{200b}\u{feff}\u{2028}",
    "\u{1f980} \u{e9}\u{301} \u{4e2d}\u{6587}",
    "\\\"\\n",
    "",
];

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(&HOSTILE[..]).prop_map(str::to_owned),
        "[<>&\"'`=/\\\\ \n\ra-c;:#?%\u{e9}]{0,30}",
        "\\PC{0,20}",
    ]
}

/// As pages show a text: control characters spelled out.
fn visible(text: &str) -> String {
    let spelled = |char: char| {
        let turns = "\u{61c}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\
                     \u{2060}\u{2061}\u{2062}\u{2063}\u{2064}\u{2065}\u{2066}\u{2067}\u{2068}\u{2069}\u{206a}\u{206b}\u{206c}\u{206d}\u{206e}\u{206f}\
                     \u{2028}\u{2029}\u{180e}\u{fff9}\u{fffa}\u{fffb}\u{feff}";
        if char.is_control() || turns.contains(char) {
            char.escape_default().to_string()
        } else {
            char.to_string()
        }
    };
    text.chars().map(spelled).collect()
}

/// As pages show a label.
fn badge(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("{name}=\"{}\"", visible(&value))
}

/// As the text format has a label value.
fn label_value(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    text.replace('\n', "\\n")
}

/// All texts of these elements, unchanged.
fn raw(page: &crate::browser::Page, selector: &str) -> Vec<String> {
    let elements = page.all(selector).into_iter();
    elements.map(|element| element.text().collect()).collect()
}

#[test]
fn labels_helps_and_searches_are_shown_as_text_only() {
    let gateway = admin();
    let mut runner = TestRunner::new(Config::with_cases(96));
    let texts = (hostile(), hostile(), hostile());
    let run = runner.run(&texts, |(group, label, help)| {
        let key = format!(
            "job/a/g@base64/{}=",
            URL_SAFE_NO_PAD.encode(group.as_bytes())
        );
        let help_line = help.replace('\\', "\\\\").replace('\n', "\\n");
        // An empty help is no help; what the parser trims is not asked for here.
        let help_line = format!("x{help_line}x");
        let body = format!(
            "# HELP m {help_line}\nm{{l=\"{}\"}} 1\n",
            label_value(&label)
        );
        // What a case that failed has left.
        gateway.send("PUT", "/api/v1/admin/wipe", &[], "");
        gateway.put(&key, &body);
        let list = load(&gateway, "/");
        let expected = [badge("job", "a"), badge("g", &group)];
        prop_assert_eq!(raw(&list, "article .badge"), expected.clone());
        let page = load(&gateway, &list.link("article h2 a"));
        let badges = raw(&page, "td .badge");
        prop_assert!(badges.contains(&badge("l", &label)), "{badges:?}");
        let helps = raw(&page, ".help");
        prop_assert!(helps.contains(&visible(&format!("x{help}x"))), "{helps:?}");
        let deletion = load(&gateway, &page.link("main a.delete"));
        prop_assert_eq!(raw(&deletion, ".badge"), expected);
        // The text of a search comes back in its field, right or wrong.
        let search = format!("/?match={}", escaped(&label));
        let answer = gateway.get(&search, &[]);
        let searched = crate::browser::parse(&answer, &search);
        let field = searched.all("input[name=match]")[0].attr("value");
        let expected = visible(label.trim());
        prop_assert_eq!(field, Some(expected.as_str()));
        gateway.delete(&key);
        let gone = loads_as(&gateway, &list.link("article h2 a"), 404);
        prop_assert!(gone.all("article").is_empty());
        Ok(())
    });
    run.unwrap_or_else(|fault| panic!("{fault}"));
}

#[test]
fn texts_of_refusals_and_agents_are_shown_as_text_only() {
    let gateway = Gateway::start();
    let agent = ("User-Agent", "<b>\"agent\"</b>\t&amp;");
    gateway.send("PUT", "/metrics/job/a", &[agent], "m 1\n");
    gateway.advance(SECOND);
    let body = "# TYPE m counter\nm{x=\"<script>&\"} 1\nm{x=\"<script>&\"} 2\n";
    let refusal = gateway.refused("PUT", "job/a", body);
    let list = load(&gateway, "/");
    let failed = list.texts("article .failed").concat();
    assert!(failed.starts_with("Last push failed"), "{failed}");
    assert!(refusal.contains("<script>&"), "{refusal}");
    assert!(failed.contains("<script>&"), "{failed}");
    let page = load(&gateway, &list.link("article h2 a"));
    let text = page.text();
    assert!(text.contains("(<b>\"agent\"</b>\\t&amp;)"), "{text}");
}
