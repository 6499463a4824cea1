//! Text in sections, and what holds for every message about a text.

use std::borrow::Cow;

use plimsoll_source::{Diagnostic, Source, yaml};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// The sections of a text, separated by zero bytes; empty ones behind the last.
pub fn sections<'t>(text: &'t str) -> impl FnMut() -> &'t str {
    let mut sections = text.split('\0');
    move || sections.next().unwrap_or_default()
}

/// `NAME=VALUE` lines, a few of them.
pub fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    text.lines().take(16).filter_map(pair).collect()
}

/// Every place of a message lies inside of its text, and its line can be said.
pub fn check_places(diagnostic: &Diagnostic) {
    for label in &diagnostic.labels {
        assert!(label.source.text().get(label.span.range()).is_some(), "{diagnostic:?}");
    }
    let _ = diagnostic.one_line();
}

/// The only document of a YAML text of ours, aliases replaced.
pub fn own_yaml(name: &str, text: &str) -> yaml::Expanded {
    let source = Source::new(name, text);
    let limits = yaml::Limits::default();
    let read = yaml::parse(&source, &limits).and_then(|mut documents| {
        assert_eq!(documents.len(), 1, "{name} holds several documents:\n{text}");
        documents.remove(0).expand(&limits)
    });
    read.unwrap_or_else(|error| panic!("{}\n{text}", error.one_line()))
}

/// What a repeated unit makes a text.
const LONG: usize = 48 << 10;

/// The text with the first unit between `\u{2}` and `\u{3}` repeated until the text is long, `\u{4}` in it numbered: what is
/// slow with a long text is found with a short one.
pub fn expand(text: &str) -> Cow<'_, str> {
    let unit = text.split_once('\u{2}').and_then(|(before, rest)| Some((before, rest.split_once('\u{3}')?)));
    let Some((before, (unit, behind))) = unit.filter(|(_, (unit, _))| !unit.is_empty()) else {
        return Cow::Borrowed(text);
    };
    let mut long = before.to_owned();
    for number in 0.. {
        long.push_str(&unit.replace('\u{4}', &number.to_string()));
        if long.len() > LONG {
            break;
        }
    }
    long.push_str(behind);
    Cow::Owned(long)
}

/// Fails when its thread has worked for too long until it is dropped; waiting for others does not count.
pub struct Quick(Timespec);

/// Some kilobytes must not take seconds.
const MOST_SECONDS: i64 = 3;

impl Quick {
    /// Begins to count.
    #[expect(clippy::new_without_default, reason = "it begins to count")]
    pub fn new() -> Self {
        Self(clock_gettime(ClockId::ThreadCPUTime))
    }
}

impl Drop for Quick {
    fn drop(&mut self) {
        let seconds = clock_gettime(ClockId::ThreadCPUTime).tv_sec - self.0.tv_sec;
        assert!(seconds <= MOST_SECONDS, "slow: {seconds} seconds");
    }
}
