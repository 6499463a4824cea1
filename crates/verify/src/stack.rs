//! The running stack as it is found: one member for each container, and the readings that claims share.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use futures_util::TryStreamExt as _;
use plimsoll_compose::{Project, Service};
use plimsoll_engine::{ContainerDetail, Engine, EngineError, EngineFacts, Event, EventFilter, RunState};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::{
    certificate::Workload,
    claims::{Outcome, front::Front},
    declared,
    disturbance::Disturbances,
    http::Endpoint,
    procfs::{ProcFs, ProcessStatus},
    secrets::Secrets,
    verify::Options,
};

/// The labels by which Docker Compose knows its containers.
const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";
const ONE_OFF: &str = "com.docker.compose.oneoff";

/// One container of the project.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) service: String,
    /// What claims about it are about: the service, or where that has several containers this one.
    pub(crate) subject: String,
    pub(crate) name: String,
    pub(crate) detail: ContainerDetail,
    /// The engine's whole answer, for what [`ContainerDetail`] does not hold.
    pub(crate) raw: Value,
}

impl Member {
    pub(crate) fn id(&self) -> &str {
        &self.detail.id
    }

    /// The first process on the engine's host.
    pub(crate) fn pid(&self) -> Option<u32> {
        u32::try_from(self.detail.pid).ok().filter(|pid| *pid > 0)
    }

    /// A setting of the engine's answer by JSON pointer.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.raw.pointer(pointer).and_then(Value::as_str).unwrap_or("")
    }

    /// Its IPv4 addresses by network name.
    pub(crate) fn addresses(&self) -> Vec<(String, IpAddr)> {
        let networks = self.raw.pointer("/NetworkSettings/Networks").and_then(Value::as_object);
        let address = |network: &Value| network["IPAddress"].as_str()?.parse().ok();
        networks
            .into_iter()
            .flatten()
            .filter_map(|(name, network)| Some((name.clone(), address(network)?)))
            .collect()
    }

    /// Published ports as the engine has them: port in the container, protocol, address of the host.
    pub(crate) fn published(&self) -> Vec<(u16, String, SocketAddr)> {
        let mut found = Vec::new();
        let ports = self.raw.pointer("/NetworkSettings/Ports").and_then(Value::as_object);
        for (port, bindings) in ports.into_iter().flatten() {
            let Some((number, protocol)) = port.split_once('/') else { continue };
            let Ok(number) = number.parse() else { continue };
            for binding in bindings.as_array().into_iter().flatten() {
                let ip = binding["HostIp"].as_str().filter(|ip| !ip.is_empty()).unwrap_or("0.0.0.0");
                let host = binding["HostPort"].as_str().and_then(|port| port.parse().ok());
                if let (Ok(ip), Some(host)) = (ip.parse(), host) {
                    found.push((number, protocol.to_owned(), SocketAddr::new(ip, host)));
                }
            }
        }
        found.sort();
        found
    }
}

/// The running stack and what it is measured against.
pub(crate) struct Stack<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) facts: EngineFacts,
    pub(crate) project: &'a Project,
    pub(crate) options: &'a Options,
    pub(crate) procfs: ProcFs,
    pub(crate) members: Vec<Member>,
    pub(crate) disturbances: Disturbances,
    pub(crate) workload: Mutex<Workload>,
    /// The values that must be nowhere, or why they cannot be read.
    pub(crate) secrets: Result<Arc<Secrets>, String>,
    /// What [`crate::claims::front`] fetched.
    pub(crate) front_pages: OnceCell<Result<Front, String>>,
    /// Why the kernel's files about the containers cannot be read, if so.
    pub(crate) blind: Option<String>,
}

