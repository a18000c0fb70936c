//! What the demo shows: a live table on a terminal, plain lines anywhere else.
//!
//! The demo fills a [`View`] and hands it over. What a frame looks like and what a key means are pure
//! functions of it; only `terminal` and `Lines::show` touch the world.

mod lines;
mod looks;
mod render;
mod terminal;
mod text;
mod view;
mod words;

#[cfg(test)]
mod tests;

pub(super) use lines::Lines;
pub(super) use terminal::Screen;
pub(super) use view::{Asked, Fault, Person, Standing, Totals, View};
