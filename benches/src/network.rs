//! The networks between a tool and the two registries.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What lies between a tool and the registries.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Network {
    /// Plain HTTP on this machine
    Loopback,
    /// TLS on this machine, with a certificate authority made for the run
    Tls,
    /// Plain HTTP over a line with a distance and a width
    Wan,
    /// TLS over such a line
    TlsWan,
}

impl Network {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Tls => "tls",
            Self::Wan => "wan",
            Self::TlsWan => "tls-wan",
        }
    }

    pub(crate) fn is_secured(self) -> bool {
        matches!(self, Self::Tls | Self::TlsWan)
    }

    pub(crate) fn is_far(self) -> bool {
        matches!(self, Self::Wan | Self::TlsWan)
    }
}
