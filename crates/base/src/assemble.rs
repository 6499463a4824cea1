//! One layer from packages and a recipe.

use std::path::PathBuf;

use plimsoll_image::{LayerId, SealOptions, Store};
use plimsoll_sandbox::Root;

use crate::error::BaseError;
use crate::filter::Filter;
use crate::index::Package;
use crate::recipes::{Entry, Recipe, Setup};
use crate::suite::Suite;
use crate::tree::{Attributes, Tree};
use crate::{accounts, certificates, configure, copyright, deb, dpkg, npm};

/// What goes into a layer.
pub(crate) struct Plan<'a> {
    pub(crate) recipe: &'a Recipe,
    /// In the order of names.
    pub(crate) packages: &'a [Package],
    /// Their files.
    pub(crate) files: &'a [PathBuf],
    /// The base's version.
    pub(crate) version: &'a str,
    /// Packages of npm.
    pub(crate) npm: &'a [npm::Fetched],
    /// Layers below, lowest first.
    pub(crate) below: &'a [LayerId],
    /// No time stamp is older than those of the layers below need it to be.
    pub(crate) epoch: i64,
    /// The text of apt's sources, for a base that has apt.
    pub(crate) sources: &'a str,
    /// Whether a base below keeps dpkg.
    pub(crate) keeps_dpkg: bool,
    /// The release that the packages are from.
    pub(crate) suite: Suite,
}

/// A layer in the store.
pub(crate) struct Assembled {
    pub(crate) layer: LayerId,
    pub(crate) epoch: i64,
    /// In the order of the plan's packages.
    pub(crate) entries: Vec<dpkg::Entry>,
    /// The licences of the plan's packages of npm, in their order.
    pub(crate) npm_licences: Vec<Vec<String>>,
}

/// Where apt reads its sources.
const SOURCES: &str = "etc/apt/sources.list.d/debian.sources";

/// Makes the layer. Nothing of it stays in the store when a step fails.
pub(crate) fn assemble(store: &Store, plan: &Plan<'_>) -> Result<Assembled, BaseError> {
    let draft = store.begin_layer().map_err(store_error)?;
    let mut lowers = Vec::new();
    for id in plan.below.iter().rev() {
        lowers.push(store.require_layer(id).map_err(store_error)?.path);
    }
    let mut tree = Tree::new(draft.fs.clone(), lowers.clone());
    if plan.below.is_empty() {
        for link in plan.suite.installer_links() {
            let target = format!("usr/{link}");
            tree.directory(&target, Attributes::root(0o755, plan.epoch))?;
            tree.link(link, target.as_ref(), plan.epoch)?;
        }
    }
    let (entries, newest) = unpack(&mut tree, plan)?;
    let epoch = plan.epoch.max(newest);
    let recipe = plan.recipe;
    let configured = recipe.setup == Setup::Configured;
    let first = plan.below.is_empty();
    if plan.keeps_dpkg || configured {
        let omitted: Vec<_> = recipe.omitted.iter().map(|omitted| omitted.package).collect();
        dpkg::write_database(&mut tree, &entries, &omitted, !configured, epoch)?;
    } else {
        dpkg::write_status_d(&mut tree, &entries, epoch)?;
        certificates::bundle(&mut tree, epoch)?;
        if first {
            accounts::write_minimal(&mut tree, epoch)?;
        }
    }
    if configured {
        // Before the scripts run: they read the configuration of dpkg and ask policy-rc.d.
        if first {
            let filter = Filter::new(&[]).dpkg_config();
            tree.file("etc/dpkg/dpkg.cfg.d/docker", Attributes::root(0o644, epoch), &mut filter.as_bytes())?;
            tree.file(SOURCES, Attributes::root(0o644, epoch), &mut plan.sources.as_bytes())?;
        }
        place(&mut tree, plan, epoch)?;
        let root = Root { lowers, upper: draft.fs.clone(), work: draft.work.clone() };
        configure::run(recipe.name, &mut tree, root, &entries, (recipe.finish, epoch))?;
    }
    let npm_licences = unpack_npm(&mut tree, plan)?;
    accounts::add(&mut tree, recipe.users, epoch)?;
    place(&mut tree, plan, epoch)?;
    for applet in recipe.applets {
        let path = format!("usr/bin/{applet}");
        if tree.metadata(&path).is_none() {
            tree.link(&path, "busybox".as_ref(), epoch)?;
        }
    }
    let layer = draft.seal(&SealOptions { epoch: Some(epoch) }).map_err(store_error)?;
    Ok(Assembled { layer: layer.id, epoch, entries, npm_licences })
}

