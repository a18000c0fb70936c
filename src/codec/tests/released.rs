//! A released schema is frozen: its file never changes again, and a later version only adds to it. Each says in docs
//! what it means, and can be added to.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use crate::codec::schema::released;
use crate::codec::{RELEASED, RecordSchema};

/// Every schema that was ever released: the CRC-64-AVRO of its canonical form, which stands before each message, and
/// the FNV-1a of its file, docs and defaults too.
const FROZEN: &[(RecordSchema, u16, u64, u64)] = &[
    (RecordSchema::Event, 1, 0x90f7_0e38_e0c2_c712, 0x133f_beb5_00b8_b120),
    (RecordSchema::Command, 1, 0xdb8c_97e6_0097_a80f, 0x98d7_4409_3df2_46e1),
    (RecordSchema::State, 1, 0x48c6_a6f2_b581_338a, 0x749d_16df_4a6c_9fb9),
    (RecordSchema::Decision, 1, 0xedef_4756_5577_37ad, 0xfd78_44eb_c020_4192),
    (RecordSchema::SnapshotChunk, 1, 0x56c6_d16e_a5c4_4189, 0x27a9_6dc5_0653_743d),
    (RecordSchema::Manifest, 1, 0xba33_a2a6_37c5_a878, 0x39df_4160_5815_ddc9),
    (RecordSchema::Rule, 1, 0x4de5_e2eb_70f7_6b69, 0x6acc_687e_4033_ae36),
    (RecordSchema::Vocabulary, 1, 0x1a14_f843_975a_cb09, 0x408d_fe67_e31d_9e28),
    (RecordSchema::DirectoryEntry, 1, 0x2c56_8547_f2d5_6201, 0xbe7f_a550_f1e8_b918),
    (RecordSchema::DirectoryEntry, 2, 0x4709_c5ca_8d4c_a955, 0x53ec_7f26_2b7d_48ff),
    (RecordSchema::Position, 1, 0x122a_6225_33d9_d486, 0x8a45_02cf_bb7f_d2d4),
    (RecordSchema::DeadLetter, 1, 0x8f78_b3b8_288d_82de, 0xa2ca_1e82_38bd_9818),
];

