//! `presence_b2b.reload` and `presence_b2b.provisioning`.

use std::time::{Duration, Instant};

use super::answer::{Fault, add_fields, answer, clamp};
use crate::engine::{Engine, NoReading};
use crate::host::rpc::RpcContext;
use crate::provision::{Count, ReadingState, TablesRead};
use crate::surface::answers::{FieldValue, ProvisioningFields};

/// How long the command waits for the end of the reading: no other command of this transport is answered in the meantime.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long until it looks again.
const PAUSE: Duration = Duration::from_millis(2);

impl From<NoReading> for Fault {
    fn from(error: NoReading) -> Self {
        let code = match error {
            NoReading::NoTable | NoReading::NoCredentials => 500,
            NoReading::UnderWay => 409,
        };
        Self(code, error.to_string())
    }
}

/// `presence_b2b.reload`: has the tables read again; answers what came of it, or how far it is after some time.
pub fn reload(rpc: &RpcContext) {
    read_again(rpc, TablesRead::All);
}

/// `presence_b2b.credentials_reload`: the same for the table of credentials alone.
pub fn credentials_reload(rpc: &RpcContext) {
    read_again(rpc, TablesRead::Credentials);
}

fn read_again(rpc: &RpcContext, what: TablesRead) {
    answer(rpc, |engine| {
        engine.ask_for_tables(what)?;
        let end = Instant::now() + PATIENCE;
        while engine.reading.state() == ReadingState::Reading && Instant::now() < end {
            std::thread::sleep(PAUSE);
        }
        if engine.reading.state() == ReadingState::Failed {
            return Err(Fault(500, engine.reading.reason()));
        }
        fill(rpc, engine)
    });
}

/// `presence_b2b.provisioning`: how far the reading of the tables is, or what came of the newest one.
pub fn provisioning(rpc: &RpcContext) {
    answer(rpc, |engine| fill(rpc, engine));
}

fn fill(rpc: &RpcContext, engine: &Engine) -> Result<(), Fault> {
    let reading = &engine.reading;
    let reason = reading.reason();
    let count = |what| FieldValue::Number(clamp(reading.counted(what)));
    let fields = ProvisioningFields {
        state: FieldValue::Text(reading.state().name()),
        rows: count(Count::Rows),
        added: count(Count::Added),
        changed: count(Count::Changed),
        kept: count(Count::Kept),
        ended: count(Count::Ended),
        disabled: count(Count::Disabled),
        skipped: count(Count::Skipped),
        credentials: count(Count::Credentials),
        took: FieldValue::Number(clamp(reading.took(Engine::now().0))),
        subscriptions: FieldValue::Number(clamp(engine.provisioned.len())),
        bytes: FieldValue::Number(clamp(engine.provisioned.bytes())),
        reason: if reading.state() == ReadingState::Failed { FieldValue::Text(&reason) } else { FieldValue::Absent },
    };
    add_fields(&rpc.add_row()?, fields.into_fields())
}
