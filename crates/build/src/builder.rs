//! One build from request to image.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use plimsoll_disk::{Links, read_text};
use plimsoll_dockerfile::{Platform, check_frontend, dockerignore::Matcher, parse};
use plimsoll_image::{Image, Reference, SealOptions, Store, manifest};
use plimsoll_sandbox::{Cancel, CgroupLimits};
use plimsoll_source::Diagnostic;

use crate::{
    cachemount::CacheMounts,
    caches::Caches,
    epoch::{self, Given, last_commit},
    error::BuildError,
    exchange::KeyedStep,
    flight::Flights,
    graph::{Graph, Node, Op, RunMount, TreeRef},
    index::Index,
    key::Key,
    lower::{Found, Names, Options, build_inputs, history, lower},
    progress::{Event, Progress},
    remote::Remotes,
    request::{BuildOutcome, BuildRequest, Epoch, NamedContext},
    resolve::{ImageResolver, ResolveError},
    solve::Solver,
    statcache::StatCache,
    tree::Tree,
};

/// Logs of this many builds are kept.
const KEPT_LOGS: usize = 50;

/// Builds images into a store. One builder serves any number of builds, also at once.
pub struct Builder {
    store: Store,
    dir: PathBuf,
    stat: StatCache,
    index: Index,
    flights: Flights,
}

impl Builder {
    /// A builder that keeps its caches in `dir`, which is made when it is missing.
    ///
    /// ```text
    /// index        key -> layer          stat       file -> digest
    /// mounts/      cache mounts          logs/      full output of the last builds
    /// remote/      fetched sources
    /// explain/     the parts of the last key of each step
    /// ```
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn new(store: &Store, dir: impl AsRef<Path>) -> Result<Self, BuildError> {
        let dir = std::path::absolute(dir.as_ref())
            .and_then(|dir| fs::create_dir_all(dir.join("mounts")).map(|()| dir))
            .map_err(|error| BuildError::io("make the build cache", dir.as_ref(), error))?;
        Ok(Self {
            store: store.clone(),
            stat: StatCache::open(dir.join("stat")),
            index: Index::open(dir.join("index")),
            flights: Flights::default(),
            dir,
        })
    }

    /// The layers that later builds may find in the cache: pruning the store should spare them.
    pub fn cached_layers(&self) -> std::collections::HashSet<plimsoll_image::LayerId> {
        self.index.layers()
    }

    /// What `RUN --mount=type=cache` keeps.
    pub fn cache_mounts(&self) -> CacheMounts {
        CacheMounts::new(self.dir.join("mounts"))
    }

    /// The ids of the cache mounts that a build may use.
    ///
    /// # Errors
    /// As [`Builder::plan`].
    pub fn cache_mount_ids(
        &self,
        request: &BuildRequest,
        images: &dyn ImageResolver,
    ) -> Result<BTreeSet<String>, BuildError> {
        let graph = self.plan(request, images)?;
        let mounts = graph.nodes.iter().flat_map(|node| match &node.op {
            Op::Run(run) => run.mounts.as_slice(),
            _ => &[],
        });
        let ids = mounts.filter_map(|mount| match mount {
            RunMount::Cache { id, .. } => Some(id.clone()),
            _ => None,
        });
        Ok(ids.collect())
    }

    /// Fetches git repositories and files behind http into the builder's folder, with these secrets.
    pub fn remotes(&self, secrets: &[crate::Secret]) -> Remotes {
        Remotes::new(self.dir.join("remote"), secrets).telling(self.store.waiting())
    }

    /// What a build would do, without doing it.
    ///
    /// # Errors
    /// When the Dockerfile is wrong or an image cannot be had.
    pub fn plan(&self, request: &BuildRequest, images: &dyn ImageResolver) -> Result<Graph, BuildError> {
        Self::plan_at(request, images, None)
    }

    fn plan_at(
        request: &BuildRequest,
        images: &dyn ImageResolver,
        epoch: Option<&Given>,
    ) -> Result<Graph, BuildError> {
        check_syntax(request)?;
        let file = parse(&request.dockerfile)?;
        let mut inputs = build_inputs(&request.build_args, request.target.as_deref());
        if let Some(platform) = &request.platform {
            inputs.target_platform = platform.normalised();
        }
        if let Some(epoch) = epoch.filter(|epoch| epoch.by_argument) {
            inputs.build_args.insert(epoch::NAME.to_owned(), epoch.text());
        }
        let options = Options {
            inputs: &inputs,
            epoch: epoch.map(Given::text),
            labels: &request.labels,
            network: request.network,
            allow_host_network: request.allow_host_network,
            allow_insecure: request.allow_insecure,
            result: request.platform.as_ref().map(|_| &inputs.target_platform),
        };
        let mut lookup = Lookup { request, images, used: RefCell::default() };
        let mut graph = lower(&file, &options, &mut lookup)?;
        graph.notes.extend(lookup.unused().map(|name| format!("nothing uses the named context `{name}`")));
        Ok(graph)
    }

