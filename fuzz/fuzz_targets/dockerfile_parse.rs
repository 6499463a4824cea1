//! Any text is parsed and checked: no panic, and every place is inside of the text.
#![no_main]
use libfuzzer_sys::fuzz_target;
use plimsoll_dockerfile::{BuildInputs, checks, parse_lenient};
use plimsoll_source::Source;

fuzz_target!(|text: &str| {
    let source = Source::new("Dockerfile", text);
    let parsed = parse_lenient(&source);
    for node in &parsed.syntax.nodes {
        assert!(text.get(node.span.range()).is_some());
        for word in node.args.iter().chain(&node.comments).chain([&node.keyword]) {
            assert!(text.get(word.span.range()).is_some(), "{word:?}");
        }
        for flag in &node.flags {
            assert!(text.get(flag.word.span.range()).is_some(), "{flag:?}");
        }
        for heredoc in &node.heredocs {
            assert_eq!(source.slice(heredoc.content_span), heredoc.content);
        }
    }
    for label in parsed.faults.iter().flat_map(|fault| &fault.diagnostic.labels) {
        assert!(text.get(label.span.range()).is_some(), "{label:?}");
    }
    if let Ok(globals) = parsed.dockerfile.global_args(&BuildInputs::default())
        && let Ok(graph) = parsed.dockerfile.graph(&globals)
        && !graph.nodes.is_empty()
    {
        let _ = parsed.dockerfile.needed_stages(&graph, graph.nodes.len() - 1);
    }
    let report = checks::check(&source, &checks::CheckOptions::default());
    for finding in &report.findings {
        assert!(text.get(finding.span.range()).is_some(), "{finding:?}");
    }
});
