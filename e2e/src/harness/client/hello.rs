//! The first message of TLS, made by hand.

/// A TLS 1.2 ClientHello with this server name and this application protocol, whatever they are.
pub fn client_hello(sni: &[u8], protocol: &[u8]) -> Vec<u8> {
    let short = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let protocol = &protocol[..protocol.len().min(255)];
    let name = short(&[&[0][..], &short(sni)].concat());
    let alpn = short(&[&[protocol.len() as u8][..], protocol].concat());
    let extensions = [&[0, 0][..], &short(&name), &[0, 16], &short(&alpn)].concat();
    let body = [&[3, 3][..], &[7; 32], &[0], &short(&[0xc0, 0x2f]), &[1, 0], &short(&extensions)].concat();
    let message = [&[1, 0][..], &short(&body)].concat();
    [&[22, 3, 1][..], &short(&message)].concat()
}
