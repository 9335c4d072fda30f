//! Embedded.
#![no_std]
