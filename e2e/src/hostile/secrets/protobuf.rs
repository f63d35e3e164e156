//! A few messages of Envoy's services, field by field.

/// A field of bytes.
pub fn bytes(field: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut all = vec![field << 3 | 2];
    all.extend(varint(content.len()));
    all.extend_from_slice(content);
    all
}

/// A number.
pub fn number(field: u8, value: usize) -> Vec<u8> {
    [vec![field << 3], varint(value)].concat()
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while value > 127 {
        all.push((value & 127) as u8 | 128);
        value >>= 7;
    }
    all.push(value as u8);
    all
}

/// For servers, whose habits are constants.
pub(super) fn leaked(message: Vec<u8>) -> &'static [u8] {
    message.leak()
}

/// A `FileDescriptorSet` with `s.S/Call`, whose messages have one text.
pub fn descriptor() -> Vec<u8> {
    let field = [bytes(1, "a"), number(3, 1), number(4, 1), number(5, 9), bytes(10, "a")].concat();
    let message = [bytes(1, "M"), bytes(2, field)].concat();
    let method = [bytes(1, "Call"), bytes(2, ".s.M"), bytes(3, ".s.M")].concat();
    let service = [bytes(1, "S"), bytes(2, method)].concat();
    let file =
        [bytes(1, "s.proto"), bytes(2, "s"), bytes(4, message), bytes(6, service), bytes(12, "proto3")];
    bytes(1, file.concat())
}
