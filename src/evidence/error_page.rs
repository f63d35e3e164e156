//! Error pages of servers and proxies, known by all that is in them.

/// Error pages that name a TLS mistake, or that another proxy made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Page {
    /// "The plain HTTP request was sent to HTTPS port" and the like.
    PlaintextToTlsPort,
    /// "No required SSL certificate was sent".
    ClientCertificateRequired,
    /// "The SSL certificate error": the certificate that we sent was not accepted.
    ClientCertificateRefused,
    /// `421 Misdirected Request`: over TLS, Host and SNI don't go together.
    Misdirected,
    /// A reply of another Envoy's own, and nothing else: "upstream connect error or disconnect/reset before headers" and
    /// the like.
    ProxyReply,
}

/// What an error's headers say of the server that wrote its page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Maker {
    /// The `server` header.
    pub server: Option<String>,
    /// Whether there is a `content-type`.
    pub typed: bool,
}

/// Error pages that are longer than this are no Envoy's.
pub const LONGEST_REPLY: u64 = 512;

impl Page {
    /// Recognises the page of a server that names a TLS mistake: nginx (497, 496, 495), Apache httpd, Go's `net/http`, Tomcat; and
    /// whether a client's text may be in it. The whole page has to fit, and the header: applications repeat in their errors what
    /// clients ask for.
    pub fn recognise(maker: &Maker, whole: &[u8]) -> Option<(Self, bool)> {
        let text = str::from_utf8(whole).ok()?;
        match &maker.server {
            // Go writes no header at all here.
            None if !maker.typed => {
                let is = text == "Client sent an HTTP request to an HTTPS server.\n";
                is.then_some((Self::PlaintextToTlsPort, false))
            }
            // So would an application's answer on Tomcat be that repeats the request.
            None => {
                let is = text == "Bad Request\r\nThis combination of host and port requires TLS.\r\n";
                is.then_some((Self::PlaintextToTlsPort, true))
            }
            Some(server) => {
                of_nginx(server, text).map(|page| (page, false)).or_else(|| of_apache(server, text))
            }
        }
    }

    /// Recognises a local reply of Envoy's (1.36, 1.40) by the whole of it: a page that only begins
    /// or ends so may be another server's.
    pub fn of_proxy(whole: &[u8]) -> Option<Self> {
        const REPLIES: &[&str] = &[
            "no healthy upstream",
            "upstream request timeout",
            "upstream max stream duration reached",
            "stream timeout",
            "envoy overloaded",
            "fault filter abort",
        ];
        // What follows says why.
        const BEGINNING: &[u8] = b"upstream connect error or disconnect/reset before headers";
        let fits = u64::try_from(whole.len()).is_ok_and(|length| length <= LONGEST_REPLY);
        let is = REPLIES.iter().any(|reply| reply.as_bytes() == whole)
            || (whole.starts_with(BEGINNING) && !whole.contains(&b'\n'));
        (fits && is).then_some(Self::ProxyReply)
    }

    /// The value in the evidence.
    pub const fn id(self) -> &'static str {
        match self {
            Self::PlaintextToTlsPort => "plain_http_to_https_port",
            Self::ClientCertificateRequired => "no_client_certificate_sent",
            Self::ClientCertificateRefused => "client_certificate_refused",
            Self::Misdirected => "misdirected_request",
            Self::ProxyReply => "proxy_could_not_reach_its_upstream",
        }
    }
}

/// The same form for years, with its own name at the end, as in the header; nothing of a request is in it. Some browsers get
/// comments behind it, which make it longer.
fn of_nginx(server: &str, text: &str) -> Option<Page> {
    const SENTENCES: &[(&str, Page)] = &[
        ("The plain HTTP request was sent to HTTPS port", Page::PlaintextToTlsPort),
        ("No required SSL certificate was sent", Page::ClientCertificateRequired),
        ("The SSL certificate error", Page::ClientCertificateRefused),
    ];
    const PADDING: &str = "<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n";
    let rest = text.strip_prefix("<html>\r\n<head><title>400 ")?;
    let (sentence, page) = SENTENCES.iter().find(|(sentence, _)| rest.starts_with(sentence))?;
    let rest = rest.strip_prefix(sentence)?.strip_prefix("</title></head>\r\n<body")?;
    // Before 1.13.9.
    let rest = rest.strip_prefix(" bgcolor=\"white\"").unwrap_or(rest);
    let rest = rest.strip_prefix(">\r\n<center><h1>400 Bad Request</h1></center>\r\n<center>")?;
    let rest = rest.strip_prefix(sentence)?.strip_prefix("</center>\r\n<hr><center>")?;
    let mut rest = rest.strip_prefix(server)?.strip_prefix("</center>\r\n</body>\r\n</html>\r\n")?;
    while let Some(more) = rest.strip_prefix(PADDING) {
        rest = more;
    }
    (!server.is_empty() && rest.is_empty()).then_some(*page)
}

