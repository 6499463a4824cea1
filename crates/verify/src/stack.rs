//! The running stack as it is found: one member for each container, and the readings that claims share.

use std::{
    io::Read as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use futures_util::{StreamExt as _, TryStreamExt as _};
use plimsoll_compose::{Project, Service};
use plimsoll_engine::{Engine, EngineError, EngineFacts, Event, EventFilter, NetworkDetail, RunState};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::{
    certificate::Workload,
    claims::Outcome,
    declared,
    disturbance::Disturbances,
    front::{Fronts, Seen},
    member::Kind,
    procfs::{ProcFs, ProcessStatus},
    secrets::{self, Secrets},
    spread::Spread,
    strangers::{self, Stranger},
    verify::Options,
};

pub(crate) use crate::member::Member;

/// The labels by which Docker Compose knows its containers.
const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";
const ONE_OFF: &str = "com.docker.compose.oneoff";
/// Containers that Plimsoll makes to look into an image or a volume, and never starts.
const HELPER: &str = "org.plimsoll.helper";
/// An /etc/passwd that is larger is not read to its end.
const ACCOUNTS: usize = 1 << 20;

/// The running stack and what it is measured against.
pub(crate) struct Stack<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) facts: EngineFacts,
    pub(crate) project: &'a Project,
    pub(crate) options: &'a Options,
    pub(crate) procfs: ProcFs,
    /// Every container of the project, whatever its state: services, one-off runs, orphans.
    pub(crate) members: Vec<Member>,
    /// The project's networks, with the names of the containers on them.
    pub(crate) networks: Vec<NetworkDetail>,
    /// Running containers of others that reach into the project.
    pub(crate) strangers: Vec<Stranger>,
    pub(crate) disturbances: Disturbances,
    pub(crate) workload: Mutex<Workload>,
    /// The values that must be nowhere, or why they cannot be read.
    pub(crate) secrets: Result<Arc<Secrets>, String>,
    /// Which containers of a service got connections under load; `None` before there was one.
    pub(crate) spread: Mutex<Option<Vec<Spread>>>,
    /// What [`crate::front`] fetched.
    pub(crate) fronts: OnceCell<Fronts>,
    /// Answers that claims received while they worked.
    pub(crate) seen: Seen,
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
        let all = engine.containers().await?;
        let mut members = Vec::new();
        for summary in &all {
            if summary.label(PROJECT) == Some(&project.name) {
                members.extend(look(engine, project, summary).await?);
            }
        }
        let order = |member: &Member| project.services.get_index_of(&member.service).unwrap_or(usize::MAX);
        members.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.name.cmp(&b.name)));
        name_subjects(&mut members);
        let networks = strangers::networks(engine, format!("{PROJECT}={}", project.name), &members).await?;
        let strangers = strangers::strangers(engine, all, &members, &networks).await?;
        let procfs = ProcFs::new("/proc");
        let blind = blindness(engine, &procfs, &members);
        let disturbances = Disturbances::new(engine.clone(), procfs.clone(), options.guard.clone());
        let secrets = observed_secrets(project, &members).map(Arc::new);
        Ok(Self {
            engine,
            facts,
            project,
            options,
            procfs,
            members,
            networks,
            strangers,
            disturbances,
            workload: Mutex::default(),
            spread: Mutex::default(),
            secrets,
            fronts: OnceCell::new(),
            seen: Seen::default(),
            blind,
        })
    }

    /// The declaration of a member's service; an orphan has none.
    pub(crate) fn declared(&self, member: &Member) -> Option<&'a Service> {
        self.project.services.get(&member.service)
    }

    /// The containers of the services of the file, in any state.
    pub(crate) fn of_the_file(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.kind == Kind::Service)
    }

    /// Everything of the project that runs now: one-offs and orphans as well.
    pub(crate) fn running(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.is_up())
    }

    /// The running containers of a service.
    pub(crate) fn of_service<'s>(&'s self, service: &'s str) -> impl Iterator<Item = &'s Member> {
        self.of_the_file().filter(move |member| member.is_up() && member.service == service)
    }

    /// The running containers of services with the declaration, without those that end by themselves.
    pub(crate) fn lasting(&self) -> impl Iterator<Item = (&Member, &'a Service)> {
        self.of_the_file()
            .filter(|member| member.is_up() && !self.is_job(&member.service))
            .filter_map(|member| Some((member, self.declared(member)?)))
    }

    /// True for a service that does its work once and ends: somebody waits for its success, or it has ended, is not
    /// kept up, and has nothing that a lasting service has (a health check, a published port).
    pub(crate) fn is_job(&self, name: &str) -> bool {
        if self.project.is_awaited(name) {
            return true;
        }
        let Some(service) = self.project.services.get(name) else { return false };
        let mut containers = self.of_the_file().filter(|member| member.service == name).peekable();
        let ended = |member: &Member| {
            member.detail.state == RunState::Exited && crate::probe::command(member).is_none()
        };
        containers.peek().is_some()
            && service.restart_rule().lets_it_end()
            && service.ports.is_empty()
            && containers.all(ended)
    }

    /// Judges every container of the project: one that runs by its processes, one that does not by what the engine gave
    /// it. Says "not checked" where processes cannot be read.
    pub(crate) fn judge_processes(
        &self,
        expected: impl Fn(&Member) -> String,
        judge: impl Fn(&Member, &[(u32, ProcessStatus)], Outcome) -> Outcome,
        given: impl Fn(&Member, Outcome) -> Outcome,
    ) -> Vec<Outcome> {
        self.judge_members(|member| {
            let outcome = Outcome::new(&member.subject, expected(member));
            if member.pid().is_none() {
                return given(member, outcome);
            }
            match self.processes(member) {
                Ok(processes) => judge(member, &processes, outcome),
                // It has ended since it was listed: a crash in a loop, a one-off run.
                Err(_) if self.blind.is_none() && self.has_ended(member) => given(member, outcome),
                Err(why) => Outcome::not_checked(&member.subject, outcome.expected, why),
            }
        })
    }

    /// Judges every container of the project, and notes of one that does not run how it is known.
    pub(crate) fn judge_members(&self, judge: impl Fn(&Member) -> Outcome) -> Vec<Outcome> {
        let judged = self.members.iter().map(|member| {
            let mut outcome = judge(member);
            if member.kind != Kind::Service || !member.is_up() {
                let state = member.detail.state.as_str();
                outcome = outcome.evidence(
                    format!("engine: container {}", member.name),
                    format!("{}, {state}", member.kind.words()),
                );
            }
            outcome
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

    fn has_ended(&self, member: &Member) -> bool {
        member.pid().is_none_or(|pid| !self.procfs.is_in(pid, member.id()))
    }

    /// The first process, if the kernel's files about it can be read here.
    pub(crate) fn visible_pid(&self, member: &Member) -> Result<u32, String> {
        if let Some(why) = &self.blind {
            return Err(why.clone());
        }
        member.pid().ok_or_else(|| "the container does not run".to_owned())
    }

    /// Looks at a container again that was stopped and started: it has another first process.
    pub(crate) async fn look_again(&self, member: &Member) -> Result<(), EngineError> {
        let detail = self.engine.inspect_container(member.id()).await?;
        member.runs_as(u32::try_from(detail.pid).unwrap_or(0));
        Ok(())
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
}

/// The values that must be nowhere: of declared secrets, and of what containers hold under names that say so.
fn observed_secrets(project: &Project, members: &[Member]) -> Result<Secrets, String> {
    let mut collected = secrets::Collected::default();
    collected.files(&declared::secret_files(project))?;
    for (name, text) in declared::secret_texts(project) {
        collected.content(&name, &text);
    }
    let mut ordinary = declared::ordinary_words(project);
    for member in members {
        ordinary.extend([member.name.clone(), member.text("/Config/Image").to_owned()]);
        for (name, value) in member.variables() {
            let of = format!("{name} of {}", member.service);
            if secrets::names::gives_away(name, value) {
                collected.value(&of, value);
            }
            for password in secrets::names::url_passwords(value) {
                collected.value(&of, password);
            }
        }
        for pointer in ["/Config/Cmd", "/Config/Entrypoint"] {
            let arguments = member.raw.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
            for (name, value) in secrets::names::in_arguments(arguments.filter_map(Value::as_str)) {
                collected.value(&format!("{name} of {}", member.service), value);
            }
        }
    }
    collected.finish(&ordinary)
}

/// One container of the project; `None` if it is gone by now, or a helper that never runs.
async fn look(
    engine: &Engine,
    project: &Project,
    summary: &plimsoll_engine::ContainerSummary,
) -> Result<Option<Member>, EngineError> {
    if summary.label(HELPER).is_some() && summary.state == RunState::Created {
        return Ok(None);
    }
    let looked =
        tokio::try_join!(engine.inspect_container(&summary.id), engine.inspect_container_raw(&summary.id));
    let (detail, raw) = match looked {
        Ok(looked) => looked,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error),
    };
    let service = summary.label(SERVICE).unwrap_or_default().to_owned();
    let kind = if summary.label(ONE_OFF).is_some_and(|one_off| one_off.eq_ignore_ascii_case("true")) {
        Kind::OneOff
    } else if project.services.contains_key(&service) {
        Kind::Service
    } else {
        Kind::Orphan
    };
    let given_uid = given_uid(engine, &summary.id, &detail.user, detail.pid > 0).await;
    let subject = if kind == Kind::Service { service.clone() } else { summary.name.clone() };
    let name = summary.name.clone();
    Ok(Some(Member { kind, service, subject, name, detail, raw, given_uid, new_pid: Arc::default() }))
}

/// Where a service has several containers, claims are about each by its name.
fn name_subjects(members: &mut [Member]) {
    let services: Vec<String> = members
        .iter()
        .filter(|member| member.kind == Kind::Service)
        .map(|member| member.service.clone())
        .collect();
    for member in members.iter_mut().filter(|member| member.kind == Kind::Service) {
        if services.iter().filter(|service| **service == member.service).count() > 1 {
            member.name.clone_into(&mut member.subject);
        }
    }
}

/// The number of the user that a container that does not run was given. A name is looked up in its own /etc/passwd.
async fn given_uid(engine: &Engine, container: &str, user: &str, runs: bool) -> Option<u32> {
    let name = user.split(':').next().unwrap_or_default();
    if name.is_empty() {
        return Some(0);
    }
    if let Ok(uid) = name.parse() {
        return Some(uid);
    }
    if runs {
        // Its processes will say it.
        return None;
    }
    let mut pieces = engine.read_archive(container, "/etc/passwd");
    let mut archive = Vec::new();
    while let Some(piece) = pieces.next().await {
        archive.extend(piece.ok()?);
        if archive.len() > ACCOUNTS {
            return None;
        }
    }
    let mut text = String::new();
    let mut archive = tar::Archive::new(archive.as_slice());
    archive.entries().ok()?.next()?.ok()?.read_to_string(&mut text).ok()?;
    account(&text, name)
}

/// The uid of an account of a passwd(5) file.
fn account(passwd: &str, name: &str) -> Option<u32> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(2)?.parse().ok()
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
    let with_pid: Vec<(&Member, u32)> =
        members.iter().filter_map(|member| Some((member, member.pid()?))).collect();
    let (first, first_pid) = with_pid.first()?;
    // One that crashes in a loop has another process by now: that blinds nobody.
    let visible = with_pid.iter().find(|(member, pid)| procfs.is_in(*pid, member.id()));
    let Some((_, pid)) = visible.copied() else {
        return Some(format!("process {first_pid} of {} is not visible from here", first.name));
    };
    if procfs.mounts(pid).is_err() || procfs.namespace(pid, "net").is_err() {
        return Some("the kernel's files about the containers can only be read by root".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    #[test]
    fn accounts_by_name() {
        let passwd = "root:x:0:0::/:/bin/sh\nrooty:x:7:7::/:/bin/sh\nbad\ntoor:x:0:0::/:/bin/sh\n";
        assert_eq!(super::account(passwd, "rooty"), Some(7));
        assert_eq!(super::account(passwd, "toor"), Some(0));
        assert_eq!(super::account(passwd, "bad"), None);
        assert_eq!(super::account(passwd, "nobody"), None);
    }
}
