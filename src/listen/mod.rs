//! A server's end of what comes from other machines: TLS, and from which pages browsers may come.

mod certificate;
mod origin;
mod tls;

pub use certificate::{Certificate, Validity};
pub use origin::{OriginError, Origins};
pub use tls::{Channel, Secure, Tls};
