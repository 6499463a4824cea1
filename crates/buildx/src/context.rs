//! The build context: a directory, a git repository, a tar or a Dockerfile behind http, or standard input.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use plimsoll_build::{
    BuildRequest, Epoch, FetchedContext, LazyContext, NamedContext, ResolveError, ResolvedImage,
    find_dockerfile,
    remote::{Checkout, GitUrl, HttpFile, RemoteError, Remotes, unpack_context},
};
use plimsoll_image::{
    Digest, Image, ImageRecord, LayerDraft, Reference, Store, manifest::Platform, output::load,
};
use plimsoll_source::{Failure, Source};

use crate::request::host_platform;

/// Finds contexts, and keeps the folders that were made for them until it is dropped.
pub struct Contexts<'a> {
    store: &'a Store,
    remotes: Arc<Remotes>,
    /// `BUILDKIT_CONTEXT_KEEP_GIT_DIR`
    keep_git_dir: bool,
    folders: Vec<LayerDraft>,
    /// Contexts that were downloaded, kept until the end.
    arrived: Vec<FetchedContext>,
    /// What is built for; this machine's platform without any.
    pub platforms: Vec<plimsoll_dockerfile::Platform>,
}

/// Standard input holds no more.
const MAX_STDIN: u64 = 64 << 30;
/// No Dockerfile is larger.
const MAX_DOCKERFILE: u64 = 16 << 20;

impl<'a> Contexts<'a> {
    /// For the images and folders of `store`; nothing is fetched yet.
    pub fn new(store: &'a Store, remotes: Remotes, keep_git_dir: bool) -> Self {
        Self {
            store,
            remotes: Arc::new(remotes),
            keep_git_dir,
            folders: Vec::new(),
            arrived: Vec::new(),
            platforms: Vec::new(),
        }
    }

    /// Opens the context and its Dockerfile. `file` is `-f`: inside a context that is not a directory here, it is a
    /// path in it. `inline` is the Dockerfile's text instead.
    pub fn open(
        &mut self,
        context: &str,
        file: Option<&str>,
        inline: Option<&str>,
    ) -> Result<BuildRequest, Failure> {
        if let Some(text) = inline {
            let root = self.root(context)?;
            if root != Path::new(context) {
                confined(&root, &root.join(".dockerignore"))?;
            }
            let request = BuildRequest::open(&root, Some(Path::new("/dev/null")))?;
            return Ok(BuildRequest { dockerfile: Source::new("dockerfile_inline", text), ..request });
        }
        if context == "-" && file == Some("-") {
            return Err(Failure::new(
                "the context and the Dockerfile cannot both be standard input",
                "give one of them as a path",
            ));
        }
        let file = self.dockerfile(file)?;
        let file = file.as_ref();
        if context == "-" {
            let folder = self.folder()?;
            let input = folder.work.join("stdin");
            spool(io::stdin().lock(), &input)?;
            return self.archive_or_dockerfile(folder, &input, "standard input", file);
        }
        // A directory that is there wins, whatever its name looks like.
        if !Path::new(context).is_dir() {
            if let Some(url) = git(context)? {
                let checkout = self.checkout(url)?;
                let mut request = inside(&checkout.root, local_if_absolute(file)?.as_ref().or(file))?;
                request.epoch = Epoch::At(checkout.time);
                request.context_time = Some(checkout.time);
                return Ok(request);
            }
            if is_http(context) {
                let fetched = self.remotes.http(context, None)?;
                let folder = self.folder()?;
                let local = local_if_absolute(file)?;
                let file = local.as_ref().or(file);
                let mut request = self.archive_or_dockerfile(folder, &fetched.path, context, file)?;
                request.context_time = fetched.time();
                return Ok(request);
            }
        }
        let context = Path::new(context);
        match file {
            Some(DockerfileIs::Text(source)) => with_text(context, source),
            Some(DockerfileIs::At(path)) => {
                BuildRequest::open(context, Some(Path::new(path))).map_err(Failure::from)
            }
            None => BuildRequest::open(context, None).map_err(Failure::from),
        }
    }

