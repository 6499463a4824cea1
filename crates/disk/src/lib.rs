//! Files on this machine's disk. Read as a program reads what others have put there: bounded, and without waiting for
//! anybody. Written as a whole or not at all. Locked, with a word about who has the lock.

mod draft;
mod held;
mod read;

pub use draft::{Draft, PRIVATE, USUAL, replace};
pub use held::{TELL_AFTER, is_suspended, lock_holder, lock_telling};
pub use read::{Links, open_regular, read_named, read_regular, read_text};
