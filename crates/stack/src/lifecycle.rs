//! Stop, start and restart of containers that exist, in the order of their dependencies and held at the gates that the
//! containers' labels name. No Compose file is needed, so it works for a stack of docker compose too.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use plimsoll_engine::{Engine, HealthSpec, RunState};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Hooks, Op, Plan, StackError, labels};

/// A container of a project as these verbs see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Name.
    pub name: String,
    /// Service, by label.
    pub service: String,
    /// Whether it runs.
    pub state: RunState,
    /// Exit code of its last run.
    pub exit_code: i64,
    /// What it depends on, by label: service, condition, whether it is restarted with it.
    pub needs: Vec<(String, String, bool)>,
    /// Commands in it.
    pub hooks: Hooks,
    /// Health check in force.
    pub health: Option<HealthSpec>,
}

impl Member {
    fn is_up(&self) -> bool {
        matches!(self.state, RunState::Running | RunState::Restarting | RunState::Paused)
    }
}

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lifecycle {
    /// Only these services; empty is all.
    pub services: Vec<String>,
    /// Seconds that a container has to end, instead of its own grace period.
    pub grace: Option<u32>,
    /// Leave other services alone: neither what it depends on nor what depends on it.
    pub no_deps: bool,
}

/// The containers of `project` but those of `run`.
pub async fn members(engine: &Engine, project: &str) -> Result<Vec<Member>, StackError> {
    let found = engine.containers_labelled(&[format!("{}={project}", labels::PROJECT)]).await?;
    let ordinary = found.into_iter().filter(|container| {
        container.label(labels::ONEOFF).is_none_or(|value| !value.eq_ignore_ascii_case("true"))
            && container.label(labels::HELPER).is_none()
    });
    let mut members = try_join_all(ordinary.map(|container| async move {
        let raw = engine.inspect_container_raw(&container.id).await?;
        Ok::<_, StackError>(Member {
            service: container.label(labels::SERVICE).unwrap_or_default().to_owned(),
            needs: needs(container.label(labels::DEPENDS_ON).unwrap_or_default()),
            hooks: Hooks::from_label(container.label(labels::HOOKS)),
            health: health(&raw["Config"]["Healthcheck"]),
            exit_code: raw["State"]["ExitCode"].as_i64().unwrap_or(0),
            state: container.state,
            name: container.name,
        })
    }))
    .await?;
    members.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(members)
}

/// `db:service_healthy:false,cache:service_started:true`.
fn needs(label: &str) -> Vec<(String, String, bool)> {
    let entry = |entry: &str| {
        let mut parts = entry.split(':');
        let service = parts.next().filter(|service| !service.is_empty())?.to_owned();
        let condition = parts.next().unwrap_or("service_started").to_owned();
        Some((service, condition, parts.next() == Some("true")))
    };
    label.split(',').filter_map(entry).collect()
}

fn health(config: &Value) -> Option<HealthSpec> {
    let test: Vec<String> =
        config["Test"].as_array()?.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect();
    if test.first().is_none_or(|first| first == "NONE") {
        return None;
    }
    let span = |key: &str| config[key].as_i64().filter(|span| *span > 0);
    Some(HealthSpec {
        test,
        interval: span("Interval"),
        timeout: span("Timeout"),
        retries: span("Retries"),
        start_period: span("StartPeriod"),
        start_interval: span("StartInterval"),
    })
}

/// Stops containers; those that depend on others first.
pub fn plan_stop(project: &str, members: &[Member], ask: &Lifecycle) -> Plan {
    let mut plan = Plan { project: project.to_owned(), ..Plan::default() };
    let chosen = chosen(members, ask, false);
    let ended = members.iter().filter(|member| chosen.contains(member.service.as_str()) && !member.is_up());
    plan.unchanged = ended.map(|member| member.name.clone()).collect();
    stop(&mut plan, members, &chosen, ask, "its stop was asked for");
    plan
}

/// Starts containers that do not run, and what they depend on before them.
pub fn plan_start(project: &str, members: &[Member], ask: &Lifecycle) -> Plan {
    let mut plan = Plan { project: project.to_owned(), ..Plan::default() };
    let chosen = chosen(members, ask, true);
    start(&mut plan, members, &chosen, &BTreeMap::new(), ask, "its start was asked for");
    plan
}

