//! Processes that are killed.

use std::process::{Child, Command, Stdio};

use super::*;

const PARTITIONS: u32 = 2;

/// Where a child kills itself; after so many records.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Read,
    Adding,
    Pushed,
    Committed,
    /// The parent does it, at any moment.
    Any,
}

const MOMENTS: [Moment; 5] = [Moment::Read, Moment::Adding, Moment::Pushed, Moment::Committed, Moment::Any];

/// A process that copies is killed again and again, at each step and at random moments, and started anew under its name.
/// In the end all is copied, in order, once; and what was noted with the offsets is what was copied.
pub(crate) fn killed_at_any_moment_nothing_is_lost_or_twice<R: Rig>(rig: &R) {
    let mut random = Random::new("killed_at_any_moment_nothing_is_lost_or_twice");
    let input = rig.topic("events", PARTITIONS);
    let outputs = [rig.topic("state", PARTITIONS), rig.topic("decisions", PARTITIONS)];
    let bus = rig.bus();
    let mut writer = bus.writer(&rig.name("feeder"), std::slice::from_ref(&input)).unwrap();
    for number in 0..R::COPIED {
        writer.add(&outgoing(number as u32 % PARTITIONS, b"key", number.to_string().as_bytes())).unwrap();
    }
    writer.commit(None).unwrap();
    drop(writer);

    let mut kills = 0;
    for moment in MOMENTS.into_iter().cycle().take(10) {
        let mut child = spawn(rig, moment, 1 + random.below(150));
        if matches!(moment, Moment::Any) {
            std::thread::park_timeout(Duration::from_millis(
                R::WORKS_FOR_MS.start + random.below(R::WORKS_FOR_MS.end - R::WORKS_FOR_MS.start),
            ));
            let _ = child.kill();
        }
        let status = await_end(&mut child);
        kills += usize::from(status.code().is_none());
    }
    println!("{kills} of 10 children were killed before all was copied");
    assert!(kills >= 8);
    let mut last = spawn(rig, Moment::Any, 0);
    assert!(await_end(&mut last).success(), "the last child does not end well");

    for output in &outputs {
        let all = read_all(&bus, output, PARTITIONS);
        for partition in 0..PARTITIONS {
            let of = all.iter().filter(|record| record.partition == partition).map(Owned::text);
            let expected = (0..R::COPIED).filter(|number| *number as u32 % PARTITIONS == partition);
            let expected: Vec<String> = expected.map(|number| number.to_string()).collect();
            assert!(of.collect::<Vec<_>>() == expected, "{output}/{partition} differs");
        }
    }
    let member = join(&bus, &membership(rig, &input, Some("copier")), PARTITIONS as usize);
    for partition in 0..PARTITIONS {
        let committed = member.committed(&[input.partition(partition)], PATIENCE).unwrap();
        let expected = format!("copied {}", R::COPIED / PARTITIONS as usize);
        assert_eq!(committed[0].as_ref().unwrap().metadata, expected);
    }
}

fn spawn<R: Rig>(rig: &R, moment: Moment, after: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([R::CHILD, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env("LOCKSTEP_TEST_CHILD", rig.names())
        .env("LOCKSTEP_TEST_MOMENT", format!("{moment:?}"))
        .env("LOCKSTEP_TEST_AFTER", after.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn await_end(child: &mut Child) -> std::process::ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if begun.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("a child does not end");
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// What a child does: copies until all is copied, and kills itself when it was told to.
pub(crate) fn copy<R: Rig>() {
    let Ok(names) = std::env::var("LOCKSTEP_TEST_CHILD") else {
        // Somebody runs the ignored tests by hand.
        return;
    };
    let told = |name: &str| std::env::var(name).unwrap();
    let (moment, after) =
        (told("LOCKSTEP_TEST_MOMENT"), told("LOCKSTEP_TEST_AFTER").parse::<usize>().unwrap());
    // Whatever becomes of the parent.
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(9);
    });
    let rig = R::named(names);
    let bus = rig.bus();
    let mut seen = 0;
    let mut now = |at: Moment, records: usize| {
        seen += records;
        if format!("{at:?}") == moment && seen >= after {
            Command::new("kill").args(["-KILL", &std::process::id().to_string()]).status().unwrap();
            loop {
                std::thread::park();
            }
        }
    };
    let input = rig.topic_name("events");
    let outputs = [rig.topic_name("state"), rig.topic_name("decisions")];
    let mut writer = bus.writer(&rig.name("copier"), &outputs).unwrap();
    let mut member = bus.join(&membership(&rig, &input, Some("copier"))).unwrap();
    let mut copied = [0; PARTITIONS as usize];
    while copied.iter().sum::<usize>() < R::COPIED {
        let records = match member.poll(WAIT).unwrap() {
            Polled::Records(records) => records,
            Polled::Gained(gained) => {
                for (place, committed) in gained.iter().zip(member.committed(&gained, PATIENCE).unwrap()) {
                    let metadata = committed.map(|committed| committed.metadata).unwrap_or_default();
                    let count = metadata.strip_prefix("copied ").map_or(0, |count| count.parse().unwrap());
                    copied[place.partition.0 as usize] = count;
                }
                start(&mut member, &gained);
                continue;
            }
            Polled::Losing(_) | Polled::Lost(_) => continue,
        };
        let mut next = [None; PARTITIONS as usize];
        // A few at once, so that there are many moments.
        for chunk in (0..records.len()).collect::<Vec<_>>().chunks(25) {
            now(Moment::Read, chunk.len());
            for index in chunk {
                let record = records.get(*index).unwrap();
                let partition = record.partition.0;
                for topic in 0..2 {
                    let value = record.value.unwrap();
                    writer.add(&Outgoing { topic, ..outgoing(partition, b"key", value) }).unwrap();
                    now(Moment::Adding, 1 - topic);
                }
                next[partition as usize] = Some(record.offset.0 + 1);
                copied[partition as usize] += 1;
            }
            writer.push().unwrap();
            now(Moment::Pushed, chunk.len());
            let all: Vec<Progress> = (0..PARTITIONS)
                .filter_map(|partition| {
                    let metadata = format!("copied {}", copied[partition as usize]);
                    Some(progress(input.partition(partition), next[partition as usize]?, &metadata))
                })
                .collect();
            writer.commit(Some((&member, &all))).unwrap();
            now(Moment::Committed, chunk.len());
        }
    }
}
