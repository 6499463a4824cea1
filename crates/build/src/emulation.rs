//! Whether the kernel runs programs for another processor: through `binfmt_misc`, by an emulator such as qemu's.

use std::{fs, path::Path};

use plimsoll_dockerfile::Platform;

const REGISTERED: &str = "/proc/sys/fs/binfmt_misc";

/// Can a step of this platform run here?
pub(crate) fn can_run(platform: &Platform) -> bool {
    let host = Platform::host().normalised();
    let wanted = platform.normalised();
    if wanted.os != host.os {
        return false;
    }
    // a variant is a promise about instructions that the processor keeps or not; qemu knows them all
    let native = match (host.architecture.as_str(), wanted.architecture.as_str()) {
        (host, wanted) if host == wanted => true,
        ("amd64", "386") => true,
        _ => false,
    };
    native || is_registered(Path::new(REGISTERED), &wanted.architecture)
}

/// The word size, byte order and `e_machine` of an ELF program for a processor (in Go's words).
fn machine(architecture: &str) -> Option<(u8, u8, u16)> {
    let (small, large, little, big) = (1, 2, 1, 2);
    Some(match architecture {
        "386" => (small, little, 3),
        "mips" => (small, big, 8),
        "mipsle" => (small, little, 8),
        "mips64" => (large, big, 8),
        "mips64le" => (large, little, 8),
        "ppc64" => (large, big, 21),
        "ppc64le" => (large, little, 21),
        "s390x" => (large, big, 22),
        "arm" => (small, little, 40),
        "amd64" => (large, little, 62),
        "arm64" => (large, little, 183),
        "riscv64" => (large, little, 243),
        "loong64" => (large, little, 258),
        _ => return None,
    })
}

/// Looks for an emulator that was opened when it was registered (flag `F`): a step's files hold none.
fn is_registered(folder: &Path, architecture: &str) -> bool {
    let Some(wanted) = machine(architecture) else { return false };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| fs::read_to_string(entry.path()).ok()).any(|text| fits(&text, wanted))
}

fn fits(entry: &str, (size, order, machine): (u8, u8, u16)) -> bool {
    let field = |name: &str| entry.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let byte = |magic: &str, at: usize| u8::from_str_radix(magic.get(at * 2..at * 2 + 2)?, 16).ok();
    let Some(magic) = field("magic ") else { return false };
    let ends = (byte(magic, 18), byte(magic, 19));
    let (Some(first), Some(second)) = ends else { return false };
    let found =
        if order == 2 { u16::from_be_bytes([first, second]) } else { u16::from_le_bytes([first, second]) };
    entry.starts_with("enabled")
        && field("flags:").is_some_and(|flags| flags.contains('F'))
        && field("offset ").is_none_or(|offset| offset == "0")
        && magic.starts_with("7f454c46")
        && byte(magic, 4) == Some(size)
        && byte(magic, 5) == Some(order)
        && found == machine
}

/// For the fuzz targets.
#[cfg(fuzzing)]
pub(crate) fn fuzz(text: &str) {
    let all = ["386", "mips", "mips64", "amd64", "arm64", "s390x"];
    let fitting = all.iter().filter_map(|name| machine(name)).filter(|wanted| fits(text, *wanted)).count();
    assert!(fitting <= 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARM64: &str = "enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: POCF\noffset 0\n\
        magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n";

    #[test]
    fn an_emulator_is_known_by_what_it_takes() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("qemu-aarch64"), ARM64).unwrap();
        let s390x = ARM64.replace("0201010000000000000000000200b700", "02020100000000000000000000020016");
        fs::write(dir.path().join("anything"), s390x).unwrap();
        let known = |architecture| is_registered(dir.path(), architecture);
        assert!(known("arm64") && known("s390x"));
        assert!(!known("arm") && !known("ppc64le") && !known("nothing"));
        for broken in [
            ARM64.replace("enabled", "disabled"),
            ARM64.replace("POCF", "POC"),
            ARM64.replace("magic 7f454c46", "magic 00000000"),
            "enabled\n".to_owned(),
        ] {
            fs::write(dir.path().join("qemu-aarch64"), broken).unwrap();
            assert!(!known("arm64"));
        }
    }

    #[test]
    fn this_machine_runs_itself() {
        assert!(can_run(&Platform::host()));
        assert!(!can_run(&Platform::parse("windows/amd64").unwrap()));
    }
}
