//! Overlay mounts: by the mount API with one call per layer, by `mount(2)` where the kernel does not know that.

use std::{
    fs, io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use nix::mount::{MsFlags, mount};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, move_mount,
};

use crate::{
    failure::{Context as _, Failure},
    rootless::in_user_namespace,
};

/// Options that keep an upper directory readable as a plain difference; a kernel without one has not the feature.
const PLAIN: [(&str, &str); 3] = [("redirect_dir", "off"), ("metacopy", "off"), ("index", "off")];

/// With `userxattr` the kernel makes no redirects, and refuses even to be told so.
fn plain_options() -> &'static [(&'static str, &'static str)] {
    if in_user_namespace() { &PLAIN[1..] } else { &PLAIN }
}

/// Mounts `lowers` (top first) on `target`, with `writable` as upper and work directory.
///
/// One layer alone is bind-mounted: overlay wants two. Without any layer the upper directory itself is the root.
pub(crate) fn mount_layers(
    lowers: &[PathBuf],
    writable: Option<(&Path, &Path)>,
    target: &Path,
) -> Result<(), Failure> {
    let what = || format!("cannot mount {} layers on {}", lowers.len(), target.display());
    match (lowers, writable) {
        ([], None) => Err(Failure { what: what(), cause: "no layer was given".to_owned() }),
        ([], Some((only, _))) => bind(only, target).context(what),
        ([only], None) => bind(only, target).context(what),
        _ => match by_mount_api(lowers, writable, target) {
            Ok(()) => Ok(()),
            Err(first) => by_option_string(lowers, writable, target).map_err(|second| Failure {
                what: what(),
                cause: format!("{first}; with mount(2): {second}"),
            }),
        },
    }
}

fn bind(source: &Path, target: &Path) -> nix::Result<()> {
    mount(Some(source), target, None::<&str>, MsFlags::MS_BIND, None::<&str>)
}

fn by_mount_api(lowers: &[PathBuf], writable: Option<(&Path, &Path)>, target: &Path) -> io::Result<()> {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let done = (|| {
        for lower in lowers {
            fsconfig_set_string(&context, "lowerdir+", lower)?;
        }
        if let Some((upper, work)) = writable {
            fsconfig_set_string(&context, "upperdir", escaped(upper))?;
            fsconfig_set_string(&context, "workdir", escaped(work))?;
            // Copying a file up would fsync it, 35 times the cost of the copy; the store syncs once per build.
            fsconfig_set_flag(&context, "volatile").or_else(unknown_is_fine)?;
        }
        if in_user_namespace() {
            // `trusted.*` attributes belong to the machine's root.
            fsconfig_set_flag(&context, "userxattr")?;
        }
        for (key, value) in plain_options() {
            fsconfig_set_string(&context, *key, *value).or_else(unknown_is_fine)?;
        }
        fsconfig_create(&context)?;
        fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
    })();
    let tree = done.map_err(|error| kernel_message(&context, error))?;
    move_mount(&tree, "", rustix::fs::CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    Ok(())
}

fn unknown_is_fine(error: rustix::io::Errno) -> rustix::io::Result<()> {
    if error == rustix::io::Errno::INVAL { Ok(()) } else { Err(error) }
}

/// The kernel reads backslashes in these two values, not in `lowerdir+`.
fn escaped(path: &Path) -> Vec<u8> {
    path.as_os_str()
        .as_bytes()
        .iter()
        .flat_map(|&byte| (byte == b'\\').then_some(b'\\').into_iter().chain([byte]))
        .collect()
}

/// The reason that the mount context holds says more than the error number.
fn kernel_message(context: &OwnedFd, error: rustix::io::Errno) -> io::Error {
    let mut text = [0; 512];
    match rustix::io::read(context, &mut text) {
        Ok(length) if length > 2 => {
            let message = String::from_utf8_lossy(&text[2..length]);
            io::Error::other(format!("{} ({error})", message.trim()))
        }
        _ => error.into(),
    }
}

/// Kernels before 6.5. The options must fit into one page, which some forty layers fill.
fn by_option_string(lowers: &[PathBuf], writable: Option<(&Path, &Path)>, target: &Path) -> io::Result<()> {
    let mut options: Vec<u8> = b"lowerdir=".to_vec();
    for (at, lower) in lowers.iter().enumerate() {
        if at > 0 {
            options.push(b':');
        }
        append_escaped(&mut options, lower);
    }
    if let Some((upper, work)) = writable {
        options.extend(b",upperdir=");
        append_escaped(&mut options, upper);
        options.extend(b",workdir=");
        append_escaped(&mut options, work);
        options.extend(b",volatile");
    }
    if in_user_namespace() {
        options.extend(b",userxattr");
    }
    for (key, value) in plain_options() {
        if fs::exists(format!("/sys/module/overlay/parameters/{key}")).unwrap_or(false) {
            options.extend(format!(",{key}={value}").into_bytes());
        }
    }
    let options = std::ffi::CString::new(options)?;
    mount(Some("overlay"), target, Some("overlay"), MsFlags::empty(), Some(options.as_c_str()))?;
    Ok(())
}

fn append_escaped(options: &mut Vec<u8>, path: &Path) {
    for &byte in path.as_os_str().as_bytes() {
        if matches!(byte, b'\\' | b':' | b',') {
            options.push(b'\\');
        }
        options.push(byte);
    }
}
