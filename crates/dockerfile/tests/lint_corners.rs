//! Corners of the build checks: Dockerfile, then `LINE RULE: DETAIL` of every finding, in the order of lines.
use plimsoll_dockerfile::{
    BuildInputs, Matcher, Platform,
    checks::{self, BaseImage, CheckOptions, Report},
};
use plimsoll_source::Source;

#[derive(Default)]
struct Given<'a> {
    ignore: &'a str,
    args: &'a [(&'a str, &'a str)],
    needed_only: bool,
}

fn check(text: &str, given: &Given<'_>) -> Report {
    let mut inputs = BuildInputs::default();
    inputs
        .build_args
        .extend(given.args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let config = inputs.build_args.get("BUILDKIT_DOCKERFILE_CHECK").cloned();
    let ignore = Matcher::parse(given.ignore).expect("patterns");
    let images = |_: &str| {
        let env = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
        Some(BaseImage { env, platform: Some(Platform::host()), ..BaseImage::default() })
    };
    let options = CheckOptions {
        inputs,
        all_stages: !given.needed_only,
        config: config.as_deref(),
        dockerignore: (!given.ignore.is_empty()).then_some(&ignore),
        images: &images,
        replaced: &|_| false,
    };
    checks::check(&Source::new("Dockerfile", text), &options)
}

fn lines(report: &Report) -> Vec<String> {
    let mut found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.line, format!("{} {}: {}", finding.line, finding.rule.name, finding.detail)))
        .collect();
    found.sort();
    found.into_iter().map(|(_, line)| line).collect()
}

#[track_caller]
fn finds_with(text: &str, given: &Given<'_>, expected: &[&str]) {
    let report = check(text, given);
    assert!(report.error.is_none(), "{text}\n{:?}", report.error);
    assert_eq!(lines(&report), expected, "{text}");
}

#[track_caller]
fn finds(text: &str, expected: &[&str]) {
    finds_with(text, &Given::default(), expected);
}

#[track_caller]
fn stops(text: &str, given: &Given<'_>, expected: &[&str], message: &str) {
    let report = check(text, given);
    assert_eq!(lines(&report), expected, "{text}");
    assert_eq!(report.error.map(|error| error.message).as_deref(), Some(message), "{text}");
}

const AS: &str = "2 FromAsCasing: 'as' and 'FROM' keywords' casing do not match";

#[test]
fn options() {
    finds("#check=skip=all;error=true\nFROM scratch as base\ncopy Dockerfile .\n", &[]);
    finds(
        "#check=skip=ConsistentInstructionCasing,FromAsCasing;error=true\nFROM scratch as base\ncopy Dockerfile .\n",
        &[],
    );
    let given = Given {
        args: &[("BUILDKIT_DOCKERFILE_CHECK", "skip=ConsistentInstructionCasing;error=true")],
        ..Given::default()
    };
    let text = "#check=skip=all\nFROM scratch as base\ncopy Dockerfile .\n";
    stops(text, &given, &[AS], "lint violation found for rules: FromAsCasing");
    // behind a space nothing of the directive counts
    finds("# check = skip=FromAsCasing;error=true and more\nFROM scratch as base\n", &[]);
    let message = "failed to parse check options: invalid check option \"skip\"";
    stops("# check = skip = FromAsCasing\nFROM scratch as base\n", &Given::default(), &[], message);
    finds("# check=error=false\nFROM scratch as base\n", &[AS]);
}

