//! `user[:group]` to numbers, by the root's `/etc/passwd` and `/etc/group`, with Docker's rules and messages.

/// Who a user specification means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The number of the user.
    pub uid: u32,
    /// The number of the primary group.
    pub gid: u32,
    /// Supplementary groups, without the primary one.
    pub groups: Vec<u32>,
    /// Home directory; `/` when the user has no entry.
    pub home: String,
}

/// Why a specification means nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// `/etc/passwd` of the image has no such user.
    #[error("unable to find user {0}: no matching entries in passwd file")]
    NoUser(String),
    /// `/etc/group` of the image has no such group.
    #[error("unable to find group {0}: no matching entries in group file")]
    NoGroup(String),
    /// A number that is no id.
    #[error("uids and gids must be in range 0-2147483647")]
    Range,
}

/// Looks `spec` up in the texts of a passwd and a group file; either may be empty. The empty spec means root.
///
/// # Errors
/// When a name has no entry. A number needs none.
pub fn lookup(spec: &str, passwd: &str, group: &str) -> Result<Identity, UserError> {
    let (user, group_spec) = spec.split_once(':').unwrap_or((spec, ""));
    let wanted = if user.is_empty() { "0" } else { user };
    let number = id(wanted)?;
    let entry = passwd.lines().filter_map(PasswdEntry::parse).find(|entry| match number {
        Some(uid) => entry.uid == uid,
        None => entry.name == wanted,
    });
    let mut identity = match (&entry, number) {
        (Some(entry), _) => {
            Identity { uid: entry.uid, gid: entry.gid, groups: Vec::new(), home: entry.home.to_owned() }
        }
        (None, Some(uid)) => Identity { uid, gid: 0, groups: Vec::new(), home: String::new() },
        (None, None) => return Err(UserError::NoUser(wanted.to_owned())),
    };
    if !group_spec.is_empty() {
        let number = id(group_spec)?;
        let found = group.lines().filter_map(GroupEntry::parse).find(|entry| match number {
            Some(gid) => entry.gid == gid,
            None => entry.name == group_spec,
        });
        identity.gid = found
            .map(|entry| entry.gid)
            .or(number)
            .ok_or_else(|| UserError::NoGroup(group_spec.to_owned()))?;
    } else if let Some(entry) = entry.filter(|_| !spec.is_empty()) {
        identity.groups = group
            .lines()
            .filter_map(GroupEntry::parse)
            .filter(|group| group.members.split(',').any(|member| member == entry.name))
            .map(|group| group.gid)
            .filter(|&gid| gid != identity.gid)
            .collect();
    }
    if identity.home.is_empty() {
        "/".clone_into(&mut identity.home);
    }
    Ok(identity)
}

/// The id that a number means; `None` for a name.
fn id(text: &str) -> Result<Option<u32>, UserError> {
    match text.parse::<i64>() {
        Ok(number) => u32::try_from(number)
            .ok()
            .filter(|&id| i32::try_from(id).is_ok())
            .map(Some)
            .ok_or(UserError::Range),
        Err(_) => Ok(None),
    }
}

struct PasswdEntry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

impl<'a> PasswdEntry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.trim().split(':');
        let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        let home = fields.nth(1).unwrap_or_default();
        Some(Self { name, uid, gid, home })
    }
}

struct GroupEntry<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

impl<'a> GroupEntry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.trim().split(':');
        let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?;
        let gid = fields.nth(1)?.parse().ok()?;
        Some(Self { name, gid, members: fields.next().unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1001::/home/node:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nnode:x:1001:\naudio:x:29:node,other\nnodes:x:30:nodes\n";

    fn who(spec: &str) -> Result<(u32, u32, Vec<u32>, String), String> {
        lookup(spec, PASSWD, GROUP)
            .map(|is| (is.uid, is.gid, is.groups, is.home))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn names_and_numbers_find_their_entry_and_groups() {
        assert_eq!(who("node"), Ok((1000, 1001, vec![29], "/home/node".into())));
        assert_eq!(who("1000"), Ok((1000, 1001, vec![29], "/home/node".into())));
        assert_eq!(who(""), Ok((0, 0, vec![], "/root".into())));
    }

    #[test]
    fn numbers_need_no_entry_and_an_explicit_group_drops_the_others() {
        assert_eq!(who("4242"), Ok((4242, 0, vec![], "/".into())));
        assert_eq!(who("4242:7"), Ok((4242, 7, vec![], "/".into())));
        assert_eq!(who("node:audio"), Ok((1000, 29, vec![], "/home/node".into())));
    }

    #[test]
    fn unknown_names_are_refused_with_dockers_words() {
        assert_eq!(
            who("nobody"),
            Err("unable to find user nobody: no matching entries in passwd file".into())
        );
        assert_eq!(who("node:x"), Err("unable to find group x: no matching entries in group file".into()));
        assert_eq!(who("-1"), Err("uids and gids must be in range 0-2147483647".into()));
    }
}
