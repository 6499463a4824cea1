//! Where a file system that a container sees lies on the host.
//!
//! A mount is known by its device and the directory of that file system that it shows. The same device in the host's
//! own mount table says which paths of the host that is, whatever the path was called when it was mounted: a bind of a
//! link, of `/proc/1/root`, a volume with `o=bind` and the disk itself all come out the same.

use std::path::Path;

use crate::procfs::MountLine;

/// What a mount shows of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The path on the host.
    pub(crate) path: String,
    /// True if the mount shows more than that path: what the host mounts there is only a part of it.
    pub(crate) more: bool,
}

/// The host's paths that `mount` shows; none if its file system is not mounted on the host.
pub(crate) fn shown<'l>(host: impl IntoIterator<Item = &'l MountLine>, mount: &MountLine) -> Vec<Shown> {
    let mut found: Vec<Shown> = Vec::new();
    for line in host.into_iter().filter(|line| line.device == mount.device) {
        let shown = if let Some(rest) = inside(&mount.root, &line.root) {
            Shown { path: join(&line.target, rest), more: false }
        } else if inside(&line.root, &mount.root).is_some() {
            Shown { path: line.target.clone(), more: true }
        } else {
            continue;
        };
        if !found.contains(&shown) {
            found.push(shown);
        }
    }
    found
}

/// The file system that a path of the host is on, and its path in there.
pub(crate) fn place<'l>(
    host: impl IntoIterator<Item = &'l MountLine>,
    path: &str,
) -> Option<(String, String)> {
    // Of mounts in the same place the last one hides the others, and so does `max_by_key`.
    let line =
        host.into_iter().filter(|line| is_inside(path, &line.target)).max_by_key(|line| line.target.len())?;
    Some((line.device.clone(), join(&line.root, inside(path, &line.target)?)))
}

/// The rest of `path` below `top`, empty if they are the same; `None` if it is elsewhere.
pub(crate) fn inside<'a>(path: &'a str, top: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(top.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_matches('/'))
}

/// True if `path` is `top` or inside it.
pub(crate) fn is_inside(path: &str, top: &str) -> bool {
    inside(path, top).is_some()
}

fn join(top: &str, rest: &str) -> String {
    match (top.trim_end_matches('/'), rest) {
        ("", "") => "/".to_owned(),
        (top, "") => top.to_owned(),
        (top, rest) => format!("{top}/{rest}"),
    }
}

/// The path at the end of all links, as far as it exists.
pub(crate) fn canonical(path: &str) -> String {
    std::fs::canonicalize(path).map_or_else(|_| path.to_owned(), |path| path.display().to_string())
}

/// The directories of the host that an overlay is made of (`lowerdir=`, `upperdir=`, `workdir=`).
pub(crate) fn overlaid(mount: &MountLine) -> Vec<String> {
    if mount.kind != "overlay" {
        return Vec::new();
    }
    let options =
        mount.text.split_once(" - ").and_then(|(_, after)| after.splitn(3, ' ').nth(2)).unwrap_or("");
    let value = |option: &str| {
        let (key, value) = option.split_once('=')?;
        matches!(key, "lowerdir" | "lowerdir+" | "upperdir").then(|| value.to_owned())
    };
    let values = options.split(',').filter_map(value);
    let layers: Vec<String> =
        values.flat_map(|value| value.split(':').map(str::to_owned).collect::<Vec<_>>()).collect();
    layers.into_iter().filter(|layer| Path::new(layer).is_absolute()).map(|layer| canonical(&layer)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(device: &str, root: &str, target: &str) -> MountLine {
        MountLine {
            device: device.into(),
            root: root.into(),
            target: target.into(),
            options: "rw".into(),
            kind: "ext4".into(),
            text: String::new(),
        }
    }

    fn paths(host: &[MountLine], device: &str, root: &str) -> Vec<(String, bool)> {
        shown(host, &line(device, root, "/x")).into_iter().map(|shown| (shown.path, shown.more)).collect()
    }

    #[test]
    fn a_mount_is_found_on_the_host_by_its_device() {
        let host =
            [line("8:1", "/", "/"), line("0:20", "/", "/run"), line("8:1", "/srv/lib", "/var/lib/app")];
        assert_eq!(paths(&host, "8:1", "/etc"), [("/etc".into(), false)]);
        assert_eq!(paths(&host, "8:1", "/"), [("/".into(), false), ("/var/lib/app".into(), true)]);
        assert_eq!(paths(&host, "0:20", "/"), [("/run".into(), false)]);
        assert_eq!(
            paths(&host, "8:1", "/srv/lib/x"),
            [("/srv/lib/x".into(), false), ("/var/lib/app/x".into(), false)]
        );
        assert_eq!(paths(&host, "0:99", "/"), []);
    }

    #[test]
    fn a_part_of_a_file_system_shows_the_part_alone() {
        // btrfs: the host's root is a subvolume; a container has the whole disk.
        let host = [line("0:30", "/@", "/"), line("0:30", "/@home", "/home")];
        assert_eq!(paths(&host, "0:30", "/"), [("/".into(), true), ("/home".into(), true)]);
        assert_eq!(paths(&host, "0:30", "/@/srv/app"), [("/srv/app".into(), false)]);
        assert_eq!(paths(&host, "0:30", "/@other"), []);
    }

    #[test]
    fn the_place_of_a_path() {
        let host =
            [line("8:1", "/", "/"), line("8:2", "/", "/var"), line("8:1", "/data/docker", "/var/lib/docker")];
        let at = |path| place(&host, path).unwrap();
        assert_eq!(at("/var/lib/docker/volumes/x"), ("8:1".into(), "/data/docker/volumes/x".into()));
        assert_eq!(at("/var/log"), ("8:2".into(), "/log".into()));
        assert_eq!(at("/"), ("8:1".into(), "/".into()));
    }

    #[test]
    fn inside_is_by_whole_names() {
        assert!(is_inside("/etc/ssl", "/etc") && is_inside("/etc", "/etc") && is_inside("/etc", "/"));
        assert!(!is_inside("/etcetera", "/etc") && !is_inside("/", "/etc"));
    }

    #[test]
    fn the_layers_of_an_overlay() {
        let mut mount = line("0:40", "/", "/x");
        mount.kind = "overlay".into();
        mount.text = "1 1 0:40 / /x rw - overlay overlay rw,lowerdir=/nonexistent-a:/nonexistent-b,upperdir=/nonexistent-c,workdir=/w".into();
        assert_eq!(overlaid(&mount), ["/nonexistent-a", "/nonexistent-b", "/nonexistent-c"]);
    }
}
