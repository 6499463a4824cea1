//! Nothing that anybody can write makes the crate panic, hang, or point outside of the text.
use plimsoll_dockerfile::{
    Dockerfile, Instruction, MAX_LENGTH, Word,
    checks::{self, CheckOptions},
    dockerignore::{Matcher, Verdict},
    expand, expand_for_display, expand_heredoc, glob, parse_lenient, parse_port, path,
    syntax::Node,
};
use plimsoll_source::{Source, Span};
use proptest::prelude::*;

/// Text made of what Dockerfiles are made of, so that deep places are reached.
fn dockerfile_text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "FROM",
        "from",
        "AS",
        "scratch",
        "node:20",
        "RUN",
        "COPY",
        "ADD",
        "ENV",
        "LABEL",
        "ARG",
        "ONBUILD",
        "CMD",
        "SHELL",
        "HEALTHCHECK",
        "NONE",
        "EXPOSE",
        "VOLUME",
        "USER",
        "WORKDIR",
        "STOPSIGNAL",
        "ENTRYPOINT",
        "MAINTAINER",
        "--from=",
        "--mount=",
        "type=cache,",
        "target=/x",
        "--link",
        "--chown=a",
        "--platform=",
        "--",
        "--interval=1s",
        "<<EOF",
        "<<-'E O'",
        "<<\"E\"",
        "EOF",
        "E",
        "3<<A",
        "A",
        "[\"a\"",
        ",",
        "]",
        "[",
        "{",
        "\\",
        "`",
        "\\\n",
        "`\n",
        "\n",
        "\r\n",
        " ",
        " ",
        "\t",
        "#",
        "# escape=`",
        "# syntax=a",
        "# check=skip=all;error=true",
        "$A",
        "${A:-",
        "${A#*",
        "}",
        "\"",
        "'",
        "=",
        "A=b",
        "é",
        "\u{feff}",
        "\u{a0}",
        "😀",
        "0",
        "/",
        "*",
        "!",
    ]);
    prop::collection::vec(prop_oneof![8 => piece.prop_map(str::to_owned), 1 => any::<String>()], 0..60)
        .prop_map(|pieces| pieces.concat())
}

fn inside(source: &Source, span: Span) {
    assert!(source.text().get(span.range()).is_some(), "{span:?} is not inside of {:?}", source.text());
}

fn word_inside(source: &Source, word: &Word) {
    inside(source, word.span);
}

fn node_inside(source: &Source, node: &Node) {
    inside(source, node.span);
    inside(source, node.args_span);
    let flags = node.flags.iter().map(|flag| &flag.word);
    let pairs = node.pairs.iter().flat_map(|pair| [&pair.key, &pair.value]);
    let heredocs = node.heredocs.iter().map(|heredoc| &heredoc.word);
    let words = std::iter::once(&node.keyword).chain(flags).chain(pairs).chain(heredocs);
    let definitions = node.definitions.iter().flat_map(|arg| std::iter::once(&arg.name).chain(&arg.value));
    let words = words.chain(definitions);
    words.chain(&node.args).chain(&node.comments).for_each(|word| word_inside(source, word));
    for value in node.flags.iter().filter_map(plimsoll_dockerfile::syntax::Flag::value) {
        word_inside(source, &value);
    }
    for heredoc in &node.heredocs {
        let written = source.slice(heredoc.content_span);
        assert!(heredoc.content == written || heredoc.content == written.replace("\r\n", "\n"));
    }
    node.trigger.iter().for_each(|trigger| node_inside(source, trigger));
}

