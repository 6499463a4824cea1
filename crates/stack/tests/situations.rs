//! The situations that docker compose's own planner is tested in (its `reconcile_test.go`, by its names), each with the
//! test of ours. `live::` and `converge::` are on a real engine; `plan::` are in the file beside this one.
//!
//! | docker compose's case | ours |
//! |---|---|
//! | Networks_CreateMissing | `networks_and_volumes_that_are_missing_are_made_first` |
//! | Networks_ExistingMatch | `plan::nothing_changed_is_nothing_to_do` |
//! | Networks_ExternalSkipped | `plan::networks_and_volumes_of_others` |
//! | Networks_Diverged | `plan::a_network_that_differs_is_made_anew_with_everything_on_it`, `live::a_network_that_changes_is_made_anew` |
//! | Networks_DivergedMultipleServices | `a_network_is_removed_when_every_service_has_left_it`, `converge::networks_change_under_running_services` |
//! | Networks_Unmanaged | `plan::networks_and_volumes_of_others`, `converge::what_others_made_is_used_as_it_is` |
//! | Networks_Renamed | `a_network_with_another_name_is_a_new_one`, `converge::networks_change_under_running_services` |
//! | Networks_DuplicateLabel | `plan::duplicates_of_a_network_are_removed_before_it_is_used` |
//! | Volumes_CreateMissing | `networks_and_volumes_that_are_missing_are_made_first` |
//! | Volumes_ExistingMatch | `plan::nothing_changed_is_nothing_to_do` |
//! | Volumes_ExternalSkipped | `plan::networks_and_volumes_of_others`, `converge::what_others_made_is_used_as_it_is` |
//! | Volumes_DivergedConfirmed | `a_volume_whose_loss_is_agreed_to_is_made_anew`, `converge::a_volume_is_kept_until_its_loss_is_agreed_to` |
//! | Volumes_DivergedDeclined | `plan::a_volume_that_differs_is_kept_and_told`, `converge::a_volume_is_kept_until_its_loss_is_agreed_to` |
//! | Volumes_DivergedNoRecordedHash | `a_volume_without_our_labels_is_used_as_it_is` |
//! | Volumes_DivergedPromptMessage | `plan::a_volume_that_differs_is_kept_and_told` (nobody is asked: a note says how) |
//! | Volumes_DivergedPromptError | `flags::up_refuses_what_it_cannot_mean` (a volume that is not there) |
//! | Volumes_DivergedConfirmedScaleN | `every_replica_leaves_a_volume_that_is_made_anew` |
//! | Volumes_DivergedConfirmedMultipleServices | `every_service_leaves_a_volume_that_is_made_anew` |
//! | Volumes_DivergedConfirmedSharedContainer | `two_volumes_of_one_container_are_made_anew_at_once` |
//! | Volumes_DivergedPartialConfirm | `only_the_volume_that_was_named_is_made_anew` |
//! | Volumes_DivergedCascadesToDependent | `who_has_a_volume_from_another_goes_before_it` |
//! | Volumes_DivergedVolumesFromRemovedBeforeVolume | `who_has_a_volume_from_another_goes_before_it` |
//! | Volumes_UnmanagedMatchReused | `a_volume_without_our_labels_is_used_as_it_is`, `converge::what_others_made_is_used_as_it_is` |
//! | Volumes_RenamedIsAdditive | `a_volume_with_another_name_is_a_new_one` |
//! | Volumes_DivergedUnmountedVolume | `a_volume_that_nobody_has_mounted_is_made_anew_at_once` |
//! | Volumes_DuplicateLabel | `two_volumes_of_one_key_are_told_apart_by_name` |
//! | Containers_NewProject | `plan::a_new_project_is_made_in_the_order_of_its_dependencies` |
//! | Containers_AlreadyRunning | `plan::nothing_changed_is_nothing_to_do`, `live::nothing_changed_is_quick_and_touches_nothing` |
//! | Containers_ConfigChanged | `plan::every_changed_part_is_named` |
//! | Containers_ScaleUp | `plan::scaling_up_makes_only_the_new_ones`, `converge::replicas_come_and_go` |
//! | Containers_ScaleDown | `plan::scaling_down_removes_the_highest_number`, `converge::replicas_come_and_go` |
//! | Containers_ForceRecreate | `plan::force_recreate_replaces_what_is_up_to_date`, `converge::force_and_never` |
//! | Containers_NeverRecreate | `plan::no_recreate_leaves_what_is_out_of_date`, `converge::force_and_never` |
//! | Containers_ExitedIsNoop | `plan::a_container_that_has_ended_is_started_again` (docker compose starts it in a later phase) |
//! | Containers_DependsOnChain | `plan::a_new_project_is_made_in_the_order_of_its_dependencies` |
//! | Containers_DependsOnScaleDown | `what_depends_on_a_service_waits_for_its_scaling_down` |
//! | Containers_ServiceReference_NoRecreate | `references_to_services_are_no_change` |
//! | Containers_NamespaceParentRecreated_CascadesToDependent | `plan::what_lives_in_another_s_namespace_is_replaced_with_it`, `converge::namespaces_follow_their_parent` |
//! | Containers_MultipleParents_EitherTriggersCascade | `each_of_several_parents_takes_its_dependent_along` |
//! | Containers_RegularDependsOn_NoCascade | `plan::a_changed_dependency_does_not_cascade` |
//! | Orphans | `plan::orphans_are_named_and_removed_when_asked`, `converge::orphans_go_when_asked` |
//! | ScaleToZero | `plan::scaling_to_zero_removes_all` |
//! | ScaleDownRemovesObsoleteFirst | `plan::scaling_down_removes_an_outdated_one_before_a_current_one` |
//! | ScaleUpNoRecreate | `more_replicas_without_replacing_the_old_ones` |
//! | ForceRecreateNoDeps | `forcing_one_service_leaves_what_it_depends_on` |
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::BTreeMap;

