//! Where SUBSCRIBEs go: `presence_route` and `presence_outbound_proxy`.

use super::{ConfigError, Syntax};
use crate::grammar::Transport;
use crate::subscription::MOST_PROXIES;

/// The route, if it is one.
///
/// # Errors
/// [`ConfigError::Text`].
pub(super) fn route(value: String, syntax: &impl Syntax) -> Result<String, ConfigError> {
    if value.is_empty() || (syntax.is_route(&value) && transports_exist(&value)) {
        return Ok(value);
    }
    let wanted = "the value of a Route header, such as <sip:proxy.example.com;lr>";
    Err(ConfigError::Text { name: "presence_route", value, wanted })
}

/// The proxies, if they are some.
///
/// # Errors
/// [`ConfigError::Text`].
pub(super) fn proxies(value: String, syntax: &impl Syntax) -> Result<Vec<String>, ConfigError> {
    let proxies: Vec<String> = value.split_ascii_whitespace().map(str::to_owned).collect();
    let is_reached = |proxy: &String| syntax.is_sip_uri(proxy) && transports_exist(proxy);
    if proxies.len() <= usize::from(MOST_PROXIES) && proxies.iter().all(is_reached) {
        return Ok(proxies);
    }
    let wanted = "a SIP URI, such as sip:proxy.example.com;transport=tcp, or up to 8 with white space between them; \
                  a transport is one of udp, tcp, tls, sctp, ws, wss";
    Err(ConfigError::Text { name: "presence_outbound_proxy", value, wanted })
}

/// Whether each transport that a URI, or a list of them, names is one.
fn transports_exist(text: &str) -> bool {
    let parameters = text.split([';', '?', '>', ',', ' ', '\t']).map(|part| part.trim().to_ascii_lowercase());
    let named = parameters.filter_map(|part| part.strip_prefix("transport=").map(str::to_owned));
    named.into_iter().all(|transport| Transport::find(transport.as_bytes()).is_some())
}

#[cfg(test)]
mod tests {
    use super::transports_exist;

    #[test]
    fn a_transport_must_be_one() {
        for (text, exists) in [
            ("sip:a", true),
            ("sip:a;transport=TCP;lr", true),
            ("sip:a;transport=foo", false),
            ("sip:a;lr;Transport=", false),
            ("<sip:a;lr>, <sip:b;transport=bar;lr>", false),
        ] {
            assert_eq!(transports_exist(text), exists, "{text}");
        }
    }
}
