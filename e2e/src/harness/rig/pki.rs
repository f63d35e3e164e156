//! The mesh's own root and the workloads' certificates.

use std::path::Path;

use anyhow::Result;
use rcgen::string::Ia5String;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};

/// The mesh's certificate authority.
#[derive(Debug)]
pub struct MeshCa(CertifiedIssuer<'static, KeyPair>);

impl MeshCa {
    /// A new one.
    pub fn create() -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::OrganizationName, "cluster.local");
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    /// Leaves in `folder` what an agent with FILE_MOUNTED_CERTS reads.
    pub fn issue(&self, folder: &Path, namespace: &str, account: &str) -> Result<()> {
        let id = format!("spiffe://cluster.local/ns/{namespace}/sa/{account}");
        self.sign(folder, SanType::URI(Ia5String::try_from(id)?))
    }

    /// The same for a server with this name.
    pub fn issue_server(&self, folder: &Path, name: &str) -> Result<()> {
        self.sign(folder, SanType::DnsName(Ia5String::try_from(name)?))
    }

    fn sign(&self, folder: &Path, name: SanType) -> Result<()> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.subject_alt_names.push(name);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.0)?;
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("cert-chain.pem"), certificate.pem())?;
        std::fs::write(folder.join("key.pem"), key.serialize_pem())?;
        std::fs::write(folder.join("root-cert.pem"), self.0.pem())?;
        Ok(())
    }
}