fn fnv_1a(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[test]
fn a_released_schema_never_changes() {
    let mut found = Vec::new();
    for (released, (_, writer)) in RELEASED.iter().zip(&released().unwrap().all) {
        let crc = u64::from_le_bytes(writer.fingerprint);
        found.push((released.record, released.version, crc, fnv_1a(released.text)));
    }
    let mut new = String::new();
    for (record, version, crc, hash) in &found {
        let frozen = FROZEN.iter().find(|(r, v, ..)| (r, v) == (record, version));
        let Some((.., frozen_crc, frozen_hash)) = frozen else {
            new += &format!("(RecordSchema::{record:?}, {version}, 0x{crc:016x}, 0x{hash:016x}),\n");
            continue;
        };
        assert!(
            crc == frozen_crc && hash == frozen_hash,
            "version {version} of {record:?} was released and has been edited: restore the file, and make a file .v{} \
             with the change (it is 0x{crc:016x}, 0x{hash:016x} now)",
            version + 1
        );
    }
    assert_eq!(
        found.len(),
        FROZEN.len(),
        "a released schema is gone: who wrote with it cannot be read any more"
    );
}

/// What stands in a schema, all the way down: `see` is called with each type, and what it is in.
fn types(json: &Json, within: &str, see: &mut impl FnMut(&Json, &str)) {
    see(json, within);
    match json {
        Json::Array(branches) => branches.iter().for_each(|branch| types(branch, within, see)),
        Json::Object(object) => {
            let name = object.get("name").and_then(Json::as_str).unwrap_or(within);
            for part in ["type", "items", "values"].iter().filter_map(|part| object.get(*part)) {
                if part.is_object() || part.is_array() {
                    types(part, name, see);
                }
            }
            for field in object.get("fields").and_then(Json::as_array).into_iter().flatten() {
                let field_name = format!("{name}.{}", field["name"].as_str().unwrap());
                types(&field["type"], &field_name, see);
            }
        }
        _ => {}
    }
}

#[test]
fn every_released_schema_explains_itself_and_can_be_added_to() {
    let mut broken = Vec::new();
    for released in RELEASED {
        let mut break_rule = |what: String| broken.push(format!("{:?}: {what}", released.record));
        let root: Json = serde_json::from_str(released.text).unwrap();
        assert_eq!(root["name"], released.record.name());
        assert_eq!(root["namespace"], "lockstep");
        let (mut names, mut seen) = (BTreeSet::new(), 0);
        types(&root, "", &mut |json, within| {
            seen += 1;
            let kind = json["type"].as_str().unwrap_or_default();
            if matches!(kind, "record" | "enum" | "fixed") {
                let name = json["name"].as_str().unwrap();
                if !names.insert(name.to_owned()) {
                    break_rule(format!("{name} is defined twice"));
                }
                if kind != "fixed" && !json["doc"].is_string() {
                    break_rule(format!("{name} has no doc"));
                }
            }
            if kind == "enum" && (json["symbols"][0] != "UNKNOWN" || json["default"] != "UNKNOWN") {
                break_rule(format!("{within}: an enum begins with UNKNOWN, its default"));
            }
            for field in json["fields"].as_array().into_iter().flatten() {
                let name = format!("{}.{}", json["name"], field["name"]);
                if field["doc"].as_str().is_none_or(|doc| doc.len() <= 3) {
                    break_rule(format!("{name} has no doc"));
                }
                let branches = field["type"].as_array().map(Vec::as_slice).unwrap_or_default();
                let nullable = branches.iter().any(|branch| branch == "null");
                let default = field.as_object().unwrap().get("default");
                if nullable != (branches.len() == 2 && branches[0] == "null" && default == Some(&Json::Null))
                {
                    break_rule(format!("{name} may be null: null comes first, of two, and is the default"));
                }
                if !nullable && default.is_some() {
                    break_rule(format!("{name} has a default that no reader of ours would use"));
                }
            }
        });
        assert!(seen > 5, "{seen} types of {:?} were looked at", released.record);
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

/// Versions count from 1 without a gap, and a later one only adds: fields that may be null at the end of their record,
/// symbols at the end of their enum.
#[test]
fn a_later_version_only_adds() {
    for record in RecordSchema::ALL {
        let versions: Vec<_> = RELEASED.iter().filter(|released| released.record == record).collect();
        let numbers: Vec<u16> = versions.iter().map(|released| released.version).collect();
        assert_eq!(numbers, (1..=versions.len() as u16).collect::<Vec<_>>(), "{record:?}");
        for pair in versions.windows(2) {
            only_adds(pair[0].text, pair[1].text).unwrap_or_else(|why| panic!("{record:?}: {why}"));
        }
    }
}

/// The definitions of a schema by name, without what is in them.
pub(super) fn definitions(text: &str) -> Vec<(String, Json)> {
    let (root, mut found) = (serde_json::from_str(text).unwrap(), Vec::new());
    types(&root, "", &mut |json, _| {
        if let (Some("record" | "enum"), Some(name)) = (json["type"].as_str(), json["name"].as_str()) {
            found.push((name.to_owned(), json.clone()));
        }
    });
    found
}

pub(super) fn only_adds(old: &str, new: &str) -> Result<(), String> {
    let new = definitions(new);
    for (name, old) in definitions(old) {
        let (_, new) = new.iter().find(|(n, _)| *n == name).ok_or(format!("{name} is gone"))?;
        let listed = |json: &Json, list: &str| json[list].as_array().cloned().unwrap_or_default();
        if !listed(new, "symbols").starts_with(&listed(&old, "symbols")) {
            return Err(format!("a symbol of {name} is gone, or not at its place"));
        }
        let (old, new) = (listed(&old, "fields"), listed(new, "fields"));
        let outline = |field: &Json| (field["name"].clone(), outline(&field["type"]));
        let (kept, added) = new.split_at_checked(old.len()).ok_or(format!("a field of {name} is gone"))?;
        if !kept.iter().map(outline).eq(old.iter().map(outline)) {
            return Err(format!("a field of {name} is gone, another one, or not at its place"));
        }
        if added.iter().any(|field| field["type"][0] != "null" || field.get("default") != Some(&Json::Null)) {
            return Err(format!("a new field of {name} may not be null, or is not null by default"));
        }
    }
    Ok(())
}

/// A type, with names in the place of definitions.
fn outline(json: &Json) -> Json {
    match json {
        Json::Array(branches) => branches.iter().map(outline).collect(),
        Json::Object(object) => match object["type"].as_str() {
            Some("record" | "enum" | "fixed") => object["name"].clone(),
            Some("array") => json!({ "array": outline(&object["items"]) }),
            Some(primitive) => primitive.into(),
            None => outline(&object["type"]),
        },
        other => other.clone(),
    }
}

#[test]
fn what_does_more_than_add_is_found() {
    let old = r#"{"type": "record", "name": "R", "fields": [
        {"name": "a", "type": {"type": "enum", "name": "E", "symbols": ["UNKNOWN", "A"]}},
        {"name": "b", "type": ["null", "long"], "default": null}
    ]}"#;
    let cases = [
        (r#""A""#, r#""A", "B""#, None),
        (
            r#""default": null}"#,
            r#""default": null}, {"name": "c", "type": ["null", "E"], "default": null}"#,
            None,
        ),
        (r#""UNKNOWN", "A""#, r#""UNKNOWN", "B", "A""#, Some("a symbol of E is gone, or not at its place")),
        (r#""name": "b""#, r#""name": "c""#, Some("a field of R is gone, another one, or not at its place")),
        (r#""long""#, r#""string""#, Some("a field of R is gone, another one, or not at its place")),
        (
            r#""default": null}"#,
            r#""default": null}, {"name": "c", "type": "long"}"#,
            Some("a new field of R may not be null, or is not null by default"),
        ),
        (r#""name": "E""#, r#""name": "F""#, Some("a field of R is gone, another one, or not at its place")),
    ];
    for (was, is, breach) in cases {
        let new = old.replace(was, is);
        assert_ne!(old, new);
        assert_eq!(only_adds(old, &new).err().as_deref(), breach, "{was} -> {is}");
    }
}
