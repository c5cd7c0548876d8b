use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn key(labels: &[(&str, &str)]) -> GroupKey {
    let labels: BTreeMap<String, String> = labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    GroupKey::new(labels.get("job").map_or("j", String::as_str), &labels)
}

#[track_caller]
fn selector(text: &str) -> Selector {
    Selector::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn labels_of_other_names_are_matched_in_quotes() {
    let key = key(&[("my.zone", "w"), ("x", "1")]);
    for (text, matches, shown) in [
        (r#"{"my.zone"="w"}"#, true, r#"{"my.zone"="w"}"#),
        (
            r#"{'my.zone' !~ "w|x" , x="1"}"#,
            false,
            r#"{"my.zone"!~"w|x",x="1"}"#,
        ),
        (r#"{"x"="1"}"#, true, r#"{x="1"}"#),
        (r#"{"a\"b"=""}"#, true, r#"{"a\"b"=""}"#),
    ] {
        let selector = Selector::parse(text).expect(text);
        assert_eq!(selector.matches(&key), matches, "{text}");
        assert_eq!(selector.to_string(), shown);
        assert_eq!(
            Selector::parse(shown).map(|again| again.to_string()),
            Ok(shown.to_owned())
        );
    }
    for text in [
        r#"{""="x"}"#,
        r#"{my.zone="x"}"#,
        r#"{"__name__"="x"}"#,
        r#"{"a="x"}"#,
    ] {
        assert!(Selector::parse(text).is_err(), "{text}");
    }
}

#[test]
fn matchers_choose_groups_as_in_prometheus() {
    let key = key(&[("job", "ci-build"), ("env", "prod"), ("note", "a\nb")]);
    for (text, chosen) in [
        ("{}", true),
        (r#"{job="ci-build"}"#, true),
        (r#"{job="ci"}"#, false),
        (r#"{job!="ci"}"#, true),
        (r#"{job!="ci-build"}"#, false),
        (r#"{job=~"ci-.*"}"#, true),
        // Anchored at both ends, alternatives included.
        (r#"{job=~"ci"}"#, false),
        (r#"{job=~"build"}"#, false),
        (r#"{job=~"ci|build"}"#, false),
        (r#"{job=~"x|ci-build"}"#, true),
        (r#"{job!~"ci"}"#, true),
        (r#"{job!~"ci.*"}"#, false),
        (r#"{job=~"(?i)CI-BUILD"}"#, true),
        // An absent label is the empty string.
        (r#"{zone=""}"#, true),
        (r#"{zone!=""}"#, false),
        (r#"{zone=~".*"}"#, true),
        (r#"{zone=~".+"}"#, false),
        (r#"{zone!~".+"}"#, true),
        (r#"{env!=""}"#, true),
        // A line feed is a character like any other.
        (r#"{note=~"a.b"}"#, true),
        (r#"{note=~"a"}"#, false),
        (r#"{note="a\nb"}"#, true),
        // All have to hold, also two about one label.
        (r#"{job=~"ci-.*",env="prod"}"#, true),
        (r#"{job=~"ci-.*",env="test"}"#, false),
        (r#"{job=~"ci-.*",job!="ci-test"}"#, true),
    ] {
        assert_eq!(selector(text).matches(&key), chosen, "{text}");
    }
}

#[test]
fn the_failing_matcher_is_named() {
    let selector = selector(r#"{job="a", env!="prod", zone=~"w.*"}"#);
    for (labels, failing) in [
        (&[("job", "b")][..], Some(r#"job="a""#)),
        (&[("job", "a"), ("env", "prod")], Some(r#"env!="prod""#)),
        (&[("job", "a")], Some(r#"zone=~"w.*""#)),
        (&[("job", "a"), ("zone", "w1")], None),
    ] {
        let shown = selector.first_failing(&key(labels)).map(Matcher::to_string);
        assert_eq!(shown.as_deref(), failing, "{labels:?}");
    }
}

#[test]
fn every_spelling_has_one_canonical_form() {
    for (text, canonical) in [
        ("{}", "{}"),
        (" { } ", "{}"),
        (r#"{job="a"}"#, r#"{job="a"}"#),
        (
            "\t{ job = 'a' ,\r\n_b1!~`c\\d`, }",
            r#"{job="a",_b1!~"c\\d"}"#,
        ),
        (r#"{a="b",a="b"}"#, r#"{a="b",a="b"}"#),
        (r#"{a=""}"#, r#"{a=""}"#),
        (r#"{a="'`\""}"#, r#"{a="'`\""}"#),
        (r#"{a='"`\''}"#, r#"{a="\"`'"}"#),
        (
            r#"{a="\a\b\f\n\r\t\v\\"}"#,
            r#"{a="\u0007\u0008\u000c\n\r\t\u000b\\"}"#,
        ),
        (r#"{a="\101\x41\u00e4\U0001F550ü"}"#, r#"{a="AAä🕐ü"}"#),
        (r#"{a="\xc3\xa4\303\244"}"#, r#"{a="ää"}"#),
        ("{a=`x\ny`}", r#"{a="x\ny"}"#),
        (r#"{a="\u0085"}"#, r#"{a="\u0085"}"#),
        (r#"{__a="b"}"#, r#"{__a="b"}"#),
    ] {
        assert_eq!(selector(text).to_string(), canonical, "{text}");
    }
}

#[track_caller]
fn refused(cases: &[(&str, &str)]) {
    for (text, fault) in cases {
        let error = Selector::parse(text).unwrap_err().to_string();
        assert_eq!(error, *fault, "{text}");
    }
}

#[test]
fn what_is_no_selector_is_told_with_its_column() {
    refused(&[
        (
            "",
            r#"column 1: expected a selector such as {job="backup"}, found the end"#,
        ),
        (
            "  ",
            r#"column 3: expected a selector such as {job="backup"}, found the end"#,
        ),
        (
            "job",
            r#"column 1: expected a selector such as {job="backup"}, found "job""#,
        ),
        (
            r#"up{job="a"}"#,
            "column 1: a group is chosen by its labels, a metric name cannot be matched",
        ),
        (
            r#"{"up"}"#,
            "column 2: a group is chosen by its labels, a metric name cannot be matched",
        ),
        (
            r#"{a="b",__name__="up"}"#,
            "column 8: a group is chosen by its labels, a metric name cannot be matched",
        ),
        ("{", "column 2: expected a label name or }, found the end"),
        ("{,}", r#"column 2: expected a label name or }, found ",}""#),
        (
            r#"{a="b",,}"#,
            r#"column 8: expected a label name or }, found ",}""#,
        ),
        (
            r#"{ü="b"}"#,
            r#"column 2: expected a label name or }, found "ü=\"b\"}""#,
        ),
    ]);
}

#[test]
fn what_is_no_matcher_is_told_with_its_column() {
    refused(&[
        (r#"{1a="b"}"#, r#"column 2: "1a" is no label name"#),
        ("{a", "column 3: expected =, !=, =~ or !~, found the end"),
        (
            r#"{a=="b"}"#,
            r#"column 4: expected a value in quotes, found "=\"b\"}""#,
        ),
        (
            "{a=b}",
            r#"column 4: expected a value in quotes, found "b}""#,
        ),
        ("{ä", r#"column 2: expected a label name or }, found "ä""#),
        (
            r#"{a="ä" b="c"}"#,
            r#"column 8: expected a comma or }, found "b=\"c\"}""#,
        ),
        (
            r#"{a="b"} x"#,
            r#"column 9: expected nothing more, found "x""#,
        ),
    ]);
}

#[test]
fn a_bad_value_is_told_with_its_column() {
    refused(&[
        (r#"{a="b"#, "column 4: the string is not closed"),
        ("{a=\"b\n\"}", "column 4: the string is not closed"),
        ("{a=`b", "column 4: the string is not closed"),
        (r#"{a="b\"}"#, "column 4: the string is not closed"),
        (
            r#"{a="ä\d"}"#,
            r#"column 6: unknown escape "\\d" in a string; a backslash is written \\"#,
        ),
        (
            r#"{a="\'"}"#,
            r#"column 5: unknown escape "\\'" in a string; a backslash is written \\"#,
        ),
        (
            r#"{a="\x4"}"#,
            r#"column 5: unknown escape "\\x" in a string; a backslash is written \\"#,
        ),
        (
            r#"{a="\x+4"}"#,
            r#"column 5: unknown escape "\\x" in a string; a backslash is written \\"#,
        ),
        (
            r#"{a="\400"}"#,
            r#"column 5: unknown escape "\\4" in a string; a backslash is written \\"#,
        ),
        (
            r#"{a="\ud800"}"#,
            r#"column 5: unknown escape "\\u" in a string; a backslash is written \\"#,
        ),
        (r#"{a="\xff"}"#, "column 4: the string is not UTF-8"),
        (
            r#"{a="b", c=~"(d"}"#,
            r#"column 12: bad regular expression "(d": unclosed group"#,
        ),
        (
            r#"{c!~"a)|(b"}"#,
            r#"column 5: bad regular expression "a)|(b": unopened group"#,
        ),
        (
            r#"{c=~"[[:word:]"}"#,
            r#"column 5: bad regular expression "[[:word:]": unclosed character class"#,
        ),
    ]);
}

#[test]
fn expressions_and_selectors_are_bounded() {
    let long = "a".repeat(PATTERN_BYTES);
    assert!(Selector::parse(&format!("{{a=~\"{long}\"}}")).is_ok());
    let error = Selector::parse(&format!("{{a=~\"{long}a\"}}")).unwrap_err();
    assert_eq!(error.fault, MatcherFault::PatternTooLong);
    let error = Selector::parse(r#"{a=~"(\\w{100}){100}"}"#).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("compiled it is larger than 1048576 bytes"),
        "{error}"
    );
    let many = |count| format!("{{{}}}", "a!=\"b\",".repeat(count));
    assert!(Selector::parse(&many(MATCHERS)).is_ok());
    let error = Selector::parse(&many(MATCHERS + 1)).unwrap_err();
    assert_eq!(error.fault, MatcherFault::TooMany);
    let endless = "(?:".repeat(PATTERN_BYTES / 3);
    assert!(Selector::parse(&format!("{{a=~\"{endless}\"}}")).is_err());
}

#[test]
fn pairs_are_anchored_expressions() {
    let selector = Selector::from_pairs([("job", "ci-.*"), ("env", "prod|stage")]).unwrap();
    assert_eq!(selector.to_string(), r#"{job=~"ci-.*",env=~"prod|stage"}"#);
    assert!(selector.matches(&key(&[("job", "ci-a"), ("env", "stage")])));
    assert!(!selector.matches(&key(&[("job", "ci-a"), ("env", "stages")])));
    assert!(Selector::from_pairs([]).unwrap().matches(&key(&[])));
}

#[test]
fn every_bad_pair_is_told() {
    let faults = Selector::from_pairs([("job", "("), ("a b", "c"), ("d", "e")]).unwrap_err();
    let shown: Vec<String> = faults
        .iter()
        .map(|(label, fault)| format!("{label}: {fault}"))
        .collect();
    assert_eq!(
        shown,
        [
            "job: bad regular expression \"(\": unclosed group",
            "a b: \"a b\" is no label name"
        ]
    );
    let names: Vec<String> = (0..=MATCHERS).map(|number| format!("l{number}")).collect();
    let faults = Selector::from_pairs(names.iter().map(|name| (name.as_str(), ""))).unwrap_err();
    assert_eq!(faults, [(names[MATCHERS].as_str(), MatcherFault::TooMany)]);
}

/// Any label name, sign and value; values that are bad expressions are used as text.
fn any_matcher() -> impl Strategy<Value = Matcher> {
    let value = prop_oneof![
        "\\PC{0,8}",
        "[a-z.*|()\\[\\]\\\\\n\t\"'`{}]{0,8}",
        any::<String>()
    ];
    (
        "[a-zA-Z_][a-zA-Z0-9_]{0,6}",
        any::<bool>(),
        any::<bool>(),
        value,
    )
        .prop_filter_map("a label name", |(label, negated, regex, value)| {
            Matcher::new(&label, negated, regex, &value)
                .or_else(|_| Matcher::new(&label, negated, false, &value))
                .ok()
        })
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(
        text in "\\PC{0,30}",
        close in "[{}a=!~\"'`\\\\xu04, (|)*\n]{0,40}",
        inside in "[a-z=!~\"\\\\xuU0-9, (|)*ä]{0,40}",
    ) {
        let _ = Selector::parse(&text);
        let _ = Selector::parse(&close);
        let _ = Selector::parse(&format!("{{{inside}}}"));
        let _ = Selector::parse(&format!("{{a=~\"{inside}\"}}"));
    }

    #[test]
    fn what_is_written_is_read_back(matchers in prop::collection::vec(any_matcher(), 0..4)) {
        let selector = Selector(matchers);
        let text = selector.to_string();
        prop_assert!(!text.contains(['\n', '\r']), "{}", text);
        prop_assert_eq!(Selector::parse(&text), Ok(selector));
    }

    #[test]
    fn a_negated_matcher_holds_exactly_where_its_opposite_does_not(
        matcher in any_matcher(),
        value in "[a-z]{0,3}",
    ) {
        let key = key(&[(&matcher.label, &value)]);
        let opposite = Matcher { negated: !matcher.negated, ..matcher.clone() };
        prop_assert_ne!(matcher.holds(&key), opposite.holds(&key));
    }
}
