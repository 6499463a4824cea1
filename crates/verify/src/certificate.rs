//! The certificate: what was measured, on what, and what came out. The JSON form is documented in docs/certificate.md
//! and changes only together with [`VERSION`].

use plimsoll_engine::EngineFacts;
use serde::{Deserialize, Serialize};

/// Version of the JSON form.
pub const VERSION: u32 = 1;

/// What prints the list of requirements that claims name (docs/requirements.md).
pub(crate) const REQUIREMENTS: &str = "plimsoll help requirements";

/// What came out of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Measured, and not so.
    Failed,
    /// Not measured; the observation says why.
    NotChecked,
    /// Cannot be so on this engine or for this stack; the observation says why.
    NotApplicable,
    /// Measured, and so.
    Proved,
}

impl Status {
    /// The status in words, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::NotChecked => "not checked",
            Self::NotApplicable => "not applicable",
            Self::Proved => "proved",
        }
    }
}

/// The part of the certificate that a claim stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Users, capabilities, read-only roots: what a process may do.
    Privileges,
    /// Limits and budgets.
    Resources,
    /// Ports and reachability.
    Network,
    /// Health, start, stop.
    Lifecycle,
    /// What the front answers.
    Http,
    /// Secrets.
    Secrets,
    /// Logs and what the kernel recorded.
    Records,
    /// The application's own checks.
    Smoke,
    /// What a document says of the system.
    Promises,
}

impl Group {
    /// The heading of the group.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Privileges => "Privileges",
            Self::Resources => "Resources",
            Self::Network => "Network",
            Self::Lifecycle => "Health, start and stop",
            Self::Http => "HTTP front",
            Self::Secrets => "Secrets",
            Self::Records => "Logs and kernel records",
            Self::Smoke => "Smoke checks",
            Self::Promises => "Promised and measured",
        }
    }
}

/// Where a value was read and what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// A file of the kernel, a command, a request or a question to the engine; enough to repeat the reading.
    pub source: String,
    /// What was found there.
    pub value: String,
}

/// One claim about one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The claim's stable identifier.
    pub id: String,
    /// What came out.
    pub status: Status,
    /// The service, or `stack`.
    pub subject: String,
    /// Numbers of requirements, which [`Certificate::requirements_page`] explains; public documents are named on the
    /// HTML page.
    pub requirements: Vec<String>,
    /// What has to be.
    pub expected: String,
    /// What is, or why that is not known.
    pub observed: String,
    /// How that is known.
    pub evidence: Vec<Evidence>,
    /// The claim in words.
    pub title: String,
    /// The part of the certificate.
    pub group: Group,
}

/// How many claims have which status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Measured, and so.
    pub proved: usize,
    /// Measured, and not so.
    pub failed: usize,
    /// Impossible here.
    pub not_applicable: usize,
    /// Not measured.
    pub not_checked: usize,
}

/// One service and the image that its container runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFact {
    /// The service.
    pub service: String,
    /// The image as the compose file names it.
    pub declared: String,
    /// The engine's image id.
    pub id: String,
    /// The names that the image has in the engine.
    pub names: Vec<String>,
    /// Unpacked size in bytes.
    pub bytes: u64,
    /// True if the image only stands in for software that cannot be had here.
    pub stand_in: bool,
}

/// What the stack was put through while it was measured. Nothing is proved beyond it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// HTTP requests that were sent.
    pub requests: u64,
    /// Different smoke checks among them.
    pub routes: usize,
    /// Requests that were open at the same time.
    pub concurrency: usize,
    /// Seconds that the load lasted.
    pub seconds: f64,
}

