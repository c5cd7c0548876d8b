//! Flags as people write them.

use std::ffi::OsString;

use super::*;

fn parse_with(args: &[&str], env: &[(&str, &str)]) -> Result<Flags, Exit> {
    let args = std::iter::once("tidegate")
        .chain(args.iter().copied())
        .map(OsString::from);
    parse(args, |name| {
        env.iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| OsString::from(value))
    })
}

#[test]
fn without_flags_the_defaults_hold() {
    let flags = parse_with(&[], &[]).unwrap();
    assert_eq!(flags.listen_addresses, [":9091"]);
    assert_eq!((flags.storage_path, flags.persistence_file), (None, None));
    assert_eq!(flags.ttl_default, "35d");
    assert_eq!(
        (flags.ttl_min.as_str(), flags.ttl_max.as_str()),
        ("1s", "0s")
    );
    assert_eq!(flags.max_body_size, "64MiB");
    assert_eq!(
        (flags.log_level.as_str(), flags.log_format.as_str()),
        ("info", "logfmt")
    );
    assert_eq!((flags.from_environment, flags.notices), (vec![], vec![]));
}

#[test]
fn both_ways_to_give_a_value_are_understood() {
    for args in [
        &["--ttl.default=6h"][..],
        &["--ttl.default", "6h"],
        &["-ttl.default=6h"],
    ] {
        assert_eq!(parse_with(args, &[]).unwrap().ttl_default, "6h", "{args:?}");
    }
    let flags = parse_with(&["--metric.timetolive=60s", "--persistence.file="], &[]).unwrap();
    assert_eq!(flags.ttl_default, "60s");
    assert_eq!(flags.persistence_file, Some(OsString::new()));
}

#[test]
fn the_listen_address_is_repeatable() {
    let args = ["--web.listen-address=:1", "--web.listen-address", "[::1]:2"];
    assert_eq!(
        parse_with(&args, &[]).unwrap().listen_addresses,
        [":1", "[::1]:2"]
    );
}

#[test]
fn old_single_dash_spellings_are_understood_and_said_so() {
    let args = [
        "-web.listen-address=:9092",
        "-persistence.file",
        "x",
        "--log.level=warn",
    ];
    let flags = parse_with(&args, &[]).unwrap();
    assert_eq!(flags.listen_addresses, [":9092"]);
    assert_eq!(flags.persistence_file, Some("x".into()));
    assert_eq!(
        flags.notices,
        [
            "-web.listen-address is an old spelling, write --web.listen-address",
            "-persistence.file is an old spelling, write --persistence.file",
        ]
    );
    assert_eq!(parse_with(&["-version"], &[]).unwrap_err().code, 0);
    let program_name_alone = parse([OsString::from("-odd.name")], |_| None).unwrap();
    assert!(program_name_alone.notices.is_empty());
}

#[test]
fn a_path_need_not_be_utf8() {
    use std::os::unix::ffi::OsStringExt;
    let raw = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let args = [raw(b"tidegate"), raw(b"-persistence.file=/a\xff")];
    let env = |name: &str| (name == "TIDEGATE_STORAGE_PATH").then(|| raw(b"/b\xff"));
    let flags = parse(args, env).unwrap();
    assert_eq!(flags.persistence_file, Some(raw(b"/a\xff")));
    assert_eq!(flags.storage_path, Some(raw(b"/b\xff")));
}

#[test]
fn the_environment_speaks_where_the_command_line_does_not() {
    let env = [
        ("TIDEGATE_WEB_LISTEN_ADDRESS", ":1, [::1]:2"),
        ("TIDEGATE_TTL_DEFAULT", "1d"),
        ("TIDEGATE_LOG_LEVEL", "error"),
        ("TIDEGATE_LOG_FORMAT", ""),
        ("TIDEGATE_PERSISTENCE_INTERVAL", "9m"),
        ("TIDEGATE_PUSH_MAX_BODY_SIZE", "-1"),
        ("TIDEGATE_VERSION", "1"),
        ("TIDEGATE_HELP", "1"),
    ];
    let flags = parse_with(&["--log.level=debug", "--"], &env).unwrap();
    assert_eq!(flags.listen_addresses, [":1", "[::1]:2"]);
    assert_eq!(flags.ttl_default, "1d");
    assert_eq!(flags.log_level, "debug");
    assert_eq!(flags.log_format, "logfmt");
    assert_eq!(flags.persistence_interval, "9m");
    assert_eq!(flags.max_body_size, "-1");
    assert_eq!(
        flags.from_environment,
        [
            "web.listen-address",
            "persistence.interval",
            "ttl.default",
            "push.max-body-size"
        ]
    );
}

#[test]
fn switches_are_given_taken_back_and_read_from_the_environment() {
    let variable = "TIDEGATE_WEB_ENABLE_LIFECYCLE";
    for (args, value, on, given) in [
        (&[][..], "", false, false),
        (&["--web.enable-lifecycle"], "", true, true),
        (&["-web.enable-lifecycle"], "", true, true),
        (&["--no-web.enable-lifecycle"], "", false, true),
        (&[], "true", true, true),
        (&[], "1", true, true),
        (&[], "false", false, true),
        (&[], "0", false, true),
        (&["--no-web.enable-lifecycle"], "true", false, true),
        (&["--web.enable-lifecycle"], "false", true, true),
    ] {
        let flags = parse_with(args, &[(variable, value)]).unwrap();
        assert_eq!(flags.enable_lifecycle, on, "{args:?} {value}");
        let is_given = flags.is_given("web.enable-lifecycle");
        assert_eq!(is_given, given, "{args:?} {value}");
    }
    for value in ["yes", "TRUE", "2"] {
        let exit = parse_with(&[], &[(variable, value)]).unwrap_err();
        let start = format!("tidegate: error: bad value {value:?} for {variable}: expected");
        assert!(exit.code == 1 && exit.text.starts_with(&start), "{exit:?}");
    }
}

