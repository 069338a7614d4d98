//! The databases have the faults that they are given, and recover.

use std::time::Duration;

use super::disk::Disk;
use super::place::{Database, Place};
use super::proxy::Fate;

const TABLE: &str = "CREATE TABLE presence_b2b_subscriptions (id INTEGER, filler TEXT);";

fn place(database: Database, disk: Option<Disk>) -> Place {
    let place = Place::new(database, disk);
    place.run(TABLE).expect("a table");
    insert(&place, 1).expect("a row");
    place
}

/// Writes that many bytes.
fn insert(place: &Place, bytes: usize) -> Result<(), String> {
    place.run(&format!("INSERT INTO presence_b2b_subscriptions VALUES (1, '{}');", "x".repeat(bytes)))
}

/// Whether there is a row with that id: without one the statement divides by 0.
fn has(place: &Place, id: u32) -> bool {
    let division = format!("SELECT 1 / count(*) FROM presence_b2b_subscriptions WHERE id = {id}");
    place.run(&division).is_ok()
}

#[test]
fn a_database_stops_and_comes_back() {
    for database in Database::ALL {
        let mut place = place(database, None);
        place.stop();
        let error = insert(&place, 1).expect_err("it is away");
        assert!(error.contains("locked") || error.contains("refused"), "{error}");
        place.start();
        insert(&place, 1).expect("it is back");
    }
}

#[test]
fn a_disk_is_full_and_has_room_again() {
    for database in Database::ALL {
        let megabytes = if database == Database::Sqlite { 8 } else { 64 };
        let Some(disk) = Disk::small(megabytes) else {
            eprintln!("NOT TRIED: nothing can be mounted here");
            return;
        };
        let mut place = place(database, Some(disk));
        place.fill();
        // Rows that are too small to be compressed.
        let rows = vec![format!("(1, '{}')", "x".repeat(1000)); 100].join(", ");
        let rows = format!("INSERT INTO presence_b2b_subscriptions VALUES {rows};");
        let error = (0..100).find_map(|_| place.run(&rows).err()).expect("no room");
        assert!(error.contains("full") || error.contains("No space") || error.contains("closed"), "{error}");
        place.free();
        insert(&place, 1).expect("there is room");
    }
}

#[test]
fn an_answer_is_cut_off_though_the_row_is_there() {
    let place = place(Database::Postgres, None).behind_proxy();
    insert(&place, 1).expect("it goes through");
    place.proxy().set(Fate::Cut(2));
    insert(&place, 1).expect("the first one goes through");
    let error = place.run("INSERT INTO presence_b2b_subscriptions VALUES (2, '');").expect_err("it is cut off");
    assert!(error.contains("closed"), "{error}");
    assert_eq!(place.proxy().cuts(), 1);
    place.proxy().set(Fate::Delay(Duration::from_millis(100)));
    assert!(has(&place, 2) && !has(&place, 3));
}

#[test]
fn a_database_hangs_and_goes_on() {
    let place = place(Database::Postgres, None);
    place.hang();
    let error = insert(&place, 1).expect_err("no answer");
    assert!(error.contains("signal: 9"), "{error}");
    place.resume();
    insert(&place, 1).expect("it goes on");
}
