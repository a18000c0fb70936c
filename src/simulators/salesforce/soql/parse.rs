//! From a text to a query. It knows no objects yet.

use super::super::times::of_iso;
use super::Refused;
use crate::domain::TimeMs;

/// A query as it stands in the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parsed {
    /// What is asked for; none for `COUNT()`.
    pub(super) select: Option<Vec<String>>,
    pub(super) from: String,
    pub(super) filter: Option<Filter>,
    pub(super) order: Vec<Order>,
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
}

/// Which records.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Is(Test),
}

/// A field against values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Test {
    pub(super) path: String,
    pub(super) operator: Operator,
    /// One, but for `IN` and `NOT IN`.
    pub(super) values: Vec<Literal>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    Like,
}

/// A value in the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Number(f64),
    Time(TimeMs),
    /// With what it is as a pattern of `LIKE`.
    Text(String, Vec<Piece>),
}

/// A part of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// `%`
    Some,
    /// `_`
    One,
    Character(char),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) path: String,
    pub(super) is_descending: bool,
    pub(super) has_nulls_last: bool,
}

/// A part of the text.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Value(Literal),
    /// One of `(`, `)`, `,`
    Mark(char),
    Compare(Operator),
}

/// Parentheses and `NOT` may stand so deep in each other.
const DEPTH_MAX: u32 = 50;
/// A query may have so many characters, as in Salesforce.
const CHARACTERS_MAX: usize = 100_000;

/// Reads a query.
pub(super) fn parse(text: &str) -> Result<Parsed, Refused> {
    if text.chars().count() > CHARACTERS_MAX {
        return Err(Refused::malformed(
            "SOQL statements cannot be longer than 100000 characters.".to_owned(),
        ));
    }
    let mut tokens = tokens(text)?;
    tokens.reverse();
    let mut parser = Parser { left: tokens };
    let parsed = parser.query()?;
    match parser.left.last() {
        None => Ok(parsed),
        Some(token) => Err(unexpected(Some(token))),
    }
}

fn unexpected(token: Option<&Token>) -> Refused {
    let shown = match token {
        None => return Refused::malformed("unexpected end of the query".to_owned()),
        Some(Token::Word(word)) => word.clone(),
        Some(Token::Mark(mark)) => mark.to_string(),
        Some(Token::Value(Literal::Text(text, _))) => format!("'{text}'"),
        Some(Token::Value(value)) => format!("{value:?}"),
        Some(Token::Compare(operator)) => format!("{operator:?}"),
    };
    Refused::malformed(format!("unexpected token: {shown}"))
}

fn tokens(text: &str) -> Result<Vec<Token>, Refused> {
    let mut tokens = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let token = match character {
            _ if character.is_whitespace() => continue,
            '(' | ')' | ',' => Token::Mark(character),
            '=' => Token::Compare(Operator::Equal),
            '<' if characters.next_if_eq(&'>').is_some() => Token::Compare(Operator::Unequal),
            '!' if characters.next_if_eq(&'=').is_some() => Token::Compare(Operator::Unequal),
            '<' if characters.next_if_eq(&'=').is_some() => Token::Compare(Operator::LessOrEqual),
            '>' if characters.next_if_eq(&'=').is_some() => Token::Compare(Operator::GreaterOrEqual),
            '<' => Token::Compare(Operator::Less),
            '>' => Token::Compare(Operator::Greater),
            '\'' => Token::Value(quoted(&mut characters)?),
            _ if character.is_ascii_digit() || character == '-' => {
                let mut value = character.to_string();
                let is_part = |next: &char| next.is_ascii_alphanumeric() || "+-:.".contains(*next);
                while let Some(next) = characters.next_if(is_part) {
                    value.push(next);
                }
                Token::Value(number_or_time(&value)?)
            }
            _ if character.is_ascii_alphabetic() => {
                let mut word = character.to_string();
                let is_part = |next: &char| next.is_ascii_alphanumeric() || matches!(next, '_' | '.');
                while let Some(next) = characters.next_if(is_part) {
                    word.push(next);
                }
                match word.to_ascii_lowercase().as_str() {
                    "null" => Token::Value(Literal::Null),
                    "true" => Token::Value(Literal::Bool(true)),
                    "false" => Token::Value(Literal::Bool(false)),
                    _ => Token::Word(word),
                }
            }
            _ => return Err(Refused::malformed(format!("unexpected character '{character}'"))),
        };
        tokens.push(token);
    }
    Ok(tokens)
}

