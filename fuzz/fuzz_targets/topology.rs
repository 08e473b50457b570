//! Random bytes for `callsheet_fuzz::topology`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| callsheet_fuzz::topology(bytes));
