//! The watchers of a resource for C.

use std::ffi::c_uint;

use super::document_types::{CWatcher, CWatcherList, CWatchers};
use super::pinned::{Pinned, number_or_none, place, text, text_or_none};
use crate::document::{Watcher, WatcherInfo, WatcherList};

/// The face of a document of RFC 3858.
pub(super) fn face(pinned: &mut Pinned, info: &WatcherInfo) -> *const CWatchers {
    let lists = info.lists.iter().map(|each| list(pinned, each)).collect();
    let face =
        CWatchers { size: size_of::<CWatchers>() as c_uint, place: place(info.version), lists: pinned.list(lists) };
    pinned.one(face)
}

fn list(pinned: &mut Pinned, list: &WatcherList) -> CWatcherList {
    CWatcherList {
        resource: text(&list.resource),
        package: text(&list.package),
        watchers: pinned.list(list.watchers.iter().map(watcher).collect()),
    }
}

fn watcher(watcher: &Watcher) -> CWatcher {
    CWatcher {
        id: text(&watcher.id),
        status: text(&watcher.status),
        event: text(&watcher.event),
        uri: text(&watcher.uri),
        display: text_or_none(watcher.display_name.as_ref()),
        lang: text_or_none(watcher.lang.as_ref()),
        expiration: number_or_none(watcher.expiration),
        duration: number_or_none(watcher.duration_subscribed),
    }
}
