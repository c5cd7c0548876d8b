//! Build script: hands revision, branch, compiler and build time to `build_info`.
//!
//! Needs no git and never fails. It runs again only when the commit checked out
//! changes, not with every build.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=src/build_info/build.rs");
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let in_git = package_is_the_repository();
    if in_git {
        watch_checkout();
    }
    let ask_git = |args: &[&str]| in_git.then(|| git(args)).flatten();
    // 32 bits reach to 2106; a date beyond what can be printed is no date.
    let epoch = env::var("SOURCE_DATE_EPOCH")
        .ok()
        .or_else(|| ask_git(&["show", "--no-patch", "--format=%ct", "HEAD"]))
        .filter(|epoch| epoch.parse::<u32>().is_ok());
    set("REVISION", ask_git(&["rev-parse", "HEAD"]));
    set("BRANCH", ask_git(&["rev-parse", "--abbrev-ref", "HEAD"]));
    set("BUILD_EPOCH", epoch);
    set(
        "RUSTC",
        env::var("RUSTC")
            .ok()
            .and_then(|rustc| output(&rustc, &["--version"])),
    );
}

fn set(name: &str, value: Option<String>) {
    println!(
        "cargo:rustc-env=TIDEGATE_{name}={}",
        value.unwrap_or_default()
    );
}

/// Whether git's repository is this package, and not one that holds a copy of it
/// (a vendored source, a home folder under git): that one's commits say nothing of us.
fn package_is_the_repository() -> bool {
    let top =
        git(&["rev-parse", "--show-toplevel"]).and_then(|top| Path::new(&top).canonicalize().ok());
    let package =
        env::var_os("CARGO_MANIFEST_DIR").and_then(|path| Path::new(&path).canonicalize().ok());
    top.is_some() && top == package
}

/// Has cargo run this script again after a commit or a checkout. Only paths that
/// exist are named: cargo takes a missing one as always changed.
fn watch_checkout() {
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    let names = ["HEAD", "logs/HEAD", "packed-refs"]
        .into_iter()
        .chain(branch.as_deref());
    for path in names.filter_map(|name| git(&["rev-parse", "--git-path", name])) {
        if Path::new(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
}

fn git(args: &[&str]) -> Option<String> {
    output("git", args)
}

/// What a command prints, trimmed, if it succeeds and prints anything.
fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(args)
        .output()
        .ok()
        .filter(|run| run.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty() && !text.contains('\n')).then_some(text)
}
