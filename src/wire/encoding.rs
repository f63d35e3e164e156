//! The form in which one role hands the first bytes to another through the proxy.

use super::{ClientHello, FirstBytes, HttpLine, Protocol};

impl FirstBytes {
    /// `protocol;key=value;...`, at most 600 bytes. Values hold none of `;`, `=` and `,` (see `tls`).
    pub fn encode(&self) -> String {
        let mut out = String::from(self.protocol.id());
        let mut put = |key: &str, value: &str| out.extend([";", key, "=", value]);
        if let Some(hello) = &self.tls {
            put("sni", hello.sni.as_deref().unwrap_or_default());
            put("alpn", &hello.alpn.join(","));
        }
        if let Some(line) = &self.http {
            let (major, minor) = line.version.unwrap_or_default();
            put("version", &format!("{major}.{minor}"));
            if line.https_url {
                put("https", "1");
            }
            if let Some(status) = line.status {
                put("status", &status.to_string());
            }
        }
        out
    }

    /// What [`Self::encode`] wrote; `None` for anything that doesn't begin with a protocol's name.
    pub fn decode(text: &str) -> Option<Self> {
        let mut all = text.split(';');
        let mut found = Self::of(Protocol::from_id(all.next()?)?);
        for (key, value) in all.filter_map(|part| part.split_once('=')) {
            let full = || (!value.is_empty()).then(|| value.to_owned());
            match key {
                "sni" => found.tls.get_or_insert_with(ClientHello::default).sni = full(),
                "alpn" if !value.is_empty() => {
                    let names = value.split(',').map(str::to_owned).collect();
                    found.tls.get_or_insert_with(ClientHello::default).alpn = names;
                }
                "version" => {
                    let version =
                        value.split_once('.').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
                    let line = found.http.get_or_insert_with(HttpLine::default);
                    line.version = version.filter(|v| *v != (0, 0));
                }
                "https" => found.http.get_or_insert_with(HttpLine::default).https_url = true,
                "status" => found.http.get_or_insert_with(HttpLine::default).status = value.parse().ok(),
                _ => {}
            }
        }
        Some(found)
    }
}
