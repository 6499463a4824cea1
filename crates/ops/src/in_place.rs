//! In place of docker compose: some words and some defaults are that program's then.

use std::sync::atomic::{AtomicBool, Ordering};

static IN_PLACE: AtomicBool = AtomicBool::new(false);

/// Says whether the program was called under docker compose's name.
pub fn stand_in(in_place: bool) {
    IN_PLACE.store(in_place, Ordering::Relaxed);
}

/// Whether the program stands in for docker compose.
pub fn is_in_place() -> bool {
    IN_PLACE.load(Ordering::Relaxed)
}
