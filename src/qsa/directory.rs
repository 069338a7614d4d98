//! Names: domains, their packages with the notifiers, and content types.

use allocator_api2::alloc::Allocator;
use allocator_api2::vec::Vec;

use super::error::QsaError;
use super::foreign;
use super::ids::{ContentTypeId, DomainId, MAX_NOTIFIERS, MOST_SERIALS, NotifierId, PackageId};
use super::message::Destroy;
use super::notifier::{Notifier, Registered};
use crate::memory::{OutOfMemory, Packed};

/// The notifiers of a package, each at its place.
pub(super) type Places = [Option<Registered>; MAX_NOTIFIERS];

struct Domain<A: Allocator> {
    id: DomainId,
    name: Packed<1, A>,
    references: u32,
}

struct RegisteredPackage<A: Allocator> {
    id: PackageId,
    domain: DomainId,
    name: Packed<1, A>,
    subscriptions: usize,
    notifiers: Places,
}

struct RegisteredContentType<A: Allocator> {
    id: ContentTypeId,
    domain: DomainId,
    name: Packed<1, A>,
    destroy: Option<Destroy>,
}

/// All names. There are few of them, so that they are simply looked through.
pub(super) struct Directory<A: Allocator> {
    alloc: A,
    domains: Vec<Domain<A>, A>,
    packages: Vec<RegisteredPackage<A>, A>,
    content_types: Vec<RegisteredContentType<A>, A>,
    serial: u32,
    pub(super) foreign: foreign::CallbackTable<A>,
}

/// Name of the domain that is always there; the empty name means it too.
const DEFAULT_NAME: &[u8] = b"default";
pub(super) const DEFAULT_DOMAIN: DomainId = DomainId(1);

impl<A: Allocator + Clone> Directory<A> {
    pub(super) fn try_new(alloc: A) -> Result<Self, QsaError> {
        let mut directory = Self {
            domains: Vec::new_in(alloc.clone()),
            packages: Vec::new_in(alloc.clone()),
            content_types: Vec::new_in(alloc.clone()),
            foreign: foreign::CallbackTable::new(alloc.clone()),
            serial: 0,
            alloc,
        };
        directory.domain(DEFAULT_NAME, false)?;
        Ok(directory)
    }

    /// A number never used before. Few enough are needed that one serial does for all kinds.
    fn serial(&mut self) -> Result<u32, QsaError> {
        if self.serial >= MOST_SERIALS {
            return Err(QsaError::Exhausted);
        }
        self.serial += 1;
        Ok(self.serial)
    }

    /// The domain, made when it is not there. One that is the module's `own` is found under no other's name.
    pub(super) fn domain(&mut self, name: &[u8], private: bool) -> Result<DomainId, QsaError> {
        let name = if name.is_empty() { DEFAULT_NAME } else { name };
        check_name("domain", name)?;
        let is_it = |domain: &&mut Domain<A>| domain.name.get(0) == name && domain.id.is_private() == private;
        if let Some(domain) = self.domains.iter_mut().find(is_it) {
            domain.references = domain.references.checked_add(1).ok_or(QsaError::Exhausted)?;
            return Ok(domain.id);
        }
        let name = Packed::try_new([name], self.alloc.clone())?;
        self.domains.try_reserve(1).map_err(|_| OutOfMemory)?;
        let id = DomainId::new(self.serial()?, private);
        self.domains.push(Domain { id, name, references: 1 });
        Ok(id)
    }

    pub(super) fn release_domain(&mut self, id: DomainId) -> Result<(), QsaError> {
        let domain = self.domains.iter_mut().find(|domain| domain.id == id).ok_or(QsaError::UnknownDomain)?;
        // The default domain keeps the reference it was made with.
        let least = u32::from(id == DEFAULT_DOMAIN);
        if domain.references <= least {
            return Err(QsaError::UnknownDomain);
        }
        domain.references -= 1;
        self.tidy_domain(id);
        Ok(())
    }

    /// Forgets the domain if nothing needs it.
    fn tidy_domain(&mut self, id: DomainId) {
        if self.packages.iter().any(|package| package.domain == id) {
            return;
        }
        self.domains.retain(|domain| domain.id != id || domain.references > 0);
        if !self.domains.iter().any(|domain| domain.id == id) {
            self.content_types.retain(|content_type| content_type.domain != id);
            shrink(&mut self.content_types);
        }
    }

    /// Forgets the package if nothing needs it.
    fn tidy_package(&mut self, id: PackageId) {
        let Some(at) = self.packages.iter().position(|package| package.id == id) else { return };
        let Some(package) = self.packages.get(at) else { return };
        if package.subscriptions == 0 && package.notifiers.iter().all(Option::is_none) {
            let package = self.packages.swap_remove(at);
            shrink(&mut self.packages);
            self.tidy_domain(package.domain);
        }
    }

