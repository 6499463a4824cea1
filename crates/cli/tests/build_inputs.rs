//! What comes into a build from its command line and environment, and what goes out: secrets of pipes, times,
//! frontends, platforms, outputs.

#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]
#![allow(dead_code, reason = "the kitchen serves several test programs")]

#[path = "support/builder.rs"]
mod support;

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    process::{Command, Output},
};

use support::{Kitchen, binary, built, log, shell};

/// A build that must be refused with these words.
fn refused(mut command: Command, says: &[&str]) -> Output {
    let output = command.output().unwrap();
    let said = log(&output);
    assert_eq!(output.status.code(), Some(2), "{command:?}: {said}");
    for text in says {
        assert!(said.contains(text), "no `{text}` in {said}");
    }
    output
}

#[test]
fn secret_from_a_pipe_is_empty_the_second_time() {
    let Some(kitchen) = Kitchen::new() else { return };
    shell(&kitchen.path("c/root"), &["/usr/bin/wc"]);
    kitchen.write(
        "c/Dockerfile",
        "FROM scratch\nCOPY root /\n\
         RUN --mount=type=secret,id=token echo \"first: $(wc -c < /run/secrets/token) bytes\"\n\
         RUN --mount=type=secret,id=token echo \"second: $(wc -c < /run/secrets/token) bytes\"\n\
         RUN --mount=type=secret,id=token,env=TOKEN echo \"third: ${#TOKEN} characters\"\n",
    );
    let script = format!(
        "exec {} image build --progress=plain --no-cache --secret id=token,src=<(echo sesame) .",
        binary().display()
    );
    let mut command = Command::new("bash");
    command.args(["-c", &script]).current_dir(kitchen.path("c")).env("PLIMSOLL_HOME", kitchen.path("home"));
    let log = built(&mut command).log;
    for line in ["first: 7 bytes", "second: 7 bytes", "third: 7 characters"] {
        assert!(log.contains(line), "{line}: {log}");
    }
    assert!(!log.contains("sesame"), "{log}");
}

#[test]
fn source_date_epoch_three_ways() {
    let Some(kitchen) = Kitchen::new() else { return };
    let homes = std::cell::Cell::new(0);
    let created = |context: &str, epoch: Option<&str>, arguments: &[&str]| {
        // a layer keeps the time of the build that made it, so each build has a cache of its own
        homes.set(homes.get() + 1);
        let mut command = kitchen.command(&format!("home-{}", homes.get()), context, arguments);
        command.args(["-o", "out"]).env_remove("SOURCE_DATE_EPOCH");
        if let Some(epoch) = epoch {
            command.env("SOURCE_DATE_EPOCH", epoch);
        }
        let _ = fs::remove_dir_all(kitchen.path(context).join("out"));
        built(&mut command);
        let meta = fs::metadata(kitchen.path(context).join("out/file")).unwrap();
        let told = fs::read_to_string(kitchen.path(context).join("out/told")).unwrap_or_default();
        (meta.mtime(), told)
    };
    // the environment's value is the build argument, which stages see
    kitchen.write("c/file", "x");
    kitchen.write(
        "c/Dockerfile",
        "FROM scratch\nARG SOURCE_DATE_EPOCH\nCOPY file /\nCOPY <<EOF /told\n$SOURCE_DATE_EPOCH\nEOF\n",
    );
    assert_eq!(created("c", Some("1234567890"), &[]), (1_234_567_890, "1234567890\n".to_owned()));
    let by_argument = ["--build-arg", "SOURCE_DATE_EPOCH=1000"];
    assert_eq!(created("c", Some("1234567890"), &by_argument), (1000, "1000\n".to_owned()));
    let taken = ["--build-arg", "SOURCE_DATE_EPOCH"];
    assert_eq!(created("c", Some("1234567890"), &taken), (1_234_567_890, "1234567890\n".to_owned()));

    // the default of a global ARG counts, and an empty value is none
    kitchen.write("g/file", "x");
    kitchen.write("g/Dockerfile", "ARG SOURCE_DATE_EPOCH=1000000000\nFROM scratch\nCOPY file /\n");
    assert_eq!(created("g", None, &[]).0, 1_000_000_000);
    assert_eq!(created("g", Some(""), &[]).0, 1_000_000_000);
    assert_eq!(created("g", Some("5"), &[]).0, 5);
    let mut nonsense = kitchen.command("home", "g", &[]);
    nonsense.env("SOURCE_DATE_EPOCH", "1.5");
    refused(nonsense, &["invalid SOURCE_DATE_EPOCH: 1.5", "seconds since 1970"]);
}

