//! An HTTP/2 server (the `h2` crate's), with gRPC as far as scenarios need it.

use std::net::TcpStream;

use anyhow::Result;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::runtime::Builder;

use super::misbehaving::Misbehaving;

/// A message of no bytes in gRPC's framing.
const EMPTY_MESSAGE: &[u8] = &[0; 5];

/// What it does with every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Http2 {
    /// A gRPC answer: an empty message, then this status in the trailers.
    Grpc(&'static str),
    /// A gRPC answer with this message, and status 0.
    GrpcSays(&'static [u8]),
    /// A gRPC stream: sends back whatever comes, then status 0.
    GrpcEchoes,
    /// A gRPC stream on which no message ever comes.
    GrpcSilent,
    /// A gRPC error as servers send it: the status in the headers, and no body.
    GrpcRefuses(&'static str),
    /// The same with a message.
    GrpcRefusesSaying(&'static str, &'static str),
    /// RST_STREAM instead of an answer.
    Resets(Reason),
    /// RST_STREAM after the headers and a part of the body.
    ResetsMidway(Reason),
    /// A body of four bytes with this `content-length`.
    Promises(&'static str),
    /// Headers and a part of the body, then the connection's end.
    ClosesMidway,
    /// GOAWAY for the whole connection instead of an answer.
    GoesAway(Reason),
    /// Takes the request and never answers.
    NeverAnswers,
}

/// Starts it on a free port.
pub(super) fn start(habit: Http2) -> Result<Misbehaving> {
    Misbehaving::serving(move |stream| {
        // A connection that ends in an error is what scenarios ask for.
        if let Ok(runtime) = Builder::new_current_thread().enable_all().build() {
            let _ = runtime.block_on(serve(stream, habit));
        }
    })
}

async fn serve(stream: TcpStream, habit: Http2) -> Result<()> {
    stream.set_nonblocking(true)?;
    let mut connection = h2::server::handshake(tokio::net::TcpStream::from_std(stream)?).await?;
    // Streams that are dropped are reset: those without an answer are held.
    let mut held = Vec::new();
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        if let Http2::GoesAway(reason) = habit {
            connection.abrupt_shutdown(reason);
        }
        held.extend(answer(request, respond, habit)?);
        if habit == Http2::ClosesMidway {
            // What was sent is on its way by then.
            let _ = tokio::time::timeout(std::time::Duration::from_millis(100), connection.accept()).await;
            return Ok(());
        }
    }
    Ok(())
}

type Held = (Request<RecvStream>, SendResponse<bytes::Bytes>);

fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<bytes::Bytes>,
    habit: Http2,
) -> Result<Option<Held>> {
    let headers = Response::builder().header("content-type", "application/grpc");
    match habit {
        Http2::Grpc(status) => {
            let mut body = respond.send_response(headers.body(())?, false)?;
            body.send_data(EMPTY_MESSAGE.into(), false)?;
            let trailers = [("grpc-status".parse()?, HeaderValue::from_static(status))];
            body.send_trailers(HeaderMap::from_iter(trailers))?;
        }
        Http2::GrpcSays(message) => {
            let mut framed = vec![0];
            framed.extend_from_slice(&u32::try_from(message.len())?.to_be_bytes());
            framed.extend_from_slice(message);
            let mut body = respond.send_response(headers.body(())?, false)?;
            body.send_data(framed.into(), false)?;
            let trailers = [("grpc-status".parse()?, HeaderValue::from_static("0"))];
            body.send_trailers(HeaderMap::from_iter(trailers))?;
        }
        Http2::GrpcEchoes => {
            let answer = respond.send_response(headers.body(())?, false)?;
            // A client that leaves is a scenario's own.
            tokio::spawn(async move { drop(echo(request.into_body(), answer).await) });
        }
        Http2::GrpcSilent => {
            let body = respond.send_response(headers.body(())?, false)?;
            tokio::spawn(async move {
                tokio::time::sleep(std::time::Duration::from_secs(60)).await;
                drop(body);
            });
        }
        Http2::GrpcRefuses(status) => {
            respond.send_response(headers.header("grpc-status", status).body(())?, true)?;
        }
        Http2::GrpcRefusesSaying(status, message) => {
            let headers = headers.header("grpc-status", status).header("grpc-message", message);
            respond.send_response(headers.body(())?, true)?;
        }
        Http2::Resets(reason) => respond.send_reset(reason),
        Http2::ResetsMidway(reason) => {
            let mut body = respond.send_response(headers.body(())?, false)?;
            body.send_data(EMPTY_MESSAGE.into(), false)?;
            tokio::spawn(async move {
                // What was sent before a reset is lost unless it is on its way.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                body.send_reset(reason);
            });
        }
        Http2::Promises(length) => {
            let headers = Response::builder().header("content-length", length);
            respond.send_response(headers.body(())?, false)?.send_data("half".into(), true)?;
        }
        Http2::ClosesMidway => {
            let headers = Response::builder().header("content-length", "100");
            let mut body = respond.send_response(headers.body(())?, false)?;
            body.send_data("half".into(), false)?;
            // Dropped it would be reset.
            std::mem::forget(body);
        }
        Http2::GoesAway(_) | Http2::NeverAnswers => return Ok(Some((request, respond))),
    }
    Ok(None)
}

async fn echo(mut request: RecvStream, mut answer: SendStream<bytes::Bytes>) -> Result<()> {
    while let Some(part) = request.data().await {
        let part = part?;
        request.flow_control().release_capacity(part.len())?;
        answer.send_data(part, false)?;
    }
    let trailers = [("grpc-status".parse()?, HeaderValue::from_static("0"))];
    answer.send_trailers(HeaderMap::from_iter(trailers))?;
    Ok(())
}
