//! Calls over HTTP, at a server that answers byte for byte what it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use lockstep::connectors::http::{Answer, CallClass, Error, Limits, Observer, Platform, Rate, Settings};

use crate::port::free_port;

/// What was seen of calls.
#[derive(Default)]
struct Seen {
    calls: Mutex<Vec<CallClass>>,
    offsets: Mutex<Vec<i64>>,
}

impl Observer for Seen {
    fn called(&self, call: &'static str, class: CallClass, _: Duration) {
        assert_eq!(call, "asking");
        self.calls.lock().unwrap().push(class);
    }

    fn clock(&self, offset_ms: i64) {
        self.offsets.lock().unwrap().push(offset_ms);
    }
}

/// Answers each connection with the next of these, and closes it. Tells what it was asked.
fn server(answers: Vec<Vec<u8>>) -> (SocketAddr, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve =
        move || answers.into_iter().map(|answer| serve(&listener.accept().unwrap().0, &answer)).collect();
    (address, thread::spawn(serve))
}

fn serve(mut stream: &TcpStream, answer: &[u8]) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut request = String::new();
    let mut reader = BufReader::new(stream);
    while !request.ends_with("\r\n\r\n") && reader.read_line(&mut request).unwrap_or(0) > 0 {}
    if answer == b"silence" {
        // Until the client has had enough.
        let _ = reader.read(&mut [0]);
    } else {
        stream.write_all(answer).unwrap();
    }
    request
}

fn settings() -> Settings {
    Settings {
        rate: Rate { calls_per_minute: 60_000, burst: 1_000 },
        limits: Limits::default(),
        connect_timeout: Duration::from_millis(700),
        answer_timeout: Duration::from_secs(5),
        proxy: None,
        ca_file: None,
        shows_answers: true,
    }
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}")
        .into_bytes()
}

fn ask(platform: &Platform, address: SocketAddr) -> Result<Answer, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        platform.await_turn("asking").await?;
        let request =
            platform.client().get(format!("http://{address}/")).header("authorization", "Bearer secret");
        platform.send("asking", request).await
    })
}

fn asked(settings: Settings, answers: Vec<Vec<u8>>) -> (Arc<Seen>, Vec<Result<Answer, Error>>, Vec<String>) {
    let seen = Arc::new(Seen::default());
    let platform = Platform::new(settings, Arc::clone(&seen) as Arc<dyn Observer>).unwrap();
    let count = answers.len();
    let (address, server) = server(answers);
    let came = (0..count).map(|_| ask(&platform, address)).collect();
    (seen, came, server.join().unwrap())
}

#[test]
fn any_status_is_an_answer_and_is_counted_by_its_class() {
    let statuses = ["200 OK", "304 Not Modified", "401 No", "403 No", "404 No", "429 No", "500 No"];
    let answers = statuses
        .map(|status| answer(status, "Retry-After: 0\r\n", if status.starts_with("304") { "" } else { "x" }));
    let limits = Limits { calls_min: 100, ..Limits::default() };
    let (seen, came, _) = asked(Settings { limits, ..settings() }, answers.to_vec());
    let came: Vec<u16> = came.into_iter().map(|answer| answer.unwrap().status).collect();
    assert_eq!(came, [200, 304, 401, 403, 404, 429, 500]);
    use CallClass::{Done, Failed, Forbidden, Refused, TooMany, Unauthorised};
    let classes = [Done, Done, Unauthorised, Forbidden, Refused, TooMany, Failed];
    assert_eq!(*seen.calls.lock().unwrap(), classes);
}

#[test]
fn what_is_used_of_an_allowance_is_carried() {
    let answers = [
        answer("200 OK", "Sforce-Limit-Info: api-usage=18/15000\r\n", ""),
        answer("403 No", "sforce-limit-info: api-usage=15000/15000\r\n", ""),
        answer("200 OK", "", ""),
    ];
    let (_, came, _) = asked(settings(), answers.to_vec());
    let told: Vec<Option<String>> = came.into_iter().map(|answer| answer.unwrap().limit_info).collect();
    let expected = [Some("api-usage=18/15000"), Some("api-usage=15000/15000"), None];
    assert_eq!(told, expected.map(|text| text.map(str::to_owned)));
}

