//! End-to-end tests of the real binary on the real kernel.
