//! How manifests are written: in one of two families of media types, and in one of two layouts.

use bytes::Bytes;
use serde_json::Value;

use crate::media;

/// Which family of media types an image uses, and how its manifests look.
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
    /// Over many lines with two spaces for each level, as Docker's official images have it.
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
