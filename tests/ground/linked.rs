//! People who are linked, and rules that are in force for them.

use lockstep::bus::AnyBus;
use lockstep::control::{Control, Error};
use lockstep::directory::Directory;
use lockstep::document::{Document, Mistakes, Syntax};
use lockstep::domain::{CxoneAgent, CxoneAgentId, Link, SalesforceUser};
use lockstep::rules;

use crate::deployment::{Deployment, operator};
use crate::waiting::patiently;

/// The first agent of a simulated tenant.
pub(crate) const FIRST: u32 = 293_001;

/// Rules by which both platforms show the same, with short times.
pub(crate) const RULES: &str = r#"
[settings]
confirm_ms = 1500
flap_window_ms = 1000
cool_down_ms = 1000
cool_down_ms_max = 2000

[[rule]]
name = "All"
teams = ["Support DE", "Support AT", "Sales", "Retention", "Back Office"]
[rule.cxone_to_salesforce]
"Available" = "Available"
"Unavailable/Lunch" = "Lunch"
"Unavailable/Break" = "Break"
"LoggedOut" = "Offline"
[rule.salesforce_to_cxone]
"Available" = "Available"
"Lunch" = "Unavailable/Lunch"
"Break" = "Unavailable/Break"
"Offline" = "LoggedOut"
"#;

/// An agent of CXone, who is this user of Salesforce.
pub(crate) fn link(number: u32, user: &str) -> Link {
    let account = "emea".parse().unwrap();
    Link {
        salesforce: SalesforceUser { account, user: user.parse().unwrap() },
        cxone: CxoneAgent { account, agent: CxoneAgentId::new(number) },
    }
}

/// Who is who where there are these statuses in Salesforce, each with its id, its name and whether it has a channel. The
/// teams, and who is in which, are those of a simulated tenant.
pub(crate) fn directory(statuses: &[(&str, &str, bool)], links: &[Link]) -> Directory {
    let mut text = "[salesforce.emea]\nstatuses = [\n".to_owned();
    for (id, name, has_channel) in statuses {
        let channels = if *has_channel { "[\"Chat\"]" } else { "[]" };
        text += &format!(
            "{{ id = \"{id}\", developer_name = \"{name}\", label = \"{name}\", channels = {channels} }},\n"
        );
    }
    text += "]\nusers = [\n";
    for user in links.iter().map(|link| link.salesforce.user) {
        text += &format!(
            "{{ id = \"{user}\", user_name = \"{user}@example.com\", email = \"{user}@example.com\" }},\n"
        );
    }
    text += "]\n[cxone.emea]\ncodes = [{ id = 1017, name = \"Lunch\" }, { id = 1001, name = \"Break\" }]\nteams = [\n";
    for (number, name) in (1..).zip(["Support DE", "Support AT", "Sales", "Retention", "Back Office"]) {
        text += &format!("{{ id = {number}, name = \"{name}\", codes = [1001, 1017] }},\n");
    }
    text += "]\nagents = [\n";
    for number in links.iter().map(|link| link.cxone.agent.get()) {
        let team = (number - FIRST) % 5 + 1;
        text += &format!("{{ id = {number}, user_name = \"a{number}@example.com\", team = {team} }},\n");
    }
    text += "]\n";
    for link in links {
        text += &format!("[[links]]\nsalesforce = \"{}\"\ncxone = \"{}\"\n", link.salesforce, link.cxone);
    }
    let mut mistakes = Mistakes::new();
    let known = Directory::read(&Document::new("d", &text, Syntax::Toml), &mut mistakes).unwrap();
    assert_eq!(mistakes.errors(), 0, "{:?}", mistakes.in_order());
    known
}

impl Deployment {
    /// Links people, and lets rules take effect.
    pub(crate) fn begin(&self, rules: &str, known: &Directory) {
        let mut mistakes = Mistakes::new();
        let revision = rules::check(&Document::new("r", rules, Syntax::Toml), Some(known), &mut mistakes);
        assert_eq!(mistakes.errors(), 0, "{:?}", mistakes.in_order());
        let bus = self.bus();
        let mut control: Control<'_, AnyBus> = patiently("control", || {
            Control::begin(&bus, &self.codec, &self.plan).map_err(|error| match error {
                Error::Bus(error) => error,
                other => panic!("{other}"),
            })
        });
        let (saved, _) = control.save(&revision.unwrap(), &operator()).unwrap();
        control.activate(&saved, &operator()).unwrap();
        control.import(known, &operator()).unwrap();
    }
}
