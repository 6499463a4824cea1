//! Limits and logs: bounds that bound something.

use crate::{
    rows,
    stand::{Row, failed, proved},
};

rows! {
    /// Sizes beyond every disk, very many files, none at all.
    bounds_that_bound_nothing: Row {
        over: r#"
services:
  front: { logging: !override { driver: json-file, options: { max-size: 1000g, max-file: "5" } } }
  backend: { logging: !override { driver: local, options: { max-size: 500g, max-file: "1000" } } }
  store: { logging: !override { driver: json-file, options: { max-size: 10m, max-file: "100000" } } }
  job: { logging: !override { driver: none } }
"#,
        claims: &[
            failed("log-rotation", "front"),
            failed("log-rotation", "backend"),
            failed("log-rotation", "store"),
            failed("log-rotation", "job"),
            failed("log-rotation", "stack"),
        ],
        ..Row::RIGHT
    };
    /// The driver's own defaults, other units, compression.
    logs_in_other_words: Row {
        over: r#"
services:
  front: { logging: !override { driver: local } }
  backend: { logging: !override { driver: json-file, options: { max-size: "1000000", max-file: "3", compress: "true" } } }
"#,
        claims: &[
            proved("log-rotation", "front"),
            proved("log-rotation", "backend"),
            proved("log-rotation", "stack"),
        ],
        ..Row::RIGHT
    };
    /// More than the host has. CPUs are not among it: the engine refuses more than there are.
    limits_above_the_host: Row {
        over: r"
services:
  front: { deploy: { resources: { limits: { memory: 60T } } } }
  backend: { deploy: { resources: { limits: { pids: 4194304 } } } }
  store: { memswap_limit: 32M }
  job: { deploy: { resources: { limits: { memory: 60T, pids: 4194304 } } } }
",
        claims: &[
            failed("memory-limit", "front"),
            failed("pids-limit", "backend"),
            failed("memory-limit", "job"),
            failed("pids-limit", "job"),
            proved("memory-limit", "store"),
        ],
        ..Row::RIGHT
    };
    /// A command in the container needs more than its limit; the first process lives on.
    a_process_without_memory: Row {
        over: "services: { front: { deploy: { resources: { limits: { memory: 24M } } } } }",
        act: |stand| Box::pin(async move {
            stand.sh("front", "busybox dd if=/dev/zero of=/dev/null bs=100M count=1").await;
        }),
        claims: &[failed("no-oom", "front"), proved("no-oom", "backend")],
        ..Row::RIGHT
    };
    /// Nothing can be asked: what is used without load is held against the budget.
    more_memory_than_the_budget_without_http: Row {
        over: "services: { front: { ports: !override [] } }",
        options: |options| options.budgets.memory = Some(1000),
        claims: &[failed("memory-load", "stack"), failed("memory-idle", "stack")],
        ..Row::RIGHT
    };
    /// The same, kept.
    less_memory_than_the_budget_without_http: Row {
        over: "services: { front: { ports: !override [] } }",
        options: |options| options.budgets.memory = Some(1 << 30),
        claims: &[proved("memory-load", "stack"), proved("memory-idle", "stack")],
        ..Row::RIGHT
    };
    /// Whoever sets a budget for a service of a profile that is not active does not know whether it is kept.
    a_budget_for_a_profile_that_is_not_active: Row {
        over: "services: { tool: { image: IMAGE, profiles: [tools] } }",
        options: |options| options.budgets.images = [("tool".to_owned(), 1 << 30)].into(),
        claims: &[failed("image-size", "tool")],
        ..Row::RIGHT
    };
}
