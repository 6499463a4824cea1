//! Which project is meant, and what of it a call asks for: files, names, variables, profiles, orphans.

use super::{
    Expect::{Code, Err, ErrLacks, Has, Out, Sh, State},
    Row, Scenario,
};

const PARTS: &str = "name: @P
services:
  a: { image: @I, init: true, command: [sleep, '1000'] }
  b: { image: @I, init: true, command: [sleep, '1000'], networks: [far], env_file: b.env }
  c: { image: @I, init: true, command: [sleep, '1000'], secrets: [token], depends_on: [b] }
networks: { far: { external: true, name: @P-far } }
volumes: { unused: }
secrets: { token: { environment: NO_SUCH_TOKEN } }
";

/// Scenarios about projects.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "parts",
        file: PARTS,
        files: &[],
        rows: &[
            Row { line: "plimsoll up -d", expect: &[Code(2), State("")] },
            Row { line: "plimsoll up -d a", expect: &[State("a-1=running")] },
            Row { line: "plimsoll create a", expect: &[State("a-1=running")] },
            Row { line: "plimsoll run --rm a echo ran", expect: &[Out("ran")] },
            Row { line: "plimsoll up -d c", expect: &[Code(2), State("a-1=running")] },
            Row { line: "plimsoll ps --services", expect: &[Out("a")] },
            Row { line: "plimsoll stop", expect: &[State("a-1=exited")] },
            Row { line: "plimsoll start", expect: &[State("a-1=running")] },
            Row { line: "plimsoll exec -T a echo in", expect: &[Out("in")] },
            Row { line: "plimsoll logs a", expect: &[Out("")] },
            Row { line: "docker volume ls -q --filter name=@P", expect: &[Out("")] },
            Row { line: "plimsoll down", expect: &[State("")] },
        ],
    },
    Scenario {
        name: "named",
        file: "services:\n  a: { image: @I, init: true, command: [sleep, '1000'] }\n",
        files: &[
            ("broken/compose.yaml", "services: ["),
            ("other/stack.yml", "services:\n  z: { image: @I, init: true, command: [sleep, '1000'] }\n"),
            ("sub/keep", ""),
        ],
        rows: &[
            Row { line: "plimsoll -p @P up -d", expect: &[State("a-1=running")] },
            Row { line: "cd / && COMPOSE_PROJECT_NAME=@P plimsoll ps --services", expect: &[Out("a")] },
            Row {
                line: "cd / && COMPOSE_PROJECT_NAME=@P plimsoll exec -T a echo there",
                expect: &[Out("there")],
            },
            Row {
                line: "cd / && COMPOSE_PROJECT_NAME=@P plimsoll restart -t 1",
                expect: &[State("a-1=running")],
            },
            Row { line: "cd / && COMPOSE_PROJECT_NAME=@P plimsoll logs", expect: &[Out("")] },
            Row {
                line: "cd broken && COMPOSE_PROJECT_NAME=@P plimsoll stop",
                expect: &[State("a-1=exited")],
            },
            Row { line: "cd broken && plimsoll -p @P start", expect: &[State("a-1=running")] },
            Row { line: "cd broken && plimsoll ps", expect: &[Code(2), Err("-p")] },
            Row { line: "cd / && plimsoll ps", expect: &[Code(2), Err("no compose file")] },
            Row { line: "cd / && plimsoll -p @P ps --services", expect: &[Out("a")] },
            Row { line: "cd sub && plimsoll -p @P ps --services", expect: &[Out("a")] },
            Row { line: "COMPOSE_PROJECT_NAME=nothing plimsoll -p @P ps --services", expect: &[Out("a")] },
            Row { line: "plimsoll --project-name=@P ps --services", expect: &[Out("a")] },
            Row { line: "plimsoll ps -p @P --services", expect: &[Out("a")] },
            Row { line: "cd / && COMPOSE_PROJECT_NAME=@P plimsoll down", expect: &[State("")] },
            Row { line: "plimsoll -p @P -f other/stack.yml config --services", expect: &[Out("z")] },
            Row { line: "COMPOSE_FILE=other/stack.yml plimsoll config --services", expect: &[Out("z")] },
            Row {
                line: "COMPOSE_FILE=compose.yaml:other/stack.yml plimsoll config --services",
                expect: &[Out("a\nz")],
            },
            Row {
                line: "plimsoll --project-directory sub -f compose.yaml config --services",
                expect: &[Out("a")],
            },
            Row { line: "plimsoll -f nowhere.yml config", expect: &[Code(2), Err("nowhere.yml")] },
            Row { line: "cat compose.yaml | plimsoll -f - -p @P config --services", expect: &[Out("a")] },
        ],
    },
    Scenario {
        name: "orphans",
        file: "name: @P\nservices:\n  a: { image: @I, init: true, command: [sleep, '1000'] }\n",
        files: &[(
            "old.yaml",
            "name: @P\nservices:\n  old: { image: @I, init: true, command: [sleep, '1000'] }\n",
        )],
        rows: &[
            Row { line: "plimsoll -f old.yaml up -d", expect: &[State("old-1=running")] },
            Row {
                line: "plimsoll up -d",
                expect: &[Err("belongs to no service"), State("a-1=running old-1=running")],
            },
            Row {
                line: "COMPOSE_IGNORE_ORPHANS=1 plimsoll up -d",
                expect: &[ErrLacks("belongs to no service"), State("a-1=running old-1=running")],
            },
            Row {
                line: "COMPOSE_IGNORE_ORPHANS=1 plimsoll up -d --remove-orphans",
                expect: &[Code(2), Err("removed and ignored")],
            },
            Row { line: "plimsoll kill a", expect: &[State("a-1=exited old-1=running")] },
            Row { line: "COMPOSE_REMOVE_ORPHANS=1 plimsoll up -d", expect: &[State("a-1=running")] },
            Row { line: "plimsoll -f old.yaml up -d", expect: &[State("a-1=running old-1=running")] },
            Row {
                line: "plimsoll run --rm --remove-orphans a echo ran",
                expect: &[Has("ran"), State("a-1=running")],
            },
            Row { line: "plimsoll -f old.yaml up -d --remove-orphans", expect: &[State("old-1=running")] },
            Row {
                line: "plimsoll -f old.yaml down",
                expect: &[State(""), Sh("docker ps -aq --filter label=com.docker.compose.project=@P", "")],
            },
        ],
    },
];
