//! Two releases of a project side by side.
#![allow(clippy::unwrap_used, reason = "a test")]

mod bench;
#[path = "../../engine/tests/support/mod.rs"]
mod busybox;
mod support;

use std::{
    collections::BTreeSet,
    io,
    path::Path,
    sync::{Arc, Mutex},
};

use bench::Bench;
use plimsoll_engine::{PublishedPort, RunState};
use plimsoll_stack::{
    Desired, DesiredService, DownOptions, End, FileJournal, Generation, Journal, Observed, Op, PlanOptions,
    RunOptions, StackError, Step, host_listeners, labels, plan, plan_down, port_conflicts, read_journal, run,
};
use support::{converged, project, wanted, wanted_of};

const SHOP: &str = "
services:
  db: { image: postgres, volumes: ['data:/data'] }
  api: { image: api, depends_on: [db] }
volumes: { data: {} }
";

fn generation(id: &str) -> Generation {
    id.to_owned().try_into().unwrap()
}

fn is_api(service: &DesiredService) -> bool {
    service.name == "api"
}

fn of(id: &str) -> Desired {
    wanted(SHOP).in_generation(&generation(id), is_api).unwrap()
}

fn said(desired: &Desired, observed: &Observed) -> String {
    plan(desired, observed, &PlanOptions { remove_orphans: true, ..PlanOptions::default() }).unwrap().render()
}

/// What is there when the containers of both are.
fn both(one: &Desired, other: &Desired) -> Observed {
    let mut observed = converged(one);
    let more = converged(other).containers.into_iter();
    let known: BTreeSet<String> = observed.containers.iter().map(|found| found.name.clone()).collect();
    observed.containers.extend(more.filter(|found| !known.contains(&found.name)));
    observed
}

#[test]
fn a_second_release_is_made_beside_the_first_and_shares_its_store() {
    let (first, second) = (of("1"), of("2"));
    let text = said(&second, &converged(&first));
    assert!(text.contains("create shop-api-1-r2"), "{text}");
    assert!(text.contains("as they should be: shop-db-1\n"), "{text}");
    assert!(!text.contains("shop-api-1-r1"), "{text}");
    // with both there, each finds its own as it should be
    let observed = both(&first, &second);
    for (desired, own) in [(&first, "shop-api-1-r1"), (&second, "shop-api-1-r2")] {
        let plan = plan(desired, &observed, &PlanOptions::default()).unwrap();
        assert!(plan.is_empty(), "{}", plan.render());
        assert_eq!(plan.unchanged, ["shop-db-1", own]);
    }
}

#[test]
fn a_project_without_releases_leaves_those_of_a_release_alone() {
    let text = said(&wanted(SHOP), &converged(&of("1")));
    assert!(text.contains("create shop-api-1 ") && !text.contains("shop-api-1-r1"), "{text}");
    let text = said(&of("1"), &converged(&wanted(SHOP)));
    assert!(text.contains("create shop-api-1-r1") && !text.contains("remove"), "{text}");
    // a service that the file does not have any more: of another release it is no orphan
    let without =
        wanted("services: { db: { image: postgres, volumes: ['data:/data'] } }\nvolumes: { data: {} }");
    assert!(!said(&without, &converged(&of("1"))).contains("shop-api"));
    let emptied = without.in_generation(&generation("1"), is_api).unwrap();
    assert!(said(&emptied, &converged(&of("1"))).contains("remove shop-api-1-r1"));
}

#[test]
fn a_release_changes_no_digest_and_no_name_without_one() {
    let (plain, released) = (wanted(SHOP), of("7"));
    let api = |desired: &Desired| desired.services.iter().find(|service| is_api(service)).unwrap().clone();
    assert_eq!((api(&plain).hash, api(&plain).parts), (api(&released).hash, api(&released).parts));
    let labels = |desired: &Desired| {
        let service = api(desired);
        service.replica(&service.replicas[0]).labels.get(labels::GENERATION).cloned()
    };
    assert_eq!((labels(&plain), labels(&released)), (None, Some("7".to_owned())));
    assert_eq!(released.services[0].generation, None);
    assert!(!serde_json::to_string(&plain).unwrap().contains("generation"));
}

#[test]
fn a_name_that_is_fixed_cannot_be_two_containers() {
    let fixed = wanted("services: { api: { image: api, container_name: front } }");
    let error = fixed.in_generation(&generation("1"), is_api).unwrap_err();
    assert!(matches!(&error, StackError::FixedName { service, name } if service == "api" && name == "front"));
}

#[test]
fn what_another_release_holds_is_taken() {
    let text = "services: { api: { image: api, ports: ['18080:80'] } }";
    let first = wanted(text).in_generation(&generation("1"), is_api).unwrap();
    let second = wanted(text).in_generation(&generation("2"), is_api).unwrap();
    let mut observed = converged(&first);
    observed.containers[0].ports = vec![PublishedPort {
        host_ip: "0.0.0.0".to_owned(),
        host: Some(18080),
        container: 80,
        protocol: "tcp".to_owned(),
    }];
    let planned = plan(&second, &observed, &PlanOptions::default()).unwrap();
    let conflicts = port_conflicts(&planned, &second, &observed, &[]);
    assert_eq!(conflicts.len(), 1);
    assert!(conflicts[0].holder.contains("shop-api-1-r1 of release 1"), "{conflicts:?}");
    let again =
        plan(&first, &observed, &PlanOptions { force_recreate: true, ..PlanOptions::default() }).unwrap();
    assert!(port_conflicts(&again, &first, &observed, &[]).is_empty());
}

