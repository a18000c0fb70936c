//! stub
use std::time::Duration;
pub(super) struct View { pub elapsed: Duration, pub people: Vec<Person>, pub totals: Totals, pub faults: Vec<Fault>, pub news: Vec<String> }
pub(super) struct Person { pub number: u32, pub salesforce: String, pub cxone: String, pub standing: Standing, pub decision: String }
pub(super) enum Standing { InStep, Waiting, Busy, Out }
#[derive(Debug)]
pub(super) struct Totals { pub agents: u64, pub in_step: u64, pub changes: u64, pub commands: u64, pub echoes: u64, pub corrections: u64, pub apart: u64, pub dead_letters: u64, pub sync_ms: Option<(u64,u64)>, pub calls: (u64,u64) }
pub(super) struct Fault { pub key: char, pub name: &'static str, pub is_on: bool }
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked { Quit, SetSalesforce { person: usize, choice: usize }, SetCxone { person: usize, choice: usize }, Fault(char) }
pub(super) struct Screen;
impl Screen {
    pub(super) fn begin(_: Vec<String>) -> std::io::Result<Screen> { Ok(Screen) }
    pub(super) fn show(&mut self, _: &View) -> std::io::Result<()> { Ok(()) }
    pub(super) fn asked(&mut self) -> std::io::Result<Vec<Asked>> { Ok(vec![]) }
}
pub(super) struct Lines;
impl Lines {
    pub(super) fn new(_: Duration) -> Lines { Lines }
    pub(super) fn news(&mut self, what: &str) { crate::cli::output::aside(&format!("{what}\n")); }
    pub(super) fn show(&mut self, view: &View) -> std::io::Result<()> { crate::cli::output::aside(&format!("{:?} {:?}\n", view.elapsed, view.totals)); Ok(()) }
}
