//! Certificates, and gateways that go by a web config file: ours and the original.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, SanType,
};
use tempfile::TempDir;

use crate::support::daemon::Daemon;
use crate::support::process::server_binary;
use crate::support::{LIMIT, eventually};

/// A folder with `ca.pem`, and `server.pem` and `server.key` by it.
pub(crate) struct Folder(TempDir);

/// An authority that signs certificates.
pub(crate) struct Authority(Issuer<'static, KeyPair>);

impl Authority {
    /// The one of this name that has this key, its certificate being elsewhere.
    pub(crate) fn of(name: &str, key: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::from_pem(key).expect("a key");
        Self(Issuer::new(params, key))
    }
}

impl Folder {
    pub(crate) fn new() -> (Self, Authority) {
        let folder = Self(tempfile::tempdir().expect("a temporary folder"));
        let authority = folder.authority("ca");
        folder.certificate(&authority, "server", &[local()]);
        (folder, authority)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).expect("write a file");
    }

    /// An authority of its own, its certificate in `NAME.pem`.
    pub(crate) fn authority(&self, name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        self.write(&format!("{name}.pem"), &certificate.pem());
        Authority(Issuer::new(params, key))
    }

    /// A certificate that signed itself, in `NAME.pem` and `NAME.key`: that of an authority,
    /// as `openssl req -x509` makes them, unless `change` says otherwise.
    pub(crate) fn self_signed(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names = vec![local()];
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        self.write(&format!("{name}.key"), &key.serialize_pem());
        self.write(&format!("{name}.pem"), &certificate.pem());
    }

    /// `NAME.pem` with what all of these have in theirs.
    pub(crate) fn listed(&self, name: &str, others: &[&str]) {
        let read = |other: &&str| fs::read_to_string(self.file(&format!("{other}.pem")));
        let texts: Result<String, _> = others.iter().map(read).collect();
        self.write(&format!("{name}.pem"), &texts.expect("certificates"));
    }

    /// A certificate for these names, in `NAME.pem` and `NAME.key`.
    pub(crate) fn certificate(&self, authority: &Authority, name: &str, names: &[SanType]) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names = names.to_vec();
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &authority.0).expect("a certificate");
        self.write(&format!("{name}.key"), &key.serialize_pem());
        self.write(&format!("{name}.pem"), &certificate.pem());
    }
}

/// The name of every server here.
pub(crate) fn local() -> SanType {
    SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// What `web.yml` begins with for TLS.
pub(crate) const TLS: &str =
    "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n";

/// A gateway by `web.yml` of a folder.
pub(crate) struct Server {
    pub(crate) daemon: Daemon,
    pub(crate) address: SocketAddr,
    folder: PathBuf,
}

impl Server {
    /// Ours.
    pub(crate) fn start(folder: &Folder, config: &str) -> Self {
        folder.write("web.yml", config);
        let mut command = Command::new(server_binary());
        command.arg(format!("--storage.path={}", folder.file("store").display()));
        Self::run(folder, command)
    }

    /// Debian's Pushgateway.
    pub(crate) fn original(folder: &Folder, config: &str) -> Self {
        folder.write("web.yml", config);
        let mut command = Command::new("prometheus-pushgateway");
        command.arg(format!(
            "--persistence.file={}",
            folder.file("data").display()
        ));
        Self::run(folder, command)
    }

    fn run(folder: &Folder, mut command: Command) -> Self {
        command.arg("--web.listen-address=127.0.0.1:0");
        command.arg(format!(
            "--web.config.file={}",
            folder.file("web.yml").display()
        ));
        command.args(["--log.level=debug"]);
        let mut daemon = Daemon::spawn(&mut command, &folder.file("log"));
        let address = daemon.listening_address();
        let server = Self {
            daemon,
            address,
            folder: folder.path().to_owned(),
        };
        eventually(LIMIT, "a gateway that answers", || {
            let log = server.daemon.log();
            let is_up = log.contains("store loaded") || log.contains("TLS is");
            is_up.then_some(()).ok_or(log)
        });
        server
    }

    /// The answer to curl with these arguments, over TLS.
    pub(crate) fn curl(&self, path: &str, arguments: &[&str]) -> Answer {
        self.curl_at(&format!("https://{}{path}", self.address), arguments)
    }

    /// The same without TLS.
    pub(crate) fn plain_curl(&self, path: &str, arguments: &[&str]) -> Answer {
        self.curl_at(&format!("http://{}{path}", self.address), arguments)
    }

    /// Whether curl is let in with `NAME.pem` and `NAME.key`.
    pub(crate) fn lets_in(&self, name: &str, arguments: &[&str]) -> bool {
        let (cert, key) = (format!("{name}.pem"), format!("{name}.key"));
        let shown = ["--cert", cert.as_str(), "--key", key.as_str()];
        self.curl("/-/ready", &[&shown, arguments].concat()).status == 200
    }

    fn curl_at(&self, url: &str, arguments: &[&str]) -> Answer {
        let mut command = Command::new("curl");
        command.current_dir(&self.folder);
        command.args(["-sS", "-i", "--max-time", "60", "--cacert", "ca.pem"]);
        let output = command.args(arguments).arg(url).output().expect("curl");
        Answer::of(&output)
    }
}

/// What curl saw.
#[derive(Debug)]
pub(crate) struct Answer {
    /// `HTTP/1.1` or `HTTP/2`; empty if there was no answer.
    pub(crate) version: String,
    /// 0 if there was no answer.
    pub(crate) status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Why there was none.
    pub(crate) error: String,
}

impl Answer {
    fn of(output: &Output) -> Self {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let mut first = lines.next().unwrap_or_default().split(' ');
        let version = first.next().unwrap_or_default().to_owned();
        let status = first.next().and_then(|status| status.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        Self {
            version,
            status: status.unwrap_or_default(),
            headers: headers.collect(),
            body: body.to_owned(),
            error: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}
