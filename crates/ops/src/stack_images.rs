//! The images of a stack's services, brought into the engine.

use std::path::Path;

use futures_util::future::try_join_all;
use indexmap::IndexMap;
use plimsoll_compose::Project;
use plimsoll_engine::{Engine, EngineError};
use plimsoll_image::{Reference, Store};
use plimsoll_stack::{ImageMap, ServiceImage, hook_images, image_name};

use crate::{
    Failure, Reporter,
    builds::{self, Built},
    handover::{self, Sent},
    home::open_store,
    images::{Found, Images, project_folder},
    is_in_place,
    policy::Policy,
    pulls,
    sizes::megabytes,
    storage::Budget,
};

/// What was said about images on the command line.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Instead of the services' own `pull_policy`.
    pub pull: Option<String>,
    /// Build nothing.
    pub no_build: bool,
    /// Build also what the engine has, in place of docker compose, which takes that as it is.
    pub build: bool,
    /// Say nothing about pulls.
    pub quiet: bool,
    /// The whole project is brought: a name of `[images]` that nothing asks for is of no use.
    pub whole: bool,
    /// Only look: nothing is pulled, built or handed to the engine.
    pub dry_run: bool,
}

/// Builds what the project builds, and gives the engine every image that it lacks.
pub async fn bring(
    engine: &Engine,
    project: &Project,
    home: &Path,
    policy: &Policy,
    asked: &Asked,
    reporter: &dyn Reporter,
) -> Result<ImageMap, Failure> {
    if asked.dry_run {
        let foreseen = foresee(engine, project, asked).await?;
        for (image, line) in &foreseen.said {
            reporter.tell(image, line);
        }
        return Ok(foreseen.images);
    }
    let store = open_store(home)?;
    let mut images = Images::new(&store, home, policy, reporter);
    images.folder = project_folder(project.working_dir.as_ref());
    let services = if is_in_place() && !asked.build { lacking(engine, project).await? } else { Vec::new() };
    let nothing = asked.no_build || (is_in_place() && !asked.build && services.is_empty());
    let build = builds::Asked { one_platform: true, services, ..builds::Asked::default() };
    let wanted = if nothing {
        Vec::new()
    } else {
        tokio::task::block_in_place(|| builds::wanted(&store, home, project, &build, reporter))?
    };
    let built = tokio::task::block_in_place(|| {
        builds::build(&store, home, &images, &wanted, reporter, Budget::find(policy)?)
    })?;
    builds::tell_built(&built, reporter);
    let over: Vec<_> = builds::hold_to_budgets(&built, &policy.budgets.images)
        .into_iter()
        .filter(builds::Verdict::exceeded)
        .collect();
    for verdict in over {
        let budget = megabytes(verdict.budget.unwrap_or_default());
        reporter.line(&format!(
            "note  {} has {}, over its budget of {budget}",
            verdict.image,
            megabytes(verdict.size)
        ));
    }
    let ctx = Bring { engine, project, store: &store, images: &images, built: &built, reporter, asked };
    // several services may run one image: it travels once
    let mut users: IndexMap<Reference, Vec<&String>> = IndexMap::new();
    let mut found = ImageMap::new();
    for (name, service) in &project.services {
        match service.image.as_deref().filter(|image| is_id(image) && service.build.is_none()) {
            Some(id) => {
                found.insert(name.clone(), by_id(engine, name, id).await?);
            }
            None => users.entry(builds::image_name(project, name, service)?).or_default().push(name),
        }
    }
    let hooks = hook_images(project);
    for (key, _, image) in &hooks {
        let image = Reference::parse(image)?;
        users.entry(image).or_default().push(key);
    }
    let each = users.iter().map(|(image, services)| async {
        let found = ctx.one(services, image).await?;
        Ok::<_, Failure>(
            services.iter().map(|service| ((*service).clone(), found.clone())).collect::<Vec<_>>(),
        )
    });
    found.extend(try_join_all(each).await?.into_iter().flatten());
    for name in images.unmapped().into_iter().filter(|_| asked.whole && !is_in_place()) {
        reporter
            .line(&format!("note  [images] in plimsoll.toml maps {name}, and nothing here needs that image"));
    }
    Ok(found)
}

/// Services with a `build:` whose image the engine lacks, and those that say that it is always built.
async fn lacking(engine: &Engine, project: &Project) -> Result<Vec<String>, Failure> {
    let mut lacking = Vec::new();
    for (name, service) in project.services.iter().filter(|(_, service)| service.build.is_some()) {
        let there = match engine.inspect_image(&image_name(project, name)).await {
            Ok(_) => true,
            Err(EngineError::NotFound { .. }) => false,
            Err(error) => return Err(error.into()),
        };
        if !there || service.pull_policy.as_deref() == Some("build") {
            lacking.push(name.clone());
        }
    }
    Ok(lacking)
}

