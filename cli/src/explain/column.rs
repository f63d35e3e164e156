//! What a column of an access log holds, whatever the log calls it.

use super::time;

macro_rules! columns {
    ($($variant:ident $doc:literal [$($operator:literal)*] [$($key:literal)*],)*) => {
        /// What a column holds.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Column { $(#[doc = $doc] $variant,)* }

        impl Column {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The column that one of Envoy's format operators prints, without its percent signs.
            pub(super) fn of_operator(operator: &str) -> Option<Self> {
                match operator { $($($operator)|* => Some(Self::$variant),)* _ => None }
            }

            /// The column that logs in JSON have under this key: Istio's default, ours, and Envoy's operators in lower case.
            fn of_exact_key(key: &str) -> Option<Self> {
                match key { $($($key => Some(Self::$variant),)*)* _ => None }
            }
        }
    };
}

// Operators are compared in upper case and without a length limit (`:Z`); see `Operator::parse`.
columns! {
    Time "When the request came."
        ["START_TIME" "EMIT_TIME"] ["start_time" "timestamp" "time" "@timestamp"],
    Method "Request method."
        ["REQ(:METHOD)"] ["method" ":method" "request_method"],
    Path "Request path."
        ["REQ(X-ENVOY-ORIGINAL-PATH?:PATH)" "REQ(:PATH)" "REQ_WITHOUT_QUERY(X-ENVOY-ORIGINAL-PATH?:PATH)" "REQ_WITHOUT_QUERY(:PATH)" "PATH(NQ)" "PATH(WQ)"]
        ["path" ":path" "request_path" "x-envoy-origin-path" "x-envoy-original-path" "x_envoy_original_path" "uri_path"],
    Protocol "HTTP version of the request."
        ["PROTOCOL"] ["protocol"],
    Code "HTTP status code."
        ["RESPONSE_CODE"] ["response_code" "status_code" "response_status" "resp_code"],
    BytesSent "Bytes of the response's body, or sent to the client of a connection."
        ["BYTES_SENT"] ["bytes_sent"],
    Flags "Response flags, short."
        ["RESPONSE_FLAGS"] ["response_flags"],
    FlagsLong "Response flags, long."
        ["RESPONSE_FLAGS_LONG"] ["response_flags_long"],
    Details "Response code details."
        ["RESPONSE_CODE_DETAILS"] ["response_code_details"],
    Termination "Connection termination details."
        ["CONNECTION_TERMINATION_DETAILS"] ["connection_termination_details"],
    UpstreamFailure "Why the connection to the upstream failed."
        ["UPSTREAM_TRANSPORT_FAILURE_REASON"] ["upstream_transport_failure_reason"],
    DownstreamFailure "Why TLS with the client failed."
        ["DOWNSTREAM_TRANSPORT_FAILURE_REASON"] ["downstream_transport_failure_reason"],
    RequestId "The request's id, the same at every proxy."
        ["REQ(X-REQUEST-ID)" "STREAM_ID"] ["request_id" "x_request_id" "x-request-id" "request-id"],
    Authority "The host that the request asks for."
        ["REQ(:AUTHORITY)" "REQ(HOST)" "REQ(X-ENVOY-ORIGINAL-HOST?:AUTHORITY)"] ["authority" "authority_for" ":authority" "request_authority"],
    ContentType "The request's content type."
        ["REQ(CONTENT-TYPE)"] ["content_type"],
    Mixer "What Mixer's policy check said (Istio 1.7 and older)."
        ["DYNAMIC_METADATA(ISTIO.MIXER:STATUS)"] ["istio_policy_status"],
    UpstreamHost "Address of the endpoint."
        ["UPSTREAM_HOST" "UPSTREAM_REMOTE_ADDRESS"] ["upstream_host"],
    Cluster "Cluster."
        ["UPSTREAM_CLUSTER" "UPSTREAM_CLUSTER_RAW" "KUMA_DESTINATION_SERVICE"] ["upstream_cluster"],
    RemoteAddress "Address of the client."
        ["DOWNSTREAM_REMOTE_ADDRESS" "DOWNSTREAM_DIRECT_REMOTE_ADDRESS"] ["downstream_remote_address"],
    LocalAddress "Address that the client connected to."
        ["DOWNSTREAM_LOCAL_ADDRESS"] ["downstream_local_address"],
    UpstreamLocal "This proxy's own address towards the upstream."
        ["UPSTREAM_LOCAL_ADDRESS"] ["upstream_local_address"],
    Sni "Server name that the client asked for in TLS."
        ["REQUESTED_SERVER_NAME" "REQUESTED_SERVER_NAME(SNI_ONLY)"] ["requested_server_name"],
    Route "Route."
        ["ROUTE_NAME"] ["route_name"],
    VirtualHost "Virtual host."
        ["CEL(XDS.VIRTUAL_HOST_NAME)"] ["virtual_host_name" "virtual_host"],
    FilterChain "Filter chain."
        ["FILTER_CHAIN_NAME" "CEL(XDS.FILTER_CHAIN_NAME)"] ["filter_chain_name"],
    DownstreamTls "TLS version towards the client."
        ["DOWNSTREAM_TLS_VERSION" "CEL(CONNECTION.TLS_VERSION)"] ["downstream_tls_version"],
    UpstreamTls "TLS version towards the upstream."
        ["UPSTREAM_TLS_VERSION" "CEL(UPSTREAM.TLS_VERSION)"] ["upstream_tls_version"],
    GrpcStatus "gRPC's status, which Envoy makes up where there is none."
        ["GRPC_STATUS" "GRPC_STATUS_NUMBER" "GRPC_STATUS(CAMEL_STRING)" "GRPC_STATUS(SNAKE_STRING)" "GRPC_STATUS(NUMBER)"]
        ["grpc_status" "grpc_status_number"],
    GrpcTrailer "gRPC's status in the answer's trailers."
        ["TRAILER(GRPC-STATUS)"] [],
    GrpcHeader "gRPC's status in the answer's headers."
        ["RESP(GRPC-STATUS)"] [],
    Duration "How long it lived, in milliseconds."
        ["DURATION"] ["duration"],
    ServiceTime "How long the upstream took until its answer's headers, in milliseconds: nothing where it gave none."
        ["RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)"] ["upstream_service_time" "x-envoy-upstream-service-time"],
    Attempts "Number of attempts."
        ["UPSTREAM_REQUEST_ATTEMPT_COUNT"] ["upstream_request_attempt_count"],
    Endpoints "Number of the cluster's endpoints."
        ["CEL(UPSTREAM.NUM_ENDPOINTS)"] ["upstream_endpoints"],
    TlsMode "Whether the endpoint takes Istio's mutual TLS."
        ["METADATA(UPSTREAM_HOST:ENVOY.TRANSPORT_SOCKET_MATCH:TLSMODE)"] ["upstream_tls_mode"],
    RouteConfig "The resource behind the route."
        ["METADATA(ROUTE:ISTIO:CONFIG)"] ["route_config"],
    ClusterConfig "The resource behind the cluster."
        ["METADATA(CLUSTER:ISTIO:CONFIG)"] ["cluster_config"],
    Cause "What meshwhy's filter called the cause."
        ["FILTER_STATE(WASM.MESHWHY.CAUSE:PLAIN)" "CEL(FILTER_STATE['WASM.MESHWHY.CAUSE'])"] ["cause"],
    Confidence "How sure meshwhy's filter was."
        ["FILTER_STATE(WASM.MESHWHY.CONFIDENCE:PLAIN)" "CEL(FILTER_STATE['WASM.MESHWHY.CONFIDENCE'])"] ["confidence"],
    Side "Who has to act, as meshwhy's filter said."
        ["FILTER_STATE(WASM.MESHWHY.SIDE:PLAIN)" "CEL(FILTER_STATE['WASM.MESHWHY.SIDE'])"] ["side"],
    Resource "The resource that meshwhy's filter named."
        ["FILTER_STATE(WASM.MESHWHY.RESOURCE:PLAIN)" "CEL(FILTER_STATE['WASM.MESHWHY.RESOURCE'])"] ["resource"],
    Evidence "The evidence of meshwhy's filter."
        ["FILTER_STATE(WASM.MESHWHY.EVIDENCE:PLAIN)" "CEL(FILTER_STATE['WASM.MESHWHY.EVIDENCE'])"] ["evidence"],
    Fix "The fix of meshwhy's filter."
        ["FILTER_STATE(WASM.MESHWHY.FIX:PLAIN)" "CEL(FILTER_STATE['WASM.MESHWHY.FIX'])"] ["fix"],
    Meshwhy "All that meshwhy's filter said, as one JSON object."
        ["FILTER_STATE(WASM.MESHWHY:PLAIN)" "CEL(FILTER_STATE['WASM.MESHWHY'])"] ["meshwhy"],
}

