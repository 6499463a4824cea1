//! Which uid and gid a service runs as, and giving it its new volumes. Both look into the image or volume through
//! the archive calls on containers that are never started, so no tool and no shell is needed in the image.

use std::{
    collections::BTreeMap,
    io::{Cursor, Read as _},
};

use futures_util::StreamExt as _;
use plimsoll_engine::{ContainerSpec, Engine, EngineError, MountKind, MountSpec};

use crate::{StackError, labels};

/// Enough of an archive to see its first entry and whether there is a second.
const PEEK: usize = 64 * 1024;
/// /etc/passwd and /etc/group may not be larger.
const ACCOUNTS: usize = 1024 * 1024;
/// Where a helper container has the volume; nothing runs there.
const HELPER_DIRECTORY: &str = "/plimsoll-volume";

/// Who a helper container is made for: it carries the labels, so that one that a killed run left behind is found.
#[derive(Clone, Copy)]
pub(crate) struct For<'a> {
    pub(crate) project: &'a str,
    pub(crate) service: &'a str,
    pub(crate) image: &'a str,
}

/// Uid and gid of `user` (`uid`, `uid:gid`, `name`, `name:group`; empty is root) in `image`.
pub(crate) async fn resolve(engine: &Engine, whom: For<'_>, user: &str) -> Result<(u32, u32), StackError> {
    let (user, group) = user.split_once(':').map_or((user, None), |(user, group)| (user, Some(group)));
    match (user, group) {
        ("" | "root", None) => return Ok((0, 0)),
        (user, group) => {
            let uid = user.parse::<u32>().ok();
            let gid = group.map(str::parse::<u32>);
            match (uid, gid) {
                (Some(uid), Some(Ok(gid))) => return Ok((uid, gid)),
                // the group of a bare number is that of the account, which does not matter for files of mode 0400
                (Some(uid), None) => return Ok((uid, 0)),
                _ => {}
            }
        }
    }
    let helper = engine.create_container(&helper(whom, None)).await?;
    let passwd = read_file(engine, &helper, "/etc/passwd").await;
    let groups = read_file(engine, &helper, "/etc/group").await;
    engine.remove_container(&helper, true, true).await?;
    let unknown = || StackError::UnknownUser { service: whom.service.to_owned(), user: user.to_owned() };
    let (uid, primary) = match user.parse::<u32>() {
        Ok(uid) => (uid, 0),
        Err(_) => account(&passwd?, user).ok_or_else(unknown)?,
    };
    let gid = match group {
        None => primary,
        Some(group) => match group.parse() {
            Ok(gid) => gid,
            Err(_) => group_id(&groups?, group).ok_or_else(|| StackError::UnknownUser {
                service: whom.service.to_owned(),
                user: group.to_owned(),
            })?,
        },
    };
    Ok((uid, gid))
}

/// A container that is made from the service's image and never started.
fn helper(whom: For<'_>, volume: Option<&str>) -> ContainerSpec {
    let mounts = volume.map(|volume| MountSpec {
        target: format!("{HELPER_DIRECTORY}/data"),
        read_only: false,
        kind: MountKind::Volume {
            name: Some(volume.to_owned()),
            no_copy: true,
            subpath: None,
            labels: BTreeMap::new(),
        },
    });
    ContainerSpec {
        image: whom.image.to_owned(),
        // an image without a command is refused otherwise
        command: Some(vec!["plimsoll-helper".into()]),
        network_mode: Some("none".into()),
        labels: [
            (labels::PROJECT.to_owned(), whom.project.to_owned()),
            (labels::SERVICE.to_owned(), whom.service.to_owned()),
            (labels::ONEOFF.to_owned(), "True".to_owned()),
            (labels::HELPER.to_owned(), "true".to_owned()),
        ]
        .into(),
        mounts: mounts.into_iter().collect(),
        ..ContainerSpec::default()
    }
}

