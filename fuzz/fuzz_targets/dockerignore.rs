//! Any patterns against any path: no panic, no exception inside a directory that may be skipped, and without exceptions
//! walking a tree gives the same verdict as asking for the path.
#![no_main]
use libfuzzer_sys::fuzz_target;
use plimsoll_dockerfile::{Matcher, Verdict, glob, path};

fuzz_target!(|input: (&str, &str)| {
    let (patterns, path) = input;
    let _ = glob::matches(patterns, path);
    let Ok(matcher) = Matcher::parse(patterns) else { return };
    let path = path::clean(path);
    let asked = matcher.matches(&path);
    if path.starts_with('/') || path.starts_with("..") || path == "." {
        return;
    }
    let mut verdict = Verdict::default();
    let mut skipped = false;
    for at in path.match_indices('/').map(|(at, _)| at).chain([path.len()]) {
        verdict = matcher.verdict(&path[..at], &verdict);
        skipped |= at < path.len() && verdict.excluded && matcher.can_skip_dir(&path[..at]);
    }
    assert!(!skipped || verdict.excluded, "a skipped directory holds an exception");
    if !matcher.has_exceptions() {
        assert_eq!(verdict.excluded, asked);
    }
});