/// A word without a continuation in it is what stands in the file.
fn word_is_source(file: &Dockerfile, word: &Word) {
    let text = file.source.slice(word.span);
    if !text.contains('\n') {
        assert_eq!(text, word.text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn places_are_inside_of_the_text(text in dockerfile_text()) {
        let source = Source::new("Dockerfile", text);
        let parsed = parse_lenient(&source);
        parsed.syntax.nodes.iter().for_each(|node| node_inside(&source, node));
        for label in parsed.faults.iter().flat_map(|fault| &fault.diagnostic.labels) {
            inside(&source, label.span);
        }
        for stage in &parsed.dockerfile.stages {
            word_is_source(&parsed.dockerfile, &stage.from);
            for statement in &stage.instructions {
                word_is_source(&parsed.dockerfile, &statement.keyword);
                if let Instruction::Run(run) = &statement.value {
                    let fields = run.mounts.iter().flat_map(|mount| &mount.fields).map(|field| &field.field);
                    fields.chain(run.devices.iter().map(|device| &device.word)).for_each(|word| word_inside(&source, word));
                }
                if let Instruction::User(word) | Instruction::Workdir(word) = &statement.value {
                    word_is_source(&parsed.dockerfile, word);
                }
            }
        }
        let report = checks::check(&source, &CheckOptions::default());
        report.findings.iter().for_each(|finding| inside(&source, finding.span));
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let source = Source::new("Dockerfile", String::from_utf8_lossy(&bytes).into_owned());
        let parsed = parse_lenient(&source);
        parsed.syntax.nodes.iter().for_each(|node| node_inside(&source, node));
    }

    #[test]
    fn expansion_is_bounded(word in dockerfile_text(), value in ".{0,40}") {
        let env = |name: &str| (name.len() % 2 == 1).then(|| value.clone());
        for escape in ['\\', '`'] {
            if let Ok(expanded) = expand(&word, &env, escape) {
                assert!(expanded.text.len() <= MAX_LENGTH + word.len() + value.len());
                assert!(expanded.words.iter().all(|word| !word.is_empty()));
            }
            let _ = expand_for_display(&word, &env, escape);
        }
        let _ = expand_heredoc(&word, &env);
    }

    #[test]
    fn text_without_special_characters_expands_to_itself(text in "[a-zA-Z0-9 ./:=@_-]{0,40}") {
        assert_eq!(expand(&text, &|_| None, '\\').map(|expanded| expanded.text), Ok(text));
    }

    #[test]
    fn walking_and_asking_agree(patterns in "([!a*?/.b\\[\\]^\\\\-]{0,8}\n){0,4}", path in "[ab.]{1,2}(/[ab.]{1,2}){0,3}") {
        let Ok(matcher) = Matcher::parse(&patterns) else { return Ok(()) };
        let path = path::clean(&path);
        prop_assume!(!path.starts_with("..") && path != ".");
        let mut verdict = Verdict::default();
        let mut skipped = false;
        for (at, _) in path.match_indices('/').chain([(path.len(), "")]) {
            skipped |= verdict.excluded && matcher.can_skip_dir(&path[..path[..at].rfind('/').unwrap_or(0)]);
            verdict = matcher.verdict(&path[..at], &verdict);
        }
        assert!(!skipped || verdict.excluded, "an exception in a skipped directory: {patterns:?} {path}");
        if !matcher.has_exceptions() {
            assert_eq!(verdict.excluded, matcher.matches(&path), "{patterns:?} {path}");
        }
    }

    #[test]
    fn patterns_and_ports_take_anything(pattern in any::<String>(), path in any::<String>()) {
        let _ = glob::matches(&pattern, &path);
        let _ = parse_port(&pattern);
        if let Ok(matcher) = Matcher::parse(&pattern) {
            matcher.matches(&path);
            matcher.can_skip_dir(&path);
        }
        let clean = path::clean(&path);
        assert_eq!(path::clean(&clean), clean);
    }
}

/// Files that would take quadratic time or doubling memory are read, or refused, at once.
#[test]
fn hostile_files_take_no_time() {
    let repeat = |head: &str, line: &str, times: usize| format!("{head}{}", line.repeat(times));
    let files = [
        repeat("FROM a AS b\n", "FROM b AS b\nCOPY --from=b / /\n", 4_000),
        repeat("FROM a AS b\n", "ONBUILD COPY --from=b / /\n", 4_000) + &"FROM b\n".repeat(4_000),
        repeat("FROM a\nENV A=xxxxxxxx\n", "ENV A=$A$A\n", 9_000),
        repeat("ARG A=xxxxxxxx\n", "ARG A=$A$A\n", 9_000) + "FROM $A\n",
        repeat("FROM scratch\nCOPY ", "${A:-\\b} ", 150_000) + "<<E /\nE\n",
        repeat("FROM scratch\nCOPY ", "$A", 150_000) + " /\n",
        repeat("FROM scratch\nCOPY ", "$A ", 300_000) + " /\n",
        repeat("FROM scratch\nEXPOSE ", "1-65535 ", 100_000),
        repeat("FROM scratch\nRUN ", "--mount=type=cache,target=$A ", 50_000) + "true\n",
        repeat("FROM scratch\n", "USER a\n", 200_000),
        repeat("FROM scratch\nCMD [", "[", 500_000),
        repeat("", "ONBUILD ", 100_000),
        repeat("FROM scratch\nUSER ", "${A:-", 200_000),
        repeat("FROM scratch\nENV A=aaaa\nUSER ${A//", "*a", 500_000) + "/b}\n",
    ];
    for text in files {
        let started = std::time::Instant::now();
        let source = Source::new("Dockerfile", text);
        let report = checks::check(&source, &CheckOptions::default());
        let took = started.elapsed();
        let head: String = source.text().chars().take(60).collect();
        assert!(took.as_secs() < 20, "{took:?} for {head:?}, {} findings", report.findings.len());
        eprintln!(
            "{took:?} {head:?} {:?}",
            report.error.map(|error| error.message.chars().take(80).collect::<String>())
        );
    }
}
