//! How heredocs are opened, and what is in them: what BuildKit's parser takes since 0.22, and Windows line ends.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]

use plimsoll_dockerfile::{Dockerfile, Instruction, RunForm, parse, parse_trigger};
use plimsoll_source::Source;

fn file(text: &str) -> Dockerfile {
    parse(&Source::new("Dockerfile", text)).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// What a RUN hands to its shell, or the name and text of each file of a COPY or ADD.
fn shown(instruction: &Instruction) -> String {
    let files = |files: &[plimsoll_dockerfile::InlineFile]| {
        files.iter().map(|file| format!("{}={:?};", file.name, file.content)).collect::<Vec<_>>().concat()
    };
    match instruction {
        Instruction::Run(run) => match &run.form {
            RunForm::Script(heredoc) => format!("script {:?}", heredoc.content),
            form => format!("shell {:?}", form.shell_text().unwrap()),
        },
        Instruction::Copy(copy) => format!("{} -> {}", files(&copy.transfer.files), copy.transfer.dest.text),
        Instruction::Add(add) => format!("{} -> {}", files(&add.transfer.files), add.transfer.dest.text),
        Instruction::Onbuild(onbuild) => {
            let source = Source::new("trigger", onbuild.expression.as_str());
            format!("onbuild {}", shown(&parse_trigger(&source).unwrap().value))
        }
        other => format!("{other:?}"),
    }
}

fn first(text: &str) -> String {
    let file = file(&format!("FROM a\n{text}USER last\n"));
    assert_eq!(file.stages[0].instructions.len(), 2, "{text}");
    shown(&file.stages[0].instructions[0].value)
}

#[test]
fn heredoc_with_a_space() {
    for (text, expected) in [
        ("RUN cat > /f << EOF\nlisten = 8080\nEOF\n", r#"shell "cat > /f << EOF\nlisten = 8080\nEOF""#),
        ("RUN cat << \"EOF\" > /f\n$HOME\nEOF\n", r#"shell "cat << \"EOF\" > /f\n$HOME\nEOF""#),
        ("RUN <<\t EOF\necho 1\nEOF\n", r#"script "echo 1\n""#),
        ("RUN <<- EOF\n\techo 1\n\tEOF\n", r#"script "echo 1\n""#),
        ("RUN << -EOF\necho 1\n-EOF\n", r#"script "echo 1\n""#),
        (
            "RUN a 3<< ONE b <<- 'TWO'\n1\nONE\n\t2\nTWO\n",
            r#"shell "a 3<< ONE b <<- 'TWO'\n1\nONE\n\t2\nTWO""#,
        ),
        ("COPY <<  conf /etc/x\nname = x\nconf\n", r#"conf="name = x\n"; -> /etc/x"#),
        ("COPY << a <<- b <<c /etc/\n1\na\n\t2\nb\n3\nc\n", r#"a="1\n";b="2\n";c="3\n"; -> /etc/"#),
        ("ADD << \"x\" /etc/\n$A\nx\n", r#"x="$A\n"; -> /etc/"#),
        ("ONBUILD RUN <<- EOF\n\techo 1\n\tEOF\n", r#"onbuild script "echo 1\n""#),
        ("ONBUILD COPY << f /d/\nx\nf\n", r#"onbuild f="x\n"; -> /d/"#),
        // no heredocs
        ("RUN cat <<< EOF\n", r#"shell "cat <<< EOF""#),
        ("RUN echo '<< EOF'\n", r#"shell "echo '<< EOF'""#),
        ("RUN echo $((1<<2))\n", r#"shell "echo $((1<<2))""#),
        ("RUN cat <<\n", r#"shell "cat <<""#),
    ] {
        assert_eq!(first(text), expected, "{text}");
    }
    // as in BuildKit, whose words end at blanks
    let problems = parse(&Source::new("Dockerfile", "FROM a\nRUN echo $((1 << 2))\n")).unwrap_err();
    assert_eq!(problems[0].title, "unterminated heredoc");
}

#[test]
fn crlf_heredoc() {
    let windows = |text: &str| text.replace('\n', "\r\n");
    let both = "FROM a\nRUN <<EOF\nset -e\nif true; then\n  echo fine\nfi\nEOF\n\
        COPY <<-EOF /entry.sh\n\t#!/bin/sh\n\techo started\n\tEOF\nRUN cat <<A <<B\n1\nA\n2\nB\n";
    let plain = file(both);
    assert_eq!(plain.windows_heredoc, None);
    let read = file(&windows(both));
    assert!(read.windows_heredoc.is_some());
    let all = |file: &Dockerfile| -> Vec<String> {
        file.stages[0].instructions.iter().map(|statement| shown(&statement.value)).collect()
    };
    assert_eq!(all(&read), all(&plain));
    // the last line need not end
    let read = file(windows(both).trim_end());
    assert_eq!(all(&read), all(&plain));
    // mixed: what a heredoc of a file with plain line ends holds is meant
    for kept in ["FROM a\nRUN <<EOF\r\nx\r\nEOF\nUSER b\n", "FROM a\nRUN <<EOF\nx\r\nEOF\r\nUSER b\n"] {
        let read = file(kept);
        assert_eq!(all(&read)[0], r#"script "x\r\n""#);
        assert_eq!(read.windows_heredoc, None);
    }
    // a lone carriage return is a character
    assert_eq!(all(&file("FROM a\r\nRUN <<EOF\r\na\rb\r\nEOF\r\n"))[0], r#"script "a\rb\n""#);
}
