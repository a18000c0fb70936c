//! A schema registry that others wrote (srfake, as `registry/server.rs` runs it) and registries that are none: what is
//! registered is found by others, what cannot be used is refused, and every failure says what to do.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

#[path = "registry/server.rs"]
mod server;

use std::time::Duration;

use lockstep::codec::{
    Buffer, Codec, Credentials, DeadCause, Error, Position, RELEASED, RecordSchema, Registry, RegistryError,
    SchemaError,
};
use lockstep::domain::{Account, Platform, Remedy, TimeMs};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

use server::{CANARY, Server};

impl Server {
    async fn get(&self, path: &str) -> Value {
        reqwest::get(self.url.join(path).unwrap()).await.unwrap().json().await.unwrap()
    }

    /// How often this was asked.
    async fn asked(&self, request: &str) -> usize {
        let asked = self.get("-/requests").await;
        asked.as_array().unwrap().iter().filter(|asked| *asked == request).count()
    }
}

fn position() -> Position<'static> {
    Position {
        account: Account { platform: Platform::Cxone, name: "emea".parse().unwrap() },
        read_at: TimeMs::from_unix_ms(1_700_000_000_000),
        writer: "source/cxone.emea/a".into(),
        replay_id: None,
        last_poll_time: Some("2026-01-01T00:00:00.000Z".into()),
    }
}

fn written(codec: &Codec) -> Vec<u8> {
    let mut buffer = Buffer::new();
    codec.encode(&position(), &mut buffer).unwrap();
    buffer.as_slice().to_vec()
}

/// The schema of a position as it was released, to be changed, and its text.
fn schema_of_position() -> (Value, &'static str) {
    let released = RELEASED.iter().find(|released| released.record == RecordSchema::Position).unwrap();
    (serde_json::from_str(released.text).unwrap(), released.text)
}

/// A message in the Confluent wire format.
fn framed(id: i32, body: &[u8]) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], body].concat()
}

/// What reading a message with this schema comes to, once the schema was fetched.
async fn read(codec: &Codec, id: i32, body: &[u8]) -> Result<(), Error> {
    let message = framed(id, body);
    match codec.decode::<Position<'_>>(&message) {
        Err(Error::NotLoaded(asked)) if asked == id => codec.load(id).await.unwrap(),
        other => panic!("{id} was not to be loaded: {other:?}"),
    }
    codec.decode::<Position<'_>>(&message).map(|read| assert_eq!(read, position()))
}

/// That a codec could not be made, and what that is.
async fn not_registered(registry: Registry) -> RegistryError {
    match Codec::registered(registry, "presence").await {
        Err(Error::Registry(error)) => *error,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was registered"),
    }
}

/// What a server does with a connection after its answer.
#[derive(Clone)]
enum Then {
    Close,
    /// Keeps it, and says nothing more.
    Wait,
    /// Says this over and over.
    Repeat(Vec<u8>),
}

/// A server that has one answer to everything.
async fn answering(answer: impl Into<String>, then: Then) -> Url {
    let answer = answer.into();
    answering_each(move |_| answer.clone(), then).await
}

/// A server that has an answer to each request by its number, from 0.
async fn answering_each(answer: impl Fn(usize) -> String + Send + 'static, then: Then) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        for n in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (answer, then) = (answer(n), then.clone());
            tokio::spawn(async move {
                let (mut asked, mut length) = (vec![0; 65_536], 0);
                while !is_whole(&asked[..length]) {
                    length += stream.read(&mut asked[length..]).await.unwrap();
                }
                stream.write_all(answer.as_bytes()).await.unwrap();
                match then {
                    Then::Close => {}
                    Then::Wait => std::future::pending().await,
                    Then::Repeat(more) => while stream.write_all(&more).await.is_ok() {},
                }
            });
        }
    });
    url
}

