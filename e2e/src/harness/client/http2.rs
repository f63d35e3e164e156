//! An HTTP/2 client (the `h2` crate's) for what curl can't do.

use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, client};
use http::Request;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

use super::seen::Seen;

/// A message of no bytes in gRPC's framing.
const EMPTY_MESSAGE: Bytes = Bytes::from_static(&[0; 5]);

/// Messages of a stream, after the first.
const MESSAGES: usize = 4;

/// How it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// A unary gRPC call, to its end: the text is its status, as `grpc-status: N`.
    Grpc,
    /// A gRPC call with several messages, each sent when the one before it has come back.
    GrpcStream,
    /// A tunnel by CONNECT, ended with this RST_STREAM once what it sent has come back.
    Tunnel(Reason),
    /// A request that it takes back with this RST_STREAM, after a while without an answer.
    Reset(Reason),
    /// A gRPC call that it takes back with CANCEL once the answer's headers are there, and a message if one comes.
    Watch,
    /// The same, ended by closing the connection.
    WatchAndLeave,
}

/// Asks through this port.
pub fn ask(port: u16, how: Ask) -> Result<Seen> {
    let seen = ask_at_once(port, &format!("127.0.0.1:{port}"), "/package.Service/Method", how, 1)?;
    seen.into_iter().next().context("no answer")
}

/// Asks this host for this path `times` times at once, on one connection.
pub fn ask_at_once(port: u16, host: &str, path: &str, how: Ask, times: usize) -> Result<Vec<Seen>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let all = async {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let (sender, connection) = client::handshake(stream).await?;
        tokio::spawn(async move {
            // The request's own error says more.
            let _ = connection.await;
        });
        let url = format!("http://{host}{path}");
        let calls: Vec<_> =
            (0..times).map(|_| tokio::spawn(talk(sender.clone(), url.clone(), how))).collect();
        let mut seen = Vec::new();
        for call in calls {
            seen.push(call.await??);
        }
        Ok(seen)
    };
    runtime.block_on(async { timeout(Duration::from_secs(15), all).await? })
}

async fn talk(sender: SendRequest<Bytes>, url: String, how: Ask) -> Result<Seen> {
    if let Ask::Tunnel(reason) = how {
        return tunnel(sender, reason).await;
    }
    let request =
        Request::post(url).header("content-type", "application/grpc").header("te", "trailers").body(())?;
    let mut sender = sender.ready().await?;
    let (response, mut sending) = sender.send_request(request, false)?;
    sending.send_data(EMPTY_MESSAGE, matches!(how, Ask::Grpc))?;
    if let Ask::Reset(reason) = how {
        sleep(Duration::from_millis(200)).await;
        sending.send_reset(reason);
        sleep(Duration::from_millis(100)).await;
        return Ok(Seen { status: None, exit: 0, text: format!("reset: {reason}") });
    }
    let (head, mut body) = match response.await {
        Ok(response) => response.into_parts(),
        Err(error) => return Ok(Seen { status: None, exit: 1, text: error.to_string() }),
    };
    if matches!(how, Ask::Watch | Ask::WatchAndLeave) {
        let message = timeout(Duration::from_millis(300), body.data()).await.ok().flatten();
        if how == Ask::Watch {
            sending.send_reset(Reason::CANCEL);
            sleep(Duration::from_millis(100)).await;
        } else {
            // Dropped, they would be reset.
            std::mem::forget((sending, body));
        }
        let text = format!("messages: {}", u8::from(message.is_some()));
        return Ok(Seen { status: Some(head.status.as_u16()), exit: 0, text });
    }
    let mut text = String::new();
    let mut messages = if how == Ask::GrpcStream { MESSAGES } else { 0 };
    while let Some(part) = body.data().await {
        match part {
            Ok(part) => {
                body.flow_control().release_capacity(part.len())?;
                if messages > 0 {
                    messages -= 1;
                    sending.send_data(EMPTY_MESSAGE, messages == 0)?;
                }
            }
            Err(error) => {
                text = error.to_string();
                break;
            }
        }
    }
    if text.is_empty() {
        let trailers = body.trailers().await?.unwrap_or_default();
        let status = head.headers.get("grpc-status").or_else(|| trailers.get("grpc-status"));
        let status = status.context("no grpc-status")?.to_str()?;
        text = format!("grpc-status: {status}");
    }
    Ok(Seen { status: Some(head.status.as_u16()), exit: 0, text })
}

async fn tunnel(sender: SendRequest<Bytes>, reason: Reason) -> Result<Seen> {
    let request = Request::connect("a.example:80").body(())?;
    let (response, mut sending) = sender.ready().await?.send_request(request, false)?;
    sending.send_data(Bytes::from_static(b"hello"), false)?;
    let (head, mut body) = response.await?.into_parts();
    let echo = body.data().await.context("nothing came back")??;
    sending.send_reset(reason);
    // A reset is on its way only when the connection has been looked after once more.
    sleep(Duration::from_millis(100)).await;
    Ok(Seen {
        status: Some(head.status.as_u16()),
        exit: 0,
        text: String::from_utf8_lossy(&echo).into_owned(),
    })
}
