#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| selvage_event_fuzz::auth(data));
