//! Files no one would write: 10,000 random and mutated rules, directories and configurations give a value or an
//! error, never a panic. `LOCKSTEP_SEED=N` runs one seed alone and prints its file.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

#[path = "ground/random.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod random;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use lockstep::config::{self, Config, SecretStore};
use lockstep::directory::Directory;
use lockstep::document::{Document, Mistakes, Syntax};
use lockstep::rules;
use random::Random;

const FILES: u64 = 10_000;

impl Random {
    fn index(&mut self, end: usize) -> usize {
        self.below(end.max(1) as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.index(all.len())]
    }
}

/// Words that mean something in one of the files, and some that hurt parsers.
const WORDS: &[&str] = &[
    "[[rule]]\n",
    "[rule.cxone_to_salesforce]\n",
    "[rule.salesforce_to_cxone]\n",
    "[settings]\n",
    "[bus]\n",
    "[bus.librdkafka]\n",
    "tls_ca_file",
    "sasl_mechanism",
    "\"ssl.key.pem\"",
    "[[links]]\n",
    "\"Available\"",
    "\"previous\"",
    "\"Offline\"",
    "\"Unavailable/\"",
    "\"Unavailable/Lunch\"",
    "\"LoggedOut\"",
    "\"Pause\"",
    "teams",
    "agents",
    "name",
    "id",
    "codes",
    "granted_to",
    "secret_env",
    " = ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"",
    "'''",
    "\"\"\"",
    "true",
    "-1",
    "0",
    "1e999",
    "0x7fffffffffffffff",
    "99999999999999999999",
    "nan",
    "1979-05-27",
    "null",
    "\\ud800",
    "\\u0000",
    "ü",
    "u\u{308}",
    "\u{202e}",
    "\u{feff}",
    "\u{0}",
    "\u{10ffff}",
    "\n",
    "\r\n",
    "#",
    "a.b.c.d = 1\n",
    "00D000000000062EAA",
];

/// Values that stand where another was: of every kind, known and unknown.
const VALUES: &[&str] = &[
    "\"Available\"",
    "\"previous\"",
    "\"Offline\"",
    "\"Unavailable/\"",
    "\"Unavailable/Lunch\"",
    "\"Unavailable/Wrap-up\"",
    "\"LoggedOut\"",
    "\"LoggedIn\"",
    "\"Refused\"",
    "\"Pause\"",
    "\"Raum\"",
    "\"On_Break\"",
    "\"In_Meeting\"",
    "\"Support DE\"",
    "\"Back Office\"",
    "\"agent.seven@example.com\"",
    "\"emea/293551\"",
    "\"\"",
    "\"\\u0000\"",
    "\"00D000000000062EAA\"",
    "1017",
    "0",
    "-1",
    "4294967296",
    "1e9",
    "true",
    "[]",
    "{}",
    "[\"Sales\"]",
    "[1, 2]",
    "[[[]]]",
    "{ secret_env = \"A\" }",
    "\"0N5000000000101\"",
];

/// Mostly still TOML or JSON: whole lines go, come twice or change places, and texts become other values.
fn reworded(sources: &[&str], random: &mut Random) -> String {
    let mut lines: Vec<String> = random.pick(sources).lines().map(str::to_owned).collect();
    for _ in 0..=random.index(4) {
        let (at, other) = (random.index(lines.len()), random.index(lines.len()));
        match random.index(6) {
            0 if lines.len() > 1 => drop(lines.remove(at)),
            1 => lines.insert(other, lines[at].clone()),
            2 => lines.swap(at, other),
            _ => {
                let quotes: Vec<usize> = lines[at].match_indices('"').map(|(i, _)| i).collect();
                if quotes.len() > 1 {
                    let pair = random.index(quotes.len() / 2) * 2;
                    lines[at].replace_range(quotes[pair]..=quotes[pair + 1], random.pick(VALUES));
                }
            }
        }
    }
    lines.join("\n")
}

