//! Requests to a running gateway, and its answers.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use ureq::Agent;
use ureq::http::{Method, Request, Response, StatusCode, header};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector, TcpConnector};

use super::Failure;
use super::args::Target;
use super::https::Https;
use super::tls;
use crate::limits::{CLIENT_ANSWER, CLIENT_ANSWER_TIME, CLIENT_CONNECT_TIME, CLIENT_WORDS};
use crate::unseen::visible_lines;

/// A gateway that can be asked.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    /// Scheme, host, port and path prefix, no slash at its end.
    address: String,
    authorization: Option<String>,
    /// Whose certificate the gateway is shown.
    cert_file: Option<PathBuf>,
}

impl Client {
    /// # Errors
    /// If the address is none, or a file that is named cannot be read.
    pub(super) fn new(target: &Target) -> Result<Self, Failure> {
        let address = address(&target.address)?;
        let https = address.starts_with("https://");
        let https = Https {
            config: tls::config(https, target)?,
        };
        let config = Agent::config_builder()
            // A redirected POST would become a GET, and a password go elsewhere.
            .max_redirects(0)
            .http_status_as_error(false)
            .proxy(None)
            .timeout_connect(Some(CLIENT_CONNECT_TIME))
            .timeout_global(Some(CLIENT_ANSWER_TIME))
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")));
        let credentials = target.username.as_ref().zip(target.password_file.as_ref());
        let authorization = credentials
            .map(|(name, file)| Ok(basic(name, &password(file)?)))
            .transpose()?;
        Ok(Self {
            agent: Agent::with_parts(
                config.build(),
                ().chain(TcpConnector::default()).chain(https),
                DefaultResolver::default(),
            ),
            address,
            authorization,
            cert_file: target.cert_file.clone(),
        })
    }

    /// The `data` of an API answer; null if there is none. `path` begins with a
    /// slash; `query` holds names and values, as they are.
    pub(super) fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        self.data(Method::GET, path, query, None)
    }

    /// Sends a POST, with a JSON body if there is one.
    pub(super) fn post(
        &self,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        self.data(Method::POST, path, query, body)
    }

    /// Sends a PUT with a JSON body.
    pub(super) fn put(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.data(Method::PUT, path, &[], Some(body))
    }

    /// Sends a DELETE to the API.
    pub(super) fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.data(Method::DELETE, path, &[], None)
    }

    /// Deletes one group as pushers do; how many groups that removed.
    pub(super) fn delete_group(&self, group: &str) -> Result<u64, Failure> {
        let answer = self.send(Method::DELETE, &format!("/metrics/{group}"), &[], None)?;
        let deleted = answer.headers().get("tidegate-groups-deleted").cloned();
        text_of(answer)?;
        let deleted = deleted.as_ref().and_then(|value| value.to_str().ok());
        deleted
            .and_then(|count| count.parse().ok())
            .ok_or_else(not_ours)
    }

    /// The `data` of the answer to any request; null if there is none.
    pub(super) fn data(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let text = text_of(self.send(method, path, query, body)?)?;
        if text.trim().is_empty() {
            return Ok(Value::Null);
        }
        let mut answer: Value = serde_json::from_str(&text).map_err(|_| not_ours())?;
        if answer["status"] != "success" {
            return Err(not_ours());
        }
        Ok(answer["data"].take())
    }

    fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Response<ureq::Body>, Failure> {
        let mut url = format!("{}{path}", self.address);
        for (place, (name, value)) in query.iter().enumerate() {
            let sign = if place == 0 { '?' } else { '&' };
            url.push(sign);
            url.push_str(&super::group::escaped(name));
            url.push('=');
            url.push_str(&super::group::escaped(value));
        }
        let mut request = Request::builder().method(method).uri(&url);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let sent = match body {
            Some(body) => request
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.to_string())
                .map(|request| self.agent.run(request)),
            None => request.body(()).map(|request| self.agent.run(request)),
        };
        let sent = sent.map_err(|error| Failure::Refused(format!("{url}: {error}")))?;
        sent.map_err(|error| self.unanswered(&error))
    }

    /// Why there is no answer.
    fn unanswered(&self, error: &ureq::Error) -> Failure {
        let address = &self.address;
        let shown = self.cert_file.as_deref();
        if let Some(reason) = tls::refusal(error, shown) {
            return Failure::Refused(format!("{address}: {reason}"));
        }
        let is_tls = address.starts_with("https://");
        let hint = if is_tls && shown.is_none() && tls::is_hung_up(error) {
            "; if it asks for a certificate, give --cert-file and --key-file"
        } else {
            ""
        };
        Failure::Unreachable(format!("cannot reach {address}: {error}{hint}"))
    }
}

/// The text of a good answer; the gateway's words if it refused.
fn text_of(mut answer: Response<ureq::Body>) -> Result<String, Failure> {
    let status = answer.status();
    let body = answer.body_mut().with_config().limit(CLIENT_ANSWER as u64);
    let text = body.lossy_utf8(true).read_to_string().map_err(|error| {
        Failure::Unreachable(format!("the answer of the gateway broke off: {error}"))
    })?;
    if status.is_success() {
        return Ok(text);
    }
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    let words = json["error"].as_str().unwrap_or(&text).trim();
    let words: String = words.chars().take(CLIENT_WORDS).collect();
    let hint = match status {
        StatusCode::UNAUTHORIZED => "; give --username and --password-file",
        status if status.is_redirection() => COMPLETE,
        // Ours has a group's name in it; this one is of a path that nobody serves.
        StatusCode::NOT_FOUND if json["error"].is_null() => COMPLETE,
        _ => "",
    };
    let colon = if words.is_empty() { "" } else { ": " };
    let code = status.as_u16();
    Err(Failure::Refused(format!(
        "the gateway answered {code}{colon}{}{hint}",
        visible_lines(&words)
    )))
}

const COMPLETE: &str = "; is --address complete, its path prefix included?";

fn not_ours() -> Failure {
    let text = "the answer is not that of a tidegate; is --address right?";
    Failure::Refused(text.to_owned())
}

fn address(text: &str) -> Result<String, Failure> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    if !matches!(scheme, "http" | "https") {
        let reason = format!("--address: {scheme}:// is neither http:// nor https://");
        return Err(Failure::Refused(reason));
    }
    let full = format!("{scheme}://{}", rest.trim_end_matches('/'));
    let uri: Result<ureq::http::Uri, _> = full.parse();
    let has_host = uri.is_ok_and(|uri| uri.host().is_some_and(|host| !host.is_empty()));
    if !has_host || full.contains(['?', '#', '@']) {
        let reason = format!("--address: {text:?} is no address such as http://localhost:9091");
        return Err(Failure::Refused(reason));
    }
    Ok(full)
}

fn password(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Refused(format!("{}: {error}", file.display())))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn basic(name: &str, password: &str) -> String {
    let credentials = format!("{name}:{password}");
    format!("Basic {}", STANDARD.encode(credentials))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_completed_and_checked() {
        for (text, full) in [
            ("http://localhost:9091", "http://localhost:9091"),
            ("localhost:9091/", "http://localhost:9091"),
            ("https://gw/prefix//", "https://gw/prefix"),
            ("http://[::1]:1", "http://[::1]:1"),
        ] {
            assert_eq!(address(text).as_deref(), Ok(full));
        }
        for text in [
            "",
            "http://",
            "ftp://a",
            "http://a?b",
            "http://u:p@a",
            "a b",
            "http://:1",
        ] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn credentials_are_written_as_the_rfc_has_them() {
        // The example of RFC 7617.
        let written = basic("Aladdin", "open sesame");
        assert_eq!(written, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }
}
