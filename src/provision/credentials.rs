//! User names and secrets for realms, in shared memory: they are replaced as a whole when a table is read again.

use std::fmt;

use allocator_api2::vec::Vec;
use parking_lot::lock_api::{Mutex, RawMutex};

use crate::memory::{OutOfMemory, PackedSecrets, SharedAlloc};
use crate::subscription::{Credential, Domains, KnownCredentials, RealmName, Secret};

const REALM: usize = 0;
const USERNAME: usize = 1;
const SECRET: usize = 2;

/// Realm (empty for every realm), user name and secret.
type Stored<A> = PackedSecrets<3, A>;

/// The credentials. The lock is a leaf lock: they are looked for under that of a shard of the registry.
pub struct CredentialStore<A: SharedAlloc, L> {
    all: Mutex<L, Vec<Stored<A>, A>>,
    /// Where those of a realm are good for, if not everywhere that the record says. Never changes.
    domains: std::vec::Vec<(RealmName, Domains)>,
    alloc: A,
}

impl<A: SharedAlloc, L: RawMutex> CredentialStore<A, L> {
    /// None yet; with the domains of realms.
    #[must_use]
    pub fn new(domains: std::vec::Vec<(RealmName, Domains)>, alloc: A) -> Self {
        Self { all: Mutex::new(Vec::new_in(alloc.clone())), domains, alloc }
    }

    /// Puts others in the place of all. Of those of one realm the first counts.
    ///
    /// # Errors
    /// There is no room: nothing has changed.
    pub fn replace<'c>(&self, others: impl Iterator<Item = &'c Credential>) -> Result<(), OutOfMemory> {
        let mut all = Vec::new_in(self.alloc.clone());
        for Credential { realm, username, secret, .. } in others {
            all.try_reserve(1).map_err(|_| OutOfMemory)?;
            let realm = realm.as_deref().unwrap_or_default();
            all.push(Stored::try_new([realm, username, &secret.text()], self.alloc.clone())?);
        }
        all.sort_by(|one, other| one.get(REALM).cmp(other.get(REALM)));
        let before = std::mem::replace(&mut *self.all.lock(), all);
        drop(before);
        Ok(())
    }

    /// The time it takes grows with the logarithm of the number of credentials.
    fn stored(&self, realm: &[u8]) -> Option<Credential> {
        let all = self.all.lock();
        let first_of = |realm: &[u8]| {
            let at = all.partition_point(|one| one.get(REALM) < realm);
            all.get(at).filter(|one| one.get(REALM) == realm)
        };
        let found = first_of(realm).or_else(|| first_of(b""))?;
        let realm = Some(found.get(REALM)).filter(|realm| !realm.is_empty()).map(<[u8]>::to_vec);
        let secret = Secret::parse(found.get(SECRET)).ok()?;
        Some(Credential { realm, username: found.get(USERNAME).to_vec(), secret, domains: Domains::default() })
    }
}

impl<A: SharedAlloc, L: RawMutex> KnownCredentials for CredentialStore<A, L> {
    fn of_realm(&self, realm: &[u8]) -> Option<Credential> {
        let mut found = self.stored(realm)?;
        if let Some((_, domains)) = self.domains.iter().find(|(of, _)| *of == found.realm) {
            found.domains = domains.clone();
        }
        Some(found)
    }
}

impl<A: SharedAlloc, L> fmt::Debug for CredentialStore<A, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
