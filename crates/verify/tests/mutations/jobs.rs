//! What runs, what has ended, and when: `services-running`, `one-shot`, `start-time`.

use std::time::Duration;

use plimsoll_engine::ContainerSpec;

use crate::{
    rows,
    stand::{Row, absent, failed, proved},
};

rows! {
    /// Two are declared, one is gone.
    replica_is_missing: Row {
        over: "services: { backend: { scale: 2 } }",
        act: |stand| Box::pin(async move {
            let name = format!("{}-backend-2", stand.name);
            stand.engine.remove_container(&name, true, true).await.unwrap();
        }),
        claims: &[failed("services-running", "backend"), failed("as-declared", "backend")],
        ..Row::RIGHT
    };
    /// An old replica is left over.
    a_replica_too_many: Row {
        over: "services: { backend: { scale: 2 } }",
        after: "services: { backend: { scale: 1 } }",
        claims: &[failed("services-running", "backend")],
        ..Row::RIGHT
    };
    /// Declared by `deploy`, all there.
    all_replicas: Row {
        over: "services: { backend: { deploy: { replicas: 2 } }, front: { deploy: { mode: global } } }",
        claims: &[
            proved("services-running", "backend"),
            proved("services-running", "front"),
            proved("as-declared", "{project}-backend-1"),
            proved("as-declared", "{project}-backend-2"),
            proved("as-declared", "stack"),
            proved("one-shot", "job"),
        ],
        ..Row::RIGHT
    };
    /// None is wanted and none is there.
    no_replicas_wanted: Row {
        over: "services: { spare: { image: IMAGE, deploy: { replicas: 0 } }, other: { image: IMAGE, scale: 0 } }",
        claims: &[proved("services-running", "spare"), proved("services-running", "other"), proved("as-declared", "stack")],
        ..Row::RIGHT
    };
    /// None is wanted and one runs.
    a_container_that_nobody_wants: Row {
        after: "services: { front: { scale: 0 } }",
        claims: &[failed("services-running", "front")],
        ..Row::RIGHT
    };
    /// A first process that was stopped by a signal runs only by name.
    stopped_by_a_signal: Row {
        act: |stand| Box::pin(async move {
            stand.engine.kill_container(&stand.container("store"), "SIGSTOP").await.unwrap();
        }),
        claims: &[failed("services-running", "store"), proved("services-running", "front")],
        ..Row::RIGHT
    };
    /// Jobs that have ended with 0 and that nobody waits for have done their work.
    jobs_that_nobody_waits_for: Row {
        over: r#"
services:
  seed: { image: IMAGE, user: "1000", command: [sh, -c, "exit 0"], restart: "no", networks: [data] }
  reindex: { image: IMAGE, user: "1000", command: [sh, -c, "exit 0"], deploy: { restart_policy: { condition: on-failure } }, networks: [data] }
"#,
        claims: &[
            proved("one-shot", "seed"),
            proved("one-shot", "reindex"),
            proved("one-shot", "job"),
            absent("services-running", "seed"),
            proved("as-declared", "seed"),
        ],
        ..Row::RIGHT
    };
    /// The same with another exit code.
    a_job_that_failed: Row {
        over: r#"services: { seed: { image: IMAGE, command: [sh, -c, "exit 4"], networks: [data], depends_on: { front: { condition: service_healthy } } } }"#,
        claims: &[failed("one-shot", "seed")],
        ..Row::RIGHT
    };
    /// A service that is kept up, or has a health check, and has ended is no job.
    a_service_that_has_ended: Row {
        act: |stand| Box::pin(async move {
            stand.engine.stop_container(&stand.container("front"), Some(1)).await.unwrap();
        }),
        claims: &[failed("services-running", "front"), absent("one-shot", "front")],
        ..Row::RIGHT
    };
    /// Only the job changes: what waits for it had started after an earlier success.
    a_job_that_ran_again: Row {
        act: |stand| Box::pin(async move {
            let again = stand.project(&[crate::stand::RIGHT, "services: { job: { environment: { RUN: '2' } } }"]);
            stand.up(&again).await;
        }),
        after: "services: { job: { environment: { RUN: '2' } } }",
        claims: &[proved("one-shot", "job"), proved("as-declared", "job")],
        ..Row::RIGHT
    };
    /// What waits for it was started while its first run was under way.
    a_job_that_ran_too_late: Row {
        over: "services: { eager: { image: IMAGE, user: '1000', command: [sleep, '600'], networks: [data] } }",
        act: |stand| Box::pin(async move {
            let mut labels = stand.one_off("slow");
            labels.insert("com.docker.compose.oneoff".into(), "False".into());
            let command = Some(["sleep", "4"].map(str::to_owned).to_vec());
            let slow = stand.beside("slow-1", &["data"], ContainerSpec { labels, command, ..ContainerSpec::default() }).await;
            stand.engine.stop_container(&stand.container("eager"), Some(0)).await.unwrap();
            stand.engine.start_container(&stand.container("eager")).await.unwrap();
            stand.engine.wait_container(&slow).await.unwrap();
        }),
        after: r#"
services:
  slow: { image: IMAGE, command: [sleep, "4"], networks: [data] }
  eager: { depends_on: { slow: { condition: service_completed_successfully } } }
"#,
        claims: &[failed("one-shot", "slow")],
        ..Row::RIGHT
    };
    /// A start that takes longer than its budget.
    start_time_cannot_fail: Row {
        options: |options| options.budgets.start = Some(Duration::from_millis(1)),
        claims: &[failed("start-time", "stack")],
        ..Row::RIGHT
    };
    /// In time; also when one service was replaced alone, long after the others.
    in_time_after_a_partial_up: Row {
        over: "services: { front: { environment: { A: '1' } } }",
        act: |stand| Box::pin(async move {
            let again = stand.project(&[crate::stand::RIGHT, "services: { front: { environment: { A: '2' } } }"]);
            stand.up(&again).await;
        }),
        after: "services: { front: { environment: { A: '2' } } }",
        options: |options| options.budgets.start = Some(Duration::from_secs(90)),
        claims: &[proved("start-time", "stack")],
    ..Row::RIGHT
    };
}
