//! Process 1 of a step: enters the root, gives up its privileges, becomes the command.

use std::{
    ffi::CString,
    fs, io,
    os::{
        fd::OwnedFd,
        unix::{fs::MetadataExt, net::UnixStream},
    },
    path::{Path, PathBuf},
    process,
};

use nix::{errno::Errno, libc, unistd::execve};
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::{
    failure::{Context as _, Failure},
    mounts,
    network::seen_from_inside,
    privileges::{self, Around},
    process::{Network, Process, Security, User},
    seccomp,
    terminal::Terminal,
    user::{Identity, lookup},
    wire::{self, Report},
};

/// Where a shell looks when `PATH` is not set.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What becomes the command's standard input.
pub(crate) enum Stdin {
    Nothing,
    File(OwnedFd),
    /// A terminal that is made inside.
    Terminal,
}

/// Becomes the command of `step`; when that fails, says why through `socket` and ends.
pub(crate) fn become_command(
    step: &Process,
    stdin: &Stdin,
    network: Option<OwnedFd>,
    socket: &UnixStream,
) -> ! {
    execute(step, socket, prepare(step, stdin, network, socket))
}

/// As [`become_command`], with a directory that is ready as root, and no namespaces.
pub(crate) fn become_command_in(step: &Process, stdin: &Stdin, socket: &UnixStream, root: &Path) -> ! {
    execute(step, socket, prepare_in(step, stdin, socket, root))
}

fn execute(step: &Process, socket: &UnixStream, prepared: Result<Command, Stop>) -> ! {
    let failure = match prepared {
        Ok((program, arguments, environment)) => {
            let cause = match execve(&program, &arguments, &environment) {
                Err(Errno::ENOEXEC) => "exec format error".to_owned(),
                // The file is there, so what is missing is the interpreter that it names.
                Err(Errno::ENOENT) => {
                    "no such file or directory (its interpreter or loader is missing)".to_owned()
                }
                Err(error) => io::Error::from(error).to_string(),
            };
            Report::Exec { command: step.argv[0].clone(), cause }
        }
        Err(Stop::Setup(failure)) => failure.report(),
        Err(Stop::Exec(cause)) => {
            Report::Exec { command: step.argv.first().cloned().unwrap_or_default(), cause }
        }
    };
    let _ = wire::send(socket, &failure);
    process::exit(127);
}

enum Stop {
    Setup(Failure),
    Exec(String),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Setup(failure)
    }
}

type Command = (CString, Vec<CString>, Vec<CString>);

fn prepare(
    step: &Process,
    stdin: &Stdin,
    network: Option<OwnedFd>,
    socket: &UnixStream,
) -> Result<Command, Stop> {
    die_with_helper()?;
    if let Some(namespace) = network {
        nix::sched::setns(&namespace, nix::sched::CloneFlags::CLONE_NEWNET)
            .context(|| "cannot enter the step's network".to_owned())?;
    }
    nix::unistd::setsid().context(|| "cannot start a session".to_owned())?;
    nix::unistd::sethostname(&step.hostname)
        .context(|| format!("cannot set the host name {}", step.hostname))?;
    if step.network == Network::None {
        loopback_up().context(|| "cannot bring up the loopback interface".to_owned())?;
    }
    let prepared = mounts::enter(step)?;
    let made = mounts::furnish(step, prepared)?;
    wire::send(socket, &Report::Mounted(made)).context(|| "cannot report to the caller".to_owned())?;
    let source = source(stdin)?;
    command(step, &source, socket, Around::Namespaces)
}

fn prepare_in(step: &Process, stdin: &Stdin, socket: &UnixStream, root: &Path) -> Result<Command, Stop> {
    die_with_helper()?;
    nix::unistd::setsid().context(|| "cannot start a session".to_owned())?;
    // The copy of the root has no terminals of its own.
    let source = source(stdin)?;
    let what = || format!("cannot make {} the root", root.display());
    nix::unistd::chroot(root).context(what)?;
    nix::unistd::chdir("/").context(what)?;
    // A filter would need the right to make namespaces; the container around us has one.
    command(step, &source, socket, Around::Chroot)
}

/// Where standard input comes from, opened.
enum Source {
    File(OwnedFd),
    Terminal(Terminal),
}

fn source(stdin: &Stdin) -> Result<Source, Failure> {
    let what = || "cannot open the command's standard input".to_owned();
    Ok(match stdin {
        Stdin::Nothing => Source::File(fs::File::open("/dev/null").context(what)?.into()),
        Stdin::File(file) => Source::File(file.try_clone().context(what)?),
        Stdin::Terminal => {
            Source::Terminal(Terminal::make().context(|| "cannot make a terminal".to_owned())?)
        }
    })
}

