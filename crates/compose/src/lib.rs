//! Compose files to one merged, interpolated, normalised model with origins. No network.
