//! Receiving, measured side by side with other receivers.

fn main() {}
