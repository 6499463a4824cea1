//! A fact and what it rests on.

use plimsoll_source::{Source, Span};
use serde::Serialize;

/// What a fact rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Path in the repository.
    pub file: String,
    /// Line of the span's first byte, from 1.
    pub line: usize,
    /// Byte offset of the first byte in the file.
    pub start: usize,
    /// Byte offset behind the last byte.
    pub end: usize,
    /// Why this text says so.
    pub reason: String,
}

impl Evidence {
    /// The evidence that the text at `span` gives.
    pub fn new(source: &Source, span: Span, reason: impl Into<String>) -> Self {
        let line = source.line_col(span.start).line;
        Self { file: source.name().to_owned(), line, start: span.start, end: span.end, reason: reason.into() }
    }

    /// The evidence that a file gives by being there.
    pub fn file(path: &str, reason: impl Into<String>) -> Self {
        Self { file: path.to_owned(), line: 1, start: 0, end: 0, reason: reason.into() }
    }
}

/// A value and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact<T> {
    /// The value.
    pub value: T,
    /// What it rests on; at least one.
    pub evidence: Vec<Evidence>,
}

impl<T> Fact<T> {
    /// A fact with one piece of evidence.
    pub fn new(value: T, evidence: Evidence) -> Self {
        Self { value, evidence: vec![evidence] }
    }
}
