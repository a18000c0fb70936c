//! What happens to the agents of a site, and how long.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lockstep::bus::Topic;
use lockstep::codec::Command;

use crate::site::{PATIENCE, Random, Site, answer, anything, event};
use crate::witness::{self, Commands};

/// Waits until all events are dealt with, and for a while nothing new has come: no timer is out.
pub(crate) fn settle(site: &Site) {
    let begun = Instant::now();
    let mut quiet_since = Instant::now();
    let mut before = BTreeMap::new();
    // Longer than any timer of the rules.
    loop {
        assert!(begun.elapsed() < 3 * PATIENCE, "it does not come to rest: {before:?}");
        let now = witness::committed(site);
        if quiet_since.elapsed() >= Duration::from_millis(3_000) {
            let all = witness::read_all(site, Topic::Events);
            let is_read = |(number, events): (&u32, &Vec<witness::Seen>)| {
                let next = now.get(number).map_or(0, |(next, _)| *next);
                events.last().is_none_or(|last| last.offset < next)
            };
            if all.iter().all(is_read) {
                return;
            }
        }
        if now != before {
            (before, quiet_since) = (now, Instant::now());
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

/// Things happen to everybody, and the platforms answer: so many events, and then it comes to rest.
pub(crate) fn days(site: &Site, random: &mut Random, events: usize) {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _over = Over(&is_over);
        scope.spawn(|| platforms(site, &is_over));
        happen(site, random, |number| number < events);
        settle(site);
    });
}

/// Things happen to everybody, and the platforms answer, until it is over and so many have happened: while a source cannot
/// write, nothing does.
#[cfg(feature = "fail-points")]
pub(crate) fn days_until(site: &Site, random: &mut Random, is_over: &AtomicBool) {
    std::thread::scope(|scope| {
        scope.spawn(|| platforms(site, is_over));
        happen(site, random, |number| {
            std::thread::park_timeout(Duration::from_millis(3));
            number < 1_000 || !is_over.load(Ordering::Relaxed)
        });
    });
}

fn happen(site: &Site, random: &mut Random, goes_on: impl Fn(usize) -> bool) {
    let mut source = site.source("source");
    let mut number = 0;
    while goes_on(number) {
        let person = &site.people[random.below(site.people.len() as u64) as usize];
        let what = anything(random, person);
        let event = event(random, person.agent, what);
        source.add(&event);
        if random.below(10) == 0 {
            // Fault 16: it is told twice.
            source.add(&event);
        }
        number += 1;
        if number % 20 == 0 {
            source.commit();
        }
    }
    source.commit();
}

fn platforms(site: &Site, is_over: &AtomicBool) {
    let mut random = Random::new("the platforms");
    let (mut commands, mut sink) = (Commands::of(site), site.source("sink"));
    while !is_over.load(Ordering::Relaxed) {
        if let Some(value) = commands.next(Duration::from_millis(50)) {
            let command: Command<'_> = site.codec.decode(&value).unwrap();
            answer(&mut random, &command).iter().for_each(|event| sink.add(event));
            sink.commit();
        }
    }
}

/// Says that it is over, whatever happened.
pub(crate) struct Over<'o>(pub(crate) &'o AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
