//! Any word is expanded with any values: no panic, and the result keeps to its bound.
#![no_main]
use libfuzzer_sys::fuzz_target;
use plimsoll_dockerfile::{MAX_LENGTH, expand, expand_for_display, expand_heredoc};

fuzz_target!(|input: (&str, &str, bool)| {
    let (word, value, backtick) = input;
    let escape = if backtick { '`' } else { '\\' };
    let env = |name: &str| if name.len() == 1 { Some(value.to_owned()) } else { None };
    if let Ok(expanded) = expand(word, &env, escape) {
        assert!(expanded.text.len() <= MAX_LENGTH + word.len() + value.len());
        assert!(expanded.words.iter().all(|word| !word.is_empty()));
    }
    let _ = expand_heredoc(word, &env);
    let _ = expand_for_display(word, &env, escape);
});
