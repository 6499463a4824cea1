//! What happens with a container that exists.

use plimsoll_engine::RunState;

use super::build::Builder;
use crate::{DesiredService, ObservedContainer, cause, labels};

/// What happens with one existing container.
pub(super) enum Verdict {
    /// It is as it should be.
    Keep,
    /// It only has to be started.
    Start(String),
    /// It is frozen.
    Unpause,
    /// It is replaced by a new one.
    Recreate(String),
    /// It cannot stay while a network or volume is made anew: its removal is planned already.
    Gone(String),
    /// It is half removed.
    Dead,
}

impl Builder<'_> {
    pub(super) fn verdict(&self, service: &DesiredService, container: &ObservedContainer) -> Verdict {
        let name = &service.name;
        if let Some(cause) = self.gone.get(&container.id) {
            return Verdict::Gone(cause.clone());
        }
        if matches!(container.state, RunState::Dead | RunState::Removing) {
            return Verdict::Dead;
        }
        let replaced = service.needs.iter().find(|need| {
            need.namespace && self.reached.get(&need.service).is_some_and(|reached| reached.replaced)
        });
        if self.is_forced(name) {
            return Verdict::Recreate(format!("{name}: asked for"));
        }
        if !container.is_current(service) && !self.options.no_recreate {
            let old = &container.image_id;
            let said =
                cause::difference(container.parts.as_deref(), &service.parts, old, &service.spec.image);
            return Verdict::Recreate(format!("{name}: {said}"));
        }
        if let Some(need) = replaced {
            return Verdict::Recreate(format!(
                "{name} shares namespaces or volumes with {}, which is replaced",
                need.service
            ));
        }
        if let Some(said) = self.unlike(service, container).filter(|_| !self.options.no_recreate) {
            return Verdict::Recreate(format!("{name}: {said}"));
        }
        match container.state {
            RunState::Paused => Verdict::Unpause,
            RunState::Running | RunState::Restarting => Verdict::Keep,
            _ if service.one_shot => self.one_shot(service, container),
            RunState::Created => Verdict::Start(format!("{name} was made and never started")),
            _ => Verdict::Start(match container.exit_code {
                Some(code) => format!("{name} has ended with exit code {code}"),
                None => format!("{name} is not running"),
            }),
        }
    }

    fn is_forced(&self, service: &str) -> bool {
        let options = self.options;
        let selected = options.services.is_empty() || options.services.iter().any(|name| name == service);
        if selected { options.force_recreate } else { options.always_recreate_deps }
    }

    /// A one-shot that has succeeded is done until its inputs change, and data it prepared is an input.
    fn one_shot(&self, service: &DesiredService, container: &ObservedContainer) -> Verdict {
        let name = &service.name;
        if container.state == RunState::Created {
            return Verdict::Start(format!("{name} was made and never started"));
        }
        match container.exit_code {
            Some(0) => match (self.newer_data(service, container), &service.inputs) {
                (Some(volume), _) => {
                    Verdict::Recreate(format!("{name} runs again: volume {volume} is newer than its success"))
                }
                (None, Some(inputs)) if container.inputs.as_ref() != Some(&inputs.digest) => {
                    let why = match (&container.inputs, &inputs.unknown) {
                        (_, Some(why)) => why.clone(),
                        (None, None) => "it is not known what it read the last time".to_owned(),
                        (Some(_), None) => format!("what it reads in {} has changed", inputs.paths),
                    };
                    Verdict::Recreate(format!("{name} runs again: {why}"))
                }
                _ => Verdict::Keep,
            },
            code => Verdict::Start(format!("{name} failed the last time (exit code {})", code.unwrap_or(-1))),
        }
    }

    /// A volume that was made after this container, or is about to be made.
    fn newer_data(&self, service: &DesiredService, container: &ObservedContainer) -> Option<String> {
        self.data(service).into_iter().find(|name| {
            let found = self.observed.volumes.iter().find(|volume| volume.spec.name == *name);
            let made = found.and_then(|volume| volume.spec.labels.get(labels::CREATED)?.parse::<u64>().ok());
            self.resources.new_volumes.contains(name)
                || made.zip(container.created).is_some_and(|(data, run)| data > run)
        })
    }
}
