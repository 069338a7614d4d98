//! All readers with the corpus of the fuzz targets, with what real notifiers have sent, and with mutations of both.
//!
//! The mutations are the same in every run. `make fuzz` looks further.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::Duration;

use super::samples::captured::Captured;
use crate::testing::cpu_time;

#[path = "../../../tests/fuzz/src/entries.rs"]
mod entries;

use entries::ENTRIES;

/// The readers whose input begins with a line that is the Content-Type.
const WITH_TYPE: [&str; 5] = ["content_type", "multipart", "list", "merging", "c_document"];

/// How many mutations of all seeds of one reader there are.
const MUTATIONS: usize = 2000;

/// What no single input may take, on the slowest machine.
const LONG: Duration = Duration::from_secs(10);

/// The most bytes of the corpus (it is in the repository).
const MOST_CORPUS: u64 = 500_000;

/// Pieces that the readers look at.
const PIECES: [&[u8]; 26] = [
    b"<",
    b">",
    b"/>",
    b"</",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"<!DOCTYPE x [<!ENTITY y 'z'>]>",
    b"&#0;",
    b"&#x10FFFF;",
    b"&lt;",
    b" xmlns=''",
    b" xmlns:p='u'",
    b" id='1'",
    b"\r\n",
    b"\n ",
    b"\0",
    b"\xFF\xFE",
    b"\xEF\xBB\xBF",
    b"--",
    b"99999999999999999999",
    b"\n%%\n",
    b" state='partial' version='1'",
    b"Content-Length: 1\r\n\r\n",
    b"<?xml version='1.0' encoding='ISO-8859-1'?>",
];

/// A fixed sequence that looks random (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

fn corpus() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus")
}

/// What the mutations of one reader begin with, in a fixed order.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = corpus().join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let mut seeds: Vec<_> = files.iter().map(|file| fs::read(file).expect("a file")).collect();
    assert!(!seeds.is_empty(), "{name} has no corpus");
    for captured in Captured::all() {
        let kind = if WITH_TYPE.contains(&name) { format!("{}\r\n", captured.content_type()) } else { String::new() };
        seeds.push([kind.as_bytes(), &captured.body].concat());
    }
    seeds
}

/// One change of an input, or a few.
fn mutated(dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(input.len() + 1);
        let end = (at + dice.below(32)).min(input.len());
        match dice.below(7) {
            0 => input.truncate(at),
            1 => drop(input.drain(at..end)),
            2 => drop(input.splice(at..at, PIECES[dice.below(PIECES.len())].iter().copied())),
            3 => input[at..end].iter_mut().take(1).for_each(|byte| *byte ^= 1 << dice.below(8)),
            4 => {
                let again = input[at..end].to_vec();
                input.splice(at..at, again);
            }
            5 => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => input[at..end].fill(b'a'),
        }
    }
    input
}

/// Runs one reader.
fn run(name: &str) {
    let (_, entry) = ENTRIES.into_iter().find(|(each, _)| *each == name).expect(name);
    let seeds = seeds(name);
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mutations = (0..MUTATIONS).map(|_| mutated(&mut dice, &seeds)).collect::<Vec<_>>();
    for input in seeds.iter().chain(&mutations) {
        let begin = cpu_time();
        assert!(catch_unwind(|| entry(input)).is_ok(), "{name} panics at {}", input.escape_ascii());
        let taken = cpu_time().saturating_sub(begin);
        assert!(taken < LONG, "{name} takes {taken:?} for {}", input.escape_ascii());
    }
}

#[test]
fn no_input_breaks_the_check() {
    run("check");
    run("filter");
}

#[test]
fn no_input_breaks_the_reader_of_content_types() {
    run("content_type");
}

#[test]
fn no_input_breaks_the_reader_of_presence() {
    run("presence");
}

#[test]
fn no_input_breaks_the_reader_of_dialogs() {
    run("dialog_info");
}

#[test]
fn no_input_breaks_the_reader_of_registrations() {
    run("reginfo");
}

#[test]
fn no_input_breaks_the_reader_of_watchers() {
    run("watcherinfo");
}

#[test]
fn no_input_breaks_the_reader_of_waiting_messages() {
    run("message_summary");
}

#[test]
fn no_input_breaks_the_reader_of_parts() {
    run("multipart");
    run("list");
}

#[test]
fn no_input_breaks_the_merging_of_states() {
    run("merging");
}

#[test]
fn no_input_breaks_what_c_sees() {
    run("c_document");
}

/// Each reader has a corpus and a fuzz target, and all of that is small.
#[test]
fn each_reader_has_a_corpus_and_a_target() {
    let mut bytes = 0;
    for (name, _) in ENTRIES {
        let folder = fs::read_dir(corpus().join(name)).expect(name);
        bytes += folder.map(|file| file.expect(name).metadata().expect(name).len()).sum::<u64>();
        let target = corpus().with_file_name("targets").join(name).with_extension("rs");
        assert!(target.is_file(), "{}", target.display());
    }
    assert!(bytes <= MOST_CORPUS, "{bytes} bytes");
}
