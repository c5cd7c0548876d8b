//! Flags as the program understands them.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;
use crate::flags;
use crate::limits::{BODY_BYTES_IN_FLIGHT, MAX_BODY};
use crate::ttl::Ttl;

fn settings(args: &[&str], env: &[(&str, &str)]) -> Result<Settings, Faults> {
    let args = std::iter::once("tidegate")
        .chain(args.iter().copied())
        .map(OsString::from);
    let env = |name: &str| {
        env.iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| OsString::from(value))
    };
    Settings::from_flags(flags::parse(args, env).unwrap())
}

#[test]
fn the_defaults_of_the_flags_are_those_of_the_parts() {
    let settings = settings(&[], &[]).unwrap();
    assert_eq!(
        settings.listen,
        [ListenAddress {
            host: Host::All,
            port: 9091
        }]
    );
    assert_eq!(settings.store, Path::new("data/"));
    assert_eq!(settings.ttl, TtlPolicy::default());
    assert_eq!(settings.max_body, MAX_BODY);
    assert_eq!(settings.quota, Quota::default());
    assert_eq!(settings.log_level, tracing::Level::INFO);
    assert_eq!(settings.log_format, log::Format::Logfmt);
    assert!(settings.notices.is_empty());
    assert!(!settings.hide_inconsistent && settings.import.is_none());
}

#[test]
fn zero_is_no_limit_of_what_is_stored() {
    let args = ["--storage.max-groups=0", "--storage.max-series=7"];
    let wanted = Quota {
        groups: None,
        series: Some(7),
    };
    assert_eq!(settings(&args, &[]).unwrap().quota, wanted);
}

#[test]
fn ttl_flags_make_the_policy() {
    let ttl = |args: &[&str]| settings(args, &[]).unwrap().ttl;
    assert_eq!(
        ttl(&["--metric.timetolive=60s"]).default,
        Ttl::After(Duration::from_mins(1))
    );
    assert_eq!(ttl(&["--ttl.default=0"]).default, Ttl::Never);
    assert_eq!(ttl(&["--ttl.min=0"]).min, Duration::ZERO);
    assert_eq!(
        ttl(&["--ttl.max=1y"]).max,
        Some(Duration::from_hours(365 * 24))
    );
    // The cap is for pushes, not for the operator.
    assert_eq!(
        ttl(&["--ttl.default=never", "--ttl.max=1h"]).default,
        Ttl::Never
    );
}

#[test]
fn the_store_is_found_by_either_flag() {
    for (args, store, notices) in [
        (&["--storage.path=/x"][..], "/x", 0),
        (
            &["--persistence.file=/a/pushgateway.data"],
            "/a/pushgateway.data.tidegate",
            1,
        ),
        (&["--persistence.file=a/"], "a.tidegate", 1),
        (&["--persistence.file="], "data/", 0),
        (&["--persistence.file=f", "--storage.path=s"], "s", 1),
        (&["--persistence.interval=5m"], "data/", 1),
        (
            &["-persistence.interval=5m", "-persistence.file=f"],
            "f.tidegate",
            4,
        ),
    ] {
        let settings = settings(args, &[]).unwrap();
        assert_eq!(settings.store, Path::new(store), "{args:?}");
        assert_eq!(
            settings.notices.len(),
            notices,
            "{args:?} {:?}",
            settings.notices
        );
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let args = [
        "--web.listen-address=9091",
        "--web.listen-address=:x",
        "--ttl.min=soon",
        "--ttl.max=-1s",
        "--push.max-body-size=0",
        "--storage.max-groups=many",
        "--storage.max-series=+5",
        "--log.level=loud",
        "--persistence.interval=x",
        "--storage.path=",
    ];
    let env = [
        ("TIDEGATE_TTL_DEFAULT", "5 days"),
        ("TIDEGATE_LOG_FORMAT", "xml"),
    ];
    let Exit { code, text } = settings(&args, &env).unwrap_err().into();
    assert_eq!(code, 1);
    let expected = [
        "bad value \"9091\" for --web.listen-address: expected host:port, such as",
        "bad value \":x\" for --web.listen-address: the port \"x\" is not a number from",
        "bad value \"5 days\" for --ttl.default (from TIDEGATE_TTL_DEFAULT): unknown unit \" days\"",
        "bad value \"soon\" for --ttl.min: expected a number",
        "bad value \"-1s\" for --ttl.max: a duration cannot be negative",
        "bad value \"0\" for --push.max-body-size: expected a size from 1 to 268435456 bytes",
        "bad value \"many\" for --storage.max-groups: expected a whole number, such as 100000, or 0",
        "bad value \"+5\" for --storage.max-series: expected a whole number, such as 100000, or 0",
        "bad value \"loud\" for --log.level: expected debug, info, warn or error",
        "bad value \"xml\" for --log.format (from TIDEGATE_LOG_FORMAT): expected logfmt or json",
        "bad value \"x\" for --persistence.interval: expected a number",
        "bad value \"\" for --storage.path: expected the path of a folder",
    ];
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), expected.len() + 1, "{text}");
    for (line, fault) in lines.iter().zip(expected) {
        assert!(
            line.starts_with(&format!("tidegate: error: {fault}")),
            "{line}"
        );
    }
}