impl<'a> Stack<'a> {
    /// Looks at every container of the project.
    pub(crate) async fn observe(
        engine: &'a Engine,
        project: &'a Project,
        options: &'a Options,
    ) -> Result<Self, EngineError> {
        let facts = engine.facts().await?;
        let mut members = Vec::new();
        for summary in engine.containers_labelled(&[format!("{PROJECT}={}", project.name)]).await? {
            let Some(service) = summary.label(SERVICE).map(str::to_owned) else { continue };
            if summary.label(ONE_OFF).is_some_and(|one_off| one_off.eq_ignore_ascii_case("true")) {
                continue;
            }
            let detail = engine.inspect_container(&summary.id).await?;
            let raw = engine.inspect_container_raw(&summary.id).await?;
            members.push(Member { subject: service.clone(), service, name: summary.name, detail, raw });
        }
        let order = |member: &Member| project.services.get_index_of(&member.service).unwrap_or(usize::MAX);
        members.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.name.cmp(&b.name)));
        let services: Vec<String> = members.iter().map(|member| member.service.clone()).collect();
        for member in &mut members {
            if services.iter().filter(|service| **service == member.service).count() > 1 {
                member.name.clone_into(&mut member.subject);
            }
        }
        let procfs = ProcFs::new("/proc");
        let blind = blindness(engine, &procfs, &members);
        let disturbances = Disturbances::new(engine.clone());
        let secrets = Secrets::read(&declared::secret_files(project)).map(Arc::new);
        Ok(Self {
            engine,
            facts,
            project,
            options,
            procfs,
            members,
            disturbances,
            workload: Mutex::default(),
            secrets,
            front_pages: OnceCell::new(),
            blind,
        })
    }

    /// The declaration of a member's service; a container may be left over from an older file.
    pub(crate) fn declared(&self, member: &Member) -> Option<&'a Service> {
        self.project.services.get(&member.service)
    }

    /// The members that run all the time.
    pub(crate) fn running(&self) -> impl Iterator<Item = &Member> {
        self.members
            .iter()
            .filter(|member| matches!(member.detail.state, RunState::Running | RunState::Paused))
    }

    /// The running members of a service.
    pub(crate) fn of_service<'s>(&'s self, service: &'s str) -> impl Iterator<Item = &'s Member> {
        self.running().filter(move |member| member.service == service)
    }

    /// The running members with the declaration of their service, without those that end by themselves.
    pub(crate) fn lasting(&self) -> impl Iterator<Item = (&Member, &'a Service)> {
        self.running()
            .filter(|member| !declared::runs_once(self.project, &member.service))
            .filter_map(|member| Some((member, self.declared(member)?)))
    }

    /// Judges every running member by its processes; says "not checked" where they cannot be read.
    pub(crate) fn judge_processes(
        &self,
        expected: impl Fn(&Member) -> String,
        judge: impl Fn(&Member, &[(u32, ProcessStatus)], Outcome) -> Outcome,
    ) -> Vec<Outcome> {
        let judged = self.running().map(|member| {
            let expected = expected(member);
            match self.processes(member) {
                Ok(processes) => judge(member, &processes, Outcome::new(&member.subject, expected)),
                Err(why) => Outcome::not_checked(&member.subject, expected, why),
            }
        });
        judged.collect()
    }

    /// Every process of a member with its status. One that ends in between is left out.
    pub(crate) fn processes(&self, member: &Member) -> Result<Vec<(u32, ProcessStatus)>, String> {
        let pid = self.visible_pid(member)?;
        let pids = self
            .procfs
            .processes_of(member.id(), pid)
            .map_err(|error| format!("the processes cannot be listed: {error}"))?;
        let all: Vec<_> =
            pids.into_iter().filter_map(|pid| Some((pid, self.procfs.status(pid).ok()?))).collect();
        if all.is_empty() { Err("every process ended while it was looked at".to_owned()) } else { Ok(all) }
    }

    /// The first process, if the kernel's files about it can be read here.
    pub(crate) fn visible_pid(&self, member: &Member) -> Result<u32, String> {
        if let Some(why) = &self.blind {
            return Err(why.clone());
        }
        member.pid().ok_or_else(|| "the container does not run".to_owned())
    }

    /// The events of the project's containers that the engine still remembers, the oldest first.
    pub(crate) async fn events(&self) -> Result<Vec<Event>, EngineError> {
        let filter = EventFilter {
            labels: vec![format!("{PROJECT}={}", self.project.name)],
            since: Some(0),
            until: Some(jiff::Timestamp::now().as_second()),
        };
        self.engine.events(&filter).try_collect().await
    }

    /// Where the stack's HTTP front is: the first published TCP port.
    pub(crate) fn front(&self) -> Option<(&Member, Endpoint)> {
        self.running().find_map(|member| {
            let published = member.published();
            let (_, _, address) =
                published.iter().find(|(_, protocol, address)| protocol == "tcp" && address.is_ipv4())?;
            Some((member, Endpoint::Published(reachable(*address))))
        })
    }
}

/// Where to connect to for a port that is bound to this address.
pub(crate) fn reachable(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bound.port())
}

/// The engine may run on another machine or in another kernel's view: its process ids mean nothing here then.
fn blindness(engine: &Engine, procfs: &ProcFs, members: &[Member]) -> Option<String> {
    if !engine.is_local() {
        return Some(format!("the engine at {} is not on this machine", engine.host()));
    }
    let (member, pid) = members.iter().find_map(|member| Some((member, member.pid()?)))?;
    if !procfs.is_in(pid, member.id()) {
        return Some(format!("process {pid} of {} is not visible from here", member.name));
    }
    if procfs.mounts(pid).is_err() || procfs.namespace(pid, "net").is_err() {
        return Some("the kernel's files about the containers can only be read by root".to_owned());
    }
    None
}
