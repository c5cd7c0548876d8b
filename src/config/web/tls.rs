//! `tls_server_config`: from names and PEM to what a handshake needs.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::server::WantsServerCert;
use rustls::{ConfigBuilder, ProtocolVersion, ServerConfig, version};

use super::SeenFile;
use super::clients::Clients;
use super::names::{self, ClientAuth, Suite};
use crate::config::read_bytes;
use crate::config::reader::{FileFaults, Known, Placed, Reader, kind};
use crate::config::yaml::{Key, Node, Place, Value};
use crate::{certificates, crypto};

const PATH: &str = "tls_server_config";
const KEYS: Known = &[
    "cert_file",
    "key_file",
    "cert",
    "key",
    "client_ca_file",
    "client_ca",
    "client_auth_type",
    "client_allowed_sans",
    "min_version",
    "max_version",
    "cipher_suites",
    "curve_preferences",
    "prefer_server_cipher_suites",
];

/// Reads the files that the section names.
pub(super) struct PemFiles<'a, 'b> {
    /// Where relative paths start.
    pub(super) folder: &'a Path,
    /// Faults of these files, told at the keys that name them.
    pub(super) faults: &'a mut FileFaults<'b>,
    pub(super) seen: &'a mut Vec<SeenFile>,
}

/// A text in PEM, and the key of the section that it came by.
struct Pem {
    key: &'static str,
    place: Place,
    /// Beside PEM there may be anything in it, in any encoding.
    text: Vec<u8>,
}

/// The section; `None` if it has a fault, or asks for no TLS.
pub(super) fn section(
    reader: &mut Reader<'_, '_>,
    files: &mut PemFiles<'_, '_>,
    node: &Node,
    notices: &mut Vec<String>,
) -> Option<Arc<ServerConfig>> {
    let fields = reader.fields(node, PATH, KEYS);
    let mut section = Section {
        place: node.place,
        fields,
        reader,
        files,
        notices,
    };
    let handshake = section.handshake();
    let clients = section.clients();
    let pair = section.pair();
    let (handshake, clients, (cert, key)) = (handshake?, clients?, pair?);
    section.build(handshake, clients, &cert, &key)
}

/// How versions, suites and curves are to be.
struct Handshake {
    provider: Arc<CryptoProvider>,
    versions: Vec<&'static rustls::SupportedProtocolVersion>,
    prefer_own_suites: bool,
}

/// How clients are to be.
struct ClientRules {
    auth: ClientAuth,
    authorities: Option<Pem>,
    allowed: Vec<String>,
}

struct Section<'s, 'n, 'a, 'b, 'c, 'd> {
    place: Place,
    fields: Vec<(&'n Key, &'n Node)>,
    reader: &'s mut Reader<'a, 'b>,
    files: &'s mut PemFiles<'c, 'd>,
    notices: &'s mut Vec<String>,
}

