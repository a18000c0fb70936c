//! People in the directory: who they are, who is not linked, and links by hand.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use lockstep::bus::AnyBus;
use lockstep::control::{Control, Forgotten, Known, directory_in_log};
use lockstep::directory::{Contact, Directory, Person, Who};
use lockstep::domain::{CxoneAgent, Link, SalesforceUser};

use super::loaded::order;
use super::tell;
use crate::cli::deployment::Configured;
use crate::cli::operator::{Log, Said};
use crate::cli::output::{self, DIM, GREEN, Outcome};

#[derive(Args)]
pub(in crate::cli) struct Show {
    /// Whom: a part of an id, an address or a name; without it, how much there is of everything
    #[arg(value_name = "WHOM")]
    whom: Option<String>,
    #[command(flatten)]
    configured: Configured,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(in crate::cli) struct UnlinkedOnes {
    #[command(flatten)]
    configured: Configured,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(in crate::cli) struct LinkOnes {
    /// The user in Salesforce
    #[arg(value_name = "SALESFORCE", required_unless_present = "csv")]
    salesforce: Option<String>,
    /// The agent in CXone
    #[arg(value_name = "CXONE", requires = "salesforce", required_unless_present = "csv")]
    cxone: Option<String>,
    /// A file with a user and an agent on each line
    #[arg(long, value_name = "FILE", conflicts_with = "salesforce")]
    csv: Option<PathBuf>,
    #[command(flatten)]
    said: Said,
}

#[derive(Args)]
pub(in crate::cli) struct One {
    /// Whom: the agent's id, ACCOUNT/ID on one platform, or an address, name or federation id that nobody else has
    #[arg(value_name = "WHOM")]
    whom: String,
    #[command(flatten)]
    said: Said,
}

/// Somebody on one platform, as it is shown.
#[derive(Serialize)]
struct Shown {
    id: String,
    user_name: String,
    email: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    federation_id: String,
    active: bool,
}

#[derive(Serialize)]
struct ShownPerson {
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    salesforce: Option<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cxone: Option<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<String>,
}

#[derive(Default, Serialize)]
struct Counted {
    statuses: usize,
    codes: usize,
    teams: usize,
    people: usize,
    linked: usize,
}

fn shown(id: String, contact: &Contact) -> Shown {
    Shown {
        id,
        user_name: contact.user_name.to_string(),
        email: contact.email.to_string(),
        federation_id: contact.federation_id.to_string(),
        active: !contact.is_inactive,
    }
}

fn team_name(
    directory: &Directory,
    agent: CxoneAgent,
    team: Option<lockstep::domain::TeamId>,
) -> Option<String> {
    let (vocabulary, team) = (directory.vocabulary.cxone.get(&agent.account)?, team?);
    let known = vocabulary.team(team).map(|team| team.name.to_string());
    Some(known.unwrap_or_else(|| format!("number {team}")))
}

fn all(directory: &Directory) -> Vec<ShownPerson> {
    let linked = directory.people.iter().map(|person| ShownPerson {
        agent: Some(person.agent.to_string()),
        salesforce: Some(shown(person.link.salesforce.to_string(), &person.salesforce)),
        cxone: Some(shown(person.link.cxone.to_string(), &person.cxone)),
        team: team_name(directory, person.link.cxone, person.team),
    });
    let unlinked = directory.unlinked.iter().map(|one| match one.who {
        Who::Salesforce(user) => ShownPerson {
            agent: None,
            salesforce: Some(shown(user.to_string(), &one.contact)),
            cxone: None,
            team: None,
        },
        Who::Cxone(agent) => ShownPerson {
            agent: None,
            salesforce: None,
            cxone: Some(shown(agent.to_string(), &one.contact)),
            team: team_name(directory, agent, one.team),
        },
    });
    linked.chain(unlinked).collect()
}

impl ShownPerson {
    fn has(&self, text: &str) -> bool {
        let sides = self.salesforce.iter().chain(&self.cxone);
        let texts = sides.flat_map(|one| [&one.id, &one.user_name, &one.email, &one.federation_id]);
        texts.chain(&self.agent).any(|one| one.to_lowercase().contains(text))
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "agent       {}", self.agent.as_deref().unwrap_or("not linked"));
        for (platform, side) in [("Salesforce", &self.salesforce), ("CXone", &self.cxone)] {
            let Some(side) = side else { continue };
            let mut names = vec![side.user_name.as_str(), side.email.as_str(), side.federation_id.as_str()];
            names.retain(|name| !name.is_empty());
            names.dedup();
            let active = if side.active { "" } else { "  not active" };
            let _ = writeln!(text, "{platform:<11} {}  {}{active}", side.id, names.join("  "));
        }
        if let Some(team) = &self.team {
            let _ = writeln!(text, "team        {team}");
        }
        text
    }
}

pub(super) fn show(command: &Show) -> anyhow::Result<Outcome> {
    let log = Log::open(&command.configured)?;
    let directory = directory_in_log(&log.bus, &log.codec, &log.plan)?;
    let Some(whom) = &command.whom else { return count(&directory, command.json) };
    let text = whom.trim().to_lowercase();
    let found: Vec<ShownPerson> = all(&directory).into_iter().filter(|one| one.has(&text)).collect();
    if command.json {
        output::json(&found)?;
    } else {
        let texts: Vec<String> = found.iter().map(ShownPerson::text).collect();
        output::result(&texts.join("\n"))?;
    }
    if found.is_empty() {
        output::aside(&format!("nobody has {whom:?} in his ids, names or addresses\n"));
        return Ok(Outcome::Failed);
    }
    Ok(Outcome::Done)
}

fn count(directory: &Directory, as_json: bool) -> anyhow::Result<Outcome> {
    let mut accounts: BTreeMap<String, Counted> = BTreeMap::new();
    for (name, vocabulary) in &directory.vocabulary.salesforce {
        accounts.entry(format!("salesforce.{name}")).or_default().statuses = vocabulary.statuses().len();
    }
    for (name, vocabulary) in &directory.vocabulary.cxone {
        let counted = accounts.entry(format!("cxone.{name}")).or_default();
        (counted.codes, counted.teams) = (vocabulary.codes().len(), vocabulary.teams().len());
    }
    let mut add = |account: String, is_linked: bool| {
        let counted = accounts.entry(account).or_default();
        counted.people += 1;
        counted.linked += usize::from(is_linked);
    };
    for Person { link, .. } in &directory.people {
        add(format!("salesforce.{}", link.salesforce.account), true);
        add(format!("cxone.{}", link.cxone.account), true);
    }
    for one in &directory.unlinked {
        match one.who {
            Who::Salesforce(user) => add(format!("salesforce.{}", user.account), false),
            Who::Cxone(agent) => add(format!("cxone.{}", agent.account), false),
        }
    }
    if as_json {
        output::json(&accounts)?;
        return Ok(Outcome::Done);
    }
    let mut text = String::new();
    for (account, Counted { statuses, codes, teams, people, linked }) in &accounts {
        let what = if account.starts_with("cxone.") {
            format!("{people} agents, {linked} of them linked; {teams} teams, {codes} codes")
        } else {
            format!("{people} users, {linked} of them linked; {statuses} statuses")
        };
        let _ = writeln!(text, "{account}: {what}");
    }
    if accounts.is_empty() {
        text += "the directory is empty: `lockstep directory refresh` and `import` fill it\n";
    }
    output::result(&text)?;
    Ok(Outcome::Done)
}

pub(super) fn unlinked(command: &UnlinkedOnes) -> anyhow::Result<Outcome> {
    #[derive(Serialize)]
    struct Told {
        agent: String,
        name: String,
        why: String,
    }
    let deployment = command.configured.load()?;
    let log = Log::of(&deployment)?;
    let directory = directory_in_log(&log.bus, &log.codec, &log.plan)?;
    let contacts: BTreeMap<CxoneAgent, &Contact> = directory
        .unlinked
        .iter()
        .filter_map(|one| match one.who {
            Who::Cxone(agent) => Some((agent, &one.contact)),
            Who::Salesforce(_) => None,
        })
        .collect();
    let mut told: Vec<Told> = Vec::new();
    for (agent, found) in directory.matches(&order(&deployment.config)) {
        let name = contacts.get(&agent).and_then(|contact| contact.addresses().next()).unwrap_or_default();
        let why = match found {
            Err(why) => why.to_string(),
            Ok(user) => format!("is {user}: `lockstep directory refresh` links them"),
        };
        told.push(Told { agent: agent.to_string(), name: name.to_owned(), why });
    }
    if command.json {
        output::json(&told)?;
    } else {
        let lines =
            told.iter().map(|Told { agent, name, why }| format!("{agent}  {DIM}{name}{DIM:#}  {why}\n"));
        output::result(&lines.collect::<String>())?;
        output::aside(&format!("agents who are not linked: {}\n", told.len()));
    }
    Ok(Outcome::Done)
}

/// Whether somebody is meant by a text: his id, or what only he is called.
fn is_meant(id: &str, contact: &Contact, text: &str) -> bool {
    let names = [&contact.email, &contact.user_name, &contact.federation_id];
    id.eq_ignore_ascii_case(text)
        || names.into_iter().any(|name| !name.is_empty() && name.trim().eq_ignore_ascii_case(text))
}

/// The one who is meant; nobody is guessed.
fn only<T>(mut found: Vec<T>, text: &str, what: &str, hint: &str) -> anyhow::Result<T> {
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => anyhow::bail!("there is no {what} {text:?}{hint}"),
        (Some(_), others) => {
            anyhow::bail!(
                "{} are called {text:?}: name one by ACCOUNT/ID",
                format_args!("{} {what}s", others + 1)
            )
        }
    }
}

