//! Dockerfile text to typed instructions and stages; word expansion; .dockerignore. No IO.
