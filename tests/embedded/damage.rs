//! A directory that is not as it should be.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use lockstep::bus::embedded::{Embedded, Settings};
use lockstep::bus::{
    Bus, Error, From, Kept, Loader, Offset, Reader, Records, Replicas, TopicName, TopicSpec, Until,
};
use lockstep::domain::Remedy;

use super::{Place, topic, write};
use crate::conformance::{Random, WAIT, texts};

fn told(path: &Path) -> String {
    let error = Embedded::own(path, Settings::default()).err().expect("it opens");
    assert_eq!(error.remedy(), Remedy::Stop, "{error}");
    error.to_string()
}

/// Fault 45: each says what is wrong with what, and what to do.
#[test]
fn a_directory_that_is_none_of_ours_is_told() {
    let place = Place::new("d");
    let path = &place.0;
    let name = path.display().to_string();
    let ours = || drop(place.own());
    let put = |name: &str, text: &str| fs::write(path.join(name), text).unwrap();

    fs::create_dir(path).unwrap();
    put("holiday.jpg", "");
    let error = told(path);
    assert!(
        error.contains(&name) && error.contains("holds holiday.jpg") && error.contains("absent or empty"),
        "{error}"
    );
    fs::remove_dir_all(path).unwrap();

    ours();
    put("notes.txt", "");
    let error = told(path);
    assert!(error.contains("notes.txt in it is not Lockstep's") && error.contains("move it"), "{error}");
    fs::remove_file(path.join("notes.txt")).unwrap();
    ours();

    let machine = fs::read_to_string(path.join("machine")).unwrap();
    put("machine", "elsewhere\n0123\n");
    let error = told(path);
    assert!(error.contains("another machine (elsewhere)") && error.contains("two copies"), "{error}");
    fs::remove_file(path.join("machine")).unwrap();
    ours();
    assert_eq!(fs::read_to_string(path.join("machine")).unwrap(), machine);

    for (layout, expected) in [
        ("lockstep data, layout 0\n", "layout 0 of an older Lockstep"),
        ("lockstep data, layout 2\n", "upgrade this Lockstep"),
        ("", "does not say which layout"),
    ] {
        put("layout", layout);
        let error = told(path);
        assert!(error.contains(expected), "{error}");
    }
    put("layout", "lockstep data, layout 1\n");
    ours();

    let file = path.join("layout");
    let error = told(&file);
    assert!(error.contains(&file.display().to_string()) && error.contains("name a directory"), "{error}");
    let long = path.join("a".repeat(120));
    let error = told(&long);
    assert!(error.contains("longer than"), "{error}");
}

/// Root may write everywhere, but not on a disk that is mounted read-only: a child sees one.
#[test]
fn a_directory_that_may_not_be_written_is_told() {
    let place = Place::new("d");
    drop(place.own());
    let mount = "mount --bind \"$LOCKSTEP_TEST_CHILD\" \"$LOCKSTEP_TEST_CHILD\" && mount -o remount,bind,ro \"$LOCKSTEP_TEST_CHILD\"";
    super::space::in_a_world_of_its_own(mount, "embedded::damage::child_that_may_not_write", &place.0);
}

/// Not a test by itself.
#[test]
#[ignore = "another test starts it as a process of its own"]
fn child_that_may_not_write() {
    let Ok(path) = std::env::var("LOCKSTEP_TEST_CHILD") else { return };
    let error = told(path.as_ref());
    assert!(error.contains("Read-only file system") && error.contains("not mounted read-only"), "{error}");
}

/// All that is in the topic, or why not. Panics where something else is there.
fn read_or_told(path: &Path, expected: &[String]) -> Result<usize, Error> {
    let bus = Embedded::own(path, Settings::default())?;
    let mut reader = bus.reader(&[(TopicName::new("events").partition(0), From::Beginning)], Until::End)?;
    let mut found = 0;
    while !reader.is_at_end() {
        let records = reader.read(WAIT)?;
        for record in records.iter() {
            assert_eq!(record.value.unwrap(), expected[found].as_bytes(), "record {found} is another");
            found += 1;
        }
    }
    Ok(found)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all.sort();
    all
}

/// A byte that is another: it is told with its file, or it is one that says nothing. Never is something else read, and
/// never less.
#[test]
fn a_byte_that_is_another_is_told() {
    let mut random = Random::new("a_byte_that_is_another_is_told");
    let place = Place::new("d");
    let bus = place.own();
    let topic = topic(&bus, "events", Kept::Days(7));
    let mut all = Vec::new();
    for number in 0..400 {
        let text = || format!("{number} {}", "0123456789abcdef".repeat(40 + random_less(number)));
        let texts: Vec<String> = (0..100).map(|_| text()).collect();
        write(&bus, &topic, &texts);
        all.extend(texts);
    }
    drop(bus);
    assert_eq!(read_or_told(&place.0, &all).unwrap(), all.len());
    let store = place.0.join("store");
    let (mut seen, mut harmless) = (0, 0);
    // What the store notes of its own files it reads before anything else, and stops at that.
    let holds_records = |path: &PathBuf| {
        let path = path.to_string_lossy();
        ["jnl", "/tables/", "/blobs/"].iter().any(|part| path.contains(part))
    };
    for path in files(&store).into_iter().filter(holds_records) {
        let length = fs::metadata(&path).unwrap().len();
        for _ in 0..4 {
            if length == 0 {
                continue;
            }
            let copy = Place::new("d");
            copy_all(&place.0, &copy.0);
            let path = copy.0.join(path.strip_prefix(&place.0).unwrap());
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let file = File::options().read(true).write(true).open(&path).unwrap();
            let at = random.below(length);
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            file.write_all_at(&[byte[0] ^ (1 + random.below(255) as u8)], at).unwrap();
            match read_or_told(&copy.0, &all) {
                Ok(found) => {
                    assert_eq!(found, all.len(), "{} at {at}: some are lost in silence", path.display());
                    harmless += 1;
                }
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains(&copy.0.display().to_string()), "{error}");
                    println!("{} at {at}: {error}", path.strip_prefix(&copy.0).unwrap().display());
                    seen += 1;
                }
            }
        }
    }
    println!("{seen} were told, {harmless} did no harm");
    assert!(seen > 0);
}

