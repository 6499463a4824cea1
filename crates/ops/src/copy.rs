//! Files between containers and this machine, as the archives that an engine takes and gives.

pub mod pack;
pub mod unpack;
