//! What CXone answers, as far as it is needed. Names are read without regard to case, since versions differ; what is absent, null
//! or of another type is none, so that one odd entry is no odd page.

use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::domain::{CxoneState, CxoneStatus, TimeMs};

/// A name of an object, in lower case.
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Lower;
        impl Visitor<'_> for Lower {
            type Value = Name;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(Name(name.to_ascii_lowercase()))
            }
        }
        deserializer.deserialize_str(Lower)
    }
}

/// A structure whose names are read without regard to case.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $($key:literal)|+,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub(super) struct $name {
            $($(#[$field_doc])* pub(super) $field: $type,)*
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Named;
                impl<'de> Visitor<'de> for Named {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let mut all = $name::default();
                        while let Some(Name(name)) = map.next_key()? {
                            match name.as_str() {
                                $($($key)|+ => all.$field = map.next_value()?,)*
                                _ => {
                                    map.next_value::<IgnoredAny>()?;
                                }
                            }
                        }
                        Ok(all)
                    }
                }
                deserializer.deserialize_map(Named)
            }
        }
    };
}

/// A simple value, however it is written; anything else is none.
#[derive(Clone, Debug, Default, PartialEq)]
enum Simple {
    #[default]
    None,
    Flag(bool),
    Whole(i64),
    Text(String),
}

impl<'de> Deserialize<'de> for Simple {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Simple;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_unit<E>(self) -> Result<Simple, E> {
                Ok(Simple::None)
            }
            fn visit_bool<E>(self, flag: bool) -> Result<Simple, E> {
                Ok(Simple::Flag(flag))
            }
            fn visit_i64<E>(self, whole: i64) -> Result<Simple, E> {
                Ok(Simple::Whole(whole))
            }
            fn visit_u64<E>(self, whole: u64) -> Result<Simple, E> {
                Ok(i64::try_from(whole).map_or(Simple::None, Simple::Whole))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Simple, E> {
                let is_whole = number.fract() == 0.0 && number.abs() < 9e15;
                Ok(if is_whole { Simple::Whole(number as i64) } else { Simple::None })
            }
            fn visit_str<E>(self, text: &str) -> Result<Simple, E> {
                Ok(Simple::Text(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Simple, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Simple::None)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Simple, A::Error> {
                while all.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Simple::None)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A value of one type that is read from whatever stands there.
macro_rules! simple {
    ($(#[$doc:meta])* $name:ident($type:ty): $($pattern:pat => $value:expr),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub(super) struct $name(pub(super) Option<$type>);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok($name(match Simple::deserialize(deserializer)? {
                    $($pattern => $value,)+
                    _ => None,
                }))
            }
        }
    };
}

simple! {
    /// A whole number, in digits or as a text.
    Whole(i64): Simple::Whole(whole) => Some(whole), Simple::Text(text) => text.trim().parse().ok(),
}
simple! {
    /// A flag, as one or as a text.
    Flag(bool):
    Simple::Flag(flag) => Some(flag),
    Simple::Text(text) => text.trim().to_ascii_lowercase().parse().ok(),
    Simple::Whole(whole) => Some(whole != 0),
}
simple! {
    /// A text that is not empty; a number is one too.
    Text(String):
    Simple::Text(text) => Some(text).filter(|text| !text.is_empty()),
    Simple::Whole(whole) => Some(whole.to_string()),
}
simple! {
    /// A time.
    Time(TimeMs): Simple::Text(text) => time(&text),
}

/// A time as CXone writes it; one without a zone is in UTC.
pub(super) fn time(text: &str) -> Option<TimeMs> {
    let text = text.trim();
    let parsed = text.parse::<Timestamp>().or_else(|_| format!("{text}Z").parse());
    Some(TimeMs::from_unix_ms(parsed.ok()?.as_millisecond()))
}

/// All of a list, where there is one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        List(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(List(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default()))
    }
}

named! {
    /// A page of anything.
    Links { next: Text = "next", }
}

/// An object that may be null.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Maybe<T>(pub(super) Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Maybe)
    }
}

/// What every list has: how many entries there are on all pages, where the next page is, and those of this one.
pub(super) trait Page: for<'de> Deserialize<'de> {
    type Row;
    fn total(&self) -> Option<i64>;
    fn next(&self) -> Option<&str>;
    fn take_rows(&mut self) -> Vec<Self::Row>;
}

