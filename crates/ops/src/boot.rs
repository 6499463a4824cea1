//! `up --boot`: a systemd unit that brings the stack up in the order of its health after a reboot.
//!
//! An engine starts containers with a restart policy in any order. The unit stops them in order when the machine goes
//! down, so that `unless-stopped` ones stay down until it brings them up; after a crash, where the engine was first,
//! `--at-boot` stops what the engine has started and begins anew. It does so once for each boot of the kernel.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use plimsoll_compose::Project;
use plimsoll_engine::Engine;
use plimsoll_stack::{Lifecycle, members, plan_stop};

use crate::{Failure, home::home, lifecycle, stack};

const UNITS: &str = "/etc/systemd/system";
/// Names this boot of the kernel.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// Of the project's state: the boot in which the unit has begun.
const REMEMBERED: &str = "boot";

/// What the unit says: a project as `up` was asked to bring it up.
#[derive(Clone, Copy, Debug)]
pub struct Unit<'a> {
    /// The project.
    pub project: &'a Project,
    /// Its compose files, as they were named.
    pub files: &'a [String],
    /// Its files of variables.
    pub env_files: &'a [PathBuf],
    /// The profiles that are active.
    pub profiles: &'a [String],
    /// Only these services; empty is all.
    pub services: &'a [String],
    /// Seconds that one service is waited for at most.
    pub wait_timeout: Option<u64>,
}

impl Unit<'_> {
    /// The unit's name.
    pub fn name(&self) -> String {
        format!("plimsoll-{}.service", self.project.name)
    }

    /// Where the unit is written.
    pub fn path(&self) -> PathBuf {
        Path::new(UNITS).join(self.name())
    }

    /// The unit's text, for this program in this folder.
    pub fn text(&self) -> Result<String, Failure> {
        let here = std::env::current_dir()?;
        let program = std::env::current_exe()?;
        text(self, &program, &here, &home()?)
    }

    /// Writes the unit.
    pub fn write(&self) -> Result<(), Failure> {
        let text = self.text()?;
        remember(&self.project.name)?;
        fs::write(self.path(), text).map_err(|error| {
            Failure::new(
                format!("cannot write {}: {error}", self.path().display()),
                "a system unit needs root; `--dry-run` shows it, to be put where you want it",
            )
        })
    }

    /// Enables the unit that was written; false where systemd does not run.
    pub fn enable(&self) -> Result<bool, Failure> {
        if !Path::new("/run/systemd/system").is_dir() {
            return Ok(false);
        }
        systemctl(&["daemon-reload"])?;
        systemctl(&["enable", "--now", &self.name()])?;
        Ok(true)
    }
}

fn systemctl(arguments: &[&str]) -> Result<(), Failure> {
    let status = Command::new("systemctl").args(arguments).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::new(
            format!("systemctl {} ended with {status}", arguments.join(" ")),
            "`systemctl status` and `journalctl -xe` say why",
        )),
        Err(error) => {
            Err(Failure::new(format!("cannot start systemctl: {error}"), "enable the unit by hand"))
        }
    }
}

/// Containers that the engine has started by itself in this boot are stopped, dependents first.
pub async fn clear(engine: &Engine, project: &str, services: &[String]) -> Result<(), Failure> {
    let path = stack::states()?.join(project).join(REMEMBERED);
    let now = fs::read_to_string(BOOT_ID)?;
    if fs::read_to_string(&path).is_ok_and(|before| before == now) {
        return Ok(());
    }
    let found = members(engine, project).await?;
    let plan = plan_stop(project, &found, &Lifecycle { services: services.to_vec(), ..Lifecycle::default() });
    if !plan.is_empty() {
        note!("this boot's first start: what the engine has started by itself begins anew");
        if lifecycle::carry_out(engine, &plan, None).await? != lifecycle::Ended::Well {
            return Err(Failure::new("not everything could be stopped", "`plimsoll ps` shows the rest"));
        }
    }
    remember(project)
}

/// Notes that the stack is in our hands in this boot.
fn remember(project: &str) -> Result<(), Failure> {
    let directory = stack::states()?.join(project);
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(&directory)?;
        fs::write(directory.join(REMEMBERED), fs::read(BOOT_ID)?)
    };
    write().map_err(|error| {
        Failure::new(format!("cannot write in {}: {error}", directory.display()), "check PLIMSOLL_HOME")
    })
}

