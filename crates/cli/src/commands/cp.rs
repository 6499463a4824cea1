//! `plimsoll cp`: files between a service's containers and this machine.

use std::{
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use futures_util::StreamExt as _;
use plimsoll_engine::{ContainerSummary, Engine, PathStat};
use plimsoll_ops::{
    Failure,
    copy::{pack, unpack},
    pick::{self, Pick},
    stack::{self, Target},
};

use crate::{globals, project::ProjectArgs};

/// Copy files from a service's container, or into all containers of a service: `SERVICE:PATH` is in the container, `-`
/// is a tar on standard input or output
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// `SERVICE:PATH`, a path here, or `-`
    source: String,
    /// `SERVICE:PATH`, a path here, or `-`
    destination: String,
    /// Containers of `run` too
    #[arg(long)]
    all: bool,
    /// Keep owners: of the container's files here, of the container's user there
    #[arg(short, long)]
    archive: bool,
    /// Copy what a symbolic link at SOURCE leads to, not the link
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Number of the container, if the service has several
    #[arg(long, value_name = "N")]
    index: Option<u32>,
    /// Print what would be copied and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let wrong = |what: &str| Failure::new(what, "write `cp SERVICE:PATH HERE` or `cp HERE SERVICE:PATH`");
    let (from, to) = (in_container(&args.source), in_container(&args.destination));
    let (service, path, inward) = match (from, to) {
        (Some(_), Some(_)) => return Err(wrong("files are not copied from service to service")),
        (None, None) => return Err(wrong("neither side is `SERVICE:PATH`")),
        (Some((service, path)), None) => (service, path, false),
        (None, Some((service, path))) => (service, path, true),
    };
    if path.is_empty() {
        return Err(wrong("a path in the container is missing"));
    }
    let services = [service.to_owned()];
    let target = stack::target(&args.project, &services)?;
    let args = &args;
    stack::with_engine(|engine| async move {
        let containers = containers(&engine, &target, service, args, inward).await?;
        for container in &containers {
            let (source, destination) = if inward {
                (args.source.clone(), format!("{}:{path}", container.name))
            } else {
                (format!("{}:{path}", container.name), args.destination.clone())
            };
            if args.dry_run {
                outln!("would copy {source} to {destination}");
                continue;
            }
            if inward {
                put(&engine, container, args, path).await?;
            } else {
                take(&engine, container, args, path).await?;
            }
            globals::tell(&container.name, &format!("copied {source} to {destination}"));
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// `SERVICE:PATH`. What begins like a path is one, colons or not.
fn in_container(text: &str) -> Option<(&str, &str)> {
    if text.starts_with(['/', '.']) || text == "-" {
        return None;
    }
    text.split_once(':').filter(|(service, _)| !service.is_empty() && !service.contains('/'))
}

async fn containers(
    engine: &Engine,
    target: &Target,
    service: &str,
    args: &Args,
    inward: bool,
) -> Result<Vec<ContainerSummary>, Failure> {
    let pick = Pick { service, index: args.index, one_offs: args.all, running: false };
    if args.index.is_some() || !inward {
        return Ok(vec![pick::one(engine, target, pick).await?]);
    }
    let mut found = pick::all_of(engine, &target.name, service).await?;
    found.retain(|container| args.all || !pick::is_one_off(container));
    if found.is_empty() {
        // says why there is none
        return Ok(vec![pick::one(engine, target, pick).await?]);
    }
    Ok(found)
}

/// From a container.
async fn take(engine: &Engine, container: &ContainerSummary, args: &Args, path: &str) -> Result<(), Failure> {
    let mut path = path.to_owned();
    if args.follow_link
        && let Some(stat) = engine.path_stat(&container.id, &path).await?
    {
        path = followed(&path, &stat);
    }
    let Some(stat) = engine.path_stat(&container.id, &path).await? else {
        return Err(Failure::new(
            format!("there is no {path} in {}", container.name),
            "check the path; it starts from the root of the container",
        ));
    };
    let mut pieces = engine.read_archive(&container.id, &path);
    if args.destination == "-" {
        let mut out = io::stdout();
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            if out.write_all(&piece).is_err() {
                // nobody reads any more
                break;
            }
        }
        return Ok(());
    }
    let contents = path.ends_with("/.") || path == "." || path == "/";
    let name = Path::new(args.source.trim_end_matches('/')).file_name().map(PathBuf::from);
    let place = unpack::place(Path::new(&args.destination), name.as_deref(), stat.is_dir, contents)?;
    let (sender, receiver) = std::sync::mpsc::sync_channel::<io::Result<Vec<u8>>>(8);
    let keep_owners = args.archive;
    let unpacking = tokio::task::spawn_blocking(move || {
        unpack::all(unpack::Pieces::new(receiver), &place, contents, keep_owners)
    });
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| io::Error::other(error.to_string()));
        let broken = piece.is_err();
        let sender = sender.clone();
        // the thread reads as fast as the disk takes it
        let sent = tokio::task::spawn_blocking(move || sender.send(piece)).await;
        if broken || !matches!(sent, Ok(Ok(()))) {
            break;
        }
    }
    drop(sender);
    match unpacking.await {
        Ok(done) => done,
        Err(panic) => Err(io::Error::other(panic).into()),
    }
}

/// Where a symbolic link leads, from the root of the container.
fn followed(path: &str, stat: &PathStat) -> String {
    if stat.link_target.is_empty() {
        return path.to_owned();
    }
    if stat.link_target.starts_with('/') {
        return stat.link_target.clone();
    }
    let parent = Path::new(path).parent().unwrap_or(Path::new("/"));
    parent.join(&stat.link_target).to_string_lossy().into_owned()
}

/// Into a container.
async fn put(engine: &Engine, container: &ContainerSummary, args: &Args, path: &str) -> Result<(), Failure> {
    let mut path = path.to_owned();
    let mut stat = engine.path_stat(&container.id, &path).await?;
    if let Some(link) = stat.as_ref().filter(|stat| !stat.link_target.is_empty()) {
        let leads = followed(&path, link);
        stat = engine.path_stat(&container.id, &leads).await?;
        path = leads;
    }
    let is_dir = stat.as_ref().map(|stat| stat.is_dir);
    if args.source == "-" {
        if is_dir != Some(true) {
            return Err(Failure::new(
                format!("{path} in {} is no directory", container.name),
                "a tar from standard input is unpacked into a directory that exists",
            ));
        }
        let pieces = futures_util::stream::unfold((), |()| async {
            let read = tokio::task::spawn_blocking(|| {
                let mut buffer = vec![0; 64 << 10];
                io::stdin().read(&mut buffer).map(|count| {
                    buffer.truncate(count);
                    buffer
                })
            });
            match read.await {
                Ok(Ok(piece)) if piece.is_empty() => None,
                Ok(piece) => Some((piece, ())),
                Err(panic) => Some((Err(io::Error::other(panic)), ())),
            }
        });
        return engine
            .write_archive_stream(&container.id, &path, args.archive, pieces)
            .await
            .map_err(Failure::from);
    }
    let source = pack::Source::find(&args.source, args.follow_link)?;
    let (directory, name) = pack::place(&source, &path, is_dir)?;
    let (sender, receiver) = tokio::sync::mpsc::channel::<io::Result<Vec<u8>>>(8);
    let packing = tokio::task::spawn_blocking(move || pack::all(&source, &name, sender));
    let pieces = futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    let written = engine.write_archive_stream(&container.id, &directory, args.archive, pieces).await;
    match packing.await {
        // the engine stopped reading: its reason is the cause
        Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
            format!("cannot read {}: {error}", args.source),
            "check the path and its permissions",
        )),
        Ok(_) => written.map_err(Failure::from),
        Err(panic) => Err(io::Error::other(panic).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_from_a_service() {
        assert_eq!(in_container("web:/etc/hosts"), Some(("web", "/etc/hosts")));
        for here in ["./a:b", "/a:b", "a", "-", "dir/a:b", ":/x"] {
            assert_eq!(in_container(here), None, "{here}");
        }
    }

    #[test]
    fn links_lead_from_where_they_stand() {
        let link = |to: &str| PathStat { is_dir: false, link_target: to.into() };
        assert_eq!(followed("/etc/a", &link("b")), "/etc/b");
        assert_eq!(followed("/etc/a", &link("/x")), "/x");
        assert_eq!(followed("/etc/a", &link("")), "/etc/a");
    }
}
