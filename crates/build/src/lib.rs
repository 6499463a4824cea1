//! Dockerfile stages to a graph, cache keys, snapshots and images.