/// Stops containers, those that depend on others first, and starts them again in the opposite order. Services that
/// say `restart: true` about a chosen one are restarted too.
pub fn plan_restart(project: &str, members: &[Member], ask: &Lifecycle) -> Plan {
    let mut plan = Plan { project: project.to_owned(), ..Plan::default() };
    let mut chosen = chosen(members, ask, false);
    if !ask.no_deps {
        loop {
            let follow: BTreeSet<&str> = members
                .iter()
                .filter(|member| member.is_up() && !chosen.contains(member.service.as_str()))
                .filter(|member| {
                    member
                        .needs
                        .iter()
                        .any(|(service, _, restart)| *restart && chosen.contains(service.as_str()))
                })
                .map(|member| member.service.as_str())
                .collect();
            if follow.is_empty() {
                break;
            }
            chosen.extend(follow);
        }
    }
    let stops = stop(&mut plan, members, &chosen, ask, "its restart was asked for");
    start(&mut plan, members, &chosen, &stops, ask, "its restart was asked for");
    plan
}

/// The asked-for services; with `needs` those that they depend on too.
fn chosen<'a>(members: &'a [Member], ask: &Lifecycle, needs: bool) -> BTreeSet<&'a str> {
    let wanted = |member: &&Member| ask.services.is_empty() || ask.services.contains(&member.service);
    let mut chosen: BTreeSet<&str> =
        members.iter().filter(wanted).map(|member| member.service.as_str()).collect();
    if !needs || ask.no_deps {
        return chosen;
    }
    loop {
        let more: Vec<&str> = members
            .iter()
            .filter(|member| chosen.contains(member.service.as_str()))
            .flat_map(|member| member.needs.iter().map(|(service, _, _)| service.as_str()))
            .filter(|service| !chosen.contains(service))
            .collect();
        if more.is_empty() {
            return chosen;
        }
        chosen.extend(more);
    }
}

/// Services, each after those that it depends on. Labels of others may form a cycle: then the rest comes in any order.
fn in_order<'a>(members: &'a [Member], chosen: &BTreeSet<&'a str>) -> Vec<&'a str> {
    let mut left: BTreeSet<&str> =
        members.iter().map(|member| member.service.as_str()).filter(|name| chosen.contains(name)).collect();
    let mut order = Vec::new();
    while !left.is_empty() {
        let waits = |service: &str| {
            members.iter().filter(|member| member.service == service).any(|member| {
                member.needs.iter().any(|(need, _, _)| need != service && left.contains(need.as_str()))
            })
        };
        let free: Vec<&str> = left.iter().copied().filter(|service| !waits(service)).collect();
        if free.is_empty() {
            order.extend(std::mem::take(&mut left));
            break;
        }
        left.retain(|service| !free.contains(service));
        order.extend(free);
    }
    order
}

fn stop(
    plan: &mut Plan,
    members: &[Member],
    chosen: &BTreeSet<&str>,
    ask: &Lifecycle,
    cause: &str,
) -> BTreeMap<String, Vec<usize>> {
    let mut stops: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for service in in_order(members, chosen).into_iter().rev() {
        let dependents: Vec<usize> = members
            .iter()
            .filter(|member| member.needs.iter().any(|(need, _, _)| need == service))
            .flat_map(|member| stops.get(&member.service).cloned().unwrap_or_default())
            .collect();
        for member in members.iter().filter(|member| member.service == service && member.is_up()) {
            let running = member.state == RunState::Running;
            let whom = (member.name.as_str(), service);
            let step = plan.stop_named(whom, &member.hooks, running, ask.grace, (cause, &dependents));
            stops.entry(service.to_owned()).or_default().push(step);
        }
    }
    stops
}

