//! The names of Envoy's response code details: an open enum.

use crate::evidence::redact::CUT;

/// Makes [`Detail`] and [`Origin`] of one table: origins with the filter's name (none where it is
/// no filter's), and the names that each gives, with the minor versions of Envoy 1 whose binary
/// has them. No version: only the sources or the docs do.
macro_rules! details {
    ($($origin:ident $filter:literal { $($detail:ident $name:literal [$($minor:literal),*],)+ })+) => {
        /// The name of response code details, as Envoy writes it.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the names are Envoy's")]
        pub enum Detail {
            /// There are none.
            #[default]
            None,
            /// Unknown whether there are any: a log without a column for them.
            Unseen,
            /// None of those below: another filter's own words, or a newer Envoy's. Nothing of
            /// them is kept.
            Other,
            $($($detail,)+)+
        }

        /// Who gives the details.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the names are Envoy's")]
        pub enum Origin {
            $($origin,)+
        }

        impl Detail {
            /// All that are known.
            pub const KNOWN: &'static [Self] = &[$($(Self::$detail,)+)+];

            const NAMES: &'static [&'static str] = &[$($($name,)+)+];

            /// Who gives it.
            pub const fn origin(self) -> Option<Origin> {
                match self {
                    Self::None | Self::Unseen | Self::Other => None,
                    $($(Self::$detail)|+ => Some(Origin::$origin),)+
                }
            }

            /// The name; empty where there are no details, and [`CUT`] for others.
            pub const fn name(self) -> &'static str {
                match self {
                    Self::None | Self::Unseen => "",
                    Self::Other => CUT,
                    $($(Self::$detail => $name,)+)+
                }
            }

            /// The minor versions of Envoy 1 in whose binary the name was found, of 1.36 and 1.40.
            pub const fn seen(self) -> &'static [u32] {
                match self {
                    Self::None | Self::Unseen | Self::Other => &[],
                    $($(Self::$detail => &[$($minor),*],)+)+
                }
            }
        }

        impl Origin {
            /// The HTTP filter's name, without `envoy.filters.http.`.
            pub const fn filter(self) -> Option<&'static str> {
                let name = match self {
                    $(Self::$origin => $filter,)+
                };
                if name.is_empty() { None } else { Some(name) }
            }
        }
    };
}

impl Detail {
    /// Finds a name.
    pub fn new(name: &str) -> Self {
        if name.is_empty() {
            return Self::None;
        }
        let at = Self::NAMES.iter().position(|known| *known == name);
        at.and_then(|at| Self::KNOWN.get(at)).copied().unwrap_or(Self::Other)
    }
}

