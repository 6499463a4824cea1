//! Texts with places: YAML, JSON with positions, and text of others made fit to print.
//!
//! The first byte selects.
#![no_main]
use libfuzzer_sys::fuzz_target;
use plimsoll_fuzz::text::{Quick, check_places, expand};
use plimsoll_source::{
    Source, Span, printable, printable_line, printable_output,
    yaml::{self, Expanded, ExpandedKind, Kind, Limits, Node},
};
use plimsoll_survey::fuzzing::{self, Json};

fuzz_target!(|text: &str| {
    let (_quick, text) = (Quick::new(), &*expand(text));
    let Some(kind) = text.chars().next() else { return };
    let text = &text[kind.len_utf8()..];
    match kind {
        'y' => read_yaml(text),
        'j' => read_json(text, true),
        'J' => read_json(text, false),
        'p' => print(text),
        's' => places(text),
        _ => {}
    }
});

fn read_yaml(text: &str) {
    let source = Source::new("t.yaml", text);
    let limits = Limits::default();
    match yaml::parse(&source, &limits) {
        Err(error) => check_places(&error),
        Ok(documents) => {
            for document in documents {
                node(&source, &document.root, 0);
                match document.expand(&limits) {
                    Err(error) => check_places(&error),
                    Ok(tree) => expanded(&source, &tree, 0),
                }
            }
        }
    }
}

fn inside(source: &Source, span: Span) {
    assert!(source.text().get(span.range()).is_some(), "{span:?} of {:?}", source.text());
}

fn node(source: &Source, node_: &Node, depth: usize) {
    assert!(depth <= Limits::default().depth);
    inside(source, node_.span);
    match &node_.kind {
        Kind::Scalar(scalar) => {
            let _ = scalar.resolve(node_.tag.as_ref());
        }
        Kind::Sequence { items, .. } => items.iter().for_each(|item| node(source, item, depth + 1)),
        Kind::Mapping { entries, .. } => {
            for entry in entries {
                node(source, &entry.key, depth + 1);
                node(source, &entry.value, depth + 1);
            }
        }
        Kind::Alias { target, .. } => inside(source, target.span),
    }
}

fn expanded(source: &Source, tree: &Expanded, depth: usize) {
    assert!(depth <= Limits::default().depth);
    inside(source, tree.span);
    match &tree.kind {
        ExpandedKind::Scalar(_) => {}
        ExpandedKind::Sequence(items) => items.iter().for_each(|item| expanded(source, item, depth + 1)),
        ExpandedKind::Mapping(entries) => {
            for (at, (key, span, value)) in entries.iter().enumerate() {
                inside(source, *span);
                assert!(entries[..at].iter().all(|(known, ..)| known.text != key.text), "{:?} twice", key.text);
                expanded(source, value, depth + 1);
            }
        }
    }
}

/// What any other reader of JSON accepts has the same values here.
fn read_json(text: &str, strict: bool) {
    let source = Source::new("t.json", text);
    let mut spans = Vec::new();
    let ours = fuzzing::json(&source, strict, &mut |span| spans.push(span));
    spans.into_iter().for_each(|span| inside(&source, span));
    let theirs = serde_json::from_str::<serde_json::Value>(text.trim_start_matches('\u{feff}'));
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => same(&ours, &theirs),
        (Err(error), theirs) => {
            check_places(&error);
            let deep = error.labels[0].message.contains("deep");
            assert!(deep || theirs.is_err(), "{}", error.labels[0].message);
        }
        (Ok(_), Err(_)) => {}
    }
}

fn same(ours: &Json, theirs: &serde_json::Value) {
    match (ours, theirs) {
        (Json::Text(ours), serde_json::Value::String(theirs)) => assert_eq!(ours, theirs),
        (Json::List(ours), serde_json::Value::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len());
            ours.iter().zip(theirs).for_each(|(ours, theirs)| same(ours, theirs));
        }
        (Json::Object(ours), serde_json::Value::Object(theirs)) => {
            for (key, value) in theirs {
                let (_, ours) = ours.iter().rfind(|(known, _)| known == key).expect("the key");
                same(ours, value);
            }
        }
        (Json::Literal(ours), theirs) => assert!(!theirs.is_object() && !theirs.is_array(), "{ours}"),
        (ours, theirs) => panic!("{ours:?} {theirs:?}"),
    }
}

fn print(text: &str) {
    let hidden = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!printable(text).chars().any(|c| hidden(c) && !matches!(c, '\n' | '\t')));
    assert!(!printable_line(text).chars().any(|c| hidden(c) && c != '\t'));
    for shown in [printable(text), printable_line(text)] {
        assert!(text.chars().any(hidden) || shown.len() >= text.len());
    }
    let output = printable_output(text);
    let mut rest: &str = &output;
    let mut coloured = false;
    while let Some(at) = rest.find('\x1b') {
        let (begin, behind) = (&rest[..at], &rest[at + 1..]);
        assert!(!begin.chars().any(|c| hidden(c) && !matches!(c, '\n' | '\t')), "{output:?}");
        let sequence = behind.strip_prefix('[').expect("a colour");
        let end = sequence.find(|c: char| !matches!(c, '0'..='9' | ';' | ':')).expect("an end");
        assert!(sequence[end..].starts_with('m'), "{output:?}");
        coloured = !matches!(&sequence[..end], "" | "0");
        rest = &sequence[end + 1..];
    }
    assert!(!rest.chars().any(|c| hidden(c) && !matches!(c, '\n' | '\t')), "{output:?}");
    assert!(!coloured, "colours do not end with the text: {output:?}");
    assert_eq!(printable(&printable(text)), printable(text));
}

fn places(text: &str) {
    let source = Source::new("t", text);
    let mut last = (0, 0);
    for (at, _) in text.char_indices() {
        let place = source.line_col(at);
        assert!((place.line, place.column) > last);
        last = (place.line, place.column);
        let line = source.line_span(place.line);
        assert!(line.start <= at && at <= line.end && text.get(line.range()).is_some());
    }
    let _ = (source.line_col(text.len() + 1), source.line_span(last.0 + 2), source.slice(Span::new(1, 3)));
}