impl Column {
    /// The column that logs in JSON have under this key, however it is written: `response_code`, `responseCode`, `RESPONSE-CODE`.
    pub(super) fn of_key(key: &str) -> Option<Self> {
        Self::of_exact_key(key).or_else(|| {
            let key = plain(key);
            let inner = key.strip_prefix("envoy").or_else(|| key.strip_prefix("accesslog"));
            Self::of_plain_key(&key).or_else(|| Self::of_plain_key(inner?))
        })
    }

    /// Keys of Gloo, kgateway, Contour, Kuma, Emissary and App Mesh's examples, and of the operators, without case and signs.
    fn of_plain_key(key: &str) -> Option<Self> {
        Some(match key {
            "starttime" | "timestamp" | "systemtime" => Self::Time,
            "method" | "reqmethod" | "requestmethod" | "httpmethod" => Self::Method,
            "path" | "reqpath" | "requestpath" | "originalpath" | "xenvoyoriginalpath"
            | "xenvoyoriginpath" | "uripath" => Self::Path,
            "protocol" | "httpprotocol" | "requestprotocol" | "httpversion" => Self::Protocol,
            "responsecode" | "respcode" | "httpresponsecode" => Self::Code,
            "responseflags" | "responseflag" | "respflags" => Self::Flags,
            "responseflagslong" => Self::FlagsLong,
            "responsecodedetails" | "respcodedetails" | "responsedetails" => Self::Details,
            "connectionterminationdetails" => Self::Termination,
            "upstreamtransportfailurereason" | "upstreamfailurereason" => Self::UpstreamFailure,
            "downstreamtransportfailurereason" => Self::DownstreamFailure,
            "requestid" | "xrequestid" | "reqid" => Self::RequestId,
            "authority" | "requestauthority" | "reqauthority" => Self::Authority,
            "upstreamhost" | "upstreamremoteaddress" | "upstreamaddress" | "backendhost" => {
                Self::UpstreamHost
            }
            "upstreamcluster" | "upstreamclusterraw" | "upstreamname" | "backendcluster" => Self::Cluster,
            "downstreamremoteaddress" | "downstreamdirectremoteaddress" => Self::RemoteAddress,
            "downstreamlocaladdress" => Self::LocalAddress,
            "upstreamlocaladdress" => Self::UpstreamLocal,
            "requestedservername" => Self::Sni,
            "routename" => Self::Route,
            "virtualhostname" => Self::VirtualHost,
            "filterchainname" => Self::FilterChain,
            "downstreamtlsversion" => Self::DownstreamTls,
            "upstreamtlsversion" => Self::UpstreamTls,
            "grpcstatus" | "grpcstatusnumber" | "grpcstatuscode" => Self::GrpcStatus,
            "duration" | "durationms" | "durationmillis" | "clientduration" => Self::Duration,
            "upstreamrequestattemptcount" => Self::Attempts,
            // OpenTelemetry's names of attributes, and filter state by its keys.
            "httprequestmethod" => Self::Method,
            "httpresponsestatuscode" => Self::Code,
            "urlpath" => Self::Path,
            "serveraddress" => Self::Authority,
            "meshwhycause" | "wasmmeshwhycause" => Self::Cause,
            "meshwhyconfidence" | "wasmmeshwhyconfidence" => Self::Confidence,
            "meshwhyside" | "wasmmeshwhyside" => Self::Side,
            "meshwhyresource" | "wasmmeshwhyresource" => Self::Resource,
            "meshwhyevidence" | "wasmmeshwhyevidence" => Self::Evidence,
            "meshwhyfix" | "wasmmeshwhyfix" => Self::Fix,
            _ => return Self::of_end(key),
        })
    }