#[test]
fn foreign_syntax_is_ignored() {
    let Some(kitchen) = Kitchen::new() else { return };
    kitchen.write("c/hello.txt", "hello");
    kitchen.write("c/Dockerfile", "# syntax=example.org/team/frontend:v3\nFROM scratch\nCOPY hello.txt /\n");
    kitchen.write("c/include", "# syntax=devthefuture/dockerfile-x\nFROM scratch\nINCLUDE ./other\n");
    let says = ["asks for the frontend `example.org/team/frontend:v3`", "Dockerfile:1:"];
    refused(kitchen.command("home", "c", &[]), &says);
    refused(kitchen.command("home", "c", &["--check"]), &says[..1]);
    refused(kitchen.command("home", "c", &["--call=outline"]), &says[..1]);
    refused(
        kitchen.command("home", "c", &["-f", "include"]),
        &["asks for the frontend `devthefuture/dockerfile-x`"],
    );
    kitchen.build("home", "c", &["--build-arg", "BUILDKIT_SYNTAX=docker/dockerfile:1"]);
    kitchen.write("c/Dockerfile", "# syntax=mirror.example/docker/dockerfile:1.99\nFROM scratch\n");
    let told = kitchen.build("home", "c", &[]).log;
    assert!(told.contains("is taken for a mirror") && told.contains("1.99 is newer"), "{told}");
}

#[test]
fn other_systems_platforms_are_refused() {
    let Some(kitchen) = Kitchen::new() else { return };
    shell(&kitchen.path("c/root"), &[]);
    kitchen.write(
        "c/Dockerfile",
        "FROM --platform=$BUILDPLATFORM scratch AS build\nCOPY root /\nARG TARGETOS TARGETARCH\n\
         RUN echo \"for $TARGETOS $TARGETARCH\" > /program\nFROM scratch\nCOPY --from=build /program /\n",
    );
    let platforms = "linux/arm64,darwin/arm64,windows/amd64,freebsd/amd64";
    kitchen.build("home", "c", &["--platform", platforms, "-o", "out"]);
    for (folder, text) in [
        ("linux_arm64", "for linux arm64\n"),
        ("darwin_arm64", "for darwin arm64\n"),
        ("windows_amd64", "for windows amd64\n"),
        ("freebsd_amd64", "for freebsd amd64\n"),
    ] {
        let program = kitchen.path("c/out").join(folder).join("program");
        assert_eq!(fs::read_to_string(&program).unwrap(), text, "{folder}");
    }
    // what has to run cannot, and is told where it stands
    kitchen.write("c/runs", "FROM scratch\nCOPY root /\nRUN true\n");
    let mut command = kitchen.command("home", "c", &["-f", "runs", "--platform", "macos/arm64"]);
    let output = command.output().unwrap();
    let said = log(&output);
    assert!(!output.status.success() && said.contains("darwin/arm64") && said.contains("runs:3:"), "{said}");
}