    /// What `-f` says: standard input and an address are read at once, wherever the context is.
    fn dockerfile(&self, file: Option<&str>) -> Result<Option<DockerfileIs>, Failure> {
        Ok(match file {
            None => None,
            Some("-") => {
                let text = dockerfile_of(io::stdin().lock(), "standard input")?;
                Some(DockerfileIs::Text(Source::new("<stdin>", text)))
            }
            Some(url) if is_http(url) && !Path::new(url).exists() => {
                if git(url)?.is_some() {
                    return Err(Failure::new(
                        format!("-f {url} is a git repository, not a Dockerfile"),
                        "give the repository as the context, and -f as a path in it",
                    ));
                }
                let fetched = self.remotes.http(url, None)?;
                let shown = plimsoll_build::remote::without_password(url);
                let open = File::open(&fetched.path)?;
                let text = dockerfile_of(open, &shown)?;
                Some(DockerfileIs::Text(Source::new(shown, text)))
            }
            Some(path) => Some(DockerfileIs::At(path.to_owned())),
        })
    }

    /// Keeps bytes in a file of our own until the end: for what can be read once.
    pub fn spooled(&mut self, name: &str, bytes: &[u8]) -> Result<PathBuf, Failure> {
        let folder = self.folder()?;
        let path = self.keep(folder).join(name);
        fs::write(&path, bytes).map_err(|error| Failure::cannot_write(&path, &error))?;
        Ok(path)
    }

    /// The folder of a context whose Dockerfile is elsewhere.
    fn root(&mut self, context: &str) -> Result<PathBuf, Failure> {
        if !Path::new(context).is_dir() {
            if let Some(url) = git(context)? {
                return Ok(self.checkout(url)?.root);
            }
            if is_http(context) {
                let arrived = download(&self.remotes, self.store, context)?;
                let root = arrived.root.clone();
                self.arrived.push(arrived);
                return Ok(root);
            }
        }
        Ok(PathBuf::from(context))
    }

    /// The platforms that an image of the build may be for.
    fn wanted(&self) -> Vec<Platform> {
        let mut wanted = vec![Platform::host()];
        for platform in &self.platforms {
            let variant = Some(platform.variant.as_str()).filter(|variant| !variant.is_empty());
            let platform = Platform::new(&platform.os, &platform.architecture, variant);
            if !wanted.contains(&platform) {
                wanted.push(platform);
            }
        }
        wanted
    }