    /// Keys that people make of the operators: `resStatusCodeDetails`, `upstream_failure`.
    fn of_end(key: &str) -> Option<Self> {
        let ends = |end: &str| key.ends_with(end);
        let is_downstreams = key.contains("downstream");
        Some(match () {
            () if ends("codedetails") || ends("statusdetails") => Self::Details,
            () if ends("responseflags") => Self::Flags,
            () if ends("terminationdetails") => Self::Termination,
            () if ends("transportfailurereason") || ends("transportfailure") => {
                if is_downstreams {
                    Self::DownstreamFailure
                } else {
                    Self::UpstreamFailure
                }
            }
            () if key == "upstreamfailure" => Self::UpstreamFailure,
            _ => return None,
        })
    }

    /// Keys that anybody's log may have: they count where others show that the log is Envoy's.
    pub(super) fn of_common_key(key: &str) -> Option<Self> {
        Some(match plain(key).as_str() {
            "resp" | "status" | "code" | "statuscode" | "httpstatus" | "httpstatuscode" | "rc"
            | "resstatuscode" | "responsestatuscode" | "resstatus" => Self::Code,
            "flags" | "flag" => Self::Flags,
            "details" | "codedetails" => Self::Details,
            "host" => Self::Authority,
            "sni" | "servername" => Self::Sni,
            _ => return None,
        })
    }