#[test]
fn outputs_that_are_lost() {
    let Some(kitchen) = Kitchen::new() else { return };
    kitchen.write("c/Dockerfile", "FROM scratch\nCOPY a /d/a\n");
    kitchen.write("c/a", "a");
    let refuse = |arguments: &[&str], says: &str| refused(kitchen.command("home", "c", arguments), &[says]);
    refuse(&["-o", "dest=out"], "the type is missing");
    refuse(&["-o", "type=image,dest=x.tar"], "writes no file");
    refuse(&["-o", "type=tar,dest=x.tar", "-o", "type=oci,dest=./x.tar"], "two outputs want to write");
    refuse(&["-o", "type=tar,dest=x.tar", "--iidfile", "x.tar"], "two outputs want to write");
    assert!(!kitchen.path("c/out").exists() && !kitchen.path("c/x.tar").exists());

    // mode=delete removes what is stale, below this folder alone
    for stale in ["c/out/stale", "c/out/d/stale", "c/out/other/deep/stale", "elsewhere/stale", "c/new/stale"]
    {
        kitchen.write(stale, "stale");
    }
    std::os::unix::fs::symlink(kitchen.path("elsewhere"), kitchen.path("c/out/link")).unwrap();
    kitchen.build("home", "c", &["-o", "type=local,dest=out,mode=copy"]);
    assert!(kitchen.path("c/out/d/stale").exists() && kitchen.path("c/out/d/a").exists());
    kitchen.build("home", "c", &["-o", "type=local,dest=out,mode=delete"]);
    let mut left: Vec<_> =
        fs::read_dir(kitchen.path("c/out")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["d"]);
    assert_eq!(fs::read_dir(kitchen.path("c/out/d")).unwrap().count(), 1);
    assert!(kitchen.path("elsewhere/stale").exists(), "no link is followed");
    let elsewhere = format!("type=local,dest={},mode=delete", kitchen.path("elsewhere").display());
    for outside in
        [elsewhere.as_str(), "type=local,dest=.,mode=delete", "type=local,dest=../elsewhere,mode=delete"]
    {
        refuse(&["-o", outside], "--allow buildx.local.delete");
    }
    std::os::unix::fs::symlink(kitchen.path("elsewhere"), kitchen.path("c/way-out")).unwrap();
    refuse(&["-o", "type=local,dest=way-out,mode=delete"], "--allow buildx.local.delete");
    assert!(kitchen.path("elsewhere/stale").exists());
    kitchen.build("home", "c", &["--allow", "buildx.local.delete", "-o", &elsewhere]);
    assert!(!kitchen.path("elsewhere/stale").exists() && kitchen.path("elsewhere/d/a").exists());
}

#[test]
fn rawjson_with_lines_that_are_no_json() {
    let Some(kitchen) = Kitchen::new() else { return };
    shell(&kitchen.path("c/root"), &[]);
    kitchen.write("c/Dockerfile", "FROM scratch AS Base\nFROM base\nCOPY root /\n");
    kitchen.write("c/broken", "FROM scratch\nNONSENSE\n");
    kitchen.write("c/missing", "FROM scratch\nCOPY nothing /\n");
    kitchen.write("c/fails", "FROM scratch\nCOPY root /\nRUN echo out; exit 3\n");
    kitchen.write("c/base", "FROM registry.invalid/x:1\n");
    let stream = |arguments: &[&str]| -> Vec<serde_json::Value> {
        // the last --progress counts
        let output =
            kitchen.command("home", "c", &[&["--progress=rawjson"], arguments].concat()).output().unwrap();
        let told = log(&output);
        told.lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{arguments:?}: {line:?}: {error}"))
            })
            .collect()
    };
    let of = |lines: &[serde_json::Value], key: &str| -> Vec<serde_json::Value> {
        lines.iter().filter_map(|line| line[key].as_array()).flatten().cloned().collect()
    };
    let built = stream(&["--provenance=false", "--rm"]);
    let warnings = of(&built, "warnings");
    assert_eq!(warnings.len(), 1, "{built:?}");
    let decoded = |value: &serde_json::Value| {
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    assert_eq!(
        decoded(&warnings[0]["short"]),
        "StageNameCasing: Stage name 'Base' should be lowercase (line 1)"
    );
    assert_eq!(warnings[0]["range"][0]["start"]["line"], 1);
    assert!(decoded(&warnings[0]["sourceInfo"]["data"]).starts_with("FROM scratch AS Base"));
    let vertexes = of(&built, "vertexes");
    assert!(vertexes.iter().any(|vertex| vertex["digest"] == warnings[0]["vertex"]), "{vertexes:?}");
    let names: Vec<&str> = vertexes.iter().filter_map(|vertex| vertex["name"].as_str()).collect();
    assert!(names.iter().any(|name| name.starts_with("[stage-1 1/1] COPY")), "{names:?}");
    for file in ["broken", "missing", "fails", "base"] {
        let lines = stream(&["-f", file]);
        let errors = of(&lines, "vertexes").into_iter().filter(|vertex| vertex["error"].is_string()).count();
        assert!(errors > 0, "{file}: {lines:?}");
    }
}

