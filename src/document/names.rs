//! Names as people type them: compared in one normal form, and the nearest known one for a wrong one.

use std::borrow::Cow;
use std::collections::BTreeMap;

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// The form in which names are compared: `ü` typed as one character or as `u` and two dots is one name
/// (Unicode NFC), and blanks at the ends do not count.
pub fn normal(name: &str) -> Cow<'_, str> {
    let name = name.trim();
    if is_nfc(name) { Cow::Borrowed(name) } else { Cow::Owned(name.nfc().collect()) }
}

/// Names alike by less than this (1 is the same, 0 has nothing in common) were hardly meant.
const NEAR_ENOUGH: f64 = 0.6;

/// What a name is worth at least that begins with what was typed: less than one that differs by a slip.
const ABBREVIATED: f64 = 0.75;

/// The known name nearest to a wrong one, if it is near enough to have been meant.
pub fn nearest<'n>(wrong: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let plain = |name: &str| name.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    let typed = plain(wrong);
    let scored = known.into_iter().map(|name| {
        let candidate = plain(name);
        let score = match candidate.strip_prefix(&typed) {
            _ if typed.chars().count() < 3 => strsim::normalized_damerau_levenshtein(name, wrong),
            Some("") => 1.0,
            Some(_) => strsim::normalized_damerau_levenshtein(&candidate, &typed).max(ABBREVIATED),
            None => strsim::normalized_damerau_levenshtein(&candidate, &typed),
        };
        (score, name)
    });
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)));
    best.filter(|(score, _)| *score >= NEAR_ENOUGH).map(|(_, name)| name)
}

/// A name between quotes, fit to be shown: control characters are escaped and a long one is cut.
pub fn quoted(name: &str) -> String {
    const SHOWN_MAX: usize = 80;
    let shown: String = name.chars().take(SHOWN_MAX).flat_map(|c| escape_if(c.is_control(), c)).collect();
    let cut = if name.chars().nth(SHOWN_MAX).is_some() { "..." } else { "" };
    format!("\"{shown}{cut}\"")
}

fn escape_if(escape: bool, c: char) -> impl Iterator<Item = char> {
    let escaped = if escape { Some(c.escape_default()) } else { None };
    let plain = if escape { None } else { Some(c) };
    escaped.into_iter().flatten().chain(plain)
}

/// Names as a choice in a sentence: `a, b or c`; past twelve only how many more.
pub fn one_of<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    joined(names, "or")
}

/// Names together in a sentence: `a, b and c`; past twelve only how many more.
pub fn all_of<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    joined(names, "and")
}

fn joined<'n>(names: impl IntoIterator<Item = &'n str>, conjunction: &str) -> String {
    const SHOWN_MAX: usize = 12;
    let mut names: Vec<Cow<'_, str>> = names.into_iter().map(Cow::Borrowed).collect();
    if names.len() > SHOWN_MAX {
        let more = names.len() - SHOWN_MAX;
        names.truncate(SHOWN_MAX);
        names.push(Cow::Owned(format!("{more} more")));
    }
    match names.split_last() {
        None => String::new(),
        Some((only, [])) => only.to_string(),
        Some((last, first)) => format!("{} {conjunction} {last}", first.join(", ")),
    }
}

/// A look-up by name in normal form, which knows the nearest name for one that is missing.
#[derive(Clone, Debug)]
pub struct Names<T> {
    by_name: BTreeMap<Box<str>, T>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Names { by_name: BTreeMap::new() }
    }
}

impl<T> Names<T> {
    /// What stands under the name, if the name is known.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.by_name.get(&*normal(name))
    }

    /// What stands under the name; a new one if nothing does.
    pub fn entry(&mut self, name: &str) -> &mut T
    where
        T: Default,
    {
        self.by_name.entry(normal(name).into()).or_default()
    }

    /// Puts a value under a name and gives back what stood there.
    pub fn insert(&mut self, name: &str, value: T) -> Option<T> {
        self.by_name.insert(normal(name).into(), value)
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(|name| &**name)
    }

    /// The known name nearest to a wrong one.
    pub fn nearest(&self, wrong: &str) -> Option<&str> {
        nearest(wrong, self.names())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_meant() {
        let known = ["Available_for_Chats", "On_Break", "Für Chats verfügbar", "Unavailable/Lunch"];
        let cases = [
            ("available for chats", Some("Available_for_Chats")),
            ("On Brake", Some("On_Break")),
            ("Fur Chats verfugbar", Some("Für Chats verfügbar")),
            ("Unavailable/Lunhc", Some("Unavailable/Lunch")),
            ("avail", Some("Available_for_Chats")),
            ("on", None),
            ("zzz", None),
            ("", None),
        ];
        for (typed, meant) in cases {
            assert_eq!(nearest(typed, known), meant, "{typed:?}");
        }
        assert_eq!(
            nearest("schema_registry_use", ["schema_registry", "schema_registry_user"]),
            Some("schema_registry_user")
        );
    }

    #[test]
    fn an_umlaut_is_one_name_however_it_is_typed() {
        let mut names = Names::default();
        names.insert("Fu\u{308}r Chats verfu\u{308}gbar", 1);
        assert_eq!(names.get(" Für Chats verfügbar"), Some(&1));
    }

    #[test]
    fn shown_names_are_short_and_printable() {
        assert_eq!(quoted("a\u{1b}[31mb"), r#""a\u{1b}[31mb""#);
        assert_eq!(quoted(&"x".repeat(100)).len(), 85);
        assert_eq!(one_of(["a", "b", "c"]), "a, b or c");
        assert_eq!(one_of([]), "");
    }
}
