//! The readers of bodies without a server: `bench` runs this under callgrind (P12), which dumps its counts at each call of
//! [`between_readings`]. A line of the output says what was done between two of them.

mod heap;
mod lists;
mod others;
mod samples;

/// The source of the module, as far as it needs no server.
#[allow(dead_code, unused_imports, reason = "the module uses the rest")]
#[path = "../../../src"]
mod rooms {
    pub mod document;
    pub mod grammar;
    pub mod lists;
    pub mod memory;
    pub mod qsa;
    pub mod subscription;
    pub mod time;
}

use std::hint::black_box;

use self::rooms::{document, grammar, lists as rosters, memory, qsa, subscription, time};
use self::samples::Sample;
use crate::document::{Document, KeptDocument, merge};

/// How often a body is read between two dumps.
const TIMES: usize = 20;
/// The most bytes of a body, and of a merged document.
const MOST: usize = 16 << 20;

fn main() {
    for sample in samples::all() {
        parsed(&sample);
        if sample.is_xml {
            let text = sample.body.as_str();
            count(sample.name, "quick-xml", text.len(), TIMES, || others::quick_xml(text));
            count(sample.name, "roxmltree", text.len(), TIMES, || others::roxmltree(text));
        }
        if let Some(partial) = &sample.partial {
            merged(&sample, partial);
        }
    }
    lists::run();
}

/// Callgrind dumps its counts before this. What it is given is not looked at.
#[inline(never)]
fn between_readings(number: usize) {
    black_box(number);
}

/// Has `work` counted, `times` times, after one that is not; the line says what it is of, and of how many bytes.
fn count<R>(what: &str, how: &str, bytes: usize, times: usize, mut work: impl FnMut() -> R) {
    black_box(work());
    between_readings(0);
    for _ in 0..times {
        black_box(work());
    }
    between_readings(times);
    println!("{what}\t{how}\t{bytes}\t{times}");
}

fn parsed(sample: &Sample) {
    let (kind, body) = (sample.content_type.as_bytes(), sample.body.as_bytes());
    assert!(Document::read(kind, body, MOST).is_some(), "{} is read", sample.name);
    count(sample.name, "parse", body.len(), TIMES, || Document::read(kind, black_box(body), MOST));
}

fn merged(sample: &Sample, partial: &str) {
    let kind = sample.content_type.as_bytes();
    let whole = merge(kind, None, sample.body.as_bytes(), MOST).expect("the whole state");
    let kept = KeptDocument { document: &whole.document, version: whole.version, is_whole: whole.is_whole };
    let next = || merge(kind, Some(kept), black_box(partial.as_bytes()), MOST);
    assert!(next().is_ok_and(|next| next.is_whole), "{}: nothing is missing in between", sample.name);
    count(sample.name, "merge", whole.document.len() + partial.len(), TIMES, next);
}
