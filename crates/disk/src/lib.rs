//! Files on this machine's disk, read as a program reads what others have put there: bounded, and without waiting for
//! anybody; and locks on files, waited for with a word about who has them.

mod held;
mod read;

pub use held::{TELL_AFTER, is_suspended, lock_holder, lock_telling};
pub use read::{Links, open_regular, read_named, read_regular, read_text};
