//! What `verify` does: it measures the running stack of a project, and keeps the certificate.

pub mod commit;
pub mod names;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use plimsoll_source::Source;
use plimsoll_stack::Times;
use plimsoll_verify::{
    Budgets, Certificate, Guard, Options, Project, TlsOptions, promises::PromiseFile, report,
    smoke::SmokeFile,
};

use crate::{
    Event, Failure, Reporter, interrupt,
    policy::Root,
    project::{self, Selection},
    stack, wanted,
};

/// Where the certificate is kept, in the project.
const FOLDER: &str = ".plimsoll";
/// What a document says of the system, in the project.
const PROMISES: &str = "promises.toml";

/// How a stack is to be measured.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Services may be paused and restarted for it.
    pub disturb: bool,
    /// How long the smoke load takes.
    pub load: Duration,
}

/// Measures every claim on the project's running stack, while no other verb works on it.
pub fn certificate(
    selection: &Selection,
    root: &Root,
    request: &Request,
    reporter: &dyn Reporter,
) -> Result<Certificate, Failure> {
    let loading = selection.options(root)?;
    let project = selection.load(root)?;
    names::check(root, &project)?;
    let state = stack::states()?.join(&project.name);
    let times = Times::load(&state);
    let options = Options {
        disturb: request.disturb,
        budgets: budgets(root),
        smoke: smoke(root, &project)?,
        promises: promises(root, &project)?,
        smoke_front: root.policy.smoke.front.clone(),
        tls: tls(root)?,
        commit: commit::of(&root.dir),
        load: request.load,
        guard: guard(&state),
        completed: times.completed,
        starts: times.starts.into_iter().map(|(id, start)| (id, (start.began, start.ready))).collect(),
        ..Options::default()
    };
    // Containers are stopped and started: not while another verb works on them.
    let _lock = stack::lock(&project.name, "plimsoll verify")?;
    let variable = |name: &str| loading.env.get(name).cloned();
    measure(&project, options, root, &variable, reporter)
}

fn measure(
    project: &Project,
    mut options: Options,
    root: &Root,
    variable: &dyn Fn(&str) -> Option<String>,
    reporter: &dyn Reporter,
) -> Result<Certificate, Failure> {
    let mut whole = project.clone();
    project::absolute_files(&mut whole);
    stack::with_engine(|engine| async move {
        options.wanted = Some(wanted::wanted(&engine, &whole, &root.policy, variable).await);
        let begins = |title: &str| reporter.report(Event::Claim(title));
        plimsoll_verify::verify(&engine, project, &options, begins).await.map_err(Failure::from)
    })
}

/// Writes the certificate and its page into the project, the page also to a further file; gives the page's path.
pub fn keep(root: &Root, certificate: &Certificate, further: Option<&Path>) -> Result<PathBuf, Failure> {
    let page = report::html(certificate)?;
    let json = certificate.to_json()?;
    let folder = root.dir.join(FOLDER);
    write(&folder.join("certificate.json"), &json)?;
    write(&folder.join("certificate.html"), &page)?;
    if let Some(file) = further {
        write(file, &page)?;
    }
    Ok(folder.join("certificate.html"))
}

/// Where it is kept what has to be taken back, and the process that does it if this one dies. Without a way to start
/// ourselves again the note alone is left.
fn guard(state: &Path) -> Option<Guard> {
    let note = state.join(stack::NOTE);
    let watcher = std::env::current_exe().ok().map(|program| {
        vec![program.into_os_string(), "verify".into(), "--take-back".into(), note.clone().into_os_string()]
    });
    Some(Guard { note, watcher: watcher.unwrap_or_default() })
}

/// Waits for the end of standard input, which dies with the measurement, and takes back what it left.
pub fn watch(note: &Path) -> Result<(), Failure> {
    interrupt::leave();
    stack::with_engine(|engine| async move {
        // Whoever ends the measurement may signal us too: we end when there is nothing left to do.
        use tokio::signal::unix::{SignalKind, signal};
        let kinds =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()];
        let _ignored: Vec<_> = kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect();
        let _ =
            tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await;
        plimsoll_verify::take_back(&engine, note).await.map(|_| ()).map_err(|problem| {
            Failure::new(problem, "look at `docker ps -a`; `plimsoll unpause` and `plimsoll up` put it back")
        })
    })
}