/// All that was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Certificate {
    /// Version of this form.
    pub version: u32,
    /// The compose project.
    pub project: String,
    /// Begin of the measurement, RFC 3339 in UTC.
    pub measured_at: String,
    /// Seconds that the measurement took.
    pub seconds: f64,
    /// What came out, in one sentence.
    #[serde(default)]
    pub verdict: String,
    /// The release, as the labels of the built images name it.
    #[serde(default)]
    pub release: Option<String>,
    /// The commit that the project's folder is at, or that the images were built from.
    #[serde(default)]
    pub commit: Option<String>,
    /// The document whose promises were measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// Version of Plimsoll.
    pub plimsoll: String,
    /// The engine and its host.
    pub engine: EngineFacts,
    /// The images that run.
    pub images: Vec<ImageFact>,
    /// What the stack was put through.
    pub workload: Workload,
    /// Whether containers were paused and restarted.
    pub disturbed: bool,
    /// Counts.
    pub summary: Summary,
    /// The command that says what each requirement of a claim demands.
    #[serde(default)]
    pub requirements_page: String,
    /// The claims, in the order of the registry.
    pub claims: Vec<Claim>,
}

impl Certificate {
    /// True if nothing was measured to be otherwise than it has to be.
    pub fn holds(&self) -> bool {
        self.summary.failed == 0
    }

    /// What came out, in one sentence. A stack whose application was not asked is never called proved.
    pub(crate) fn sentence(&self) -> String {
        let Summary { proved, failed, not_checked, .. } = self.summary;
        let measured = proved + failed;
        let mut sentence = if failed > 0 {
            let mut titles: Vec<&str> = Vec::new();
            for claim in self.claims.iter().filter(|claim| claim.status == Status::Failed) {
                if !titles.contains(&claim.title.as_str()) {
                    titles.push(&claim.title);
                }
            }
            let more = titles.len().saturating_sub(2);
            let listed =
                titles.iter().take(2).map(|title| format!("\u{201c}{title}\u{201d}")).collect::<Vec<_>>();
            let listed = listed.join(" and ");
            let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
            let verb = if failed == 1 { "does" } else { "do" };
            format!("{failed} of {measured} measured claims {verb} not hold: {listed}{rest}.")
        } else if self.asks_application() {
            let requests = self.workload.requests;
            format!("All {measured} claims that could be measured hold, under {requests} requests.")
        } else {
            format!("All {measured} claims that could be measured hold.")
        };
        if !self.asks_application() {
            sentence =
                format!("The application's behaviour was not checked: there are no smoke checks. {sentence}");
        }
        match not_checked {
            0 => {}
            1 => sentence.push_str(" 1 claim was not checked."),
            many => sentence.push_str(&format!(" {many} claims were not checked.")),
        }
        sentence
    }

    /// True if at least one smoke check was sent.
    pub(crate) fn asks_application(&self) -> bool {
        let sent = |claim: &Claim| matches!(claim.status, Status::Proved | Status::Failed);
        self.claims.iter().any(|claim| claim.group == Group::Smoke && sent(claim))
    }

    /// Shows every text that was read somewhere to `see`, which may change it.
    pub(crate) fn each_text(&mut self, see: &mut impl FnMut(&mut String)) {
        see(&mut self.project);
        see(&mut self.verdict);
        self.release.iter_mut().chain(&mut self.document).for_each(&mut *see);
        for image in &mut self.images {
            image.names.iter_mut().for_each(&mut *see);
            see(&mut image.service);
            see(&mut image.declared);
        }
        for claim in &mut self.claims {
            for text in [
                &mut claim.id,
                &mut claim.title,
                &mut claim.subject,
                &mut claim.expected,
                &mut claim.observed,
            ] {
                see(text);
            }
            for evidence in &mut claim.evidence {
                see(&mut evidence.source);
                see(&mut evidence.value);
            }
        }
    }

