//! A throw-away certificate authority: every run makes its own, and nothing else trusts it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};

/// A certificate and its key, as files.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate, PEM.
    pub cert: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

/// The authority of one run. It signs for the life of the run only, so it needs no revocation.
pub struct Authority {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a new authority that keeps its files in `folder`.
    pub fn create(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let mut params = CertificateParams::default();
        params.distinguished_name = name("brownout-e2e-ca", None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        write(&folder.join("ca.crt"), &issuer.pem())?;
        Ok(Self {
            folder: folder.to_path_buf(),
            issuer,
        })
    }

    /// The authority's own certificate, PEM.
    pub fn cert(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// Where it keeps its files.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A certificate for servers on the loopback interface.
    pub fn server(&self, file: &str, names: &[&str]) -> Result<Identity> {
        let mut params =
            CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        params.distinguished_name = name(file, None);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(file, params)
    }

    /// A certificate with which `user`, a member of `group`, logs in.
    pub fn client(&self, file: &str, user: &str, group: Option<&str>) -> Result<Identity> {
        let mut params = CertificateParams::default();
        params.distinguished_name = name(user, group);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(file, params)
    }

    /// A key pair without certificate, with which service account tokens are signed and checked.
    pub fn token_key(&self) -> Result<Identity> {
        let pair = KeyPair::generate()?;
        let identity = self.files("service-accounts", "pub");
        write(&identity.cert, &pair.public_key_pem())?;
        write(&identity.key, &pair.serialize_pem())?;
        Ok(identity)
    }

    fn sign(&self, file: &str, mut params: CertificateParams) -> Result<Identity> {
        let pair = KeyPair::generate()?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let cert = params.signed_by(&pair, &self.issuer)?;
        let identity = self.files(file, "crt");
        write(&identity.cert, &cert.pem())?;
        write(&identity.key, &pair.serialize_pem())?;
        Ok(identity)
    }

    fn files(&self, file: &str, extension: &str) -> Identity {
        Identity {
            cert: self.folder.join(format!("{file}.{extension}")),
            key: self.folder.join(format!("{file}.key")),
        }
    }
}

/// Kubernetes reads the user from the common name and the group from the organisation (it would
/// read several groups; a name of rcgen holds one).
fn name(user: &str, group: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, user);
    if let Some(group) = group {
        name.push(DnType::OrganizationName, group);
    }
    name
}

fn write(path: &Path, pem: &str) -> Result<()> {
    fs::write(path, pem).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(())
}
