//! The verbs of every day: up, ps, stop, start, restart, kill, pause, rm, down.

use super::{
    Expect::{Code, Err, ErrLacks, Has, Lacks, Out, Sh, State},
    Row, Scenario,
};

const TWO: &str = "name: @P
services:
  a: { image: @I, init: true, command: [sleep, '1000'] }
  b: { image: @I, init: true, command: [sleep, '1000'], depends_on: [a] }
  tool: { image: @I, profiles: [tools], command: [sh, -c, 'exit 3'] }
";

/// Scenarios about containers that come and go.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "nothing",
        file: TWO,
        files: &[],
        rows: &[
            Row { line: "plimsoll ps", expect: &[Has("SERVICE"), ErrLacks("error")] },
            Row { line: "plimsoll ps -q", expect: &[Out("")] },
            Row { line: "plimsoll ps nobody", expect: &[Code(2), Err("has no service nobody")] },
            Row { line: "plimsoll stop", expect: &[Out(""), State("")] },
            Row { line: "plimsoll stop a", expect: &[Err("has no container")] },
            Row { line: "plimsoll stop nobody", expect: &[Code(2), Err("has no service nobody")] },
            Row { line: "plimsoll restart", expect: &[Out("")] },
            Row { line: "plimsoll restart b", expect: &[Out("")] },
            Row { line: "plimsoll pause", expect: &[Out("")] },
            Row { line: "plimsoll pause a", expect: &[Out("")] },
            Row { line: "plimsoll unpause a", expect: &[Out("")] },
            Row { line: "plimsoll kill", expect: &[Out("")] },
            Row { line: "plimsoll kill a", expect: &[Out("")] },
            Row { line: "plimsoll rm -f", expect: &[Out("")] },
            Row { line: "plimsoll rm -sf a", expect: &[Out("")] },
            Row { line: "plimsoll down", expect: &[Out(""), State("")] },
            Row { line: "plimsoll start", expect: &[Code(2), Err("no container")] },
            Row { line: "plimsoll start a", expect: &[Code(2), Err("no container")] },
            Row { line: "plimsoll exec -T a true", expect: &[Code(2), Err("no container of service a")] },
            Row { line: "plimsoll port a 80", expect: &[Code(2), Err("no container of service a")] },
            Row { line: "plimsoll wait a", expect: &[Code(2), Err("to wait for")] },
            Row { line: "plimsoll logs", expect: &[Out("")] },
            Row { line: "plimsoll images", expect: &[Has("CONTAINER")] },
            Row { line: "plimsoll top", expect: &[Has("SERVICE")] },
        ],
    },
    Scenario {
        name: "lives",
        file: TWO,
        files: &[],
        rows: &[
            Row { line: "plimsoll up -d", expect: &[Out(""), State("a-1=running b-1=running")] },
            Row { line: "plimsoll up -d -y --quiet-build", expect: &[Out(""), Err("nothing to do")] },
            Row {
                line: "plimsoll up --detach=true --build=false a",
                expect: &[State("a-1=running b-1=running")],
            },
            Row { line: "plimsoll up -d -d --wait --wait-timeout 30", expect: &[Err("nothing to do")] },
            Row { line: "plimsoll stop a", expect: &[Out(""), State("a-1=exited b-1=running")] },
            Row { line: "plimsoll stop a", expect: &[State("a-1=exited b-1=running")] },
            Row { line: "plimsoll ps --services", expect: &[Out("b")] },
            Row { line: "plimsoll ps -a --services", expect: &[Out("a\nb")] },
            Row { line: "plimsoll ps", expect: &[Lacks("@P-a-1"), Err("@P-a-1 is exited")] },
            Row { line: "plimsoll ps --status exited -q | wc -l", expect: &[Out("1")] },
            Row { line: "plimsoll ps --filter status=running --services", expect: &[Out("b")] },
            Row { line: "plimsoll ps --filter source=x", expect: &[Code(2), Err("no filter `source`")] },
            Row { line: "plimsoll ps --status sleeping", expect: &[Code(2)] },
            Row { line: "plimsoll start --wait", expect: &[Out(""), State("a-1=running b-1=running")] },
            Row { line: "plimsoll start a", expect: &[State("a-1=running b-1=running")] },
            Row { line: "plimsoll restart -t 1 b", expect: &[Out(""), State("a-1=running b-1=running")] },
            Row { line: "plimsoll restart --no-deps a", expect: &[State("a-1=running b-1=running")] },
            Row { line: "plimsoll pause a", expect: &[Out(""), State("a-1=paused b-1=running")] },
            Row { line: "plimsoll ps --status paused --services", expect: &[Out("a")] },
            Row {
                line: "plimsoll pause a",
                expect: &[Code(1), Err("already paused"), State("a-1=paused b-1=running")],
            },
            Row { line: "plimsoll unpause", expect: &[Out(""), State("a-1=running b-1=running")] },
            Row { line: "plimsoll kill -s SIGKILL b", expect: &[Out(""), State("a-1=running b-1=exited")] },
            Row { line: "plimsoll kill b", expect: &[State("a-1=running b-1=exited")] },
            Row { line: "plimsoll rm -f b", expect: &[Out(""), State("a-1=running")] },
            Row { line: "plimsoll rm -f a", expect: &[Err("runs and stays"), State("a-1=running")] },
            Row { line: "plimsoll rm -fsv a", expect: &[State("")] },
            Row { line: "plimsoll create", expect: &[Out(""), State("a-1=created b-1=created")] },
            Row { line: "plimsoll start", expect: &[State("a-1=running b-1=running")] },
            Row { line: "plimsoll down -t 1", expect: &[Out(""), State("")] },
            Row {
                line: "true",
                expect: &[Sh("docker network ls -q --filter label=com.docker.compose.project=@P", "")],
            },
            Row { line: "plimsoll down", expect: &[Out(""), State("")] },
            Row { line: "plimsoll up -d --no-start", expect: &[State("a-1=created b-1=created")] },
            Row { line: "plimsoll up -d --no-deps b", expect: &[State("a-1=created b-1=running")] },
            Row { line: "plimsoll --profile tools down", expect: &[State("")] },
        ],
    },
    Scenario {
        name: "numbers",
        file: TWO,
        files: &[],
        rows: &[
            Row { line: "plimsoll up -d --scale a=2 a", expect: &[State("a-1=running a-2=running")] },
            Row { line: "plimsoll scale a=3", expect: &[State("a-1=running a-2=running a-3=running")] },
            Row {
                line: "plimsoll scale --no-deps b=1",
                expect: &[State("a-1=running a-2=running a-3=running b-1=running")],
            },
            Row { line: "plimsoll scale a=1 b=2", expect: &[State("a-1=running b-1=running b-2=running")] },
            Row { line: "plimsoll scale a", expect: &[Code(2), Err("has no number")] },
            Row { line: "plimsoll scale nobody=2", expect: &[Code(2), Err("nobody")] },
            Row { line: "plimsoll scale a=many", expect: &[Code(2), Err("no number of containers")] },
            Row { line: "plimsoll scale", expect: &[Code(2)] },
            Row {
                line: "test $(plimsoll exec -T --index 2 b hostname) = $(docker inspect -f '{{slice .Id 0 12}}' @P-b-2)",
                expect: &[Code(0)],
            },
            Row {
                line: "plimsoll exec -T --index 7 b true",
                expect: &[Code(2), Err("has no container number 7")],
            },
            Row { line: "plimsoll logs --index 2 b", expect: &[Out("")] },
            Row {
                line: "plimsoll --dry-run scale a=5",
                expect: &[State("a-1=running b-1=running b-2=running")],
            },
            Row { line: "plimsoll scale b=0", expect: &[State("a-1=running")] },
            Row { line: "plimsoll down", expect: &[State("")] },
        ],
    },
    Scenario {
        name: "dry",
        file: TWO,
        files: &[],
        rows: &[
            Row { line: "plimsoll --dry-run up -d", expect: &[Has("create @P-a-1"), State("")] },
            Row { line: "plimsoll --dry-run create", expect: &[State("")] },
            Row { line: "plimsoll --dry-run run --rm a true", expect: &[State("")] },
            Row { line: "plimsoll up -d", expect: &[State("a-1=running b-1=running")] },
            Row {
                line: "plimsoll --dry-run stop",
                expect: &[Has("stop @P-a-1"), State("a-1=running b-1=running")],
            },
            Row { line: "plimsoll --dry-run restart", expect: &[State("a-1=running b-1=running")] },
            Row {
                line: "plimsoll --dry-run kill",
                expect: &[Has("@P-a-1 would get SIGKILL"), State("a-1=running b-1=running")],
            },
            Row {
                line: "plimsoll --dry-run pause",
                expect: &[Has("would be"), State("a-1=running b-1=running")],
            },
            Row {
                line: "plimsoll --dry-run rm -sf",
                expect: &[Has("@P-a-1 would be removed"), State("a-1=running b-1=running")],
            },
            Row { line: "plimsoll --dry-run exec a true", expect: &[Has("would run true in @P-a-1")] },
            Row {
                line: "plimsoll --dry-run cp a:/etc/passwd copied",
                expect: &[Has("would copy"), Sh("ls copied", "")],
            },
            Row {
                line: "plimsoll --dry-run commit a x:y",
                expect: &[Has("would make x:y"), Sh("docker images -q x:y", "")],
            },
            Row {
                line: "plimsoll --dry-run export -o files.tar a",
                expect: &[Has("would write"), Sh("ls files.tar", "")],
            },
            Row { line: "plimsoll --dry-run wait a", expect: &[Has("would wait for the end of @P-a-1")] },
            Row { line: "plimsoll --dry-run attach a", expect: &[Has("would attach to @P-a-1")] },
            Row { line: "plimsoll --dry-run ps --services", expect: &[Out("a\nb")] },
            Row {
                line: "plimsoll --dry-run down",
                expect: &[Has("remove @P-a-1"), State("a-1=running b-1=running")],
            },
            Row { line: "plimsoll --dry-run=false down", expect: &[State("")] },
        ],
    },
];
