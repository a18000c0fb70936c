//! What is wrong for a key whatever it is about: what follows from its kind.

use super::ground::CANARY;
use super::schema::Kind;

/// A wrong value, and parts of what is said of it and of what to write instead.
pub(crate) struct Wrong {
    pub(crate) value: String,
    pub(crate) what: String,
    pub(crate) mend: String,
}

/// All that is wrong for a key of this kind.
pub(crate) fn wrong(kind: &Kind) -> Vec<Wrong> {
    let canary = format!("\"{CANARY}\"");
    match kind {
        Kind::Number { min, max } => number(*min, *max),
        Kind::Boolean => rows(&[
            (&canary, "expected true or false, found a text", "without quotes"),
            ("1", "expected true or false, found a number", "true or false"),
            ("[true]", "expected true or false, found a list", "true or false"),
        ]),
        Kind::Text => text(),
        Kind::Choice(words) => choice(words),
        Kind::List => rows(&[
            (&canary, "expected a list, found a text", "[\"...\"]"),
            ("7", "expected a list, found a number", "[...]"),
            ("[7]", "found a number", "in quotes"),
            ("[\"\"]", "", ""),
            (&format!("[{canary}]"), "", ""),
        ]),
        Kind::Secret => secret(),
        Kind::Property => rows(&[
            ("1.5", "found a fraction", "secret_env"),
            (&format!("[{canary}]"), "found a list", "secret_env"),
            (&format!("{{ a = {canary} }}"), "is a table, and no origin of a secret", "secret_file"),
        ]),
    }
}

/// What is wrong within a value: another key is named.
pub(crate) fn wrong_within(kind: &Kind) -> Vec<Wrong> {
    match kind {
        Kind::Secret => rows(&[
            (
                "{ secret_file = 7 }",
                "`secret_file`: expected a text in quotes, found a number",
                "put it in quotes",
            ),
            (
                &format!("{{ secret_fil = \"{CANARY}\" }}"),
                "unknown key \"secret_fil\"",
                "write `secret_file`",
            ),
        ]),
        _ => Vec::new(),
    }
}

fn rows(all: &[(&str, &str, &str)]) -> Vec<Wrong> {
    all.iter()
        .map(|(value, what, mend)| Wrong {
            value: (*value).to_owned(),
            what: (*what).to_owned(),
            mend: (*mend).to_owned(),
        })
        .collect()
}

fn number(min: i64, max: i64) -> Vec<Wrong> {
    let range = format!("write a number from {min} to {max}");
    let out = |value: String| Wrong { value, what: "is out of range".to_owned(), mend: range.clone() };
    let mut all = rows(&[
        (&format!("\"{CANARY}\""), "expected a whole number, found a text", "in digits, without quotes"),
        ("1.5", "expected a whole number, found a fraction", "without a point"),
        ("true", "expected a whole number, found a boolean", "in digits"),
        ("[1]", "expected a whole number, found a list", "in digits"),
        ("{ a = 1 }", "expected a whole number, found a table", "in digits"),
    ]);
    let ends =
        [min - 1, max + 1, i64::from(u16::MAX) + 1, i64::MIN, i64::MAX].map(|number| number.to_string());
    all.extend(ends.into_iter().map(out));
    // More than any number of this program can hold.
    all.push(out("99999999999999999999".to_owned()));
    all
}

fn text() -> Vec<Wrong> {
    rows(&[
        ("7", "expected a text in quotes, found a number", "put it in quotes"),
        ("true", "expected a text in quotes, found a boolean", "put it in quotes"),
        (&format!("[\"{CANARY}\"]"), "expected a text in quotes, found a list", "without brackets"),
        (&format!("{{ a = \"{CANARY}\" }}"), "expected a text in quotes, found a table", "one text"),
        ("\"\"", "", ""),
        ("\" \\t\"", "", ""),
        ("\" x\"", "", ""),
        ("\"x\\u00a0\"", "", ""),
        ("\"x\\ny\"", "", ""),
        ("\"x\\u0000y\"", "", ""),
        ("\"x\\u200by\"", "", ""),
        ("\"x\\u202ey\"", "", ""),
    ])
}

fn choice(words: &[String]) -> Vec<Wrong> {
    let mut all = rows(&[
        (&format!("\"{CANARY}\""), "expected one of", "one of them, in quotes"),
        ("\"\"", "expected one of", "one of them, in quotes"),
        ("7", "found a number", "one of them, in quotes"),
        ("true", "found a boolean", "one of them, in quotes"),
    ]);
    all.extend(words.iter().map(|word| Wrong {
        value: format!("\"{word}x\""),
        what: "expected one of".to_owned(),
        mend: format!("write \"{word}\""),
    }));
    all
}

fn secret() -> Vec<Wrong> {
    let canary = format!("\"{CANARY}\"");
    rows(&[
        (&canary, "never the secret itself, found a text", "{ secret_file ="),
        ("7", "never the secret itself, found a number", "{ secret_env ="),
        (&format!("[{canary}]"), "never the secret itself, found a list", "{ secret_file ="),
        ("{}", "does not say where the secret is", "{ secret_file ="),
        ("{ secret_env = \"CANARY\", secret_file = \"files/canary.secret\" }", "has both", "keep one"),
        ("{ secret_env = \"UNSET\" }", "is not set", "export it"),
        ("{ secret_env = \"EMPTY\" }", "is empty", "nothing else"),
        ("{ secret_env = \"\" }", "is not the name of an environment variable", "write the name"),
        (
            &format!("{{ secret_env = {canary} }}"),
            "is not the name of an environment variable",
            "secret_file",
        ),
        (&format!("{{ secret_file = {canary} }}"), "cannot read the file", "may read"),
        ("{ secret_file = \"files\" }", "is not a file", "name a file"),
        ("{ secret_file = \"files/bytes.secret\" }", "is not UTF-8 text", "as text"),
        ("{ secret_file = \"files/large.secret\" }", "is larger than 64 KiB", "only the secret"),
    ])
}