#[test]
fn casing() {
    finds(
        "\nfrom scratch AS base\n\nfrom scratch as base2\n",
        &["2 FromAsCasing: 'AS' and 'from' keywords' casing do not match"],
    );
    finds(
        "\nFrom scratch as base\nFROM scratch AS base2\n",
        &[
            "2 ConsistentInstructionCasing: Command 'From' should match the case of the command majority (uppercase)",
        ],
    );
    finds(
        "\nfrom scratch\nCOPY Dockerfile /foo\nCOPY Dockerfile /bar\nCOPY Dockerfile /baz\n",
        &[
            "2 ConsistentInstructionCasing: Command 'from' should match the case of the command majority (uppercase)",
        ],
    );
    finds(
        "\nFROM scratch\ncopy Dockerfile /foo\ncopy Dockerfile /bar\ncopy Dockerfile /baz\n",
        &[
            "2 ConsistentInstructionCasing: Command 'FROM' should match the case of the command majority (lowercase)",
        ],
    );
    finds("\nfrom scratch\ncopy Dockerfile /foo\ncopy Dockerfile /bar\n", &[]);
    finds("\nFROM scratch\nCOPY Dockerfile /foo\nCOPY Dockerfile /bar\n", &[]);
    finds("\nFROM alpine\nRUN <<'EOT'\nenv\nEOT\n", &[]);
}

#[test]
fn continuations() {
    finds(
        "\nFROM scratch\n# warning: empty continuation line\nCOPY Dockerfile \\\n\n.\nCOPY Dockerfile \\\n.\n",
        &["6 NoEmptyContinuation: Empty continuation line"],
    );
    finds("FROM scratch\nCOPY a \\\n# a comment\n .\n", &[]);
}

#[test]
fn stage_names() {
    finds(
        "\nFROM scratch AS b\nFROM scratch AS b\n",
        &["3 DuplicateStageName: Duplicate stage name \"b\", stage names should be unique"],
    );
    finds("\nFROM scratch AS b1\nFROM scratch AS b2\n", &[]);
    finds(
        "FROM scratch AS b\nFROM scratch AS B\n",
        &[
            "2 DuplicateStageName: Duplicate stage name \"b\", stage names should be unique",
            "2 StageNameCasing: Stage name 'B' should be lowercase",
        ],
    );
    finds(
        "\nFROM scratch AS scratch\nFROM scratch AS context\n",
        &[
            "2 ReservedStageName: Stage name should not use the same name as reserved stage \"scratch\"",
            "3 ReservedStageName: Stage name should not use the same name as reserved stage \"context\"",
        ],
    );
    finds("\nFROM scratch\nFROM scratch AS a\n", &[]);
}

#[test]
fn commands_as_text() {
    finds(
        "\nFROM scratch\nENTRYPOINT mycommand\n",
        &[
            "3 JSONArgsRecommended: JSON arguments recommended for ENTRYPOINT to prevent unintended behavior related to OS signals",
        ],
    );
    finds("\nFROM scratch\nSHELL [\"/usr/bin/customshell\"]\nENTRYPOINT mycommand\n", &[]);
    finds(
        "\nFROM scratch AS base\nSHELL [\"/usr/bin/customshell\"]\n\nFROM base\nENTRYPOINT mycommand\n",
        &[],
    );
    finds(
        "\nFROM scratch\nHEALTHCHECK CMD true\nCMD [\"a\", b]\n",
        &[
            "4 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals",
        ],
    );
}

