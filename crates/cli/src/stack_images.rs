//! The images of a stack's services, brought into the engine.

use std::path::Path;

use futures_util::future::try_join_all;
use indexmap::IndexMap;
use plimsoll_compose::Project;
use plimsoll_engine::{Engine, EngineError};
use plimsoll_image::{Reference, Store};
use plimsoll_stack::{ImageMap, ServiceImage, hook_images};

use crate::{
    builds::{self, Built, Shown},
    error::CommandError,
    handover::{self, Sent},
    images::{Found, Images},
    policy::Policy,
    storage::Budget,
};

/// Builds what the project builds, and gives the engine every image that it lacks.
pub(crate) async fn bring(
    engine: &Engine,
    project: &Project,
    home: &Path,
    policy: &Policy,
) -> Result<ImageMap, CommandError> {
    let store = Store::open(home.join("store")).map_err(|error| CommandError::from_error(&error))?;
    let shown = Shown::new();
    let tell = |line: &str| shown.tell(line);
    let images = Images::new(&store, home, policy, &tell);
    let wanted = builds::wanted(project, &[], false)?;
    let built = tokio::task::block_in_place(|| {
        builds::build(&store, home, &images, &wanted, &shown, Budget::find(policy)?)
    })?;
    let over: Vec<_> = builds::hold_to_budgets(&built, &policy.budgets.images)
        .into_iter()
        .filter(builds::Verdict::exceeded)
        .collect();
    for verdict in over {
        let budget = builds::megabytes(verdict.budget.unwrap_or_default());
        shown.tell(&format!(
            "note  {} has {}, over its budget of {budget}",
            verdict.image,
            builds::megabytes(verdict.size)
        ));
    }
    let ctx = Bring { engine, store: &store, images: &images, built: &built, shown: &shown };
    // several services may run one image: it travels once
    let mut users: IndexMap<Reference, Vec<&String>> = IndexMap::new();
    for (name, service) in &project.services {
        users.entry(builds::image_name(project, name, service)?).or_default().push(name);
    }
    let hooks = hook_images(project);
    for (key, _, image) in &hooks {
        let image = Reference::parse(image).map_err(|error| CommandError::from_error(&error))?;
        users.entry(image).or_default().push(key);
    }
    let each = users.iter().map(|(image, services)| async {
        let found = ctx.one(services, image).await?;
        Ok::<_, CommandError>(
            services.iter().map(|service| ((*service).clone(), found.clone())).collect::<Vec<_>>(),
        )
    });
    Ok(try_join_all(each).await?.into_iter().flatten().collect())
}

struct Bring<'a> {
    engine: &'a Engine,
    store: &'a Store,
    images: &'a Images<'a>,
    built: &'a [Built],
    shown: &'a Shown,
}

impl Bring<'_> {
    async fn one(&self, services: &[&String], name: &Reference) -> Result<ServiceImage, CommandError> {
        if let Some(built) = self.built.iter().find(|built| built.name == *name) {
            let found =
                Found { record: built.record.clone(), shown: name.clone(), standin: false, digest: None };
            return self.hand_over(&found, name).await;
        }
        let substitute = tokio::task::block_in_place(|| self.images.substitute(name)).map_err(unresolved)?;
        if let Some(found) = substitute {
            return self.hand_over(&found, name).await;
        }
        if let Some(found) = self.images.stored(name).map_err(unresolved)? {
            return self.hand_over(&found, name).await;
        }
        self.of_engine(services, name).await
    }

    async fn hand_over(&self, found: &Found, name: &Reference) -> Result<ServiceImage, CommandError> {
        let names = std::slice::from_ref(&found.shown);
        let (detail, sent) = handover::ensure(self.engine, self.store, &found.record, names).await?;
        if let Sent::Layers { sent, of, bytes } = sent {
            let size = builds::megabytes(bytes);
            self.shown
                .tell(&format!("engine takes {}: {sent} of {of} layers, {size}", found.shown.familiar()));
        }
        let shown = if found.shown == *name {
            name.familiar()
        } else {
            format!("{} for {}", found.shown.familiar(), name.familiar())
        };
        Ok(ServiceImage::from_engine(shown, found.standin, detail))
    }

    /// The image that the engine has under this name, pulled by it when it has none.
    async fn of_engine(&self, services: &[&String], name: &Reference) -> Result<ServiceImage, CommandError> {
        let familiar = name.familiar();
        let users = services.iter().map(|service| service.as_str()).collect::<Vec<_>>().join(", ");
        let failed = |error: EngineError| {
            CommandError::new(
                format!("image {familiar} of {users} cannot be had: {error}"),
                "check the name; without a way to its registry, map it to a base under [images] in plimsoll.toml",
            )
        };
        let detail = match self.engine.inspect_image(&familiar).await {
            Err(EngineError::NotFound { .. }) => {
                self.shown.tell(&format!("engine pulls {familiar}"));
                self.engine.pull_image(&familiar).await.map_err(failed)?;
                self.engine.inspect_image(&familiar).await.map_err(failed)?
            }
            found => found.map_err(failed)?,
        };
        Ok(ServiceImage::from_engine(familiar.clone(), false, detail))
    }
}

fn unresolved(error: plimsoll_build::ResolveError) -> CommandError {
    match error.hint {
        Some(hint) => CommandError::new(error.message, hint),
        None => plimsoll_source::Diagnostic::error(error.message).into(),
    }
}
