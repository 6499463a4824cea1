//! `--progress=rawjson` as BuildKit's clients read it: the stream is decoded with the fields of `SolveStatus` and nothing
//! beside them.

#![allow(clippy::unwrap_used, reason = "a test that cannot be prepared has failed")]
#![allow(dead_code, reason = "the kitchen serves several test programs, and fields are there to be decoded")]

#[path = "support/builder.rs"]
mod support;

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    process::{Child, Command, Stdio},
    thread,
};

use serde::Deserialize;
use serde_json::Value;
use support::{Kitchen, log};

/// Go's `time.Time` as JSON has it.
#[derive(PartialEq, PartialOrd, Deserialize)]
#[serde(try_from = "String")]
struct Time(jiff::Timestamp);

impl TryFrom<String> for Time {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

/// `SolveStatus` of BuildKit's `client/graph.go`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SolveStatus {
    vertexes: Vec<Vertex>,
    statuses: Vec<VertexStatus>,
    logs: Vec<VertexLog>,
    warnings: Vec<VertexWarning>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vertex {
    digest: String,
    #[serde(default)]
    inputs: Vec<String>,
    name: String,
    started: Option<Time>,
    completed: Option<Time>,
    #[serde(default)]
    cached: bool,
    #[serde(default)]
    error: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VertexStatus {
    id: String,
    vertex: String,
    name: String,
    #[serde(default)]
    total: i64,
    current: i64,
    timestamp: Time,
    started: Option<Time>,
    completed: Option<Time>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VertexLog {
    vertex: String,
    stream: i64,
    data: String,
    timestamp: Time,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VertexWarning {
    vertex: String,
    level: i64,
    short: String,
    detail: Vec<String>,
    url: String,
    #[serde(rename = "sourceInfo")]
    source_info: Value,
    range: Vec<Value>,
}

/// What a build that must succeed tells. Whatever names a vertex names one that was told of before.
fn told(command: &mut Command) -> SolveStatus {
    let output = command.output().unwrap();
    let text = log(&output);
    assert!(output.status.success(), "{text}");
    let mut all = SolveStatus::default();
    let mut known = BTreeSet::new();
    for line in text.lines() {
        let part: SolveStatus = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        for vertex in &part.vertexes {
            assert!(vertex.inputs.iter().all(|input| known.contains(input)), "{line}");
            known.insert(vertex.digest.clone());
        }
        assert!(part.statuses.iter().all(|status| known.contains(&status.vertex)), "{line}");
        assert!(part.logs.iter().all(|log| known.contains(&log.vertex)), "{line}");
        all.vertexes.extend(part.vertexes);
        all.statuses.extend(part.statuses);
        all.logs.extend(part.logs);
        all.warnings.extend(part.warnings);
    }
    all
}

impl SolveStatus {
    /// The last word about a vertex that has this in its name.
    fn vertex(&self, name: &str) -> &Vertex {
        let found = self.vertexes.iter().rfind(|vertex| vertex.name.contains(name));
        found.unwrap_or_else(|| {
            let names: Vec<&str> = self.vertexes.iter().map(|vertex| vertex.name.as_str()).collect();
            panic!("no vertex {name}: {names:?}")
        })
    }

    /// What moved for a vertex, to its end. Each began before it ended, and none moved more than there is.
    fn moved(&self, vertex: &Vertex) -> Vec<&VertexStatus> {
        let all = self.statuses.iter().filter(|status| status.vertex == vertex.digest);
        let ended = all.filter(|status| {
            assert!(status.total == 0 || status.current <= status.total, "{}", status.id);
            assert!(status.started.is_some(), "{}", status.id);
            status.completed.is_some()
        });
        let ended: Vec<&VertexStatus> = ended.collect();
        assert!(
            ended.iter().all(|status| status.started <= status.completed && status.current == status.total)
        );
        ended
    }
}

/// `plimsoll image serve`, ended with the value.
struct Served {
    child: Child,
    address: String,
}

impl Served {
    fn start(kitchen: &Kitchen) -> Self {
        let mut child = Command::new(support::binary())
            .args(["image", "serve", "--port", "0"])
            .env("PLIMSOLL_HOME", kitchen.path("registry"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().to_owned() }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address of a file that is served once.
fn serve_once(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/data.txt", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let _ = client.read(&mut [0; 4096]).unwrap();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", text.len());
        client.write_all(format!("{head}{text}").as_bytes()).unwrap();
    });
    address
}

#[test]
fn what_moves_and_what_depends_on_what_is_in_the_status() {
    let Some(kitchen) = Kitchen::new() else { return };
    let served = Served::start(&kitchen);
    let name = format!("{}/team/base:1", served.address);
    kitchen.write("base/file", "12345\n");
    kitchen.write("base/Dockerfile", "FROM scratch\nCOPY file /file\n");
    let raw = ["--progress=rawjson", "--provenance=false"];
    let pushed = told(&mut kitchen.command("home", "base", &[&raw[..], &["-t", &name, "--push"]].concat()));
    let export = pushed.vertex("exporting to the registry");
    assert!(export.completed.is_some() && export.error.is_empty());
    let sent = pushed.moved(export);
    assert!(sent.len() >= 2, "a layer and a configuration travel");
    assert!(sent.iter().all(|status| status.id.starts_with("sha256:") && status.total > 0));

    let text = "from afar\n";
    let address = serve_once(text);
    kitchen.write(
        "c/Dockerfile",
        &format!("FROM {name} AS a\nFROM scratch\nCOPY --from=a /file /x\nADD {address} /y\n"),
    );
    let tar = kitchen.path("c.tar");
    let output = format!("type=tar,dest={}", tar.display());
    // another machine: the base has to come
    let built = told(&mut kitchen.command("elsewhere", "c", &[&raw[..], &["-o", &output]].concat()));
    let (from, copy, add) = (built.vertex(" FROM "), built.vertex(" COPY "), built.vertex(" ADD "));
    assert_eq!(from.inputs, [""; 0]);
    assert_eq!(copy.inputs, std::slice::from_ref(&from.digest));
    assert_eq!(add.inputs, std::slice::from_ref(&copy.digest));
    assert!([from, copy, add].iter().all(|vertex| vertex.completed.is_some()));

    let pull = built.vertex(&format!("pull {name}"));
    assert!(pull.completed.is_some() && pull.error.is_empty());
    let came = built.moved(pull);
    assert_eq!(came.len(), 1, "one layer");
    assert!(came[0].id.starts_with("sha256:") && came[0].total > 0);

    let file = built.moved(add);
    assert_eq!(file.len(), 1);
    assert_eq!((file[0].id.as_str(), file[0].total), (address.as_str(), text.len() as i64));

    let export = built.vertex("exporting to tar");
    let written = built.moved(export);
    assert_eq!(written.iter().map(|status| status.id.as_str()).collect::<Vec<_>>(), ["sending tarball"]);
    assert_eq!(written[0].total, fs::metadata(&tar).unwrap().len() as i64);

    // a pull that fails says why; nothing is said to have moved
    kitchen.write("c/Dockerfile", &format!("FROM {}/team/missing:1\n", served.address));
    let output = kitchen.command("elsewhere", "c", &raw).output().unwrap();
    assert!(!output.status.success());
    let lines = log(&output);
    let parts: Vec<SolveStatus> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let failed = |vertex: &&Vertex| vertex.name.starts_with("pull ") && !vertex.error.is_empty();
    assert!(parts.iter().flat_map(|part| &part.vertexes).any(|vertex| failed(&vertex)), "{lines}");
    assert!(parts.iter().all(|part| part.statuses.is_empty()), "{lines}");
}
