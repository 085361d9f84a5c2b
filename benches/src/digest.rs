//! SHA-256 digests as registries write them: `sha256:` and 64 lower-case hexadecimal digits.

use std::fmt::Write as _;

use aws_lc_rs::digest::{Context, SHA256};

/// A digest that is computed while bytes pass.
pub(crate) struct Hasher(Context);

impl Hasher {
    pub(crate) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> String {
        let mut text = String::from("sha256:");
        for byte in self.0.finish().as_ref() {
            write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        }
        text
    }
}

/// The digest of `bytes`.
pub(crate) fn of(bytes: &[u8]) -> String {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.finish()
}

/// Whether `text` is a digest and no tag: tags have no colon.
pub(crate) fn is_digest(text: &str) -> bool {
    text.starts_with("sha256:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_nothing_is_the_one_that_everybody_knows() {
        assert_eq!(of(b""), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn a_tag_is_no_digest() {
        assert!(is_digest(&of(b"")) && !is_digest("sha256"));
    }
}
