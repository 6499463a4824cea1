//! What the parser makes of whole Dockerfiles, and how it says what is wrong.
use std::fmt::Write as _;

use plimsoll_dockerfile::{
    CommandLine, Dockerfile, Healthcheck, Instruction, MountKind, Network, RunForm, Security, Sharing, Word,
    parse, parse_lenient, parse_trigger,
};
use plimsoll_source::Source;

fn dockerfile(text: &str) -> Dockerfile {
    parse(&Source::new("Dockerfile", text)).expect("the Dockerfile is right")
}

/// Every problem as `LINE:COLUMN TITLE [MARKED TEXT] hint`.
fn problems(text: &str) -> String {
    let source = Source::new("Dockerfile", text);
    let mut shown = String::new();
    for problem in parse(&source).expect_err("the Dockerfile is wrong") {
        let label = &problem.labels[0];
        let at = source.line_col(label.span.start);
        let marked = source.slice(label.span);
        writeln!(
            shown,
            "{}:{} {} [{marked}] {}",
            at.line,
            at.column,
            problem.title,
            problem.hint.unwrap_or_default()
        )
        .expect("writing to a string");
    }
    shown
}

fn texts(words: &[Word]) -> Vec<&str> {
    words.iter().map(Word::as_str).collect()
}

#[test]
fn a_whole_file_with_everything() {
    let text = r#"# syntax=docker/dockerfile:1
# check=skip=all
ARG NODE=20 REGISTRY

# build makes the bundle
FROM --platform=$BUILDPLATFORM ${REGISTRY}node:${NODE} AS Build
WORKDIR /app
COPY --link --chown=10001:10001 --chmod=u=rwX,go= --exclude=*.md --exclude=docs package.json \
  # a comment inside
  pnpm-lock.yaml ./
RUN --mount=type=cache,id=pnpm,target=/pnpm,sharing=locked,uid=1000 --mount=from=deps,src=/x,dst=/y,rw \
    --network=none --security=insecure --device=nvidia.com/gpu=all,required pnpm install
ADD --checksum=sha256:aa --keep-git-dir --unpack=false https://example.com/a.tgz /a
FROM scratch
COPY --from=build --parents /app/./dist ["not json" /
ENV A=1 B="two words" C=a\ b
HEALTHCHECK --interval=30s --timeout=1.5s --start-period=1m --start-interval=250ms --retries=3 CMD ["node", "h.js"]
EXPOSE 8080/tcp 80
VOLUME ["/data"]
STOPSIGNAL SIGQUIT
USER 10001:10001
SHELL ["/bin/bash", "-c"]
ONBUILD RUN <<EOT
make
EOT
CMD []
"#;
    let file = dockerfile(text);
    let slice = |word: &Word| file.source.slice(word.span);
    assert_eq!(file.directives.syntax.as_ref().map(slice), Some("docker/dockerfile:1"));
    assert_eq!(file.directives.check.as_ref().map(slice), Some("skip=all"));
    assert_eq!(file.meta_args[0].value.definitions.len(), 2);

    let build = &file.stages[0];
    assert_eq!(
        (build.name.as_ref().map(Word::as_str), build.name.as_ref().map(slice)),
        (Some("build"), Some("Build"))
    );
    assert_eq!(build.from.text, "${REGISTRY}node:${NODE}");
    assert_eq!(build.platform.as_ref().map(slice), Some("$BUILDPLATFORM"));
    assert_eq!(build.description(), Some("makes the bundle"));

    let Instruction::Copy(copy) = &build.instructions[1].value else { panic!("COPY") };
    assert_eq!(texts(&copy.transfer.sources), ["package.json", "pnpm-lock.yaml"]);
    assert_eq!(copy.transfer.dest.text, "./");
    assert_eq!(texts(&copy.transfer.excludes), ["*.md", "docs"]);
    assert_eq!(copy.transfer.chmod.as_ref().map(slice), Some("u=rwX,go="));
    assert!(copy.transfer.link && !copy.parents && copy.from.is_none());
    assert_eq!((build.instructions[1].lines.first, build.instructions[1].lines.last), (8, 10));

    let Instruction::Run(run) = &build.instructions[2].value else { panic!("RUN") };
    assert_eq!((run.network, run.security), (Network::None, Security::Insecure));
    assert_eq!((run.devices[0].name.as_str(), run.devices[0].required), ("nvidia.com/gpu=all", true));
    assert_eq!(run.mounts[1].from(), Some("deps"));
    let cache = run.mounts[0].resolve(&|_| None, '\\').expect("a mount");
    assert_eq!((cache.kind, cache.sharing, cache.uid), (MountKind::Cache, Some(Sharing::Locked), Some(1000)));
    assert!(!cache.read_only && cache.id.as_deref() == Some("pnpm"));
    assert_eq!(
        run.form,
        RunForm::Shell(Word::new(
            "pnpm install",
            match &run.form {
                RunForm::Shell(word) => word.span,
                _ => panic!("shell form"),
            }
        ))
    );

    let Instruction::Add(add) = &build.instructions[3].value else { panic!("ADD") };
    assert_eq!((add.keep_git_dir, add.unpack), (Some(true), Some(false)));

    let last = &file.stages[1].instructions;
    let Instruction::Copy(copy) = &last[0].value else { panic!("COPY") };
    assert!(copy.parents && copy.from.as_ref().map(slice) == Some("build"));
    assert_eq!(texts(&copy.transfer.sources), ["/app/./dist", "[\"not", "json\""]);
    let Instruction::Env(pairs) = &last[1].value else { panic!("ENV") };
    assert_eq!(
        pairs.iter().map(|pair| slice(&pair.value)).collect::<Vec<_>>(),
        ["1", "\"two words\"", "a\\ b"]
    );
    let Instruction::Healthcheck(Healthcheck::Check { timeout, start_interval, retries, command, .. }) =
        &last[2].value
    else {
        panic!("HEALTHCHECK")
    };
    assert_eq!(timeout.map(|timeout| timeout.as_millis()), Some(1500));
    assert_eq!(start_interval.map(|interval| interval.as_millis()), Some(250));
    assert_eq!(*retries, Some(3));
    let CommandLine::Exec(words) = command else { panic!("exec form") };
    assert_eq!(words.iter().map(slice).collect::<Vec<_>>(), ["\"node\"", "\"h.js\""]);
    let Instruction::Expose(ports) = &last[3].value else { panic!("EXPOSE") };
    assert_eq!(texts(ports), ["80", "8080/tcp"]);
    let Instruction::Onbuild(onbuild) = &last[8].value else { panic!("ONBUILD") };
    assert_eq!(onbuild.expression, "RUN <<EOT\nmake\nEOT");
    let trigger = parse_trigger(&Source::new("base", onbuild.expression.as_str())).expect("a trigger");
    let Instruction::Run(run) = &trigger.value else { panic!("RUN") };
    assert_eq!(run.form.shell_text().as_deref(), Some("make\n"));
    assert_eq!(last[9].value, Instruction::Cmd(CommandLine::Exec(vec![])));
}

#[test]
fn heredocs_in_all_their_forms() {
    let text = "FROM a\nRUN <<-A\n\t\techo $x\n\tA\nRUN python3 - <<A && cat <<'B' # x\none\nA\ntwo\nB\nRUN <<E\n#!/usr/bin/env node\n1\nE\nCOPY <<-\"a.conf\" src <<b.conf /etc/\n\tx=$y\na.conf\ny=$z\nb.conf\nRUN [\"cat\", \"<<E\"]\nRUN echo $((1<<2))\n";
    let file = dockerfile(text);
    let forms: Vec<&RunForm> = file.stages[0]
        .instructions
        .iter()
        .filter_map(|statement| match &statement.value {
            Instruction::Run(run) => Some(&run.form),
            _ => None,
        })
        .collect();
    assert_eq!(forms[0].shell_text().as_deref(), Some("echo $x\n"));
    assert_eq!(forms[1].shell_text().as_deref(), Some("python3 - <<A && cat <<'B' # x\none\nA\ntwo\nB"));
    let RunForm::ShellWithHeredocs { heredocs, .. } = forms[1] else { panic!("heredocs") };
    assert_eq!(file.source.slice(heredocs[1].content_span), "two\n");
    assert_eq!(file.source.slice(heredocs[1].word.span), "<<'B'");
    assert!(matches!(forms[2], RunForm::Script(script) if script.content == "#!/usr/bin/env node\n1\n"));
    assert_eq!(forms[2].shell_text(), None);
    assert!(matches!(forms[3], RunForm::Exec(words) if texts(words) == ["cat", "<<E"]));
    assert!(matches!(forms[4], RunForm::Shell(_)));
    let Instruction::Copy(copy) = &file.stages[0].instructions[3].value else { panic!("COPY") };
    let files: Vec<_> = copy
        .transfer
        .files
        .iter()
        .map(|file| (file.name.as_str(), file.content.as_str(), file.expand))
        .collect();
    assert_eq!(files, [("a.conf", "x=$y\n", false), ("b.conf", "y=$z\n", true)]);
    assert_eq!(texts(&copy.transfer.sources), ["src"]);
}

#[test]
fn windows_line_ends_and_a_byte_order_mark() {
    let text =
        "\u{feff}# escape=`\r\nFROM a `\r\n  AS b\r\nRUN echo `\r\n\r\n  c\r\nCOPY <<E /e\r\nx\r\nE\r\n";
    let file = dockerfile(text);
    assert_eq!(file.escape(), '`');
    assert_eq!(file.stages[0].name.as_ref().map(Word::as_str), Some("b"));
    assert_eq!(file.warnings.len(), 1);
    let Instruction::Copy(copy) = &file.stages[0].instructions[1].value else { panic!("COPY") };
    assert_eq!(copy.transfer.files[0].content, "x\n", "unlike BuildKit, heredocs lose them too");
}

#[test]
fn mounts_are_typed_when_they_are_resolved() {
    let mount = |value: &str| {
        let file = dockerfile(&format!("FROM a\nRUN --mount={value} true\n"));
        let Instruction::Run(run) = &file.stages[0].instructions[0].value else { panic!("RUN") };
        let env = |name: &str| (name == "D").then(|| "/cache".to_owned());
        match run.mounts[0].resolve(&env, '\\') {
            Ok(mount) => format!("{:?} {:?} ro={}", mount.kind, mount.target, mount.read_only),
            Err(error) => format!("{error} [{}]", file.source.slice(error.span)),
        }
    };
    let shown: Vec<String> = [
        "type=cache,target=$D",
        "source=a,target=/b",
        "type=bind,target=/b,rw=true",
        "type=secret,id=x,env=TOKEN",
        "type=ssh,required",
        "type=tmpfs,target=/t,size=64m",
        "type=volume,target=/t",
        "type=cache,target=/t,sharing=lock",
        "target=/t,mode=0700",
        "type=secret",
        "type=secret,id=a,source=b",
        "type=secret,id=a,from=b",
        "type=tmpfs,target=/t,sharing=shared",
        "type=cache,target=/t,size=1g",
        "target=/t,required",
        "target=/t,ro=maybe",
        "target=/t,tagret=/x",
        "target",
        "type=cache,target=/t,uid=-1",
        "type=cache,target=/t,mode=9",
        "type=cache,env=A,target=/t",
    ]
    .into_iter()
    .map(mount)
    .collect();
    insta::assert_snapshot!("mounts", shown.join("\n"));
}

#[test]
fn several_problems_are_found_at_once() {
    insta::assert_snapshot!(
        "several",
        problems(
            "FROM a AS 1x\nRNU true\nCOPY a\nCOPY --form=b a /\nENV KEY\nENV a=b c\nWORKDIR\nRUN [\"a\", 1]\nRUN ok\nADD <<E\nrest\n"
        )
    );
}

#[test]
fn every_instruction_says_what_it_needs() {
    let text = "RUN early\nFROM\nFROM a b\nFROM a\nFROM --platfrom=x a\nARG\nARG =x\nENV\nENV =x\nLABEL\nEXPOSE\nUSER\nVOLUME\n\
        VOLUME [\"\"]\nSTOPSIGNAL\nMAINTAINER\nSHELL\nSHELL bash\nONBUILD\nONBUILD FROM a\nHEALTHCHECK\nHEALTHCHECK NONE x\n\
        HEALTHCHECK CMD\nHEALTHCHECK TCP 80\nHEALTHCHECK --interval=5 CMD a\nHEALTHCHECK --interval=1us CMD a\n\
        HEALTHCHECK --retries=-1 CMD a\nHEALTHCHECK --retries=x CMD a\nCOPY --link=maybe a b\nCOPY --from a b\nCOPY --link= a b\n\
        COPY --from=a --from=b a b\nCOPY a <<E\nx\nE\nRUN --network=bridge a\nRUN --security=x a\nRUN --mount=from=$A,target=/x a\n\
        RUN --mount='a\"b' a\nRUN --device=a,b=c x\nCMD --x a\n";
    insta::assert_snapshot!("needs", problems(text));
}

#[test]
fn directives_can_be_wrong() {
    let texts = [
        "# escape=x\n# escape=`\nFROM a\n",
        "# syntax=a\n# Syntax=b\nFROM a\n",
        "# only a comment\n",
        "ARG A\n",
        "",
    ];
    insta::assert_snapshot!("directives", texts.map(problems).concat());
    let source = Source::new("Dockerfile", "x".repeat(plimsoll_dockerfile::syntax::MAX_TEXT + 1));
    assert!(parse(&source).expect_err("too long")[0].title.contains("more than 2097152 are not read"));
}

#[test]
fn what_is_right_is_kept_beside_what_is_wrong() {
    let parsed = parse_lenient(&Source::new("Dockerfile", "FROM a\nCOPY x\nUSER b\nFROM c AS d\nNOPE\n"));
    assert_eq!(parsed.faults.len(), 2);
    assert_eq!(parsed.dockerfile.stages.len(), 2);
    assert_eq!(parsed.dockerfile.stages[0].instructions.len(), 1);
}