/// Whether a request has come to its end.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn every_schema_is_registered_under_its_topic_and_record() {
    let server = Server::start(&[]);
    server.codec("presence").await;
    let mut subjects: Vec<String> = serde_json::from_value(server.get("subjects").await).unwrap();
    subjects.sort();
    assert_eq!(
        subjects,
        [
            "presence.commands.cxone-lockstep.Command",
            "presence.commands.salesforce-lockstep.Command",
            "presence.dead-letters-lockstep.DeadLetter",
            "presence.decisions-lockstep.Decision",
            "presence.directory-lockstep.DirectoryEntry",
            "presence.events-lockstep.Event",
            "presence.positions-lockstep.Position",
            "presence.rules-lockstep.Event",
            "presence.rules-lockstep.Manifest",
            "presence.rules-lockstep.Rule",
            "presence.rules-lockstep.Vocabulary",
            "presence.snapshots-lockstep.SnapshotChunk",
            "presence.state-lockstep.State",
        ]
    );
    // A subject has each version of a record, the oldest first.
    for released in RELEASED {
        let subject = format!("presence.{}-lockstep.{}", released.record.topics()[0], released.record.name());
        let kept = server.get(&format!("subjects/{subject}/versions/{}", released.version)).await;
        assert_eq!(kept["schema"], released.text, "{subject}");
    }
}

/// Who only looks whether all schemas are there registers none, and reads what others write.
#[tokio::test]
async fn who_only_looks_registers_nothing() {
    let server = Server::start(&[]);
    let registry = || server.registry();
    let (known, all) = Codec::registered_at(&registry(), "presence").await.unwrap();
    assert_eq!(known, 0);
    assert_eq!(server.asked("POST /subjects/presence.positions-lockstep.Position/versions").await, 0);
    let writer = server.codec("presence").await;
    assert_eq!(Codec::registered_at(&registry(), "presence").await.unwrap(), (all, all));
    assert_eq!(Codec::registered_at(&registry(), "elsewhere").await.unwrap(), (0, all));
    let message = written(&writer);
    let id = i32::from_be_bytes(message[1..5].try_into().unwrap());
    read(&Codec::reading(registry()).unwrap(), id, &message[5..]).await.unwrap();
}

