#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| meshwhy_fuzz::access_log(bytes));
