#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| presence_b2b_fuzz::run("merging", input));