fn user(directory: &Directory, text: &str) -> anyhow::Result<SalesforceUser> {
    let users = directory.unlinked.iter().filter_map(|one| match one.who {
        Who::Salesforce(user) if is_meant(&user.to_string(), &one.contact, text) => Some(user),
        _ => None,
    });
    let hint = " who is not linked: `lockstep directory show` finds people, and `unlink` ends a link";
    only(users.collect(), text, "user of Salesforce", hint)
}

fn agent(directory: &Directory, text: &str) -> anyhow::Result<CxoneAgent> {
    let agents = directory.unlinked.iter().filter_map(|one| match one.who {
        Who::Cxone(agent) if is_meant(&agent.to_string(), &one.contact, text) => Some(agent),
        _ => None,
    });
    let hint = " who is not linked: `lockstep directory show` finds people, and `unlink` ends a link";
    only(agents.collect(), text, "agent of CXone", hint)
}

fn person<'d>(directory: &'d Directory, text: &str) -> anyhow::Result<&'d Person> {
    let is_it = |person: &&Person| {
        let Link { salesforce, cxone } = person.link;
        person.agent.to_string().eq_ignore_ascii_case(text)
            || is_meant(&salesforce.to_string(), &person.salesforce, text)
            || is_meant(&cxone.to_string(), &person.cxone, text)
    };
    let hint = " who is linked: `lockstep directory show` finds people";
    only(directory.people.iter().filter(is_it).collect(), text, "person", hint)
}

