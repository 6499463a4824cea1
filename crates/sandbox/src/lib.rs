//! Runs one process in a root file system: namespaces, mounts, users, capabilities, seccomp. Linux only.
#![allow(unsafe_code, reason = "system calls; every block carries its SAFETY comment")]