    /// Reads `NAME=WHAT` of `--build-context`: a folder, or the images that there are for the platforms.
    pub fn named(&mut self, spec: &str) -> Result<Vec<(String, NamedContext)>, Failure> {
        let (name, what) = spec.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
            Failure::new(format!("`{spec}` is no named context"), "write --build-context NAME=DIRECTORY")
        })?;
        let images = if let Some(layout) = what.strip_prefix("oci-layout://") {
            self.layout(layout)?
        } else if let Some(reference) = what.strip_prefix("docker-image://") {
            let reference = Reference::parse(reference)?;
            vec![NamedContext::Reference(reference)]
        } else {
            Vec::new()
        };
        if !images.is_empty() {
            return Ok(images.into_iter().map(|image| (name.to_owned(), image)).collect());
        }
        let (remotes, store) = (self.remotes.clone(), self.store.clone());
        let context = if let Some(mut url) = git(what)?.filter(|_| !Path::new(what).is_dir()) {
            url.keep_git_dir = url.keep_git_dir.or(Some(self.keep_git_dir));
            NamedContext::Lazy(LazyContext::new(move || {
                let checkout = remotes.git(&url).map_err(|error| out_of_reach(&error))?;
                Ok(FetchedContext { root: checkout.root, time: Some(checkout.time), keep: Box::new(()) })
            }))
        } else if is_http(what) {
            let url = what.to_owned();
            NamedContext::Lazy(LazyContext::new(move || download(&remotes, &store, &url)))
        } else {
            NamedContext::Directory(absolute(Path::new(what))?)
        };
        Ok(vec![(name.to_owned(), context)])
    }

    fn checkout(&self, mut url: GitUrl) -> Result<Checkout, Failure> {
        url.keep_git_dir = url.keep_git_dir.or(Some(self.keep_git_dir));
        self.remotes.git(&url).map_err(Failure::from)
    }

    fn archive_or_dockerfile(
        &mut self,
        folder: LayerDraft,
        bytes: &Path,
        name: &str,
        file: Option<&DockerfileIs>,
    ) -> Result<BuildRequest, Failure> {
        if unpack_context(bytes, &folder.fs)? {
            return inside(&self.keep(folder), file);
        }
        let open = File::open(bytes)?;
        let text = dockerfile_of(open, name)?;
        if let Some(file) = file {
            let file = match file {
                DockerfileIs::At(path) => path.as_str(),
                DockerfileIs::Text(source) => source.name(),
            };
            return Err(Failure::new(
                format!("cannot read {file} in {name}, which is no tar"),
                "a context with files has to be a tar, plain or compressed",
            ));
        }
        let root = self.keep(folder);
        let name = if name == "standard input" { "<stdin>" } else { name };
        Ok(BuildRequest::new(root, Source::new(name, text), None))
    }

    /// An empty folder beside the store's layers.
    fn folder(&self) -> Result<LayerDraft, Failure> {
        self.store.begin_layer().map_err(Failure::from)
    }

    fn keep(&mut self, folder: LayerDraft) -> PathBuf {
        let path = folder.fs.clone();
        self.folders.push(folder);
        path
    }

    fn layout(&self, layout: &str) -> Result<Vec<NamedContext>, Failure> {
        let (dir, digest) =
            layout.split_once('@').map_or((layout, None), |(dir, digest)| (dir, Some(digest)));
        let path = absolute(Path::new(dir))?;
        let mut images = Vec::new();
        let mut lacking = None;
        for platform in self.wanted() {
            let records = match load(self.store, &path, &platform) {
                Ok(records) => records,
                // another platform's image may be all that is asked for
                Err(error) => {
                    lacking = Some(error);
                    continue;
                }
            };
            let mut records = records.into_iter();
            match (records.next(), records.next()) {
                (Some(record), None) => {
                    images.push(named_image(record, digest.unwrap_or(dir).to_owned(), digest));
                }
                (None, _) => {}
                (Some(_), Some(_)) => {
                    return Err(Failure::new(
                        format!("the layout {dir} holds more than one image"),
                        "export the one image into a layout of its own",
                    ));
                }
            }
        }
        match (images.is_empty(), lacking) {
            (true, Some(error)) => Err(error.into()),
            (true, None) => Err(Failure::new(
                format!("the layout {dir} holds no image for {}", host_platform()),
                "check which platforms it was made for",
            )),
            (false, _) => Ok(images),
        }
    }
}

/// `digest` is the one that was asked for; without it an image is known by its id.
fn named_image(record: ImageRecord, shown: String, digest: Option<&str>) -> NamedContext {
    let digest = digest.and_then(|digest| Digest::parse(digest).ok()).unwrap_or(record.id);
    let image = Image { config: record.config, layers: record.layers };
    NamedContext::Image(Box::new(ResolvedImage { image, shown, digest: Some(digest) }))
}

/// An unpacked archive, or a folder with the one file.
fn download(remotes: &Remotes, store: &Store, url: &str) -> Result<FetchedContext, ResolveError> {
    let failed = |error: &dyn std::error::Error| ResolveError { message: error.to_string(), hint: None };
    let fetched = remotes.http(url, None).map_err(|error| out_of_reach(&error))?;
    let time = fetched.time();
    let HttpFile { path, name, .. } = fetched;
    let folder = store.begin_layer().map_err(|error| failed(&error))?;
    if !unpack_context(&path, &folder.fs).map_err(|error| failed(&error))? {
        fs::copy(&path, folder.fs.join(name)).map_err(|error| failed(&error))?;
    }
    Ok(FetchedContext { root: folder.fs.clone(), time, keep: Box::new(folder) })
}

