//! The port through which the registry adapter gets credentials.
//!
//! The adapter decides when a credential is needed and where it may be sent. Where credentials are
//! stored is the business of the [`Keychain`]: `aws/keychain.rs` implements it. To support
//! credentials of one more registry, extend that implementation; nothing in this adapter changes.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::future::BoxFuture;
use http::header::{HeaderValue, InvalidHeaderValue};
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, Side};

/// What a request does with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// It reads: the repository is a source.
    Pull,
    /// It reads and writes: the repository is a destination.
    Push,
}

impl Access {
    /// The side of a copy that uses this access.
    pub fn side(self) -> Side {
        match self {
            Self::Pull => Side::Source,
            Self::Push => Side::Destination,
        }
    }
}

/// A credential for one registry. Its `Debug` shows no secret.
#[derive(Debug)]
pub enum Credential {
    /// A login: it is exchanged for a token at the registry's token service, or sent as Basic
    /// authentication if the registry asks for that.
    Basic {
        /// The user name.
        user: String,
        /// The password or access token.
        password: SecretString,
    },
    /// A ready `Authorization` header for requests to the registry itself.
    Header(HeaderValue),
}

impl Credential {
    /// Whether it is sent to the registry as it is.
    pub(crate) fn is_header(&self) -> bool {
        matches!(self, Self::Header(_))
    }

    /// The `Authorization` header: for a login that of Basic authentication
    /// ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)).
    pub(crate) fn header(&self) -> HeaderValue {
        match self {
            Self::Basic { user, password } => {
                let login = format!("{user}:{}", password.expose_secret());
                let encoded = BASE64_STANDARD.encode(login);
                authorization_header("Basic", &encoded).expect("base64 is plain ASCII")
            }
            Self::Header(header) => header.clone(),
        }
    }
}

/// A credential; `None` means anonymous access.
pub type CredentialResult = Result<Option<Arc<Credential>>, Error>;

/// A store of credentials.
///
/// Implementations cache what they fetch: the adapter asks for each token, and before every request to
/// ECR. Concurrent calls share one fetch, and its failure.
pub trait Keychain: Send + Sync {
    /// The credential for `access` to the host `registry`; `None` means anonymous access.
    ///
    /// A configured credential that cannot be read is an error, unless the registry may be read
    /// anonymously instead.
    fn credential<'a>(
        &'a self,
        registry: &'a str,
        access: Access,
    ) -> BoxFuture<'a, CredentialResult>;

    /// Discards the credential of `registry` if it still is `refused`, which the registry did not
    /// accept. The next call of [`Keychain::credential`] fetches a fresh one.
    ///
    /// Credentials are compared by identity (`Arc::ptr_eq`), so that of several concurrent callers
    /// only the first one causes a fetch.
    fn discard<'a>(&'a self, registry: &'a str, refused: &'a Arc<Credential>) -> BoxFuture<'a, ()>;
}

/// The value of an `Authorization` header. Its `Debug` shows no secret.
pub(crate) fn authorization_header(
    scheme: &str,
    value: &str,
) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut header = HeaderValue::try_from(format!("{scheme} {value}"))?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_debug_output_shows_a_secret() {
        let login = Credential::Basic {
            user: "ci".to_owned(),
            password: SecretString::from("dckr_pat_x"),
        };
        let header = login.header();
        assert_eq!(header, "Basic Y2k6ZGNrcl9wYXRfeA==");
        for credential in [login, Credential::Header(header)] {
            let text = format!("{credential:?}");
            assert!(!text.contains("dckr_pat_x"), "{text}");
            assert!(!text.contains("Y2k6"), "{text}");
        }
    }
}
