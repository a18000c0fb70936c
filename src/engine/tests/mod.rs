//! The law of the engine as tables: one line a case, readable without the code.

mod days;
mod hostile;
mod law;
mod model;
mod mutations;
mod oracle;
mod script;