/// The rest of a text between quotes. `\_` and `\%` stand for themselves, where they could be a pattern.
fn quoted(characters: &mut impl Iterator<Item = char>) -> Result<Literal, Refused> {
    let (mut text, mut pattern) = (String::new(), Vec::new());
    while let Some(character) = characters.next() {
        let (character, piece) = match character {
            '\'' => return Ok(Literal::Text(text, pattern)),
            '\\' => {
                let meant = match characters.next() {
                    Some('n' | 'N') => '\n',
                    Some('r' | 'R') => '\r',
                    Some('t' | 'T') => '\t',
                    Some('b' | 'B') => '\u{8}',
                    Some('f' | 'F') => '\u{c}',
                    Some(itself @ ('"' | '\'' | '\\' | '_' | '%')) => itself,
                    _ => return Err(Refused::malformed("Illegal escape in a text".to_owned())),
                };
                (meant, Piece::Character(meant))
            }
            '%' => ('%', Piece::Some),
            '_' => ('_', Piece::One),
            _ => (character, Piece::Character(character)),
        };
        text.push(character);
        pattern.push(piece);
    }
    Err(Refused::malformed("a text has no end".to_owned()))
}

fn number_or_time(value: &str) -> Result<Literal, Refused> {
    if let Some(at) = of_iso(value) {
        return Ok(Literal::Time(at));
    }
    let number = value.parse().ok().filter(|number: &f64| number.is_finite());
    number.map(Literal::Number).ok_or_else(|| Refused::malformed(format!("unexpected token: {value}")))
}

/// What is left of the text, its first token last.
struct Parser {
    left: Vec<Token>,
}

impl Parser {
    fn query(&mut self) -> Result<Parsed, Refused> {
        self.expect("select")?;
        let first = self.word()?;
        let select = if first.eq_ignore_ascii_case("count") && self.takes_mark('(') {
            self.mark(')')?;
            None
        } else {
            let mut select = vec![first];
            while self.takes_mark(',') {
                select.push(self.word()?);
            }
            Some(select)
        };
        self.expect("from")?;
        let from = self.word()?;
        let filter = if self.takes("where") { Some(self.filter(0)?) } else { None };
        let mut order = Vec::new();
        if self.takes("order") {
            self.expect("by")?;
            order.push(self.order()?);
            while self.takes_mark(',') {
                order.push(self.order()?);
            }
        }
        let limit = if self.takes("limit") { Some(self.count()?) } else { None };
        let offset = if self.takes("offset") { self.count()? } else { 0 };
        Ok(Parsed { select, from, filter, order, limit, offset })
    }

    /// Terms that `AND` or `OR` joins. Both side by side need parentheses, as in Salesforce.
    fn filter(&mut self, depth: u32) -> Result<Filter, Refused> {
        let first = self.term(depth)?;
        let (mut terms, word) = match self.left.last() {
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("and") => (vec![first], "and"),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("or") => (vec![first], "or"),
            _ => return Ok(first),
        };
        while self.takes(word) {
            terms.push(self.term(depth)?);
        }
        Ok(if word == "and" { Filter::All(terms) } else { Filter::Any(terms) })
    }

    fn term(&mut self, depth: u32) -> Result<Filter, Refused> {
        if depth > DEPTH_MAX {
            return Err(Refused::malformed("the conditions stand too deep in each other".to_owned()));
        }
        if self.takes_mark('(') {
            let filter = self.filter(depth + 1)?;
            self.mark(')')?;
            return Ok(filter);
        }
        if self.takes("not") {
            return Ok(Filter::Not(Box::new(self.term(depth + 1)?)));
        }
        let path = self.word()?;
        let operator = match self.left.pop() {
            Some(Token::Compare(operator)) => operator,
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("like") => Operator::Like,
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("in") => Operator::In,
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("not") => {
                self.expect("in")?;
                Operator::NotIn
            }
            token => return Err(unexpected(token.as_ref())),
        };
        let values = if matches!(operator, Operator::In | Operator::NotIn) {
            self.mark('(')?;
            let mut values = vec![self.value()?];
            while self.takes_mark(',') {
                values.push(self.value()?);
            }
            self.mark(')')?;
            values
        } else {
            vec![self.value()?]
        };
        Ok(Filter::Is(Test { path, operator, values }))
    }

    fn order(&mut self) -> Result<Order, Refused> {
        let path = self.word()?;
        let is_descending = self.takes("desc");
        if !is_descending {
            self.takes("asc");
        }
        let mut has_nulls_last = false;
        if self.takes("nulls") {
            has_nulls_last = self.takes("last");
            if !has_nulls_last {
                self.expect("first")?;
            }
        }
        Ok(Order { path, is_descending, has_nulls_last })
    }

    fn word(&mut self) -> Result<String, Refused> {
        match self.left.pop() {
            Some(Token::Word(word)) => Ok(word),
            token => Err(unexpected(token.as_ref())),
        }
    }

    fn value(&mut self) -> Result<Literal, Refused> {
        match self.left.pop() {
            Some(Token::Value(value)) => Ok(value),
            token => Err(unexpected(token.as_ref())),
        }
    }

