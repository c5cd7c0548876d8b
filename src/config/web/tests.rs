use std::fs;

use tempfile::TempDir;

use super::*;

const HASH: &str = "$2y$04$aaaaaaaaaaaaaaaaaaaaau/nCn7vVCwqYJerX0DCwClIsiqBXJIjC";

/// A folder with a certificate, its key, another key, and a web config file.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pair = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (own, other) = (pair(), pair());
        let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
        write("cert.pem", own.cert.pem());
        write("key.pem", own.signing_key.serialize_pem());
        write("other.pem", other.signing_key.serialize_pem());
        write("empty.pem", String::new());
        Self(folder)
    }

    fn load(&self, text: &str) -> Result<WebConfig, Vec<String>> {
        let path = self.0.path().join("web.yml");
        fs::write(&path, text).unwrap();
        let folder = self.0.path().display().to_string();
        let short = |line: String| line.replace(&format!("{folder}/"), "");
        load(&path).map_err(|faults| faults.into_lines().into_iter().map(short).collect())
    }

    /// The faults of a `tls_server_config` with certificate and key and this.
    fn tls(&self, rest: &str) -> Result<Arc<ServerConfig>, String> {
        let pair = "cert_file: cert.pem, key_file: key.pem";
        let text = format!("tls_server_config: {{{pair}{rest}}}");
        let loaded = self.load(&text).map_err(|lines| lines.join("\n"));
        loaded.map(|config| config.tls.unwrap())
    }
}

#[test]
fn an_empty_file_asks_for_nothing() {
    for text in [
        "",
        "# nothing\n",
        "tls_server_config:\n",
        "tls_server_config: {}",
        "tls_server_config: {min_version: TLS13}",
        "basic_auth_users: {}",
        "rate_limit: {interval: 0}",
        "rate_limit: {interval: 0s, burst: 5}",
    ] {
        let config = Folder::new().load(text).unwrap();
        assert!(config.tls.is_none() && config.http2, "{text}");
        assert!(
            config.users.is_empty() && config.headers.is_empty(),
            "{text}"
        );
        assert_eq!(config.rate_limit, None, "{text}");
    }
}

#[test]
fn all_sections_are_read() {
    let config = Folder::new().load(&format!(
        "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n\
         http_server_config:\n  http2: off\n  headers:\n    X-Frame-Options: sameorigin\n    \
         X-XSS-Protection:\n    X-Content-Type-Options: nosniff\n\
         basic_auth_users:\n  alice: {HASH}\n  \"\": {HASH}\n\
         rate_limit:\n  interval: 1.5s\n  burst: 7\n"
    ));
    let config = config.unwrap();
    assert!(config.tls.is_some() && !config.http2);
    let headers = [
        ("X-Frame-Options", "sameorigin"),
        ("X-Content-Type-Options", "nosniff"),
    ];
    assert_eq!(
        config.headers,
        headers.map(|(name, value)| (name, value.to_owned()))
    );
    assert_eq!(config.users.keys().collect::<Vec<_>>(), ["", "alice"]);
    let limit = RateLimit {
        interval: Duration::from_millis(1500),
        burst: 7,
    };
    assert_eq!(config.rate_limit, Some(limit));
    assert!(
        !format!("{config:?}").contains("$2y$"),
        "a hash in a message"
    );
}

#[test]
fn all_faults_are_told_at_once_with_their_places_and_without_secrets() {
    let text = "tls_server_config:\n  cert_file: nothing.pem\n  min_version: TLS10\n\
         \x20 max_version: TLS99\n  cipher_suites: [TLS_X]\n  curve_preferences: [CurveP521, P1]\n\
         \x20 client_auth_type: Maybe\n  bogus: 1\nhttp_server_config:\n  http2: maybe\n\
         \x20 headers: {X-Foo: 1, X-Frame-Options: allow}\nbasic_auth_users: {bob: hunter2}\n\
         rate_limit: {interval: 5, burst: x}\nnonsense: 1\n";
    let faults = Folder::new().load(text).unwrap_err();
    let expected = [
        "web.yml:2:3: tls_server_config: missing one of key or key_file",
        "web.yml:3:16: tls_server_config.min_version: bad value \"TLS10\": TLS below 1.2",
        "web.yml:4:16: tls_server_config.max_version: bad value \"TLS99\": unknown TLS version",
        "web.yml:5:19: tls_server_config.cipher_suites[0]: bad value \"TLS_X\": unknown cipher",
        "web.yml:6:23: tls_server_config.curve_preferences[0]: bad value \"CurveP521\": key exch",
        "web.yml:6:34: tls_server_config.curve_preferences[1]: bad value \"P1\": unknown curve",
        "web.yml:7:21: tls_server_config.client_auth_type: bad value \"Maybe\": expected NoCli",
        "web.yml:8:3: tls_server_config.bogus: unknown key, expected one of cert_file",
        "web.yml:10:10: http_server_config.http2: bad value \"maybe\": expected true or false",
        "web.yml:11:13: http_server_config.headers.X-Foo: unknown key, expected one of Strict-",
        "web.yml:11:40: http_server_config.headers.X-Frame-Options: bad value \"allow\": expec",
        "web.yml:12:25: basic_auth_users.bob: expected a bcrypt hash",
        "web.yml:13:24: rate_limit.interval: bad value \"5\": expected a duration with a unit",
        "web.yml:13:34: rate_limit.burst: bad value \"x\": expected a number",
        "web.yml:14:1: nonsense: unknown key, expected one of tls_server_config",
        "web.yml:2:14: tls_server_config.cert_file: nothing.pem: cannot open it",
    ];
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(fault.starts_with(expected), "{fault}");
        assert!(!fault.contains("hunter2"), "{fault}");
    }
}

