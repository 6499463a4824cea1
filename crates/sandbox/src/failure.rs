//! What the helper and pid 1 say when a system call fails.

use std::io;

use crate::wire::Report;

/// Something that did not work, and its object.
pub(crate) struct Failure {
    pub(crate) what: String,
    pub(crate) cause: String,
}

impl Failure {
    pub(crate) fn report(self) -> Report {
        Report::Setup { what: self.what, cause: self.cause }
    }
}

/// Gives an operating system error its object.
pub(crate) trait Context<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| Failure { what: what(), cause: error.into().to_string() })
    }
}