/// The unit's text. Everything that decides what `up` does is in it, so that an edited shell profile changes nothing.
fn text(unit: &Unit<'_>, program: &Path, here: &Path, home: &Path) -> Result<String, Failure> {
    let Unit { project, files, env_files, profiles, services, wait_timeout } = *unit;
    let absolute = |file: &str| quoted(&here.join(file).to_string_lossy());
    let mut which = vec!["--project-name".to_owned(), quoted(&project.name)?];
    for file in files {
        if file == "<stdin>" {
            return Err(Failure::new(
                "a compose file from standard input is not there after a reboot",
                "name a file with -f",
            ));
        }
        which.extend(["--file".to_owned(), absolute(file)?]);
    }
    for file in env_files {
        which.extend(["--env-file".to_owned(), absolute(&file.to_string_lossy())?]);
    }
    which.extend(["--project-directory".to_owned(), quoted(&project.working_dir.to_string_lossy())?]);
    for profile in profiles {
        which.extend(["--profile".to_owned(), quoted(profile)?]);
    }
    let which = which.join(" ");
    let services: Vec<String> = services.iter().map(|service| quoted(service)).collect::<Result<_, _>>()?;
    let services = if services.is_empty() { String::new() } else { format!(" {}", services.join(" ")) };
    let wait = wait_timeout.map_or(String::new(), |seconds| format!(" --wait-timeout {seconds}"));
    let program = quoted(&program.to_string_lossy())?;
    let variables = [("PLIMSOLL_HOME", Some(home.to_path_buf()))]
        .into_iter()
        .chain([("DOCKER_HOST", std::env::var_os("DOCKER_HOST").map(PathBuf::from))])
        .filter_map(|(name, value)| Some((name, value?)))
        .map(|(name, value)| Ok(format!("Environment={}\n", quoted(&format!("{name}={}", value.display()))?)))
        .collect::<Result<String, Failure>>()?;
    Ok(format!(
        "# Written by `plimsoll up --boot`. Brings the stack up in the order of its health after a reboot.\n\
         [Unit]\n\
         Description=Plimsoll stack {name}\n\
         Requires=docker.service\n\
         After=docker.service network-online.target\n\
         Wants=network-online.target\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         RemainAfterExit=yes\n\
         WorkingDirectory={here}\n\
         {variables}\
         ExecStart={program} up {which} --at-boot{wait}{services}\n\
         ExecStop={program} stop --project-name {name}{services}\n\
         # every wait has its own limit\n\
         TimeoutStartSec=infinity\n\
         TimeoutStopSec=10min\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        name = project.name,
        here = path_value(here)?,
    ))
}

/// One word of a command line or an assignment of systemd.
fn quoted(text: &str) -> Result<String, Failure> {
    if text.chars().any(char::is_control) {
        return Err(Failure::new(
            format!("{text:?} cannot be written in a systemd unit"),
            "use names without control characters",
        ));
    }
    let escaped = text.replace('%', "%%").replace('$', "$$").replace('\\', "\\\\").replace('"', "\\\"");
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@,".contains(c);
    Ok(if !text.is_empty() && text.chars().all(plain) { escaped } else { format!("\"{escaped}\"") })
}

/// The value of a setting that is one path: nothing is quoted there, only `%` has a meaning.
fn path_value(path: &Path) -> Result<String, Failure> {
    let text = path.to_string_lossy();
    quoted(&text)?;
    Ok(text.replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use plimsoll_compose::{LoadOptions, NoFiles};
    use plimsoll_source::Source;

    use super::*;

    fn of(profiles: &[&str], wait_timeout: Option<u64>, services: &[&str]) -> String {
        let source = Source::new("shop files/compose.yml", "services: { web: { image: x } }".to_owned());
        let mut options = LoadOptions::new(vec![source], Path::new("/srv/shop files"));
        options.project_name = Some("shop".into());
        let project = plimsoll_compose::load(&options, &NoFiles).unwrap();
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let unit = Unit {
            project: &project,
            files: &["shop files/compose.yml".to_owned()],
            env_files: &[],
            profiles: &owned(profiles),
            services: &owned(services),
            wait_timeout,
        };
        text(&unit, Path::new("/usr/bin/plimsoll"), Path::new("/srv"), Path::new("/var/lib/plimsoll"))
            .unwrap()
    }

    #[test]
    fn the_unit_says_all_that_up_needs() {
        insta::assert_snapshot!(of(&["tools"], Some(60), &["web"]));
    }

    #[test]
    fn what_systemd_would_expand_is_escaped() {
        assert_eq!(quoted("a b%c$d\"e").unwrap(), "\"a b%%c$$d\\\"e\"");
        assert_eq!(quoted("/srv/x_1.yml").unwrap(), "/srv/x_1.yml");
        assert!(quoted("a\nb").is_err());
    }

    #[test]
    fn systemd_itself_reads_the_unit() {
        if Command::new("systemd-analyze").arg("--version").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "CI is set, so systemd-analyze must be there");
            eprintln!("skipped: there is no systemd-analyze");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        // what the unit needs must exist for the check, and docker's unit need not be installed here
        let text = of(&[], None, &[]).replace("/usr/bin/plimsoll", "/bin/true").replace("=/srv\n", "=/\n");
        let path = directory.path().join("plimsoll-shop.service");
        fs::write(&path, text).unwrap();
        fs::write(directory.path().join("docker.service"), "[Service]\nType=oneshot\nExecStart=/bin/true\n")
            .unwrap();
        let output =
            Command::new("systemd-analyze").arg("verify").arg("--man=no").arg(&path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let about_us: Vec<&str> = said.lines().filter(|line| line.contains("plimsoll-shop")).collect();
        assert!(output.status.success() && about_us.is_empty(), "{said}");
    }
}