#[test]
fn variables_in_from() {
    finds(
        "\nARG BUILDPLATFORM=linux/amd64\nFROM --platform=$BUILDPLATFORM scratch\nCOPY Dockerfile .\n",
        &[],
    );
    finds("\nFROM --platform=$BUILDPLATFORM scratch\nCOPY Dockerfile .\n", &[]);
    finds("\nARG DEBUG\nFROM scratch${DEBUG}\nCOPY Dockerfile .\n", &[]);
    finds("\nARG DEBUG=\"\"\nFROM scratch${DEBUG-@bogus}\nCOPY Dockerfile .\n", &[]);
    stops(
        "\nFROM --platform=$BULIDPLATFORM scratch\nCOPY Dockerfile .\n",
        &Given::default(),
        &[
            "2 UndefinedArgInFrom: FROM argument 'BULIDPLATFORM' is not declared (did you mean BUILDPLATFORM?)",
        ],
        "empty platform value from expression $BULIDPLATFORM (did you mean BUILDPLATFORM?)",
    );
    stops(
        "\nARG MY_OS=linux\nARG MY_ARCH=amd64\nFROM --platform=linux/${MYARCH} busybox\nCOPY Dockerfile .\n\t",
        &Given::default(),
        &["4 UndefinedArgInFrom: FROM argument 'MYARCH' is not declared (did you mean MY_ARCH?)"],
        "failed to parse platform linux/${MYARCH}: \"\" is an invalid component of \"linux/\": platform specifier component \
         must match \"^[A-Za-z0-9_.-]+$\": invalid argument (did you mean MY_ARCH?)",
    );
    finds(
        "\nARG tag=latest\nFROM busybox:${tag}${version} AS b\nCOPY Dockerfile .\n",
        &["3 UndefinedArgInFrom: FROM argument 'version' is not declared"],
    );
    let version = Given { args: &[("VERSION", "latest")], ..Given::default() };
    finds_with(
        "\nARG VERSION\nFROM busybox:$VERSION\n",
        &version,
        &[
            "3 InvalidDefaultArgInFrom: Default value for ARG busybox:$VERSION results in empty or invalid base image name",
        ],
    );
    finds_with(
        "\nARG IMAGE\nFROM $IMAGE\n",
        &Given { args: &[("IMAGE", "busybox:latest")], ..Given::default() },
        &[
            "3 InvalidDefaultArgInFrom: Default value for ARG $IMAGE results in empty or invalid base image name",
        ],
    );
    finds_with(
        "\nARG SFX=\"box:\"\nFROM busy${SFX}\n",
        &Given { args: &[("SFX", "box:latest")], ..Given::default() },
        &[
            "3 InvalidDefaultArgInFrom: Default value for ARG busy${SFX} results in empty or invalid base image name",
        ],
    );
    finds_with("\nARG VERSION=\"latest\"\nFROM busybox:${VERSION}\n", &version, &[]);
    let variant = Given { args: &[("BUSYBOX_VARIANT", "-musl")], ..Given::default() };
    finds_with("\nARG BUSYBOX_VARIANT=\"\"\nFROM busybox:stable${BUSYBOX_VARIANT}\n", &variant, &[]);
    finds_with("\n\tARG BUSYBOX_VARIANT\n\tFROM busybox:stable${BUSYBOX_VARIANT}\n\t", &variant, &[]);
}

#[test]
fn variables_in_stages() {
    finds("\nFROM alpine AS base\nARG foo=Dockerfile\n\nFROM base\nCOPY $foo .\n", &[]);
    finds("\nFROM alpine\nRUN echo $PATH\n", &[]);
    finds(
        "\nFROM alpine\nCOPY $foo .\nARG foo=bar\nRUN echo $foo\n",
        &["3 UndefinedVar: Usage of undefined variable '$foo'"],
    );
    finds(
        "\nFROM alpine\nARG DIR_BINARIES=binaries/\nARG DIR_ASSETS=assets/\nARG DIR_CONFIG=config/\nCOPY $DIR_ASSET .\n\t",
        &["6 UndefinedVar: Usage of undefined variable '$DIR_ASSET' (did you mean $DIR_ASSETS?)"],
    );
    finds(
        "\nFROM alpine\nENV PATH=$PAHT:/tmp/bin\n\t\t",
        &["3 UndefinedVar: Usage of undefined variable '$PAHT' (did you mean $PATH?)"],
    );
    finds(
        "FROM alpine\nLABEL a=${nothing:-x}\n",
        &["2 UndefinedVar: Usage of undefined variable '$nothing'"],
    );
    finds("FROM alpine\nENV a='$nothing' b=\\$nothing\n", &[]);
}

#[test]
fn workdirs() {
    finds(
        "\nFROM scratch\nWORKDIR app/\n",
        &[
            "3 WorkdirRelativePath: Relative workdir \"app/\" can have unexpected results if the base image changes",
        ],
    );
    finds("\nFROM scratch AS a\nWORKDIR /app\n\nFROM a AS b\nWORKDIR subdir/\n", &[]);
    finds("FROM scratch\nENV D=/app\nWORKDIR $D\nWORKDIR x\n", &[]);
    finds(
        "FROM scratch\nWORKDIR a\nWORKDIR b\n",
        &[
            "2 WorkdirRelativePath: Relative workdir \"a\" can have unexpected results if the base image changes",
        ],
    );
}