#[test]
fn messages_that_name_the_wrong_thing() {
    let Some(kitchen) = Kitchen::new() else { return };
    shell(&kitchen.path("base/root"), &[]);
    kitchen.write("c/rootfs/bin/tool", "x");
    kitchen.write("c/file.txt", "x");
    std::os::unix::fs::symlink("missing/target", kitchen.path("c/dangling")).unwrap();
    let merged = "FROM scratch AS base\nCOPY --from=root root /\nCOPY --from=links . /\n";
    fs::create_dir_all(kitchen.path("links/usr/sbin")).unwrap();
    std::os::unix::fs::symlink("usr/sbin", kitchen.path("links/lnk")).unwrap();
    kitchen.write("c/rootfs2/lnk/tool", "x");
    let (root, links) = (
        format!("root={}", kitchen.path("base").display()),
        format!("links={}", kitchen.path("links").display()),
    );
    let contexts = ["--build-context", &root, "--build-context", &links];
    for (name, text, says) in [
        (
            "1",
            "FROM scratch\nCOPY dangling /x/\n".to_owned(),
            &["\"/missing/target\": not found", "\"/dangling\" is a link"][..],
        ),
        (
            "2",
            format!("{merged}FROM base\nCOPY rootfs2 /\n"),
            &["cannot copy to non-directory: /lnk, which is a link to usr/sbin", "COPY SOURCE/lnk/ /lnk/"],
        ),
        (
            "3",
            "FROM scratch\nCOPY https://example.org/file.txt /\n".to_owned(),
            &["source can't be a URL for COPY", "ADD https://"],
        ),
        (
            "4",
            format!("{merged}FROM base\nRUN --mount=type=secret,id=s,target=/usr cat /usr/s\n"),
            &["cannot mount a file on /usr, which is a directory in the image", "target=DIRECTORY/NAME"],
        ),
        (
            "5",
            format!("{merged}FROM base\nCOPY file.txt /f\nWORKDIR /f\n"),
            &["cannot make the working directory /f: it is a file"],
        ),
        (
            "6",
            "FROM scratch\nADD --checksum=md5:d41d8cd98f00b204e9800998ecf8427e https://example.org/x /\n"
                .to_owned(),
            &["`md5:d41d8cd98f00b204e9800998ecf8427e` is no checksum", "sha256:HEX"],
        ),
    ] {
        kitchen.write(&format!("c/{name}.Dockerfile"), &text);
        let file = format!("{name}.Dockerfile");
        let secret = format!("id=s,src={}", kitchen.path("c/file.txt").display());
        let arguments = [&contexts[..], &["-f", &file, "--secret", &secret]].concat();
        let output = kitchen.command("home", "c", &arguments).output().unwrap();
        let said = log(&output);
        assert!(!output.status.success(), "{name}: {said}");
        for text in says {
            assert!(said.contains(text), "{name}: no `{text}` in {said}");
        }
    }
}
