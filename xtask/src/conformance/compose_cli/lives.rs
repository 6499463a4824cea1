//! Programs: run, exec, attach, wait, logs, an `up` that stays in front; and cp, export, commit.

use super::{
    Expect::{Code, Err, Has, Lacks, Out, Sh, State},
    Row, Scenario,
};

const PROGRAMS: &str = "name: @P
services:
  a: { image: @I, init: true, command: [sh, -c, 'echo one; exec sleep 1000'], environment: { OWN: yes } }
  job: { image: @I, command: [sh, -c, 'echo done; exit 3'], profiles: [jobs] }
  once: { image: @I, command: [echo, one], profiles: [ends] }
  twice: { image: @I, command: [echo, two], profiles: [ends] }
  tool: { image: @I, profiles: [tools], env_file: tool.env, command: [sh, -c, 'echo $$TOOL'] }
";

/// Scenarios about programs in containers.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "programs",
        file: PROGRAMS,
        files: &[
            ("tool.env", "TOOL=hammer\n"),
            (".env", "TOKEN=from-dotenv\n"),
            ("ci.env", "TOKEN=from-ci\n"),
        ],
        rows: &[
            Row { line: "plimsoll run --rm a echo hello", expect: &[Out("hello"), State("")] },
            Row { line: "plimsoll run --rm -T a sh -c 'exit 7'", expect: &[Code(7)] },
            Row { line: "plimsoll run --rm=true --no-deps=true a true", expect: &[Out("")] },
            Row { line: "echo typed | plimsoll run --rm -T a cat", expect: &[Out("typed")] },
            Row { line: "plimsoll run --rm -it a echo both", expect: &[Code(2), Err("is not a terminal")] },
            Row { line: "plimsoll run --rm a nosuchprogram", expect: &[Code(127)] },
            Row { line: "plimsoll run --rm nobody true", expect: &[Code(2), Err("nobody")] },
            Row { line: "plimsoll run --quiet --rm a echo quiet", expect: &[Out("quiet")] },
            Row { line: "plimsoll run --rm --pull never a echo there", expect: &[Out("there")] },
            Row { line: "plimsoll run --rm --pull sometimes a true", expect: &[Code(2)] },
            Row { line: "plimsoll run --rm tool", expect: &[Out("hammer")] },
            Row { line: "plimsoll run --rm -e TOKEN a sh -c 'echo $TOKEN'", expect: &[Out("from-dotenv")] },
            Row {
                line: "plimsoll --env-file ci.env run --rm -e TOKEN a sh -c 'echo $TOKEN'",
                expect: &[Out("from-ci")],
            },
            Row {
                line: "TOKEN=shell plimsoll run --rm -e TOKEN a sh -c 'echo $TOKEN'",
                expect: &[Out("shell")],
            },
            Row { line: "plimsoll run --rm -e TOKEN=given a sh -c 'echo $TOKEN'", expect: &[Out("given")] },
            Row { line: "plimsoll run --rm -e NOWHERE a sh -c 'echo =$NOWHERE='", expect: &[Out("==")] },
            Row {
                line: "plimsoll run --rm -u 1000 -w /tmp a sh -c 'id -u; pwd'",
                expect: &[Out("1000\n/tmp")],
            },
            Row { line: "plimsoll run --rm --entrypoint 'echo hi' a there", expect: &[Out("hi there")] },
            Row {
                line: "plimsoll run --rm -d --name @P-quick a true >/dev/null; sleep 2; docker ps -aq --filter name=@P-quick",
                expect: &[Out("")],
            },
            Row {
                line: "docker inspect -f '{{.HostConfig.AutoRemove}}' $(plimsoll run --rm -d --name @P-slow a sleep 100); docker rm -f @P-slow >/dev/null",
                expect: &[Out("true")],
            },
            Row { line: "plimsoll run -d --name @P-one a sleep 1000", expect: &[Out("@P-one")] },
            Row { line: "plimsoll exec -T a echo reached", expect: &[Out("reached")] },
            Row { line: "plimsoll exec -T --index 1 a true", expect: &[Code(2)] },
            Row { line: "plimsoll ps -a --format '{{.Name}}'", expect: &[Has("@P-one")] },
            Row {
                line: "plimsoll stop",
                expect: &[Sh("docker inspect -f '{{.State.Status}}' @P-one", "running")],
            },
            Row { line: "docker rm -f @P-one", expect: &[Code(0)] },
            Row { line: "plimsoll up -d", expect: &[State("a-1=running")] },
            Row { line: "plimsoll exec a sh -c 'echo $OWN'", expect: &[Out("yes")] },
            Row { line: "plimsoll exec -it a echo both", expect: &[Out("both")] },
            Row { line: "plimsoll exec -T a sh -c 'exit 9'", expect: &[Code(9)] },
            Row { line: "plimsoll exec -T a nosuchprogram", expect: &[Code(126)] },
            Row { line: "echo typed | plimsoll exec -T a cat", expect: &[Out("typed")] },
            Row { line: "plimsoll exec -T -e TOKEN a sh -c 'echo $TOKEN'", expect: &[Out("from-dotenv")] },
            Row {
                line: "plimsoll exec --tty=false -u 1000 -w /tmp a sh -c 'id -u; pwd'",
                expect: &[Out("1000\n/tmp")],
            },
            Row {
                line: "plimsoll exec -d a touch /tmp/touched",
                expect: &[Sh("sleep 1; docker exec @P-a-1 ls /tmp", "touched")],
            },
            Row {
                line: "plimsoll exec -T a echo --rm=true --tty=false",
                expect: &[Out("--rm=true --tty=false")],
            },
            Row {
                line: "timeout --preserve-status -s INT 3 plimsoll attach --no-stdin --no-sig-proxy a",
                expect: &[Code(130), State("a-1=running")],
            },
            Row {
                line: "(sleep 1; docker kill -s TERM @P-a-1 >/dev/null) & plimsoll attach --no-stdin a",
                expect: &[Code(143)],
            },
            Row {
                line: "plimsoll start; (sleep 1; docker stop -t 1 @P-a-1 >/dev/null) & plimsoll wait a",
                expect: &[Code(143), Has("143")],
            },
            Row {
                line: "plimsoll start; (sleep 1; docker stop -t 1 @P-a-1 >/dev/null) & plimsoll wait --down-project a",
                expect: &[Code(143), State("")],
            },
            Row {
                line: "plimsoll --profile jobs up --abort-on-container-exit --no-color job",
                expect: &[Code(3), Has("job-1  | done"), Has("job-1 exited with code 3")],
            },
            Row {
                line: "plimsoll --profile jobs up --exit-code-from job --no-log-prefix job",
                expect: &[Code(3)],
            },
            Row { line: "plimsoll --profile jobs down", expect: &[State("")] },
            Row {
                line: "timeout --preserve-status -s INT 20 plimsoll --profile ends up --attach once --attach twice once twice",
                expect: &[
                    Code(0),
                    Has("once-1   | one"),
                    Has("twice-1  | two"),
                    Has("once-1 exited with code 0"),
                ],
            },
            Row {
                line: "timeout --preserve-status -s INT 20 docker-compose --profile ends up once",
                expect: &[Code(0), Has("once-1  | one")],
            },
            Row { line: "docker-compose --profile ends up -d once", expect: &[Code(0), Out("")] },
            Row { line: "docker-compose compose --profile ends down", expect: &[State("")] },
            Row {
                line: "plimsoll up --attach a >/dev/null 2>&1 & UP=$!; sleep 2; plimsoll restart -t 1 a; plimsoll run --rm --no-deps a true; plimsoll down -t 1; wait $UP",
                expect: &[Code(0), State("")],
            },
            Row {
                line: "timeout --preserve-status -s INT 3 plimsoll up --attach a --no-color",
                expect: &[Code(130), Has("a-1  | one"), State("a-1=exited")],
            },
            Row { line: "plimsoll up -d --attach a", expect: &[Code(2)] },
            Row { line: "plimsoll down", expect: &[State("")] },
        ],
    },
    Scenario {
        name: "cp",
        file: "name: @P\nservices:\n  a: { image: @I, init: true, command: [sleep, '1000'], scale: 2 }\n",
        files: &[("local/f", "text"), ("local/deep/g", "more")],
        rows: &[
            Row { line: "plimsoll up -d", expect: &[State("a-1=running a-2=running")] },
            Row {
                line: "plimsoll cp local/f a:/tmp",
                expect: &[
                    Out(""),
                    Err("copied"),
                    Sh("docker exec @P-a-1 cat /tmp/f; docker exec @P-a-2 cat /tmp/f", "texttext"),
                ],
            },
            Row {
                line: "plimsoll cp --index 2 local/f a:/tmp/named",
                expect: &[Sh("docker exec @P-a-2 cat /tmp/named; docker exec @P-a-1 ls /tmp", "textf")],
            },
            Row {
                line: "plimsoll cp local a:/tmp",
                expect: &[Sh("docker exec @P-a-1 cat /tmp/local/deep/g", "more")],
            },
            Row {
                line: "plimsoll cp local/. a:/tmp/local/deep",
                expect: &[Sh("docker exec @P-a-1 cat /tmp/local/deep/deep/g", "more")],
            },
            Row { line: "plimsoll cp a:/tmp/local/deep/g .", expect: &[Sh("cat g", "more")] },
            Row { line: "plimsoll cp a:/tmp/local new", expect: &[Sh("cat new/f", "text")] },
            Row { line: "mkdir in; plimsoll cp a:/tmp/local in", expect: &[Sh("cat in/local/f", "text")] },
            Row { line: "plimsoll cp a:/tmp/local/. in", expect: &[Sh("cat in/f", "text")] },
            Row { line: "plimsoll cp a:/tmp/f - | tar -xO", expect: &[Out("text")] },
            Row {
                line: "tar -C local -c f | plimsoll cp - a:/tmp/local/deep",
                expect: &[Sh("docker exec @P-a-1 cat /tmp/local/deep/f", "text")],
            },
            Row {
                line: "docker exec @P-a-1 ln -s f /tmp/link; plimsoll cp -L a:/tmp/link followed",
                expect: &[Sh("test -L followed || cat followed", "text")],
            },
            Row { line: "plimsoll cp a:/tmp/link kept", expect: &[Sh("readlink kept", "f")] },
            Row {
                line: "plimsoll cp a:/no/such/path .",
                expect: &[Code(2), Err("there is no /no/such/path")],
            },
            Row { line: "plimsoll cp nowhere a:/tmp", expect: &[Code(2), Err("cannot read nowhere")] },
            Row {
                line: "plimsoll cp a:/tmp/f a:/tmp/g",
                expect: &[Code(2), Err("not copied from service to service")],
            },
            Row { line: "plimsoll cp local/f elsewhere", expect: &[Code(2), Err("neither side")] },
            Row { line: "plimsoll cp local/f nobody:/tmp", expect: &[Code(2), Err("nobody")] },
            Row {
                line: "plimsoll export -o all.tar a",
                expect: &[Sh("tar -tf all.tar | grep -c ^bin/busybox$", "1")],
            },
            Row { line: "plimsoll export --index 2 a | tar -t", expect: &[Has("bin/busybox")] },
            Row { line: "plimsoll export nobody", expect: &[Code(2), Err("nobody")] },
            Row {
                line: "plimsoll commit -m why -a me -c 'ENV X=1' a @P-made:1",
                expect: &[
                    Has("sha256:"),
                    Sh("docker run --rm @P-made:1 sh -c 'cat /tmp/f; echo $X'", "text1"),
                    Sh("docker inspect -f '{{.Author}} {{.Comment}}' @P-made:1", "me why"),
                ],
            },
            Row { line: "docker rmi @P-made:1", expect: &[Code(0)] },
            Row { line: "plimsoll push --dry-run", expect: &[Out("")] },
            Row { line: "plimsoll down", expect: &[State(""), Lacks("error")] },
        ],
    },
];