#[test]
fn only_the_last_counts() {
    let multiple = |line: usize, name: &str| {
        format!(
            "{line} MultipleInstructionsDisallowed: Multiple {name} instructions should not be used in the same stage \
             because only the last one will be used"
        )
    };
    let expected = [multiple(3, "ENTRYPOINT"), multiple(5, "CMD"), multiple(7, "HEALTHCHECK")];
    finds(
        "\nFROM scratch\nENTRYPOINT [\"/myapp\"]\nENTRYPOINT [\"/myotherapp\"]\nCMD [\"/myapp\"]\nCMD [\"/myotherapp\"]\n\
         HEALTHCHECK CMD [\"/myapp\"]\nHEALTHCHECK CMD [\"/myotherapp\"]\n",
        &expected.each_ref().map(String::as_str),
    );
    let expected = [multiple(3, "ENTRYPOINT"), multiple(4, "CMD"), multiple(5, "HEALTHCHECK")];
    finds(
        "\nFROM scratch\nENTRYPOINT [\"/myapp\"]\nCMD [\"/myapp\"]\nHEALTHCHECK CMD [\"/myapp\"]\nCOPY <<EOF /a.txt\n\
         Hello, World!\nEOF\nENTRYPOINT [\"/myotherapp\"]\nCMD [\"/myotherapp\"]\nHEALTHCHECK CMD [\"/myotherapp\"]\n",
        &expected.each_ref().map(String::as_str),
    );
    finds(
        "\nFROM scratch AS a\nENTRYPOINT [\"/myapp\"]\nCMD [\"/myapp\"]\nHEALTHCHECK CMD [\"/myapp\"]\n\nFROM a AS b\n\
         ENTRYPOINT [\"/myotherapp\"]\nCMD [\"/myotherapp\"]\nHEALTHCHECK CMD [\"/myotherapp\"]\n",
        &[],
    );
}

#[test]
fn legacy_pairs() {
    let legacy = |line: usize, name: &str| {
        format!(
            "{line} LegacyKeyValueFormat: \"{name} key=value\" should be used instead of legacy \"{name} key value\" format"
        )
    };
    let expected = [legacy(3, "ENV"), legacy(4, "LABEL")];
    finds("\nFROM scratch\nENV testkey value\nLABEL key value\n", &expected.each_ref().map(String::as_str));
    finds("\nFROM scratch\nENV testkey=value\nLABEL key=value\n", &[]);
    let text = "\nFROM scratch AS a\n\nFROM a AS b\nENV testkey value\nLABEL key value\n\nFROM a AS c\n";
    let expected = [legacy(5, "ENV"), legacy(6, "LABEL")];
    finds(text, &expected.each_ref().map(String::as_str));
    finds_with(text, &Given { needed_only: true, ..Given::default() }, &[]);
}

#[test]
fn secrets() {
    let secret = |line: usize, what: &str| {
        format!(
            "{line} SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data ({what})"
        )
    };
    let expected = [
        secret(3, "ARG \"SECRET_PASSPHRASE\""),
        secret(4, "ENV \"SUPER_Secret\""),
        secret(5, "ENV \"password\""),
        secret(5, "ENV \"secret\""),
        secret(6, "ARG \"auth\""),
        secret(6, "ARG \"super_duper_secret_token\""),
        secret(7, "ENV \"apikey\""),
        secret(8, "ENV \"git_key\""),
    ];
    finds(
        "\nFROM scratch\nARG SECRET_PASSPHRASE\nENV SUPER_Secret=foo\nENV password=bar secret=baz\n\
         ARG super_duper_secret_token=foo auth=bar\nENV apikey=bar sunflower=foo\nENV git_key=\nENV PUBLIC_KEY=\nARG public_token\n",
        &expected.each_ref().map(String::as_str),
    );
}

