//! The topics that Lockstep needs: what each is for, how it must be set, and what differs where it is not.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{RECORD_BYTES_MAX, TopicName};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const HOUR_MS: u64 = 60 * 60 * 1000;
/// Whose clock a record's time is by.
pub(super) const TIMES: &str = "message.timestamp.type";
/// A record, and what is around it.
const MESSAGE_BYTES_MAX: usize = 2 * RECORD_BYTES_MAX;
/// A reader reads the last segment of a compacted topic uncompacted: it should be short.
const COMPACTED_SEGMENT_BYTES: u64 = 64 << 20;

/// What Lockstep has topics for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Everything that happens to an agent.
    Events,
    /// Commands to the Salesforce sinks.
    CommandsSalesforce,
    /// Commands to the CXone sinks.
    CommandsCxone,
    /// What is known of each agent.
    State,
    /// What was decided, and why.
    Decisions,
    /// All states of a partition, once an hour.
    Snapshots,
    /// Every revision of the rules.
    Rules,
    /// Who is who: the only names and e-mail addresses.
    Directory,
    /// How far each source has read.
    Positions,
    /// What could not be read or done.
    DeadLetters,
}

/// How long a topic keeps its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kept {
    /// For so many days.
    Days(u16),
    /// The last record of each key.
    Compacted,
}

/// On how many machines a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replicas {
    /// So many copies are kept.
    pub replication_factor: u16,
    /// So many must be there before a record counts as written.
    pub in_sync_min: u16,
}

/// A topic as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicSpec {
    /// Its whole name.
    pub name: TopicName,
    /// How many partitions it has.
    pub partitions: u32,
    /// How long it keeps records.
    pub kept: Kept,
    /// On how many machines.
    pub replicas: Replicas,
}

/// What the topics of a deployment follow from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicsPlan {
    /// Begins every name.
    pub prefix: String,
    /// Partitions of the topics that are keyed by agent.
    pub partitions: u32,
    /// How long events, decisions, snapshots and dead letters are kept.
    pub retention_days: u16,
    /// On how many machines a record is.
    pub replicas: Replicas,
}

/// A topic as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// How many partitions it has.
    pub partitions: u32,
    /// How many copies of each, at least.
    pub replication_factor: u16,
    /// Its settings, by Kafka's names for them.
    pub settings: BTreeMap<String, String>,
}

/// What follows from a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Lockstep works, and something is less good than it should be.
    Warning,
    /// Lockstep cannot do what it promises.
    Error,
}

/// How much a setting matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    /// It must be just that.
    Exactly,
    /// It must be at least that.
    AtLeast,
    /// It should be that at most.
    AtMost,
}

/// Something about a topic that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// How bad it is.
    pub severity: Severity,
    /// What differs: a setting's name, `partitions`, `replication factor` or `topic`.
    pub what: String,
    /// How it should be.
    pub wanted: String,
    /// How it is.
    pub found: String,
    /// What becomes of it.
    pub because: &'static str,
    /// What to do.
    pub mend: String,
}

/// One setting of a topic, by Kafka's name for it.
struct Setting {
    name: &'static str,
    value: String,
    weight: Weight,
    because: &'static str,
}

impl Topic {
    /// All of them.
    pub const ALL: [Topic; 10] = [
        Topic::Events,
        Topic::CommandsSalesforce,
        Topic::CommandsCxone,
        Topic::State,
        Topic::Decisions,
        Topic::Snapshots,
        Topic::Rules,
        Topic::Directory,
        Topic::Positions,
        Topic::DeadLetters,
    ];

    /// Its name, without the prefix.
    pub const fn suffix(self) -> &'static str {
        match self {
            Topic::Events => "events",
            Topic::CommandsSalesforce => "commands.salesforce",
            Topic::CommandsCxone => "commands.cxone",
            Topic::State => "state",
            Topic::Decisions => "decisions",
            Topic::Snapshots => "snapshots",
            Topic::Rules => "rules",
            Topic::Directory => "directory",
            Topic::Positions => "positions",
            Topic::DeadLetters => "dead-letters",
        }
    }

    /// Whether its records have an agent's id as key. These topics have one number of partitions, so that an agent is in
    /// the same partition of each.
    pub const fn is_keyed_by_agent(self) -> bool {
        matches!(
            self,
            Topic::Events
                | Topic::CommandsSalesforce
                | Topic::CommandsCxone
                | Topic::State
                | Topic::Decisions
        )
    }

    const fn kept(self, retention_days: u16) -> Kept {
        match self {
            Topic::Events | Topic::Decisions | Topic::Snapshots | Topic::DeadLetters => {
                Kept::Days(retention_days)
            }
            Topic::CommandsSalesforce | Topic::CommandsCxone => Kept::Days(7),
            Topic::State | Topic::Rules | Topic::Directory | Topic::Positions => Kept::Compacted,
        }
    }
}