fn out_of_reach(error: &RemoteError) -> ResolveError {
    let hint = "check the address given with --build-context".to_owned();
    ResolveError { message: error.to_string(), hint: Some(hint) }
}

fn git(text: &str) -> Result<Option<GitUrl>, Failure> {
    GitUrl::parse(text).transpose().map_err(|error| {
        Failure::new(error.to_string(), "write it like https://HOST/REPOSITORY.git#BRANCH:DIRECTORY")
    })
}

fn is_http(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// The path from the root, for what runs elsewhere.
pub fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize()
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display()), "check the path"))
}

/// What `-f` means.
enum DockerfileIs {
    /// A path, here or in the context.
    At(String),
    /// Text from elsewhere.
    Text(Source),
}

/// As buildx: with a context of elsewhere, an absolute path is a file of this machine where there is one.
fn local_if_absolute(file: Option<&DockerfileIs>) -> Result<Option<DockerfileIs>, Failure> {
    let Some(DockerfileIs::At(path)) = file else { return Ok(None) };
    if !path.starts_with('/') || !Path::new(path).is_file() {
        return Ok(None);
    }
    let open = File::open(path)?;
    let text = dockerfile_of(open, path)?;
    Ok(Some(DockerfileIs::Text(Source::new(path.as_str(), text))))
}

fn with_text(context: &Path, text: &Source) -> Result<BuildRequest, Failure> {
    let request = BuildRequest::open(context, Some(Path::new("/dev/null")))?;
    Ok(BuildRequest { dockerfile: text.clone(), ..request })
}

/// A build of a context that others wrote: no link of it leads to a file of this machine.
fn inside(root: &Path, file: Option<&DockerfileIs>) -> Result<BuildRequest, Failure> {
    let file = match file {
        None => "Dockerfile",
        Some(DockerfileIs::At(path)) => path.as_str(),
        Some(DockerfileIs::Text(source)) => {
            confined(root, &root.join(".dockerignore"))?;
            return with_text(root, source);
        }
    };
    let file = find_dockerfile(root.join(file.trim_start_matches('/')));
    let mut own = file.clone().into_os_string();
    own.push(".dockerignore");
    for path in [&file, Path::new(&own), &root.join(".dockerignore")] {
        confined(root, path)?;
    }
    BuildRequest::open(root, Some(&file)).map_err(Failure::from)
}

fn confined(root: &Path, path: &Path) -> Result<(), Failure> {
    let (Ok(real), Ok(root)) = (path.canonicalize(), root.canonicalize()) else {
        // What is not there is told by whoever opens it.
        return Ok(());
    };
    if real.starts_with(&root) {
        return Ok(());
    }
    Err(Failure::new(
        format!("{} leads out of the context", path.strip_prefix(&root).unwrap_or(path).display()),
        "a fetched context is confined to its own files",
    ))
}

fn spool(reader: impl io::Read, to: &Path) -> Result<(), Failure> {
    let copied = File::create(to).and_then(|mut file| io::copy(&mut reader.take(MAX_STDIN), &mut file));
    let read = copied.map_err(|error| {
        Failure::new(
            format!("cannot keep standard input in {}: {error}", to.display()),
            "check the free space of PLIMSOLL_HOME",
        )
    })?;
    if read == 0 {
        return Err(Failure::new(
            "standard input is empty",
            "pipe a Dockerfile or a tar into it: tar -c . | plimsoll image build -",
        ));
    }
    Ok(())
}

fn dockerfile_of(reader: impl io::Read, name: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let read = reader.take(MAX_DOCKERFILE + 1).read_to_end(&mut bytes);
    read?;
    let refuse = |why: &str| {
        Failure::new(format!("{name} {why}"), "give a Dockerfile or a tar (plain, gzip, bzip2, xz, zstd)")
    };
    if bytes.len() as u64 > MAX_DOCKERFILE {
        return Err(refuse("is larger than a Dockerfile may be, and no tar"));
    }
    String::from_utf8(bytes).map_err(|_| refuse("is neither text nor a tar"))
}