fn mutated(sources: &[&str], random: &mut Random) -> String {
    let mut bytes = random.pick(sources).as_bytes().to_vec();
    for _ in 0..=random.index(8) {
        let at = random.index(bytes.len() + 1);
        let end = (at + random.index(80)).min(bytes.len());
        match random.index(8) {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let piece = bytes[at..end].to_vec();
                let to = random.index(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
            2 => {
                bytes.splice(at..at, random.pick(WORDS).bytes());
            }
            3 => {
                let end = (at + random.index(12)).min(bytes.len());
                bytes.splice(at..end, random.pick(WORDS).bytes());
            }
            4 => bytes.truncate(at),
            5 => bytes.iter_mut().skip(at).take(1).for_each(|b| *b ^= 1 << random.index(8)),
            6 => {
                let other = random.pick(sources).as_bytes();
                let from = random.index(other.len());
                let to = (from + random.index(400)).min(other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            _ => {
                let noise: Vec<u8> = (0..random.index(40)).map(|_| random.number() as u8).collect();
                bytes.splice(at..at, noise);
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads a text in every way; says whether its syntax was whole, or which promise it breaks.
fn read(text: &str, syntax: Syntax, known: &Directory) -> Result<bool, &'static str> {
    let document = Document::new("hostile", text, syntax);
    let told = |usable: bool, mistakes: &Mistakes| {
        for mistake in mistakes.in_order() {
            let (line, column) = document.positions().of(mistake.place);
            if line == 0 || column == 0 || mistake.what.is_empty() || mistake.what.contains('\n') {
                return Err("a mistake has no place or no plain message");
            }
        }
        match (usable, mistakes.errors()) {
            (false, 0) => Err("unusable without an error"),
            (true, 1..) => Err("usable with an error"),
            _ => Ok(()),
        }
    };
    let mut mistakes = Mistakes::new();
    let revision = rules::check(&document, Some(known), &mut mistakes);
    told(revision.is_some(), &mistakes)?;
    rules::check(&document, None, &mut Mistakes::new());

    let mut mistakes = Mistakes::new();
    let directory = Directory::read(&document, &mut mistakes);
    told(directory.is_some() && mistakes.errors() == 0, &mistakes)?;

    let mut mistakes = Mistakes::new();
    let secrets = SecretStore { folder: Path::new("/nonexistent"), env: &|_| Some("secret".into()) };
    let config = Config::read(&document, &secrets, &mut mistakes);
    told(config.is_some(), &mistakes)?;
    Ok(!mistakes.in_order().iter().any(|m| m.kind == "syntax"))
}

#[test]
fn no_file_makes_a_reader_panic() {
    let examples = [
        include_str!("../examples/rules.toml"),
        include_str!("../examples/directory.toml"),
        include_str!("../examples/mistakes/chase.toml"),
        include_str!("../examples/mistakes/values.toml"),
        include_str!("../examples/mistakes/settings.toml"),
        config::TEMPLATE,
    ];
    let as_json = |text: &&str| serde_json::to_string(&toml::from_str::<toml::Table>(text).unwrap()).unwrap();
    let in_json: Vec<String> = [examples[0], examples[1], config::TEMPLATE].iter().map(as_json).collect();
    let in_json: Vec<&str> = in_json.iter().map(String::as_str).collect();
    let document = Document::new("directory.toml", examples[1], Syntax::Toml);
    let known = Directory::read(&document, &mut Mistakes::new()).unwrap();

    let only: Option<u64> =
        std::env::var("LOCKSTEP_SEED").ok().map(|seed| seed.parse().expect("LOCKSTEP_SEED is a number"));
    let seeds = only.map_or(0..FILES, |seed| seed..seed + 1);
    let mut whole = 0;
    for seed in seeds.clone() {
        let mut random = Random::of(seed);
        let (sources, syntax) =
            if random.index(4) == 0 { (&in_json[..], Syntax::Json) } else { (&examples[..], Syntax::Toml) };
        let change = if random.index(2) == 0 { mutated } else { reworded };
        let text = change(sources, &mut random);
        if only.is_some() {
            println!("{text}");
        }
        let result = catch_unwind(AssertUnwindSafe(|| read(&text, syntax, &known)));
        let Ok(Ok(parsed)) = result else { panic!("LOCKSTEP_SEED={seed}: {result:?}") };
        whole += u64::from(parsed);
    }
    println!("{whole} of {} files got past the parser", seeds.end - seeds.start);
    assert!(
        only.is_some() || whole > FILES / 4,
        "only {whole} files got past the parser: the mutations are too rough"
    );
}
