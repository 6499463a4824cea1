//! The small readers of Compose: variables in a text, files of variables, short forms of ports and volumes, and the change
//! of one value in a file, which must leave all others as they are.
//!
//! The first byte selects; sections are separated by zero bytes.
#![no_main]
use libfuzzer_sys::fuzz_target;
use plimsoll_compose::{
    dotenv,
    edit::{self, Change},
    interpolate, mounts, ports,
};
use plimsoll_fuzz::text::{Quick, check_places, expand, own_yaml, pairs, sections};
use plimsoll_source::{Source, apply};

fuzz_target!(|text: &str| {
    let (_quick, text) = (Quick::new(), &*expand(text));
    let Some(kind) = text.chars().next() else { return };
    let mut next = sections(&text[kind.len_utf8()..]);
    match kind {
        'i' => variables(next(), next()),
        'd' => files_of_variables(next(), next()),
        'p' => short_forms(next()),
        'e' => change(next(), next(), next(), next()),
        _ => {}
    }
});

fn variables(template: &str, env: &str) {
    let env = pairs(env);
    let lookup = |name: &str| env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let mut unset = Vec::new();
    let result = interpolate::substitute(template, &lookup, &mut |name| unset.push(name.to_owned()));
    let known = interpolate::variables(template);
    if result.is_ok() {
        // A default in a branch that is not taken is not read.
        if let Ok(known) = known {
            for name in &unset {
                assert!(known.iter().any(|variable| variable.name == *name), "{name} is in no list");
            }
        }
    }
    // Nothing is replaced where every dollar sign is doubled.
    let doubled = template.replace('$', "$$");
    assert_eq!(interpolate::substitute(&doubled, &lookup, &mut |_| panic!()).as_deref(), Ok(template));
}

fn files_of_variables(text: &str, env: &str) {
    let env = pairs(env);
    let lookup = |name: &str| env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let lines = text.lines().count().max(1);
    for read in [dotenv::parse, dotenv::parse_raw] {
        let mut out = dotenv::Variables::new();
        if let Err(error) = read(text, &mut out, &lookup) {
            assert!((1..=lines + 1).contains(&error.line), "{error} of {lines} lines");
        }
        for name in out.keys() {
            // An empty one is a name for the reference too.
            assert!(!name.contains(['=', '\n']), "{name:?}");
        }
    }
}

fn short_forms(spec: &str) {
    if let Ok(list) = ports::parse(spec) {
        assert!(!list.is_empty() && list.len() <= 65_536);
        for port in &list {
            // 0 is one for the reference too; the engine refuses it.
            assert!((0..=65_535).contains(&port.target), "{port:?}");
        }
    }
    if let Ok(mount) = mounts::parse(spec) {
        assert!(mount.target.is_some_and(|target| !target.is_empty()));
    }
}

fn change(text: &str, path: &str, value: &str, how: &str) {
    let steps = match edit::steps(path) {
        Ok(steps) => steps,
        Err(error) => return check_places(&error),
    };
    let both_quotes = |step: &edit::Segment| matches!(step, edit::Segment::Key(key) if key.contains('"') && key.contains('\''));
    if !steps.iter().any(both_quotes) {
        assert_eq!(edit::steps(&edit::path_text(&steps)).expect("a path of ours"), steps);
    }
    let source = Source::new("compose.yaml", text);
    let there = edit::has(&source, &steps);
    let remove = how.starts_with('r');
    let change = if remove { Change::Remove } else { Change::Set(value.to_owned()) };
    match edit::edit(&source, &steps, &change) {
        Err(error) => check_places(&error),
        Ok(edits) => {
            let new = apply(&source, &edits).expect("edits that fit");
            let new = Source::new("compose.yaml", new);
            if remove {
                assert!(there, "what was not there was removed");
                let item = matches!(steps.last(), Some(edit::Segment::Item(_)));
                assert!(item || !edit::has(&new, &steps), "it is still there:\n{}", new.text());
            } else {
                // Behind the last item stands a new one, wherever it was wanted.
                let named = steps.iter().all(|step| matches!(step, edit::Segment::Key(_)));
                assert!(!named || edit::has(&new, &steps), "it is not there:\n{}", new.text());
                own_yaml("the new text", new.text());
                // A second time changes nothing.
                if !steps.contains(&edit::Segment::Append) && there {
                    let again = edit::edit(&new, &steps, &change)
                        .unwrap_or_else(|error| panic!("{}\n{}", error.one_line(), new.text()));
                    assert_eq!(apply(&new, &again).expect("edits that fit"), new.text());
                }
            }
        }
    }
}
