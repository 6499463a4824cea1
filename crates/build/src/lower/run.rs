//! RUN and its mounts.

use std::path::Path;

use plimsoll_dockerfile::{Mount, MountKind, Network, PREDEFINED_ARGS, Run, RunForm, Security, path::clean};
use plimsoll_source::{Diagnostic, Span};

use super::{Instructed, Lowerer, state::State};
use crate::graph::{Op, RunMount, RunOp, TreeRef};

impl Lowerer<'_> {
    pub(super) fn run(
        &mut self,
        state: &mut State,
        run: &Run,
        at: &Instructed<'_>,
    ) -> Result<(), Diagnostic> {
        if let Some(device) = run.devices.iter().find(|device| device.required) {
            return Err(at.problem(format!("no CDI device `{}` on this machine", device.name)));
        }
        let insecure = run.security == Security::Insecure;
        if insecure && !self.options.allow_insecure {
            return Err(at
                .problem("RUN --security=insecure is not allowed")
                .hint("allow it for this build with --allow security.insecure"));
        }
        let network = self.network(run, at)?;
        let mut mounts = Vec::new();
        for spec in &run.mounts {
            let mount = spec
                .resolve(&|name| state.get(name), at.escape)
                .map_err(|error| Diagnostic::error(error.title).label(at.source, error.span, ""))?;
            let number = mounts.iter().filter(|mount| matches!(mount, RunMount::Ssh { .. })).count();
            mounts.push(self.mount(state, mount, number, spec.span, at)?);
        }
        let mut script = None;
        let argv = match (&run.form, run.form.shell_text()) {
            (RunForm::Exec(words), _) => words.iter().map(|word| word.text.clone()).collect(),
            (_, Some(text)) => {
                let mut argv = state.shell();
                argv.push(text);
                argv
            }
            (RunForm::Script(heredoc), None) => {
                let path = format!("/dev/pipes/{}", heredoc.name);
                script = Some((path.clone(), heredoc.content.clone()));
                let mut argv = state.shell();
                argv.push(path);
                argv
            }
            (_, None) => return Err(at.problem("RUN requires a command")),
        };
        let created_by = format!("RUN {}{} # buildkit", argument_text(state), argv.join(" "));
        let build_args = &self.options.inputs.build_args;
        // As in BuildKit, a program that reads the other spelling finds it too.
        let proxy = |name: &str| {
            let other = |known: &&String| known.eq_ignore_ascii_case(name);
            build_args.get(name).or_else(|| build_args.get(build_args.keys().find(other)?))
        };
        let proxies = PREDEFINED_ARGS
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), proxy(name)?.clone())))
            // What the Dockerfile says counts; what it only hands on (`ARG HTTP_PROXY`) is the person's own setting.
            .filter(|(name, value)| state.get(name).is_none_or(|said| said == *value))
            .collect();
        let op = RunOp {
            argv,
            env: state.env.clone(),
            proxies,
            cwd: state.workdir().to_owned(),
            user: state.config.config.user.clone(),
            network,
            insecure,
            mounts,
            script,
            platform: state.platform.clone(),
            hostname: build_args.get("BUILDKIT_SANDBOX_HOSTNAME").filter(|name| !name.is_empty()).cloned(),
        };
        let node = self.push(Op::Run(op), state.node, at);
        state.node = Some(node);
        state.note(created_by, Some(node));
        Ok(())
    }

    /// The network of a RUN: its own option first, then that of the build. The host's has to be allowed.
    fn network(&self, run: &Run, at: &Instructed<'_>) -> Result<plimsoll_sandbox::Network, Diagnostic> {
        use crate::settings::Net;
        let (wanted, said) = match (run.network, self.options.network) {
            (Network::None, _) | (Network::Default, Net::None) => return Ok(plimsoll_sandbox::Network::None),
            (Network::Host, _) => (plimsoll_sandbox::Network::Host, "RUN --network=host"),
            (Network::Default, Net::Host) => (plimsoll_sandbox::Network::Host, "--network=host"),
            (Network::Default, Net::Default) => return Ok(plimsoll_sandbox::Network::Own),
        };
        if self.options.allow_host_network {
            return Ok(wanted);
        }
        Err(at.problem(format!("{said}: network.host is not allowed")).hint(
            "allow it for this build with --allow network.host: the step then reaches all that listens here",
        ))
    }

    /// `number` counts the ssh mounts before it.
    fn mount(
        &mut self,
        state: &State,
        mount: Mount,
        number: usize,
        span: Span,
        at: &Instructed<'_>,
    ) -> Result<RunMount, Diagnostic> {
        let problem = |title: &str| Diagnostic::error(title).label(at.source, span, "");
        let absolute = |path: &str| {
            let path = state.absolute(path);
            if path.len() > 1 { path.trim_end_matches('/').to_owned() } else { path }
        };
        let target = mount.target.as_deref().map(absolute);
        let outside =
            || problem("invalid mount target \"/\"").hint("name a path inside, as in target=/cache");
        if target.as_deref() == Some("/") {
            return Err(outside());
        }
        let required = || target.clone().ok_or_else(outside);
        let from = |lowerer: &mut Self| match &mount.from {
            None => Ok(TreeRef::Context(String::new())),
            Some(from) => lowerer.tree(lowerer.file.mount_source(from), &state.platform, at),
        };
        let source = clean(&format!("/{}", mount.source.as_deref().unwrap_or_default()));
        Ok(match mount.kind {
            MountKind::Bind => {
                RunMount::Bind { from: from(self)?, source, target: required()?, read_only: mount.read_only }
            }
            MountKind::Cache => {
                let target = required()?;
                let namespace = self.options.inputs.build_args.get("BUILDKIT_CACHE_MOUNT_NS");
                let id = mount.id.clone().unwrap_or_else(|| target.clone());
                RunMount::Cache {
                    id: namespace.map_or(id.clone(), |namespace| format!("{namespace}/{id}")),
                    sharing: mount.sharing.unwrap_or_default(),
                    mode: mount.mode.unwrap_or(0o755),
                    uid: mount.uid,
                    gid: mount.gid,
                    read_only: mount.read_only,
                    seed: if mount.from.is_some() { Some((from(self)?, source)) } else { None },
                    target,
                }
            }
            MountKind::Tmpfs => RunMount::Tmpfs { target: required()?, size: mount.size },
            MountKind::Secret => {
                let base = target.as_deref().and_then(|target| Path::new(target).file_name()?.to_str());
                let id = mount.id.clone().or(mount.source.clone()).or(base.map(str::to_owned));
                let id = id.ok_or_else(|| problem("one of source, target required"))?;
                let default = || mount.env.is_none().then(|| format!("/run/secrets/{id}"));
                RunMount::Secret {
                    target: target.clone().or_else(default),
                    env: mount.env.clone(),
                    required: mount.required,
                    mode: mount.mode.unwrap_or(0o400),
                    uid: mount.uid.unwrap_or(0),
                    gid: mount.gid.unwrap_or(0),
                    id,
                }
            }
            MountKind::Ssh => {
                let default = || format!("/run/buildkit/ssh_agent.{number}");
                RunMount::Ssh {
                    id: mount.id.clone().unwrap_or_else(|| "default".to_owned()),
                    target: target.clone().unwrap_or_else(default),
                    required: mount.required,
                    mode: mount.mode.unwrap_or(0o600),
                    uid: mount.uid.unwrap_or(0),
                    gid: mount.gid.unwrap_or(0),
                }
            }
        })
    }
}

/// `|2 A=1 B=2 `, the arguments as the history of RUN has them.
fn argument_text(state: &State) -> String {
    if state.args.is_empty() {
        return String::new();
    }
    let mut text = format!("|{} ", state.args.len());
    for (name, value) in &state.args {
        let value = state.get(name).or_else(|| value.clone()).unwrap_or_default();
        text.push_str(&format!("{name}={value} "));
    }
    text
}