#[test]
fn versions_suites_and_curves_are_chosen_by_their_go_names() {
    let folder = Folder::new();
    let config = folder.tls(
        ", min_version: TLS12, max_version: TLS12, curve_preferences: [CurveP384], \
         cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_AES_128_GCM_SHA256]",
    );
    let provider = Arc::clone(config.unwrap().crypto_provider());
    let groups: Vec<_> = provider
        .kx_groups
        .iter()
        .map(|group| group.name())
        .collect();
    assert_eq!(groups, [rustls::NamedGroup::secp384r1]);
    let suites = provider.cipher_suites.iter();
    // Those of TLS 1.3 are always there.
    assert_eq!(suites.filter(|suite| suite.tls13().is_none()).count(), 1);
    assert!(folder.tls("").unwrap().ignore_client_order);
    let config = folder.tls(", prefer_server_cipher_suites: no").unwrap();
    assert!(!config.ignore_client_order);
    for (rest, fault) in [
        (
            ", min_version: TLS13, max_version: TLS12",
            "max_version: it is below min_version",
        ),
        (
            ", max_version: TLS12, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]",
            "cipher_suites: no suite of the list is there",
        ),
        (
            ", max_version: TLS11",
            "max_version: bad value \"TLS11\": TLS below 1.2",
        ),
        (
            ", cipher_suites: TLS_X",
            "cipher_suites: expected a list, found a single value",
        ),
    ] {
        let text = folder.tls(rest).unwrap_err();
        assert!(text.contains(fault) && text.lines().count() == 1, "{text}");
    }
}

#[test]
fn certificates_and_keys_have_to_be_there_and_to_fit() {
    let folder = Folder::new();
    for (text, fault) in [
        ("cert_file: cert.pem", "missing one of key or key_file"),
        (
            "client_auth_type: RequestClientCert",
            "missing one of cert or cert_file",
        ),
        (
            "cert_file: cert.pem, key_file: other.pem",
            "key_file: certificate and key do not fit",
        ),
        (
            "cert_file: empty.pem, key_file: key.pem",
            "cert_file: there is no certificate in it",
        ),
        (
            "cert_file: cert.pem, key_file: cert.pem",
            "key_file: there is no private key in it",
        ),
        (
            "cert_file: cert.pem, key_file: none",
            "key_file: none: cannot open it",
        ),
        (
            "cert_file: cert.pem, cert: x, key_file: key.pem",
            "cert_file: cert is given too",
        ),
    ] {
        let faults = folder
            .load(&format!("tls_server_config: {{{text}}}"))
            .unwrap_err();
        assert!(
            faults.iter().any(|line| line.contains(fault)),
            "{text}: {faults:?}"
        );
    }
}

#[test]
fn what_is_wrong_with_a_pem_text_is_said_in_words_and_without_its_lines() {
    let folder = Folder::new();
    let file = |name: &str| folder.0.path().join(name);
    let whole = fs::read_to_string(file("cert.pem")).unwrap();
    let key = fs::read_to_string(file("key.pem")).unwrap();
    let half = |text: &str| text[..text.len() / 2].to_owned();
    let begin = |text: &str| text.replacen("-----\n", "", 1);
    let (cut, open, torn) = (
        "it is cut off: a -----BEGIN line has no -----END line",
        "a line that starts with -----BEGIN does not end in -----",
        "what stands between -----BEGIN and -----END is not base64",
    );
    for (text, fault) in [
        (half(&whole), cut),
        (begin(&whole), open),
        (whole.replacen("MII", "M!I", 1), torn),
    ] {
        fs::write(file("cert.pem"), text).unwrap();
        let told = folder.tls("").unwrap_err();
        let fault = format!("tls_server_config.cert_file: {fault}");
        assert!(told.ends_with(&fault), "{told}");
    }
    fs::write(file("cert.pem"), &whole).unwrap();
    for (text, fault) in [
        (half(&key), cut),
        (begin(&key), open),
        (key.replacen("MIG", "M!G", 1), torn),
    ] {
        fs::write(file("key.pem"), text).unwrap();
        let told = folder.tls("").unwrap_err();
        let fault = format!("key_file: there is no private key in it: {fault}");
        assert!(told.ends_with(&fault), "{told}");
    }
}