/// Whether the text is an image's id in the engine and not a name.
pub fn is_id(image: &str) -> bool {
    let digits = image.strip_prefix("sha256:").unwrap_or(image);
    digits.len() == 64 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// An image that the file names by its id: the engine has it, or nobody.
async fn by_id(engine: &Engine, service: &str, id: &str) -> Result<ServiceImage, Failure> {
    match engine.inspect_image(id).await {
        Ok(detail) => Ok(ServiceImage::from_engine(id, false, detail)),
        Err(EngineError::NotFound { .. }) => Err(Failure::new(
            format!("service {service}: the engine has no image with the id {id}"),
            "an id cannot be pulled: load the image, or write `image:` as NAME[:TAG]",
        )),
        Err(error) => Err(error.into()),
    }
}

/// The images as they will be, as far as it costs nothing to know: for what can be refused before anything is built.
pub async fn expected(engine: &Engine, project: &Project, asked: &Asked) -> Result<ImageMap, Failure> {
    let mut images = foresee(engine, project, asked).await?.images;
    // a base of [images] or a newer image may come in the place of each
    for image in images.values_mut() {
        image.foreseen = true;
    }
    Ok(images)
}

struct Foreseen {
    images: ImageMap,
    /// What would be built or pulled: image and sentence.
    said: Vec<(String, String)>,
}

/// The images as far as they can be known without a change: those that the engine has. What is not there has no id.
async fn foresee(engine: &Engine, project: &Project, asked: &Asked) -> Result<Foreseen, Failure> {
    let mut found = ImageMap::new();
    let mut said: Vec<(String, String)> = Vec::new();
    let hooks = hook_images(project);
    let own = project.services.keys().map(|name| (name.clone(), name.clone(), image_name(project, name)));
    let all = own.chain(hooks);
    for (key, service, image) in all {
        let own = project.services.get(&service);
        if is_id(&image) && key == service && own.is_some_and(|own| own.build.is_none()) {
            found.insert(key, by_id(engine, &service, &image).await?);
            continue;
        }
        let detail = match engine.inspect_image(&image).await {
            Ok(detail) => Some(detail),
            Err(EngineError::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let built = key == service && own.is_some_and(|own| own.build.is_some()) && !asked.no_build;
        let policy = asked.pull.as_deref().or(own.and_then(|own| own.pull_policy.as_deref()));
        let would = match (&detail, policy) {
            _ if built => Some("built"),
            (None, Some("never")) => Some("missing"),
            (None, _) | (Some(_), Some("always")) => Some("pulled"),
            _ => None,
        };
        if let Some(would) = would {
            let line = (image.clone(), format!("image {image} would be {would}, for {service}"));
            if !said.contains(&line) {
                said.push(line);
            }
        }
        let service_image = match detail {
            Some(detail) => {
                ServiceImage { foreseen: would.is_some(), ..ServiceImage::from_engine(image, false, detail) }
            }
            None => ServiceImage::missing(image),
        };
        found.insert(key, service_image);
    }
    Ok(Foreseen { images: found, said })
}

struct Bring<'a> {
    engine: &'a Engine,
    project: &'a Project,
    asked: &'a Asked,
    store: &'a Store,
    images: &'a Images<'a>,
    built: &'a [Built],
    reporter: &'a dyn Reporter,
}

impl Bring<'_> {
    async fn one(&self, services: &[&String], name: &Reference) -> Result<ServiceImage, Failure> {
        if let Some(built) = self.built.iter().find(|built| built.name == *name) {
            let found =
                Found { record: built.record.clone(), shown: name.clone(), standin: false, digest: None };
            return self.hand_over(&found, name, &built.names).await;
        }
        let substitute = tokio::task::block_in_place(|| self.images.substitute(name))?;
        if let Some(found) = substitute {
            return self.hand_over(&found, name, std::slice::from_ref(&found.shown)).await;
        }
        self.of_engine(services, name).await
    }

    /// The image of the store under this name, for an engine that has none: where `plimsoll image build` or `load`
    /// put it. A name in the engine is never moved to it.
    async fn of_store(&self, name: &Reference) -> Result<Option<ServiceImage>, Failure> {
        match self.images.stored(name)? {
            Some(found) => self.hand_over(&found, name, std::slice::from_ref(&found.shown)).await.map(Some),
            None => Ok(None),
        }
    }

    async fn hand_over(
        &self,
        found: &Found,
        name: &Reference,
        names: &[Reference],
    ) -> Result<ServiceImage, Failure> {
        let work = handover::ensure(self.engine, self.store, &found.record, names);
        let (detail, sent) = pulls::telling(pulls::LONG, work, |time| {
            let seconds = time.as_secs();
            self.reporter.line(&format!("waiting: engine takes {} for {seconds} s", found.shown.familiar()));
        })
        .await?;
        if let Sent::Layers { sent, of, bytes } = sent {
            let size = megabytes(bytes);
            self.reporter
                .line(&format!("engine takes {}: {sent} of {of} layers, {size}", found.shown.familiar()));
        }
        let shown = if found.shown == *name {
            name.familiar()
        } else {
            format!("{} for {}", found.shown.familiar(), name.familiar())
        };
        Ok(ServiceImage::from_engine(shown, found.standin, detail))
    }

    /// The image that the engine has under this name, pulled by it when the policy says so.
    async fn of_engine(&self, services: &[&String], name: &Reference) -> Result<ServiceImage, Failure> {
        let familiar = name.familiar();
        let users = services.iter().map(|service| service.as_str()).collect::<Vec<_>>().join(", ");
        let failed = |error: EngineError| {
            Failure::new(
                format!("image {familiar} of {users} cannot be had: {error}"),
                "check the name; without a way to its registry, map it to a base under [images] in plimsoll.toml",
            )
        };
        let own =
            services.iter().find_map(|service| self.project.services.get(*service)?.pull_policy.as_deref());
        let policy = self.asked.pull.as_deref().or(own).unwrap_or("missing");
        let there = match self.engine.inspect_image(&familiar).await {
            Err(EngineError::NotFound { .. }) => None,
            found => Some(found.map_err(failed)?),
        };
        let stale = match pulls::stale_after(policy) {
            Some(age) => there.is_some() && self.is_older(&familiar, age).await,
            None => false,
        };
        // what the name means: with a policy to ask, the registry's; else the engine's, else the store's
        let ask = policy == "always" || stale;
        match there {
            Some(detail) if !ask => return Ok(ServiceImage::from_engine(familiar.clone(), false, detail)),
            None if policy != "always" => {
                if let Some(found) = self.of_store(name).await? {
                    return Ok(found);
                }
                if policy == "never" {
                    return Err(Failure::new(
                        format!(
                            "the engine has no image {familiar} for {users}, and the policy is never to pull"
                        ),
                        "load or build it, or leave the policy out",
                    ));
                }
            }
            _ => {}
        }
        let written = services.iter().find_map(|name| self.project.services.get(*name)?.image.as_deref());
        let written = written.unwrap_or(&familiar);
        if !self.asked.quiet {
            let own = || format!("engine pulls {familiar}");
            self.reporter.line(&if is_in_place() { format!(" Image {written} Pulling") } else { own() });
        }
        let platform = services.iter().find_map(|service| self.platform(service));
        // a line that docker compose does not have is none for scripts
        let silent = self.asked.quiet || is_in_place();
        let tell = |line: &str| {
            if !silent {
                self.reporter.line(line);
            }
        };
        match (pulls::pull(self.engine, &familiar, platform, tell).await, there) {
            // an image that is only old is better than none
            (Err(error), Some(detail)) if stale => {
                self.reporter.line(&format!("note  {familiar} is not newer: {error}"));
                Ok(ServiceImage::from_engine(familiar.clone(), false, detail))
            }
            (pulled, _) => {
                pulled.map_err(failed)?;
                if is_in_place() && !self.asked.quiet {
                    self.reporter.line(&format!(" Image {written} Pulled"));
                }
                let detail = self.engine.inspect_image(&familiar).await.map_err(failed)?;
                Ok(ServiceImage::from_engine(familiar.clone(), false, detail))
            }
        }
    }

    /// What an image of a service is for, if the file or the environment says it.
    fn platform(&self, service: &str) -> Option<&str> {
        let own = self.project.services.get(service).and_then(|found| found.platform.as_deref());
        let default = self.project.environment.0.get("DOCKER_DEFAULT_PLATFORM").map(String::as_str);
        own.or(default).filter(|platform| !platform.is_empty())
    }

    /// Whether the engine has got the image longer ago than so many seconds.
    async fn is_older(&self, image: &str, seconds: i64) -> bool {
        let Ok(raw) = self.engine.inspect_image_raw(image).await else { return false };
        let tagged = raw["Metadata"]["LastTagTime"].as_str().and_then(|time| time.parse().ok());
        let Some(tagged): Option<jiff::Timestamp> = tagged else { return true };
        jiff::Timestamp::now().as_second() - tagged.as_second() > seconds
    }
}
