//! Answers that other claims received while they worked: smoke checks, load, a service that was stopped.

use std::sync::{Mutex, PoisonError};

use crate::http::Answer;

/// So many different answers are kept.
const LIMIT: usize = 500;

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A smoke check, alone or under load.
    Smoke,
    /// A request while a service behind the front was stopped.
    Stopped,
}

/// One kind of answer: the first of its method, path and status.
#[derive(Clone, Debug)]
pub(crate) struct SeenAnswer {
    pub(crate) front: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) source: Source,
    pub(crate) answer: Answer,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<Vec<SeenAnswer>>);

impl Seen {
    /// Keeps an answer, unless one like it is known. `shape` is the path as the check has it, before captured values are
    /// put in.
    pub(crate) fn note(&self, front: &str, source: Source, method: &str, shape: &str, answer: &Answer) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.iter().any(|seen| {
            seen.front == front
                && seen.method == method
                && seen.path == shape
                && seen.answer.status == answer.status
        });
        if !known && all.len() < LIMIT {
            let (front, method, path) = (front.to_owned(), method.to_owned(), shape.to_owned());
            all.push(SeenAnswer { front, method, path, source, answer: answer.clone() });
        }
    }

    pub(crate) fn all(&self) -> Vec<SeenAnswer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