impl TopicsPlan {
    /// The whole name of a topic.
    pub fn name(&self, topic: Topic) -> TopicName {
        TopicName::new(&format!("{}.{}", self.prefix, topic.suffix()))
    }

    /// How a topic should be.
    pub fn spec(&self, topic: Topic) -> TopicSpec {
        TopicSpec {
            name: self.name(topic),
            partitions: if topic.is_keyed_by_agent() { self.partitions } else { 1 },
            kept: topic.kept(self.retention_days),
            replicas: self.replicas,
        }
    }

    /// How all of them should be.
    pub fn specs(&self) -> Vec<TopicSpec> {
        Topic::ALL.into_iter().map(|topic| self.spec(topic)).collect()
    }
}

impl Found {
    /// For how many days it keeps records; none where it keeps them for ever, or does not tell.
    pub fn kept_days(&self) -> Option<f64> {
        let kept_ms =
            self.settings.get("retention.ms")?.parse::<i64>().ok().filter(|kept_ms| *kept_ms >= 0)?;
        Some(kept_ms as f64 / DAY_MS as f64)
    }

    /// Whose times its records have, where that is not the bus: so it is while a copy is made into it.
    pub fn writers_times(&self) -> Option<&str> {
        self.settings.get(TIMES).map(String::as_str).filter(|times| *times != "LogAppendTime")
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kept::Days(1) => f.write_str("1 day"),
            Kept::Days(days) => write!(f, "{days} days"),
            Kept::Compacted => f.write_str("compacted"),
        }
    }
}

