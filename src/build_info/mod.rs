//! What this binary was built from. Facts that the build script could not learn
//! are `unknown`.

use std::time::{Duration, SystemTime};

/// The package's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The git commit, 40 hex digits.
pub const REVISION: &str = known(env!("TIDEGATE_REVISION"));

/// The git branch; `HEAD` where none was checked out.
pub const BRANCH: &str = known(env!("TIDEGATE_BRANCH"));

/// What `rustc --version` printed.
const RUSTC: &str = env!("TIDEGATE_RUSTC");

/// The compiler in the form of a `goversion`: `rustc1.95.0`.
pub fn compiler() -> String {
    let version = RUSTC.split_whitespace().nth(1);
    version.map_or_else(|| "unknown".to_owned(), |version| format!("rustc{version}"))
}

/// The date of the build, RFC 3339 in UTC: `SOURCE_DATE_EPOCH` if it was set, else
/// the time of the commit, so that equal sources make equal binaries.
pub fn date() -> String {
    let epoch = env!("TIDEGATE_BUILD_EPOCH")
        .parse()
        .ok()
        .map(Duration::from_secs);
    let date = epoch.and_then(|epoch| SystemTime::UNIX_EPOCH.checked_add(epoch));
    date.map_or_else(
        || "unknown".to_owned(),
        |date| humantime::format_rfc3339_seconds(date).to_string(),
    )
}

/// The operating system under Go's name for it.
pub fn go_os() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        os => os,
    }
}

/// The processor architecture under Go's name for it.
pub fn go_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "loongarch64" => "loong64",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        arch => arch,
    }
}

const fn known(fact: &'static str) -> &'static str {
    if fact.is_empty() { "unknown" } else { fact }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_is_there_or_unknown() {
        let hex = REVISION.len() == 40 && REVISION.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(hex || REVISION == "unknown", "{REVISION}");
        assert!(!BRANCH.is_empty());
        assert!(
            date() == "unknown" || humantime::parse_rfc3339(&date()).is_ok(),
            "{}",
            date()
        );
        assert_eq!(VERSION.split('.').count(), 3);
    }

    #[test]
    fn the_compiler_looks_like_a_goversion() {
        let compiler = compiler();
        let version = compiler.strip_prefix("rustc").unwrap();
        assert!(version.starts_with("1."), "{compiler}");
    }
}
