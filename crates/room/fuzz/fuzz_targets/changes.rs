#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| selvage_room_fuzz::changes(data));
