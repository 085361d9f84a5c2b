//! A choice of platforms.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Platform;
use crate::image::digest::Digest;

/// The chosen platforms of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Vec<Platform>", into = "Vec<Platform>")]
pub struct Platforms(Vec<Platform>);

impl Platforms {
    /// All platforms: the image stays byte for byte what upstream has.
    pub const ALL: Self = Self(Vec::new());

    /// Whether nothing is left out.
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// The platforms, sorted, however they were written. Empty for all.
    pub fn iter(&self) -> impl Iterator<Item = &Platform> {
        self.0.iter()
    }

    /// The platforms of both choices.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self.is_all() || other.is_all() {
            return Self::ALL;
        }
        let mut platforms = self.0;
        platforms.extend(other.0);
        platforms.into()
    }

    /// A short name of this choice, for the record: 12 hexadecimal characters.
    pub fn fingerprint(&self) -> String {
        let text = self.to_string();
        Digest::from_content(text.as_bytes()).short().to_owned()
    }
}

impl From<Vec<Platform>> for Platforms {
    fn from(mut platforms: Vec<Platform>) -> Self {
        platforms.sort();
        platforms.dedup();
        Self(platforms)
    }
}

impl From<Platforms> for Vec<Platform> {
    fn from(platforms: Platforms) -> Self {
        platforms.0
    }
}

/// `all`, or the platforms with commas between them.
impl fmt::Display for Platforms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_all() {
            return f.write_str("all");
        }
        for (index, platform) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{platform}")?;
        }
        Ok(())
    }
}
