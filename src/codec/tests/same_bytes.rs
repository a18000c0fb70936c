//! By hand and through serde, writing and reading: the same bytes, the same values. Of every record that there can be.

use proptest::prelude::*;

use super::arbitrary;
use crate::codec::framing::by_serde;
use crate::codec::schema::released;
use crate::codec::{Buffer, Codec, Record, State};
use crate::simulate::Crowd;

macro_rules! of_every {
    ($($record:ident $type:ty,)*) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(500))]
            $(
                #[test]
                fn $record(record in arbitrary::$record()) {
                    // Owned and borrowed values of a record are of the same type but for a lifetime.
                    let codec = Codec::single_object().unwrap();
                    let (mut buffer, mut through_serde) = (Buffer::new(), Vec::new());
                    let framing = codec.encode(&record, &mut buffer).unwrap();
                    let mut by_hand = buffer.as_slice().to_vec();
                    codec.encode_by_serde(&record, &mut through_serde).unwrap();
                    prop_assert_eq!(&by_hand, &through_serde);
                    let read: $type = codec.decode(&by_hand).unwrap();
                    prop_assert_eq!(&read, &record);
                    let own = released().unwrap().own(<$type as Record<'_>>::SCHEMA).unwrap();
                    let read: $type = by_serde(own, &by_hand[framing..]).unwrap();
                    prop_assert_eq!(&read, &record);
                    by_hand.push(0);
                    prop_assert!(codec.decode::<$type>(&by_hand).is_err());
                }
            )*
        }
    };
}

of_every! {
    event crate::codec::Event<'_>,
    command crate::codec::Command<'_>,
    decision crate::codec::Decision<'_>,
    state crate::codec::State<'_>,
    snapshot_chunk crate::codec::SnapshotChunk<'_>,
    manifest crate::codec::Manifest<'_>,
    rule crate::codec::RevisionRule,
    vocabulary crate::codec::VocabularyPart,
    directory_entry crate::codec::DirectoryEntry<'_>,
    position crate::codec::Position<'_>,
    dead_letter crate::codec::DeadLetter<'_>,
}

/// States as the engine leaves them, of agents in the middle of something too.
#[test]
fn a_state_is_read_as_the_engine_left_it() {
    let mut crowd = Crowd::new(500, 20_000, 5).unwrap();
    let codec = Codec::single_object().unwrap();
    let link = proptest::strategy::ValueTree::current(
        &arbitrary::state().new_tree(&mut proptest::test_runner::TestRunner::deterministic()).unwrap(),
    )
    .link;
    let (mut busy, mut bytes) = (0, Buffer::new());
    for (place, event) in &crowd.log {
        let slot = &mut crowd.agents[*place as usize];
        crate::engine::apply(slot, event, &crowd.tables);
        let Some(agent) = slot else { continue };
        busy += usize::from(!agent.is_at_rest());
        let state = State {
            link,
            team: None,
            epoch: crate::engine::Epoch(1),
            agent: std::borrow::Cow::Borrowed(agent),
        };
        bytes.clear();
        codec.encode(&state, &mut bytes).unwrap();
        let read: State<'_> = codec.decode(bytes.as_slice()).unwrap();
        let mut unassigned = agent.clone();
        unassigned.assign(None);
        assert_eq!(*read.agent, unassigned);
    }
    assert!(busy > 5_000, "{busy}");
}