#[test]
fn the_config_file_is_loaded_and_told_off_with_the_flags() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.yml");
    let flag = format!("--config.file={}", path.display());
    std::fs::write(&path, "ttl: {default: 2h, max: 3h}").unwrap();
    let found = settings(&[&flag], &[("TIDEGATE_TTL_MAX", "4h")]).unwrap();
    assert_eq!(found.ttl.default.to_string(), "2h");
    assert_eq!(found.ttl.max, Some(Duration::from_hours(4)));
    assert_eq!(found.policy_source.file.as_deref(), Some(path.as_path()));
    assert_eq!(found.policy_source.load(), Ok(found.ttl));
    std::fs::write(&path, "ttl: {default: x}").unwrap();
    let faults = settings(&[&flag, "--log.level=loud", "--ttl.min=y"], &[]).unwrap_err();
    let expected = [
        "for --ttl.min",
        ":1:16: ttl.default: bad value",
        "for --log.level",
    ];
    for (line, part) in faults.lines().iter().zip(expected) {
        assert!(line.contains(part), "{line}");
    }
    assert_eq!(faults.lines().len(), expected.len(), "{faults}");
    assert_eq!(
        settings(&["--config.file="], &[])
            .unwrap()
            .policy_source
            .file,
        None
    );
}

#[test]
fn history_grace_and_doors_are_read_and_checked() {
    let args = [
        "--ttl.history=1h",
        "--ttl.startup-grace=5m",
        "--web.enable-admin-api",
    ];
    let found = settings(&args, &[("TIDEGATE_WEB_ENABLE_ADMIN_API", "1")]).unwrap();
    assert_eq!(found.ttl_history, Duration::from_hours(1));
    assert_eq!(found.ttl_startup_grace, Duration::from_mins(5));
    assert!(found.enable_admin_api && !found.enable_lifecycle);
    let flag = settings(&["--push.disable-consistency-check"], &[]).unwrap();
    assert!(flag.hide_inconsistent);
    let found = settings(&[], &[]).unwrap();
    assert_eq!(found.ttl_history, Duration::from_hours(24));
    assert_eq!(found.ttl_startup_grace, Duration::ZERO);
    assert!(!found.enable_admin_api && !found.enable_lifecycle);
    let faults = settings(&["--ttl.history=x", "--ttl.startup-grace=never"], &[]);
    assert_eq!(faults.unwrap_err().lines().len(), 2);
}

