use std::collections::BTreeMap;
use std::ffi::OsString;

use proptest::prelude::*;

use super::*;
use crate::flags as command_line;
use crate::limits::{FAULTS, RULES};
use crate::model::GroupKey;
use crate::ttl::{ClientTtl, TtlSource};

/// The policy, or the faults without the folder of the file.
fn loaded(text: &str, args: &[&str]) -> Result<TtlPolicy, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.yml");
    std::fs::write(&path, text).unwrap();
    let args = std::iter::once("tidegate").chain(args.iter().copied());
    let flags = command_line::parse(args.map(OsString::from), |_| None).unwrap();
    let mut faults = Vec::new();
    let flags = TtlFlags::read(&flags, &mut faults);
    assert!(faults.is_empty(), "{faults:?}");
    let source = PolicySource {
        file: Some(path),
        flags,
    };
    let prefix = format!("{}/", folder.path().display());
    source.load().map_err(|faults| {
        let lines = faults.into_lines().into_iter();
        lines.map(|line| line.replace(&prefix, "")).collect()
    })
}

#[track_caller]
fn refused(text: &str, args: &[&str], faults: &[&str]) {
    assert_eq!(loaded(text, args).unwrap_err(), faults, "{text}");
}

const EXAMPLE: &str = r#"
ttl:
  default: never
  max: 31d
  min: 5s
  client: ignore
  rules:                       # the first that matches counts
    - name: ci
      match: { job: "ci-.*" }
      ttl: 2h
    - name: backups
      match: { job: backup, env: prod|stage }
      ttl: 8d
    - name: rest of the tests
      selector: '{job=~"test.+",env!="prod"}'
      ttl: 3600
    - {name: forever, match: {job: last-success-.*}, ttl: never}
"#;

#[test]
fn a_whole_file_is_understood() {
    let policy = loaded(EXAMPLE, &[]).unwrap();
    assert_eq!(policy.default, Ttl::Never);
    assert_eq!(policy.max, Some(Duration::from_hours(31 * 24)));
    assert_eq!(policy.min, Duration::from_secs(5));
    assert_eq!(policy.client, ClientTtl::Ignore);
    let rules: Vec<String> = policy
        .rules
        .iter()
        .map(|rule| format!("{} {} {}", rule.name, rule.selector, rule.ttl))
        .collect();
    assert_eq!(
        rules,
        [
            r#"ci {job=~"ci-.*"} 2h"#,
            r#"backups {job=~"backup",env=~"prod|stage"} 8d"#,
            r#"rest of the tests {job=~"test.+",env!="prod"} 1h"#,
            r#"forever {job=~"last-success-.*"} never"#,
        ]
    );
    let labels = BTreeMap::from([("env".to_owned(), "stage".to_owned())]);
    let (ttl, source) = policy.effective(&GroupKey::new("backup", &labels), None);
    assert_eq!(ttl.to_string(), "8d");
    assert_eq!(source, TtlSource::Rule("backups".into()));
}

#[test]
fn what_a_file_leaves_out_is_as_without_a_file() {
    for text in [
        "",
        "# nothing\n",
        "---\n",
        "ttl:\n",
        "ttl: {}\n",
        "ttl:\n  rules:\n",
        "ttl: {rules: []}",
    ] {
        assert_eq!(loaded(text, &[]), Ok(TtlPolicy::default()), "{text:?}");
    }
}

#[test]
fn given_flags_beat_the_file_and_defaults_do_not() {
    let args = ["--ttl.default=7d", "--ttl.max=0", "--ttl.client=reject"];
    let policy = loaded(EXAMPLE, &args).unwrap();
    assert_eq!(policy.default.to_string(), "7d");
    assert_eq!(
        policy.max, None,
        "no cap, given as a flag, beats a cap in the file"
    );
    assert_eq!(policy.client, ClientTtl::Reject);
    assert_eq!(policy.min, Duration::from_secs(5));
    assert_eq!(policy.rules.iter().len(), 4);
}

