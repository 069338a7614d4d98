//! The watchers of a resource as JSON.

use serde_json::Value;

use super::Members;
use crate::document::watcherinfo::{Watcher, WatcherInfo, WatcherList};

pub(super) fn of(info: &WatcherInfo) -> Value {
    Members::versioned("watcherinfo", info.version).list("lists", info.lists.iter().map(list)).into()
}

fn list(list: &WatcherList) -> Members {
    Members::default()
        .text("resource", list.resource.as_str())
        .text("package", list.package.as_str())
        .list("watchers", list.watchers.iter().map(watcher))
}

fn watcher(watcher: &Watcher) -> Members {
    Members::default()
        .text("id", watcher.id.as_str())
        .text("status", watcher.status.as_str())
        .text("event", watcher.event.as_str())
        .text("uri", watcher.uri.as_str())
        .text("display_name", watcher.display_name.as_deref())
        .text("lang", watcher.lang.as_deref())
        .number("expiration", watcher.expiration)
        .number("duration_subscribed", watcher.duration_subscribed)
}