    /// Whether only Envoy has it.
    pub(super) const fn is_envoys(self) -> bool {
        matches!(
            self,
            Self::Flags | Self::FlagsLong | Self::Details | Self::UpstreamFailure | Self::Termination
        )
    }

    /// Whether this can be a value of the column, where its form says so.
    pub(super) fn takes(self, value: &str) -> bool {
        let absent = value.is_empty() || value == "-";
        absent
            || match self {
                // What stands before or behind a whole time is no part of it.
                Self::Time => {
                    let spaced = |at| at == 0 && value.as_bytes().get(10) == Some(&b' ');
                    !value.contains(' ') || time::last(value).is_none_or(spaced)
                }
                Self::Code => value.len() <= 3 && value.bytes().all(|b| b.is_ascii_digit()),
                Self::Protocol => value.starts_with("HTTP/") && !value.contains(' '),
                // Envoy's begin with a capital; name servers have flags, too (`qr,rd,ra`).
                Self::Flags | Self::FlagsLong => {
                    value.split(',').all(|name| name.starts_with(|c: char| !c.is_ascii_lowercase()))
                        && value
                            .bytes()
                            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b',' | b'_' | b'-' | b'.'))
                }
                Self::Attempts | Self::Endpoints | Self::Duration | Self::ServiceTime => {
                    value.bytes().all(|b| b.is_ascii_digit())
                }
                Self::UpstreamHost | Self::RemoteAddress | Self::LocalAddress | Self::UpstreamLocal => {
                    value.contains([':', '/', '@']) || is_redacted(value)
                }
                // Two values, of a format that has two.
                Self::UpstreamFailure => !value.contains("\" \""),
                // A JSON string, at most.
                Self::Mixer => !value.trim_matches('"').contains('"'),
                Self::Cause => value.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')),
                Self::Confidence => matches!(value, "certain" | "likely" | "possible"),
                // Envoy puts `_` for spaces.
                Self::Details => !value.contains(['"', ' ']),
                _ => true,
            }
    }
}

/// What holds a client's own words.
const CLIENTS: &[&str] =
    &["header", "param", "query", "cookie", "body", "form", "args", "useragent", "payload"];

/// Whether what this key has may be a client's.
pub(super) fn is_clients(key: &str) -> bool {
    let plain = key.to_ascii_lowercase().replace(['_', '-'], "");
    CLIENTS.iter().any(|word| plain.contains(word))
}

/// Whether somebody put it in the place of what others should not see.
fn is_redacted(value: &str) -> bool {
    let masked =
        value.chars().all(|c| matches!(c, 'x' | 'X' | '*' | '~' | '#' | '.' | '?' | '<' | '>' | '_'));
    masked || value.to_ascii_lowercase().contains("redact")
}

/// Letters and digits alone, in lower case.
fn plain(key: &str) -> String {
    key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}
