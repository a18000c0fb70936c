//! People who behave: they choose on either side, take calls, go home and come back. What each does follows from the seed and his
//! place, whatever the others do.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use lockstep::simulate::Random;

use super::choices::CHOICES;

/// What one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// He comes to work: he opens his console and logs in on both sides.
    Comes,
    /// He chooses this in Salesforce.
    Salesforce(usize),
    /// He chooses this in CXone.
    Cxone(usize),
    /// He chooses one thing in Salesforce, and another in CXone in the same second.
    Both(usize, usize),
    /// A call comes.
    Contact,
    /// It is over.
    ContactEnds,
    /// He logs out on both sides, and closes his console.
    Leaves,
    /// He loads his console again.
    Reloads,
}

/// What one is doing at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Being {
    Away,
    AtWork,
    InContact,
}

/// A poll sees within this who has come.
const SEEN_WITHIN: Duration = Duration::from_millis(2_500);

/// Everybody.
pub(super) struct People {
    seed: u64,
    being: Vec<Being>,
    /// Whose turn it is next, and how often he has had one.
    turns: BinaryHeap<Reverse<(Duration, usize, u64)>>,
    /// Between two turns of one.
    pause: Duration,
    /// Whether they choose different things on both sides at once.
    is_nasty: bool,
}

/// How people are to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    pub(super) people: usize,
    pub(super) seed: u64,
    /// Within this all come to work.
    pub(super) login_within: Duration,
    /// So many changes a second by all of them.
    pub(super) rate: f64,
    pub(super) is_nasty: bool,
}

impl People {
    pub(super) fn new(how: How) -> People {
        let count = how.people.max(1);
        // Somebody who comes, goes or has a call makes two changes, or more.
        let pause = Duration::from_secs_f64((count as f64 * 1.2 / how.rate.max(0.01)).min(86_400.0));
        let first = |place: usize| how.login_within.mul_f64(place as f64 / count as f64);
        let turns = (0..how.people).map(|place| Reverse((first(place), place, 0))).collect();
        let being = vec![Being::Away; how.people];
        People { seed: how.seed, being, turns, pause, is_nasty: how.is_nasty }
    }

    /// A stream of one's own for each of his turns.
    fn random(&self, person: usize, turn: u64) -> Random {
        let mut random = Random::new(self.seed ^ ((person as u64) << 32) ^ turn);
        random.number();
        random
    }

    /// What is done by now, and by whom.
    pub(super) fn go_on(&mut self, now: Duration) -> Vec<(usize, Doing)> {
        let mut all = Vec::new();
        while let Some(Reverse((at, person, turn))) =
            self.turns.peek().copied().filter(|next| next.0.0 <= now)
        {
            self.turns.pop();
            let mut random = self.random(person, turn);
            let (doing, wait) = self.act(person, &mut random);
            all.extend(doing.map(|doing| (person, doing)));
            self.turns.push(Reverse((at + wait, person, turn + 1)));
        }
        all
    }

    fn act(&mut self, person: usize, random: &mut Random) -> (Option<Doing>, Duration) {
        let pause = self.pause.mul_f64(random.between(50, 150) as f64 / 100.0);
        let is_nasty = self.is_nasty;
        let Some(being) = self.being.get_mut(person) else { return (None, pause) };
        let choice = |random: &mut Random| random.between(0, CHOICES.len() as i64 - 1) as usize;
        let (next, doing) = match (*being, random.between(1, 100)) {
            (Being::Away, _) => (Being::AtWork, Doing::Comes),
            (Being::InContact, _) => (Being::AtWork, Doing::ContactEnds),
            (Being::AtWork, 1..=5) if is_nasty => {
                (Being::AtWork, Doing::Both(choice(random), choice(random)))
            }
            (Being::AtWork, 6..=8) if is_nasty => (Being::AtWork, Doing::Reloads),
            (Being::AtWork, 1..=46) => (Being::AtWork, Doing::Salesforce(choice(random))),
            (Being::AtWork, 47..=90) => (Being::AtWork, Doing::Cxone(choice(random))),
            (Being::AtWork, 91..=97) => (Being::InContact, Doing::Contact),
            (Being::AtWork, _) => (Being::Away, Doing::Leaves),
        };
        *being = next;
        // Who is on a call or away comes back sooner than he would do something else.
        let wait = match doing {
            // Those who have come together do not go on together. What somebody chooses before a poll has seen him come is, to whoever
            // polls, what he has come with.
            Doing::Comes => SEEN_WITHIN + self.pause.mul_f64(random.between(0, 100) as f64 / 100.0),
            _ if next == Being::AtWork => pause,
            _ => pause.mul_f64(0.4),
        };
        (Some(doing), wait)
    }

    /// They stop: who is on a call ends it, and who is away comes.
    pub(super) fn rest(&mut self) -> Vec<(usize, Doing)> {
        self.turns.clear();
        let mut all = Vec::new();
        for (person, being) in self.being.iter_mut().enumerate() {
            match *being {
                Being::AtWork => {}
                Being::InContact => all.push((person, Doing::ContactEnds)),
                Being::Away => all.push((person, Doing::Comes)),
            }
            *being = Being::AtWork;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn day(seed: u64, step_ms: u64) -> Vec<(usize, Doing)> {
        let login_within = Duration::from_secs(3);
        let mut people = People::new(How { people: 50, seed, login_within, rate: 10.0, is_nasty: true });
        let mut all: Vec<_> = (0..60_000)
            .step_by(step_ms as usize)
            .flat_map(|ms| people.go_on(Duration::from_millis(ms)))
            .collect();
        all.extend(people.rest());
        all
    }

    #[test]
    fn the_same_seed_is_the_same_day_however_often_somebody_looks() {
        let of_each = |day: Vec<(usize, Doing)>| {
            let mut all: BTreeMap<usize, Vec<Doing>> = BTreeMap::new();
            day.into_iter().for_each(|(person, doing)| all.entry(person).or_default().push(doing));
            all
        };
        assert_eq!(of_each(day(3, 10)), of_each(day(3, 30)));
        assert_ne!(of_each(day(3, 10)), of_each(day(4, 10)));
    }

    #[test]
    fn all_come_first_and_are_at_work_in_the_end() {
        let mut at_work = BTreeMap::new();
        for (person, doing) in day(5, 20) {
            let was = at_work.insert(person, !matches!(doing, Doing::Leaves | Doing::Contact));
            assert!(was.is_some() || doing == Doing::Comes, "{person} {doing:?}");
        }
        assert_eq!(at_work.len(), 50);
        assert!(at_work.values().all(|is_at_work| *is_at_work), "{at_work:?}");
    }

    #[test]
    fn they_do_about_as_much_as_they_are_asked_for() {
        let done = day(7, 20).len() - 50;
        assert!((400..=700).contains(&done), "{done} in a minute at 10 a second");
    }
}
