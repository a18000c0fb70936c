//! Which partition a key belongs to: Kafka's own rule, so that every client in every language finds the same one.

use super::Partition;

/// The partition of a key among so many: the murmur2 hash that Kafka's Java client and librdkafka's `murmur2_random`
/// use for keys.
pub fn partition_for(key: &[u8], partitions: u32) -> Partition {
    Partition((murmur2(key) & 0x7fff_ffff).checked_rem(partitions).unwrap_or(0))
}

/// Murmur2 of 32 bits with Kafka's seed.
fn murmur2(key: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    let mixed = |k: u32| {
        let k = k.wrapping_mul(M);
        (k ^ (k >> 24)).wrapping_mul(M)
    };
    let (words, rest) = key.as_chunks::<4>();
    // Kafka's keys are shorter than 4 GiB; the hash takes the length as 32 bits.
    let mut hash = SEED ^ key.len() as u32;
    for word in words {
        hash = hash.wrapping_mul(M) ^ mixed(u32::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail: u32, byte| tail << 8 | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From Kafka's own tests (`UtilsTest.testMurmur2`), whose numbers are signed.
    #[test]
    fn hashes_are_those_of_kafka() {
        let cases: &[(&[u8], i32)] = &[
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in cases {
            assert_eq!(murmur2(key) as i32, *hash, "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn a_topic_without_partitions_has_no_other_than_the_first() {
        assert_eq!(partition_for(b"a", 0), Partition(0));
        assert!((0..100u32).all(|n| partition_for(&n.to_le_bytes(), 7).0 < 7));
    }
}
