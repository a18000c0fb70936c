//! Every mistake in one reading, in both syntaxes, at its place.

use super::*;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Raw {
    name: Field<String>,
    port: Field<u16>,
    mode: Field<Mode>,
    teams: Field<Vec<Field<String>>>,
    rows: Field<Entries<String>>,
    inner: Field<Inner>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Fast,
    Safe,
}

#[derive(Debug, Deserialize)]
struct Inner {
    on: Field<bool>,
}

fn told(text: &str, syntax: Syntax) -> (Option<Raw>, Vec<String>) {
    let document = Document::new("t", text, syntax);
    let mut mistakes = Mistakes::new();
    let raw = document.read(&mut mistakes);
    let told = mistakes.in_order().into_iter().map(|m| {
        let (line, column) = document.positions().of(m.place);
        let mend = m.mend.as_ref().map_or(String::new(), |mend| format!(" -> {mend}"));
        format!("{line}:{column} {}{mend}", m.what)
    });
    let told = told.collect();
    (raw, told)
}

#[test]
fn a_good_text_is_read_with_its_places() {
    let toml = "name = \"x\"\nport = 1\nmode = \"safe\"\nteams = [\"a\"]\n[rows]\n\"ü\" = \"v\"\n[inner]\non = true\n";
    let json =
        r#"{"name":"x","port":1,"mode":"safe","teams":["a"],"rows":{"\u00fc":"v"},"inner":{"on":true}}"#;
    for (text, syntax) in [(toml, Syntax::Toml), (json, Syntax::Json)] {
        let (raw, told) = told(text, syntax);
        assert_eq!(told, Vec::<String>::new());
        let raw = raw.unwrap();
        assert_eq!(raw.name.value(), Some(&"x".to_owned()));
        assert_eq!(raw.mode.value(), Some(&Mode::Safe));
        assert_eq!(raw.inner.value().unwrap().on.value(), Some(&true));
        let (key, value) = &raw.rows.value().unwrap().0[0];
        assert_eq!((key.value.as_str(), value.value().unwrap().as_str()), ("ü", "v"));
        assert!(text[raw.port.given().unwrap().place.start()..].starts_with('1'));
    }
}

#[test]
fn all_mistakes_are_told_at_once_and_no_value_is_repeated() {
    let toml = "nam = \"hunter2\"\nport = 70000\nmode = \"sofe\"\nteams = [\"a\", 7, {}]\nrows = \"hunter2\"\n[inner]\non = \"yes\"\noff = 1\n";
    let expected = [
        "1:1 unknown key \"nam\" -> write `name`",
        "2:8 `port`: expected a whole number from 0 to 65535",
        "3:8 `mode`: expected one of fast or safe -> write \"safe\"",
        "4:15 `teams`: expected a text in quotes, found a number -> put it in quotes: \"...\"",
        "4:18 `teams`: expected a text in quotes, found a table -> write one text: \"...\"",
        "5:8 `rows`: expected a table, found a text -> begin a section of its own: [SECTION], or [SECTION.NAME] where it needs a name",
        "7:6 `on`: expected true or false, found a text -> write it without quotes",
        "8:1 unknown key \"off\" -> known here: on",
    ];
    assert_eq!(told(toml, Syntax::Toml).1, expected);
    let json = "{\"nam\": \"hunter2\",\n\"port\": 70000,\n\"mode\": \"sofe\", \"teams\": [7],\n\"inner\": 3}";
    let expected = [
        "1:2 unknown key \"nam\" -> write `name`",
        "2:9 `port`: expected a whole number from 0 to 65535",
        "3:9 `mode`: expected one of fast or safe -> write \"safe\"",
        "3:27 `teams`: expected a text in quotes, found a number -> put it in quotes: \"...\"",
        "4:10 `inner`: expected a table, found a number -> begin a section of its own: [SECTION], or [SECTION.NAME] where it needs a name",
    ];
    assert_eq!(told(json, Syntax::Json).1, expected);
}

#[test]
fn broken_syntax_is_told_with_its_line() {
    let cases = [
        ("a = \"x\nb = 1 2\n", Syntax::Toml, 2),
        ("port = 1\nport = 2\n", Syntax::Toml, 1),
        ("{\"port\": 1,\n\"port\": 2}", Syntax::Json, 1),
        ("{\"port\": 1,\n\"name\": }", Syntax::Json, 1),
        ("", Syntax::Json, 1),
        ("[1]", Syntax::Json, 1),
        ("{\"name\": \"\\ud800\"}", Syntax::Json, 1),
    ];
    for (text, syntax, count) in cases {
        let (_, told) = told(text, syntax);
        assert_eq!(told.len(), count, "{text:?}: {told:?}");
    }
    assert_eq!(told("{\"port\": 1,\n\"name\": }", Syntax::Json).1, ["2:9 not JSON: expected value"]);
}

#[test]
fn deep_nesting_is_refused() {
    for (open, close, syntax) in [("[", "]", Syntax::Json), ("{\"a\":", "}", Syntax::Json)] {
        let inner = if open == "[" { "" } else { "1" };
        let text = format!("{}{inner}{}", open.repeat(5_000), close.repeat(5_000));
        assert_eq!(told(&text, syntax).1, vec![told(&text, syntax).1[0].clone()]);
    }
    let text = format!("a = {}{}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(!told(&text, Syntax::Toml).1.is_empty());
}