/// Whether a call may have been done is what matters.
#[test]
fn what_is_no_answer_is_told_apart() {
    let quick = Settings {
        connect_timeout: Duration::from_millis(700),
        answer_timeout: Duration::from_millis(300),
        ..settings()
    };
    for (settings, bytes, why) in [
        (settings(), &b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"cut"[..], "ends too early"),
        (quick, b"silence", "took too long"),
        (settings(), b"", ""),
        (settings(), b"what is this\r\n\r\n", ""),
    ] {
        let (seen, came, _) = asked(settings, vec![bytes.to_vec()]);
        let error = came[0].as_ref().unwrap_err();
        assert!(matches!(error, Error::NoAnswer { .. }), "{error:?}");
        assert!(error.to_string().contains(why) && !error.to_string().contains("secret"), "{error}");
        assert_eq!(*seen.calls.lock().unwrap(), [CallClass::NoAnswer]);
    }
    // Nobody is there.
    let platform = Platform::new(settings(), Arc::new(Seen::default())).unwrap();
    let error = ask(&platform, free_port()).unwrap_err();
    assert!(matches!(error, Error::NotSent { .. }), "{error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
}

/// A token is not carried to another host, nor to another port of this one.
#[test]
fn a_redirect_is_followed_within_the_host_only() {
    let there = TcpListener::bind("127.0.0.1:0").unwrap();
    let away = format!("Location: http://{}/\r\n", there.local_addr().unwrap());
    let platform = Platform::new(settings(), Arc::new(Seen::default())).unwrap();
    let (address, server) = server(vec![
        answer("302 Found", &away, ""),
        answer("302 Found", "Location: /elsewhere\r\n", ""),
        answer("200 OK", "", "here"),
    ]);
    assert_eq!(ask(&platform, address).unwrap().status, 302);
    assert_eq!(ask(&platform, address).unwrap().body, b"here");
    let requests = server.join().unwrap();
    assert!(
        requests[2].starts_with("GET /elsewhere") && requests[2].contains("Bearer secret"),
        "{requests:?}"
    );
    there.set_nonblocking(true).unwrap();
    assert!(there.accept().is_err(), "somebody came");
}

#[test]
fn a_platform_that_wants_no_calls_gets_none() {
    for (status, header, least_ms) in [
        ("429 Too Many Requests", "Retry-After: 7\r\n", 6_000),
        (
            "503 Service Unavailable",
            "Date: Mon, 05 Jan 2026 10:00:00 GMT\r\nRetry-After: Mon, 05 Jan 2026 10:00:09 GMT\r\n",
            8_000,
        ),
        ("429 Too Many Requests", "", 500),
    ] {
        let seen = Arc::new(Seen::default());
        let platform = Platform::new(settings(), seen).unwrap();
        let (address, server) = server(vec![answer(status, header, "")]);
        ask(&platform, address).unwrap();
        let wait = platform.turn().unwrap_err();
        server.join().unwrap();
        assert!(wait >= Duration::from_millis(least_ms), "{status}: {wait:?}");
        if wait > Duration::from_secs(5) {
            let error = ask(&platform, address).unwrap_err();
            assert!(matches!(error, Error::LeftAlone { .. }), "{error:?}");
        }
    }
}

#[test]
fn a_platform_that_fails_is_left_alone() {
    let limits = Limits { calls_min: 3, ..Limits::default() };
    let failing = answer("500 Internal Server Error", "", "");
    let (_, came, _) =
        asked(Settings { limits, ..settings() }, vec![failing.clone(), failing.clone(), failing]);
    assert!(came.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.status == 500)));
    let platform = Platform::new(Settings { limits, ..settings() }, Arc::new(Seen::default())).unwrap();
    let nobody = free_port();
    for _ in 0..3 {
        assert!(matches!(ask(&platform, nobody), Err(Error::NotSent { .. })));
    }
    assert!(platform.is_left_alone());
    assert!(matches!(ask(&platform, nobody), Err(Error::LeftAlone { .. })));
}

/// Who goes slowly of his own will waits for his turn, however soon an answer has to come.
#[tokio::test(start_paused = true)]
async fn a_turn_comes_at_the_pace_that_is_configured() {
    let rate = Rate { calls_per_minute: 6, burst: 1 };
    let answer_timeout = Duration::from_secs(5);
    let platform =
        Platform::new(Settings { rate, answer_timeout, ..settings() }, Arc::new(Seen::default())).unwrap();
    platform.await_turn("first").await.unwrap();
    // The clock of the budget does not stand still for a test: one turn of ten seconds is not waited for.
    let waited = tokio::time::timeout(Duration::from_secs(1), platform.await_turn("second")).await;
    assert!(waited.is_err(), "it waits, and does not say that the platform is left alone: {waited:?}");
}

#[test]
fn the_platform_s_clock_is_known_by_its_answers() {
    let date = "Date: Mon, 05 Jan 2026 10:00:00 GMT\r\n";
    let (seen, came, _) = asked(settings(), vec![answer("200 OK", date, "{}"), answer("200 OK", date, "{}")]);
    assert!(came.iter().all(Result::is_ok));
    let offsets = seen.offsets.lock().unwrap().clone();
    assert_eq!(offsets.len(), 1, "{offsets:?}");
    assert!(offsets[0] < -86_400_000, "it is long ago: {offsets:?}");
}

/// Through a proxy: what is plain is asked of it, and what is encrypted is connected by it, which sees no secret.
#[test]
fn calls_go_through_the_proxy() {
    for (url, first_line, passes) in [
        ("http://api.example.invalid/x", "GET http://api.example.invalid/x HTTP/1.1", true),
        ("https://api.example.invalid/x", "CONNECT api.example.invalid:443 HTTP/1.1", false),
    ] {
        let status = if passes { "200 OK" } else { "403 No" };
        let (address, server) = server(vec![answer(status, "", "x")]);
        let proxy = Some(format!("http://{address}").parse().unwrap());
        let seen = Arc::new(Seen::default());
        let platform =
            Platform::new(Settings { proxy, ..settings() }, Arc::clone(&seen) as Arc<dyn Observer>).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let came = runtime.block_on(async {
            let request = platform.client().get(url).header("authorization", "Bearer secret");
            platform.send("asking", request).await
        });
        let asked = server.join().unwrap().pop().unwrap();
        assert!(asked.starts_with(first_line), "{asked}");
        if passes {
            assert_eq!(came.unwrap().status, 200);
        } else {
            assert!(matches!(came, Err(Error::NotSent { .. })), "{came:?}");
            assert!(!asked.contains("secret"), "{asked}");
        }
    }
}
