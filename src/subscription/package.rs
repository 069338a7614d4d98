//! Event packages the SIP user agent subscribes to.

use super::policy::Forking;
use crate::memory::{Defect, found};

/// An event package (RFC 6665 §7).
#[derive(Debug, PartialEq, Eq)]
pub struct Package {
    /// Its number among all of this server.
    pub number: PackageNumber,
    /// Event type, as in the Event header.
    pub name: &'static str,
    /// Value of the Accept header: the body types its NOTIFYs may have.
    pub accept: &'static [&'static str],
    /// Body types that tell only what has changed of those: accepted as well where the subscriber is told the whole state.
    pub partial: &'static [&'static str],
    /// Option tags for the Supported header: what this module does, nothing else.
    pub supported: &'static [&'static str],
    /// Whether one SUBSCRIBE may make several subscriptions, one with each notifier it is forked to (RFC 6665 §4.1.4).
    pub forks: bool,
}

impl Package {
    /// Whether it is one of this server's operator, not of every server.
    #[must_use]
    pub fn is_own(&self) -> bool {
        usize::from(self.number.0) >= ALL.len()
    }
}

/// The number of a package, in a byte instead of a pointer's eight: 7 MB less for a million subscriptions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PackageNumber(u8);

impl PackageNumber {
    /// The place of the package among [all](Packages::iter).
    #[must_use]
    pub fn place(self) -> usize {
        self.0.into()
    }
}

/// Presence (RFC 3856). One dialog (§6.9).
pub static PRESENCE: &Package = &Package {
    number: PackageNumber(0),
    name: "presence",
    accept: &["application/pidf+xml"],
    partial: &["application/pidf-diff+xml"],
    supported: &[],
    forks: false,
};

/// Watchers of a presentity (RFC 3857, RFC 3858). Each notifier tells the watchers it knows of (RFC 3857 §4.9).
pub static PRESENCE_WINFO: &Package = &Package {
    number: PackageNumber(1),
    name: "presence.winfo",
    accept: &["application/watcherinfo+xml"],
    partial: &[],
    supported: &[],
    forks: true,
};

/// INVITE-initiated dialogs (RFC 4235). Each user agent tells its own (§3.9).
pub static DIALOG: &Package = &Package {
    number: PackageNumber(2),
    name: "dialog",
    accept: &["application/dialog-info+xml"],
    partial: &[],
    supported: &[],
    forks: true,
};

/// Registrations (RFC 3680). One dialog (§4.9).
pub static REG: &Package = &Package {
    number: PackageNumber(3),
    name: "reg",
    accept: &["application/reginfo+xml"],
    partial: &[],
    supported: &[],
    forks: false,
};

/// Messages waiting (RFC 3842). Each message store tells its own (§3.9).
pub static MESSAGE_SUMMARY: &Package = &Package {
    number: PackageNumber(4),
    name: "message-summary",
    accept: &["application/simple-message-summary"],
    partial: &[],
    supported: &[],
    forks: true,
};

/// The packages of every server, each at the place of its number.
pub static ALL: [&Package; 5] = [PRESENCE, PRESENCE_WINFO, DIALOG, REG, MESSAGE_SUMMARY];

// A number has room for each.
const _: usize = u8::MAX as usize - Packages::MOST;

/// The package of every server with this event type, compared byte-wise (RFC 6665 §8.2.1).
#[must_use]
pub fn find(name: &[u8]) -> Option<&'static Package> {
    ALL.into_iter().find(|package| package.name.as_bytes() == name)
}

/// The packages of this server: [`ALL`], and behind them those of its operator.
#[derive(Clone, Debug, Default)]
pub struct Packages {
    own: Vec<&'static Package>,
}

/// An operator's package, as it is described. Event type and body types are well-formed: the caller has checked them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnPackage {
    /// Event type.
    pub name: String,
    /// Body types.
    pub accept: Vec<String>,
    /// Whether a subscription may have several dialogs; [`Forking::Package`] is one, as RFC 6665 §4.1.4 has it for
    /// packages that do not say.
    pub forking: Forking,
}

/// Why a package cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageError {
    /// There is one of this name.
    Exists,
    /// There are [`Packages::MOST_OWN`] already.
    TooMany,
}

impl Packages {
    /// The most packages that an operator can add.
    pub const MOST_OWN: usize = 32;

    /// The most packages that there can be.
    pub const MOST: usize = ALL.len() + Self::MOST_OWN;

    /// Adds one. It is there as long as the process is: packages are made once, when the server starts.
    ///
    /// # Errors
    /// When the name is taken, or there are too many.
    pub fn add(&mut self, package: OwnPackage) -> Result<(), PackageError> {
        let OwnPackage { name, accept, forking } = package;
        if self.find(name.as_bytes()).is_some() {
            return Err(PackageError::Exists);
        }
        let number = u8::try_from(ALL.len() + self.own.len()).map_err(|_| PackageError::TooMany)?;
        if self.own.len() >= Self::MOST_OWN {
            return Err(PackageError::TooMany);
        }
        let accept: Vec<&str> = accept.into_iter().map(|kind| &*kind.leak()).collect();
        let package = Package {
            number: PackageNumber(number),
            name: name.leak(),
            accept: accept.leak(),
            partial: &[],
            supported: &[],
            forks: forking == Forking::All,
        };
        self.own.push(Box::leak(Box::new(package)));
        Ok(())
    }

    /// The package with this event type, compared byte-wise (RFC 6665 §8.2.1).
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<&'static Package> {
        find(name).or_else(|| self.own.iter().copied().find(|package| package.name.as_bytes() == name))
    }

    /// The package with this number. Numbers are those of packages that are there.
    #[must_use]
    pub fn get(&self, number: PackageNumber) -> &'static Package {
        let place = number.place();
        let own = || place.checked_sub(ALL.len()).and_then(|place| self.own.get(place));
        ALL.get(place).or_else(own).copied().unwrap_or_else(|| {
            found::<()>(Defect::Package);
            PRESENCE
        })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &'static Package> {
        ALL.into_iter().chain(self.own.iter().copied())
    }

    /// The names of all, with commas between.
    #[must_use]
    pub fn names(&self) -> String {
        self.iter().map(|package| package.name).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
impl Packages {
    /// Those of every server.
    pub const KNOWN: &'static Self = &Self { own: Vec::new() };
}