use insta::assert_snapshot;
use plimsoll_engine::RunState;
use plimsoll_source::Explain as _;
use plimsoll_stack::{Desired, Observed, Op, Plan, PlanOptions, StackError, labels, plan};
use support::{converged, wanted};

const DB: &str = "services: { db: { image: db:1, volumes: ['data:/data'] } }\nvolumes: { data: {} }";

fn shown(desired: &Desired, observed: &Observed) -> String {
    plan(desired, observed, &PlanOptions::default()).unwrap().render()
}

/// A plan in which the loss of these volumes is agreed to.
fn losing(desired: &Desired, observed: &Observed, volumes: &[&str]) -> Plan {
    let recreate_volumes = volumes.iter().map(ToString::to_string).collect();
    plan(desired, observed, &PlanOptions { recreate_volumes, ..PlanOptions::default() }).unwrap()
}

fn step(plan: &Plan, what: &str) -> usize {
    let found = plan.steps.iter().position(|step| step.op.describe().starts_with(what));
    found.unwrap_or_else(|| panic!("no step `{what}` in\n{}", plan.render()))
}

/// Whether `late` comes after `early`, whatever is between them.
fn follows(plan: &Plan, late: usize, early: usize) -> bool {
    late == early || plan.steps[late].after.iter().any(|before| follows(plan, *before, early))
}

/// Another driver option than the engine's volume has.
fn diverged(text: &str, volume: &str) -> Desired {
    let text =
        text.replace(&format!("{volume}: {{}}"), &format!("{volume}: {{ driver_opts: {{ size: 1g }} }}"));
    wanted(&text)
}

#[test]
fn networks_and_volumes_that_are_missing_are_made_first() {
    let plan = plan(
        &wanted("services: { web: { image: web:1, networks: [front, back], volumes: ['data:/data'] } }\nnetworks: { front: {}, back: {} }\nvolumes: { data: {} }"),
        &Observed::default(),
        &PlanOptions::default(),
    )
    .unwrap();
    let create = step(&plan, "create shop-web-1");
    for what in ["create network shop_front", "create network shop_back", "create volume shop_data"] {
        let made = step(&plan, what);
        assert!(plan.steps[made].after.is_empty() && plan.steps[made].cause.ends_with("does not exist"));
        // the second network is joined after the container is made
        let all = follows(&plan, create, made) || follows(&plan, step(&plan, "start shop-web-1"), made);
        assert!(all, "{}", plan.render());
    }
}

