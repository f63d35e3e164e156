//! A receiver of access logs and spans over gRPC: Envoy's own protocol, and OpenTelemetry's.
//!
//! On `h2` and `prost`: `tonic` and `envoy-types` would save 140 lines, for 22 crates more and 89,000 lines to compile.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, bail};
use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use prost::Message;
use serde_json::{Map, Value, json};
use tokio::runtime::Builder;

use super::misbehaving::Misbehaving;

type Entries = Arc<Mutex<Vec<Value>>>;

/// A running receiver of all of them; ends when dropped.
#[derive(Debug)]
pub struct LogReceiver {
    server: Misbehaving,
    entries: Entries,
}

impl LogReceiver {
    /// Starts it at this address.
    pub fn start(address: SocketAddr) -> Result<Self> {
        let entries = Entries::default();
        let own = Arc::clone(&entries);
        let server = Misbehaving::serving_at(address, move |stream| {
            // A proxy that is gone leaves its stream in the middle.
            if let Ok(runtime) = Builder::new_current_thread().enable_all().build() {
                let _ = runtime.block_on(serve(stream, &own));
            }
        })?;
        Ok(Self { server, entries })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// What has come so far: `{"otel": ...}`, `{"als": ...}` and, of spans, `{"span": ...}`.
    pub fn entries(&self) -> Vec<Value> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(stream: TcpStream, entries: &Entries) -> Result<()> {
    stream.set_nonblocking(true)?;
    let mut connection = h2::server::handshake(tokio::net::TcpStream::from_std(stream)?).await?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        tokio::spawn(receive(request, respond, Arc::clone(entries)));
    }
    Ok(())
}

/// One call: OpenTelemetry's ends with its message, Envoy's stays open.
async fn receive(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    entries: Entries,
) -> Result<()> {
    let (head, mut body) = request.into_parts();
    let mut bytes = Vec::new();
    while let Some(part) = body.data().await {
        let part = part?;
        body.flow_control().release_capacity(part.len())?;
        bytes.extend_from_slice(&part);
        while let Some(message) = next_message(&mut bytes) {
            let new = decode(head.uri.path(), &message)?;
            entries.lock().unwrap_or_else(PoisonError::into_inner).extend(new);
        }
    }
    let answer = Response::builder().header("content-type", "application/grpc").body(())?;
    let mut body = respond.send_response(answer, false)?;
    // An empty message in gRPC's framing.
    body.send_data(Bytes::from_static(&[0; 5]), false)?;
    let trailers = [("grpc-status".parse()?, HeaderValue::from_static("0"))];
    body.send_trailers(HeaderMap::from_iter(trailers))?;
    Ok(())
}

/// The first whole message of a gRPC stream: a flag, its length, itself.
fn next_message(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = u32::from_be_bytes(bytes.get(1..5)?.try_into().ok()?) as usize;
    bytes.get(..5 + length)?;
    let rest = bytes.split_off(5 + length);
    let message = std::mem::replace(bytes, rest);
    Some(message[5..].to_vec())
}

fn decode(path: &str, message: &[u8]) -> Result<Vec<Value>> {
    match path {
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => {
            let request = ExportLogsServiceRequest::decode(message)?;
            let scopes = request.resource_logs.into_iter().flat_map(|logs| logs.scope_logs);
            let records = scopes.flat_map(|scope| scope.log_records);
            Ok(records
                .map(|record| {
                    let attributes = texts(record.attributes);
                    json!({ "otel": { "body": text(record.body), "attributes": attributes } })
                })
                .collect())
        }
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => {
            let request = ExportTraceServiceRequest::decode(message)?;
            let scopes = request.resource_spans.into_iter().flat_map(|spans| spans.scope_spans);
            let spans = scopes.flat_map(|scope| scope.spans);
            Ok(spans.map(|span| json!({ "span": texts(span.attributes) })).collect())
        }
        "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs" => {
            let message = StreamAccessLogsMessage::decode(message)?;
            let entries = message.http_logs.into_iter().flat_map(|logs| logs.log_entry);
            Ok(entries.map(|entry| json!({ "als": entry.shown() })).collect())
        }
        other => bail!("nobody serves {other}"),
    }
}

fn texts(attributes: Vec<KeyValue>) -> Map<String, Value> {
    attributes.into_iter().map(|attribute| (attribute.key, text(attribute.value))).collect()
}

fn text(value: Option<AnyValue>) -> Value {
    match value.and_then(|value| value.value) {
        Some(any_value::Value::StringValue(text)) => text.into(),
        other => format!("{other:?}").into(),
    }
}

/// `envoy.service.accesslog.v3.StreamAccessLogsMessage`, as far as it is looked at: protobuf passes over the rest.
#[derive(Clone, PartialEq, Message)]
struct StreamAccessLogsMessage {
    #[prost(message, optional, tag = "2")]
    http_logs: Option<HttpAccessLogEntries>,
}

#[derive(Clone, PartialEq, Message)]
struct HttpAccessLogEntries {
    #[prost(message, repeated, tag = "1")]
    log_entry: Vec<HttpAccessLogEntry>,
}

/// `envoy.data.accesslog.v3.HTTPAccessLogEntry`
#[derive(Clone, PartialEq, Message)]
struct HttpAccessLogEntry {
    #[prost(message, optional, tag = "1")]
    common_properties: Option<AccessLogCommon>,
    #[prost(message, optional, tag = "3")]
    request: Option<HttpRequestProperties>,
    #[prost(message, optional, tag = "4")]
    response: Option<HttpResponseProperties>,
}

#[derive(Clone, PartialEq, Message)]
struct AccessLogCommon {
    #[prost(map = "string, message", tag = "21")]
    filter_state_objects: HashMap<String, AnyMessage>,
}

/// `google.protobuf.Any`
#[derive(Clone, PartialEq, Message)]
struct AnyMessage {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.protobuf.BytesValue`
#[derive(Clone, PartialEq, Message)]
struct BytesValue {
    #[prost(bytes = "vec", tag = "1")]
    value: Vec<u8>,
}

/// `google.protobuf.UInt32Value`
#[derive(Clone, PartialEq, Message)]
struct UInt32Value {
    #[prost(uint32, tag = "1")]
    value: u32,
}

#[derive(Clone, PartialEq, Message)]
struct HttpRequestProperties {
    #[prost(string, tag = "3")]
    authority: String,
    #[prost(string, tag = "5")]
    path: String,
}

#[derive(Clone, PartialEq, Message)]
struct HttpResponseProperties {
    #[prost(message, optional, tag = "1")]
    response_code: Option<UInt32Value>,
    #[prost(string, tag = "6")]
    response_code_details: String,
}

impl HttpAccessLogEntry {
    fn shown(self) -> Value {
        let request = self.request.unwrap_or_default();
        let response = self.response.unwrap_or_default();
        let states = self.common_properties.unwrap_or_default().filter_state_objects;
        let states: Map<String, Value> =
            states.into_iter().map(|(key, value)| (key, value.shown())).collect();
        json!({
            "common_properties": { "filter_state_objects": states },
            "request": { "authority": request.authority, "path": request.path },
            "response": {
                "response_code": response.response_code.unwrap_or_default().value,
                "response_code_details": response.response_code_details,
            },
        })
    }
}

impl AnyMessage {
    /// The text in it; of another type than a plugin's values have, its name.
    fn shown(self) -> Value {
        if self.type_url != "type.googleapis.com/google.protobuf.BytesValue" {
            return self.type_url.into();
        }
        let bytes = BytesValue::decode(&self.value[..]).unwrap_or_default().value;
        String::from_utf8_lossy(&bytes).into_owned().into()
    }
}
