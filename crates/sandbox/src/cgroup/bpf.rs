//! Version 2 has no files for devices: a BPF program that is attached to the group answers for each opening.
//!
//! The program is written out here, instruction by instruction (Linux, `Documentation/bpf/standardization`); it has no
//! loop, and nothing in it comes from outside.

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    path::Path,
};

use nix::libc;

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_PROG_ATTACH: libc::c_int = 8;
const PROGRAM_TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_TO_CGROUP_DEVICE: u32 = 6;
/// Other programs of the group, and those of groups around it, are asked too.
const ALLOW_MULTI: u32 = 2;

/// `BPF_DEVCG_ACC_MKNOD`: a node is made, not opened.
const MAKE_NODE: i32 = 1;
/// `BPF_DEVCG_DEV_CHAR`
const CHARACTER: i32 = 2;

/// One instruction, as the kernel has it in memory.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instruction {
    code: u8,
    /// Destination in the low half, source in the high half.
    registers: u8,
    offset: i16,
    immediate: i32,
}

const fn instruction(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Instruction {
    // Bit fields start at the low end on little-endian machines alone.
    let registers = if cfg!(target_endian = "little") { to | (from << 4) } else { (to << 4) | from };
    Instruction { code, registers, offset, immediate }
}

/// `to = *(u32 *)(from + offset)`
const fn load(to: u8, from: u8, offset: i16) -> Instruction {
    instruction(0x61, to, from, offset, 0)
}

/// Goes on `over` instructions later unless `register == value`.
const fn unless(register: u8, value: i32, over: i16) -> Instruction {
    instruction(0x55, register, 0, over, value)
}

/// The answer, and the end.
fn answer(yes: bool) -> [Instruction; 2] {
    [instruction(0xb7, 0, 0, 0, i32::from(yes)), instruction(0x95, 0, 0, 0, 0)]
}

/// Nodes of every kind may be made; of character devices those in `allowed` may be opened, of block devices none.
fn program(allowed: impl Iterator<Item = (u64, Option<u64>)>) -> Vec<Instruction> {
    // struct bpf_cgroup_dev_ctx { access << 16 | type, major, minor }
    let mut program = vec![
        load(2, 1, 0),
        instruction(0xbf, 3, 2, 0, 0),
        instruction(0x54, 2, 0, 0, 0xffff),
        instruction(0x74, 3, 0, 0, 16),
        load(4, 1, 4),
        load(5, 1, 8),
    ];
    program.push(unless(3, MAKE_NODE, 2));
    program.extend(answer(true));
    // `if r2 == CHARACTER goto +2`
    program.push(instruction(0x15, 2, 0, 2, CHARACTER));
    program.extend(answer(false));
    for (major, minor) in allowed {
        program.push(unless(4, major as i32, if minor.is_some() { 3 } else { 2 }));
        if let Some(minor) = minor {
            program.push(unless(5, minor as i32, 2));
        }
        program.extend(answer(true));
    }
    program.extend(answer(false));
    program
}

#[repr(C)]
#[derive(Default)]
struct LoadAttributes {
    program_type: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel: u32,
    flags: u32,
}

#[repr(C)]
struct AttachAttributes {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
}

fn bpf<T>(command: libc::c_int, attributes: &T) -> io::Result<i32> {
    // SAFETY: the kernel reads `size_of::<T>()` bytes of `attributes`, and the memory that addresses in them name,
    // which the callers keep alive over the call; it writes to none of it.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}

/// Attaches the program to the group; it goes with the group.
pub(super) fn confine(group: &Path, allowed: impl Iterator<Item = (u64, Option<u64>)>) -> io::Result<()> {
    let program = program(allowed);
    let license = c"MIT";
    let attributes = LoadAttributes {
        program_type: PROGRAM_TYPE_CGROUP_DEVICE,
        count: program.len() as u32,
        instructions: program.as_ptr() as u64,
        license: license.as_ptr() as u64,
        ..LoadAttributes::default()
    };
    let loaded = bpf(BPF_PROG_LOAD, &attributes)?;
    // SAFETY: the kernel has just given this descriptor to us, and nothing else knows it.
    let loaded = unsafe { OwnedFd::from_raw_fd(loaded) };
    let group = File::open(group)?;
    let attributes = AttachAttributes {
        target: group.as_raw_fd() as u32,
        program: loaded.as_raw_fd() as u32,
        kind: ATTACH_TO_CGROUP_DEVICE,
        flags: ALLOW_MULTI,
    };
    bpf(BPF_PROG_ATTACH, &attributes).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the program as the kernel would.
    fn run(program: &[Instruction], context: [u32; 3]) -> i64 {
        let mut registers = [0i64; 11];
        let mut at = 0usize;
        loop {
            let one = program[at];
            let (to, from) = (usize::from(one.registers & 15), usize::from(one.registers >> 4));
            at += 1;
            match one.code {
                0x61 => registers[to] = i64::from(context[one.offset as usize / 4]),
                0xbf => registers[to] = registers[from],
                0x54 => registers[to] &= i64::from(one.immediate),
                0x74 => registers[to] >>= one.immediate,
                0x55 if registers[to] != i64::from(one.immediate) => at += one.offset as usize,
                0x15 if registers[to] == i64::from(one.immediate) => at += one.offset as usize,
                0x55 | 0x15 => {}
                0xb7 => registers[to] = i64::from(one.immediate),
                0x95 => return registers[0],
                code => panic!("instruction {code:#x}"),
            }
        }
    }

    #[test]
    fn nodes_are_made_and_only_the_known_ones_are_opened() {
        let program = program([(1, Some(3)), (136, None)].into_iter());
        let open = 6 << 16;
        for (context, expected) in [
            ([(1 << 16) | 1, 8, 0], 1),
            ([(1 << 16) | 2, 10, 229], 1),
            ([open | 2, 1, 3], 1),
            ([open | 2, 1, 4], 0),
            ([open | 2, 136, 17], 1),
            ([open | 2, 10, 229], 0),
            ([open | 1, 1, 3], 0),
            ([open | 1, 7, 0], 0),
            // making and opening at once is opening
            ([(7 << 16) | 1, 7, 0], 0),
        ] {
            assert_eq!(run(&program, context), expected, "{context:x?}");
        }
    }
}
