//! Where a credential is good for: a redirection (3xx) can lead a request to any host, which then asks for a password's hash.

/// The realm of credentials; `None` for those of every realm.
pub type RealmName = Option<Vec<u8>>;

/// Hosts or domains, `*` for all.
pub type DomainList = Vec<Vec<u8>>;

/// The domains of a credential. One covers itself and what is below it: `example.com` covers `pa.example.com`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Domains {
    /// The domain of the record, wherever its dialog leads, and the outbound proxies.
    #[default]
    OfRecord,
    /// These, `*` for all.
    Listed {
        /// Hosts or domains.
        domains: DomainList,
        /// They cover an outbound proxy.
        cover_proxy: bool,
    },
}

/// Who may have asked, of those that a request is sent through.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum AskedBy<'a> {
    /// None of them.
    NoProxy,
    /// One of the outbound proxies.
    Proxy,
    /// The subscription's own outbound proxy, with this URI.
    OwnProxy(&'a [u8]),
}

/// Every domain.
const ALL: &[u8] = b"*";

impl Domains {
    /// Reads `realm=domain,domain`; the realm `*` means those without their own credential. `None` when it is not
    /// that. A realm may hold `=`.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<(RealmName, DomainList)> {
        let (realm, list) = text.split_at_checked(text.iter().rposition(|byte| *byte == b'=')?)?;
        let domains: DomainList =
            list.get(1..)?.split(|byte| *byte == b',').map(|domain| domain.trim_ascii().to_vec()).collect();
        let can_be = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(byte);
        let is_domain = |domain: &Vec<u8>| domain == ALL || !domain.is_empty() && domain.iter().all(can_be);
        let realm = Some(realm).filter(|realm| !realm.is_empty() && *realm != ALL).map(<[u8]>::to_vec);
        domains.iter().all(is_domain).then_some((realm, domains))
    }

    /// Those of a list, with the URIs of the outbound proxies.
    #[must_use]
    pub fn listed<'a>(domains: DomainList, mut proxies: impl Iterator<Item = &'a [u8]>) -> Self {
        let cover_proxy = proxies.any(|uri| is_in(&domains, place(uri)));
        Self::Listed { domains, cover_proxy }
    }

    /// Whether a challenge may be answered: for this record, by whoever is at these [places](place) (none when nobody has
    /// redirected the request), or, perhaps, by an outbound proxy.
    pub(in super::super) fn hold<'a>(
        &self,
        record: &'a [u8],
        places: impl Iterator<Item = &'a [u8]>,
        asked_by: AskedBy<'_>,
    ) -> bool {
        let mut places = places.peekable();
        match self {
            Self::OfRecord => !matches!(asked_by, AskedBy::NoProxy) || places.all(|place| covers(host(record), place)),
            Self::Listed { domains, cover_proxy } => {
                let leads = places.peek().is_none().then(|| host(record));
                let cover_proxy = match asked_by {
                    AskedBy::NoProxy => false,
                    AskedBy::Proxy => *cover_proxy,
                    AskedBy::OwnProxy(uri) => is_in(domains, place(uri)),
                };
                cover_proxy || leads.into_iter().chain(places).all(|place| is_in(domains, place))
            }
        }
    }
}

fn is_in(domains: &[Vec<u8>], place: &[u8]) -> bool {
    domains.iter().any(|domain| domain == ALL || covers(domain, place))
}

/// Whether the domain is this host or above it. Addresses have nothing below them.
fn covers(domain: &[u8], host: &[u8]) -> bool {
    let bare = |name: &'_ [u8]| name.len().saturating_sub(usize::from(name.ends_with(b".")));
    let (Some(domain), Some(host)) = (domain.get(..bare(domain)), host.get(..bare(host))) else { return false };
    let is_address = host.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') || host.starts_with(b"[");
    let above = host.len().checked_sub(domain.len()).and_then(|at| host.split_at_checked(at));
    let Some((below, end)) = above.filter(|_| !domain.is_empty()) else { return false };
    end.eq_ignore_ascii_case(domain) && (below.is_empty() || !is_address && below.ends_with(b"."))
}

/// The host of a SIP URI.
fn host(uri: &[u8]) -> &[u8] {
    split(uri).0
}

/// Where a request to this SIP URI goes: its host. Empty, as no domain covers it, for one with a `maddr` that says otherwise: the
/// host ignores it unless it was built to honour it. Otherwise the peer would choose the domain.
pub(in super::super) fn place(uri: &[u8]) -> &[u8] {
    let (host, rest) = split(uri);
    let parameters = rest.split(|byte| *byte == b'?').next().unwrap_or_default().split(|byte| *byte == b';');
    let value = |parameter: &'_ [u8]| {
        let at = parameter.iter().position(|byte| *byte == b'=').unwrap_or(parameter.len());
        parameter.get(..at).is_some_and(|name| name.eq_ignore_ascii_case(b"maddr")).then_some(at.saturating_add(1))
    };
    let mut named = parameters.filter_map(|one| value(one).map(|at| one.get(at..).unwrap_or_default()));
    if named.all(|maddr| maddr.eq_ignore_ascii_case(host)) { host } else { &[] }
}

/// Host, and what is behind it.
fn split(uri: &[u8]) -> (&[u8], &[u8]) {
    let after = |byte: u8| uri.iter().position(|one| *one == byte).map(|at| at.saturating_add(1));
    let rest = uri.get(after(b'@').or(after(b':')).unwrap_or(0)..).unwrap_or_default();
    let ends = |byte: &u8| matches!(byte, b':' | b';' | b'?');
    let end = if rest.starts_with(b"[") {
        rest.iter().position(|byte| *byte == b']').map(|at| at.saturating_add(1))
    } else {
        rest.iter().position(ends)
    };
    rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, &[]))
}
