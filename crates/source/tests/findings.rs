//! Findings as JSON and as messages; edits applied.

use plimsoll_source::{
    Diagnostic, Edit, EditError, EvidenceKind, Finding, RuleInfo, Safety, Severity, Source, Span, apply,
};
use proptest::prelude::*;

const RULE: RuleInfo =
    RuleInfo { id: "TagMissing", summary: "Images have a tag", url: "https://example.com/tag" };

#[test]
fn a_finding_as_json_and_as_a_message() {
    let source = Source::new("compose.yaml", "é: 1\nimage: nginx\n");
    let edit = Edit::new(&source, Span::new(18, 18), ":1.29");
    let finding = Finding::new(RULE, Severity::Warning, "nginx has no tag")
        .place(&source, Span::new(13, 18), "here")
        .evidence(EvidenceKind::ImageFacts)
        .fix("pin the version", Safety::Unsafe, vec![edit.clone()]);
    assert_eq!(
        serde_json::to_string(&finding).expect("JSON"),
        concat!(
            r#"{"rule":"TagMissing","severity":"warning","why":"nginx has no tag","places":[{"file":"compose.yaml","#,
            r#""from":{"line":2,"column":8},"to":{"line":2,"column":13},"message":"here"}],"evidence":"image_facts","#,
            r#""fixes":[{"title":"pin the version","safety":"unsafe","edits":[{"file":"compose.yaml","#,
            r#""from":{"line":2,"column":13},"to":{"line":2,"column":13},"text":":1.29"}]}]}"#
        )
    );
    assert_eq!(apply(&source, [&edit]).expect("fits"), "é: 1\nimage: nginx:1.29\n");
    let message = Diagnostic::from(&finding);
    assert_eq!(
        (message.code, message.one_line().as_str()),
        (Some("TagMissing"), "compose.yaml:2: nginx has no tag")
    );
    assert_eq!(message.notes, ["Images have a tag", "unsafe fix: pin the version"]);
    assert_eq!(message.hint.as_deref(), Some("see https://example.com/tag"));
}

#[test]
fn a_finding_with_help_of_its_own() {
    let source = Source::new("package.json", "{}");
    let finding = Finding::new(RULE, Severity::Error, "no script")
        .place(&source, Span::new(0, 2), "here")
        .help("add a script `build`");
    let json = serde_json::to_value(&finding).expect("JSON");
    assert_eq!((&json["help"], &json["rule"]), (&"add a script `build`".into(), &"TagMissing".into()));
    let message = Diagnostic::from(&finding);
    assert_eq!(message.hint.as_deref(), Some("add a script `build`"));
    assert!(message.notes.is_empty(), "{:?}", message.notes);
}

#[test]
fn edits_that_cannot_be_applied() {
    let source = Source::new("a", "né\nabc");
    let edit = |start, end, text: &str| Edit::new(&source, Span::new(start, end), text);
    let overlap = |line| Err(EditError::Overlap { file: "a".into(), line });
    assert_eq!(apply(&source, &[edit(4, 6, "x"), edit(5, 7, "y")]), overlap(2));
    assert_eq!(apply(&source, &[edit(4, 4, "x"), edit(4, 4, "y")]), overlap(2));
    assert_eq!(apply(&source, &[edit(4, 4, "x"), edit(4, 4, "x")]), Ok("né\nxabc".into()));
    for (start, end) in [(0, 2), (2, 3), (6, 8), (9, 9), (5, 4)] {
        let span = Span::new(start, end);
        let error = EditError::Borders { file: "a".into(), span };
        assert_eq!(apply(&source, &[edit(start, end, "x")]), Err(error));
    }
    let other = Edit::new(&Source::new("b", "né\nabc"), Span::new(0, 1), "x");
    assert_eq!(apply(&source, [&other]), Ok(source.text().into()));
}

proptest! {
    /// The text is cut into pieces, and every second one is replaced.
    #[test]
    fn the_order_does_not_matter_and_the_rest_stays(
        pieces in proptest::collection::vec(("[aé日\\n👩]{1,4}", "[xß\\n]{0,3}"), 0..12),
        turn in 0_usize..12,
    ) {
        let text: String = pieces.iter().map(|(old, _)| old.as_str()).collect();
        let source = Source::new("a", text);
        let (mut edits, mut expected, mut at) = (Vec::new(), String::new(), 0);
        for (index, (old, new)) in pieces.iter().enumerate() {
            let is_edited = index % 2 == 1;
            if is_edited {
                edits.push(Edit::new(&source, Span::new(at, at + old.len()), new.as_str()));
            }
            expected.push_str(if is_edited { new } else { old });
            at += old.len();
        }
        let turn = turn.min(edits.len());
        prop_assert_eq!(apply(&source, &edits), Ok(expected.clone()));
        edits.rotate_left(turn);
        prop_assert_eq!(apply(&source, &edits), Ok(expected.clone()));
        edits.reverse();
        prop_assert_eq!(apply(&source, &edits), Ok(expected.clone()));
    }

    /// Whatever the spans are, it is an error or a text, never a panic.
    #[test]
    fn any_spans(spans in proptest::collection::vec((0_usize..14, 0_usize..14), 0..5)) {
        let source = Source::new("a", "aé日\n👩b");
        let edits: Vec<Edit> =
            spans.iter().map(|&(start, end)| Edit::new(&source, Span::new(start, end), "x")).collect();
        let _ = apply(&source, &edits);
    }
}