/// Inside the root: gives everything up, and says what to execute.
fn command(step: &Process, source: &Source, socket: &UnixStream, around: Around) -> Result<Command, Stop> {
    let identity = identity(&step.user)?;
    let environment = environment(step, &identity, around);
    enter_directory(&step.cwd)?;
    match source {
        Source::File(file) => {
            nix::unistd::dup2_stdin(file).context(|| "cannot replace standard input".to_owned())?;
        }
        Source::Terminal(terminal) => {
            terminal.control(identity.uid, socket).context(|| "cannot hand over the terminal".to_owned())?;
        }
    }
    privileges::start_clean(&step.limits.ulimits)?;
    if around == Around::Namespaces && step.security == Security::Sandbox {
        seccomp::install()?;
    }
    privileges::drop_to(&identity, step.security, around)?;
    // Changing the user cleared it.
    die_with_helper()?;
    let program = find(step, &environment).map_err(Stop::Exec)?;
    let arguments = c_strings(step.argv.iter().cloned())?;
    let environment = c_strings(environment.into_iter().map(|(name, value)| format!("{name}={value}")))?;
    let program = c_strings([program])?.remove(0);
    Ok((program, arguments, environment))
}

/// The kernel kills this process when the helper ends, however that comes.
fn die_with_helper() -> Result<(), Failure> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .context(|| "cannot ask for the death signal".to_owned())
}

fn c_strings(texts: impl IntoIterator<Item = String>) -> Result<Vec<CString>, Failure> {
    texts
        .into_iter()
        .map(|text| {
            CString::new(text).map_err(|error| Failure {
                what: "cannot pass an argument or variable to the command".to_owned(),
                cause: error.to_string(),
            })
        })
        .collect()
}

fn identity(user: &User) -> Result<Identity, Failure> {
    let read =
        |path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let passwd = read("/etc/passwd");
    match user {
        User::Ids { uid, gid, groups } => {
            let home =
                lookup(&uid.to_string(), &passwd, "").map_or_else(|_| "/".to_owned(), |found| found.home);
            Ok(Identity { uid: *uid, gid: *gid, groups: groups.clone(), home })
        }
        User::Spec(spec) => lookup(spec, &passwd, &read("/etc/group"))
            .map_err(|error| Failure { what: format!("cannot run as `{spec}`"), cause: error.to_string() }),
    }
}

fn environment(step: &Process, identity: &Identity, around: Around) -> Vec<(String, String)> {
    let is_proxy = |name: &String| step.proxies.iter().any(|(proxy, _)| proxy == name);
    let mut environment: Vec<(String, String)> =
        step.env.iter().filter(|(name, _)| !is_proxy(name)).cloned().collect();
    let own = around == Around::Namespaces && step.network == Network::Own;
    environment.extend(step.proxies.iter().map(|(name, value)| {
        (name.clone(), if own { seen_from_inside(name, value) } else { value.clone() })
    }));
    if !environment.iter().any(|(name, _)| name == "HOME") {
        environment.push(("HOME".to_owned(), identity.home.clone()));
    }
    environment
}

fn enter_directory(path: &Path) -> Result<(), Failure> {
    let what = || format!("cannot enter the working directory {}", path.display());
    if !path.is_absolute() {
        return Err(Failure { what: what(), cause: "it is not an absolute path".to_owned() });
    }
    fs::create_dir_all(path).context(what)?;
    nix::unistd::chdir(path).context(what)
}

/// The file that the first word of the command means, as a shell would find it.
fn find(step: &Process, environment: &[(String, String)]) -> Result<String, String> {
    let name = step.argv.first().filter(|name| !name.is_empty()).ok_or("no command was given")?;
    if name.contains('/') {
        return match fs::metadata(name) {
            Ok(meta) if meta.is_dir() => Err("is a directory".to_owned()),
            Ok(_) => Ok(name.clone()),
            Err(error) => Err(io_text(&error)),
        };
    }
    let path =
        environment.iter().rev().find(|(name, _)| name == "PATH").map_or(DEFAULT_PATH, |(_, value)| value);
    path.split(':')
        .map(|directory| PathBuf::from(if directory.is_empty() { "." } else { directory }).join(name))
        .find(|candidate| {
            fs::metadata(candidate).is_ok_and(|meta| meta.is_file() && meta.mode() & 0o111 != 0)
        })
        .map(|found| found.to_string_lossy().into_owned())
        .ok_or_else(|| "executable file not found in $PATH".to_owned())
}

fn io_text(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::NotFound {
        "no such file or directory".to_owned()
    } else {
        error.to_string()
    }
}

fn loopback_up() -> io::Result<()> {
    let socket = rustix::net::socket_with(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::DGRAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )?;
    // SAFETY: `ifreq` is plain data, for which zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads one `ifreq`, which outlives the call.
    let result = unsafe {
        libc::ioctl(std::os::fd::AsRawFd::as_raw_fd(&socket), libc::SIOCSIFFLAGS, &raw const request)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
