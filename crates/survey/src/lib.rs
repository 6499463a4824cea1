//! Reads a repository through one read-only view and says what it holds.
