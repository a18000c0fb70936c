//! What a revision says, a fact a line: so that people can read it, and compare two.

use lockstep::rules::{OnConflict, OnLogin, Options, Revision, Rule, WhileOnContact};

/// All that a revision says, in its order.
pub(super) fn facts(revision: &Revision) -> Vec<String> {
    let mut facts = settings(revision);
    for rule in &revision.rules {
        facts.extend(of_rule(rule, revision));
    }
    for (account, vocabulary) in &revision.vocabulary.salesforce {
        for status in vocabulary.statuses() {
            let label = if status.label == status.developer_name {
                String::new()
            } else {
                format!(", {:?}", status.label)
            };
            facts
                .push(format!("salesforce.{account}: status {} {}{label}", status.id, status.developer_name));
        }
    }
    for (account, vocabulary) in &revision.vocabulary.cxone {
        for code in vocabulary.codes() {
            let kind = match (code.active, code.after_call_work) {
                (false, _) => ", not active",
                (true, true) => ", after-call work",
                (true, false) => "",
            };
            facts.push(format!("cxone.{account}: code {} {:?}{kind}", code.id, code.name));
        }
        for team in vocabulary.teams() {
            let codes = team.codes.as_ref().map_or_else(
                || "its codes are not known".to_owned(),
                |codes| {
                    format!("codes {}", codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
                },
            );
            facts.push(format!("cxone.{account}: team {} {:?}, {codes}", team.id, team.name));
        }
    }
    facts
}

fn settings(revision: &Revision) -> Vec<String> {
    let settings = &revision.settings;
    let times = [
        ("confirm_ms", settings.confirm),
        ("grace_ms", settings.grace),
        ("concurrent_ms", settings.concurrent),
        ("echo_early_ms", settings.echo_early),
        ("echo_late_ms", settings.echo_late),
        ("flap_window_ms", settings.flap_window),
        ("cool_down_ms", settings.cool_down),
        ("cool_down_ms_max", settings.cool_down_max),
    ];
    let mut facts: Vec<String> =
        times.iter().map(|(name, length)| format!("settings: {name} = {}", length.as_ms())).collect();
    facts.push(format!("settings: corrections = {}", settings.corrections));
    facts.push(format!("settings: flap_commands = {}", settings.flap_commands));
    facts
}

fn of_rule(rule: &Rule, revision: &Revision) -> Vec<String> {
    let mut facts = Vec::new();
    let mut say = |what: String| facts.push(format!("rule {:?}: {what}", rule.name));
    for team in &rule.teams {
        let known = revision.vocabulary.cxone.get(&team.account).and_then(|all| all.team(team.team));
        let name = known.map_or_else(String::new, |known| format!(" {:?}", known.name));
        say(format!("team cxone.{}/{}{name}", team.account, team.team));
    }
    for agent in &rule.agents {
        say(format!("agent {agent}"));
    }
    let Options { skip_code_validation, on_conflict, while_on_contact, on_login } = rule.options;
    say(format!("skip_code_validation = {skip_code_validation}"));
    say(match on_conflict {
        OnConflict::Latest => "on_conflict = \"latest\"".to_owned(),
        OnConflict::Salesforce => "on_conflict = \"salesforce\"".to_owned(),
        OnConflict::Cxone => "on_conflict = \"cxone\"".to_owned(),
    });
    say(match while_on_contact {
        WhileOnContact::Hold => "while_on_contact = \"hold\"".to_owned(),
        WhileOnContact::Send => "while_on_contact = \"send\"".to_owned(),
    });
    say(match on_login {
        OnLogin::Adopt => "on_login = \"adopt\"".to_owned(),
        OnLogin::Publish => "on_login = \"publish\"".to_owned(),
    });
    for row in &rule.publisher {
        say(format!("CXone {:?} -> Salesforce {:?}", row.from.to_string(), row.to.to_string()));
    }
    for row in &rule.subscriber {
        say(format!("Salesforce {:?} -> CXone {:?}", row.from.to_string(), row.to.to_string()));
    }
    facts
}

/// What only one of two says: (of the first, of the second).
pub(super) fn differences(first: &Revision, second: &Revision) -> (Vec<String>, Vec<String>) {
    let (first, second) = (facts(first), facts(second));
    let only = |these: &[String], those: &[String]| {
        let known: std::collections::BTreeSet<&String> = those.iter().collect();
        these.iter().filter(|fact| !known.contains(fact)).cloned().collect()
    };
    (only(&first, &second), only(&second, &first))
}