impl TopicSpec {
    /// Its settings, by Kafka's names for them.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        self.all_settings().into_iter().map(|setting| (setting.name, setting.value)).collect()
    }

    fn all_settings(&self) -> Vec<Setting> {
        use Weight::{AtLeast, AtMost, Exactly};
        let setting = |name, value: String, weight, because| Setting { name, value, weight, because };
        let mut all = vec![
            setting(
                TIMES,
                "LogAppendTime".to_owned(),
                Exactly,
                "time is when a record was appended: with writers' clocks, decisions would differ from clock to clock",
            ),
            setting(
                "max.message.bytes",
                MESSAGE_BYTES_MAX.to_string(),
                AtLeast,
                "a record of 1 MiB would be refused",
            ),
            setting(
                "min.insync.replicas",
                self.replicas.in_sync_min.to_string(),
                AtLeast,
                "a record would count as written with fewer copies than the configuration asks for",
            ),
        ];
        match self.kept {
            Kept::Days(days) => {
                let retention_ms = u64::from(days).saturating_mul(DAY_MS);
                all.extend([
                    setting(
                        "cleanup.policy",
                        "delete".to_owned(),
                        Exactly,
                        "with compaction, history would lose all but the last record of each agent",
                    ),
                    setting(
                        "retention.ms",
                        retention_ms.to_string(),
                        Exactly,
                        "records would be kept for longer or shorter than the configuration promises",
                    ),
                    // A segment goes as a whole, when its last record is too old.
                    setting(
                        "segment.ms",
                        (retention_ms / 24).clamp(HOUR_MS, DAY_MS).to_string(),
                        AtMost,
                        "old records go with their whole segment: the longer it is, the later",
                    ),
                ]);
            }
            Kept::Compacted => all.extend([
                setting(
                    "cleanup.policy",
                    "compact".to_owned(),
                    Exactly,
                    "what is known of whoever is silent for long would be deleted",
                ),
                setting(
                    "segment.bytes",
                    COMPACTED_SEGMENT_BYTES.to_string(),
                    AtMost,
                    "the last segment is read uncompacted: the longer it is, the longer a start takes",
                ),
                setting(
                    "max.compaction.lag.ms",
                    DAY_MS.to_string(),
                    AtMost,
                    "what was deleted or forgotten would stay on disk for longer than a day",
                ),
            ]),
        }
        all
    }

    /// What is not as it should be, the worst first.
    pub fn differences(&self, found: Option<&Found>) -> Vec<Difference> {
        let Some(found) = found else {
            return vec![Difference {
                severity: Severity::Error,
                what: "topic".to_owned(),
                wanted: match self.partitions {
                    1 => format!("1 partition, {}", self.kept),
                    many => format!("{many} partitions, {}", self.kept),
                },
                found: "missing".to_owned(),
                because: "Lockstep does not start without it",
                mend: "lockstep topics create".to_owned(),
            }];
        };
        let mut all: Vec<Difference> = self.partitions_differ(found).into_iter().collect();
        all.extend(self.replicas_differ(found));
        all.extend(self.all_settings().iter().filter_map(|setting| self.setting_differs(setting, found)));
        all.sort_by_key(|difference| Reverse(difference.severity));
        all
    }

    fn partitions_differ(&self, found: &Found) -> Option<Difference> {
        (found.partitions != self.partitions).then(|| Difference {
            severity: Severity::Error,
            what: "partitions".to_owned(),
            wanted: self.partitions.to_string(),
            found: found.partitions.to_string(),
            because: "an agent's records would be in another partition of this topic than of the others",
            mend: if self.partitions == 1 {
                "make it anew with one partition: the number never changes in place".to_owned()
            } else {
                format!(
                    "if all topics keyed by agent have {} partitions: partitions = {} in [bus]; else make it anew, or \
                     all of them under another prefix: the number never changes in place",
                    found.partitions, found.partitions
                )
            },
        })
    }

    fn replicas_differ(&self, found: &Found) -> Option<Difference> {
        let wanted = self.replicas.replication_factor;
        (found.replication_factor < wanted).then(|| Difference {
            severity: Severity::Warning,
            what: "replication factor".to_owned(),
            wanted: wanted.to_string(),
            found: found.replication_factor.to_string(),
            because: "records are lost with fewer machines than the configuration asks for",
            mend: format!(
                "kafka-reassign-partitions.sh with {wanted} replicas for each partition of {}",
                self.name
            ),
        })
    }

    fn setting_differs(&self, setting: &Setting, found: &Found) -> Option<Difference> {
        let is = found.settings.get(setting.name);
        let number = |text: &str| text.parse::<i128>().ok();
        let compared = is.and_then(|is| number(is).zip(number(&setting.value)));
        let fits = match setting.weight {
            Weight::Exactly => is == Some(&setting.value),
            Weight::AtLeast => compared.is_some_and(|(is, wanted)| is >= wanted),
            Weight::AtMost => compared.is_some_and(|(is, wanted)| is <= wanted),
        };
        (!fits).then(|| Difference {
            severity: if setting.weight == Weight::AtMost { Severity::Warning } else { Severity::Error },
            what: setting.name.to_owned(),
            wanted: match setting.weight {
                Weight::AtLeast => format!("{} or more", setting.value),
                Weight::AtMost => format!("{} or less", setting.value),
                Weight::Exactly => setting.value.clone(),
            },
            found: is.map_or("not told", |is| is.as_str()).to_owned(),
            because: setting.because,
            mend: format!(
                "{}kafka-configs.sh --bootstrap-server HOST:PORT --alter --topic {} --add-config {}={}",
                // Half of a copy must not be taken for the whole.
                if setting.name == TIMES {
                    "delete all of the prefix and copy again, if a `lockstep copy` was cut off; else "
                } else {
                    ""
                },
                self.name,
                setting.name,
                setting.value
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> TopicsPlan {
        TopicsPlan {
            prefix: "presence".to_owned(),
            partitions: 8,
            retention_days: 30,
            replicas: Replicas { replication_factor: 3, in_sync_min: 2 },
        }
    }

    /// A topic that is just as it should be.
    fn as_wanted(spec: &TopicSpec) -> Found {
        Found {
            partitions: spec.partitions,
            replication_factor: spec.replicas.replication_factor,
            settings: spec.settings().into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }

    #[test]
    fn the_topics_are_those_of_the_design() {
        let plan = plan();
        let told: Vec<String> = plan
            .specs()
            .iter()
            .map(|spec| format!("{} {} {}", spec.name, spec.partitions, spec.kept))
            .collect();
        assert_eq!(
            told,
            [
                "presence.events 8 30 days",
                "presence.commands.salesforce 8 7 days",
                "presence.commands.cxone 8 7 days",
                "presence.state 8 compacted",
                "presence.decisions 8 30 days",
                "presence.snapshots 1 30 days",
                "presence.rules 1 compacted",
                "presence.directory 1 compacted",
                "presence.positions 1 compacted",
                "presence.dead-letters 1 30 days",
            ]
        );
    }

    #[test]
    fn what_is_as_it_should_be_does_not_differ() {
        for spec in plan().specs() {
            assert_eq!(spec.differences(Some(&as_wanted(&spec))), [], "{}", spec.name);
        }
    }

    #[test]
    fn better_than_it_must_be_is_no_difference() {
        let spec = plan().spec(Topic::Events);
        let mut found = as_wanted(&spec);
        found.replication_factor = 5;
        found.settings.insert("max.message.bytes".to_owned(), "10485760".to_owned());
        found.settings.insert("min.insync.replicas".to_owned(), "3".to_owned());
        found.settings.insert("segment.ms".to_owned(), "3600000".to_owned());
        assert_eq!(spec.differences(Some(&found)), []);
    }

    #[test]
    fn each_difference_is_told_with_its_mend() {
        use Severity::{Error, Warning};
        type Change = fn(&mut Found);
        let cases: &[(Topic, Change, Severity, &str, &str, &str)] = &[
            (Topic::Events, |f| f.partitions = 6, Error, "partitions", "8", "6"),
            (Topic::Rules, |f| f.partitions = 8, Error, "partitions", "1", "8"),
            (Topic::Events, |f| f.replication_factor = 1, Warning, "replication factor", "3", "1"),
            (
                Topic::Events,
                |f| set(f, "cleanup.policy", "compact"),
                Error,
                "cleanup.policy",
                "delete",
                "compact",
            ),
            (
                Topic::State,
                |f| set(f, "cleanup.policy", "delete"),
                Error,
                "cleanup.policy",
                "compact",
                "delete",
            ),
            (
                Topic::State,
                |f| set(f, "cleanup.policy", "compact,delete"),
                Error,
                "cleanup.policy",
                "compact",
                "compact,delete",
            ),
            (Topic::Events, |f| set(f, "retention.ms", "-1"), Error, "retention.ms", "2592000000", "-1"),
            (
                Topic::Events,
                |f| set(f, "message.timestamp.type", "CreateTime"),
                Error,
                "message.timestamp.type",
                "LogAppendTime",
                "CreateTime",
            ),
            (
                Topic::Events,
                |f| set(f, "max.message.bytes", "1048588"),
                Error,
                "max.message.bytes",
                "2097152 or more",
                "1048588",
            ),
            (
                Topic::Events,
                |f| set(f, "min.insync.replicas", "1"),
                Error,
                "min.insync.replicas",
                "2 or more",
                "1",
            ),
            (
                Topic::Events,
                |f| set(f, "segment.ms", "604800000"),
                Warning,
                "segment.ms",
                "86400000 or less",
                "604800000",
            ),
            (
                Topic::State,
                |f| set(f, "max.compaction.lag.ms", "9223372036854775807"),
                Warning,
                "max.compaction.lag.ms",
                "86400000 or less",
                "9223372036854775807",
            ),
            (
                Topic::State,
                |f| {
                    f.settings.remove("segment.bytes");
                },
                Warning,
                "segment.bytes",
                "67108864 or less",
                "not told",
            ),
        ];
        for (topic, change, severity, what, wanted, found) in cases {
            let spec = plan().spec(*topic);
            let mut is = as_wanted(&spec);
            change(&mut is);
            let all = spec.differences(Some(&is));
            let [told] = &*all else { panic!("{what}: {all:?}") };
            assert_eq!(
                (told.severity, &*told.what, &*told.wanted, &*told.found),
                (*severity, *what, *wanted, *found)
            );
            assert!(!told.mend.is_empty() && !told.because.is_empty());
        }
    }

    fn set(found: &mut Found, name: &str, value: &str) {
        found.settings.insert(name.to_owned(), value.to_owned());
    }

    #[test]
    fn the_worst_is_told_first() {
        let spec = plan().spec(Topic::Events);
        let mut found = as_wanted(&spec);
        found.replication_factor = 1;
        set(&mut found, "retention.ms", "1");
        let told: Vec<String> = spec.differences(Some(&found)).into_iter().map(|d| d.what).collect();
        assert_eq!(told, ["retention.ms", "replication factor"]);
    }

    #[test]
    fn a_missing_topic_is_one_difference() {
        let all = plan().spec(Topic::Events).differences(None);
        assert_eq!(all.len(), 1);
        assert_eq!((&*all[0].found, &*all[0].mend), ("missing", "lockstep topics create"));
    }

    #[test]
    fn a_segment_is_never_longer_than_a_day() {
        for (days, ms) in [(1, HOUR_MS), (7, 7 * HOUR_MS), (24, DAY_MS), (3650, DAY_MS)] {
            let plan = TopicsPlan { retention_days: days, ..plan() };
            let settings = plan.spec(Topic::Events).settings();
            let segment = settings.iter().find(|(name, _)| *name == "segment.ms").unwrap();
            assert_eq!(segment.1, ms.to_string(), "{days}");
        }
    }
}
