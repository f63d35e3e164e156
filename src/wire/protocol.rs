//! The protocols that are recognised.

macro_rules! protocols {
    ($($variant:ident $id:literal $doc:literal,)*) => {
        /// A protocol, as its first bytes show it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub enum Protocol { $(#[doc = $doc] #[cfg_attr(feature = "serde", serde(rename = $id))] $variant,)* }

        impl Protocol {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in the evidence.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)* }
            }

            /// The protocol of this name.
            pub fn from_id(id: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|protocol| protocol.id() == id)
            }
        }
    };
}

protocols! {
    TlsClientHello "tls_client_hello" "A TLS ClientHello.",
    TlsServerHello "tls_server_hello" "A TLS ServerHello.",
    TlsAlert "tls_alert" "A TLS alert.",
    TlsOther "tls_record" "Some other, or not yet a whole, TLS record.",
    SslV2 "sslv2_client_hello" "An SSLv2-style ClientHello, as very old clients send it.",
    Http1 "http1" "An HTTP/1 request or status line.",
    Http2Preface "http2_preface" "HTTP/2's connection preface.",
    Http2Settings "http2_settings" "A server's HTTP/2 SETTINGS frame.",
    ProxyV1 "proxy_protocol_v1" "A PROXY protocol header in text.",
    ProxyV2 "proxy_protocol_v2" "A binary PROXY protocol header.",
    Ssh "ssh" "An SSH banner.",
    Smtp "smtp" "SMTP.",
    Ftp "ftp" "FTP.",
    Pop3 "pop3" "POP3.",
    Imap "imap" "IMAP.",
    Redis "redis" "Redis (RESP).",
    Memcached "memcached" "Memcached's text protocol.",
    Nats "nats" "NATS.",
    Rtsp "rtsp" "RTSP.",
    Sip "sip" "SIP.",
    Mysql "mysql" "A MySQL server's greeting.",
    Postgres "postgres" "A PostgreSQL startup, SSL, GSS or cancel request.",
    Mongodb "mongodb" "A MongoDB message.",
    Amqp "amqp" "An AMQP protocol header.",
    Mqtt "mqtt" "An MQTT CONNECT.",
    Kafka "kafka" "A Kafka ApiVersions or Metadata request.",
    Cassandra "cassandra" "A Cassandra OPTIONS or STARTUP frame.",
    Ldap "ldap" "An LDAP bind, search or StartTLS request.",
    Rdp "rdp" "An RDP connection request.",
    Smb "smb" "An SMB negotiation.",
    Dubbo "dubbo" "A Dubbo frame.",
    Utf16 "utf16_text" "Text in UTF-16.",
    Text "text" "Text of no known protocol.",
    Binary "binary" "Bytes of no known protocol.",
}

impl Protocol {
    /// TLS records of any kind.
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::TlsClientHello | Self::TlsServerHello | Self::TlsAlert | Self::TlsOther)
    }

    /// HTTP of any version.
    pub const fn is_http(self) -> bool {
        matches!(self, Self::Http1 | Self::Http2Preface | Self::Http2Settings)
    }

    /// Whether the protocol itself was recognised, rather than just the kind of bytes.
    pub const fn is_recognised(self) -> bool {
        !matches!(self, Self::Text | Self::Binary | Self::TlsOther)
    }
}
