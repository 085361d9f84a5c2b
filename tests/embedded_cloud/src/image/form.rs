//! The form of manifests: one of two families of media types, one of two layouts.

use bytes::Bytes;
use serde_json::Value;

use crate::media;

/// The media types and the layout of an image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) family: Family,
    pub(super) layout: Layout,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Family {
    Docker,
    Oci,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Layout {
    /// On one line, as `containerd` and most tools write.
    Compact,
    /// On many lines, indented by two spaces, as Docker's official images have it.
    Pretty,
}

impl Layout {
    pub(super) fn write(self, document: &Value) -> Bytes {
        match self {
            Self::Compact => document.to_string().into(),
            Self::Pretty => format!("{document:#}").into(),
        }
    }
}

impl Family {
    pub(super) fn manifest(self) -> &'static str {
        match self {
            Self::Docker => media::DOCKER_MANIFEST,
            Self::Oci => media::OCI_MANIFEST,
        }
    }

    pub(super) fn config(self) -> &'static str {
        match self {
            Self::Docker => media::DOCKER_CONFIG,
            Self::Oci => media::OCI_CONFIG,
        }
    }

    pub(super) fn layer(self) -> &'static str {
        match self {
            Self::Docker => media::DOCKER_LAYER,
            Self::Oci => media::OCI_LAYER,
        }
    }

    pub(super) fn index(self) -> &'static str {
        match self {
            Self::Docker => media::DOCKER_LIST,
            Self::Oci => media::OCI_INDEX,
        }
    }
}