#[test]
fn platforms() {
    finds(
        "\nFROM --platform=linux/amd64 scratch\n",
        &[
            "2 FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value \"linux/amd64\"",
        ],
    );
    finds("\nFROM --platform=linux/amd64 scratch AS my_amd64_stage\n", &[]);
    finds("\nFROM --platform=linux/amd64 scratch AS linux\n", &[]);
    finds(
        "\nFROM --platform=${TARGETPLATFORM} scratch\n",
        &[
            "2 RedundantTargetPlatform: Setting platform to predefined ${TARGETPLATFORM} in FROM is redundant as this is the default behavior",
        ],
    );
}

#[test]
fn ignored_files() {
    let given = Given { ignore: "\nDockerfile\n", ..Given::default() };
    let both = [
        "3 CopyIgnoredFile: Attempting to Copy file \"Dockerfile\" that is excluded by .dockerignore",
        "4 CopyIgnoredFile: Attempting to Add file \"Dockerfile\" that is excluded by .dockerignore",
    ];
    finds_with("\nFROM scratch\nCOPY Dockerfile .\nADD Dockerfile /windy\n", &given, &both);
    finds_with(
        "# check=experimental=CopyIgnoredFile\nFROM scratch\nCOPY Dockerfile .\nADD Dockerfile /windy\n",
        &given,
        &both,
    );
    finds_with(
        "\nFROM scratch\nADD https://example.com/Dockerfile /\nCOPY <<Dockerfile /\nx\nDockerfile\n",
        &given,
        &[],
    );
    finds_with("\nFROM scratch\nCOPY . .\n", &given, &[]);
}

#[test]
fn ports() {
    finds(
        "\nFROM scratch\nEXPOSE 80/TcP 8080/TCP 8080/udp\n",
        &[
            "3 ExposeProtoCasing: Defined protocol '80/TcP' in EXPOSE instruction should be lowercase",
            "3 ExposeProtoCasing: Defined protocol '8080/TCP' in EXPOSE instruction should be lowercase",
        ],
    );
}

#[test]
fn descriptions() {
    finds(
        "# check=experimental=InvalidDefinitionDescription\n# foo this is the foo\nARG foo=bar\n\n# base this is the base image\n\
         FROM scratch AS base\n\n# version this is the version number\nARG version=latest\n\n# baz this is the baz\n\
         ARG foo=baz bar=qux baz=quux\n#\nARG bit=bat\n\n# comment for something other than ARG or FROM\nCOPY Dockerfile .\n",
        &[],
    );
    let wrong = |line: usize, kind: &str, name: &str| {
        format!(
            "{line} InvalidDefinitionDescription: Comment for {kind} should follow the format: `# {name} <description>`"
        )
    };
    let expected = [
        wrong(3, "ARG", "foo"),
        wrong(5, "FROM", "base"),
        wrong(7, "ARG", "version"),
        wrong(9, "ARG", "<arg_key>"),
    ];
    finds(
        "# check=experimental=InvalidDefinitionDescription\n# bar this is the bar\nARG foo=bar\n# BasE this is the BasE image\n\
         FROM scratch AS base\n# definitely a bad comment\nARG version=latest\n# definitely a bad comment\n\
         ARG foo=baz bar=qux baz=quux\n",
        &expected.each_ref().map(String::as_str),
    );
}

#[test]
fn labels_instead_of_a_maintainer() {
    finds("\nFROM scratch\nLABEL org.opencontainers.image.authors=\"me@example.org\"\n", &[]);
    stops(
        "\nFROM scratch AS BadStageName\nMAINTAINER me@example.org\nBADCMD\n",
        &Given::default(),
        &[
            "2 StageNameCasing: Stage name 'BadStageName' should be lowercase",
            "3 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label",
        ],
        "dockerfile parse error on line 4: unknown instruction: BADCMD",
    );
}
