//! Signals that end the program: what is not finished is cleaned up first.

/// Cleans up on signals from now on.
#[cfg(unix)]
pub fn install() {
    use std::{
        io::Write,
        sync::{Arc, atomic::AtomicBool},
        thread,
    };

    use signal_hook::{
        consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ},
        flag,
        iterator::Signals,
        low_level::emulate_default_handler,
    };

    use crate::files::unfinished;

    // A file that would be larger than allowed is then an error of a write, which is reported.
    let _ = flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
    let ending = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| !is_ignored(*signal));
    // Without a handler, signals end the program as they do by default.
    let Ok(mut signals) = Signals::new(ending) else { return };
    thread::spawn(move || {
        for signal in signals.forever() {
            let talk = unfinished::interrupted();
            let _ = std::io::stderr().lock().write_all(talk.as_bytes());
            let _ = emulate_default_handler(signal);
        }
    });
}

/// There is nothing to install.
#[cfg(not(unix))]
pub const fn install() {}

/// Whether who started the program has it ignore a signal, as `nohup` does; it stays so.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let bit = u32::try_from(signal).ok().and_then(|signal| signal.checked_sub(1));
    bit.and_then(|bit| mask.checked_shr(bit)).is_some_and(|mask| mask & 1 == 1)
}
