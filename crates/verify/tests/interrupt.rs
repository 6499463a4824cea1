//! A measurement that is interrupted leaves nothing paused or stopped.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::time::Duration;

use plimsoll_engine::{ContainerSpec, HealthSpec, RunState};
use plimsoll_verify::VerifyError;
use support::{Bench, hardened, health, obedient};

const COMPOSE: &str = "
services:
  app: { image: busybox, networks: [inner], depends_on: { store: { condition: service_healthy } } }
  store: { image: busybox, networks: [inner] }
networks:
  inner: { internal: true }
";

/// A check that the engine gives up after 13 s: so long `verify` waits for it to fail, and neither of these does.
fn soon(test: &[&str]) -> Option<HealthSpec> {
    let seconds = 1_000_000_000;
    Some(HealthSpec {
        interval: Some(3 * seconds),
        timeout: Some(10 * seconds),
        retries: Some(1),
        ..health(test)?
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_store_runs_again_after_sigterm() {
    let Some(bench) = Bench::new("interrupt", COMPOSE).await else { return };
    bench.network("inner", true).await;
    let serving = hardened(obedient("busybox httpd -f -p 8080 -h /etc"), soon(&["true"]));
    let store =
        bench.start("store", &["inner"], ContainerSpec { exposed: vec!["6379/tcp".into()], ..serving }).await;
    let ask = bench.ask(&store, "inner", 20).await;
    bench.start("app", &["inner"], hardened(obedient("sleep 3600"), soon(&["sh", "-c", &ask]))).await;

    let options = Bench::options();
    let interrupt = async {
        while bench.engine.inspect_container(&store).await.unwrap().state != RunState::Paused {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM).unwrap();
    };
    let measured = async {
        let begun = plimsoll_verify::verify(&bench.engine, &bench.project, &options, |_| {});
        tokio::time::timeout(Duration::from_mins(3), begun).await.unwrap()
    };
    let (measured, ()) = tokio::join!(measured, interrupt);
    let state = bench.engine.inspect_container(&store).await.unwrap().state;
    bench.remove().await;
    assert!(matches!(measured, Err(VerifyError::Interrupted)), "{:?}", measured.map(|it| it.summary));
    assert_eq!(state, RunState::Running);
}
