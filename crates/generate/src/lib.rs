//! Survey and policy to production files; three-way merge against the last generated text.