#[test]
fn given_are_only_flags_that_somebody_wrote() {
    let env = [("TIDEGATE_TTL_MIN", "2s")];
    let args = ["--metric.timetolive=1d", "--ttl.client", "allow"];
    let flags = parse_with(&args, &env).unwrap();
    assert_eq!(flags.given, ["ttl.default", "ttl.min", "ttl.client"]);
    assert_eq!(
        flags.spelled("ttl.min"),
        "--ttl.min (from TIDEGATE_TTL_MIN)"
    );
    assert_eq!(flags.spelled("ttl.default"), "--ttl.default");
}

#[test]
fn mistakes_end_with_code_1_and_name_the_flag() {
    for (args, part) in [
        (&["--nope"][..], "--nope"),
        (&["-nope.such=1"], "--nope.such"),
        (&["extra"], "extra"),
        (&["--log.level"], "--log.level"),
        (&["--log.level", "--log.format=json"], "--log.level"),
        (
            &["--log.level=info", "--log.level=info"],
            "flag 'log.level' cannot be repeated, try --help\n",
        ),
        (
            &["--ttl.default=1h", "--metric.timetolive=1h"],
            "'ttl.default' cannot be repeated",
        ),
        (&["--", "--log.level=info"], "--log.level=info"),
        (
            &["--web.enable-admin-api=true"],
            "error: unexpected true, try --help\n--web.enable-admin-api takes no value",
        ),
        (
            &["--no-web.enable-admin-api=true"],
            "error: unexpected true, try --help\n--no-web.enable-admin-api takes no value",
        ),
        (
            &["--web.enable-admin-api", "--no-web.enable-admin-api"],
            "--no-web.enable-admin-api",
        ),
        (
            &["--web.enable-admin-api", "--web.enable-admin-api"],
            "flag 'web.enable-admin-api' cannot be repeated",
        ),
        (&["--no-ttl.default"], "--no-ttl.default"),
    ] {
        let exit = parse_with(args, &[]).unwrap_err();
        assert_eq!(exit.code, 1, "{args:?}");
        assert!(exit.text.starts_with("tidegate: error: "), "{}", exit.text);
        assert!(
            exit.text.contains(part) && exit.text.ends_with('\n'),
            "{}",
            exit.text
        );
    }
}

#[test]
fn help_lists_every_flag_but_the_hidden_ones() {
    for args in [["--help"], ["-h"]] {
        let exit = parse_with(&args, &[]).unwrap_err();
        assert_eq!(exit.code, 0);
        for name in [
            "--web.listen-address",
            "--storage.path",
            "[default: 35d]",
            "TIDEGATE_",
        ] {
            assert!(
                exit.text.contains(name),
                "{name} is missing in\n{}",
                exit.text
            );
        }
        for name in ["--metric.timetolive", "--help-man"] {
            assert!(!exit.text.contains(name), "{name} is in\n{}", exit.text);
        }
    }
}

#[test]
fn the_version_has_the_form_of_the_family() {
    let exit = parse_with(&["--version"], &[("TIDEGATE_TTL_DEFAULT", "x")]).unwrap_err();
    assert_eq!(exit.code, 0);
    let first = exit.text.lines().next().unwrap();
    let start = concat!(
        "tidegate, version ",
        env!("CARGO_PKG_VERSION"),
        " (branch: "
    );
    assert!(first.starts_with(start) && first.ends_with(')'), "{first}");
    assert!(
        exit.text.contains("\n  platform:         linux/"),
        "{}",
        exit.text
    );
}

#[test]
fn the_further_forms_of_help_are_there() {
    let long = parse_with(&["--help-long"], &[]).unwrap_err();
    let man = parse_with(&["--help-man", "--log.level=warn"], &[]).unwrap_err();
    assert_eq!((long.code, man.code), (0, 0));
    assert!(long.text.contains("--web.route-prefix"), "{}", long.text);
    assert!(man.text.contains(".SH OPTIONS"), "{}", man.text);
    assert!(man.text.contains("web.route\\-prefix"), "{}", man.text);
}

#[test]
fn values_are_shown_as_the_status_api_of_the_pushgateway_shows_them() {
    let args = [
        "--web.listen-address=:1",
        "--web.listen-address=:2",
        "--web.enable-admin-api",
        "--no-web.enable-lifecycle",
        "--persistence.file=",
    ];
    let flags = parse_with(&args, &[("TIDEGATE_LOG_LEVEL", "warn")]).unwrap();
    let value = |name: &str| {
        let found = flags.values.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    for (name, expected) in [
        ("web.listen-address", ":1,:2"),
        ("web.enable-admin-api", "true"),
        ("web.enable-lifecycle", "false"),
        ("persistence.file", ""),
        ("persistence.interval", "5m0s"),
        ("ttl.history", "24h0m0s"),
        ("ttl.default", "35d"),
        ("log.level", "warn"),
        ("storage.path", ""),
    ] {
        assert_eq!(value(name), Some(expected), "{name}");
    }
    assert!(flags.values.is_sorted());
    let unwanted = ["help", "version", "no-web.enable-lifecycle", "help-man"];
    assert!(unwanted.iter().all(|name| value(name).is_none()));
}