    /// Builds an image.
    ///
    /// # Errors
    /// With what is wrong and where: in the Dockerfile, in the context, or in a step.
    pub fn build(
        &self,
        request: &BuildRequest,
        images: &dyn ImageResolver,
        progress: &dyn Progress,
    ) -> Result<BuildOutcome, BuildError> {
        let start = Instant::now();
        // No layer that is found in the cache may be pruned before the image holds it.
        let _pin = self.store.pin()?;
        let given = self.given_epoch(request)?;
        let graph = Self::plan_at(request, images, given.as_ref())?;
        for note in &graph.notes {
            progress.event(&Event::Note(note));
        }
        let contexts = contexts(request, &graph)?;
        let epoch = given.and_then(|given| given.seconds).or_else(|| default_epoch(request));
        let seal = SealOptions { epoch };
        let logs = self.dir.join("logs").join(log_name());
        let cancel = Cancel::new().map_err(|error| BuildError::io("watch the build in", &self.dir, error))?;
        let remotes = self.remotes(&request.secrets).until(&cancel);
        let solver = Solver {
            graph: &graph,
            request,
            store: &self.store,
            caches: Caches { stat: &self.stat, index: &self.index, remotes: &remotes },
            flights: &self.flights,
            dir: &self.dir,
            logs: logs.clone(),
            contexts: &contexts,
            seal,
            progress,
            cancel,
            limits: CgroupLimits {
                shm_size: request.shm_size,
                ulimits: request.ulimits.clone(),
                ..CgroupLimits::default()
            },
            done: Mutex::new(vec![None; graph.nodes.len()]),
            fresh: Mutex::default(),
            arrived: Mutex::default(),
            used: Mutex::default(),
            failed_steps: Mutex::default(),
        };
        let solved = solver.solve();
        let keys = keyed(&graph, &solver, &self.index);
        // What was learnt stays, also from a build that failed.
        let saved = self.stat.save().and_then(|()| self.index.save());
        let solved = solved?;
        saved.map_err(|error| BuildError::io("write the build cache in", &self.dir, error))?;
        let ran = solved.reports.iter().any(|step| step.ran.is_some());
        if ran {
            self.drop_old_logs();
        }
        let times: Vec<(i64, bool)> =
            solved.snapshots.iter().map(|snapshot| (snapshot.created, !snapshot.changed)).collect();
        let newest = times.iter().map(|(created, _)| *created).max().unwrap_or(0);
        let text = |seconds: i64| rfc3339(epoch.unwrap_or(seconds));
        let mut config = graph.config.clone();
        config.created = Some(text(newest));
        let created =
            |node: usize| times.get(node).map_or((text(0), true), |(at, empty)| (text(*at), *empty));
        config.history = history(&graph.history, &created, &text(newest));
        let used: BTreeSet<_> = solved.snapshots.iter().flat_map(|it| it.layers.iter().copied()).collect();
        self.store.note_use(&used.into_iter().collect::<Vec<_>>());
        let layers = graph.result.and_then(|node| solved.snapshots.get(node)).map(|it| it.layers.clone());
        let image = Image { config, layers: layers.unwrap_or_default() };
        let record = self.store.put_image_from(&image, &request.tags, request.origin.as_ref())?;
        let logs = logs.is_dir().then_some(logs);
        let platform = request.platform.clone().unwrap_or_else(Platform::host).normalised();
        let (steps, elapsed) = (solved.reports, start.elapsed());
        Ok(BuildOutcome { record, graph, platform, epoch, steps, keys, elapsed, logs })
    }

    /// `SOURCE_DATE_EPOCH` of the request or of the Dockerfile.
    fn given_epoch(&self, request: &BuildRequest) -> Result<Option<Given>, BuildError> {
        check_syntax(request)?;
        let file = parse(&request.dockerfile)?;
        let inputs = build_inputs(&request.build_args, request.target.as_deref());
        let globals = file.global_args(&inputs)?;
        epoch::given(request, &file, &globals, &self.remotes(&request.secrets))
    }

