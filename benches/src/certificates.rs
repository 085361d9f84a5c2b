//! The certificate authority of one run, and the certificate of its registries.

use std::path::{Path, PathBuf};
use std::{fs, io};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    KeyUsagePurpose,
};

/// PEM files.
#[derive(Clone, Debug)]
pub(crate) struct Certificates {
    /// The certificate that a client trusts, the only file in its directory.
    pub(crate) authority: PathBuf,
    /// The certificate and key that both registries use, valid for 127.0.0.1.
    pub(crate) identity: PathBuf,
}

impl Certificates {
    /// Creates both files in `directory`.
    pub(crate) fn make(directory: &Path) -> Result<Self, String> {
        let describe = |path: &Path, error: io::Error| format!("{}: {error}", path.display());
        let trusted = directory.join("trusted");
        fs::create_dir(&trusted).map_err(|error| describe(&trusted, error))?;
        let files = Self {
            authority: trusted.join("ca.crt"),
            identity: directory.join("identity.pem"),
        };
        let (authority, identity) =
            issue().map_err(|error| format!("cannot create certificates: {error}"))?;
        for (path, text) in [(&files.authority, authority), (&files.identity, identity)] {
            fs::write(path, text).map_err(|error| describe(path, error))?;
        }
        Ok(files)
    }
}

fn issue() -> Result<(String, String), rcgen::Error> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    authority.distinguished_name = common_name("benches certificate authority");
    let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let mut server = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    server.distinguished_name = common_name("benches registry");
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &issuer)?;
    Ok((
        issuer.pem(),
        format!("{}{}", certificate.pem(), key.serialize_pem()),
    ))
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished_name = DistinguishedName::new();
    distinguished_name.push(DnType::CommonName, name);
    distinguished_name
}
