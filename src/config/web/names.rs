//! Values of the web config file as Go names and writes them.

use std::str::FromStr;
use std::time::Duration;

use rustls::{NamedGroup, ProtocolVersion, SupportedCipherSuite};

use crate::duration;

/// A boolean of YAML 1.1.
pub(super) fn boolean(text: &str) -> Result<bool, &'static str> {
    match text {
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => {
            Ok(true)
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => {
            Ok(false)
        }
        _ => Err("expected true or false"),
    }
}

/// A duration of Go: always with a unit, since a number alone would be nanoseconds.
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    if text != "0" && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("expected a duration with a unit, such as 10ms or 1s".to_owned());
    }
    duration::parse(text).map_err(|error| error.to_string())
}

/// A version of TLS that can be spoken.
pub(super) fn version(text: &str) -> Result<ProtocolVersion, &'static str> {
    match text {
        "TLS12" => Ok(ProtocolVersion::TLSv1_2),
        "TLS13" => Ok(ProtocolVersion::TLSv1_3),
        "TLS10" | "TLS11" => Err("TLS below 1.2 is broken and not spoken: TLS12 or TLS13"),
        _ => Err("unknown TLS version: expected TLS12 or TLS13"),
    }
}

/// A group for key exchange.
pub(super) fn curve(text: &str) -> Result<NamedGroup, &'static str> {
    match text {
        "CurveP256" => Ok(NamedGroup::secp256r1),
        "CurveP384" => Ok(NamedGroup::secp384r1),
        "X25519" => Ok(NamedGroup::X25519),
        "CurveP521" => Err("key exchange by P-521 is not there: CurveP256, CurveP384 or X25519"),
        _ => Err("unknown curve: expected CurveP256, CurveP384 or X25519"),
    }
}

/// A cipher suite of Go.
#[derive(Clone, Copy)]
pub(super) enum Suite {
    Known(SupportedCipherSuite),
    /// One with CBC, which the library leaves out for its history of attacks.
    Cbc,
}

/// Of those the library has, by the name that Go gives it.
pub(super) fn suite(text: &str, all: &[SupportedCipherSuite]) -> Result<Suite, String> {
    const CBC: [&str; 4] = [
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    ];
    if CBC.contains(&text) {
        return Ok(Suite::Cbc);
    }
    let names = all.iter().map(|suite| {
        let name = format!("{:?}", suite.suite());
        (name.replace("TLS13_", "TLS_"), *suite)
    });
    let names: Vec<_> = names.collect();
    let found = names.iter().find(|(name, _)| name == text);
    found.map(|(_, suite)| Suite::Known(*suite)).ok_or_else(|| {
        let names: Vec<_> = names.iter().map(|(name, _)| name.as_str()).collect();
        format!("unknown cipher: expected one of {}", names.join(", "))
    })
}

/// What is asked of clients' certificates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ClientAuth {
    None,
    Request,
    RequireAny,
    VerifyIfGiven,
    RequireAndVerify,
}

impl FromStr for ClientAuth {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" | "NoClientCert" => Ok(Self::None),
            "RequestClientCert" => Ok(Self::Request),
            // The second for files of old.
            "RequireAnyClientCert" | "RequireClientCert" => Ok(Self::RequireAny),
            "VerifyClientCertIfGiven" => Ok(Self::VerifyIfGiven),
            "RequireAndVerifyClientCert" => Ok(Self::RequireAndVerify),
            _ => Err(
                "expected NoClientCert, RequestClientCert, RequireAnyClientCert, \
                 VerifyClientCertIfGiven or RequireAndVerifyClientCert",
            ),
        }
    }
}

impl ClientAuth {
    /// Whether clients without a certificate are turned away.
    pub(super) fn is_mandatory(self) -> bool {
        matches!(self, Self::RequireAny | Self::RequireAndVerify)
    }

    /// Whether certificates have to come from one of the CAs.
    pub(super) fn verifies(self) -> bool {
        matches!(self, Self::VerifyIfGiven | Self::RequireAndVerify)
    }
}