    fn drop_old_logs(&self) {
        let entries = fs::read_dir(self.dir.join("logs")).into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        // The names begin with the time.
        folders.sort();
        let old = folders.len().saturating_sub(KEPT_LOGS);
        for folder in &folders[..old] {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

fn log_name() -> String {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    format!("{millis}-{}", std::process::id())
}

fn rfc3339(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string()
}

/// Another frontend's language is told before it is misread.
fn check_syntax(request: &BuildRequest) -> Result<(), BuildError> {
    check_frontend(&request.dockerfile, request.syntax())?;
    Ok(())
}

fn default_epoch(request: &BuildRequest) -> Option<i64> {
    match request.epoch {
        Epoch::At(seconds) => Some(seconds),
        Epoch::Off => None,
        Epoch::Auto => last_commit(&request.context),
    }
}

/// The steps that have a key, with what they gave.
fn keyed(graph: &Graph, solver: &Solver<'_>, index: &Index) -> Vec<KeyedStep> {
    let chain = graph.chain();
    let used = solver.used.lock().unwrap_or_else(PoisonError::into_inner);
    let step = |(node, key): (&usize, &Key)| {
        let entry = index.get(key)?;
        Some(KeyedStep {
            key: *key,
            layer: entry.layer,
            created: entry.created,
            in_image: chain.contains(node),
        })
    };
    used.iter().filter_map(step).collect()
}

/// The directories of the host that the build may read.
fn contexts(request: &BuildRequest, graph: &Graph) -> Result<HashMap<String, Tree>, BuildError> {
    let mut trees = HashMap::new();
    let ignore = match &request.ignore {
        None => None,
        Some(source) => Some(Arc::new(Matcher::parse(source.text()).map_err(|error| {
            let span = source.line_span(error.line);
            Diagnostic::error(format!("{}: {:?}", error.reason, error.pattern)).label(source, span, "")
        })?)),
    };
    trees.insert(String::new(), Tree::directory(request.context.clone(), ignore));
    for (name, context) in &request.contexts {
        let path = match context {
            NamedContext::Directory(path) => path,
            NamedContext::Lazy(later) => match used_at(graph, name) {
                None => continue,
                Some(place) => &later.get().map_err(|error| at(place, error))?.root,
            },
            NamedContext::Image(_) | NamedContext::Reference(_) => continue,
        };
        let path = path.canonicalize().map_err(|error| BuildError::io("open the context", path, error))?;
        let ignore = read_text(&path.join(".dockerignore"), crate::request::MAX_TEXT, Links::Follow)
            .ok()
            .and_then(|text| Matcher::parse(&text).ok())
            .map(Arc::new);
        trees.insert(name.clone(), Tree::directory(path, ignore));
    }
    Ok(trees)
}

/// The first step that reads a named context.
fn used_at<'g>(graph: &'g Graph, name: &str) -> Option<&'g Node> {
    let is_it = |tree: &TreeRef| matches!(tree, TreeRef::Context(context) if context == name);
    graph.nodes.iter().find(|node| match &node.op {
        Op::Copy(copy) => is_it(&copy.from),
        Op::Run(run) => run.mounts.iter().any(|mount| match mount {
            RunMount::Bind { from, .. } | RunMount::Cache { seed: Some((from, _)), .. } => is_it(from),
            _ => false,
        }),
        Op::Image { .. } | Op::Workdir(_) => false,
    })
}

/// An error about something that a step needs, with the instruction's location.
fn at(node: &Node, error: ResolveError) -> Diagnostic {
    let mut problem = Diagnostic::error(error.message);
    if let Some(location) = &node.location {
        problem = problem.label(&location.source, location.span, "");
    }
    match error.hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

/// The same platform in the words of manifests.
fn manifest_platform(platform: &Platform) -> manifest::Platform {
    let variant = Some(platform.variant.as_str()).filter(|variant| !variant.is_empty());
    manifest::Platform::new(&platform.os, &platform.architecture, variant)
}

/// Finds what names mean: a named context, else an image.
struct Lookup<'a> {
    request: &'a BuildRequest,
    images: &'a dyn ImageResolver,
    /// Named contexts that something asked for.
    used: RefCell<BTreeSet<String>>,
}

impl Lookup<'_> {
    /// The named contexts that nothing asked for, each once, in order.
    fn unused(&self) -> impl Iterator<Item = &str> {
        let used = self.used.borrow();
        let names: BTreeSet<&str> = self.request.contexts.iter().map(|(name, _)| name.as_str()).collect();
        names.into_iter().filter(move |name| !used.contains(*name))
    }
}

impl Names for Lookup<'_> {
    fn context(&self, name: &str) -> Option<String> {
        self.request.context_for(name).map(str::to_owned)
    }

    fn find(&mut self, name: &str, platform: &Platform) -> Result<Found, ResolveError> {
        let platform = manifest_platform(platform);
        let mut others = Vec::new();
        for (context, what) in self.request.contexts_for(name) {
            self.used.borrow_mut().insert(context.to_owned());
            match what {
                NamedContext::Directory(_) | NamedContext::Lazy(_) => {
                    return Ok(Found::Directory(context.to_owned()));
                }
                NamedContext::Reference(reference) if reference.familiar_name() == "scratch" => {
                    return Ok(Found::Empty);
                }
                NamedContext::Reference(reference) => {
                    let image = self.images.resolve(reference, &platform)?;
                    return Ok(Found::Image(Box::new(image)));
                }
                NamedContext::Image(image) => {
                    let config = &image.image.config;
                    let found =
                        manifest::Platform::new(&config.os, &config.architecture, config.variant.as_deref());
                    if platform.accepts(&found) {
                        return Ok(Found::Image(image.clone()));
                    }
                    others.push(found.to_string());
                }
            }
        }
        if !others.is_empty() {
            return Err(ResolveError {
                message: format!(
                    "the context `{name}` has no image for {platform}; it has {}",
                    others.join(", ")
                ),
                hint: Some(
                    "give an image for this platform, or write FROM --platform=$BUILDPLATFORM".to_owned(),
                ),
            });
        }
        let reference = Reference::parse(name)
            .map_err(|error| ResolveError { message: error.to_string(), hint: None })?;
        self.images.resolve(&reference, &platform).map(|image| Found::Image(Box::new(image)))
    }
}
