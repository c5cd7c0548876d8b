//! The beginning of a connection with TLS.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::gate::Gate;
use super::reply;
use crate::limits::{HEAD_BYTES, HEADER_TIME};

/// The first byte of every TLS handshake: the type of its record.
const RECORD: u8 = 22;

/// Shakes hands within [`HEADER_TIME`]; `None` if the peer goes, or the time is over, before it
/// has said anything.
///
/// # Errors
/// If the peer does not finish in time, or says what is no handshake, or is not let in. One that
/// speaks plain HTTP has then been told.
pub(super) async fn handshake(
    stream: TcpStream,
    gate: &Gate,
) -> io::Result<Option<TlsStream<TcpStream>>> {
    let mut has_spoken = false;
    let shaken = timeout(HEADER_TIME, shake(stream, gate, &mut has_spoken)).await;
    match shaken {
        Ok(Ok(stream)) => Ok(Some(stream)),
        _ if !has_spoken => Ok(None),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

async fn shake(
    stream: TcpStream,
    gate: &Gate,
    has_spoken: &mut bool,
) -> io::Result<TlsStream<TcpStream>> {
    let mut first = [0];
    *has_spoken = stream.peek(&mut first).await? > 0;
    let tls = gate.tls().await;
    match tls {
        Some(tls) if first[0] == RECORD => TlsAcceptor::from(tls).accept(stream).await,
        _ if first[0].is_ascii_uppercase() => {
            tell(stream).await?;
            Err(io::Error::other(
                "it sent HTTP without TLS, and was answered 400",
            ))
        }
        _ => Err(io::Error::other("this is neither TLS nor HTTP")),
    }
}

/// Answers 400, and takes the head before the end: to close over unread bytes would
/// take the answer away from the peer.
async fn tell(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(reply::NO_TLS).await?;
    stream.shutdown().await?;
    let mut left = vec![0; HEAD_BYTES];
    for _ in 0..16 {
        if stream.read(&mut left).await? == 0 {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::clock::Clock;

    /// A gate with TLS, by a certificate of its own.
    fn gate() -> Gate {
        let folder = tempfile::tempdir().unwrap();
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("cert", &pair.cert.pem());
        write("key", &pair.signing_key.serialize_pem());
        write(
            "web.yml",
            "tls_server_config: {cert_file: cert, key_file: key}",
        );
        Gate::open(&folder.path().join("web.yml"), Clock::system()).unwrap()
    }

    /// Both ends of a connection.
    async fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, server) = tokio::join!(client, listener.accept());
        (client.unwrap(), server.unwrap().0)
    }

    /// Time is paused: it goes on when nothing else is left to do.
    #[tokio::test(start_paused = true)]
    async fn who_does_not_finish_a_handshake_is_left() {
        let gate = gate();
        for said in [&[RECORD][..], &[RECORD, 3, 1, 2, 0, 1]] {
            let (mut client, server) = connected().await;
            client.write_all(said).await.unwrap();
            let error = handshake(server, &gate).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{said:?}");
        }
        let (_client, server) = connected().await;
        let silent = handshake(server, &gate).await;
        assert!(matches!(silent, Ok(None)), "{silent:?}");
    }

    #[tokio::test]
    async fn what_is_neither_tls_nor_http_is_an_error() {
        let (mut client, server) = connected().await;
        client.write_all(b"\0nothing").await.unwrap();
        assert!(handshake(server, &gate()).await.is_err());
        let (client, server) = connected().await;
        drop(client);
        let silent = handshake(server, &gate()).await;
        assert!(matches!(silent, Ok(None)), "{silent:?}");
    }
}
