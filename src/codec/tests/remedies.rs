//! What to do about each error, and the class it has as a dead letter.

use crate::codec::*;
use crate::domain::Remedy;

#[test]
fn every_error_has_its_remedy() {
    let malformed = |why| Error::Malformed { record: "Event", why };
    let url = || "https://registry.example".parse().unwrap();
    let registry = |error: RegistryError| Error::from(error);
    let operation = || "looking up".to_owned();
    let cases = [
        (Error::TooLarge(2_000_000), Remedy::Reject, DeadCause::TooLarge),
        (Error::Framing, Remedy::Reject, DeadCause::Framing),
        (Error::UnknownFingerprint(1), Remedy::Reject, DeadCause::Schema),
        (Error::NoRegistry(1), Remedy::Stop, DeadCause::Schema),
        (Error::NotLoaded(1), Remedy::Retry, DeadCause::Schema),
        (Error::UnknownId(1), Remedy::Reject, DeadCause::Schema),
        (Error::Schema(SchemaError::Costly), Remedy::Reject, DeadCause::Schema),
        (Error::Schema(SchemaError::TooMany), Remedy::Stop, DeadCause::Schema),
        (malformed(Malformed::CutOff), Remedy::Reject, DeadCause::Malformed),
        (malformed(Malformed::Trailing(1)), Remedy::Reject, DeadCause::Malformed),
        (malformed(Malformed::Value("odd")), Remedy::Reject, DeadCause::Contradiction),
        (
            Error::MalformedVersion { record: "Event", why: String::new() },
            Remedy::Reject,
            DeadCause::Malformed,
        ),
        (Error::UnknownKind { record: "Event", kind: "NEW".to_owned() }, Remedy::Stop, DeadCause::Unknown),
        (Error::NewerEngine { record: "Event", found: 2, ours: 1 }, Remedy::Stop, DeadCause::Unknown),
        (registry(RegistryError::Plaintext(url())), Remedy::Stop, DeadCause::Schema),
        (
            registry(RegistryError::Unreachable { operation: operation(), url: url(), why: String::new() }),
            Remedy::Retry,
            DeadCause::Schema,
        ),
        (
            registry(RegistryError::Unavailable { operation: operation(), url: url(), status: 503 }),
            Remedy::Retry,
            DeadCause::Schema,
        ),
        (
            registry(RegistryError::Refused {
                operation: operation(),
                url: url(),
                status: 401,
                message: String::new(),
            }),
            Remedy::Stop,
            DeadCause::Schema,
        ),
        (
            registry(RegistryError::Odd { operation: operation(), url: url(), why: String::new() }),
            Remedy::Stop,
            DeadCause::Schema,
        ),
    ];
    for (error, remedy, cause) in cases {
        assert_eq!((error.remedy(), error.cause()), (remedy, cause), "{error:?}");
    }
}
