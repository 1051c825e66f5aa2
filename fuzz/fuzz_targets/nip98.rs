#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| portico_fuzz::nip98::run(data));
