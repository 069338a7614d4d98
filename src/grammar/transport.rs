//! The transports that a URI can name.

/// A transport (RFC 3261 §19.1.1, RFC 7118 §5.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP, the default of a SIP URI.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP, the default of a SIPS URI.
    Tls,
    /// SCTP.
    Sctp,
    /// WebSocket.
    Ws,
    /// WebSocket over TLS.
    Wss,
}

impl Transport {
    const ALL: [Self; 6] = [Self::Udp, Self::Tcp, Self::Tls, Self::Sctp, Self::Ws, Self::Wss];

    /// The transport of this name, in whichever letters.
    #[must_use]
    pub fn find(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// Its name in a URI, in small letters.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Sctp => "sctp",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// Whether it has TLS in it.
    #[must_use]
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// The transport that a SIPS URI with this transport means: there is no SIPS over UDP, and TLS is part of all others
    /// (RFC 3261 §26.2.2), SCTP left as it is.
    #[must_use]
    pub fn over_tls(self) -> Self {
        match self {
            Self::Udp | Self::Tcp | Self::Tls => Self::Tls,
            Self::Ws | Self::Wss => Self::Wss,
            Self::Sctp => Self::Sctp,
        }
    }

    /// The port where nothing else is said (RFC 3261 §19.1.2).
    #[must_use]
    pub fn default_port(self) -> u16 {
        if self.is_tls() { 5061 } else { 5060 }
    }
}