#[tokio::test]
async fn what_one_process_writes_another_one_reads() {
    let server = Server::start(&[]);
    let (writer, reader) = (server.codec("presence").await, server.codec("presence").await);
    let message = written(&writer);
    assert_eq!(message[0], 0);
    let id = i32::from_be_bytes(message[1..5].try_into().unwrap());
    let known = server.get(&format!("schemas/ids/{id}")).await;
    assert_eq!(known["schema"], schema_of_position().1);
    assert_eq!(reader.decode::<Position<'_>>(&message).unwrap(), position());
    assert_eq!(written(&reader), message, "registered again, a schema has its id again");
}

#[tokio::test]
async fn what_is_written_under_another_id_is_read_once_that_was_fetched() {
    let server = Server::start(&[]);
    let codec = server.codec("presence").await;
    let (mut told_otherwise, _) = schema_of_position();
    told_otherwise["doc"] = json!("The same record.");
    let id = server.register("elsewhere", json!({ "schema": told_otherwise.to_string() })).await;
    let body = written(&codec)[5..].to_vec();
    assert_ne!(written(&codec), framed(id, &body));
    read(&codec, id, &body).await.unwrap();
    codec.decode::<Position<'_>>(&framed(id, &body)).unwrap();
    assert_eq!(server.asked(&format!("GET /schemas/ids/{id}")).await, 1);
}

#[tokio::test]
async fn a_newer_writer_with_one_more_field_is_read() {
    let server = Server::start(&[]);
    let codec = server.codec("presence").await;
    let (mut newer, _) = schema_of_position();
    let field = json!({ "name": "note", "type": ["null", "string"], "default": null });
    newer["fields"].as_array_mut().unwrap().push(field);
    let id = server.register("positions-v2", json!({ "schema": newer.to_string() })).await;
    let body = written(&codec)[5..].to_vec();
    // The branch of the union, the length, the text.
    read(&codec, id, &[&body[..], &[2, 4], b"ab"].concat()).await.unwrap();
    codec.decode::<Position<'_>>(&framed(id, &[&body[..], &[0]].concat())).unwrap();
    // Without the new field it is cut off, with more it is too long.
    let cut = codec.decode::<Position<'_>>(&framed(id, &body)).unwrap_err();
    assert!(matches!(cut, Error::MalformedVersion { .. }), "{cut}");
    let long = codec.decode::<Position<'_>>(&framed(id, &[&body[..], &[0, 0]].concat())).unwrap_err();
    assert!(matches!(long, Error::Malformed { .. }), "{long}");
    assert_eq!((cut.remedy(), long.remedy()), (Remedy::Reject, Remedy::Reject));
}

#[tokio::test]
async fn an_unknown_id_is_asked_once() {
    let server = Server::start(&[]);
    let codec = server.codec("presence").await;
    let error = read(&codec, 4_711, &[]).await.unwrap_err();
    assert!(matches!(error, Error::UnknownId(4_711)), "{error}");
    assert_eq!((error.remedy(), error.cause()), (Remedy::Reject, DeadCause::Schema));
    for _ in 0..100 {
        let error = codec.decode::<Position<'_>>(&framed(4_711, &[])).unwrap_err();
        assert!(matches!(error, Error::UnknownId(4_711)), "{error}");
    }
    assert_eq!(server.asked("GET /schemas/ids/4711").await, 1);
}

#[tokio::test]
async fn a_schema_that_cannot_be_used_rejects_its_records_and_nothing_else() {
    let server = Server::start(&[]);
    let codec = server.codec("presence").await;
    server.register("part", json!({ "schema": "\"string\"" })).await;
    let refers = json!([{ "name": "part", "subject": "part", "version": 1 }]);
    let cases = [
        (
            "protobuf",
            json!({ "schema": "syntax = \"proto3\";", "schemaType": "PROTOBUF" }),
            "of the type PROTOBUF",
        ),
        ("json", json!({ "schema": "{\"type\":\"object\"}", "schemaType": "JSON" }), "of the type JSON"),
        ("refers", json!({ "schema": schema_of_position().1, "references": refers }), "refers to other"),
        ("text", json!({ "schema": "\"bytes\"" }), "not of Position"),
    ];
    for (subject, schema, why) in cases {
        let id = server.register(subject, schema).await;
        let error = read(&codec, id, &written(&codec)[5..]).await.unwrap_err();
        assert!(error.to_string().contains(why), "{subject}: {error}");
        assert!(matches!(error, Error::Schema(_)), "{subject}: {error}");
        assert_eq!((error.remedy(), error.cause()), (Remedy::Reject, DeadCause::Schema), "{subject}");
    }
    codec.decode::<Position<'_>>(&written(&codec)).unwrap();
}

#[tokio::test]
async fn a_record_of_another_kind_is_rejected() {
    let server = Server::start(&[]);
    let codec = server.codec("presence").await;
    let subject = "presence.dead-letters-lockstep.DeadLetter";
    let id = server.get(&format!("subjects/{subject}/versions/1")).await["id"].as_i64().unwrap();
    let error = read(&codec, id.try_into().unwrap(), &written(&codec)[5..]).await.unwrap_err();
    let Error::Schema(SchemaError::OtherRecord { found, expected }) = &error else { panic!("{error}") };
    assert_eq!((found.as_str(), *expected), ("lockstep.DeadLetter", "Position"));
    assert_eq!(error.remedy(), Remedy::Reject);
}

#[tokio::test]
async fn what_was_written_without_a_registry_is_read_with_one() {
    let server = Server::start(&[]);
    let codec = server.codec("presence").await;
    let alone = Codec::single_object().unwrap();
    assert_eq!(codec.decode::<Position<'_>>(&written(&alone)).unwrap(), position());
    let error = alone.decode::<Position<'_>>(&written(&codec)).unwrap_err();
    assert!(matches!(error, Error::NoRegistry(_)), "{error}");
    assert!(error.to_string().contains("set schema_registry"), "{error}");
    assert_eq!(error.remedy(), Remedy::Stop);
}

#[tokio::test]
async fn a_registry_that_is_busy_is_asked_again() {
    for status in ["500", "503", "429"] {
        let server = Server::start(&["--fail-first", "1", "--fail-status", status]);
        let error = not_registered(server.registry()).await;
        assert!(matches!(error, RegistryError::Unavailable { .. }), "{error}");
        assert_eq!(error.remedy(), Remedy::Retry);
        assert!(error.to_string().contains(status), "{error}");
        server.codec("presence").await;
    }
}

/// An id is not unknown because nobody could be asked.
#[tokio::test]
async fn a_schema_that_could_not_be_fetched_is_fetched_later() {
    let server = Server::start(&[]);
    let codec = server.codec("presence").await;
    drop(server);
    let Err(Error::Registry(error)) = codec.load(4_711).await else { panic!("nobody was there to be asked") };
    assert_eq!(error.remedy(), Remedy::Retry);
    let still = codec.decode::<Position<'_>>(&framed(4_711, &[])).unwrap_err();
    assert!(matches!(still, Error::NotLoaded(4_711)), "{still}");
    assert_eq!(still.remedy(), Remedy::Retry);
}

#[tokio::test]
async fn a_refusal_says_how_to_mend_it() {
    let cases = [("409", "set another bus prefix"), ("403", "grant it"), ("422", "--fail-first")];
    for (status, mend) in cases {
        let server = Server::start(&["--fail-first", "1", "--fail-status", status]);
        let error = not_registered(server.registry()).await;
        assert!(matches!(error, RegistryError::Refused { .. }), "{error}");
        assert_eq!(error.remedy(), Remedy::Stop);
        assert!(error.to_string().contains(mend) && error.to_string().contains(status), "{error}");
        assert!(error.to_string().contains("presence.events-lockstep.Event"), "{error}");
    }
}

#[tokio::test]
async fn a_registry_may_want_a_password() {
    let server = Server::start(&["--user", "lockstep", "--password-env", "CANARY"]);
    let registry = |user: &str, password: &str| {
        let known = Credentials { user: user.to_owned(), password: password.into() };
        assert!(!format!("{known:?}").contains(password), "{known:?}");
        let registry = Registry::new(server.url.clone(), Some(known), false).unwrap();
        assert!(!format!("{registry:?}").contains(password), "{registry:?}");
        registry
    };
    let codec = Codec::registered(registry("lockstep", CANARY), "presence").await.unwrap();
    assert!(!format!("{codec:?}").contains(CANARY), "{codec:?}");

    let cases = [
        (server.registry(), "it wants a user and a password"),
        (registry("lockstep", "canary-mistyped"), "it does not accept"),
        (registry("someone", CANARY), "it does not accept"),
    ];
    for (registry, why) in cases {
        let error = not_registered(registry).await;
        let told = format!("{error} {error:?}");
        assert!(told.contains(why), "{told}");
        assert!(told.contains("schema_registry_user") && told.contains("schema_registry_password"), "{told}");
        assert!(!told.contains("canary"), "{told}");
        assert_eq!(error.remedy(), Remedy::Stop);
    }
}

/// A web server, a login page, a proxy: nothing that it says of a schema is believed.
#[tokio::test]
async fn what_is_no_registry_is_found_out() {
    let page = "<!doctype html><title>Welcome</title>";
    let elsewhere = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/login\r\nContent-Length: 0\r\n\r\n";
    let cases = [
        http("200 OK", page),
        http("404 Not Found", page),
        http("400 Bad Request", page),
        http("404 Not Found", "{\"detail\":\"no such page\"}"),
        http("200 OK", "{\"id\":\"seven\"}"),
        elsewhere.to_owned(),
    ];
    for answer in cases {
        let url = answering(&answer, Then::Close).await;
        let error = not_registered(Registry::new(url.clone(), None, false).unwrap()).await;
        assert!(matches!(error, RegistryError::Odd { .. }), "{answer}: {error}");
        assert_eq!(error.remedy(), Remedy::Stop);
        assert!(error.to_string().contains("is schema_registry its address?"), "{error}");
    }
}

/// Else every record that follows would be rejected because of a proxy.
#[tokio::test]
async fn an_id_is_unknown_only_where_a_registry_says_so() {
    let registrations: usize = RELEASED.iter().map(|released| released.record.topics().len()).sum();
    let answer = move |n| match n < registrations {
        true => http("200 OK", "{\"id\":1}"),
        false => http("404 Not Found", "<!doctype html><title>Gone</title>"),
    };
    let url = answering_each(answer, Then::Close).await;
    let codec = Codec::registered(Registry::new(url, None, false).unwrap(), "presence").await.unwrap();
    let Err(Error::Registry(error)) = codec.load(4_711).await else { panic!("a page was believed") };
    assert!(matches!(*error, RegistryError::Odd { .. }), "{error}");
    let still = codec.decode::<Position<'_>>(&framed(4_711, &[])).unwrap_err();
    assert!(matches!(still, Error::NotLoaded(4_711)), "{still}");
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = [b"10000\r\n".to_vec(), vec![b' '; 0x10000], b"\r\n".to_vec()].concat();
    let endless = answering(chunked, Then::Repeat(chunk)).await;
    let large = answering(http("200 OK", &" ".repeat((1 << 20) + 1)), Then::Wait).await;
    for url in [endless, large] {
        let error = not_registered(Registry::new(url, None, false).unwrap()).await;
        assert!(matches!(&error, RegistryError::Odd { why, .. } if why.contains("1048576")), "{error}");
    }
}

#[tokio::test]
async fn who_does_not_answer_is_asked_again() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}", silent.local_addr().unwrap()).parse().unwrap();
    let registry = Registry::new(url.clone(), None, false).unwrap().with_timeout(Duration::from_millis(50));
    let slow = not_registered(registry).await;
    assert!(slow.to_string().contains("it took too long"), "{slow}");

    // The head of an answer is no answer.
    let half = answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{", Then::Wait).await;
    let registry = Registry::new(half, None, false).unwrap().with_timeout(Duration::from_millis(50));
    let half = not_registered(registry).await;

    drop(silent);
    let nobody = not_registered(Registry::new(url, None, false).unwrap()).await;
    for error in [slow, half, nobody] {
        assert!(matches!(error, RegistryError::Unreachable { .. }), "{error}");
        assert_eq!(error.remedy(), Remedy::Retry);
        assert!(error.to_string().contains("presence.events-lockstep.Event"), "{error}");
    }
}

#[test]
fn plaintext_is_for_this_machine_until_it_is_allowed() {
    let cases = [
        ("http://127.0.0.1:8081", true),
        ("http://[::1]:8081", true),
        ("http://localhost:8081", true),
        ("https://registry.example.com", true),
        ("http://registry.example.com", false),
        ("http://127.0.0.1.example.com", false),
        ("http://10.0.0.1:8081", false),
    ];
    for (address, good) in cases {
        let url: Url = address.parse().unwrap();
        match Registry::new(url.clone(), None, false) {
            Ok(_) => assert!(good, "{address}"),
            Err(error) => {
                assert!(!good && matches!(error, RegistryError::Plaintext(_)), "{address}: {error}");
                assert!(error.to_string().contains("allow_plaintext = true"), "{error}");
                assert_eq!(error.remedy(), Remedy::Stop);
            }
        }
        Registry::new(url, None, true).unwrap();
    }
}
