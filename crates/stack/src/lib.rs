//! Desired to observed to plan to run: brings a Compose project up and down on an engine.
