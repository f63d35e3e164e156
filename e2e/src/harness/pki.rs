//! Certificates for a scenario: an authority of its own, servers, clients, and bad ones.

use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

/// The common name of `hostile`, and its alternative name.
pub const HOSTILE: &str = "evil\";.;cause=.=x;.;\\\r\n{}%00";

/// An authority and what it signed, as PEM files in a folder.
#[derive(Debug)]
pub struct Pki {
    folder: PathBuf,
}

impl Pki {
    /// Makes, in `folder`: `ca`, `server` (localhost, `*.example.com`, httpbin.org), `wildcard`
    /// (`*.test.com`), `shop` (`*.shop.test`, api.billing.test), `client`, `for-signing` (a server whose key may only sign
    /// certificates), `expired` (a server whose time is over), `hostile` (a client
    /// and server whose names try to break out of a log), and a second authority `other-ca` with `other-server` and `other-client`; each as `NAME.pem` and `NAME.key`.
    pub fn create(folder: &Path) -> Result<Self> {
        let pki = Self { folder: folder.to_owned() };
        let ca = pki.authority("ca")?;
        pki.leaf(&ca, "server", &["localhost", "127.0.0.1", "*.example.com", "httpbin.org"], false)?;
        pki.leaf(&ca, "wildcard", &["*.test.com"], false)?;
        pki.leaf(&ca, "shop", &["*.shop.test", "api.billing.test"], false)?;
        pki.leaf(&ca, "client", &["client.example.com"], false)?;
        pki.leaf_with(
            &ca,
            "for-signing",
            "for-signing",
            &["localhost", "127.0.0.1", "httpbin.org"],
            |params| {
                params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            },
        )?;
        pki.leaf(&ca, "expired", &["localhost", "127.0.0.1", "httpbin.org"], true)?;
        pki.leaf_called(&ca, "hostile", HOSTILE, &[HOSTILE], false)?;
        let other = pki.authority("other-ca")?;
        pki.leaf(&other, "other-server", &["localhost", "127.0.0.1", "httpbin.org"], false)?;
        pki.leaf(&other, "other-client", &["client.example.com"], false)?;
        Ok(pki)
    }

    /// Makes `NAME` with these names, `NAME-expired`, whose time is over, both of `ca`, and `NAME-other` of an authority with the
    /// first of these names. `ca` has to be new: its key is kept nowhere.
    pub fn named(&self, name: &str, names: &[&str]) -> Result<()> {
        let (first, expired, other) = (names[0], format!("{name}-expired"), format!("{name}-other"));
        let ca = self.authority("ca")?;
        self.leaf_called(&ca, name, first, names, false)?;
        self.leaf_called(&ca, &expired, first, names, true)?;
        self.leaf(&ca, "server", &["localhost", "127.0.0.1", "httpbin.org"], false)?;
        let authority = self.authority(&format!("{name}-authority"))?;
        self.leaf_called(&authority, &other, first, names, false)
    }

    /// The path of `NAME.pem` or `NAME.key`.
    pub fn path(&self, file: &str) -> String {
        self.folder.join(file).display().to_string()
    }

    fn authority(&self, name: &str) -> Result<CertifiedIssuer<'static, KeyPair>> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        std::fs::write(self.path(&format!("{name}.pem")), issuer.pem())?;
        Ok(issuer)
    }

    fn leaf(
        &self,
        issuer: &CertifiedIssuer<'static, KeyPair>,
        name: &str,
        names: &[&str],
        expired: bool,
    ) -> Result<()> {
        self.leaf_called(issuer, name, name, names, expired)
    }

    fn leaf_called(
        &self,
        issuer: &CertifiedIssuer<'static, KeyPair>,
        name: &str,
        common_name: &str,
        names: &[&str],
        expired: bool,
    ) -> Result<()> {
        self.leaf_with(issuer, name, common_name, names, |params| {
            if expired {
                params.not_before = rcgen::date_time_ymd(2001, 1, 1);
                params.not_after = rcgen::date_time_ymd(2002, 1, 1);
            }
        })
    }

    fn leaf_with(
        &self,
        issuer: &CertifiedIssuer<'static, KeyPair>,
        name: &str,
        common_name: &str,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Result<()> {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, common_name);
        change(&mut params);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, issuer)?;
        std::fs::write(self.path(&format!("{name}.pem")), certificate.pem())?;
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem())?;
        Ok(())
    }
}
