//! The order of a graph's steps.

use std::collections::BTreeSet;

use crate::graph::Graph;

/// Which steps can be done now.
pub(crate) struct Schedule {
    /// Inputs that are not done, by step.
    missing: Vec<usize>,
    followers: Vec<Vec<usize>>,
    ready: BTreeSet<usize>,
}

impl Schedule {
    pub(crate) fn new(graph: &Graph) -> Self {
        let mut followers = vec![Vec::new(); graph.nodes.len()];
        let mut missing = vec![0; graph.nodes.len()];
        let mut ready = BTreeSet::new();
        for (index, node) in graph.nodes.iter().enumerate() {
            let inputs = node.waits_for();
            missing[index] = inputs.len();
            for input in &inputs {
                followers[*input].push(index);
            }
            if inputs.is_empty() {
                ready.insert(index);
            }
        }
        Self { missing, followers, ready }
    }

    pub(crate) fn next(&mut self) -> Option<usize> {
        self.ready.pop_first()
    }

    /// The step waits for something besides its inputs.
    pub(crate) fn hold(&mut self, node: usize) {
        self.missing[node] += 1;
        self.ready.remove(&node);
    }

    /// What a held step waited for is there.
    pub(crate) fn release(&mut self, node: usize) {
        self.missing[node] -= 1;
        if self.missing[node] == 0 {
            self.ready.insert(node);
        }
    }

    pub(crate) fn again(&mut self, node: usize) {
        self.ready.insert(node);
    }

    pub(crate) fn complete(&mut self, node: usize) {
        for follower in std::mem::take(&mut self.followers[node]) {
            self.missing[follower] -= 1;
            if self.missing[follower] == 0 {
                self.ready.insert(follower);
            }
        }
    }
}
