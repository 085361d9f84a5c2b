//! Networks between a tool and the two registries.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The network between a tool and the registries.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Network {
    /// Plain HTTP on this machine
    Loopback,
    /// TLS on this machine, with a certificate authority made for this run
    Tls,
    /// Plain HTTP over a line with a round trip and a limited rate
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

    pub(crate) fn uses_tls(self) -> bool {
        matches!(self, Self::Tls | Self::TlsWan)
    }

    pub(crate) fn is_remote(self) -> bool {
        matches!(self, Self::Wan | Self::TlsWan)
    }
}