    /// The package, made when it is not there.
    fn package(&mut self, domain: DomainId, name: &[u8]) -> Result<&mut RegisteredPackage<A>, QsaError> {
        if name.is_empty() {
            return Err(QsaError::NoPackage);
        }
        check_name("package", name)?;
        let is_known =
            |domains: &Vec<Domain<A>, A>| domains.iter().any(|known| known.id == domain && known.references > 0);
        if !is_known(&self.domains) {
            return Err(QsaError::UnknownDomain);
        }
        let at = match self.find(domain, name) {
            Some(at) => at,
            None => {
                let text = Packed::try_new([name], self.alloc.clone())?;
                self.packages.try_reserve(1).map_err(|_| OutOfMemory)?;
                let id = PackageId::new(self.serial()?, name);
                let notifiers = [None; MAX_NOTIFIERS];
                self.packages.push(RegisteredPackage { id, domain, name: text, subscriptions: 0, notifiers });
                self.packages.len() - 1
            }
        };
        self.packages.get_mut(at).ok_or(QsaError::Exhausted)
    }

    fn find(&self, domain: DomainId, name: &[u8]) -> Option<usize> {
        self.packages.iter().position(|package| package.domain == domain && package.name.get(0) == name)
    }

    /// Counts one more subscription of the package.
    pub(super) fn enter(&mut self, domain: DomainId, name: &[u8]) -> Result<PackageId, QsaError> {
        let package = self.package(domain, name)?;
        package.subscriptions += 1;
        Ok(package.id)
    }

    /// Counts one less.
    pub(super) fn leave(&mut self, id: PackageId) {
        if let Some(package) = self.packages.iter_mut().find(|package| package.id == id) {
            package.subscriptions = package.subscriptions.saturating_sub(1);
        }
        self.tidy_package(id);
    }

    pub(super) fn register(
        &mut self,
        domain: DomainId,
        name: &[u8],
        notifier: Notifier,
    ) -> Result<(PackageId, Registered), QsaError> {
        let serial = self.serial()?;
        let package = self.package(domain, name)?;
        let free = package.notifiers.iter_mut().enumerate().find(|(_, place)| place.is_none());
        let (place, free) = free.ok_or(QsaError::TooManyNotifiers)?;
        let registered = Registered { id: NotifierId::new(serial, place), notifier };
        *free = Some(registered);
        Ok((package.id, registered))
    }

    pub(super) fn unregister(&mut self, id: NotifierId) -> Result<Notifier, QsaError> {
        let found = self.packages.iter_mut().find_map(|package| {
            let place = package.notifiers.get_mut(id.place())?;
            let registered = place.take_if(|registered| registered.id == id)?;
            Some((package.id, registered.notifier))
        });
        let (package, notifier) = found.ok_or(QsaError::UnknownNotifier)?;
        self.tidy_package(package);
        Ok(notifier)
    }

    pub(super) fn notifiers(&self, id: PackageId) -> Places {
        self.packages.iter().find(|package| package.id == id).map_or([None; MAX_NOTIFIERS], |package| package.notifiers)
    }

    pub(super) fn has_notifier(&self, domain: DomainId, name: &[u8]) -> bool {
        let package = self.find(domain, name).and_then(|at| self.packages.get(at));
        package.is_some_and(|package| package.notifiers.iter().any(Option::is_some))
    }

    /// Registers the type, or finds it: the first registration wins.
    pub(super) fn content_type(
        &mut self,
        domain: DomainId,
        name: &[u8],
        destroy: Option<Destroy>,
    ) -> Result<ContentTypeId, QsaError> {
        if !self.domains.iter().any(|known| known.id == domain && known.references > 0) {
            return Err(QsaError::UnknownDomain);
        }
        check_name("content type", name)?;
        let mut known = self.content_types.iter();
        if let Some(known) = known.find(|known| known.domain == domain && known.name.get(0) == name) {
            return Ok(known.id);
        }
        let name = Packed::try_new([name], self.alloc.clone())?;
        self.content_types.try_reserve(1).map_err(|_| OutOfMemory)?;
        let id = ContentTypeId(self.serial()?);
        self.content_types.push(RegisteredContentType { id, domain, name, destroy });
        Ok(id)
    }

    /// How values of the type are destroyed, and its name.
    pub(super) fn known_content_type(&self, id: ContentTypeId) -> Option<(Option<Destroy>, &[u8])> {
        let known = self.content_types.iter().find(|known| known.id == id)?;
        Some((known.destroy, known.name.get(0)))
    }
}

/// Refuses names that could not be shown, or sent.
fn check_name(what: &'static str, name: &[u8]) -> Result<(), QsaError> {
    if name.iter().any(u8::is_ascii_control) { Err(QsaError::Controls { what }) } else { Ok(()) }
}

/// Gives back the room of an empty list.
fn shrink<T, A: Allocator + Clone>(list: &mut Vec<T, A>) {
    if list.is_empty() {
        *list = Vec::new_in(list.allocator().clone());
    }
}