/// With `ServerSignature` its name and the host follow, which a request may have named.
fn of_apache(server: &str, text: &str) -> Option<(Page, bool)> {
    const BEGINNING: &str = "<html><head>\n<title>400 Bad Request</title>\n</head><body>\n<h1>Bad Request</h1>\n\
        <p>Your browser sent a request that this server could not understand.<br />\n\
        Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />\n \
        Instead use the HTTPS scheme to access this URL, please.<br />\n</p>\n";
    server.starts_with("Apache").then_some(())?;
    let (doctype, rest) = text.split_once('\n')?;
    doctype.starts_with("<!DOCTYPE HTML PUBLIC ").then_some(())?;
    let rest = rest.strip_prefix(BEGINNING)?.strip_suffix("</body></html>\n")?;
    if rest.is_empty() {
        return Some((Page::PlaintextToTlsPort, false));
    }
    let signature = rest.strip_prefix("<hr>\n<address>")?.strip_suffix("</address>\n")?;
    signature.starts_with(server).then_some((Page::PlaintextToTlsPort, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NGINX: &str = "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\r\n<body>\r\n\
        <center><h1>400 Bad Request</h1></center>\r\n<center>The plain HTTP request was sent to HTTPS port</center>\r\n\
        <hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n";
    const APACHE: &str = "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \"http://www.w3.org/TR/html4/strict.dtd\">\n\
        <html><head>\n<title>400 Bad Request</title>\n</head><body>\n<h1>Bad Request</h1>\n\
        <p>Your browser sent a request that this server could not understand.<br />\n\
        Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />\n \
        Instead use the HTTPS scheme to access this URL, please.<br />\n</p>\n<hr>\n\
        <address>Apache/2.4.71 (Debian) OpenSSL/3.0.19 Server at a.example Port 443</address>\n</body></html>\n";
    const GO: &str = "Client sent an HTTP request to an HTTPS server.\n";
    const TOMCAT: &str = "Bad Request\r\nThis combination of host and port requires TLS.\r\n";

    fn page(server: Option<&str>, typed: bool, body: &str) -> Option<(Page, bool)> {
        Page::recognise(&Maker { server: server.map(str::to_owned), typed }, body.as_bytes())
    }

    /// As nginx 1.22, Apache 2.4.71, Caddy 2.6 (Go) and Tomcat 10.1 wrote them.
    #[test]
    fn a_page_is_known_by_its_header_and_by_the_whole_of_it() {
        let plain = Page::PlaintextToTlsPort;
        let nginx = Some("nginx/1.22.1");
        let apache = Some("Apache/2.4.71 (Debian) OpenSSL/3.0.19");
        assert_eq!(page(nginx, true, NGINX), Some((plain, false)));
        assert_eq!(
            page(Some("openresty"), true, &NGINX.replace("nginx/1.22.1", "openresty")),
            Some((plain, false))
        );
        let missing = NGINX
            .replace("The plain HTTP request was sent to HTTPS port", "No required SSL certificate was sent");
        assert_eq!(page(nginx, true, &missing), Some((Page::ClientCertificateRequired, false)));
        assert_eq!(page(apache, true, APACHE), Some((plain, true)), "a host is in it");
        let (before, after) = APACHE.split_once("<hr>").unwrap();
        let unsigned = before.to_owned() + after.split_once("</address>\n").unwrap().1;
        assert_eq!(page(apache, true, &unsigned), Some((plain, false)));
        assert_eq!(page(None, false, GO), Some((plain, false)));
        assert_eq!(page(None, true, TOMCAT), Some((plain, true)));
    }

    #[test]
    fn what_an_application_repeats_is_no_page() {
        let nginx = Some("nginx/1.22.1");
        for body in [NGINX, APACHE, GO, TOMCAT] {
            for (before, after) in [("no such page: ", ""), ("", " "), ("<p>", "</p>")] {
                let repeated = format!("{before}{body}{after}");
                for server in
                    [None, nginx, Some("Apache/2.4.71 (Debian) OpenSSL/3.0.19"), Some("istio-envoy")]
                {
                    assert_eq!(page(server, true, &repeated), None, "{server:?} {repeated}");
                    assert_eq!(page(server, false, &repeated), None, "{server:?} {repeated}");
                }
            }
        }
        // Another server's header, and a sentence of the page alone.
        assert_eq!(page(Some("gunicorn"), true, NGINX), None);
        assert_eq!(page(Some("nginx"), true, NGINX), None);
        assert_eq!(page(Some(""), true, &NGINX.replace("nginx/1.22.1", "")), None);
        assert_eq!(page(None, true, GO), None, "frameworks say what kind of text they send");
        assert_eq!(page(nginx, true, "The plain HTTP request was sent to HTTPS port"), None);
    }
}