    fn count(&mut self) -> Result<usize, Refused> {
        match self.value()? {
            Literal::Number(number) if number >= 0.0 && number.fract() == 0.0 => Ok(number as usize),
            value => Err(unexpected(Some(&Token::Value(value)))),
        }
    }

    /// Whether the next word is this one, which is then taken.
    fn takes(&mut self, wanted: &str) -> bool {
        let is_it = matches!(self.left.last(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(wanted));
        if is_it {
            self.left.pop();
        }
        is_it
    }

    fn takes_mark(&mut self, wanted: char) -> bool {
        let is_it = self.left.last() == Some(&Token::Mark(wanted));
        if is_it {
            self.left.pop();
        }
        is_it
    }

    fn expect(&mut self, wanted: &str) -> Result<(), Refused> {
        if self.takes(wanted) { Ok(()) } else { Err(unexpected(self.left.last())) }
    }

    fn mark(&mut self, wanted: char) -> Result<(), Refused> {
        if self.takes_mark(wanted) { Ok(()) } else { Err(unexpected(self.left.last())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_query_says_where() {
        // (query, message)
        let cases = [
            ("", "unexpected end of the query"),
            ("SELECT", "unexpected end of the query"),
            ("SELECT Id", "unexpected end of the query"),
            ("SELECT Id FROM User WHERE", "unexpected end of the query"),
            ("SELECT Id, FROM User", "unexpected token: User"),
            ("SELECT COUNT(Id) FROM User", "unexpected token: Id"),
            ("SELECT Id FROM User WHERE Name", "unexpected end of the query"),
            ("SELECT Id FROM User WHERE Name = Name", "unexpected token: Name"),
            ("SELECT Id FROM User WHERE Name = 'a' AND Name = 'b' OR Name = 'c'", "unexpected token: OR"),
            ("SELECT Id FROM User WHERE (Name = 'a'", "unexpected end of the query"),
            ("SELECT Id FROM User WHERE Name IN ()", "unexpected token: )"),
            ("SELECT Id FROM User WHERE Name NOT LIKE 'a'", "unexpected token: LIKE"),
            ("SELECT Id FROM User WHERE Name = 'a", "a text has no end"),
            (r"SELECT Id FROM User WHERE Name = '\x'", "Illegal escape in a text"),
            (
                "SELECT Id FROM User WHERE CreatedDate > 2026-13-05T00:00:00Z",
                "unexpected token: 2026-13-05T00:00:00Z",
            ),
            ("SELECT Id FROM User LIMIT -1", "unexpected token: Number(-1.0)"),
            ("SELECT Id FROM User LIMIT 1.5", "unexpected token: Number(1.5)"),
            ("SELECT Id FROM User LIMIT 1 LIMIT 2", "unexpected token: LIMIT"),
            ("SELECT Id FROM User ORDER Name", "unexpected token: Name"),
            ("SELECT Id FROM User ORDER BY Name NULLS", "unexpected end of the query"),
            ("SELECT Id FROM User; DROP", "unexpected character ';'"),
            ("DELETE FROM User", "unexpected token: DELETE"),
        ];
        for (query, message) in cases {
            let refused = parse(query).unwrap_err();
            assert_eq!((refused.code, refused.message.as_str()), ("MALFORMED_QUERY", message), "{query}");
        }
        let deep = format!("SELECT Id FROM User WHERE {}", "(".repeat(90_000));
        assert_eq!(parse(&deep).unwrap_err().message, "the conditions stand too deep in each other");
        let long = "x".repeat(CHARACTERS_MAX + 1);
        assert!(parse(&long).unwrap_err().message.contains("100000"));
    }

    #[test]
    fn a_text_has_escapes() {
        // (between the quotes, what it says, how many parts of it are a pattern)
        let cases = [
            (r"O\'Brien", "O'Brien", 0),
            (r"a\\b", r"a\b", 0),
            (r"50\% or 50%", "50% or 50%", 1),
            (r"a\_b_c%", "a_b_c%", 2),
            (r#"\n\r\t\b\f\""#, "\n\r\t\u{8}\u{c}\"", 0),
            ("Pause für Gespräche", "Pause für Gespräche", 0),
        ];
        for (quoted, meant, wild) in cases {
            let parsed = parse(&format!("SELECT Id FROM User WHERE Name = '{quoted}'")).unwrap();
            let Some(Filter::Is(Test { values, .. })) = parsed.filter else { panic!("{quoted}") };
            let [Literal::Text(text, pattern)] = values.as_slice() else { panic!("{quoted}") };
            let found = pattern.iter().filter(|piece| !matches!(piece, Piece::Character(_))).count();
            assert_eq!((text.as_str(), found), (meant, wild));
        }
    }
}
