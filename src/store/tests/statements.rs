//! The text of the statements.

use super::super::statements::{delete, probe, purge, write_numbers, write_tombstones, write_whole};
use super::*;

const ALL: [SqlDialect; 3] = [SqlDialect::Sqlite, SqlDialect::Postgres, SqlDialect::Mysql];

/// Whether there is a quote or a backslash within a text, or anything but printable ASCII.
fn is_harmless(sql: &str) -> bool {
    let outside = sql.split('\'').step_by(2);
    let known = |char: char| char.is_ascii_alphanumeric() || " ()=<>,._*-".contains(char);
    sql.matches('\'').count().is_multiple_of(2)
        && !sql.contains('\\')
        && sql.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && outside.flat_map(str::chars).all(known)
        && !sql.contains("--")
}

#[test]
fn every_statement_has_both_guards() {
    let rows = [row(), StoredRow { id: ID + 1, ..row() }];
    for dialect in ALL {
        let written = Written::new(RUN, 6);
        let statements = [
            write_whole(dialect, RUN, &rows),
            write_numbers(dialect, RUN, &rows, true),
            delete(dialect, RUN, written, &[ID, ID + 1]),
            write_tombstones(dialect, RUN, written, &[ID, ID + 1], 5),
            vec![purge(dialect, RUN, written)],
        ];
        for sql in statements.into_iter().chain(probe(dialect, RUN, written, 5)) {
            let [sql] = &sql[..] else { panic!("one statement") };
            assert!(sql.contains("written<") && sql.contains("presence_b2b_nodes WHERE id=1 AND epoch=7"), "{sql}");
            assert!(is_harmless(sql), "{sql}");
        }
    }
}

#[test]
fn no_rows_need_no_statement() {
    for dialect in ALL {
        assert_eq!(write_whole(dialect, RUN, &[]), [""; 0]);
        assert_eq!(delete(dialect, RUN, Written::default(), &[]), [""; 0]);
    }
}

#[test]
fn many_rows_need_several() {
    let rows: Vec<_> = (0..2000).map(|n| StoredRow { id: ID + n, ..row() }).collect();
    for dialect in ALL {
        let statements = write_whole(dialect, RUN, &rows);
        assert!(statements.len() > 1 && statements.iter().all(|sql| sql.len() < 510_000 && is_harmless(sql)));
        let rows: usize = statements.iter().map(|sql| sql.matches("0123456789abcdefghij").count()).sum();
        assert_eq!(rows, 2000);
    }
}

#[test]
fn no_text_leaves_its_literal() {
    use proptest::prelude::*;
    proptest!(|(text in "(\\PC|['\\\\\";%?\u{0}-\u{1f}\u{85}-]){0,30}")| {
        let options: String = text.chars().filter(|char| *char != '\0').collect();
        let rows = [StoredRow { options, ..row() }];
        for dialect in ALL {
            let sql = write_whole(dialect, RUN, &rows).concat();
            prop_assert!(is_harmless(&sql.replace("--", "")), "{}", sql);
        }
    });
}
