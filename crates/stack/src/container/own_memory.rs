//! Memory that a program is told to take, beside what its container may use: a limit that is lowered leaves these numbers
//! above it, and the kernel ends the program instead of the program doing with less.

use plimsoll_engine::ContainerSpec;

/// How programs are told: what stands before the number, and what a number without a unit counts, in bytes.
const TOLD: [(&str, u64); 9] = [
    ("--max-old-space-size=", 1 << 20),
    ("--max_old_space_size=", 1 << 20),
    ("shared_buffers=", 8 << 10),
    ("innodb_buffer_pool_size=", 1),
    ("innodb-buffer-pool-size=", 1),
    ("maxmemory=", 1),
    ("maxmemory ", 1),
    ("-Xmx", 1),
    ("vm_memory_high_watermark.absolute=", 1),
];

/// What a program is told to take that is more than its container may use.
pub(super) fn notes(name: &str, spec: &ContainerSpec) -> Vec<String> {
    let Some(limit) =
        spec.resources.memory.and_then(|bytes| u64::try_from(bytes).ok()).filter(|bytes| *bytes > 0)
    else {
        return Vec::new();
    };
    let words = spec.entrypoint.iter().chain(&spec.command).map(|words| words.join(" "));
    let texts: Vec<String> = words.chain(spec.env.values().flatten().cloned()).collect();
    let mut notes = Vec::new();
    for (begin, unit) in TOLD {
        for text in &texts {
            // as it is written, `maxmemory-policy` aside
            let Some((at, _)) = text.match_indices(begin).next() else { continue };
            let number = &text[at + begin.len()..];
            if bytes(number, unit).is_some_and(|bytes| bytes > limit) {
                let number = number.split([' ', ',', '"', '\'', ';']).next().unwrap_or(number);
                let told = format!("{begin}{number}");
                notes.push(format!(
                    "{name}: {told} is more than its memory limit of {} MiB: change both together",
                    limit >> 20
                ));
            }
        }
    }
    notes
}

/// `256MB`, `384`, `1g`: PostgreSQL's, MySQL's, Redis' and Java's units.
fn bytes(text: &str, unit: u64) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let factor = match text[digits..].bytes().next().map(|byte| byte.to_ascii_lowercase()) {
        Some(b'k') => 1 << 10,
        Some(b'm') => 1 << 20,
        Some(b'g') => 1 << 30,
        Some(b'b') => 1,
        _ => unit,
    };
    number.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use plimsoll_engine::Resources;

    use super::*;

    #[test]
    fn what_a_program_takes_is_held_against_its_limit() {
        let told = |command: &str, options: &str| {
            let spec = ContainerSpec {
                command: Some(command.split(' ').map(str::to_owned).collect()),
                env: [("NODE_OPTIONS".to_owned(), Some(options.to_owned()))].into(),
                resources: Resources { memory: Some(256 << 20), ..Resources::default() },
                ..ContainerSpec::default()
            };
            notes("api", &spec)
        };
        assert_eq!(told("node main.js", "--max-old-space-size=192"), [""; 0]);
        assert_eq!(
            told("node main.js", "--enable-source-maps --max-old-space-size=384"),
            ["api: --max-old-space-size=384 is more than its memory limit of 256 MiB: change both together"]
        );
        for (command, much) in [
            ("postgres -c shared_buffers=512MB", true),
            ("postgres -c shared_buffers=128MB", false),
            ("postgres -c shared_buffers=16384", false),
            ("redis-server --maxmemory 300mb --maxmemory-policy noeviction", true),
            ("redis-server --maxmemory-policy noeviction --maxmemory 200mb", false),
            ("mariadbd --innodb-buffer-pool-size=1G", true),
            ("java -Xmx512m -jar a.jar", true),
        ] {
            assert_eq!(!told(command, "").is_empty(), much, "{command}");
        }
    }
}