async fn read_file(engine: &Engine, container: &str, path: &str) -> Result<String, StackError> {
    let archive = match peek(engine, container, path, ACCOUNTS).await {
        Err(EngineError::NotFound { .. }) => return Ok(String::new()),
        other => other?,
    };
    let mut text = String::new();
    let mut archive = tar::Archive::new(Cursor::new(archive));
    let read = archive.entries().and_then(|mut entries| match entries.next() {
        Some(entry) => entry?.read_to_string(&mut text).map(|_| ()),
        None => Ok(()),
    });
    read.map_err(|error| EngineError::Unreadable { message: format!("{path}: {error}") })?;
    Ok(text)
}

/// At most `limit` bytes of the archive of a path; the rest is not transferred.
async fn peek(engine: &Engine, container: &str, path: &str, limit: usize) -> Result<Vec<u8>, EngineError> {
    let mut pieces = engine.read_archive(container, path);
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        bytes.extend(piece?);
        if bytes.len() >= limit {
            break;
        }
    }
    Ok(bytes)
}

/// `name:x:uid:gid:...`
fn account(passwd: &str, name: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

/// `name:x:gid:...`
fn group_id(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        fields.nth(1)?.parse().ok()
    })
}

/// Writes an archive into a volume of the engine's machine, through a container that is never started.
pub(crate) async fn fill_volume(
    engine: &Engine,
    volume: &str,
    whom: For<'_>,
    archive: Vec<u8>,
) -> Result<(), StackError> {
    let helper = engine.create_container(&helper(whom, Some(volume))).await?;
    let written = engine.write_archive(&helper, &format!("{HELPER_DIRECTORY}/data"), archive).await;
    engine.remove_container(&helper, true, false).await?;
    Ok(written?)
}

/// Gives the volume at `target` of `container` to `owner` if it is empty and belongs to root: the engine makes the
/// mount point of a new volume root's when the image does not have the path. Says whether it did.
pub(crate) async fn own_volume(
    engine: &Engine,
    container: &str,
    (target, volume): (&str, &str),
    whom: For<'_>,
    owner: (u32, u32),
) -> Result<bool, StackError> {
    let archive = peek(engine, container, target, PEEK).await?;
    let Some(mode) = empty_and_root(&archive) else { return Ok(false) };
    let helper = engine.create_container(&helper(whom, Some(volume))).await?;
    let given = engine.write_archive(&helper, HELPER_DIRECTORY, directory_archive("data", mode, owner)).await;
    engine.remove_container(&helper, true, false).await?;
    given?;
    Ok(true)
}

/// The mode of the directory that an archive starts with, if it is root's and nothing follows.
fn empty_and_root(archive: &[u8]) -> Option<u32> {
    let mut archive = tar::Archive::new(Cursor::new(archive));
    let mut entries = archive.entries().ok()?;
    let first = entries.next()?.ok()?;
    let header = first.header();
    let root = header.entry_type().is_dir() && header.uid().ok()? == 0;
    let mode = header.mode().ok()? & 0o7777;
    drop(first);
    (root && entries.next().is_none()).then_some(mode)
}

fn directory_archive(name: &str, mode: u32, owner: (u32, u32)) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_size(0);
    header.set_mode(mode);
    header.set_uid(u64::from(owner.0));
    header.set_gid(u64::from(owner.1));
    let mut archive = tar::Builder::new(Vec::new());
    // writing a fixed short name to memory cannot fail; an empty archive would change nothing
    let _ = archive.append_data(&mut header, format!("{name}/"), std::io::empty());
    archive.into_inner().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_and_groups_are_read() {
        let passwd = "root:x:0:0::/:/bin/sh\napp:x:1000:1001::/:/bin/sh\nbroken:x\n";
        assert_eq!(account(passwd, "app"), Some((1000, 1001)));
        assert_eq!((account(passwd, "broken"), account(passwd, "ap")), (None, None));
        assert_eq!(group_id("a:x:1:\nweb:x:33:app\n", "web"), Some(33));
    }

    #[test]
    fn only_an_empty_directory_of_root_is_given_away() {
        assert_eq!(empty_and_root(&directory_archive("d", 0o755, (0, 0))), Some(0o755));
        assert_eq!(empty_and_root(&directory_archive("d", 0o755, (999, 999))), None);
        let mut archive = directory_archive("d", 0o755, (0, 0));
        archive.truncate(512);
        archive.extend(directory_archive("d/e", 0o755, (0, 0)));
        assert_eq!(empty_and_root(&archive), None);
    }
}
