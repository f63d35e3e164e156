//! Databases and brokers: their drivers, their pools, their command lines.

use super::super::Symptom::{self, *};

/// The first four bytes of an HTTP answer, or of TLS, taken for a length: databases and brokers say it so.
pub(super) const PROTOCOLS: &[(&str, Symptom)] = &[
    // `HTTP`, little endian and big endian.
    ("len 1347703880", SpeaksHttp),
    ("large: 1347703880", SpeaksHttp),
    ("length 1347703880", SpeaksHttp),
    ("size = 1213486160", SpeaksHttp),
    ("size 1213486160", SpeaksHttp),
    ("length 1213486160", SpeaksHttp),
    ("Protocol error, got \"H\" as reply type byte", SpeaksHttp),
    ("got 'H' as reply type byte", SpeaksHttp),
    ("invalid response to SSL negotiation: H", SpeaksHttp),
    ("authentication request from server, but received H", SpeaksHttp),
    // A handshake and an alert of TLS.
    ("size = 369295", NoTls),
    ("size = 369296", NoTls),
    ("size = 352518", WantsTls),
    ("size = 352519", WantsTls),
    ("reply type byte", WantsOtherProtocol),
    ("invalid response to SSL negotiation", NoTls),
];

/// The client waits for the server to speak first.
pub(super) const SERVER_FIRST: &[(&str, Symptom)] = &[
    ("reading initial communication packet", NoGreeting),
    ("waiting for initial communication packet", NoGreeting),
    ("driver has not received any packets from the server", NoGreeting),
    ("kex_exchange_identification", NoGreeting),
    ("ssh_exchange_identification", NoGreeting),
];

/// Kafka's clients.
pub(super) const KAFKA: &[(&str, Symptom)] = &[
    ("Broker may not be available", Refused),
    ("disconnected before the response was read", Dropped),
    ("Disconnected while requesting ApiVersion", Dropped),
    ("verify that security.protocol is correctly configured", Dropped),
    ("run out of available brokers", Dropped),
    ("(id: -1 rack: null) disconnected", Dropped),
];

/// A connection of a pool that was no longer one.
pub(super) const POOLED: &[(&str, Symptom)] = &[
    ("Broken pipe", Pooled),
    ("write EPIPE", Pooled),
    ("occurred while sending to the backend", Pooled),
    ("This connection has been closed", Pooled),
    ("server has gone away", Pooled),
    ("http2: client connection lost", Pooled),
    ("socket exception on connection", Pooled),
    ("socket exception raised on another connection", Pooled),
    ("unable to decode message length: EOF", Pooled),
    ("before connection was unexpectedly lost", Pooled),
    ("marked as broken because of SQLSTATE", Pooled),
    ("Failed to validate connection", Pooled),
    ("No operations allowed after connection closed", Pooled),
    ("The connection is closed.", Pooled),
    ("No more data to read from socket", Pooled),
    ("ORA-03113", Pooled),
    ("ORA-03135", Pooled),
    ("ORA-17410", Pooled),
    ("driver: bad connection", Pooled),
    ("Exception: Closed Connection", Pooled),
    ("SSL connection has been closed unexpectedly", Pooled),
    ("connection is already closed", Pooled),
    ("Lost connection to MySQL server during", Pooled),
];

/// The same of what isn't HTTP.
pub(super) const DROPPED: &[(&str, Symptom)] = &[
    ("server closed the connection", Dropped),
    ("Connection closed by server", Dropped),
    ("Connection terminated unexpectedly", Dropped),
    ("PROTOCOL_CONNECTION_LOST", Dropped),
    ("connection closed by foreign host", Dropped),
    ("connection closed by remote host", Dropped),
    ("Prematurely reached end of stream", Dropped),
    ("MongoSocketReadException", Dropped),
    ("to MySQL server during query", Pooled),
    ("Communications link failure", Dropped),
    ("got 0 bytes at EOF", Dropped),
    ("SocketFailure", Dropped),
    ("ORA-12537", Dropped),
    ("ORA-12547", Dropped),
    ("failed to receive message (unexpected EOF)", Dropped),
    ("connection was closed by the server", Dropped),
];

/// Brokers and stores of other kinds.
pub(super) const OTHERS: &[(&str, Symptom)] = &[
    ("AmqpConnectException", Refused),
    ("AmqpIOException", Dropped),
    ("AMQPConnectionError", Refused),
    ("StreamLostError", Pooled),
    ("closed abruptly during opening handshake", Dropped),
    ("nats: no servers available", Refused),
    ("No living connections", Refused),
    ("NoNodeAvailableException", Refused),
    ("None of the configured nodes are available", Refused),
    ("NoHostAvailableException", Refused),
    ("All host(s) tried for query failed", Refused),
    ("Unable to connect to any servers", Refused),
    ("KeeperErrorCode = ConnectionLoss", Dropped),
    ("Unable to read additional data from server", Dropped),
    ("etcdserver: request timed out", NoAnswer),
    ("cannot connect to host/port", Refused),
    (": nodedown", Refused),
    ("contact LDAP server", Refused),
    ("Could not connect to SMTP host", Refused),
];
