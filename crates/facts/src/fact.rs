//! A fact, and what it rests on.

use jiff::civil::Date;

/// Where a fact stands, and the day of that text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The document and its section, in words.
    pub text: &'static str,
    /// The day of the text that was compared; of a manual without a copy, the day on which the fact was written down.
    pub day: Date,
}

impl Source {
    /// A document as it was on a day.
    pub(crate) const fn new(text: &'static str, year: i16, month: i8, day: i8) -> Self {
        Self { text, day: jiff::civil::date(year, month, day) }
    }
}

/// Something that is certain, with what it rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fact<T> {
    /// What is so.
    pub value: T,
    /// Where it stands.
    pub source: Source,
}

/// A fact in the place of one that may be unknown.
pub(crate) const fn known<T: Copy>(value: T, source: Source) -> Option<Fact<T>> {
    Some(Fact { value, source })
}