#[test]
fn bounds_that_contradict_each_other_are_refused() {
    for (args, fault) in [
        (
            ["--ttl.min=1h", "--ttl.max=59m"],
            "\"59m\" for --ttl.max: it is below --ttl.min=1h",
        ),
        (
            ["--ttl.min=1h", "--ttl.default=59m"],
            "\"59m\" for --ttl.default: it is below",
        ),
    ] {
        let text = settings(&args, &[]).unwrap_err().to_string();
        assert!(text.contains(fault) && text.lines().count() == 1, "{text}");
    }
    assert!(settings(&["--ttl.min=1h", "--ttl.default=1h", "--ttl.max=1h"], &[]).is_ok());
}

#[test]
fn listen_addresses_are_read_and_shown() {
    let address = |host, port| Ok(ListenAddress { host, port });
    let v4 = || Host::Address(Ipv4Addr::LOCALHOST.into());
    let v6 = || Host::Address(Ipv6Addr::LOCALHOST.into());
    for (text, expected, shown) in [
        (":9091", address(Host::All, 9091), ":9091"),
        ("0.0.0.0:9091", address(Host::All, 9091), ":9091"),
        ("[::]:9091", address(Host::All, 9091), ":9091"),
        ("127.0.0.1:0", address(v4(), 0), "127.0.0.1:0"),
        ("[::1]:65535", address(v6(), 65535), "[::1]:65535"),
        (
            "localhost:80",
            address(Host::Name("localhost".into()), 80),
            "localhost:80",
        ),
        (
            "[fe80::1%eth0]:80",
            address(Host::Name("fe80::1%eth0".into()), 80),
            "[fe80::1%eth0]:80",
        ),
    ] {
        let read: Result<ListenAddress, _> = text.parse();
        assert_eq!(read, expected, "{text}");
        assert_eq!(read.unwrap().to_string(), shown);
    }
}

#[test]
fn what_is_no_listen_address_is_refused_with_the_reason() {
    use ListenAddressError::{BadHost, BadPort, NoBrackets, NoPort, NotTcp, Vsock};
    for (text, error) in [
        ("", NoPort),
        ("9091", NoPort),
        ("::1:9091", NoBrackets),
        (":", BadPort(String::new())),
        (":+80", BadPort("+80".into())),
        (":65536", BadPort("65536".into())),
        (":http", BadPort("http".into())),
        ("[]:1", BadHost("[]".into())),
        ("[127.0.0.1]:1", BadHost("[127.0.0.1]".into())),
        ("[::1%]:1", BadHost("[::1%]".into())),
        ("a b:1", BadHost("a b".into())),
        ("[::1:1", NoBrackets),
        ("vsock://:9091", Vsock),
        ("http://localhost:9091", NotTcp),
    ] {
        assert_eq!(text.parse::<ListenAddress>(), Err(error), "{text}");
    }
}

#[test]
fn body_sizes_have_units_and_bounds() {
    for (text, size) in [
        ("1", 1),
        ("65536", 65_536),
        ("7B", 7),
        ("10kB", 10_000),
        ("10KB", 10_000),
        ("10KiB", 10_240),
        ("10MB", 10_000_000),
        ("64MiB", MAX_BODY),
        ("256MiB", BODY_BYTES_IN_FLIGHT),
    ] {
        assert_eq!(body_size(text), Ok(size), "{text}");
    }
    for text in [
        "",
        "0",
        "-1",
        "1.5MiB",
        "64 MiB",
        "64M",
        "MiB",
        "513MiB",
        "1GB",
        "99999999999999999999GiB",
    ] {
        assert!(body_size(text).is_err(), "{text}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told_with_its_flag() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gone.yml");
    for flag in ["config.file", "web.config.file"] {
        let faults = settings(&[&format!("--{flag}={}", path.display())], &[]).unwrap_err();
        let says = format!("bad value {path:?} for --{flag}: cannot open it: ");
        assert!(faults.lines()[0].starts_with(&says), "{faults}");
        assert_eq!(faults.lines().len(), 1, "{faults}");
        let faults = settings(&[&format!("--{flag}=/")], &[]).unwrap_err();
        assert!(
            faults.to_string().contains(": cannot read it: "),
            "{faults}"
        );
    }
}
