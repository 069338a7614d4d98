//! The row of this server: which run of it is the present one, and what the next run needs beside the subscriptions.

use super::columns::{MOST_EPOCH, NODES};
use super::row::Run;
use super::statements::SqlDialect;

/// The number of this server among those that use the database: there is one.
const NODE: u16 = 1;

/// The row of a server in [`NODES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// Which run it is: one more each time.
    pub epoch: u32,
    /// The key of the registry's names: with it, subscriptions get the handles that they had.
    pub key: [u8; 16],
    /// How many shards the registry has.
    pub shards: u32,
    /// When the run was seen last, in milliseconds since 1970.
    pub seen: u64,
    /// When it was stopped in order; 0 if it was not.
    pub stopped: u64,
}

impl NodeRow {
    /// The columns, the key first.
    pub const COLUMNS: [&str; 6] = ["id", "epoch", "hash_key", "shards", "seen", "stopped"];

    /// The run that it is of.
    #[must_use]
    pub fn run(&self) -> Run {
        Run { node: NODE, epoch: self.epoch }
    }

    /// Reads the values of the columns; `None` for the row of another server.
    ///
    /// # Errors
    /// What is wrong, for the operator.
    pub fn read(values: &[Option<Vec<u8>>]) -> Result<Option<Self>, &'static str> {
        let texts: Vec<&str> = values.iter().flatten().filter_map(|value| str::from_utf8(value).ok()).collect();
        let [id, epoch, key, shards, seen, stopped] = texts[..] else {
            return Err("a column is NULL");
        };
        if id.trim() != NODE.to_string() {
            return Ok(None);
        }
        let number = |text: &str, what| text.trim().parse::<u64>().map_err(|_| what);
        let narrow = |text: &str, what| u32::try_from(number(text, what)?).map_err(|_| what);
        let is_epoch = |epoch: &u32| *epoch < MOST_EPOCH;
        let is_instant = |instant: &u64| i64::try_from(*instant).is_ok();
        Ok(Some(Self {
            epoch: Some(narrow(epoch, "epoch is no number")?).filter(is_epoch).ok_or("epoch is too large")?,
            key: bytes(key.trim()).ok_or("hash_key is not 32 hexadecimal digits")?,
            shards: narrow(shards, "shards is no number")?,
            seen: Some(number(seen, "seen is no number")?).filter(is_instant).ok_or("seen is too large")?,
            stopped: number(stopped, "stopped is no number")?,
        }))
    }

    /// The next run, which begins now. If the clock has gone back, what was seen last stays.
    #[must_use]
    pub fn next(&self, shards: u32, now: u64) -> Self {
        Self { epoch: self.epoch.saturating_add(1), shards, seen: now.max(self.seen), stopped: 0, ..*self }
    }

    /// The values, as texts.
    #[must_use]
    pub fn values(&self) -> [String; 6] {
        let key: String = self.key.iter().map(|byte| format!("{byte:02x}")).collect();
        let [epoch, shards] = [self.epoch, self.shards].map(|number| number.to_string());
        [NODE.to_string(), epoch, key, shards, self.seen.to_string(), self.stopped.to_string()]
    }

    /// Enters the run, unless the row is of a later one.
    #[must_use]
    pub fn enter(&self, dialect: SqlDialect) -> String {
        let [id, epoch, key, shards, seen, stopped] = self.values();
        let values = format!("{id},{epoch},'{key}',{shards},{seen},{stopped}");
        let insert = format!("INSERT INTO {NODES} ({}) VALUES ({values})", Self::COLUMNS.join(","));
        let changing = ["hash_key", "shards", "seen", "stopped", "epoch"];
        match dialect {
            SqlDialect::Sqlite | SqlDialect::Postgres => {
                let sets = changing.map(|name| format!("{name}=excluded.{name}")).join(",");
                format!("{insert} ON CONFLICT (id) DO UPDATE SET {sets} WHERE {NODES}.epoch<excluded.epoch")
            }
            // The epoch is set last: it decides about the others.
            SqlDialect::Mysql => {
                let sets = changing.map(|name| format!("{name}=IF(epoch<VALUES(epoch),VALUES({name}),{name})"));
                format!("{insert} ON DUPLICATE KEY UPDATE {}", sets.join(","))
            }
        }
    }

    /// Removes the row, because it is damaged.
    #[must_use]
    pub fn remove() -> String {
        format!("DELETE FROM {NODES} WHERE id={NODE}")
    }

    /// Says that the run is there, or that it stops.
    #[must_use]
    pub fn seen(run: Run, now: u64, stops: bool) -> String {
        let stopped = if stops { now } else { 0 };
        format!("UPDATE {NODES} SET seen={now}, stopped={stopped} WHERE id={} AND epoch={}", run.node, run.epoch)
    }
}

/// Bytes of hexadecimal digits.
fn bytes(digits: &str) -> Option<[u8; 16]> {
    let number = u128::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 32)?;
    Some(number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: NodeRow = NodeRow { epoch: 7, key: [0xa5; 16], shards: 64, seen: 1_700_000_000_000, stopped: 0 };

    fn values(row: &NodeRow) -> Vec<Option<Vec<u8>>> {
        row.values().into_iter().map(|value| Some(value.into_bytes())).collect()
    }

    #[test]
    fn a_row_is_read_as_it_was_written() {
        assert_eq!(NodeRow::read(&values(&ROW)), Ok(Some(ROW)));
        let next = ROW.next(128, ROW.seen + 5);
        assert_eq!((next.epoch, next.key, next.shards, next.seen, next.stopped), (8, ROW.key, 128, ROW.seen + 5, 0));
        assert_eq!(ROW.next(128, 5).seen, ROW.seen);
    }

    #[test]
    fn damage_is_named() {
        let with = |column: usize, value: Option<&str>| {
            let mut values = values(&ROW);
            if let Some(place) = values.get_mut(column) {
                *place = value.map(|value| value.as_bytes().to_vec());
            }
            NodeRow::read(&values)
        };
        assert_eq!(with(0, Some("2")), Ok(None));
        assert_eq!(with(1, Some("x")), Err("epoch is no number"));
        assert_eq!(with(1, Some("1000000000")), Err("epoch is too large"));
        assert_eq!(with(4, Some("9223372036854775808")), Err("seen is too large"));
        assert_eq!(with(2, Some("a5")), Err("hash_key is not 32 hexadecimal digits"));
        assert_eq!(with(2, Some(&"g".repeat(32))), Err("hash_key is not 32 hexadecimal digits"));
        assert_eq!(with(3, Some("-1")), Err("shards is no number"));
        assert_eq!(with(4, None), Err("a column is NULL"));
    }
}
