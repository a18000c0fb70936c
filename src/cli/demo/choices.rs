//! What people of a demo choose, and what the other platform then has to show: the rules, as who judges them knows them.

use lockstep::domain::{PresenceStatusId, SalesforceStatus};
use lockstep::simulators::cxone::Shown;
use lockstep::simulators::salesforce::Org;

/// The same on both platforms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// The developer name in Salesforce.
    pub(super) salesforce: &'static str,
    /// In CXone.
    pub(super) cxone: Shown,
    /// Its name there.
    pub(super) cxone_name: &'static str,
    /// Whether it is what Salesforce shows of that; else it is one of several in Salesforce that CXone shows so.
    is_mirrored: bool,
}

const fn choice(salesforce: &'static str, cxone_name: &'static str, cxone: Shown) -> Choice {
    Choice { salesforce, cxone, cxone_name, is_mirrored: true }
}

/// What can be chosen in Salesforce; in CXone all but the last. Who is there because CXone was set, is not where CXone would set him:
/// an echo that is taken for a choice moves him.
pub(super) const CHOICES: [Choice; 6] = [
    choice("Available", "Available", Shown::AVAILABLE),
    choice("Lunch", "Unavailable/Lunch", Shown::code(1_017)),
    choice("On_Break", "Unavailable/Break", Shown::code(1_001)),
    choice("In_Meeting", "Unavailable/Meeting", Shown::code(1_019)),
    choice("Training", "Unavailable/Training", Shown::code(1_018)),
    Choice { is_mirrored: false, ..choice("Available_for_Chats", "Available", Shown::AVAILABLE) },
];

/// What Salesforce shows of who is in a contact in CXone.
const ON_CALL: &str = "On_Call";
/// The contact that people have.
pub(super) const CONTACT: Shown = Shown::state(3);

/// The rules that say the same; and others, in which training is a meeting to Salesforce.
pub(super) fn rules(training_is_a_meeting: bool) -> String {
    let (mut forth, mut back) = (String::new(), String::new());
    for choice in CHOICES {
        let shown = match choice.salesforce {
            "Training" if training_is_a_meeting => "In_Meeting",
            other => other,
        };
        if choice.is_mirrored {
            forth += &format!("\"{}\" = \"{shown}\"\n", choice.cxone_name);
        }
        back += &format!("\"{}\" = \"{}\"\n", choice.salesforce, choice.cxone_name);
    }
    format!(
        "[[rule]]\nname = \"Everybody\"\nteams = [\"Support DE\", \"Support AT\", \"Sales\", \"Retention\", \"Back Office\"]\n\n\
         [rule.cxone_to_salesforce]\n{forth}\"InboundContact\" = \"{ON_CALL}\"\n\n\
         [rule.salesforce_to_cxone]\n{back}\"Back_to_Work\" = \"previous\"\n"
    )
}

/// How the two platforms stand to one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pair {
    /// They show the same.
    InStep,
    /// He is in a contact, and Salesforce shows it.
    OnContact,
    /// He is logged out somewhere: nobody logs him in but himself.
    Off,
    /// They show different things.
    Apart,
}

/// The statuses of the org that are chosen.
pub(super) struct Statuses {
    chosen: Vec<PresenceStatusId>,
    on_call: PresenceStatusId,
    names: Vec<(PresenceStatusId, String)>,
}

impl Statuses {
    pub(super) fn of(org: &Org) -> anyhow::Result<Statuses> {
        let all = org.statuses();
        let find = |name: &str| {
            let found = all.iter().find(|(_, developer_name, _)| developer_name == name);
            found.map(|(id, ..)| *id).ok_or_else(|| anyhow::anyhow!("the simulated org has no status {name}"))
        };
        let chosen = CHOICES.iter().map(|choice| find(choice.salesforce)).collect::<anyhow::Result<_>>()?;
        let on_call = find(ON_CALL)?;
        Ok(Statuses { chosen, on_call, names: all.into_iter().map(|(id, name, _)| (id, name)).collect() })
    }

    /// The status of a choice.
    pub(super) fn of_choice(&self, choice: usize) -> Option<SalesforceStatus> {
        self.chosen.get(choice).copied().map(SalesforceStatus::Presence)
    }

    /// Which choice a status is.
    pub(super) fn choice(&self, status: SalesforceStatus) -> Option<usize> {
        match status {
            SalesforceStatus::Offline => None,
            SalesforceStatus::Presence(id) => self.chosen.iter().position(|one| *one == id),
        }
    }

    pub(super) fn name(&self, status: SalesforceStatus) -> String {
        match status {
            SalesforceStatus::Offline => "Offline".to_owned(),
            SalesforceStatus::Presence(id) => self
                .names
                .iter()
                .find(|(one, _)| *one == id)
                .map_or_else(|| id.to_string(), |(_, name)| name.clone()),
        }
    }

    /// What Salesforce has to show when this is chosen in CXone; none where no rule says.
    pub(super) fn for_cxone(&self, shown: Shown) -> Option<SalesforceStatus> {
        if shown == CONTACT {
            return Some(SalesforceStatus::Presence(self.on_call));
        }
        choice_in_cxone(shown).and_then(|choice| self.of_choice(choice))
    }

    pub(super) fn pair(&self, salesforce: SalesforceStatus, cxone: Shown) -> Pair {
        if salesforce == SalesforceStatus::Offline || cxone == Shown::LOGGED_OUT {
            Pair::Off
        } else if self.for_cxone(cxone) != Some(salesforce)
            && self.choice(salesforce).and_then(of) != Some(cxone)
        {
            Pair::Apart
        } else if cxone.is_contact() {
            Pair::OnContact
        } else {
            Pair::InStep
        }
    }
}

/// What CXone shows of a choice.
pub(super) fn of(choice: usize) -> Option<Shown> {
    CHOICES.get(choice).map(|choice| choice.cxone)
}

/// Which choice it is that CXone shows.
pub(super) fn choice_in_cxone(shown: Shown) -> Option<usize> {
    CHOICES.iter().position(|choice| choice.cxone == shown && choice.is_mirrored)
}

/// What CXone shows, in words.
pub(super) fn name_in_cxone(shown: Shown) -> String {
    match (choice_in_cxone(shown), shown.out_state) {
        (Some(choice), _) => CHOICES.get(choice).map_or("", |choice| choice.cxone_name).to_owned(),
        (None, Some(code)) => format!("{}/{code}", shown.name()),
        (None, None) => shown.name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use lockstep::document::{Document, Mistakes, Syntax};

    use super::*;

    #[test]
    fn the_rules_are_rules() {
        for training_is_a_meeting in [false, true] {
            let text = rules(training_is_a_meeting);
            let mut mistakes = Mistakes::new();
            let document = Document::new("rules.toml", &text, Syntax::Toml);
            lockstep::rules::check(&document, None, &mut mistakes);
            assert_eq!(mistakes.errors(), 0, "{text}\n{:?}", mistakes.in_order());
        }
    }

    #[test]
    fn what_cxone_shows_has_a_name() {
        assert_eq!(name_in_cxone(Shown::code(1_017)), "Unavailable/Lunch");
        assert_eq!(name_in_cxone(Shown::code(9)), "Unavailable/9");
        assert_eq!(name_in_cxone(CONTACT), "InboundContact");
        assert_eq!(name_in_cxone(Shown::LOGGED_OUT), "LoggedOut");
    }
}
