//! `GET /api/v1/status`: what is running, in the Pushgateway's form.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::build_info;
use crate::http::context::Context;

/// Build, flags and the time of the start.
pub(super) fn status(context: &Context) -> Value {
    let flags: BTreeMap<&str, &str> = context
        .site
        .flags
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    json!({
        "build_information": {
            "branch": build_info::BRANCH,
            "buildDate": build_info::date(),
            "buildUser": "",
            "goVersion": build_info::compiler(),
            "revision": build_info::REVISION,
            "version": build_info::VERSION,
        },
        "flags": flags,
        "start_time": context.started.rfc3339().to_string(),
    })
}