#[test]
fn a_network_is_removed_when_every_service_has_left_it() {
    let text = "services: { api: { image: a:1, networks: [n] }, web: { image: w:1, networks: [n] } }\nnetworks: { n: {} }";
    let observed = converged(&wanted(text));
    let plan =
        plan(&wanted(&text.replace("n: {}", "n: { internal: true }")), &observed, &PlanOptions::default())
            .unwrap();
    let removed = step(&plan, "remove network shop_n");
    for container in ["shop-api-1", "shop-web-1"] {
        assert!(follows(&plan, removed, step(&plan, &format!("remove {container}"))), "{}", plan.render());
        let stops = plan.steps.iter().filter(|step| step.op.describe() == format!("stop {container}"));
        assert_eq!(stops.count(), 1, "{}", plan.render());
        assert!(follows(
            &plan,
            step(&plan, &format!("create {container}")),
            step(&plan, "create network shop_n")
        ));
    }
}

#[test]
fn a_network_with_others_on_it_is_left_alone_before_anything_is_touched() {
    let text = "services: { web: { image: w:1, networks: [n] } }\nnetworks: { n: {} }";
    let mut observed = converged(&wanted(text));
    observed.foreign_networks.push(("shop_n".into(), "container other".into()));
    let changed = wanted(&text.replace("n: {}", "n: { internal: true }"));
    let error = plan(&changed, &observed, &PlanOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "network `shop_n` is in use by container other");
    assert!(matches!(error, StackError::InUse { .. }) && error.hint().is_some());
}

#[test]
fn a_network_with_another_name_is_a_new_one() {
    let text = "services: { web: { image: w:1, networks: [n] } }\nnetworks: { n: {} }";
    let observed = converged(&wanted(text));
    let text = shown(&wanted(&text.replace("n: {}", "n: { name: edge }")), &observed);
    assert!(text.contains("create network edge  # network n does not exist"), "{text}");
    assert!(text.contains("# web: networks changed") && !text.contains("remove network"), "{text}");
}

