//! Options `publish` and `publish_as`: the state of a subscription becomes that of a user of the presence server.

use super::{OptionError, Options, Terms, in_quotes, shown};
use crate::grammar::{Aor, PeerUri};

/// The option without a URI.
pub(super) const PUBLISH: &str = "publish";

/// The option with one.
pub(super) const PUBLISH_AS: &str = "publish_as";

/// A value of it.
pub(super) const A_USER: &str = "a SIP URI with a user, such as \"sip:desk@example.com\"";

/// Whose state the state of a subscription becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishAs {
    /// The record's.
    Record,
    /// That of this user: a SIP URI with a user.
    Uri(String),
}

impl PublishAs {
    /// Reads the value of `publish_as`.
    pub(super) fn read(value: &[u8]) -> Option<Self> {
        let uri = PeerUri::judge(value).filter(|uri| Aor::read(uri.text()).is_some_and(|aor| !aor.user.is_empty()))?;
        String::from_utf8(uri.text().to_vec()).ok().map(Self::Uri)
    }

    /// The name of the option.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Record => PUBLISH,
            Self::Uri(_) => PUBLISH_AS,
        }
    }
}

/// As an option.
impl std::fmt::Display for PublishAs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Record => Ok(()),
            Self::Uri(uri) => write!(f, "={}", in_quotes(uri)),
        }
    }
}

impl Options {
    /// A state is published as long as it is known, and a subscription has one state. It is kept to be published.
    pub(super) fn publishes_alone(&mut self) -> Result<(), OptionError> {
        let Some(publish) = &self.publish else { return Ok(()) };
        self.terms.keep = true;
        let other = match self.terms {
            _ if self.share => "share",
            Terms { fetch: Some(_), .. } => "fetch",
            Terms { list: true, .. } => "list",
            _ => return Ok(()),
        };
        let value = match publish {
            PublishAs::Record => String::new(),
            PublishAs::Uri(uri) => shown(uri.as_bytes()),
        };
        let wanted = format!("omitted if option {other} is given").into();
        Err(OptionError::Value { name: publish.name(), value, wanted })
    }
}
