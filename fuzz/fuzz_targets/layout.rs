#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| jobrunner_fuzz::layout(bytes));