#[test]
fn a_certificate_of_x509_v1_is_named_as_such() {
    let folder = Folder::new();
    let old = include_str!("../../../tests/web_config/v1.pem");
    fs::write(folder.0.path().join("old.pem"), old).unwrap();
    let key = include_str!("../../../tests/web_config/v1.key");
    fs::write(folder.0.path().join("old.key"), key).unwrap();
    let told = folder.load("tls_server_config: {cert_file: old.pem, key_file: old.key}");
    let fault = "tls_server_config.cert_file: the certificate in it cannot be used: \
                 it is an X.509 v1 certificate, and only v3 is taken";
    assert!(
        told.as_ref().is_err_and(|told| told[0].ends_with(fault)),
        "{told:?}"
    );
    // As an authority it will do; who shows it will not be let in.
    let both = [
        &fs::read_to_string(folder.0.path().join("cert.pem")).unwrap(),
        old,
    ]
    .concat();
    fs::write(folder.0.path().join("both.pem"), both).unwrap();
    let config = folder.load(
        "tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_ca_file: both.pem, \
         client_auth_type: RequireAndVerifyClientCert}",
    );
    let notice = "tls_server_config.client_ca_file: certificate 2 in it is not of X.509 v3: \
                  a client that shows it is refused";
    assert_eq!(config.unwrap().notices, [notice]);
}

#[test]
fn pem_may_stand_in_the_file_itself() {
    let folder = Folder::new();
    let pem = |name: &str| {
        let text = fs::read_to_string(folder.0.path().join(name)).unwrap();
        format!("    {}\n", text.trim_end().replace('\n', "\n    "))
    };
    let (cert, key) = (pem("cert.pem"), pem("key.pem"));
    let text = format!(
        "tls_server_config:\n  cert: |\n{cert}  key: |\n{key}  client_ca: |\n{cert}  \
         client_auth_type: RequireAndVerifyClientCert\n"
    );
    assert!(folder.load(&text).unwrap().tls.is_some());
}

#[test]
fn comments_beside_pem_may_be_in_any_encoding() {
    let folder = Folder::new();
    let cert = folder.0.path().join("cert.pem");
    let text = [&b"Subject: M\xfcller\n"[..], &fs::read(&cert).unwrap()].concat();
    fs::write(&cert, text).unwrap();
    folder.tls("").unwrap();
}

#[test]
fn authorities_and_kinds_of_client_auth_have_to_fit() {
    let folder = Folder::new();
    for auth in [
        "RequestClientCert",
        "RequireAnyClientCert",
        "RequireClientCert",
    ] {
        folder.tls(&format!(", client_auth_type: {auth}")).unwrap();
    }
    for auth in ["VerifyClientCertIfGiven", "RequireAndVerifyClientCert"] {
        let text = folder
            .tls(&format!(", client_auth_type: {auth}"))
            .unwrap_err();
        assert!(
            text.contains("client_ca_file or client_ca is missing"),
            "{text}"
        );
        let rest = format!(", client_auth_type: {auth}, client_ca_file: cert.pem");
        folder.tls(&rest).unwrap();
    }
    let text = folder.tls(", client_ca_file: cert.pem").unwrap_err();
    assert!(text.contains("client CA's have been configured without a Client Auth Policy"));
    let text =
        folder.tls(", client_auth_type: RequireAndVerifyClientCert, client_ca_file: empty.pem");
    assert!(
        text.unwrap_err()
            .contains("client_ca_file: there is no certificate in it")
    );
}

#[test]
fn a_rate_limit_that_lets_nothing_through_is_refused() {
    let faults = Folder::new()
        .load("rate_limit: {interval: 10ms}")
        .unwrap_err();
    assert!(faults[0].contains("rate_limit.burst: with interval 10ms it has to be 1 or more"));
}

#[test]
fn hashes_are_bcrypt_of_a_cost_that_can_be_waited_for() {
    let rest = &HASH[6..];
    for (text, good) in [
        (HASH.to_owned(), true),
        (format!("$2a$16{rest}"), true),
        (format!("$2b$17{rest}"), false),
        (format!("$2b$03{rest}"), false),
        (format!("$2x$04{rest}"), false),
        (HASH[..59].to_owned(), false),
        ("secret".to_owned(), false),
        (String::new(), false),
        ("$apr1$abc".to_owned(), false),
    ] {
        assert_eq!(text.parse::<PasswordHash>().is_ok(), good, "{text}");
    }
}

#[test]
fn a_reading_is_outdated_when_any_of_its_files_reads_otherwise() {
    let folder = Folder::new();
    let path = folder.0.path().join("web.yml");
    let text = "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n";
    fs::write(&path, text).unwrap();
    let first = reading(&path);
    assert!(!first.is_outdated());
    let key = folder.0.path().join("key.pem");
    let other = fs::read(folder.0.path().join("other.pem")).unwrap();
    let own = fs::read(&key).unwrap();
    fs::write(&key, other).unwrap();
    assert!(first.is_outdated());
    let second = reading(&path);
    assert!(second.config.is_ok() && second.certificates.is_some());
    fs::remove_file(&key).unwrap();
    assert!(second.is_outdated());
    let third = reading(&path);
    assert!(!third.is_outdated());
    fs::write(&key, own).unwrap();
    assert!(third.is_outdated() && !first.is_outdated());
}
