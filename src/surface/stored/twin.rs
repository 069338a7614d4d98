//! Rows of one dialog.

use crate::engine::Engine;
use crate::registry::Handle;
use crate::store::StoredRow;

/// The subscription of another row with the very same dialog, and whether it is the same subscription.
pub(super) fn twin_of(engine: &Engine, row: &StoredRow) -> Option<(Handle, bool)> {
    let ids = [&row.call_id, &row.local_tag, &row.remote_tag].map(String::as_bytes);
    let [call_id, local_tag, remote_tag] = ids;
    let twin = engine.registry.find_dialog(call_id, local_tag, remote_tag).filter(|_| !call_id.is_empty())?;
    let names = [&row.record, &row.subscriber, &row.package].map(String::as_bytes);
    let compared = engine.registry.view(twin, |life, _| {
        let package = engine.config.packages.get(life.package()).name.as_bytes();
        (life.dialog_ids() == ids).then(|| [life.record(), life.subscriber(), package] == names)
    });
    compared.flatten().map(|is_same| (twin, is_same))
}
