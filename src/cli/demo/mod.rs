//! `lockstep demo`: two simulated platforms, agents who behave, and Lockstep between them.

#[expect(dead_code, unused_imports, reason = "nothing fills the screen yet")]
mod screen;