impl<'n> Section<'_, 'n, '_, '_, '_, '_> {
    fn field(&self, name: &str) -> Option<&'n Node> {
        let given = |(key, node): &(&Key, &Node)| {
            key.name == name
                && node.value != Value::Nothing
                && node.value != Value::Text(String::new())
        };
        let found = self.fields.iter().find(|field| given(field));
        found.map(|(_, node)| *node)
    }

    /// The value of a key, `absent` at the section's place if it is not there; `None`
    /// is a fault.
    fn value<T, E: std::fmt::Display>(
        &mut self,
        name: &str,
        absent: T,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Placed<T>> {
        match self.field(name) {
            Some(node) => self.reader.placed(node, &format!("{PATH}.{name}"), parse),
            None => Some(Placed {
                value: absent,
                place: self.place,
            }),
        }
    }

    fn fault(&mut self, place: Place, key: &str, reason: impl std::fmt::Display) {
        let path = format!("{PATH}.{key}");
        self.reader
            .faults
            .add(place, path.trim_end_matches('.'), reason);
    }

    /// A list of names, those with faults left out.
    fn list<T, E: std::fmt::Display>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let Some(node) = self.field(name) else {
            return Vec::new();
        };
        let Value::List(nodes) = &node.value else {
            let reason = format!("expected a list, found {}", kind(&node.value));
            self.fault(node.place, name, reason);
            return Vec::new();
        };
        let values = nodes.iter().enumerate().filter_map(|(at, node)| {
            let path = format!("{PATH}.{name}[{at}]");
            self.reader.value(node, &path, &parse)
        });
        values.collect()
    }

    fn handshake(&mut self) -> Option<Handshake> {
        let versions = self.versions();
        let mut provider = crypto::provider();
        let suites = self.list("cipher_suites", |name| {
            names::suite(name, &provider.cipher_suites)
        });
        let curves = self.list("curve_preferences", |name| {
            let name = names::curve(name)?;
            crypto::key_exchange(name).ok_or("this curve is not there")
        });
        let prefer = self.value("prefer_server_cipher_suites", true, names::boolean);
        let versions = versions?;
        if !suites.is_empty() {
            self.choose(&suites, &mut provider, &versions)?;
        }
        if !curves.is_empty() {
            provider.kx_groups = curves;
        }
        Some(Handshake {
            provider: Arc::new(provider),
            versions,
            prefer_own_suites: prefer?.value,
        })
    }

    /// Those of TLS 1.3 cannot be chosen, as in Go: all are there.
    fn choose(
        &mut self,
        suites: &[Suite],
        provider: &mut CryptoProvider,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Option<()> {
        let place = self
            .field("cipher_suites")
            .map_or(self.place, |node| node.place);
        let mut chosen = Vec::new();
        for suite in suites {
            match suite {
                Suite::Known(suite) if suite.tls13().is_none() => chosen.push(*suite),
                Suite::Known(_) => {}
                Suite::Cbc => self.notices.push(
                    "tls_server_config.cipher_suites: suites with CBC are not offered".to_owned(),
                ),
            }
        }
        let all = provider.cipher_suites.iter();
        chosen.extend(all.filter(|suite| suite.tls13().is_some()));
        let serves = |version: &&rustls::SupportedProtocolVersion| {
            chosen.iter().any(|suite| suite.version() == *version)
        };
        if !versions.iter().any(serves) {
            let reason = "no suite of the list is there for the versions that are allowed";
            self.fault(place, "cipher_suites", reason);
            return None;
        }
        provider.cipher_suites = chosen;
        Some(())
    }

    fn versions(&mut self) -> Option<Vec<&'static rustls::SupportedProtocolVersion>> {
        let (low, high) = (ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3);
        let min = self.value("min_version", low, names::version);
        let max = self.value("max_version", high, names::version);
        let (min, Placed { value: max, place }) = (min?.value, max?);
        if min == high && max == low {
            self.fault(place, "max_version", "it is below min_version");
            return None;
        }
        let all = [&version::TLS13, &version::TLS12].into_iter();
        let within = |version: &&'static rustls::SupportedProtocolVersion| {
            (version.version != low || min == low) && (version.version != high || max == high)
        };
        Some(all.filter(within).collect())
    }

    fn clients(&mut self) -> Option<ClientRules> {
        let authorities = self.pem("client_ca", "client_ca_file");
        let allowed = self.list("client_allowed_sans", |name| Ok::<_, &str>(name.to_owned()));
        let auth = self.value("client_auth_type", ClientAuth::None, str::parse);
        let Placed { value: auth, place } = auth?;
        let has_authorities = self.field("client_ca").or(self.field("client_ca_file"));
        match (auth, has_authorities) {
            (ClientAuth::None, Some(node)) => {
                let reason = "client CA's have been configured without a Client Auth Policy: \
                    give client_auth_type";
                self.fault(node.place, "client_ca_file", reason);
                return None;
            }
            (auth, None) if auth.verifies() => {
                let reason = "client_ca_file or client_ca is missing: certificates of every \
                    public authority would be let in";
                self.fault(place, "client_auth_type", reason);
                return None;
            }
            _ => {}
        }
        if auth == ClientAuth::None && !allowed.is_empty() {
            let notice = "tls_server_config.client_allowed_sans has no effect: \
                client_auth_type asks for no certificate";
            self.notices.push(notice.to_owned());
        }
        // A file that cannot be read: its fault is told, and there is no TLS with it.
        if has_authorities.is_some() && authorities.is_none() {
            return None;
        }
        Some(ClientRules {
            auth,
            authorities,
            allowed,
        })
    }

    /// Certificate and key. A section that asks for nothing is no TLS, as in the
    /// original.
    fn pair(&mut self) -> Option<(Pem, Pem)> {
        let asks = [
            "cert",
            "cert_file",
            "key",
            "key_file",
            "client_ca",
            "client_ca_file",
        ];
        let asks = asks.iter().any(|name| self.field(name).is_some());
        if !asks && self.field("client_auth_type").is_none() {
            return None;
        }
        for (inline, file) in [("cert", "cert_file"), ("key", "key_file")] {
            if self.field(inline).or(self.field(file)).is_none() {
                let reason = format!("missing one of {inline} or {file}");
                self.fault(self.place, "", reason);
            }
        }
        let cert = self.pem("cert", "cert_file");
        let key = self.pem("key", "key_file");
        Some((cert?, key?))
    }

    /// A text that is given inline or as a file; `None` if neither, or with a fault.
    fn pem(&mut self, inline: &'static str, file: &'static str) -> Option<Pem> {
        match (self.field(inline), self.field(file)) {
            (None, None) => None,
            (Some(_), Some(node)) => {
                self.fault(
                    node.place,
                    file,
                    format!("{inline} is given too: only one may be"),
                );
                None
            }
            (Some(node), None) => {
                let text = self.reader.text(node, &format!("{PATH}.{inline}"))?;
                Some(Pem {
                    key: inline,
                    place: node.place,
                    text: text.as_bytes().to_vec(),
                })
            }
            (None, Some(node)) => {
                let path = self.reader.text(node, &format!("{PATH}.{file}"))?;
                let path = self.files.folder.join(path);
                let content = read_bytes(&path);
                self.files.seen.push(SeenFile::of(&path, &content));
                let content = content.map_err(|reason| format!("{}: {reason}", path.display()));
                self.good(node.place, file, content).map(|text| Pem {
                    key: file,
                    place: node.place,
                    text,
                })
            }
        }
    }

    /// A result about what a file holds, its error noted.
    fn good<T>(&mut self, place: Place, key: &str, result: Result<T, String>) -> Option<T> {
        let path = format!("{PATH}.{key}");
        result
            .map_err(|reason| self.files.faults.add(place, &path, reason))
            .ok()
    }

    fn build(
        &mut self,
        handshake: Handshake,
        clients: ClientRules,
        cert: &Pem,
        key: &Pem,
    ) -> Option<Arc<ServerConfig>> {
        let provider = handshake.provider;
        let chain = self.good(cert.place, cert.key, crypto::certificates(&cert.text));
        let secret = self.good(key.place, key.key, crypto::private_key(&key.text));
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&handshake.versions)
            .map_err(|error| error.to_string());
        let builder = self.good(self.place, "", builder);
        let builder = self.with_clients(builder?, clients, &provider);
        let (chain, secret) = (chain?, secret?);
        self.good(cert.place, cert.key, certificates::usable(&chain))?;
        let pair = crypto::fitting(&chain, &secret, &provider);
        self.good(key.place, key.key, pair)?;
        let config = builder?.with_single_cert(chain, secret);
        let mut config = self.good(cert.place, cert.key, config.map_err(|e| e.to_string()))?;
        config.ignore_client_order = handshake.prefer_own_suites;
        Some(Arc::new(config))
    }

    fn with_clients(
        &mut self,
        builder: ConfigBuilder<ServerConfig, rustls::WantsVerifier>,
        clients: ClientRules,
        provider: &Arc<CryptoProvider>,
    ) -> Option<ConfigBuilder<ServerConfig, WantsServerCert>> {
        if clients.auth == ClientAuth::None {
            return Some(builder.with_no_client_auth());
        }
        let (place, key, listed) = match &clients.authorities {
            None => (self.place, "", Ok(Vec::new())),
            Some(pem) => (pem.place, pem.key, crypto::certificates(&pem.text)),
        };
        let listed = self.good(place, key, listed)?;
        if clients.auth.verifies() {
            self.notices.extend(of_old(key, &listed));
        }
        let clients = Clients::new(clients.auth, listed, clients.allowed, Arc::clone(provider));
        let clients = self.good(place, key, clients)?;
        Some(builder.with_client_cert_verifier(Arc::new(clients)))
    }
}

/// What clients are told late: a certificate of the list that one of them may show, and that is
/// of a version that is not taken. Others that it has signed are let in all the same.
fn of_old(key: &str, listed: &[CertificateDer<'_>]) -> Option<String> {
    let is_old =
        |certificate| certificates::version(certificate).is_some_and(|version| version < 3);
    let places = listed.iter().enumerate();
    let places = places.filter(|(_, certificate)| is_old(certificate));
    let places: Vec<_> = places.map(|(place, _)| (place + 1).to_string()).collect();
    (!places.is_empty()).then(|| {
        format!(
            "{PATH}.{key}: certificate {} in it is not of X.509 v3: a client that shows it is refused",
            places.join(", ")
        )
    })
}
