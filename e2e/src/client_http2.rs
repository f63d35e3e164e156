//! An HTTP/2 client (the `h2` crate's) for what curl can't be told to do.

use std::time::Duration;

use anyhow::{Context as _, Result};
use h2::{Reason, client};
use http::Request;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

use crate::client::Seen;

/// How it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// A unary gRPC call, to its end: the text is its status, as `grpc-status: N`.
    Grpc,
    /// A request that it takes back with this RST_STREAM, after a while without an answer.
    Reset(Reason),
}

/// Asks through this port.
pub fn ask(port: u16, how: Ask) -> Result<Seen> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { timeout(Duration::from_secs(15), talk(port, how)).await? })
}

async fn talk(port: u16, how: Ask) -> Result<Seen> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let (sender, connection) = client::handshake(stream).await?;
    tokio::spawn(async move {
        // The request's own error says more.
        let _ = connection.await;
    });
    let request = Request::post(format!("http://127.0.0.1:{port}/package.Service/Method"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())?;
    let mut sender = sender.ready().await?;
    let (response, mut body) = sender.send_request(request, false)?;
    body.send_data(bytes::Bytes::from_static(&[0; 5]), matches!(how, Ask::Grpc))?;
    if let Ask::Reset(reason) = how {
        sleep(Duration::from_millis(200)).await;
        body.send_reset(reason);
        sleep(Duration::from_millis(100)).await;
        return Ok(Seen { status: None, exit: 0, text: format!("reset: {reason}") });
    }
    let (head, mut body) = match response.await {
        Ok(response) => response.into_parts(),
        Err(error) => return Ok(Seen { status: None, exit: 1, text: error.to_string() }),
    };
    let mut text = String::new();
    while let Some(part) = body.data().await {
        match part {
            Ok(part) => body.flow_control().release_capacity(part.len())?,
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
