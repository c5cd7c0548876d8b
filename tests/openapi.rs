//! The description of the API, held against the real server by schemathesis.

mod support;

use std::process::Command;

use support::process::Gateway;
use support::{output, python_tool, repository_file};

/// What a description promises: statuses, types and forms of answers, and no server errors.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance";

fn check(gateway: &Gateway) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    output(
        Command::new(python_tool("st"))
            .current_dir(&folder)
            .arg("run")
            .arg(repository_file("src/http/api/openapi.yaml"))
            .arg(format!("--url={}", gateway.url()))
            .arg(format!("--checks={CHECKS}"))
            .args(["--phases=examples,coverage,fuzzing", "--max-examples=20"])
            // The same requests every time.
            .args(["--seed=1", "--no-color"]),
    );
}

#[test]
fn the_server_answers_as_described() {
    let gateway = Gateway::start_with(&["--web.enable-admin-api"]);
    // Groups of the names that the description gives as examples, so that some are found.
    for (group, ttl) in [("job/backup", "1h"), ("job/a", "2h"), ("job/0", "never")] {
        let headers = [("Tidegate-TTL", ttl)];
        let answer = gateway.send("PUT", &format!("/metrics/{group}"), &headers, "m 1\n");
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let gone = gateway.send("DELETE", "/metrics/job/0", &[], "");
    assert_eq!(gone.status, 202);
    check(&gateway);
}
