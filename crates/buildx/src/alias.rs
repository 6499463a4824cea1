//! Options of `docker build` and `docker buildx build` that mean nothing here: accepted, and said so, where leaving
//! them out changes nothing of the result; refused where somebody counts on what they do.

use plimsoll_source::Failure;

/// Options of others.
#[derive(clap::Args)]
pub struct Foreign {
    /// Remove containers after a build; there are none
    #[arg(long, hide = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    rm: Option<String>,
    /// Remove containers after a failed build; there are none
    #[arg(long, hide = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    force_rm: Option<String>,
    /// Compress the context on its way; it does not travel
    #[arg(long, hide = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    compress: Option<String>,
    /// Skip the check of signatures
    #[arg(long, hide = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    disable_content_trust: Option<String>,
    /// Memory of RUN
    #[arg(short, long, hide = true, value_name = "BYTES", allow_hyphen_values = true)]
    memory: Option<String>,
    /// Memory and swap of RUN
    #[arg(long, hide = true, value_name = "BYTES", allow_hyphen_values = true)]
    memory_swap: Option<String>,
    /// Processor time of RUN
    #[arg(long, hide = true, value_name = "NUMBER", allow_hyphen_values = true)]
    cpu_period: Option<String>,
    /// Processor time of RUN
    #[arg(long, hide = true, value_name = "NUMBER", allow_hyphen_values = true)]
    cpu_quota: Option<String>,
    /// Processor time of RUN
    #[arg(short = 'c', long, hide = true, value_name = "NUMBER")]
    cpu_shares: Option<String>,
    /// Processors of RUN
    #[arg(long, hide = true, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Memory nodes of RUN
    #[arg(long, hide = true, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// Kind of container
    #[arg(long, hide = true, value_name = "KIND")]
    isolation: Option<String>,
    /// Options of security modules
    #[arg(long, hide = true, value_name = "OPTION")]
    security_opt: Vec<String>,
    /// Limits of the builder's container
    #[arg(long, hide = true, value_name = "SPEC")]
    resource: Vec<String>,
    /// Control group of the builder's container
    #[arg(long, hide = true, value_name = "PATH")]
    cgroup_parent: Option<String>,
    /// Which builder; there is one
    #[arg(long, hide = true, value_name = "NAME")]
    builder: Option<String>,
    /// Messages of buildx about itself
    #[arg(short = 'D', long, hide = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    debug: Option<String>,
    /// Stream the context; it does not travel
    #[arg(long, hide = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    stream: Option<String>,
    /// All layers of the build as one
    #[arg(long, hide = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    squash: Option<String>,
    /// Rules for sources
    #[arg(long, hide = true, value_name = "SPEC")]
    policy: Vec<String>,
}

impl Foreign {
    /// Lines that say what is ignored.
    ///
    /// # Errors
    /// Names an option that would change the result, and that nothing here does.
    pub fn notes(&self) -> Result<Vec<String>, Failure> {
        let refuse = |option: &str, hint: &str| Err(Failure::new(format!("{option} is not supported"), hint));
        if is_on(self.squash.as_deref()) {
            return refuse("--squash", "build FROM scratch with one COPY --from of the stage to be squashed");
        }
        if !self.policy.is_empty() {
            return refuse("--policy", "pin images by digest and downloads by --checksum");
        }
        let limit = "steps have no limits of their own; run the build inside a control group that has them";
        let needless = "it has no meaning here";
        let given = [
            ("--rm", self.rm.is_some(), needless),
            ("--force-rm", self.force_rm.is_some(), needless),
            ("--compress", self.compress.is_some(), needless),
            ("--disable-content-trust", self.disable_content_trust.is_some(), needless),
            ("--isolation", self.isolation.is_some(), needless),
            ("--builder", self.builder.is_some(), needless),
            ("--debug", self.debug.is_some(), needless),
            ("--stream", self.stream.is_some(), needless),
            ("--memory", self.memory.is_some(), limit),
            ("--memory-swap", self.memory_swap.is_some(), limit),
            ("--cpu-period", self.cpu_period.is_some(), limit),
            ("--cpu-quota", self.cpu_quota.is_some(), limit),
            ("--cpu-shares", self.cpu_shares.is_some(), limit),
            ("--cpuset-cpus", self.cpuset_cpus.is_some(), limit),
            ("--cpuset-mems", self.cpuset_mems.is_some(), limit),
            ("--resource", !self.resource.is_empty(), limit),
            ("--cgroup-parent", self.cgroup_parent.is_some(), limit),
            (
                "--security-opt",
                !self.security_opt.is_empty(),
                "RUN --security=insecure is the way to more rights",
            ),
        ];
        let given = given.iter().filter(|(_, given, _)| *given);
        Ok(given.map(|(option, _, why)| format!("note: {option} is ignored: {why}")).collect())
    }
}

fn is_on(value: Option<&str>) -> bool {
    value.is_some_and(|value| !matches!(super::values::boolean(value), Ok(false)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        foreign: Foreign,
        context: Option<String>,
    }

    fn notes(arguments: &[&str]) -> Result<Vec<String>, Failure> {
        let line = Line::try_parse_from([&["x"], arguments].concat()).map_err(|error| Failure::of(&error))?;
        assert_eq!(line.context.as_deref(), Some("."), "{arguments:?}");
        line.foreign.notes()
    }

    #[test]
    fn what_changes_nothing_is_accepted() {
        let notes = |arguments: &[&str]| notes(arguments).ok().map(|notes| notes.len());
        assert_eq!(notes(&["--force-rm", "--rm", "-m", "2g", "--builder", "default", "."]), Some(4));
        assert_eq!(notes(&["--rm=false", "--cgroup-parent", "x", "."]), Some(2));
    }

    #[test]
    fn what_somebody_counts_on_is_refused() {
        for wrong in ["--squash", "--policy=x"] {
            let error = notes(&[wrong, "."]).err();
            assert!(error.is_some_and(|error| format!("{error:?}").contains("is not supported")), "{wrong}");
        }
    }
}