fn unpack(tree: &mut Tree, plan: &Plan<'_>) -> Result<(Vec<dpkg::Entry>, i64), BaseError> {
    let filter = Filter::new(plan.recipe.dropped);
    let mut entries = Vec::with_capacity(plan.packages.len());
    let mut newest = 0;
    // base-files first: it has the links that make /bin, /lib and /sbin parts of /usr.
    let mut order: Vec<usize> = (0..plan.packages.len()).collect();
    order.sort_by_key(|at| plan.packages[*at].name != "base-files");
    for at in order {
        let package = &plan.packages[at];
        let mut list = Vec::new();
        let control = deb::read(&plan.files[at], |_, data| {
            let unpacked = tree.unpack(&package.name, data, &filter)?;
            newest = newest.max(unpacked.newest);
            list = unpacked.list;
            Ok(())
        })?;
        check_identity(package, &control)?;
        entries.push((at, dpkg::Entry { name: package.name.clone(), control, list, licences: Vec::new() }));
    }
    // After all are unpacked: a package's documentation may be a link to another's.
    for (_, entry) in &mut entries {
        entry.licences = copyright::licences(tree, &entry.name);
    }
    entries.sort_by_key(|(at, _)| *at);
    Ok((entries.into_iter().map(|(_, entry)| entry).collect(), newest))
}

/// Unpacks the packages of npm after the scripts ran, which know nothing of them; their licences.
fn unpack_npm(tree: &mut Tree, plan: &Plan<'_>) -> Result<Vec<Vec<String>>, BaseError> {
    let filter = Filter::new(plan.recipe.dropped);
    let unpack = |package: &npm::Fetched| {
        let manifest = package.unpack(tree, &filter)?;
        Ok(manifest.licence().map(str::to_owned).into_iter().collect())
    };
    plan.npm.iter().map(unpack).collect()
}

/// The digest already ties the file to the index; this ties what the file says of itself to it, for the database's sake.
fn check_identity(package: &Package, control: &deb::Control) -> Result<(), BaseError> {
    let malformed = |cause: String| BaseError::Malformed { file: package.file.path.clone(), cause };
    let paragraph = control.paragraph().map_err(malformed)?;
    let (name, version) = (paragraph.get("Package"), paragraph.get("Version"));
    if name != Some(package.name.as_str()) || version != Some(package.version.as_str()) {
        return Err(malformed(format!(
            "it says that it is {} {}",
            name.unwrap_or("?"),
            version.unwrap_or("?")
        )));
    }
    Ok(())
}

fn place(tree: &mut Tree, plan: &Plan<'_>, mtime: i64) -> Result<(), BaseError> {
    let minor = plan.version.split('.').take(2).collect::<Vec<_>>().join(".");
    let filled = |path: &str| path.replace("{minor}", &minor);
    for entry in plan.recipe.entries {
        match *entry {
            Entry::Directory(path, owner, mode) => {
                tree.directory(&filled(path), Attributes { mode, uid: owner, gid: owner, mtime })?;
            }
            Entry::File(path, mode, text) => {
                tree.file(&filled(path), Attributes::root(mode, mtime), &mut text.as_bytes())?;
            }
            Entry::Link(path, to) => tree.link(&filled(path), filled(to).as_ref(), mtime)?,
        }
    }
    Ok(())
}

pub(crate) fn store_error(error: plimsoll_image::StoreError) -> BaseError {
    BaseError::Store(error.to_string())
}
