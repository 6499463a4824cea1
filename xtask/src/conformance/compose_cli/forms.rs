//! What is printed, in which form: ps, images, ls, volumes, version, port, stats, config; and global options.

use super::{
    Expect::{Code, Err, ErrLacks, Has, Lacks, Out, Sh, State},
    Row, Scenario,
};

const ONE: &str = "name: @P
services:
  a:
    image: @I
    init: true
    command: [sh, -c, 'echo ready; exec sleep 1000']
    ports: ['127.0.0.1::80', '127.0.0.1::53/udp']
    volumes: [data:/data]
    labels: { team: shop }
volumes: { data: }
";

const VARIABLES: &str = "name: @P
services:
  a: { image: '@I', environment: ['M=${MUST:?say it}', 'P=${PORT:-8080}', 'S=${SET:+there}'] }
  b: { image: '@I', profiles: [late] }
";

/// Scenarios about output.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "forms",
        file: ONE,
        files: &[],
        rows: &[
            Row { line: "plimsoll up -d", expect: &[State("a-1=running")] },
            Row {
                line: "test $(plimsoll ps -q a) = $(docker inspect -f '{{.Id}}' @P-a-1)",
                expect: &[Code(0)],
            },
            Row { line: "plimsoll ps", expect: &[Has("@P-a-1"), Has("->80/tcp")] },
            Row {
                line: "plimsoll ps --format json",
                expect: &[
                    Has("\"Name\":\"@P-a-1\""),
                    Has("\"Service\":\"a\""),
                    Has("\"State\":\"running\""),
                    Has("\"TargetPort\":80"),
                ],
            },
            Row { line: "plimsoll ps --format json | wc -l", expect: &[Out("1")] },
            Row {
                line: "plimsoll ps --format '{{.Service}} {{.State}} {{.ExitCode}}'",
                expect: &[Out("a running 0")],
            },
            Row {
                line: "plimsoll ps --format 'table {{.Service}}\\t{{.State}}'",
                expect: &[Out("SERVICE   STATE\na         running")],
            },
            Row { line: "plimsoll ps --format '{{.Label \"team\"}}'", expect: &[Out("shop")] },
            Row {
                line: "plimsoll ps --format '{{if eq .State \"running\"}}up{{end}}'",
                expect: &[Out("up")],
            },
            Row {
                line: "plimsoll ps --format '{{range .Publishers}}{{.TargetPort}} {{end}}'",
                expect: &[Out("53 80")],
            },
            Row { line: "plimsoll ps --format yaml", expect: &[Code(2), Err("--format yaml")] },
            Row { line: "plimsoll ps --format '{{.Nmae}}'", expect: &[Code(2), Err("no field `Nmae`")] },
            Row {
                line: "plimsoll ps --no-trunc --format '{{.ID}}' | tr -d '\\n' | wc -c",
                expect: &[Out("64")],
            },
            Row { line: "plimsoll ps --format '{{.ID}}' | tr -d '\\n' | wc -c", expect: &[Out("12")] },
            Row { line: "plimsoll ps --orphans=false --services", expect: &[Out("a")] },
            Row { line: "plimsoll images", expect: &[Has("REPOSITORY"), Has("plimsoll-test/compose-cli")] },
            Row {
                line: "plimsoll images --format json",
                expect: &[
                    Has("\"ContainerName\":\"@P-a-1\""),
                    Has("\"Repository\":\"plimsoll-test/compose-cli\""),
                    Has("\"Tag\":\"1\""),
                ],
            },
            Row {
                line: "test sha256:$(plimsoll images -q) = $(docker inspect -f '{{.Image}}' @P-a-1)",
                expect: &[Code(0)],
            },
            Row { line: "plimsoll images --format yaml", expect: &[Code(2), Err("table or json")] },
            Row {
                line: "plimsoll ls --format json --filter name=@P",
                expect: &[Has("\"Name\":\"@P\""), Has("\"Status\":\"running(1)\""), Has("compose.yaml")],
            },
            Row { line: "plimsoll ls -q --filter name=@P", expect: &[Out("@P")] },
            Row { line: "plimsoll -f compose.yaml -p @P ls -q --filter name=@P", expect: &[Out("@P")] },
            Row { line: "plimsoll ls --filter state=up", expect: &[Code(2), Err("no filter `state`")] },
            Row { line: "plimsoll volumes", expect: &[Has("VOLUME NAME"), Has("@P_data")] },
            Row { line: "plimsoll volumes -q", expect: &[Out("@P_data")] },
            Row {
                line: "plimsoll volumes a --format '{{.Name}} {{.Driver}}'",
                expect: &[Out("@P_data local")],
            },
            Row { line: "plimsoll volumes --format json", expect: &[Has("\"Name\":\"@P_data\"")] },
            Row { line: "plimsoll volumes nobody", expect: &[Code(2), Err("no service nobody")] },
            Row { line: "test $(plimsoll port a 80) = $(docker port @P-a-1 80/tcp)", expect: &[Code(0)] },
            Row { line: "test $(plimsoll port a 53/udp) = $(docker port @P-a-1 53/udp)", expect: &[Code(0)] },
            Row {
                line: "test $(plimsoll port --protocol udp a 53) = $(docker port @P-a-1 53/udp)",
                expect: &[Code(0)],
            },
            Row { line: "plimsoll port a 81", expect: &[Code(2), Err("is not published")] },
            Row { line: "plimsoll port --index 3 a 80", expect: &[Code(2), Err("no container number 3")] },
            Row { line: "plimsoll stats --no-stream --format json", expect: &[Has("\"Name\":\"@P-a-1\"")] },
            Row { line: "plimsoll stats --no-stream --format '{{.Service}}'", expect: &[Out("a")] },
            Row { line: "plimsoll top", expect: &[Has("sleep 1000")] },
            Row {
                line: "plimsoll events --json --since 10m --until 0s",
                expect: &[
                    Has("\"action\":\"start\""),
                    Has("\"type\":\"container\""),
                    Has("\"service\":\"a\""),
                ],
            },
            Row { line: "plimsoll logs", expect: &[Has("a-1  | ready")] },
            Row { line: "plimsoll logs --no-log-prefix a", expect: &[Out("ready")] },
            Row { line: "plimsoll --ansi always logs --tail 1", expect: &[Has("\u{1b}[")] },
            Row { line: "plimsoll --ansi never logs", expect: &[Lacks("\u{1b}[")] },
            Row { line: "COMPOSE_ANSI=loud plimsoll ps", expect: &[Code(2), Err("COMPOSE_ANSI")] },
            Row { line: "plimsoll --ansi loud ps", expect: &[Code(2), Err("--ansi cannot be `loud`")] },
            Row {
                line: "plimsoll --progress quiet restart",
                expect: &[Out(""), ErrLacks("restart"), State("a-1=running")],
            },
            Row { line: "plimsoll --progress json restart", expect: &[Err("\"status\":\"Done\"")] },
            Row { line: "plimsoll --progress plain restart", expect: &[Err("stop @P-a-1")] },
            Row { line: "COMPOSE_PROGRESS=quiet plimsoll restart", expect: &[ErrLacks("stop")] },
            Row {
                line: "plimsoll --progress fancy ps",
                expect: &[Code(2), Err("--progress cannot be `fancy`")],
            },
            Row { line: "plimsoll --parallel 1 up -d", expect: &[State("a-1=running")] },
            Row { line: "plimsoll --parallel many up -d", expect: &[Code(2), Err("--parallel")] },
            Row { line: "plimsoll --compatibility config --images", expect: &[Code(0)] },
            Row {
                line: "plimsoll down -v",
                expect: &[State(""), Sh("docker volume ls -q --filter name=@P", "")],
            },
            Row { line: "plimsoll version", expect: &[Has("version")] },
            Row { line: "plimsoll version --short", expect: &[Has(".")] },
            Row { line: "plimsoll version -f json", expect: &[Has("\"version\":")] },
            Row { line: "plimsoll version --format yaml", expect: &[Code(2)] },
            Row { line: "plimsoll -v", expect: &[Has("version")] },
            Row {
                line: "plimsoll watch",
                expect: &[Code(2), Err("`watch` of docker compose is not supported")],
            },
            Row { line: "plimsoll up --watch", expect: &[Code(2), Err("not supported"), State("")] },
            Row { line: "plimsoll publish a/b:c", expect: &[Code(2), Err("`publish` of docker compose")] },
            Row { line: "plimsoll bridge convert", expect: &[Code(2), Err("`bridge` of docker compose")] },
            Row { line: "plimsoll alpha viz", expect: &[Code(2), Err("`alpha` of docker compose")] },
            Row { line: "docker-compose docker-cli-plugin-metadata", expect: &[Has("\"SchemaVersion\"")] },
        ],
    },
    Scenario {
        name: "variables",
        file: VARIABLES,
        files: &[(".env", "MUST=here\n")],
        rows: &[
            Row { line: "plimsoll config --variables", expect: &[Has("DEFAULT VALUE"), Has("PORT")] },
            Row {
                line: "plimsoll config --variables --format json",
                expect: &[
                    Has("\"DefaultValue\": \"8080\""),
                    Has("\"Required\": true"),
                    Has("\"PresenceValue\": \"there\""),
                ],
            },
            Row {
                line: "plimsoll config --variables --format yaml",
                expect: &[Has("PORT:\n    name: PORT\n    defaultvalue: \"8080\"")],
            },
            Row {
                line: "plimsoll config --variables a",
                expect: &[Err("not applied when --variables is set")],
            },
            Row {
                line: "plimsoll config --no-interpolate a",
                expect: &[Err("not applied when --no-interpolate"), Has("${MUST")],
            },
            Row { line: "plimsoll config --format toml", expect: &[Code(2)] },
            Row { line: "plimsoll convert --services", expect: &[Out("a")] },
            Row { line: "plimsoll convert --format json", expect: &[Has("\"M\": \"here\"")] },
            Row { line: "plimsoll --profile late config --services", expect: &[Out("a\nb")] },
            Row { line: "COMPOSE_PROFILES=late plimsoll config --services", expect: &[Out("a\nb")] },
            Row { line: "plimsoll config -q", expect: &[Out("")] },
            Row {
                line: "COMPOSE_DISABLE_ENV_FILE=TRUE plimsoll config -q",
                expect: &[Code(2), Err("say it")],
            },
            Row {
                line: "COMPOSE_DISABLE_ENV_FILE=maybe plimsoll config -q",
                expect: &[Err("neither true nor false")],
            },
        ],
    },
];