const fn random_less(number: usize) -> usize {
    number % 7
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &to);
        } else if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A machine that went down in the middle of a write: some pages of it are there, and the end too. It is given up, and nothing
/// else; the directory opens.
#[test]
fn a_write_that_the_power_cut_off_is_given_up() {
    let (place, copy) = (Place::new("d"), Place::new("d"));
    let bus = place.own();
    let topic = topic(&bus, "events", Kept::Days(7));
    for text in ["first", "second", "the one that is cut off"] {
        write(&bus, &topic, &[text.to_owned()]);
    }
    // As it lies there while somebody has it open.
    copy_all(&place.0, &copy.0);
    let journal = copy.0.join("store").join("0.jnl");
    let mut bytes = fs::read(&journal).unwrap();
    let at = bytes.windows(7).rposition(|window| window == b"cut off").unwrap();
    bytes[at..at + 7].fill(0);
    fs::write(&journal, bytes).unwrap();
    for _ in 0..2 {
        assert_eq!(texts(&copy.own(), &topic), ["first", "second"]);
    }
}

/// What was told is told again, however often it is tried.
#[test]
fn damage_is_told_each_time() {
    let place = Place::new("d");
    let bus = place.own();
    let topic = topic(&bus, "events", Kept::Days(7));
    write(&bus, &topic, &["the last one".to_owned()]);
    drop(bus);
    let journal = place.0.join("store").join("0.jnl");
    let mut bytes = fs::read(&journal).unwrap();
    let at = bytes.windows(8).rposition(|window| window == b"last one").unwrap();
    bytes[at] ^= 1;
    fs::write(&journal, bytes).unwrap();
    for _ in 0..2 {
        let error = told(&place.0);
        assert!(error.contains("0.jnl, byte"), "{error}");
    }
}

/// A copy into it that was not finished is not taken for the whole.
#[test]
fn a_directory_that_was_half_filled_is_told() {
    let place = Place::new("d");
    let bus = place.own();
    let (name, replicas) = (TopicName::new("events"), Replicas { replication_factor: 1, in_sync_min: 1 });
    let spec = TopicSpec { name: name.clone(), partitions: 1, kept: Kept::Days(7), replicas };
    let mut loader = bus.load(&[spec]).unwrap();
    loader.begin(&name.partition(0), Offset(0)..Offset(1)).unwrap();
    drop((loader, bus));
    assert!(told(&place.0).contains("a copy into it was not finished"), "{}", told(&place.0));
}

/// A process that was killed while it made the directory, or the store in it.
#[test]
fn a_directory_that_was_begun_is_made() {
    let place = Place::new("d");
    fs::create_dir(&place.0).unwrap();
    for name in ["machine", "layout.new", "lock"] {
        fs::write(place.0.join(name), "").unwrap();
    }
    drop(place.own());
    assert!(fs::read_to_string(place.0.join("layout")).unwrap().contains("layout 1"));
    fs::remove_dir_all(place.0.join("store")).unwrap();
    fs::create_dir(place.0.join("store.new")).unwrap();
    fs::write(place.0.join("store.new/version"), "half").unwrap();
    drop(place.own());
    assert!(!place.0.join("store.new").exists());
}

/// It is its user's alone, whoever made it.
#[test]
fn a_directory_that_others_may_read_is_closed_to_them() {
    let place = Place::new("d");
    fs::create_dir(&place.0).unwrap();
    fs::set_permissions(&place.0, fs::Permissions::from_mode(0o755)).unwrap();
    drop(place.own());
    assert_eq!(fs::metadata(&place.0).unwrap().permissions().mode() & 0o777, 0o700);
}

/// What would take all memory is refused.
#[test]
fn a_topic_has_so_many_partitions_at_most() {
    let place = Place::new("d");
    let bus = place.own();
    let (name, replicas) = (TopicName::new("events"), Replicas { replication_factor: 1, in_sync_min: 1 });
    for partitions in [0, u32::MAX] {
        let spec = TopicSpec { name: name.clone(), partitions, kept: Kept::Days(7), replicas };
        let error = bus.create(&[spec]).unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
    }
    assert_eq!(bus.describe(&[name]).unwrap(), [None]);
}