/// Who is to be forgotten: somebody who is linked, or one who is not.
fn whom(directory: &Directory, text: &str) -> anyhow::Result<Forgotten> {
    let linked = person(directory, text);
    let unlinked = directory.unlinked.iter().filter_map(|one| match one.who {
        Who::Salesforce(user) if is_meant(&user.to_string(), &one.contact, text) => {
            Some(Forgotten::User(user))
        }
        Who::Cxone(agent) if is_meant(&agent.to_string(), &one.contact, text) => {
            Some(Forgotten::Agent(agent))
        }
        _ => None,
    });
    match (linked, unlinked.collect::<Vec<_>>()) {
        (Ok(person), none) if none.is_empty() => Ok(Forgotten::Person(person.link)),
        (Err(error), none) if none.is_empty() => Err(error),
        (Err(_), one) => only(one, text, "person", ""),
        (Ok(_), _) => anyhow::bail!("several people are called {text:?}: name one by ACCOUNT/ID"),
    }
}

pub(super) fn link(command: &LinkOnes) -> anyhow::Result<Outcome> {
    let operator = command.said.why.operator()?;
    let pairs = match (&command.csv, &command.salesforce, &command.cxone) {
        (Some(file), ..) => {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
            pairs(&text).with_context(|| format!("in {}", file.display()))?
        }
        (None, Some(salesforce), Some(cxone)) => vec![(1, salesforce.clone(), cxone.clone())],
        _ => anyhow::bail!("name a user and an agent, or a file with --csv"),
    };
    let log = Log::open(&command.said.configured)?;
    let mut control: Control<'_, AnyBus> = log.control()?;
    let mut known = Known::read(&log.bus, &log.codec, &log.plan)?;
    let directory = &mut known.directory;
    let mut wrong = Vec::new();
    for (line, salesforce, cxone) in &pairs {
        let link = user(directory, salesforce)
            .and_then(|salesforce| Ok(Link { salesforce, cxone: agent(directory, cxone)? }));
        match link {
            Ok(link) => {
                directory.link(link);
            }
            Err(error) if command.csv.is_some() => wrong.push(format!("line {line}: {error}")),
            Err(error) => return Err(error),
        }
    }
    // All of a file, or nothing of it.
    anyhow::ensure!(wrong.is_empty(), "nothing was linked:\n  {}", wrong.join("\n  "));
    tell(&control.replace(&known, &operator)?, &format!("{GREEN}linked{GREEN:#}"), command.said.json)
}