fn budgets(root: &Root) -> Budgets {
    let budgets = &root.policy.budgets;
    Budgets {
        memory: budgets.memory.map(|size| size.0),
        start: budgets.start.map(|seconds| Duration::from_secs(seconds.0)),
        images: budgets.images.iter().map(|(service, size)| (service.clone(), size.0)).collect(),
    }
}

/// The checks of the file that the policy names, which must be there, or of `smoke.toml`, which may.
fn smoke(root: &Root, project: &Project) -> Result<Option<SmokeFile>, Failure> {
    let named = root.policy.smoke.file.as_deref();
    let path = root.dir.join(named.unwrap_or(plimsoll_generate::SMOKE_FILE));
    if named.is_none() && !path.exists() {
        return Ok(None);
    }
    let source = source(
        &path,
        "correct `smoke.file` in plimsoll.toml, or write the file as `plimsoll help smoke` shows",
    )?;
    let file = SmokeFile::parse(&source)?;
    names::check_smoke(&source, &file, project)?;
    Ok(Some(file))
}

/// What a document promises, where the project has a file that says it.
fn promises(root: &Root, project: &Project) -> Result<Option<PromiseFile>, Failure> {
    let path = root.dir.join(PROMISES);
    if !path.exists() {
        return Ok(None);
    }
    let source = source(&path, "write the file as `plimsoll help promises` shows")?;
    let file = PromiseFile::parse(&source)?;
    names::check_promises(&source, &file, project)?;
    Ok(Some(file))
}

/// What the policy says of the fronts' TLS, with the certificates that it names.
fn tls(root: &Root) -> Result<TlsOptions, Failure> {
    let policy = &root.policy.tls;
    if let Some(name) = policy.name.as_ref().filter(|name| !plimsoll_verify::is_host_name(name)) {
        return Err(Failure::new(
            format!("`tls.name` in plimsoll.toml: `{name}` is no host name"),
            "write the name that visitors type, without https:// and without a port: shop.example",
        ));
    }
    let hint = "correct `tls.roots` in plimsoll.toml: a file with the certificates that visitors' machines trust, PEM";
    let read = |file: &String| {
        let text = source(&root.dir.join(file), hint)?.text().as_bytes().to_vec();
        Ok::<_, Failure>((file.clone(), text))
    };
    Ok(TlsOptions { name: policy.name.clone(), roots: policy.roots.as_ref().map(read).transpose()? })
}

/// A file of the project that says what to measure.
fn source(path: &Path, hint: &str) -> Result<Source, Failure> {
    let text = plimsoll_disk::read_text(path, 4 << 20, plimsoll_disk::Links::Follow)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display()), hint))?;
    Ok(Source::new(path.display().to_string(), text))
}

/// A reader never sees half of it. It quotes logs and answers of the stack, so it is for its owner.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let written = (|| {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        plimsoll_disk::replace(path, text.as_bytes(), plimsoll_disk::PRIVATE)
    })();
    written.map_err(|error: std::io::Error| Failure::cannot_write(path, &error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_certificate_that_could_not_be_written_leaves_nothing_and_no_link_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (page, other) = (dir.path().join("proof/page.html"), dir.path().join("other"));
        fs::write(&other, "mine").unwrap();
        fs::create_dir(dir.path().join("proof")).unwrap();
        symlink(&other, &page).unwrap();
        write(&page, "proved").unwrap();
        assert_eq!(fs::read_to_string(&page).unwrap(), "proved");
        assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
        assert_eq!(fs::metadata(&page).unwrap().permissions().mode() & 0o777, 0o600);

        // nothing can be put in the place of a folder that has something in it
        let failure = write(&dir.path().join("proof"), "proved").unwrap_err();
        assert!(failure.diagnostics[0].title.starts_with("cannot write "), "{failure:?}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