#[test]
fn all_faults_of_a_file_are_told_at_once_with_line_column_and_key() {
    refused(
        r#"ttl:
  defalt: 1d
  max: soon
  min: [1s]
  client: deny
  rules:
    - name: a
      match: {job: "(", "b c": d}
      ttl: 1ms
    - name: a
      match: {job: x}
      selector: '{}'
      ttl: 1h
    - match: {}
      ttl:
      hold: a moment
    - name: ""
      selector: '{job=x}'
      ttl: 1h
      ttl: 2h
    -
    - name: c
      ttl: -1h
    - hello
    - name: d
      match: [job]
      ttl: {a: b}
    - name: e
      match: {job: , job: y, __name__: up}
      ttl: 1h
"log": debug
"#,
        &[],
        &[
            "t.yml:2:3: ttl.defalt: unknown key, expected one of default, max, min, client, rules",
            "t.yml:3:8: ttl.max: bad value \"soon\": expected a number at \"soon\", a duration is written such as 90s, 1h30m or 35d",
            "t.yml:4:8: ttl.min: expected one value, found a list",
            "t.yml:5:11: ttl.client: bad value \"deny\": expected allow, ignore or reject",
            "t.yml:8:20: ttl.rules[0].match.job: bad regular expression \"(\": unclosed group",
            "t.yml:8:25: ttl.rules[0].match.b c: \"b c\" is no label name",
            "t.yml:9:12: ttl.rules[0].ttl: it is below ttl.min=1s",
            "t.yml:10:13: ttl.rules[1].name: \"a\" is already the name of the rule in line 7",
            "t.yml:12:17: ttl.rules[1].selector: a rule has either match or selector, not both",
            "t.yml:14:7: ttl.rules[2]: name is missing",
            "t.yml:15:10: ttl.rules[2].ttl: a value is missing",
            "t.yml:16:13: ttl.rules[2].hold: bad value \"a moment\": expected until_scraped",
            "t.yml:17:13: ttl.rules[3].name: bad value \"\": expected 1 to 64 printable characters",
            "t.yml:18:17: ttl.rules[3].selector: bad value \"{job=x}\": column 6: expected a value in quotes, found \"x}\"",
            "t.yml:20:7: ttl.rules[3].ttl: the key is already in line 19",
            "t.yml:21:6: ttl.rules[4]: the rule is empty",
            "t.yml:22:7: ttl.rules[5]: match or selector is missing",
            "t.yml:23:12: ttl.rules[5].ttl: bad value \"-1h\": a duration cannot be negative",
            "t.yml:24:7: ttl.rules[6]: expected the keys name, match, selector, ttl, hold, found a single value",
            "t.yml:26:14: ttl.rules[7].match: expected labels and expressions, found a list",
            "t.yml:27:12: ttl.rules[7].ttl: expected one value, found a mapping",
            "t.yml:29:18: ttl.rules[8].match.job: a value is missing",
            "t.yml:29:22: ttl.rules[8].match.job: the key is already in line 29",
            "t.yml:29:30: ttl.rules[8].match.__name__: a group is chosen by its labels, a metric name cannot be matched",
            "t.yml:31:1: log: unknown key, expected one of ttl",
        ],
    );
}

#[test]
fn what_is_no_config_file_is_refused() {
    refused("ttl: [", &[], &["t.yml:1:6: unclosed bracket '['"]);
    refused(
        "- ttl",
        &[],
        &["t.yml:1:1: expected the keys ttl, found a list"],
    );
    refused(
        "ttl: 5",
        &[],
        &[
            "t.yml:1:6: ttl: expected the keys default, max, min, client, rules, found a single value",
        ],
    );
    refused(
        "ttl: {rules: x}",
        &[],
        &["t.yml:1:14: ttl.rules: expected a list of rules, found a single value"],
    );
    refused(
        &" ".repeat(CONFIG_BYTES + 1),
        &[],
        &["t.yml: it is larger than 1048576 bytes"],
    );
    let source = PolicySource {
        file: Some("/nonexistent/t.yml".into()),
        ..PolicySource::default()
    };
    let faults = source.load().unwrap_err();
    let start = "/nonexistent/t.yml: cannot open it: No such file";
    assert!(faults.lines()[0].starts_with(start), "{faults}");
    let folder = tempfile::tempdir().unwrap();
    let faults = load(folder.path(), &TtlFlags::default()).unwrap_err();
    assert!(
        faults.lines()[0].contains(": cannot read it: Is a directory"),
        "{faults}"
    );
    let path = folder.path().join("t.yml");
    std::fs::write(&path, b"a\nb\xff").unwrap();
    let faults = load(&path, &TtlFlags::default()).unwrap_err();
    assert!(
        faults.lines()[0].ends_with("t.yml: it is not UTF-8 in line 2"),
        "{faults}"
    );
}

