//! A project on a real engine.
#![allow(dead_code, clippy::unwrap_used, reason = "test support; each test binary uses its own part")]

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use plimsoll_engine::{Engine, ExecSpec, RunState};
use plimsoll_stack::{
    Context, Desired, DownOptions, Observed, Outcome, Plan, PlanOptions, RunOptions, StackError, StackFiles,
    desired, hooked, host_listeners, images_for, labels, observe, plan, plan_down, port_conflicts, run,
    stack_files,
};

use crate::{
    busybox,
    support::{self, Scratch},
};

/// A plan, what it was made from, and the secrets to write.
pub(crate) type Planned = (Plan, Observed, StackFiles);

/// The label of a container beside a project: the project's name.
const BESIDE: &str = "plimsoll-test-beside";

/// A project of its own on the engine, taken away at the end of the test.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) name: String,
    pub(crate) scratch: Scratch,
}

impl Bench {
    pub(crate) async fn new(name: &str) -> Option<Self> {
        let engine = busybox::engine().await?;
        let bench = Self {
            engine,
            name: format!("plimsoll-test-{name}"),
            scratch: Scratch::new(&format!("stack-{name}")),
        };
        bench.remove_strangers().await;
        bench.down(true).await;
        Some(bench)
    }

    /// The labels of a container that a test makes beside the project.
    pub(crate) fn stranger(&self) -> BTreeMap<String, String> {
        [("plimsoll-test", "1"), (BESIDE, self.name.as_str())]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    }

    /// Takes away what a run of this test that failed or was killed has left beside the project.
    async fn remove_strangers(&self) {
        for container in self.engine.containers_labelled(&[format!("{BESIDE}={}", self.name)]).await.unwrap()
        {
            self.engine.remove_container(&container.id, true, true).await.unwrap();
        }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.scratch.0.join("state")
    }

    pub(crate) async fn plan(&self, text: &str) -> Result<Planned, StackError> {
        self.plan_as(text, &PlanOptions::default()).await
    }

    pub(crate) async fn plan_as(&self, text: &str, options: &PlanOptions) -> Result<Planned, StackError> {
        Ok(self.wanted_and_plan(text, options).await?.1)
    }

    fn project(&self, text: &str) -> plimsoll_compose::Project {
        support::project(&self.name, &text.replace("IMAGE", busybox::IMAGE), &self.scratch.0)
    }

    pub(crate) fn files(&self, text: &str) -> StackFiles {
        stack_files(&self.project(text), &self.state(), &|_| None).unwrap()
    }

    pub(crate) async fn desired(&self, text: &str) -> Desired {
        let (project, files) = (self.project(text), self.files(text));
        let images = images_for(&self.engine, &project).await.unwrap();
        let facts = self.engine.facts().await.unwrap();
        desired(&project, Context { images: &images, facts: &facts, files: &files }).unwrap()
    }

    pub(crate) async fn observed(&self) -> Observed {
        observe(&self.engine, &self.name).await.unwrap()
    }

    async fn wanted_and_plan(
        &self,
        text: &str,
        options: &PlanOptions,
    ) -> Result<(Desired, Planned), StackError> {
        let project = self.project(text);
        let files = stack_files(&project, &self.state(), &|_| None)?;
        let images = images_for(&self.engine, &project).await?;
        let facts = self.engine.facts().await?;
        let wanted = desired(&project, Context { images: &images, facts: &facts, files: &files })?;
        let observed = observe(&self.engine, &self.name).await?;
        let options = PlanOptions { hooked: hooked(&self.state()), ..options.clone() };
        let plan = plan(&wanted, &observed, &options)?;
        Ok((wanted, (plan, observed, files)))
    }

    pub(crate) async fn up(&self, text: &str) -> Result<(Plan, Outcome), StackError> {
        self.up_as(text, &PlanOptions::default()).await
    }

    pub(crate) async fn up_as(
        &self,
        text: &str,
        options: &PlanOptions,
    ) -> Result<(Plan, Outcome), StackError> {
        let (wanted, (plan, observed, files)) = self.wanted_and_plan(text, options).await?;
        let conflicts = port_conflicts(&plan, &wanted, &observed, &host_listeners());
        if !conflicts.is_empty() {
            return Err(StackError::PortsTaken(conflicts));
        }
        let options = RunOptions { state: self.state(), ..RunOptions::default() };
        let outcome = run(&self.engine, &plan, &files, &options, &mut |_| {}).await;
        Ok((plan, outcome))
    }

    pub(crate) async fn up_well(&self, text: &str) -> (Plan, Outcome) {
        let (plan, outcome) = self.up(text).await.unwrap();
        assert!(outcome.is_success(), "{}\n{:#?}", plan.render(), outcome.failures);
        (plan, outcome)
    }

    pub(crate) async fn up_well_as(&self, text: &str, options: &PlanOptions) -> Plan {
        let (plan, outcome) = self.up_as(text, options).await.unwrap();
        assert!(outcome.is_success(), "{}\n{:#?}", plan.render(), outcome.failures);
        plan
    }

    pub(crate) async fn down(&self, volumes: bool) -> Outcome {
        let observed = observe(&self.engine, &self.name).await.unwrap();
        let plan = plan_down(
            &self.name,
            &observed,
            None,
            &DownOptions { volumes, grace: Some(1), ..DownOptions::default() },
        );
        let options = RunOptions { state: self.state(), ..RunOptions::default() };
        run(&self.engine, &plan, &plimsoll_stack::StackFiles::default(), &options, &mut |_| {}).await
    }

    /// Container name to (id, state).
    pub(crate) async fn containers(&self) -> BTreeMap<String, (String, RunState)> {
        let label = format!("{}={}", labels::PROJECT, self.name);
        let found = self.engine.containers_labelled(&[label]).await.unwrap();
        found.into_iter().map(|container| (container.name, (container.id, container.state))).collect()
    }

    pub(crate) async fn left(&self) -> (usize, usize, usize) {
        let label = format!("{}={}", labels::PROJECT, self.name);
        let label = std::slice::from_ref(&label);
        (
            self.engine.containers_labelled(label).await.unwrap().len(),
            self.engine.networks(label).await.unwrap().len(),
            self.engine.volumes(label).await.unwrap().len(),
        )
    }

    pub(crate) async fn sh(&self, container: &str, script: &str) -> (i64, String) {
        let spec = ExecSpec { command: vec!["sh".into(), "-c".into(), script.into()], ..ExecSpec::default() };
        let name = format!("{}-{container}-1", self.name);
        let output = self.engine.exec(&name, &spec, Duration::from_secs(10)).await.unwrap();
        (output.exit_code, output.text().trim().to_owned())
    }
}
