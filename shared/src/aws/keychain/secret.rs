//! The secret that holds Docker Hub's login.

use secrecy::SecretString;
use serde::Deserialize;

use crate::registry::Credential;

/// The two forms of the secret: with `password`, and with `accessToken` as ECR's pull-through cache
/// requires it.
#[derive(Deserialize)]
struct SecretJson {
    username: String,
    #[serde(rename = "accessToken")]
    access_token: Option<SecretString>,
    password: Option<SecretString>,
}

/// What is wrong with a secret that has neither form.
const NOT_A_LOGIN: &str = concat!(
    "it is not JSON of the form ",
    r#"{"username":"…","password":"…"}"#,
    " or ",
    r#"{"username":"…","accessToken":"…"}"#,
);

/// Reads the text of the secret. The error never quotes it, as the JSON parser's own message could.
pub(super) fn parse(text: &str) -> Result<Credential, &'static str> {
    let secret: SecretJson = serde_json::from_str(text).map_err(|_| NOT_A_LOGIN)?;
    let user = secret.username;
    if user.trim().is_empty() {
        return Err("its username is empty");
    }
    if user.contains('@') {
        tracing::warn!(
            "the username in Docker Hub's secret is an e-mail address, \
             which Docker Hub refuses: use the Docker ID"
        );
    }
    let password = secret.access_token.or(secret.password).ok_or(NOT_A_LOGIN)?;
    Ok(Credential::Basic { user, password })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn both_forms_of_the_secret_are_read() {
        for text in [
            r#"{"username":"ci","password":"dckr_pat_x"}"#,
            r#"{"username":"ci","password":"of the person","accessToken":"dckr_pat_x"}"#,
            r#"{"username":"ci","accessToken":"dckr_pat_x","note":"kept for pull-through cache"}"#,
        ] {
            let Credential::Basic { user, password } = parse(text).unwrap() else {
                panic!("a secret holds a login");
            };
            assert_eq!(user, "ci");
            assert_eq!(password.expose_secret(), "dckr_pat_x");
        }
    }

    #[test]
    fn a_bad_secret_is_described_and_never_quoted() {
        for text in [
            "dckr_pat_x",
            r#"{"username":"ci","pass":"dckr_pat_x"}"#,
            r#"{"username":" ","password":"dckr_pat_x"}"#,
        ] {
            let why = parse(text).err().unwrap();
            assert!(!why.contains("dckr_pat_x"), "{why}");
        }
    }
}
