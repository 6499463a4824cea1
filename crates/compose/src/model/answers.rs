//! Questions that more than one attribute of a service answers. Whoever needs an answer asks here, so that what makes
//! containers and what measures them never differ.

use std::collections::BTreeSet;

use super::{Condition, Project, Service};

/// What a service may use. A limit is `None` where the file has none; where both forms have one, that of `deploy` counts,
/// as in docker compose.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ServiceLimits {
    /// Bytes of memory.
    pub memory: Option<i64>,
    /// Bytes of memory that are kept for it.
    pub memory_reservation: Option<i64>,
    /// CPUs, also parts of one.
    pub cpus: Option<f64>,
    /// Processes and threads; below zero says that there is no limit.
    pub pids: Option<i64>,
}

/// When an engine starts a container again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartRule {
    /// Never.
    No,
    /// Whenever it has ended.
    Always,
    /// Whenever it has ended, unless a person stopped it.
    UnlessStopped,
    /// When it has ended with an error, at most so many times; 0 is without end.
    OnFailure {
        /// The number.
        attempts: u32,
    },
}

impl RestartRule {
    /// Whether a container that has done its work is left ended.
    pub fn lets_it_end(self) -> bool {
        matches!(self, Self::No | Self::OnFailure { .. })
    }
}

impl Service {
    /// What it may use.
    pub fn limits(&self) -> ServiceLimits {
        let resources = self.deploy.as_ref().map(|deploy| &deploy.resources);
        let limits = resources.and_then(|resources| resources.limits.as_ref());
        let kept = resources.and_then(|resources| resources.reservations.as_ref());
        let cpus = [limits.map_or(0.0, |limits| limits.cpus), self.cpus];
        let pids = [limits.map_or(0, |limits| limits.pids), self.pids_limit];
        ServiceLimits {
            memory: limits.and_then(|limits| limits.memory).or(self.mem_limit).map(|bytes| bytes.0),
            memory_reservation: kept
                .and_then(|kept| kept.memory)
                .or(self.mem_reservation)
                .map(|bytes| bytes.0),
            cpus: cpus.into_iter().find(|cpus| *cpus > 0.0),
            pids: pids.into_iter().find(|pids| *pids != 0),
        }
    }

    /// When the engine starts it again; `deploy.restart_policy` counts where both are there.
    pub fn restart_rule(&self) -> RestartRule {
        if let Some(policy) = self.deploy.as_ref().and_then(|deploy| deploy.restart_policy.as_ref()) {
            return match policy.condition.as_deref() {
                Some("none") => RestartRule::No,
                Some("on-failure") => {
                    let attempts = policy.max_attempts.and_then(|count| u32::try_from(count).ok());
                    RestartRule::OnFailure { attempts: attempts.unwrap_or(0) }
                }
                _ => RestartRule::Always,
            };
        }
        match self.restart.as_deref() {
            Some("always") => RestartRule::Always,
            Some("unless-stopped") => RestartRule::UnlessStopped,
            Some(other) if other.starts_with("on-failure") => {
                let attempts = other.split_once(':').and_then(|(_, count)| count.parse().ok()).unwrap_or(0);
                RestartRule::OnFailure { attempts }
            }
            _ => RestartRule::No,
        }
    }

    /// The keys of the networks that it is on: `default` where it names none and has a network of its own at all.
    pub fn network_keys(&self) -> BTreeSet<&str> {
        if self.networks.is_empty() && self.network_mode.is_none() {
            return BTreeSet::from(["default"]);
        }
        self.networks.keys().map(String::as_str).collect()
    }
}

impl Project {
    /// Whether some service begins when this one has ended with success.
    pub fn is_awaited(&self, service: &str) -> bool {
        self.services.values().any(|other| {
            let need = other.depends_on.get(service);
            need.is_some_and(|need| need.condition == Condition::CompletedSuccessfully)
        })
    }

    /// Whether a service does its work once: others wait for its end, and the engine leaves it ended.
    pub fn is_one_shot(&self, service: &str) -> bool {
        let rule = self.services.get(service).map(Service::restart_rule);
        self.is_awaited(service) && rule.is_some_and(RestartRule::lets_it_end)
    }

