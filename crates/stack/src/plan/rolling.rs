//! The turns of replicas that are replaced: `deploy.update_config`.

use super::{Op, Plan};
use crate::{DesiredService, Update};

/// Replicas that are replaced a few at a time.
pub(super) struct Rolling {
    update: Option<Update>,
    /// Steps after which the replicas of this group are done.
    group: Vec<usize>,
    replicas: usize,
    /// What this group waits for.
    before: Vec<usize>,
}

impl Rolling {
    /// Without `update` all of them at once.
    pub(super) fn new(update: Option<Update>) -> Self {
        Self { update, group: Vec::new(), replicas: 0, before: Vec::new() }
    }

    /// Steps that the next replica has to wait for.
    pub(super) fn gate(&mut self, plan: &mut Plan, service: &DesiredService) -> Vec<usize> {
        let Some(update) = self.update.filter(|update| update.parallelism > 0) else { return Vec::new() };
        if self.replicas >= update.parallelism {
            self.before = std::mem::take(&mut self.group);
            self.replicas = 0;
            if update.delay > 0 {
                let op = Op::Delay { milliseconds: update.delay };
                let cause = format!("{} is updated {} at a time", service.name, update.parallelism);
                self.before = vec![plan.push(op, Some(&service.name), cause, &self.before)];
            }
        }
        self.before.clone()
    }

    /// A replica is replaced: the steps after which it has been started, and after which it is ready.
    pub(super) fn replaced(&mut self, started: Option<usize>, ready: Option<usize>) {
        let go_on = self.update.is_some_and(|update| update.go_on);
        self.group.extend(if go_on { started } else { ready });
        self.replicas += 1;
    }
}