fn start(
    plan: &mut Plan,
    members: &[Member],
    chosen: &BTreeSet<&str>,
    stops: &BTreeMap<String, Vec<usize>>,
    ask: &Lifecycle,
    cause: &str,
) {
    // service to the steps after which it has been started, and after which it is ready
    let mut reached: BTreeMap<&str, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    let mut all_stops: Vec<usize> = stops.values().flatten().copied().collect();
    all_stops.sort_unstable();
    for service in in_order(members, chosen) {
        let mut steps = (Vec::new(), Vec::new());
        for member in members.iter().filter(|member| member.service == service) {
            let awaited = members
                .iter()
                .flat_map(|other| &other.needs)
                .any(|(need, condition, _)| need == service && condition == "service_completed_successfully");
            let stopped = stops.contains_key(service) && member.is_up();
            if awaited && member.state == RunState::Exited && member.exit_code == 0 {
                continue;
            }
            let mut after: Vec<usize> = if stopped { all_stops.clone() } else { Vec::new() };
            for (need, condition, _) in &member.needs {
                let blind = condition == "service_healthy"
                    && !ask.no_deps
                    && members.iter().any(|other| other.service == *need && other.health.is_none());
                if blind {
                    plan.notes.push(format!(
                        "{} waits until {need} is healthy, and {need} has no health check: only its start is waited for",
                        member.name
                    ));
                }
                if let Some((started, ready)) = reached.get(need.as_str()) {
                    after.extend(if condition == "service_started" { started } else { ready });
                }
            }
            if stopped || !member.is_up() {
                let op = Op::StartContainer { container: member.name.clone() };
                let step = plan.push(op, Some(service), cause, &after);
                let step = plan.post_start(&member.name, service, &member.hooks, step);
                steps.0.push(step);
                after = vec![step];
            } else if member.state == RunState::Paused {
                let op = Op::UnpauseContainer { container: member.name.clone() };
                let step = plan.push(op, Some(service), "it is frozen", &after);
                steps.0.push(step);
                after = vec![step];
            } else if ask.no_deps || member.health.is_none() {
                continue;
            }
            let container = member.name.clone();
            let (op, why) = match &member.health {
                _ if awaited => (Op::WaitCompleted { container }, "others wait for its end"),
                Some(health) => (
                    Op::WaitHealthy { container, health: health.clone(), unhealthy: false },
                    "it has a health check",
                ),
                None => (Op::WaitRunning { container }, "it has no health check"),
            };
            steps.1.push(plan.push(op, Some(service), why, &after));
        }
        reached.insert(service, steps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(service: &str, needs_label: &str, healthy: bool, state: RunState) -> Member {
        let test = vec!["CMD".to_owned(), "true".to_owned()];
        Member {
            name: format!("shop-{service}-1"),
            service: service.to_owned(),
            state,
            hooks: Hooks::default(),
            exit_code: 0,
            needs: needs(needs_label),
            health: healthy.then(|| HealthSpec { test, ..HealthSpec::default() }),
        }
    }

    fn stack(state: RunState) -> Vec<Member> {
        vec![
            member(
                "api",
                "db:service_healthy:true,migrate:service_completed_successfully:false",
                true,
                state,
            ),
            member("db", "", true, state),
            member("migrate", "db:service_healthy:false", false, RunState::Exited),
            member("web", "api:service_healthy:false", false, state),
        ]
    }

    fn only(services: &[&str]) -> Lifecycle {
        Lifecycle { services: services.iter().map(ToString::to_string).collect(), ..Lifecycle::default() }
    }

    #[test]
    fn dependents_are_stopped_first() {
        let plan = plan_stop("shop", &stack(RunState::Running), &Lifecycle::default());
        insta::assert_snapshot!(plan.render(), @r"
           1  stop shop-web-1  # its stop was asked for
           2  stop shop-api-1 after 1  # its stop was asked for
           3  stop shop-db-1 after 2  # its stop was asked for
        as they should be: shop-migrate-1
        ");
    }

    #[test]
    fn a_start_brings_what_is_needed_and_waits_at_the_gates() {
        let plan = plan_start("shop", &stack(RunState::Exited), &only(&["api"]));
        insta::assert_snapshot!(plan.render(), @r"
           1  start shop-db-1  # its start was asked for
           2  wait until shop-db-1 is healthy after 1  # it has a health check
           3  start shop-api-1 after 2  # its start was asked for
           4  wait until shop-api-1 is healthy after 3  # it has a health check
        ");
        let alone = Lifecycle { no_deps: true, ..only(&["web"]) };
        let plan = plan_start("shop", &stack(RunState::Exited), &alone);
        assert_eq!(plan.steps.len(), 2, "{}", plan.render());
    }

    #[test]
    fn a_restart_takes_along_those_that_ask_for_it() {
        let plan = plan_restart("shop", &stack(RunState::Running), &only(&["db"]));
        insta::assert_snapshot!(plan.render(), @r"
           1  stop shop-api-1  # its restart was asked for
           2  stop shop-db-1 after 1  # its restart was asked for
           3  start shop-db-1 after 1,2  # its restart was asked for
           4  wait until shop-db-1 is healthy after 3  # it has a health check
           5  start shop-api-1 after 1,2,4  # its restart was asked for
           6  wait until shop-api-1 is healthy after 5  # it has a health check
        ");
        let alone = Lifecycle { no_deps: true, ..only(&["db"]) };
        let plan = plan_restart("shop", &stack(RunState::Running), &alone);
        assert!(!plan.render().contains("shop-api-1"), "{}", plan.render());
    }

    #[test]
    fn labels_that_form_a_cycle_do_not_hang() {
        let members = vec![
            member("a", "b:service_started:false", false, RunState::Exited),
            member("b", "a:service_started:false", false, RunState::Exited),
        ];
        assert_eq!(plan_start("shop", &members, &Lifecycle::default()).steps.len(), 4);
    }
}
