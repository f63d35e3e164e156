//! Servers of HTTP that could make no request of what came: Tomcat, Jetty, Undertow, Netty, Kestrel, gunicorn, uvicorn, Node, nginx, and others.

use crate::explain::said::client::Symptom;
use crate::explain::said::client::Symptom::*;

/// All of them; what begins a handshake has been looked for before.
pub(super) const PARSERS: &[(&str, Symptom)] = &[
    // Puma and Tomcat know what it was.
    ("open an SSL connection to a non-SSL", NoTls),
    // Tomcat, Jetty, Undertow, Netty, Akka.
    ("Invalid character found in method name", NotARequest),
    ("Invalid character found in the request target", NotARequest),
    ("Invalid character found in the HTTP protocol", NotARequest),
    ("HTTP method names must be tokens", NotARequest),
    ("bad HTTP parsed: 400", NotARequest),
    ("BadMessageException: 400", NotARequest),
    ("BadRequestException: UT000", NotARequest),
    ("possibly HTTP/0.9", NotARequest),
    ("Illegal request, responding with status '400", NotARequest),
    // .NET.
    ("BadHttpRequestException: Invalid request line", NotARequest),
    ("BadHttpRequestException: Unrecognized HTTP version", NotARequest),
    ("BadHttpRequestException: Malformed request", NotARequest),
    // Python: gunicorn, uvicorn, its own, Tornado, aiohttp.
    ("Invalid HTTP request received", NotARequest),
    ("errors.InvalidHTTPVersion", NotARequest),
    ("errors.InvalidRequestLine", NotARequest),
    ("errors.InvalidRequestMethod", NotARequest),
    ("errors.InvalidHeader", NotARequest),
    ("errors.InvalidHeaderName", NotARequest),
    ("Invalid HTTP request line: ", NotARequest),
    ("message Bad request version", NotARequest),
    ("message Bad request syntax", NotARequest),
    ("message Bad HTTP/0.9 request type", NotARequest),
    ("Malformed HTTP message from ", NotARequest),
    ("Malformed HTTP request line", NotARequest),
    ("invalid HTTP method'", NotARequest),
    // Node.
    ("HPE_INVALID_METHOD", NotARequest),
    ("HPE_INVALID_URL", NotARequest),
    ("Parse Error: Invalid method encountered", NotARequest),
    // nginx, Apache, lighttpd, PHP.
    ("client sent invalid method", NotARequest),
    ("client sent invalid request", NotARequest),
    ("client sent invalid header", NotARequest),
    ("client sent invalid host header", NotARequest),
    ("Invalid method in request", NotARequest),
    ("Invalid URI in request", NotARequest),
    ("Invalid request (Malformed HTTP request)", NotARequest),
    // Ruby.
    ("HTTP parse error, malformed request", NotARequest),
    ("Invalid HTTP format, parsing fails", NotARequest),
    ("bad Request-Line", NotARequest),
    // Rust, Go.
    ("hyper::Error(Parse(Method))", NotARequest),
    ("hyper::Error(Parse(Uri))", NotARequest),
    ("invalid HTTP method parsed", NotARequest),
    ("malformed HTTP request", NotARequest),
    ("malformed HTTP version", NotARequest),
];