    /// Whether no network of a service leads out of the host. One in another container's network has none of its own.
    pub fn is_internal(&self, service: &Service) -> bool {
        let internal = |key: &&str| self.networks.get(*key).is_some_and(|network| network.internal);
        service.network_mode.is_none() && service.network_keys().iter().all(internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bytes, Deploy, ResourceLimit, RestartPolicy};

    fn with(limit: ResourceLimit, service: Service) -> Service {
        let mut deploy = Deploy::default();
        deploy.resources.limits = Some(limit);
        Service { deploy: Some(deploy), ..service }
    }

    #[test]
    fn the_limit_of_deploy_counts_where_it_says_something() {
        let own = Service {
            mem_limit: Some(Bytes(1 << 20)),
            mem_reservation: Some(Bytes(1 << 10)),
            cpus: 2.0,
            pids_limit: 100,
            ..Service::default()
        };
        let limits = ServiceLimits {
            memory: Some(1 << 20),
            memory_reservation: Some(1 << 10),
            cpus: Some(2.0),
            pids: Some(100),
        };
        assert_eq!(own.limits(), limits);
        assert_eq!(with(ResourceLimit::default(), own.clone()).limits(), limits);
        let of_deploy =
            ResourceLimit { memory: Some(Bytes(5)), cpus: 0.5, pids: -1, ..ResourceLimit::default() };
        let both = with(of_deploy, own).limits();
        assert_eq!(both, ServiceLimits { memory: Some(5), cpus: Some(0.5), pids: Some(-1), ..limits });
        assert_eq!(Service::default().limits(), ServiceLimits::default());
    }

    #[test]
    fn the_restart_policy_of_deploy_counts() {
        let own = |restart: &str| Service { restart: Some(restart.to_owned()), ..Service::default() };
        let policy = |condition: Option<&str>, service: Service| {
            let policy = RestartPolicy {
                condition: condition.map(str::to_owned),
                max_attempts: Some(3),
                ..RestartPolicy::default()
            };
            Service { deploy: Some(Deploy { restart_policy: Some(policy), ..Deploy::default() }), ..service }
        };
        let cases = vec![
            (Service::default(), RestartRule::No, true),
            (own("no"), RestartRule::No, true),
            (own("always"), RestartRule::Always, false),
            (own("unless-stopped"), RestartRule::UnlessStopped, false),
            (own("on-failure"), RestartRule::OnFailure { attempts: 0 }, true),
            (own("on-failure:5"), RestartRule::OnFailure { attempts: 5 }, true),
            (policy(Some("none"), own("always")), RestartRule::No, true),
            (policy(Some("on-failure"), own("always")), RestartRule::OnFailure { attempts: 3 }, true),
            (policy(None, own("no")), RestartRule::Always, false),
            (policy(Some("any"), own("no")), RestartRule::Always, false),
        ];
        for (service, rule, ends) in cases {
            assert_eq!((service.restart_rule(), service.restart_rule().lets_it_end()), (rule, ends));
        }
    }

    fn project(text: &str) -> Project {
        let source = plimsoll_source::Source::new("compose.yml", text);
        let mut options = crate::LoadOptions::new(vec![source], "/srv/shop");
        options.project_name = Some("shop".to_owned());
        crate::load(&options, &crate::NoFiles).unwrap_or_else(|faults| panic!("{faults:#?}"))
    }

    #[test]
    fn a_one_shot_is_awaited_and_may_end() {
        let of = |restart: &str, condition: &str| {
            let project = project(&format!(
                "services:\n  job: {{ image: a, restart: '{restart}' }}\n  api:\n    image: a\n    \
                 depends_on: {{ job: {{ condition: {condition} }} }}\n"
            ));
            (project.is_awaited("job"), project.is_one_shot("job"), project.is_one_shot("api"))
        };
        let completed = "service_completed_successfully";
        assert_eq!(of("no", completed), (true, true, false));
        assert_eq!(of("on-failure", completed), (true, true, false));
        assert_eq!(of("always", completed), (true, false, false));
        assert_eq!(of("no", "service_started"), (false, false, false));
    }

    #[test]
    fn a_service_is_internal_when_all_its_networks_are() {
        let project = project(
            "services:\n  db: { image: a, networks: [app] }\n  api: { image: a, networks: [app, out] }\n  \
             web: { image: a }\n  beside: { image: a, network_mode: 'service:db' }\n\
             networks: { app: { internal: true }, out: {} }\n",
        );
        let internal = |name: &str| project.is_internal(&project.services[name]);
        assert!(internal("db") && !internal("api") && !internal("web") && !internal("beside"));
        assert!(project.services["beside"].network_keys().is_empty());
        assert!(Service::default().network_keys().contains("default"));
    }
}