    /// The certificate's JSON text, with a final line break.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

/// Counts the claims by status.
pub(crate) fn summarise(claims: &[Claim]) -> Summary {
    let count = |status| claims.iter().filter(|claim| claim.status == status).count();
    Summary {
        proved: count(Status::Proved),
        failed: count(Status::Failed),
        not_applicable: count(Status::NotApplicable),
        not_checked: count(Status::NotChecked),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn claim(id: &str, status: Status, subject: &str, group: Group, title: &str) -> Claim {
        Claim {
            id: id.into(),
            status,
            subject: subject.into(),
            requirements: vec!["R-040".into(), "R-044".into()],
            expected: "what has to be".into(),
            observed: "what is".into(),
            evidence: vec![Evidence { source: "/proc/7/status".into(), value: "Uid 0 0 0 0".into() }],
            title: title.into(),
            group,
        }
    }

    /// A certificate with every status in it.
    pub(crate) fn sample() -> Certificate {
        let claims = vec![
            claim("process-user", Status::Proved, "backend", Group::Privileges, "no process runs as root"),
            claim("process-user", Status::Proved, "frontend", Group::Privileges, "no process runs as root"),
            claim("process-user", Status::Failed, "redis", Group::Privileges, "no process runs as root"),
            claim(
                "apparmor",
                Status::NotApplicable,
                "stack",
                Group::Privileges,
                "an AppArmor profile is enforced",
            ),
            claim("memory-idle", Status::Proved, "stack", Group::Resources, "memory keeps to its budget"),
            claim(
                "start-time",
                Status::NotChecked,
                "stack",
                Group::Lifecycle,
                "all services are healthy in time",
            ),
            claim("smoke/create-a-story", Status::Proved, "front", Group::Smoke, "create a story"),
            claim("promise/redis-runs-as-999", Status::Failed, "redis", Group::Promises, "Redis runs as 999"),
            claim(
                "promise/all-is-in-one-network",
                Status::Proved,
                "stack",
                Group::Promises,
                "All is in one network",
            ),
        ];
        let engine = EngineFacts {
            version: "20.10.24".into(),
            api: "1.41".into(),
            os: "Debian GNU/Linux 12".into(),
            kernel: "6.1.0".into(),
            architecture: "x86_64".into(),
            cpus: 2,
            memory: 8 << 30,
            cgroup_version: 1,
            cgroup_driver: "cgroupfs".into(),
            security: vec!["seccomp".into()],
            storage_driver: "overlay2".into(),
            log_driver: "json-file".into(),
            root_dir: "/var/lib/docker".into(),
            swap_limit: true,
            pids_limit: true,
            warnings: Vec::new(),
        };
        let image = ImageFact {
            service: "redis".into(),
            declared: "redis:8".into(),
            id: "sha256:00".into(),
            names: vec!["plimsoll.local/redis:8.0".into()],
            bytes: 86_700_000,
            stand_in: true,
        };
        let mut certificate = Certificate {
            version: VERSION,
            project: "pivotal".into(),
            measured_at: "2026-11-21T01:00:00Z".into(),
            seconds: 42.5,
            verdict: String::new(),
            release: Some("1.4.0".into()),
            commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
            document: Some("Production guide".into()),
            plimsoll: "0.1.0".into(),
            engine,
            images: vec![image],
            workload: Workload { requests: 400, routes: 14, concurrency: 4, seconds: 5.0 },
            disturbed: true,
            summary: summarise(&claims),
            requirements_page: REQUIREMENTS.into(),
            claims,
        };
        certificate.verdict = certificate.sentence();
        certificate
    }

    #[test]
    fn a_stack_without_smoke_checks_is_not_called_proved() {
        let mut certificate = sample();
        assert!(certificate.sentence().starts_with("2 of 7 measured claims do not hold"));
        certificate.claims.retain(|claim| claim.status != Status::Failed);
        certificate.summary = summarise(&certificate.claims);
        assert!(
            certificate
                .sentence()
                .starts_with("All 5 claims that could be measured hold, under 400 requests.")
        );
        certificate.claims.retain(|claim| claim.group != Group::Smoke);
        certificate.summary = summarise(&certificate.claims);
        assert!(certificate.sentence().starts_with("The application's behaviour was not checked"));
    }

    #[test]
    fn the_json_form_is_stable() {
        insta::assert_snapshot!(sample().to_json().unwrap());
    }

    #[test]
    fn only_a_failure_breaks_the_certificate() {
        let mut certificate = sample();
        assert!(!certificate.holds());
        certificate.claims.retain(|claim| claim.status != Status::Failed);
        certificate.summary = summarise(&certificate.claims);
        assert!(certificate.holds());
        assert_eq!(certificate.summary, Summary { proved: 5, failed: 0, not_applicable: 1, not_checked: 1 });
    }
}
