//! How much memory the stack uses: for each container what its cgroup counts, without the file cache that the kernel
//! would give back first.

use crate::{cgroup::Cgroups, member::Kind, quantity, stack::Stack};

/// One reading of every container.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    readings: Vec<(String, u64, String, String)>,
}

/// Reads all running containers.
pub(crate) fn sample(stack: &Stack<'_>) -> Result<Sample, String> {
    let mut sample = Sample::default();
    for member in stack.running() {
        let pid = stack.visible_pid(member)?;
        // A one-off run and a job may end at any time, and use nothing then.
        let may_end = member.kind != Kind::Service || stack.is_job(&member.service);
        if may_end && !stack.procfs.is_in(pid, member.id()) {
            continue;
        }
        let used = Cgroups::of(&stack.procfs, pid)
            .and_then(|cgroups| cgroups.memory_used())
            .map_err(|error| format!("{}: {error}", member.name))?;
        sample.readings.push((
            member.service.clone(),
            used.value,
            used.file.display().to_string(),
            used.text,
        ));
    }
    Ok(sample)
}

impl Sample {
    /// All containers together, in bytes.
    pub(crate) fn total(&self) -> u64 {
        self.readings.iter().map(|(_, bytes, _, _)| bytes).sum()
    }

    pub(crate) fn len(&self) -> usize {
        self.readings.len()
    }

    pub(crate) fn evidence(&self) -> impl Iterator<Item = (String, String)> + '_ {
        self.readings.iter().map(|(service, bytes, file, text)| {
            (file.clone(), format!("{service}: {text} = {}", quantity::bytes(*bytes)))
        })
    }
}