/// The lines of a CSV file with two columns: number, user, agent.
fn pairs(text: &str) -> anyhow::Result<Vec<(usize, String, String)>> {
    let mut pairs = Vec::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let line = line.trim();
        let is_head =
            number == 1 && line.to_ascii_lowercase().trim_start_matches('"').starts_with("salesforce");
        if line.is_empty() || is_head {
            continue;
        }
        let separator = if line.contains(';') { ';' } else { ',' };
        let column = |text: &str| text.trim().trim_matches('"').trim().to_owned();
        match line.split(separator).map(column).collect::<Vec<_>>().as_slice() {
            [user, agent] if !user.is_empty() && !agent.is_empty() => {
                pairs.push((number, user.clone(), agent.clone()));
            }
            _ => anyhow::bail!(
                "line {number} has not a user and an agent, with a comma or semicolon between them"
            ),
        }
    }
    anyhow::ensure!(!pairs.is_empty(), "it has no line with a user and an agent");
    Ok(pairs)
}

pub(super) fn unlink(command: &One) -> anyhow::Result<Outcome> {
    let operator = command.said.why.operator()?;
    let log = Log::open(&command.said.configured)?;
    let mut control: Control<'_, AnyBus> = log.control()?;
    let mut known = Known::read(&log.bus, &log.codec, &log.plan)?;
    let link = person(&known.directory, &command.whom)?.link;
    known.directory.unlink(link);
    tell(&control.replace(&known, &operator)?, &format!("{GREEN}unlinked{GREEN:#}"), command.said.json)
}

pub(super) fn forget(command: &One) -> anyhow::Result<Outcome> {
    let operator = command.said.why.operator()?;
    let log = Log::open(&command.said.configured)?;
    let mut control: Control<'_, AnyBus> = log.control()?;
    let known = Known::read(&log.bus, &log.codec, &log.plan)?;
    let whom = whom(&known.directory, &command.whom)?;
    tell(&control.forget(&known, &whom, &operator)?, &format!("{GREEN}forgotten{GREEN:#}"), command.said.json)
}
