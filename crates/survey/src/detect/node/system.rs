//! Variables that no stack sets: those of a person's machine, of test runners, and what a bundler calls its constants.

use crate::javascript::Script;

/// Set by the operating system, a shell, a session or a package manager, each for its own machine. A container has its
/// own, and that of the person who starts the stack is wrong there.
const OF_THE_SYSTEM: [&str; 31] = [
    "PATH",
    "PWD",
    "OLDPWD",
    "HOME",
    "USER",
    "USERNAME",
    "LOGNAME",
    "SHELL",
    "SHLVL",
    "TMPDIR",
    "TMP",
    "TEMP",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "TERM",
    "COLORTERM",
    "DISPLAY",
    "EDITOR",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    "CI",
    "INIT_CWD",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMFILES",
    "USERPROFILE",
    "SYSTEMROOT",
    "COMSPEC",
];

/// Beginnings of what test runners set, or read.
const OF_TESTS: [&str; 7] =
    ["VITEST", "JEST_", "PLAYWRIGHT", "CYPRESS_", "TEST_DATABASE_", "TEST_DB_", "TEST_REDIS_"];

/// Whether a stack leaves a variable out. What only tests read is never demanded.
pub(super) fn is_foreign(name: &str, required: bool) -> bool {
    OF_THE_SYSTEM.contains(&name) || !required && OF_TESTS.iter().any(|begin| name.starts_with(begin))
}

/// Whether `import.meta.env.NAME` at a token is a constant that Vite writes into the program (Vite's manual, "Built-in
/// Constants").
pub(super) fn is_constant(script: &Script, at: usize, name: &str) -> bool {
    script.is(at, "import") && matches!(name, "DEV" | "PROD" | "SSR" | "MODE" | "BASE_URL")
}

#[cfg(test)]
mod tests {
    use super::is_foreign;

    #[test]
    fn what_a_stack_never_sets() {
        for name in ["PATH", "PWD", "HOME", "CI", "VITEST_POOL_ID", "TEST_DATABASE_URL"] {
            assert!(is_foreign(name, false), "{name}");
        }
        for name in ["HOSTNAME", "TZ", "DEBUG", "USER_POOL", "APP_PATH", "TEST_MODE"] {
            assert!(!is_foreign(name, false), "{name}");
        }
        assert!(is_foreign("HOME", true) && !is_foreign("TEST_DATABASE_URL", true));
    }
}
