//! Files on this machine's disk, read as a program reads what others have put there: bounded, and without waiting for
//! anybody.

mod read;

pub use read::{Links, open_regular, read_named, read_regular, read_text};
