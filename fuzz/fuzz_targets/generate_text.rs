//! What generated files are made of: an escaped text is read back as itself by our own readers, a merge of three texts
//! loses nothing, and a lock is read again.
//!
//! The first byte selects; sections are separated by zero bytes.
#![no_main]
use libfuzzer_sys::fuzz_target;
use plimsoll_compose::interpolate::substitute;
use plimsoll_dockerfile::Instruction;
use plimsoll_fuzz::text::{Quick, expand, own_yaml, sections};
use plimsoll_generate::{Lock, Merged, fuzzing, three_way};
use plimsoll_source::{
    Source,
    yaml::{Expanded, ExpandedKind, Value},
};

fuzz_target!(|text: &str| {
    let (_quick, text) = (Quick::new(), &*expand(text));
    let Some(kind) = text.chars().next() else { return };
    let mut next = sections(&text[kind.len_utf8()..]);
    match kind {
        'e' => escapes(next()),
        'd' => default(next(), next()),
        'm' => merge(next(), next(), next()),
        'l' => {
            let text = next();
            if let Ok(lock) = Lock::parse(text) {
                assert_eq!(Lock::parse(&lock.to_text()).expect("ours"), lock);
            }
        }
        _ => {}
    }
});

/// The string at the only key of a mapping, or the strings of its list.
fn value(tree: &Expanded) -> Vec<String> {
    let scalar = |node: &Expanded| match &node.kind {
        ExpandedKind::Scalar(scalar) => match scalar.resolve(node.tag.as_ref()) {
            Value::String(text) => text,
            other => panic!("{other:?} is no text"),
        },
        other => panic!("{other:?} is no scalar"),
    };
    let ExpandedKind::Mapping(entries) = &tree.kind else { panic!("no mapping") };
    let [(_, _, node)] = entries.as_slice() else { panic!("several keys") };
    match &node.kind {
        ExpandedKind::Sequence(items) => items.iter().map(scalar).collect(),
        _ => vec![scalar(node)],
    }
}

fn escapes(text: &str) {
    let none = |_: &str| None;
    assert_eq!(value(&own_yaml("yaml", &format!("k: {}\n", fuzzing::yaml(text)))), [text]);
    let composed = value(&own_yaml("compose", &format!("k: {}\n", fuzzing::compose(text))));
    assert_eq!(substitute(&composed[0], &none, &mut |_| panic!()).as_deref(), Ok(text));

    let texts: Vec<String> = text.split(' ').map(str::to_owned).collect();
    let list = value(&own_yaml("list", &format!("k: {}\n", fuzzing::compose_list(&texts))));
    let list: Vec<String> = list.iter().map(|text| substitute(text, &none, &mut |_| panic!()).expect("it is read")).collect();
    assert_eq!(list, texts);

    let json = fuzzing::json(text);
    assert_eq!(serde_json::from_str::<String>(&json).expect("JSON"), text);
    let table: toml::Table = toml::from_str(&format!("k = {json}\n")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(table["k"].as_str(), Some(text));
    assert!(!json.contains(['\n', '\r', '\u{2028}', '\u{2029}']));

    let one_line = text.replace(['\n', '\r'], " ");
    assert_eq!(dockerfile(&fuzzing::docker(text)), one_line);
    let words = plimsoll_compose::fuzzing::words(&format!("a {} b", fuzzing::shell(text))).expect("words");
    assert_eq!(words, ["a", one_line.as_str(), "b"]);
    let nginx = Source::new("nginx.conf", format!("a {} ;", fuzzing::nginx(text)));
    let words = plimsoll_survey::fuzzing::nginx_words(&nginx);
    let words: Vec<&str> = words.iter().map(|(_, word)| word.as_str()).collect();
    assert_eq!(words, ["a", one_line.as_str(), ";"]);
    let comment = fuzzing::comment(text);
    assert!(!comment.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')));
}

/// The value of `ENV K=…`.
fn dockerfile(value: &str) -> String {
    let source = Source::new("Dockerfile", format!("FROM scratch\nENV K={value}\nUSER 1\n"));
    let read = plimsoll_dockerfile::parse(&source).unwrap_or_else(|errors| panic!("{}", errors[0].one_line()));
    let statements = &read.stages[0].instructions;
    assert_eq!(statements.len(), 2, "{}", source.text());
    let Instruction::Env(pairs) = &statements[0].value else { panic!("no ENV") };
    let [pair] = pairs.as_slice() else { panic!("several: {}", source.text()) };
    plimsoll_dockerfile::expand(&pair.value.text, &|_| panic!("a variable"), '\\').expect("it is expanded").text
}

fn default(name: &str, text: &str) {
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if let Some(written) = fuzzing::compose_default(name, text).filter(|_| named) {
        let read = value(&own_yaml("default", &format!("k: {written}\n")));
        assert_eq!(substitute(&read[0], &|_| None, &mut |_| {}).as_deref(), Ok(text));
        assert_eq!(substitute(&read[0], &|_| Some("x"), &mut |_| {}).as_deref(), Ok("x"));
    }
}

fn merge(base: &str, ours: &str, theirs: &str) {
    assert_eq!(three_way(base, base, theirs), Merged::Clean(theirs.to_owned()));
    assert_eq!(three_way(base, ours, base), Merged::Clean(ours.to_owned()));
    assert_eq!(three_way(base, ours, ours), Merged::Clean(ours.to_owned()));
    match three_way(base, ours, theirs) {
        Merged::Clean(text) => {
            // Each line is one of somebody's.
            for line in text.split_inclusive('\n') {
                assert!([base, ours, theirs].iter().any(|text| text.split_inclusive('\n').any(|known| known == line)));
            }
        }
        Merged::Conflicts(hunks) => {
            assert!(!hunks.is_empty());
            for hunk in hunks {
                assert!(hunk.line >= 1 && hunk.line <= ours.lines().count() + 1);
            }
        }
    }
}
