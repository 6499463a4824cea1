//! Base images from distribution packages: archive index, signatures, resolver, unpack, configure.
