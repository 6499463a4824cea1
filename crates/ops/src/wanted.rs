//! What a project's file wants of the engine now, for who compares it with what runs: nothing is built, pulled or loaded.

use plimsoll_compose::Project;
use plimsoll_engine::Engine;
use plimsoll_stack::{
    Context, ImageMap, PlanOptions, ServiceImage, desired, hook_images, hooked, observe, plan, stack_files,
};
use plimsoll_verify::Wanted;

use crate::{
    Deaf, Failure, builds,
    home::{home, open_store},
    images::Images,
    policy::Policy,
    remote, stack,
};

/// What should run, and what `up` would change. The text is why that cannot be said.
pub async fn wanted(
    engine: &Engine,
    project: &Project,
    policy: &Policy,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Wanted, String> {
    let state = stack::states().map_err(|error| said(&error))?.join(&project.name);
    let mut files = stack_files(project, &state, variable).map_err(|error| said(&error.into()))?;
    let text = |error: plimsoll_stack::StackError| said(&error.into());
    let facts = engine.facts().await.map_err(|error| error.to_string())?;
    // The image store of containerd has ids of its own; its drivers are called otherwise than Docker's.
    let own_ids =
        matches!(facts.storage_driver.as_str(), "overlayfs" | "native" | "stargz" | "soci" | "nydus");
    let images = images(engine, project, policy, own_ids).await?;
    let observed = observe(engine, &project.name).await.map_err(text)?;
    for note in remote::prepare(engine, project, &mut files, &facts) {
        note!("note  {note}");
    }
    let wanted = desired(project, Context { images: &images, facts: &facts, files: &files }).map_err(text)?;
    let options = PlanOptions { hooked: hooked(&state), ..PlanOptions::default() };
    let mut changes = plan(&wanted, &observed, &options).map_err(text)?.changes();
    changes.extend(files.stale());
    let services = wanted.services.into_iter().map(|service| (service.name, service.spec)).collect();
    Ok(Wanted { services, changes })
}

/// The image of every service as `up` would choose it from what is here. One that is nowhere has no id, and what runs
/// cannot be made from it.
async fn images(
    engine: &Engine,
    project: &Project,
    policy: &Policy,
    own_ids: bool,
) -> Result<ImageMap, String> {
    let home = home().map_err(|error| said(&error))?;
    let store = open_store(&home).map_err(|error| error.to_string())?;
    let known = Images::new(&store, &home, policy, &Deaf);
    let mut names = Vec::new();
    for (name, service) in &project.services {
        let image = builds::image_name(project, name, service).map_err(|error| said(&error))?;
        names.push((name.clone(), image, service.build.is_some()));
    }
    for (key, _, image) in hook_images(project) {
        let image = plimsoll_image::Reference::parse(&image).map_err(|error| error.to_string())?;
        names.push((key, image, false));
    }
    let mut map = ImageMap::new();
    for (key, name, built) in names {
        let mut found =
            tokio::task::block_in_place(|| if built { known.stored(&name) } else { known.substitute(&name) })
                .map_err(|error| error.message)?;
        // The engine's own image of the name goes before one of the store that nobody has handed over.
        if found.is_none() && !built {
            match engine.inspect_image(&name.familiar()).await {
                Err(error) if error.is_not_found() => {
                    found =
                        tokio::task::block_in_place(|| known.stored(&name)).map_err(|error| error.message)?;
                }
                Err(error) => return Err(error.to_string()),
                Ok(_) => {}
            }
        }
        let standin = found.as_ref().is_some_and(|found| found.standin);
        let (id, familiar) = match &found {
            Some(found) => (Some(found.record.id.to_string()), found.shown.familiar()),
            None => (None, name.familiar()),
        };
        let mut detail = engine.inspect_image(id.as_deref().unwrap_or(&familiar)).await;
        if own_ids && detail.as_ref().is_err_and(plimsoll_engine::EngineError::is_not_found) {
            detail = engine.inspect_image(&familiar).await;
        }
        let image = match detail {
            Ok(detail) => ServiceImage::from_engine(familiar, standin, detail),
            Err(error) if error.is_not_found() => {
                ServiceImage { id: id.unwrap_or_default(), ..ServiceImage::missing(familiar) }
            }
            Err(error) => return Err(error.to_string()),
        };
        map.insert(key, image);
    }
    Ok(map)
}

/// The first line of an error for people.
fn said(error: &Failure) -> String {
    error.diagnostics.first().map_or_else(String::new, |diagnostic| diagnostic.title.clone())
}
