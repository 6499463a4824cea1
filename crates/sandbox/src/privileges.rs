//! Giving up: capabilities, user, and everything inherited from the caller that a command must not see.

use std::io;

use caps::{CapSet, Capability, CapsHashSet};
use nix::{
    libc,
    sys::{
        resource::{Resource, setrlimit},
        signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask},
    },
    unistd::{Gid, Uid, setgroups, setresgid, setresuid},
};

use crate::{
    failure::{Context as _, Failure},
    process::{Security, Ulimit},
    user::Identity,
};

/// Docker's default set without CAP_NET_RAW, which reads and forges the packets of others: `CapBnd: 00000000a80405fb`.
const DEFAULT: [Capability; 13] = [
    Capability::CAP_AUDIT_WRITE,
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_FOWNER,
    Capability::CAP_FSETID,
    Capability::CAP_KILL,
    Capability::CAP_MKNOD,
    Capability::CAP_NET_BIND_SERVICE,
    Capability::CAP_SETFCAP,
    Capability::CAP_SETGID,
    Capability::CAP_SETPCAP,
    Capability::CAP_SETUID,
    Capability::CAP_SYS_CHROOT,
];

/// Where no namespaces are: a node that a step makes would open, and the network's ports are those of others.
const NEEDS_NAMESPACES: [Capability; 2] = [Capability::CAP_MKNOD, Capability::CAP_NET_BIND_SERVICE];

/// What is between the command and the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Around {
    /// Namespaces of its own.
    Namespaces,
    /// Another root directory, and nothing else.
    Chroot,
}

/// Becomes `identity` with no more than the default capabilities; a user other than root has none in effect.
pub(crate) fn drop_to(identity: &Identity, security: Security, around: Around) -> Result<(), Failure> {
    // A container around us may have given up some of them.
    let ours = caps::read(None, CapSet::Permitted).map_err(|error| Failure {
        what: "cannot read our capabilities".to_owned(),
        cause: error.to_string(),
    })?;
    let lacks = |it: &Capability| around == Around::Chroot && NEEDS_NAMESPACES.contains(it);
    let kept: CapsHashSet = DEFAULT.into_iter().filter(|it| ours.contains(it) && !lacks(it)).collect();
    if security == Security::Sandbox {
        drop_bounding(&kept).context(|| "cannot drop capabilities from the bounding set".to_owned())?;
    }
    let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
    let mut groups = vec![gid];
    groups.extend(identity.groups.iter().copied().map(Gid::from_raw).filter(|&other| other != gid));
    let what = || format!("cannot become uid {uid}, gid {gid}");
    match setgroups(&groups) {
        // One id is all there is, and the kernel lets nobody give up groups there.
        Err(nix::errno::Errno::EPERM) if groups.len() == 1 && crate::rootless::groups_are_fixed() => {}
        done => done.context(what)?,
    }
    setresgid(gid, gid, gid).context(what)?;
    setresuid(uid, uid, uid).context(what)?;
    if security == Security::Sandbox && uid.is_root() {
        for (set, wanted) in [
            (CapSet::Inheritable, &CapsHashSet::new()),
            (CapSet::Effective, &kept),
            (CapSet::Permitted, &kept),
        ] {
            caps::set(None, set, wanted).map_err(|error| Failure {
                what: "cannot drop capabilities".to_owned(),
                cause: error.to_string(),
            })?;
        }
    }
    Ok(())
}

fn drop_bounding(kept: &CapsHashSet) -> io::Result<()> {
    let kept: Vec<libc::c_ulong> =
        kept.iter().map(|capability| libc::c_ulong::from(capability.index())).collect();
    for capability in 0..64 {
        if kept.contains(&capability) {
            continue;
        }
        // SAFETY: prctl with this option takes numbers only.
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } != 0 {
            let error = io::Error::last_os_error();
            // The first number that the kernel does not know ends the list.
            return if error.raw_os_error() == Some(libc::EINVAL) { Ok(()) } else { Err(error) };
        }
    }
    Ok(())
}

/// Signal handling, umask and resource limits as a fresh process has them; every descriptor closes at exec.
pub(crate) fn start_clean(ulimits: &[Ulimit]) -> Result<(), Failure> {
    for number in Signal::iterator().filter(|number| !matches!(number, Signal::SIGKILL | Signal::SIGSTOP)) {
        // SAFETY: the default action runs no code of ours.
        unsafe { signal(number, SigHandler::SigDfl) }.context(|| format!("cannot reset {number}"))?;
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
        .context(|| "cannot unblock signals".to_owned())?;
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    for limit in ulimits {
        let resource = resource(&limit.name).ok_or_else(|| Failure {
            what: format!("cannot set the limit `{}`", limit.name),
            cause: "there is no such limit".to_owned(),
        })?;
        setrlimit(resource, limit.soft, limit.hard)
            .context(|| format!("cannot set the limit `{}`", limit.name))?;
    }
    // SAFETY: the call takes numbers only; marking descriptors to close at exec invalidates none.
    let marked =
        unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if marked != 0 {
        return Err(io::Error::last_os_error()).context(|| "cannot close inherited descriptors".to_owned());
    }
    Ok(())
}

fn resource(name: &str) -> Option<Resource> {
    Some(match name {
        "as" => Resource::RLIMIT_AS,
        "core" => Resource::RLIMIT_CORE,
        "cpu" => Resource::RLIMIT_CPU,
        "data" => Resource::RLIMIT_DATA,
        "fsize" => Resource::RLIMIT_FSIZE,
        "locks" => Resource::RLIMIT_LOCKS,
        "memlock" => Resource::RLIMIT_MEMLOCK,
        "msgqueue" => Resource::RLIMIT_MSGQUEUE,
        "nice" => Resource::RLIMIT_NICE,
        "nofile" => Resource::RLIMIT_NOFILE,
        "nproc" => Resource::RLIMIT_NPROC,
        "rss" => Resource::RLIMIT_RSS,
        "rtprio" => Resource::RLIMIT_RTPRIO,
        "rttime" => Resource::RLIMIT_RTTIME,
        "sigpending" => Resource::RLIMIT_SIGPENDING,
        "stack" => Resource::RLIMIT_STACK,
        _ => return None,
    })
}
