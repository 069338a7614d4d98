//! The headers of the answer to a NOTIFY.

use std::rc::Rc;

use super::Engine;
use crate::document::LIST_TYPES;
use crate::grammar::is_sips;
use crate::host::message::SipMessage;
use crate::host::notify_headers::OptionTags;
use crate::host::socket::ListenSocket;
use crate::registry::Handle;
use crate::subscription::{Answer, Package, Socket};

/// Goes with refusals that a later NOTIFY need not get: without it, a notifier that goes by RFC 3265 §3.2.2 removes the
/// subscription.
pub(super) const SOON: &str = "Retry-After: 5\r\n";

/// The accepted encodings (RFC 3261 §20.2).
const ENCODINGS: &str = "Accept-Encoding: identity\r\n";

/// The headers of a 420 (RFC 3261 §8.2.2.3).
pub(super) fn of_bad_extension(tags: &OptionTags) -> Vec<u8> {
    [b"Unsupported: ", tags.as_bytes(), b"\r\n", SOON.as_bytes()].concat()
}

/// The headers of a 415 (RFC 3261 §8.2.3).
fn of_types(accepted: &[&str]) -> Vec<u8> {
    format!("Accept: {}\r\n{ENCODINGS}{SOON}", accepted.join(", ")).into_bytes()
}

impl Engine {
    /// The headers of a 415 to a NOTIFY of no subscription.
    pub(super) fn accepted_types(&self, package: &Package) -> Vec<u8> {
        let invited = self.config.invited_types.iter().map(String::as_str);
        of_types(&package.accept.iter().copied().chain(invited).collect::<Vec<_>>())
    }

    /// The headers an answer needs beside those of the transaction.
    pub(super) fn extra_headers(
        &self,
        answer: Answer,
        message: SipMessage<'_>,
        (handle, socket): (Handle, Option<Socket>),
        package: Option<&'static Package>,
    ) -> Rc<[u8]> {
        match answer {
            // The same Contact as in the SUBSCRIBE, however the NOTIFY came, or some peers move the dialog to another
            // transport.
            Answer::Ok => {
                let socket = socket.and_then(|socket| ListenSocket::from_token(socket.0));
                let socket = socket.or_else(|| ListenSocket::of(message));
                let is_secure = is_sips(message.request_uri());
                socket.and_then(|socket| socket.contact_header(is_secure)).unwrap_or_default()
            }
            Answer::UnsupportedMediaType => {
                let own = package.map_or(&[][..], |package| package.accept).iter().copied();
                let asks = self
                    .registry
                    .view(handle, |subscription, _| (subscription.asks_for_lists(), subscription.asks_for_changes()));
                let (lists, changes) = asks.unwrap_or_default();
                let partial = package.filter(|_| changes).map_or(&[][..], |package| package.partial).iter().copied();
                let of_lists = LIST_TYPES.into_iter().filter(|_| lists);
                let accepted: Vec<&str> = own
                    .chain(partial)
                    .chain(of_lists)
                    .chain(self.config.invited_types.iter().map(String::as_str))
                    .collect();
                of_types(&accepted).into()
            }
            Answer::BadEvent => {
                let packages = self.config.packages.names();
                format!("Allow-Events: {packages}\r\n").into_bytes().into()
            }
            Answer::BadRequest(_) | Answer::TooLarge | Answer::StaleCseq => SOON.as_bytes().into(),
        }
    }
}
