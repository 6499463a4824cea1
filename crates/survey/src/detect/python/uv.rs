//! What uv's lock file says besides packages.

use crate::{
    context::{Context, join},
    model::{Evidence, Fact},
    toml,
};

/// Settings that uv writes into its lock file, and their names in a project's settings.
const OPTIONS: [(&str, &str); 6] = [
    ("exclude-newer-span", "exclude-newer"),
    ("exclude-newer", "exclude-newer"),
    ("exclude-newer-package", "exclude-newer-package"),
    ("resolution-mode", "resolution"),
    ("prerelease-mode", "prerelease"),
    ("fork-strategy", "fork-strategy"),
];

/// A setting that the lock file was made with and that no image has: it stood on the machine of whoever made it, or it
/// counts from the day of the build. uv would not believe such a lock file, but installs what it names.
pub(super) fn only_frozen(context: &Context<'_>, folder: &str) -> Option<Fact<String>> {
    let source = context.repository.source(&join(folder, "uv.lock"))?;
    let root = toml::parse(&source).ok()?;
    let options = root.at(&["options"])?;
    OPTIONS.iter().find_map(|(locked, setting)| {
        let value = options.at(&[locked])?;
        let relative = *locked == "exclude-newer-span";
        if !relative && is_set(context, folder, setting) {
            return None;
        }
        let reason = if relative {
            "it counts from the day of a build, which none of the settings of a build says"
        } else {
            "it was set where the lock file was made, and not in the project"
        };
        Some(Fact::new((*locked).to_owned(), Evidence::new(&source, value.span, reason)))
    })
}

/// Members of a workspace that are looked at.
const MAX_MEMBERS: usize = 100;

/// The manifests of a workspace's members, below its folder: uv compares all of them with the lock file.
pub(super) fn members(context: &Context<'_>, folder: &str) -> Vec<Fact<String>> {
    let Some(source) = context.repository.source(&join(folder, "pyproject.toml")) else { return Vec::new() };
    let Ok(root) = toml::parse(&source) else { return Vec::new() };
    let list = |key: &str| root.at(&["tool", "uv", "workspace", key]).map_or(&[][..], toml::Value::items);
    let matches = |pattern: &str, member: &str| match pattern.strip_suffix("/*") {
        Some(above) => member.rsplit_once('/').is_some_and(|(parent, _)| parent == above),
        None => pattern.trim_end_matches('/') == member,
    };
    let manifests = context.repository.under(folder).filter_map(|file| {
        let file = file.get(folder.len()..)?.trim_start_matches('/');
        Some((file, file.strip_suffix("/pyproject.toml")?))
    });
    let found = manifests.filter_map(|(file, member)| {
        let pattern = list("members").iter().find(|item| item.str().is_some_and(|it| matches(it, member)))?;
        let excluded = list("exclude").iter().any(|item| item.str().is_some_and(|it| matches(it, member)));
        let evidence = Evidence::new(&source, pattern.span, "a member of uv's workspace");
        (!excluded).then(|| Fact::new(file.to_owned(), evidence))
    });
    found.take(MAX_MEMBERS).collect()
}

/// Whether the project itself has a setting of uv.
fn is_set(context: &Context<'_>, folder: &str, setting: &str) -> bool {
    let own = |file: &str, path: &[&str]| {
        let source = context.repository.source(&join(folder, file))?;
        toml::parse(&source).ok()?.at(path).map(|_| ())
    };
    own("uv.toml", &[setting]).or_else(|| own("pyproject.toml", &["tool", "uv", setting])).is_some()
}