macro_rules! page {
    ($(#[$doc:meta])* $name:ident of $row:ident = $key:literal { $($field:ident: $type:ty = $($other:literal)|+,)* }) => {
        named! {
            $(#[$doc])*
            $name {
                total: Whole = "totalrecords",
                links: Maybe<Links> = "_links",
                rows: List<$row> = $key,
                $($field: $type = $($other)|+,)*
            }
        }

        impl Page for $name {
            type Row = $row;
            fn total(&self) -> Option<i64> {
                self.total.0
            }
            fn next(&self) -> Option<&str> {
                self.links.0.as_ref()?.next.0.as_deref()
            }
            fn take_rows(&mut self) -> Vec<$row> {
                std::mem::take(&mut self.rows.0)
            }
        }
    };
}

page! {
    /// The feed: what agents are in. `lastPollTime` is the next `updatedSince`.
    States of State = "agentstates" { last_poll_time: Text = "lastpolltime", }
}
page! {
    /// Agents. Those whom the service user may not see are counted.
    Agents of Agent = "agents" { hidden: Whole = "hiddenagents", last_poll_time: Text = "lastpolltime", }
}
page! {
    /// Teams.
    Teams of Team = "teams" {}
}
page! {
    /// Codes of the tenant.
    Codes of Code = "unavailablecodes" {}
}
page! {
    /// Users of the hub.
    Users of User = "users" {}
}

named! {
    /// What an agent is in.
    State {
        agent: Whole = "agentid",
        state: Whole = "agentstateid",
        out_state: Whole = "outstateid",
        is_acw: Flag = "isacw",
        since: Time = "startdate",
        /// In older versions it stands here.
        last_poll_time: Text = "lastpolltime",
    }
}
named! {
    /// An agent.
    Agent {
        agent: Whole = "agentid",
        user: Text = "userid",
        user_name: Text = "username",
        email: Text = "emailaddress",
        is_active: Flag = "isactive",
        team: Whole = "teamid",
        federated: Text = "federatedid",
    }
}
named! {
    /// A team.
    Team { team: Whole = "teamid", name: Text = "teamname", is_active: Flag = "isactive", }
}
named! {
    /// A code, of the tenant or of a team.
    Code {
        code: Whole = "id" | "outstateid",
        name: Text = "name" | "outstatename",
        is_active: Flag = "isactive",
        is_acw: Flag = "isacw",
    }
}
named! {
    /// A user of the hub.
    User {
        user: Text = "id",
        email: Text = "emailaddress",
        user_name: Text = "username",
        status: Text = "status",
        external: Text = "externalidentity",
    }
}
named! {
    /// Where tokens are.
    Discovery { token_endpoint: Text = "token_endpoint", }
}
named! {
    /// Where a tenant is.
    Configuration {
        api: Text = "api_endpoint",
        area: Text = "area",
        domain: Text = "domain",
    }
}
named! {
    /// What an access key alone gives.
    Token { access: Text = "access_token", expires_in: Whole = "expires_in", id: Text = "id_token", }
}
named! {
    /// Whose a token is.
    Claims { tenant: Text = "tenantid", }
}
named! {
    /// A session that was joined.
    Session { session: Text = "sessionid", }
}

impl State {
    /// What was asked for, as it was read.
    pub(super) fn text(&self) -> String {
        serde_json::json!({
            "agentId": self.agent.0,
            "agentStateId": self.state.0,
            "outStateId": self.out_state.0,
            "isACW": self.is_acw.0,
            "hasStartDate": self.since.0.is_some(),
        })
        .to_string()
    }

    /// His number, what he is in, and since when by the platform's clock; none where one of them is none.
    pub(super) fn whole(&self) -> Option<(u32, CxoneStatus, TimeMs)> {
        let agent = u32::try_from(self.agent.0?).ok()?;
        let state = CxoneState::from_number(self.state.0?).ok()?;
        let status = CxoneStatus::from_feed(state, self.out_state.0, self.is_acw.0.unwrap_or(false));
        Some((agent, status, self.since.0?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::OutStateId;

    const PAGE: &str = r#"{"totalRecords":2,"_links":{"self":"x","next":"https://y/z","previous":null},
        "lastPollTime":"2026-01-05T10:00:01.313Z","agentStates":[
        {"agentId":293558,"agentStateId":2,"agentStateName":"Unavailable","isACW":false,"firstName":"J",
         "outStateId":1017,"startDate":"2026-01-05T10:00:00.72Z"}, {"agentId":7}]}"#;

    #[test]
    fn names_are_read_however_they_are_written() {
        let lower: States = serde_json::from_str(PAGE).unwrap();
        let upper = PAGE.replace("agentStateId", "AgentStateId").replace("agentStates", "AGENTSTATES");
        assert_eq!(serde_json::from_str::<States>(&upper).unwrap(), lower);
        assert_eq!((lower.total(), lower.next()), (Some(2), Some("https://y/z")));
        assert_eq!(lower.last_poll_time.0.as_deref(), Some("2026-01-05T10:00:01.313Z"));
        let lunch = CxoneStatus::Code(OutStateId::new(1017));
        let since = TimeMs::from_unix_ms(1_767_607_200_720);
        assert_eq!(lower.rows.0[0].whole(), Some((293_558, lunch, since)));
        assert_eq!(lower.rows.0[1].whole(), None);
    }

    #[test]
    fn an_odd_value_is_none_and_harms_nothing_beside_it() {
        for (odd, expected) in [
            ("\"7\"", Some(7)),
            ("7.0", Some(7)),
            ("7.5", None),
            ("null", None),
            ("true", None),
            ("[1,{\"a\":[]}]", None),
            ("{\"b\":1}", None),
            ("18446744073709551615", None),
            ("\"\"", None),
        ] {
            let text = format!("{{\"outStateId\":{odd},\"agentStateId\":1}}");
            let state: State = serde_json::from_str(&text).unwrap();
            assert_eq!((state.out_state.0, state.state.0), (expected, Some(1)), "{odd}");
        }
        for flag in ["true", "\"True\"", "1"] {
            let state: State = serde_json::from_str(&format!("{{\"isACW\":{flag}}}")).unwrap();
            assert_eq!(state.is_acw.0, Some(true), "{flag}");
        }
        for nothing in ["{\"agentStates\":null,\"_links\":null}", "{}"] {
            assert_eq!(serde_json::from_str::<States>(nothing).unwrap(), States::default());
        }
        assert!(serde_json::from_str::<States>("[]").is_err());
    }

    #[test]
    fn times_have_a_zone_or_are_in_utc() {
        let at = Some(TimeMs::from_unix_ms(1_767_607_200_720));
        for text in ["2026-01-05T10:00:00.72Z", " 2026-01-05T10:00:00.720 ", "2026-01-05T11:00:00.72+01:00"] {
            assert_eq!(time(text), at, "{text}");
        }
        assert_eq!((time("soon"), time("")), (None, None));
    }
}
