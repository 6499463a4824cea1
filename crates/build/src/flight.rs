//! One run for one key, also among builds that share a builder.

use std::{
    collections::HashSet,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use plimsoll_sandbox::Cancel;

use crate::key::Key;

/// The keys that are being worked on.
#[derive(Default)]
pub(crate) struct Flights {
    keys: Mutex<HashSet<Key>>,
    landed: Condvar,
}

/// The right to work on a key; given back when dropped.
pub(crate) struct Flight<'a> {
    flights: &'a Flights,
    key: Key,
}

impl Flights {
    /// Waits until nobody works on `key`; `None` when the build was cancelled meanwhile.
    pub(crate) fn take(&self, key: Key, cancel: &Cancel) -> Option<Flight<'_>> {
        let mut keys = self.lock();
        while !keys.insert(key) {
            if cancel.is_cancelled() {
                return None;
            }
            let waited = self.landed.wait_timeout(keys, Duration::from_millis(100));
            keys = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(Flight { flights: self, key })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Key>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.key);
        self.flights.landed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        thread,
    };

    use super::*;

    #[test]
    fn a_key_has_one_worker_at_a_time() {
        let (flights, cancel, working) = (Flights::default(), Cancel::new().unwrap(), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let _flight = flights.take(Key::of(b"k"), &cancel).unwrap();
                    assert_eq!(working.fetch_add(1, Ordering::SeqCst), 0);
                    thread::sleep(Duration::from_millis(5));
                    working.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        let held = flights.take(Key::of(b"k"), &cancel);
        assert!(flights.take(Key::of(b"other"), &cancel).is_some());
        cancel.cancel();
        assert!(flights.take(Key::of(b"k"), &cancel).is_none());
        drop(held);
    }
}
