//! The places of keys and values in files of variables.

#![allow(clippy::unwrap_used, reason = "tests")]

use plimsoll_compose::dotenv::{self, DotenvError, Statement, Variables};
use plimsoll_source::Span;
use proptest::prelude::*;

fn statements(text: &str) -> Result<Vec<Statement>, DotenvError> {
    dotenv::statements(text, &mut Variables::new(), &|_| None)
}

/// Per statement: the key as written, the value as written, the value as read.
fn written(text: &str) -> Vec<(&str, Option<(&str, String)>)> {
    let found = statements(text).unwrap();
    let piece = |span: Span| &text[span.range()];
    found
        .into_iter()
        .map(|one| (piece(one.key.span), one.value.map(|value| (piece(value.span), value.text))))
        .collect()
}

fn fault(text: &str) -> (usize, &str) {
    let error = statements(text).unwrap_err();
    (error.line, &text[error.span.range()])
}

#[test]
fn every_form_has_its_places() {
    for end in ["\n", "\r\n"] {
        for mark in ["", "\u{feff}"] {
            let lines = [
                "# é",
                "A=plain ä # comment",
                "export  B : 'single'",
                "C=\"one",
                "two\\t\"",
                "BARE",
                "D=$A",
                "E=",
                "F=last",
            ];
            let text = format!("{mark}{}", lines.join(end));
            let several = format!("\"one{end}two\\t\"");
            let expected = vec![
                ("A", Some(("plain ä", "plain ä".to_owned()))),
                ("B", Some(("'single'", "single".to_owned()))),
                ("C", Some((several.as_str(), "one\ntwo\t".to_owned()))),
                ("BARE", None),
                ("D", Some(("$A", "plain ä".to_owned()))),
                ("E", Some(("", String::new()))),
                ("F", Some(("last", "last".to_owned()))),
            ];
            assert_eq!(written(&text), expected, "{text:?}");
        }
    }
}

#[test]
fn errors_name_their_places() {
    for end in ["\n", "\r\n"] {
        let start = format!("\u{feff}A=1{end}{end}");
        let line = |text: &str| format!("{start}{text}{end}Z=1{end}");
        assert_eq!(fault(&line("B!=2")), (3, "!"));
        assert_eq!(fault(&line("export B C=2")), (3, "B C"));
        assert_eq!(fault(&line("B=${A")), (3, "${A"));
        assert_eq!(fault(&line("B=\"${A\"")), (3, "\"${A\""));
        assert_eq!(fault(&line("B='open")), (3, "'open"));

        let text = line("  B C=2");
        let error = dotenv::parse_raw(&text, &mut Variables::new(), &|_| None).unwrap_err();
        assert_eq!((error.line, &text[error.span.range()]), (3, "B C"));
    }
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "A", "b_", "=", ": ", " #", "#", "'", "\"", "\\", "\n", "\r\n", "\r", "\u{feff}", "é", "\u{2003}",
        "export ", "$A", "${A:-x}", "${", "\\n", " ", "\t",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spans_lie_on_borders_and_follow_each_other(text in pieces()) {
        let mut variables = Variables::new();
        let parsed = dotenv::parse(&text, &mut variables, &|_| None);
        match statements(&text) {
            Err(error) => {
                prop_assert!(text.get(error.span.range()).is_some());
                prop_assert_eq!(parsed, Err(error));
            }
            Ok(found) => {
                prop_assert!(parsed.is_ok());
                let mut end = 0;
                let mut last = Variables::new();
                for one in found {
                    prop_assert!(end <= one.key.span.start);
                    prop_assert_eq!(text.get(one.key.span.range()), Some(one.key.text.as_str()));
                    end = one.key.span.end;
                    let Some(value) = one.value else { continue };
                    prop_assert!(end < value.span.start);
                    end = value.span.end;
                    let under = text.get(value.span.range());
                    prop_assert!(under.is_some());
                    let plain = under.filter(|under| !under.starts_with(['"', '\'']) && !under.contains('$'));
                    if let Some(plain) = plain {
                        prop_assert_eq!(plain, &value.text);
                    }
                    last.insert(one.key.text, value.text);
                }
                prop_assert_eq!(last, variables);
            }
        }
    }
}
