//! What an engine answers: any bytes as the answer to each call, whole HTTP or the body of a right one (JSON, JSON lines,
//! the multiplexed stream of logs and exec).
//!
//! The first byte selects the call, the second how the bytes are sent.
#![no_main]
use std::{cell::RefCell, path::PathBuf, rc::Rc, time::Duration};

use futures_util::StreamExt as _;
use libfuzzer_sys::fuzz_target;
use plimsoll_engine::{Engine, EventFilter, ExecSpec, LogOptions};
use plimsoll_fuzz::text::Quick;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixListener,
    runtime::Runtime,
    task::LocalSet,
};

/// The bytes that the next requests are answered with.
type Answer = Rc<RefCell<Vec<u8>>>;

struct Fake {
    runtime: Runtime,
    local: LocalSet,
    engine: Engine,
    answer: Answer,
}

thread_local! {
    static FAKE: Fake = Fake::new();
}

const VERSION: &str = r#"{"ApiVersion":"1.47","Version":"27.0","Os":"linux","Arch":"amd64","KernelVersion":"6"}"#;

impl Fake {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let local = LocalSet::new();
        let socket: PathBuf = std::env::temp_dir().join(format!("plimsoll-fuzz-engine-{}", std::process::id()));
        let _ = std::fs::remove_file(&socket);
        let answer = Answer::new(RefCell::new(whole("application/json", VERSION.as_bytes(), false)));
        let engine = local.block_on(&runtime, async {
            let listener = UnixListener::bind(&socket).expect("a socket");
            let answer = Rc::clone(&answer);
            tokio::task::spawn_local(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let answer = Rc::clone(&answer);
                    tokio::task::spawn_local(async move {
                        let mut asked = Vec::new();
                        while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
                            if stream.read_buf(&mut asked).await.unwrap_or(0) == 0 {
                                return;
                            }
                        }
                        let bytes = answer.borrow().clone();
                        let _ = stream.write_all(&bytes).await;
                    });
                }
            });
            Engine::connect_to(&format!("unix://{}", socket.display())).await.expect("the fake engine")
        });
        Self { runtime, local, engine, answer }
    }
}

/// A right answer with this body.
fn whole(kind: &str, body: &[u8], chunked: bool) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n");
    if !chunked {
        return [format!("{head}Content-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat();
    }
    let mut bytes = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in body.chunks(7) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

fuzz_target!(|data: &[u8]| {
    let [call, how, bytes @ ..] = data else { return };
    let bytes = match how % 5 {
        0 => bytes.to_vec(),
        1 => whole("application/json", bytes, false),
        2 => whole("application/json", bytes, true),
        3 => whole("application/vnd.docker.raw-stream", bytes, true),
        _ => [&b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"[..], bytes].concat(),
    };
    FAKE.with(|fake| {
        let _quick = Quick::new();
        *fake.answer.borrow_mut() = bytes;
        let asked = fake.local.block_on(&fake.runtime, async {
            tokio::time::timeout(Duration::from_secs(5), ask(&fake.engine, *call)).await
        });
        assert!(asked.is_ok(), "a call waits for an engine that has hung up");
    });
});

async fn ask(engine: &Engine, call: u8) {
    match call % 20 {
        0 => {
            let options = LogOptions { follow: call > 100, ..LogOptions::default() };
            let mut lines = engine.logs("c", &options);
            while let Some(Ok(line)) = lines.next().await {
                assert!(!line.text.ends_with('\n'));
            }
        }
        1 => {
            let lines = engine.last_lines("c", 10).await.unwrap_or_default();
            assert!(lines.is_sorted_by(|a, b| a.time <= b.time));
        }
        2 => {
            let spec = ExecSpec { command: vec!["true".to_owned()], ..ExecSpec::default() };
            if let Ok(output) = engine.exec("c", &spec, Duration::from_secs(3)).await {
                let _ = output.text();
            }
        }
        3 => {
            let mut events = engine.events(&EventFilter::default());
            while let Some(Ok(event)) = events.next().await {
                let _ = (event.exit_code(), event.name().len());
            }
        }
        4 => drop(engine.containers().await),
        5 => drop(engine.containers_raw(&[], true).await),
        6 => drop(engine.inspect_container("c").await),
        7 => drop(engine.inspect_container_raw("c").await),
        8 => drop(engine.usage("c").await),
        9 => drop(engine.disk_usage().await),
        10 => drop(engine.facts().await),
        11 => drop(engine.inspect_image("i").await),
        12 => drop(engine.images(&[]).await),
        13 => drop(engine.load_stream(futures_util::stream::empty()).await),
        14 => drop(engine.pull_image("i").await),
        15 => drop(engine.networks(&[]).await),
        16 => drop(engine.inspect_network("n").await),
        17 => drop(engine.volumes(&[]).await),
        18 => drop(engine.path_stat("c", "/x").await),
        _ => {
            if let Err(error) = engine.wait_container("c").await {
                let _ = (error.to_string(), error.hint(), error.is_not_found());
            }
        }
    }
}
