//! How a connection lives and ends, by a clock of the test.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::http::bridge::connection::{Ended, Received, Transport, talk_with};
use crate::http::bridge::gateway::Out;
use crate::http::bridge::message::{Down, Reason, Up};

/// A browser that does things at set times, in s, and what it was told, with the time.
struct Browser {
    begun: Instant,
    does: Vec<(u64, fn() -> Received)>,
    told: Arc<Mutex<Vec<(u64, String)>>>,
}

impl Transport for Browser {
    async fn receive(&mut self) -> Received {
        let at = self.does.first().map_or(1_000_000, |(at, _)| *at);
        sleep_until(self.begun + Duration::from_secs(at)).await;
        self.does.remove(0).1()
    }

    async fn send(&mut self, down: &Down) -> bool {
        self.told.lock().unwrap().push((self.begun.elapsed().as_secs(), down.text()));
        true
    }
}

/// What became of it, after how many seconds, and how often it was asked whether it lives.
async fn lives(does: Vec<(u64, fn() -> Received)>, outs: Vec<(u64, Out)>) -> (Ended, u64, usize) {
    let begun = Instant::now();
    let told: Arc<Mutex<Vec<(u64, String)>>> = Arc::default();
    let (tell, mut hears) = tokio::sync::mpsc::channel(32);
    tokio::spawn(async move {
        for (at, out) in outs {
            sleep_until(begun + Duration::from_secs(at)).await;
            tell.send(out).await.unwrap();
        }
        // Nobody gives it up.
        std::future::pending::<()>().await;
    });
    let mut browser = Browser { begun, does, told: Arc::clone(&told) };
    let ended = talk_with(&mut hears, &mut browser, &mut |_| true).await;
    let pings = told.lock().unwrap().iter().filter(|(_, text)| text.contains("ping")).count();
    (ended, begun.elapsed().as_secs(), pings)
}

const PONG: fn() -> Received = || Received::Message(Up::Pong);

#[tokio::test(start_paused = true)]
async fn who_is_silent_or_asleep_for_a_minute_is_gone() {
    let silent = lives(vec![], vec![]).await;
    assert_eq!(silent, (Ended::ByUs(Reason::Silent), 60, 2));
    // Who answers lives for as long as he does; it may be no more than a sign of life.
    let alive: Vec<(u64, fn() -> Received)> =
        (1..200).map(|n| (18 * n, if n % 2 == 0 { PONG } else { || Received::Alive })).collect();
    let (ended, at, pings) = lives(alive, vec![]).await;
    assert_eq!((ended, at), (Ended::ByUs(Reason::Silent), (18_u64 * 199 + 60).next_multiple_of(20)));
    assert!(pings > 170, "{pings}");
}

#[tokio::test(start_paused = true)]
async fn who_ends_it_is_told_apart() {
    let wanted = lives(vec![(7, || Received::Closed { is_wanted: true })], vec![]).await;
    assert_eq!(wanted, (Ended::ByPage { is_wanted: true }, 7, 0));
    let odd = lives(vec![(3, PONG), (5, || Received::Odd)], vec![]).await;
    assert_eq!(odd, (Ended::ByUs(Reason::Protocol), 5, 0));
    let told =
        lives(vec![], vec![(1, Out::Message(Down::StandBy)), (9, Out::Bye(Reason::ShuttingDown))]).await;
    assert_eq!(told, (Ended::ByUs(Reason::ShuttingDown), 9, 0));
    // Fifty at once are taken, and ten more each second.
    let fast: Vec<(u64, fn() -> Received)> = (0..200).map(|n| (n / 60, PONG)).collect();
    let (ended, at, _) = lives(fast, vec![]).await;
    assert_eq!((ended, at), (Ended::ByUs(Reason::TooMany), 0));
}
