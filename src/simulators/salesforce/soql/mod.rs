//! SOQL, as much of it as a client of presence needs: read, checked against the objects that there are, and run.

mod parse;
mod run;
mod schema;

pub(super) use run::{Path, Query, Tables};
pub(super) use schema::{Cell, Object, Record};

/// Why a query is refused: `errorCode` and `message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Refused {
    fn malformed(message: String) -> Refused {
        Refused { code: "MALFORMED_QUERY", message }
    }

    fn field(message: String) -> Refused {
        Refused { code: "INVALID_FIELD", message }
    }

    fn object(name: &str) -> Refused {
        let message = format!("sObject type '{name}' is not supported.");
        Refused { code: "INVALID_TYPE", message }
    }
}