#[test]
fn a_volume_whose_loss_is_agreed_to_is_made_anew() {
    let plan = losing(&diverged(DB, "data"), &converged(&wanted(DB)), &["data"]);
    assert_snapshot!(plan.render(), @r"
       1  stop shop-db-1  # volume data: its driver options changed; its loss was agreed to
       2  remove shop-db-1 after 1  # volume data: its driver options changed; its loss was agreed to
       3  remove volume shop_data after 2  # volume data: its driver options changed; its loss was agreed to
       4  create volume shop_data after 3  # volume data: its driver options changed; its loss was agreed to
       5  create shop-db-1 from 64623a310000 after 2,4  # volume data: its driver options changed; its loss was agreed to
       6  start shop-db-1 after 5  # volume data: its driver options changed; its loss was agreed to
       7  see that shop-db-1 stays up after 6  # db has no health check
    ");
    // one that is as it should be is not lost, although it was named
    assert!(losing(&wanted(DB), &converged(&wanted(DB)), &["data"]).is_empty());
}

#[test]
fn a_volume_that_others_have_is_not_removed() {
    let mut observed = converged(&wanted(DB));
    observed.foreign_volumes.push(("shop_data".into(), "container backup".into()));
    let recreate_volumes = ["data".to_owned()].into();
    let options = PlanOptions { recreate_volumes, ..PlanOptions::default() };
    let error = plan(&diverged(DB, "data"), &observed, &options).unwrap_err();
    assert_eq!(error.to_string(), "volume `shop_data` is in use by container backup");
}

#[test]
fn a_volume_without_our_labels_is_used_as_it_is() {
    let mut observed = converged(&wanted(DB));
    observed.volumes[0].spec.labels.clear();
    let plan = losing(&diverged(DB, "data"), &observed, &["data"]);
    assert!(plan.is_empty(), "{}", plan.render());
    assert_eq!(plan.notes, ["volume shop_data was not made by this project; it is used as it is"]);
}

#[test]
fn every_replica_leaves_a_volume_that_is_made_anew() {
    let text = DB.replace("db: {", "db: { scale: 2,");
    let plan = losing(&diverged(&text, "data"), &converged(&wanted(&text)), &["data"]);
    let (removed, made) = (step(&plan, "remove volume"), step(&plan, "create volume"));
    for number in [1, 2] {
        assert!(follows(&plan, removed, step(&plan, &format!("remove shop-db-{number}"))));
        assert!(follows(&plan, step(&plan, &format!("create shop-db-{number}")), made));
    }
}

#[test]
fn every_service_leaves_a_volume_that_is_made_anew() {
    let text = DB.replace(" } }\nvolumes", " }, job: { image: j:1, volumes: ['data:/in:ro'] } }\nvolumes");
    let mut observed = converged(&wanted(&text));
    observed.containers[1].volumes = [("/in".to_owned(), "shop_data".to_owned())].into();
    let plan = losing(&diverged(&text, "data"), &observed, &["data"]);
    assert_eq!(plan.steps.iter().filter(|step| matches!(step.op, Op::RemoveVolume { .. })).count(), 1);
    let (removed, made) = (step(&plan, "remove volume"), step(&plan, "create volume"));
    for container in ["shop-db-1", "shop-job-1"] {
        assert!(follows(&plan, removed, step(&plan, &format!("remove {container}"))));
        assert!(follows(&plan, step(&plan, &format!("create {container}")), made));
    }
}

const TWO: &str =
    "services: { db: { image: db:1, volumes: ['one:/a', 'two:/b'] } }\nvolumes: { one: {}, two: {} }";

#[test]
fn two_volumes_of_one_container_are_made_anew_at_once() {
    let desired = diverged(&diverged_text(TWO, "one"), "two");
    let plan = losing(&desired, &converged(&wanted(TWO)), &["one", "two"]);
    let text = plan.render();
    assert_eq!(text.matches("  stop shop-db-1").count(), 1, "{text}");
    assert_eq!(text.matches("  create shop-db-1").count(), 1, "{text}");
    let create = step(&plan, "create shop-db-1");
    for volume in ["shop_one", "shop_two"] {
        assert!(follows(&plan, create, step(&plan, &format!("create volume {volume}"))), "{text}");
    }
}

fn diverged_text(text: &str, volume: &str) -> String {
    text.replace(&format!("{volume}: {{}}"), &format!("{volume}: {{ driver_opts: {{ size: 1g }} }}"))
}

#[test]
fn only_the_volume_that_was_named_is_made_anew() {
    let text = "services: { one: { image: i:1, volumes: ['uno:/a'] }, two: { image: i:1, volumes: ['due:/b'] } }\nvolumes: { uno: {}, due: {} }";
    let desired = diverged(&diverged_text(text, "uno"), "due");
    let plan = losing(&desired, &converged(&wanted(text)), &["uno"]);
    assert!(plan.unchanged.contains(&"shop-two-1".to_owned()), "{}", plan.render());
    assert!(!plan.render().contains("volume shop_due"), "{}", plan.render());
    assert!(
        plan.notes.iter().any(|note| note.starts_with("volume due: its driver options changed; it is kept"))
    );
}

#[test]
fn who_has_a_volume_from_another_goes_before_it() {
    let text = "services: { owner: { image: o:1, volumes: ['data:/data'] }, user: { image: u:1, volumes_from: [owner] } }\nvolumes: { data: {} }";
    let mut observed = converged(&wanted(text));
    // the engine shows the volume at whoever has it, and the Compose file does not name it there
    let user = observed.containers.iter_mut().find(|found| found.service == "user").unwrap();
    user.volumes = [("/data".to_owned(), "shop_data".to_owned())].into();
    let plan = losing(&diverged(text, "data"), &observed, &["data"]);
    let removed = step(&plan, "remove volume");
    assert!(follows(&plan, removed, step(&plan, "remove shop-user-1")), "{}", plan.render());
    assert!(follows(&plan, removed, step(&plan, "remove shop-owner-1")), "{}", plan.render());
    assert!(follows(&plan, step(&plan, "create shop-user-1"), step(&plan, "create shop-owner-1")));
}

#[test]
fn a_volume_with_another_name_is_a_new_one() {
    let text = shown(&wanted(&DB.replace("data: {}", "data: { name: data2 }")), &converged(&wanted(DB)));
    assert!(text.contains("create volume data2  # volume data does not exist"), "{text}");
    assert!(text.contains("# db: volumes changed") && !text.contains("remove volume"), "{text}");
}

#[test]
fn a_volume_that_nobody_has_mounted_is_made_anew_at_once() {
    let mut observed = converged(&wanted(DB));
    observed.containers.clear();
    let plan = losing(&diverged(DB, "data"), &observed, &["data"]);
    assert!(plan.steps[step(&plan, "remove volume")].after.is_empty(), "{}", plan.render());
    assert!(follows(&plan, step(&plan, "create shop-db-1"), step(&plan, "create volume")));
}

#[test]
fn two_volumes_of_one_key_are_told_apart_by_name() {
    let mut observed = converged(&wanted(DB));
    let mut old = observed.volumes[0].clone();
    old.spec.name = "shop_data_of_old".into();
    old.spec.driver = "other".into();
    observed.volumes.insert(0, old);
    assert!(plan(&wanted(DB), &observed, &PlanOptions::default()).unwrap().is_empty());
}

#[test]
fn what_depends_on_a_service_waits_for_its_scaling_down() {
    let text = "services: { db: { image: db:1 }, web: { image: w:1, depends_on: [db] } }";
    let mut observed = converged(&wanted(text));
    observed.containers.retain(|found| found.service == "db");
    let desired = wanted(&text.replace("db: { image: db:1 }", "db: { image: db:1, scale: 0 }"));
    let plan = plan(&desired, &observed, &PlanOptions::default()).unwrap();
    assert!(
        follows(&plan, step(&plan, "start shop-web-1"), step(&plan, "remove shop-db-1")),
        "{}",
        plan.render()
    );
}

#[test]
fn references_to_services_are_no_change() {
    for reference in [
        "network_mode: 'service:parent'",
        "ipc: 'service:parent'",
        "pid: 'service:parent'",
        "volumes_from: [parent]",
        "volumes_from: ['container:elsewhere:ro']",
        "links: ['parent:p']",
    ] {
        let text = format!("services: {{ parent: {{ image: p:1 }}, child: {{ image: c:1, {reference} }} }}");
        let desired = wanted(&text);
        let plan = plan(&desired, &converged(&desired), &PlanOptions::default()).unwrap();
        assert!(plan.is_empty(), "{reference}\n{}", plan.render());
    }
}

#[test]
fn each_of_several_parents_takes_its_dependent_along() {
    let text = "services: { net: { image: n:1 }, vol: { image: v:1 }, child: { image: c:1, network_mode: 'service:net', volumes_from: [vol] } }";
    let observed = converged(&wanted(text));
    for (parent, other) in [("n:1", "vol"), ("v:1", "net")] {
        let text = shown(&wanted(&text.replace(parent, "new:2")), &observed);
        assert!(text.contains("# child shares namespaces or volumes with"), "{text}");
        assert!(text.contains(&format!("as they should be: shop-{other}-1")), "{text}");
        assert_eq!(text.matches("  stop shop-child-1").count(), 1, "{text}");
    }
}

const WORKERS: &str = "services: { worker: { image: worker:1, scale: 2 } }";

#[test]
fn more_replicas_without_replacing_the_old_ones() {
    let observed = converged(&wanted(WORKERS));
    let desired = wanted(&WORKERS.replace("worker:1", "worker:2").replace("scale: 2", "scale: 4"));
    let options = PlanOptions { no_recreate: true, ..PlanOptions::default() };
    let text = plan(&desired, &observed, &options).unwrap().render();
    assert!(text.contains("create shop-worker-3") && text.contains("create shop-worker-4"), "{text}");
    assert!(text.contains("as they should be: shop-worker-1, shop-worker-2"), "{text}");
}

const PAIR: &str = "services: { db: { image: db:1 }, web: { image: w:1, depends_on: [db] } }";

#[test]
fn forcing_one_service_leaves_what_it_depends_on() {
    let observed = converged(&wanted(PAIR));
    let options =
        PlanOptions { force_recreate: true, services: vec!["web".into()], ..PlanOptions::default() };
    let text = plan(&wanted(PAIR), &observed, &options).unwrap().render();
    assert!(text.contains("# web: asked for") && text.contains("as they should be: shop-db-1"), "{text}");
    // its dependencies too, if they are asked for
    let options = PlanOptions { always_recreate_deps: true, ..options };
    let text = plan(&wanted(PAIR), &observed, &options).unwrap().render();
    assert!(text.contains("# db: asked for"), "{text}");
    // or not even looked at
    let options = PlanOptions { no_deps: true, services: vec!["web".into()], ..PlanOptions::default() };
    let plan = plan(&wanted(&PAIR.replace("db:1", "db:2")), &observed, &options).unwrap();
    assert!(plan.steps.is_empty() && plan.unchanged == ["shop-web-1"], "{}", plan.render());
}

#[test]
fn containers_are_made_and_not_started() {
    let options = PlanOptions { no_start: true, ..PlanOptions::default() };
    let made = plan(&wanted(PAIR), &Observed::default(), &options).unwrap();
    let starts = |plan: &Plan| {
        plan.steps
            .iter()
            .filter(|step| matches!(step.op, Op::StartContainer { .. }) || step.op.is_wait())
            .count()
    };
    assert_eq!(starts(&made), 0, "{}", made.render());
    let mut observed = converged(&wanted(PAIR));
    observed.containers[1].state = RunState::Exited;
    let replaced = plan(&wanted(&PAIR.replace("db:1", "db:2")), &observed, &options).unwrap();
    assert_eq!(starts(&replaced), 0, "{}", replaced.render());
    assert!(
        replaced.render().contains("rename") && replaced.unchanged == ["shop-web-1"],
        "{}",
        replaced.render()
    );
}

#[test]
fn anonymous_volumes_are_new_when_asked() {
    let mut observed = converged(&wanted(WORKERS));
    observed.containers[0].volumes = [("/data".to_owned(), "ab".repeat(32))].into();
    let options = PlanOptions { renew_anon_volumes: true, ..PlanOptions::default() };
    let plan = plan(&wanted(&WORKERS.replace("worker:1", "worker:2")), &observed, &options).unwrap();
    assert!(!serde_json::to_string(&plan).unwrap().contains(&"ab".repeat(32)));
    assert!(plan.steps.iter().any(|step| matches!(&step.op, Op::RemoveContainer { volumes: true, .. })));
}

#[test]
fn replicas_are_updated_in_groups() {
    let text = "services: { w: { image: w:1, deploy: { replicas: 4, update_config: { parallelism: 2, delay: 3s } } } }";
    let plan = plan(&wanted(&text.replace("w:1", "w:2")), &converged(&wanted(text)), &PlanOptions::default())
        .unwrap();
    let waited = step(&plan, "wait 3 s");
    for (number, second) in [(1, false), (2, false), (3, true), (4, true)] {
        let stop = step(&plan, &format!("stop shop-w-{number}"));
        assert_eq!(follows(&plan, stop, waited), second, "{number}\n{}", plan.render());
        if !second {
            assert!(
                follows(&plan, waited, step(&plan, &format!("see that shop-w-{number}"))),
                "{}",
                plan.render()
            );
        }
    }
}

#[test]
fn the_successor_starts_first_where_it_can() {
    let text = "services: { w: { image: w:1, deploy: { update_config: { order: start-first } } } }";
    let observed = converged(&wanted(text));
    let old = observed.containers[0].id[..12].to_owned();
    let text_of = |text: &str| shown(&wanted(&text.replace("w:1", "w:2")), &observed).replace(&old, "OLD");
    assert_snapshot!(text_of(text), @r"
       1  create OLD_shop-w-1 from 773a32000000  # w: image changed 773a31000000 -> 773a32000000
       2  start OLD_shop-w-1 after 1  # w: image changed 773a31000000 -> 773a32000000
       3  see that OLD_shop-w-1 stays up after 2  # w has no health check
       4  stop shop-w-1 after 3  # w: image changed 773a31000000 -> 773a32000000
       5  remove shop-w-1 after 4  # w: image changed 773a31000000 -> 773a32000000
       6  rename OLD_shop-w-1 to shop-w-1 after 5  # w: image changed 773a31000000 -> 773a32000000
    ");
    let published = text_of(&text.replace("image: w:1", "image: w:1, ports: ['8080:80']"));
    assert!(
        published.contains("note  w: `order: start-first` is not possible, port 8080 of the host"),
        "{published}"
    );
    assert!(published.contains("2  stop shop-w-1"), "{published}");
}

#[test]
fn hooks_are_steps_and_a_killed_run_is_made_up_for() {
    let text = "services: { w: { image: w:1, pre_start: [{ command: [prepare] }], post_start: [{ command: [warm, up] }, { command: [tell], user: root }], pre_stop: [{ command: [drain] }] } }";
    let desired = wanted(text);
    let new = shown(&desired, &Observed::default());
    assert_snapshot!(new);
    // it runs, and nobody has seen its hooks run
    let observed = converged(&desired);
    let late = shown(&desired, &observed);
    assert!(
        late.contains("1  run `warm up` in shop-w-1  # w runs, and its post_start hooks have not been seen"),
        "{late}"
    );
    let options =
        PlanOptions { hooked: [observed.containers[0].id.clone()].into(), ..PlanOptions::default() };
    assert!(plan(&desired, &observed, &options).unwrap().is_empty());
    let changed = plan(&wanted(&text.replace("drain", "empty")), &observed, &options).unwrap();
    let drained = step(&changed, "run `drain` in shop-w-1");
    assert!(changed.steps[drained].cause.contains("pre_stop"));
    assert!(follows(&changed, step(&changed, "stop shop-w-1"), drained), "{}", changed.render());
    assert!(changed.render().contains("# w: hooks changed"), "{}", changed.render());
}

#[test]
fn more_replicas_do_not_run_the_first_one_s_pre_start_again() {
    let text = "services: { w: { image: w:1, scale: 1, pre_start: [{ command: [prepare] }, { command: [each], per_replica: true }] } }";
    let observed = converged(&wanted(text));
    let plan =
        plan(&wanted(&text.replace("scale: 1", "scale: 2")), &observed, &PlanOptions::default()).unwrap();
    let hooks: Vec<String> = plan
        .steps
        .iter()
        .filter(|step| matches!(step.op, Op::RunInit { .. }))
        .map(|step| step.op.describe())
        .collect();
    assert_eq!(hooks, ["run shop-w-2-pre-start-2 to its end"]);
}

#[test]
fn a_stack_that_docker_compose_made_from_the_same_file_is_left_alone() {
    let desired = wanted(PAIR);
    let mut observed = converged(&desired);
    for container in &mut observed.containers {
        (container.parts, container.hash) = (None, String::new());
    }
    assert!(plan(&desired, &observed, &PlanOptions::default()).unwrap().is_empty());
    observed.containers[0].image_label = "sha256:old".into();
    let text = shown(&desired, &observed);
    assert!(text.contains("# db: it was made by another tool"), "{text}");
    let own: BTreeMap<&str, &str> =
        desired.services[0].spec.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(own[labels::CONFIG_HASH].len(), 64);
    assert_ne!(own[labels::CONFIG_HASH], own[labels::HASH]);
}
