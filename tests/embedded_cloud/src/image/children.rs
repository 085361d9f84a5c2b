//! The children of an index, by platform.

use super::{Image, Role};

impl Image {
    /// The platforms of an index in its order, without attestations; the platform of a single
    /// image.
    ///
    /// Names are those that the image was made with, such as `linux/arm64/v8`.
    pub fn platforms(&self) -> Vec<String> {
        let own = self.platform().into_iter();
        own.chain(self.children.iter().filter_map(Self::platform))
            .map(str::to_owned)
            .collect()
    }

    /// The image that an index has for a platform.
    ///
    /// # Panics
    /// If it has none.
    pub fn child(&self, platform: &str) -> &Self {
        let found = self
            .children
            .iter()
            .find(|child| child.platform() == Some(platform));
        found.unwrap_or_else(|| panic!("no image for {platform} among {:?}", self.platforms()))
    }

    /// The attestation of the image for a platform.
    ///
    /// # Panics
    /// If it has none.
    pub fn attestation(&self, platform: &str) -> &Self {
        let role = Role::Attestation(self.child(platform).digest());
        let found = self.children.iter().find(|child| child.role == role);
        found.unwrap_or_else(|| panic!("no attestation of the image for {platform}"))
    }

    fn platform(&self) -> Option<&str> {
        match &self.role {
            Role::Platform(name) => Some(name),
            _ => None,
        }
    }
}