#[test]
fn a_release_is_taken_away_alone() {
    let observed = both(&of("1"), &of("2"));
    let options = DownOptions { generation: Some(generation("1")), ..DownOptions::default() };
    let text = plan_down("shop", &observed, None, &options).render();
    assert!(text.contains("remove shop-api-1-r1"), "{text}");
    for kept in ["shop-api-1-r2", "shop-db-1", "network", "volume", "secrets"] {
        assert!(!text.contains(kept), "{kept}: {text}");
    }
    let all = plan_down("shop", &observed, None, &DownOptions::default()).render();
    assert!(all.contains("remove shop-api-1-r1") && all.contains("remove shop-api-1-r2"), "{all}");
}

const LIVE: &str = "
x-base: &base { image: IMAGE, init: true, stop_grace_period: 1s, command: [sleep, '1000'] }
services:
  db: { <<: *base, volumes: ['data:/data'] }
  api: { <<: *base, depends_on: [db] }
volumes: { data: {} }
";

/// Takes everything until a step that its text names.
#[derive(Debug)]
struct Refuses {
    what: &'static str,
    told: Mutex<Vec<String>>,
}

impl Journal for Refuses {
    fn before(&self, step: &Step) -> io::Result<()> {
        let what = step.op.describe();
        if what.starts_with(self.what) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.told.lock().unwrap().push(what);
        Ok(())
    }

    fn after(&self, step: &Step, end: &End) {
        self.told.lock().unwrap().push(format!("{end:?}: {}", step.op.describe()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn releases_stand_side_by_side_on_an_engine() {
    let Some(bench) = Bench::new("releases").await else { return };
    let journal = bench.scratch.0.join("journal");
    let up = async |id: &str| {
        let wanted = bench.desired(LIVE).await.in_generation(&generation(id), is_api).unwrap();
        let observed = bench.observed().await;
        let plan = plan(&wanted, &observed, &PlanOptions::default()).unwrap();
        assert!(port_conflicts(&plan, &wanted, &observed, &host_listeners()).is_empty());
        let journal: Arc<dyn Journal> = Arc::new(FileJournal::open(&journal).unwrap());
        let options = RunOptions { state: bench.state(), journal: Some(journal), ..RunOptions::default() };
        let outcome = run(&bench.engine, &plan, &bench.files(LIVE), &options, &mut |_| {}).await;
        assert!(outcome.is_success(), "{:#?}", outcome.failures);
        plan
    };
    let first = up("1").await;
    let before = bench.containers().await;
    let second = up("2").await;
    let names = |text: &str| format!("{}-{text}", bench.name);
    let after = bench.containers().await;
    let all: Vec<String> = [names("api-1-r1"), names("api-1-r2"), names("db-1")].into();
    assert_eq!(after.keys().cloned().collect::<Vec<_>>(), all);
    assert!(before.iter().all(|(name, found)| after[name] == *found), "{before:?} {after:?}");
    // each step is there before and after
    let entries = read_journal(&journal).unwrap();
    assert_eq!(entries.len(), 2 * (first.steps.len() + second.steps.len()));
    assert!(entries.iter().filter_map(|entry| entry.end.as_ref()).all(|end| *end == End::Done));
    for step in &second.steps {
        let of_step: Vec<usize> =
            (2 * first.steps.len()..entries.len()).filter(|at| entries[*at].step == step.id).collect();
        let ends: Vec<bool> = of_step.iter().map(|at| entries[*at].end.is_some()).collect();
        assert_eq!(ends, [false, true], "{}", step.op.describe());
    }

    // the first goes, and the second does not notice
    let options = DownOptions { generation: Some(generation("1")), grace: Some(1), ..DownOptions::default() };
    let down = plan_down(&bench.name, &bench.observed().await, None, &options);
    let options = RunOptions { state: bench.state(), ..RunOptions::default() };
    assert!(run(&bench.engine, &down, &bench.files(LIVE), &options, &mut |_| {}).await.is_success());
    let left = bench.containers().await;
    assert_eq!(left.keys().cloned().collect::<Vec<_>>(), [names("api-1-r2"), names("db-1")]);
    assert!(left.iter().all(|(name, found)| after[name] == *found && found.1 == RunState::Running));

    // a step that cannot be written down does not begin, and nothing after it
    let wanted = bench.desired(LIVE).await.in_generation(&generation("3"), is_api).unwrap();
    let plan = plan(&wanted, &bench.observed().await, &PlanOptions::default()).unwrap();
    let refuses = Arc::new(Refuses { what: "start ", told: Mutex::default() });
    let options =
        RunOptions { state: bench.state(), journal: Some(refuses.clone()), ..RunOptions::default() };
    let outcome = run(&bench.engine, &plan, &bench.files(LIVE), &options, &mut |_| {}).await;
    assert_eq!(outcome.failures.len(), 1, "{:#?}", outcome.failures);
    assert!(outcome.failures[0].reason.contains("the step has not begun"), "{:#?}", outcome.failures);
    assert!(outcome.failures[0].hint.is_some());
    assert_eq!(bench.containers().await[&names("api-1-r3")].1, RunState::Created);
    let create = plan.steps.iter().find(|step| matches!(step.op, Op::CreateContainer { .. })).unwrap();
    let create = create.op.describe();
    assert_eq!(*refuses.told.lock().unwrap(), [create.clone(), format!("Done: {create}")]);
}

#[test]
fn stores_are_shared_by_all() {
    let wanted =
        wanted_of(&project("shop", SHOP, Path::new("/srv/shop")), &plimsoll_stack::StackFiles::default());
    let released = wanted.clone().in_generation(&generation("1"), is_api).unwrap();
    assert_eq!((&wanted.networks, &wanted.volumes), (&released.networks, &released.volumes));
    assert_eq!(wanted.services[0], released.services[0]);
}