details! {
    Core "" {
        ViaUpstream "via_upstream" [36, 40],
        RequestPayloadTooLarge "request_payload_too_large" [36, 40],
        ResponsePayloadTooLarge "response_payload_too_large" [36, 40],
        RequestPayloadExceededRetryBufferLimit "request_payload_exceeded_retry_buffer_limit" [36, 40],
        StreamIdleTimeout "stream_idle_timeout" [36, 40],
        MaxDurationTimeout "max_duration_timeout" [36, 40],
        RequestOverallTimeout "request_overall_timeout" [36, 40],
        RequestHeaderTimeout "request_header_timeout" [36, 40],
        Overload "overload" [36, 40],
        LowVersion "low_version" [36, 40],
        MissingHostHeader "missing_host_header" [36, 40],
        RequestHeadersFailedStrictCheck "request_headers_failed_strict_check" [36, 40],
        MissingPathRejected "missing_path_rejected" [36, 40],
        InvalidPath "invalid_path" [36, 40],
        AbsolutePathRejected "absolute_path_rejected" [36, 40],
        PathNormalizationFailed "path_normalization_failed" [36, 40],
        UpgradeFailed "upgrade_failed" [36, 40],
        WebsocketHandshakeUnsuccessful "websocket_handshake_unsuccessful" [36, 40],
        RouteConfigurationNotFound "route_configuration_not_found" [36, 40],
        RouteNotFound "route_not_found" [36, 40],
        DirectResponse "direct_response" [36, 40],
        ClusterNotFound "cluster_not_found" [36, 40],
        MaintenanceMode "maintenance_mode" [36, 40],
        DropOverload "drop_overload" [36, 40],
        UnconditionalDropOverload "unconditional_drop_overload" [36, 40],
        NoHealthyUpstream "no_healthy_upstream" [36, 40],
        ResponseTimeout "response_timeout" [36, 40],
        UpstreamResponseTimeout "upstream_response_timeout" [],
        UpstreamPerTryTimeout "upstream_per_try_timeout" [36, 40],
        UpstreamPerTryIdleTimeout "upstream_per_try_idle_timeout" [36, 40],
        UpstreamMaxStreamDurationReached "upstream_max_stream_duration_reached" [36, 40],
        UpstreamResetBeforeResponseStarted "upstream_reset_before_response_started" [36, 40],
        UpstreamResetAfterResponseStarted "upstream_reset_after_response_started" [36, 40],
        FilterChainNotFound "filter_chain_not_found" [36, 40],
        DownstreamRemoteDisconnect "downstream_remote_disconnect" [36, 40],
        DownstreamLocalDisconnect "downstream_local_disconnect" [36, 40],
        DurationTimeout "duration_timeout" [36, 40],
        DownstreamHeaderTimeout "downstream_header_timeout" [36, 40],
        AdminFilterResponse "admin_filter_response" [36, 40],
        InternalRedirect "internal_redirect" [36, 40],
        FilterRemovedRequiredHeaders "filter_removed_required_headers" [],
        FilterRemovedRequiredRequestHeaders "filter_removed_required_request_headers" [36, 40],
        FilterRemovedRequiredResponseHeaders "filter_removed_required_response_headers" [36, 40],
        RejectingBecauseDetectionFailed "rejecting_because_detection_failed" [36, 40],
        FilterAddedInvalidRequestData "filter_added_invalid_request_data" [36, 40],
        FilterAddedInvalidResponseData "filter_added_invalid_response_data" [36, 40],
        EarlyConnectData "early_connect_data" [36, 40],
        TooManyPrematureResets "too_many_premature_resets" [36, 40],
    }
    Http1 "" {
        Http1BodyDisallowed "http1.body_disallowed" [36, 40],
        Http1CodecError "http1.codec_error" [36, 40],
        Http1ConnectionHeaderRejected "http1.connection_header_rejected" [36, 40],
        Http1ContentLengthAndChunkedNotAllowed "http1.content_length_and_chunked_not_allowed" [36, 40],
        Http1ContentLengthNotAllowed "http1.content_length_not_allowed" [36, 40],
        Http1HeadersTooLarge "http1.headers_too_large" [36, 40],
        Http1HttpsUrlOnPlaintextConnection "http1.https_url_on_plaintext_connection" [36, 40],
        Http1InvalidCharacters "http1.invalid_characters" [36, 40],
        Http1InvalidScheme "http1.invalid_scheme" [36, 40],
        Http1InvalidTransferEncoding "http1.invalid_transfer_encoding" [36, 40],
        Http1InvalidUrl "http1.invalid_url" [36, 40],
        Http1TooManyHeaders "http1.too_many_headers" [36, 40],
        Http1TransferEncodingNotAllowed "http1.transfer_encoding_not_allowed" [36, 40],
        Http1UnexpectedUnderscore "http1.unexpected_underscore" [36, 40],
    }
    Http2 "" {
        Http2CookiesTotalBytesTooLarge "http2.cookies_total_bytes_too_large" [40],
        Http2HeaderListSizeTooLarge "http2.header_list_size_too_large" [40],
        Http2InboundEmptyFramesFlood "http2.inbound_empty_frames_flood" [36, 40],
        Http2InvalidHeaderField "http2.invalid.header.field" [36, 40],
        Http2OutboundFramesFlood "http2.outbound_frames_flood" [36, 40],
        Http2RemoteRefuse "http2.remote_refuse" [36, 40],
        Http2RemoteReset "http2.remote_reset" [36, 40],
        Http2TooManyHeaders "http2.too_many_headers" [36, 40],
        Http2UnexpectedUnderscore "http2.unexpected_underscore" [36, 40],
        Http2UnknownNghttp2Error "http2.unknown.nghttp2.error" [36, 40],
        Http2UnknownOghttp2Error "http2.unknown.oghttp2.error" [36, 40],
        Http2ViolationOfMessagingRule "http2.violation.of.messaging.rule" [36, 40],
    }
    Http3 "" {
        Http3HeadersTooLarge "http3.headers_too_large" [36, 40],
        Http3InconsistentContentLength "http3.inconsistent_content_length" [36, 40],
        Http3InvalidHeaderField "http3.invalid_header_field" [36, 40],
        Http3RemoteRefuse "http3.remote_refuse" [],
        Http3RemoteReset "http3.remote_reset" [],
        Http3TooManyHeaders "http3.too_many_headers" [36, 40],
        Http3TooManyTrailers "http3.too_many_trailers" [36, 40],
        Http3UnexpectedUnderscore "http3.unexpected_underscore" [36, 40],
    }
    HeaderCheck "" {
        HttpInvalidAuthority "http.invalid_authority" [36, 40],
        HttpInvalidMethod "http.invalid_method" [36, 40],
        HttpInvalidPath "http.invalid_path" [36, 40],
        HttpInvalidScheme "http.invalid_scheme" [36, 40],
        HttpConnectNotSupported "http.connect_not_supported" [36, 40],
        UhvEmptyHeaderName "uhv.empty_header_name" [36, 40],
        UhvEscapedSlashesInUrlPath "uhv.escaped_slashes_in_url_path" [36, 40],
        UhvFragmentInUrlPath "uhv.fragment_in_url_path" [36, 40],
        UhvHttp1ContentLengthNotAllowed "uhv.http1.content_length_not_allowed" [36, 40],
        UhvHttp1TransferEncodingNotAllowed "uhv.http1.transfer_encoding_not_allowed" [36, 40],
        UhvHttp2ConnectionHeaderRejected "uhv.http2.connection_header_rejected" [36, 40],
        UhvHttp2InvalidTe "uhv.http2.invalid_te" [36, 40],
        UhvInvalidContentLength "uhv.invalid_content_length" [36, 40],
        UhvInvalidHost "uhv.invalid_host" [36, 40],
        UhvInvalidHostDeprecatedUserInfo "uhv.invalid_host_deprecated_user_info" [36, 40],
        UhvInvalidMethod "uhv.invalid_method" [36, 40],
        UhvInvalidNameCharacters "uhv.invalid_name_characters" [36, 40],
        UhvInvalidPseudoHeader "uhv.invalid_pseudo_header" [36, 40],
        UhvInvalidScheme "uhv.invalid_scheme" [36, 40],
        UhvInvalidStatus "uhv.invalid_status" [36, 40],
        UhvInvalidUrl "uhv.invalid_url" [],
        UhvInvalidValueCharacters "uhv.invalid_value_characters" [36, 40],
        UhvPathNormalizationRedirect "uhv.path_normalization_redirect" [36, 40],
        UhvPercent00InUrlPath "uhv.percent_00_in_url_path" [36, 40],
        UhvUnexpectedUnderscore "uhv.unexpected_underscore" [36, 40],
    }
    A2a "a2a" {
        A2aFilterBodyTooLarge "a2a_filter_body_too_large" [40],
        A2aFilterNotValidJsonrpc "a2a_filter_not_valid_jsonrpc" [40],
        A2aFilterParseError "a2a_filter_parse_error" [40],
        A2aFilterReject "a2a_filter_reject" [40],
    }
    AdaptiveConcurrency "adaptive_concurrency" {
        ReachedConcurrencyLimit "reached_concurrency_limit" [36, 40],
    }
    AdmissionControl "admission_control" {
        DeniedByAdmissionControl "denied_by_admission_control" [36, 40],
    }
    AiProtocolManager "ai_protocol_manager" {
        AiProtocolManagerExternalBufferError "ai_protocol_manager_external_buffer_error" [40],
        AiProtocolManagerFilterRejected "ai_protocol_manager_filter_rejected" [40],
        AiProtocolManagerInvalidJson "ai_protocol_manager_invalid_json" [40],
        AiProtocolManagerReplayError "ai_protocol_manager_replay_error" [40],
        AiProtocolManagerResponseError "ai_protocol_manager_response_error" [40],
    }
    ApiKeyAuth "api_key_auth" {
        MissingApiKey "missing_api_key" [36, 40],
        // Envoy 1.36 has it misspelt.
        UnkonwnApiKey "unkonwn_api_key" [36],
        UnknownApiKey "unknown_api_key" [40],
        ClientNotAllowed "client_not_allowed" [36, 40],
    }
    BasicAuth "basic_auth" {
        NoCredentialForBasicAuth "no_credential_for_basic_auth" [36, 40],
        InvalidSchemeForBasicAuth "invalid_scheme_for_basic_auth" [36, 40],
        InvalidFormatForBasicAuth "invalid_format_for_basic_auth" [36, 40],
        InvalidCredentialForBasicAuth "invalid_credential_for_basic_auth" [36, 40],
    }
    Cache "cache" {
        CacheAbortedBody "cache.aborted_body" [36, 40],
        CacheAbortedHeaders "cache.aborted_headers" [36, 40],
        CacheAbortedLookup "cache.aborted_lookup" [36, 40],
        CacheAbortedTrailers "cache.aborted_trailers" [36, 40],
        CacheInsertViaUpstream "cache.insert_via_upstream" [36, 40],
        CacheResponseFromCacheFilter "cache.response_from_cache_filter" [36, 40],
        CacheNoCluster "cache_no_cluster" [36, 40],
        CacheNoRoute "cache_no_route" [36, 40],
        CacheUpstreamReset "cache_upstream_reset" [36, 40],
    }
    CdnLoop "cdn_loop" {
        CdnLoopDetected "cdn_loop_detected" [36, 40],
        InvalidCdnLoopHeader "invalid_cdn_loop_header" [36, 40],
    }
    ConnectGrpcBridge "connect_grpc_bridge" {
        ConnectBridgeUnaryRequestTooLarge "connect_bridge_unary_request_too_large" [36, 40],
        ConnectBridgeUnaryResponseTooLarge "connect_bridge_unary_response_too_large" [36, 40],
    }
    Cors "cors" {
        CorsResponse "cors_response" [36, 40],
    }
    CredentialInjector "credential_injector" {
        FailedToInjectCredential "failed_to_inject_credential" [36, 40],
    }
    Csrf "csrf" {
        CsrfOriginMismatch "csrf_origin_mismatch" [36, 40],
    }
    CustomResponse "custom_response" {
        CustomResponseInvalidUri "custom_response_invalid_uri" [36, 40],
        CustomResponseRedirectNoRoute "custom_response_redirect_no_route" [36, 40],
    }
    DynamicForwardProxy "dynamic_forward_proxy" {
        DnsResolutionFailure "dns_resolution_failure" [36, 40],
        DnsCacheOverflow "dns_cache_overflow" [36, 40],
        DnsCachePendingRequestsOverflow "dns_cache_pending_requests_overflow" [36, 40],
        DynamicForwardProxyPendingRequestOverflow "dynamic_forward_proxy_pending_request_overflow" [36, 40],
        SubClusterOverflow "sub_cluster_overflow" [36, 40],
        SubClusterWarmingTimeout "sub_cluster_warming_timeout" [36, 40],
    }
    DynamicModules "dynamic_modules" {
        DynamicModule "dynamic_module" [36, 40],
        DynamicModuleBridgeResetStream "dynamic_module_bridge_reset_stream" [40],
        DynamicModuleFilterInitFailed "dynamic_module_filter_init_failed" [40],
    }
    ExtAuthz "ext_authz" {
        ExtAuthzDenied "ext_authz_denied" [36, 40],
        ExtAuthzError "ext_authz_error" [36, 40],
        ExtAuthzInvalid "ext_authz_invalid" [36, 40],
    }
    ExtProc "ext_proc" {
        ExtProcError "ext_proc_error" [36, 40],
        ExtProcGrpcError "ext_proc_grpc_error" [36, 40],
        ExtProcLocalResponse "ext_proc_local_response" [40],
        ExtProcMessageTimeout "ext_proc_message_timeout" [36, 40],
        ExtProcStreamError "ext_proc_stream_error" [36, 40],
        ExtProcSpuriousMessage "ext_proc_spurious_message" [],
    }
    Fault "fault" {
        FaultFilterAbort "fault_filter_abort" [36, 40],
    }
    FileServer "file_server" {
        FileServerListNotImplemented "file_server_list_not_implemented" [40],
        FileServerNoValidDirectoryBehavior "file_server_no_valid_directory_behavior" [40],
        FileServerOpenError "file_server_open_error" [40],
        FileServerOpenedFileStatFailed "file_server_opened_file_stat_failed" [40],
        FileServerRangeNotSatisfiable "file_server_range_not_satisfiable" [40],
        FileServerReadOperationFailed "file_server_read_operation_failed" [40],
        FileServerRejectedMethod "file_server_rejected_method" [40],
        FileServerRejectedMissingMethod "file_server_rejected_missing_method" [40],
        FileServerRejectedNonNormalizedPath "file_server_rejected_non_normalized_path" [40],
        FileServerRejectedNotEndStream "file_server_rejected_not_end_stream" [40],
        FileServerStatError "file_server_stat_error" [40],
    }
    GrpcBridge "grpc_http1_reverse_bridge" {
        GrpcBridgeContentLengthMissing "grpc_bridge_content_length_missing" [36, 40],
        GrpcBridgeContentLengthWrong "grpc_bridge_content_length_wrong" [36, 40],
        GrpcBridgeContentTypeWrong "grpc_bridge_content_type_wrong" [36, 40],
        GrpcBridgeDataTooSmall "grpc_bridge_data_too_small" [36, 40],
    }
    GrpcFieldExtraction "grpc_field_extraction" {
        GrpcFieldExtraction "grpc_field_extraction" [36, 40],
    }
    GrpcJsonTranscoder "grpc_json_transcoder" {
        EarlyGrpcJsonTranscodeFailure "early_grpc_json_transcode_failure" [36, 40],
        GrpcJsonTranscodeFailure "grpc_json_transcode_failure" [36, 40],
        EarlyGrpcJsonReverseTranscodeFailure "early_grpc_json_reverse_transcode_failure" [36, 40],
        GrpcJsonReverseTranscodeFailure "grpc_json_reverse_transcode_failure" [36, 40],
    }
    GrpcWeb "grpc_web" {
        GrpcBase64DecodeFailed "grpc_base_64_decode_failed" [36, 40],
        GrpcBase64DecodeFailedBadSize "grpc_base_64_decode_failed_bad_size" [36, 40],
    }
    HealthCheck "health_check" {
        HealthCheckCached "health_check_cached" [36, 40],
        HealthCheckFailed "health_check_failed" [36, 40],
        HealthCheckFailedClusterEmpty "health_check_failed_cluster_empty" [36, 40],
        HealthCheckFailedClusterUnhealthy "health_check_failed_cluster_unhealthy" [36, 40],
        HealthCheckFailedNoClusterFound "health_check_failed_no_cluster_found" [36, 40],
        HealthCheckOk "health_check_ok" [36, 40],
        HealthCheckOkClusterHealthy "health_check_ok_cluster_healthy" [36, 40],
    }
    JwtAuthn "jwt_authn" {
        JwtAuthnAccessDenied "jwt_authn_access_denied" [36, 40],
    }
    LocalRateLimit "local_ratelimit" {
        LocalRateLimited "local_rate_limited" [36, 40],
    }
    Lua "lua" {
        LuaResponse "lua_response" [36, 40],
    }
    Mcp "mcp" {
        McpBodyTooLarge "mcp_body_too_large" [40],
        McpDuplicateKeys "mcp_duplicate_keys" [40],
        McpNotJsonrpc "mcp_not_jsonrpc" [40],
        McpParseError "mcp_parse_error" [40],
        McpRejectNoMcp "mcp_reject_no_mcp" [40],
        // Filter `mcp_json_rest_bridge`: 19 names, others in 1.38 and 1.39.
        McpJsonRestBridge "mcp_json_rest_bridge" [40],
    }
    OAuth2 "oauth2" {
        OauthLoggedIn "oauth.logged_in" [36, 40],
        OauthMissingCredentials "oauth.missing_credentials" [36, 40],
        OauthRaceRedirect "oauth.race_redirect" [36, 40],
        OauthSignOut "oauth.sign_out" [36, 40],
    }
    OnDemand "on_demand" {
        OnDemandClusterMissing "on_demand_cluster_missing" [36, 40],
        OnDemandClusterTimeout "on_demand_cluster_timeout" [36, 40],
    }
    ProtoApiScrubber "proto_api_scrubber" {
        ProtoApiScrubber "proto_api_scrubber" [40],
        RequestScrubbingFailed "request_scrubbing_failed" [40],
        ResponseScrubbingFailed "response_scrubbing_failed" [40],
    }
    ProtoMessageExtraction "proto_message_extraction" {
        ProtoMessageExtraction "proto_message_extraction" [36, 40],
    }
    RateLimit "ratelimit" {
        RequestRateLimited "request_rate_limited" [36, 40],
        RateLimiterError "rate_limiter_error" [36, 40],
    }
    RateLimitQuota "rate_limit_quota" {
        RateLimitedByQuota "rate_limited_by_quota" [40],
    }
    Rbac "rbac" {
        RbacAccessDeniedMatchedPolicy "rbac_access_denied_matched_policy" [36, 40],
    }
    Wasm "wasm" {
        WasmFailStream "wasm_fail_stream" [36, 40],
        WasmCloseStream "wasm_close_stream" [36, 40],
    }
}
