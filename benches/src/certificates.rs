//! A certificate authority for one run, and the certificate of the registries.

use std::path::{Path, PathBuf};
use std::{fs, io};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    KeyUsagePurpose,
};

/// Files in PEM form.
#[derive(Clone, Debug)]
pub(crate) struct Certificates {
    /// What a client trusts, alone in its directory.
    pub(crate) authority: PathBuf,
    /// Certificate and key of both registries, for 127.0.0.1.
    pub(crate) identity: PathBuf,
}

impl Certificates {
    /// Makes both and writes them into `directory`.
    pub(crate) fn make(directory: &Path) -> Result<Self, String> {
        let broken = |path: &Path, error: io::Error| format!("{}: {error}", path.display());
        let trusted = directory.join("trusted");
        fs::create_dir(&trusted).map_err(|error| broken(&trusted, error))?;
        let files = Self {
            authority: trusted.join("ca.crt"),
            identity: directory.join("identity.pem"),
        };
        let (authority, identity) =
            issue().map_err(|error| format!("cannot make certificates: {error}"))?;
        for (path, text) in [(&files.authority, authority), (&files.identity, identity)] {
            fs::write(path, text).map_err(|error| broken(path, error))?;
        }
        Ok(files)
    }
}

fn issue() -> Result<(String, String), rcgen::Error> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    authority.distinguished_name = named("benches certificate authority");
    let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let mut server = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    server.distinguished_name = named("benches registry");
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &issuer)?;
    Ok((
        issuer.pem(),
        format!("{}{}", certificate.pem(), key.serialize_pem()),
    ))
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}
