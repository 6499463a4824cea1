//! Signs that a program takes work from a queue or starts it at times.

use crate::{
    javascript::{Script, values::Program},
    model::{Evidence, is_below},
};

/// What shows the process, and the package that brings it.
pub(super) struct Sign {
    pub(super) package: &'static str,
    pub(super) scheduler: bool,
    pub(super) evidence: Evidence,
}

/// Package, the call that takes work, whether it is a scheduler.
const SIGNS: [(&str, &[&str], bool); 20] = [
    ("bullmq", &["new Worker", "new QueueEvents"], false),
    ("bull", &[".process"], false),
    ("bee-queue", &[".process"], false),
    ("amqplib", &[".consume"], false),
    ("amqp-connection-manager", &[".consume", ".addSetup"], false),
    ("kafkajs", &[".subscribe", ".consumer"], false),
    ("pg-boss", &[".work"], false),
    ("graphile-worker", &["run"], false),
    ("agenda", &[".define"], false),
    ("@temporalio/worker", &["Worker.create"], false),
    ("ioredis", &[".brpop", ".blpop", ".xreadgroup", ".subscribe"], false),
    ("redis", &[".brPop", ".blPop", ".xReadGroup", ".subscribe"], false),
    ("telegraf", &[".launch"], false),
    ("discord.js", &[".login"], false),
    ("node-cron", &[".schedule"], true),
    ("cron", &["new CronJob", "CronJob.from"], true),
    ("croner", &["new Cron", "Cron"], true),
    ("node-schedule", &[".scheduleJob"], true),
    ("bree", &["new Bree"], true),
    ("toad-scheduler", &["new ToadScheduler"], true),
];

/// The first sign in the program of a folder; taking work counts before starting it.
pub(super) fn sign(program: &Program, folder: &str) -> Option<Sign> {
    SIGNS.iter().find_map(|(package, calls, scheduler)| {
        program.scripts().filter(|script| is_below(script.source.name(), folder)).find_map(|script| {
            imports(script, package).then_some(())?;
            let at =
                (0..script.tokens.len()).find(|&at| calls.iter().any(|call| is_call(script, at, call)))?;
            let reason = if *scheduler { "starts work at times" } else { "takes work" };
            let evidence = Evidence::new(&script.source, script.span(at, at + 1), reason);
            Some(Sign { package, scheduler: *scheduler, evidence })
        })
    })
}

/// `import … from "package"` and `require("package")`.
pub(super) fn imports(script: &Script, package: &str) -> bool {
    import_of(script, package).is_some()
}

/// The token of the text that names the package in an import.
pub(super) fn import_of(script: &Script, package: &str) -> Option<usize> {
    let is_of =
        |text: &str| text.strip_prefix(package).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    script.imported().iter().find(|(_, text)| is_of(text)).map(|(at, _)| *at)
}

/// `new Worker(`, `.consume(`, `run(`.
fn is_call(script: &Script, at: usize, call: &str) -> bool {
    let called = |at: usize| {
        let open = script.skip_type_arguments(at + 1);
        script.is(open, "(")
    };
    if let Some(name) = call.strip_prefix("new ") {
        return script.is(at, "new") && script.is(at + 1, name) && called(at + 1);
    }
    if let Some(name) = call.strip_prefix('.') {
        return script.is(at, ".") && script.is(at + 1, name) && called(at + 1);
    }
    if let Some((object, name)) = call.split_once('.') {
        return script.is(at, object) && script.is(at + 1, ".") && script.is(at + 2, name) && called(at + 2);
    }
    script.is(at, call) && called(at) && !(at > 0 && matches!(script.text(at - 1), "." | "function"))
}
