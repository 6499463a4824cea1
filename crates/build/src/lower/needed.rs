//! Which stages a target needs, and what the triggers of their images read from.

use plimsoll_dockerfile::Base;
use plimsoll_source::Diagnostic;

use super::{Found, Lowerer};
use crate::graph::Location;

impl Lowerer<'_> {
    /// The stages that `target` needs, in order. ONBUILD triggers of images may need more, so these are looked up first.
    pub(super) fn needed(&mut self, target: usize) -> Result<Vec<usize>, Vec<Diagnostic>> {
        let mut looked = vec![false; self.stages.nodes.len()];
        loop {
            let needed = self.file.needed_stages(&self.stages, target).map_err(|problem| vec![problem])?;
            let mut further = false;
            for &index in &needed {
                if !std::mem::replace(&mut looked[index], true) {
                    further |= self.look_at_triggers(index)?;
                }
            }
            if !further {
                return Ok(needed);
            }
        }
    }

    /// Notes what the triggers of the image below stage `index` read from. Says whether these are further stages.
    fn look_at_triggers(&mut self, index: usize) -> Result<bool, Vec<Diagnostic>> {
        let (name, asked) = match &self.stages.nodes[index].base {
            Base::Image(name) => (name.clone(), index),
            Base::Stage(base) => match &self.stages.nodes[*base].base {
                Base::Context(name) => (name.clone(), *base),
                _ => return Ok(false),
            },
            Base::Scratch | Base::Context(_) => return Ok(false),
        };
        let location = Location { source: self.file.source.clone(), span: self.file.stages[index].from.span };
        let platform = self.platform(asked);
        let Found::Image(found) = self.find(&name, &platform, &location).map_err(|problem| vec![problem])?
        else {
            return Ok(false);
        };
        let triggers = self.triggers(index, &found.image.config.config.on_build);
        let triggers = triggers.map_err(|problem| vec![problem])?;
        let instructions = triggers.iter().map(|(_, statement)| &statement.value);
        self.file.add_triggers(&mut self.stages, index, instructions)
    }
}
