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

/// Whether there is a row with that id.
fn has(place: &Place, id: u32) -> bool {
    !place.rows(&format!("SELECT id FROM presence_b2b_subscriptions WHERE id = {id};")).expect("an answer").is_empty()
}

#[test]
fn a_database_stops_and_comes_back() {
    for database in Database::ALL {
        let mut place = place(database, None);
        place.stop();
        let error = insert(&place, 1).expect_err("it is away");
        assert!(["locked", "refused", "Can't connect"].iter().any(|part| error.contains(part)), "{error}");
        place.start();
        insert(&place, 1).expect("it is back");
    }
}

#[test]
fn a_disk_is_full_and_has_room_again() {
    for database in Database::ALL {
        let Some(disk) = Disk::small(database.small_disk()) else {
            eprintln!("NOT TRIED: nothing can be mounted here");
            return;
        };
        let mut place = place(database, Some(disk));
        place.fill(&[]);
        let error = write_much(&place).expect_err("no room");
        assert!(["full", "No space", "closed", "signal: 9"].iter().any(|part| error.contains(part)), "{error}");
        place.free(&[]);
        insert(&place, 1).expect("there is room");
    }
}

/// Rows that are too small to be compressed, 10 MB of them.
fn write_much(place: &Place) -> Result<(), String> {
    let rows = vec![format!("(1, '{}')", "x".repeat(1000)); 100].join(", ");
    (0..100).try_for_each(|_| place.run(&format!("INSERT INTO presence_b2b_subscriptions VALUES {rows};")))
}

#[test]
fn an_answer_is_cut_off_though_the_row_is_there() {
    for database in [Database::Postgres, Database::Mariadb] {
        let place = place(database, None).behind_proxy();
        insert(&place, 1).expect("it goes through");
        place.proxy().set(Fate::Cut(10));
        let error = place.run("INSERT INTO presence_b2b_subscriptions VALUES (2, '');").expect_err("it is cut off");
        assert!(error.contains("closed") || error.contains("Lost connection"), "{error}");
        assert_eq!(place.proxy().cuts(), 1);
        place.proxy().set(Fate::Delay(Duration::from_millis(100)));
        assert!(has(&place, 2) && !has(&place, 3));
    }
}

#[test]
fn a_database_hangs_and_goes_on() {
    for database in [Database::Postgres, Database::Mariadb] {
        let place = place(database, None);
        place.hang();
        let error = insert(&place, 1).expect_err("no answer");
        assert!(error.contains("signal: 9"), "{error}");
        place.resume();
        insert(&place, 1).expect("it goes on");
    }
}