#[test]
fn a_ttl_below_the_minimum_is_refused_where_it_stands() {
    let file = "ttl:\n  min: 1h\n  default: 59m\n  max: 1m\n  rules:\n    - {name: a, match: {}, ttl: 30m}\n";
    refused(
        file,
        &[],
        &[
            "t.yml:3:12: ttl.default: it is below ttl.min=1h",
            "t.yml:4:8: ttl.max: it is below ttl.min=1h",
            "t.yml:6:33: ttl.rules[0].ttl: it is below ttl.min=1h",
        ],
    );
    refused(
        "ttl:\n  rules:\n    - {name: a, match: {}, ttl: 30m}\n",
        &["--ttl.min=40d", "--ttl.max=3d"],
        &[
            "bad value \"3d\" for --ttl.max: it is below --ttl.min=40d",
            "--ttl.default is 35d unless set: it is below --ttl.min=40d",
            "t.yml:3:33: ttl.rules[0].ttl: it is below --ttl.min=40d",
        ],
    );
    assert!(loaded(file, &["--ttl.min=1s"]).is_ok());
    // The cap is for pushes, not for the operator.
    assert!(
        loaded(
            "ttl: {max: 1h, rules: [{name: a, match: {}, ttl: never}]}",
            &[]
        )
        .is_ok()
    );
}

#[test]
fn rules_are_bounded() {
    let rules = |count: usize| {
        let rules = (0..count).map(|n| format!("    - {{name: r{n}, match: {{}}, ttl: 1h}}\n"));
        format!("ttl:\n  rules:\n{}", rules.collect::<String>())
    };
    assert_eq!(
        loaded(&rules(RULES), &[]).unwrap().rules.iter().len(),
        RULES
    );
    refused(
        &rules(RULES + 1),
        &[],
        &["t.yml:1003:7: ttl.rules: more than 1000 rules"],
    );
}

#[test]
fn of_very_many_faults_the_first_are_told() {
    let keys = (0..FAULTS + 7)
        .map(|n| format!("key{n}: 1\n"))
        .collect::<Vec<_>>()
        .concat();
    let faults = loaded(&keys, &[]).unwrap_err();
    assert_eq!(faults.len(), FAULTS + 1);
    assert_eq!(
        faults[FAULTS - 1],
        "t.yml:100:1: key99: unknown key, expected one of ttl"
    );
    assert_eq!(faults[FAULTS], "t.yml: and 7 more faults");
}

#[test]
fn a_policy_is_shown_as_understood() {
    assert_eq!(
        describe(&loaded(EXAMPLE, &[]).unwrap()),
        r#"default  never
min      5s
max      31d
client   ignore

the first rule that matches a group counts:

RULE               TTL    HOLD  GROUPS
ci                 2h     -     {job=~"ci-.*"}
backups            8d     -     {job=~"backup",env=~"prod|stage"}
rest of the tests  1h     -     {job=~"test.+",env!="prod"}
forever            never  -     {job=~"last-success-.*"}
"#
    );
    assert_eq!(
        describe(&TtlPolicy::default()),
        "default  35d\nmin      1s\nmax      none\nclient   allow\nrules    none\n"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Half a file, and a file with a letter changed: a policy, or faults with their places.
    #[test]
    fn a_damaged_file_is_refused_with_places_or_understood(
        cut in 0..EXAMPLE.len(),
        at in 0..EXAMPLE.len(),
        letter in "[ -~\n]",
    ) {
        let mut changed = EXAMPLE.to_owned();
        changed.replace_range(at..=at, &letter);
        for text in [&EXAMPLE[..cut], &changed] {
            if let Err(faults) = loaded(text, &[]) {
                prop_assert!(!faults.is_empty());
                for fault in faults {
                    let mut parts = fault.strip_prefix("t.yml:").unwrap().splitn(3, ':');
                    prop_assert!(parts.next().unwrap().parse::<usize>().unwrap() > 0);
                    prop_assert!(parts.next().unwrap().parse::<usize>().unwrap() > 0);
                }
            }
        }
    }
}
