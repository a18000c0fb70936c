//! What a gateway reads of the bus: links, and what is known of agents, from the beginning; commands, and what other gateways say, from
//! now on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::gateway::{Input, Port};
use super::hub::Known;
use super::message::CommandName;
use super::seat::Order;
use crate::bus::{self, Bus, From, Reader, Record, Records, Topic, TopicName, TopicsPlan, Until};
use crate::codec::{self, Addressee, Codec, Command, Event, State, What};
use crate::connectors::{Error, Linking, Links};
use crate::domain::{AccountName, AgentId, Platform, Remedy, Status, UserId};
use crate::engine::Epoch;

/// How long it waits for something to come before it looks whether it is to end.
const WAIT: Duration = Duration::from_millis(100);

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read {
    Linked(AgentId, UserId),
    Unlinked(AgentId, UserId),
    Command(Order),
    Void(AgentId),
    Connected { agent: AgentId, gateway: String, epoch: Epoch },
    Disconnected { agent: AgentId, gateway: String, epoch: Epoch },
    DealtWith(CommandName),
    Known(AgentId, Known),
}

/// A thread that reads.
pub(super) struct Reading<R> {
    reader: R,
    codec: Arc<Codec>,
    account: AccountName,
    links: Links<UserId>,
    directory: TopicName,
    commands: TopicName,
    states: TopicName,
}

impl<R: Reader> Reading<R> {
    /// Begins at the end of commands and events: who connects is told what is decided after that.
    pub(super) fn begin<B: Bus<Reader = R>>(
        (bus, codec, plan): &(Arc<B>, Arc<Codec>, TopicsPlan),
        account: AccountName,
    ) -> Result<Reading<R>, Error> {
        let (directory, commands) = (plan.name(Topic::Directory), plan.name(Topic::CommandsSalesforce));
        let states = plan.name(Topic::State);
        let mut starts = vec![(directory.partition(0), From::Beginning)];
        starts.extend((0..plan.partitions).map(|partition| (states.partition(partition), From::Beginning)));
        for topic in [&commands, &plan.name(Topic::Events)] {
            for partition in 0..plan.partitions {
                let place = topic.partition(partition);
                let end = bus.bounds(&place)?.end;
                starts.push((place, From::Offset(end)));
            }
        }
        let reader = bus.reader(&starts, Until::Stopped)?;
        let links = Links::new(account, |link, account| {
            (link.salesforce.account == account).then_some(link.salesforce.user)
        });
        Ok(Reading { reader, codec: Arc::clone(codec), account, links, directory, commands, states })
    }

    /// Reads until it is over.
    pub(super) fn run(mut self, is_over: &AtomicBool, port: &Port) -> Result<(), Error> {
        while !is_over.load(Ordering::Acquire) {
            let records = match self.reader.read(WAIT) {
                Ok(records) => records,
                // Reading goes on by itself when it is over.
                Err(error) if error.remedy() == Remedy::Retry => {
                    tracing::warn!("{error}");
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let mut all = Vec::new();
            for index in 0..records.len() {
                let (Some(record), Some(topic)) = (records.get(index), records.topic(index)) else {
                    continue;
                };
                let read = self.take(topic, &record);
                all.extend(read.map_err(|why| Error::Record {
                    partition: bus::TopicName::new(topic).partition(record.partition.0),
                    offset: record.offset,
                    why,
                })?);
            }
            if !all.is_empty() {
                port.say(Input::Read(all));
            }
            if !port.is_ready.load(Ordering::Acquire) && self.reader.has_been_at_end() {
                tracing::info!(linked = self.links.len(), "links are read: browsers may come");
                port.is_ready.store(true, Ordering::Release);
            }
        }
        Ok(())
    }

    fn take(&mut self, topic: &str, record: &Record<'_>) -> Result<Option<Read>, codec::Error> {
        if topic == self.directory.as_str() {
            let linking = self.links.take(&self.codec, record.key, record.value)?;
            return Ok(linking.map(|linking| match linking {
                Linking::Linked(agent, user) => Read::Linked(agent, user),
                Linking::Unlinked(agent, user) => Read::Unlinked(agent, user),
            }));
        }
        let is_command = topic == self.commands.as_str();
        let value = record.value.unwrap_or_default();
        let read = if is_command {
            self.command(value)
        } else if topic == self.states.as_str() {
            self.state(record)
        } else {
            self.event(value)
        };
        match read {
            // The processor sets aside events that nobody can read.
            Err(why) if why.remedy() == Remedy::Reject => {
                if is_command {
                    tracing::warn!(%topic, offset = %record.offset, "a command cannot be read, and is left out: {why}");
                }
                Ok(None)
            }
            read => read,
        }
    }

    fn command(&self, value: &[u8]) -> Result<Option<Read>, codec::Error> {
        let command = self.codec.read::<Command<'_>>(value)?;
        let Addressee::Salesforce(to) = command.to else { return Ok(None) };
        if to.account != self.account {
            return Ok(None);
        }
        Ok(match command.order {
            codec::Order::Void => Some(Read::Void(command.agent)),
            codec::Order::Set(set) => match set.status {
                Status::Salesforce(status) => Some(Read::Command(Order {
                    agent: command.agent,
                    sequence: set.sequence,
                    issued: set.issued,
                    status,
                })),
                // The codec lets no other pass.
                Status::Cxone(_) => None,
            },
        })
    }

    /// What the engine knows of an agent.
    fn state(&self, record: &Record<'_>) -> Result<Option<Read>, codec::Error> {
        let agent = record.key.and_then(|key| std::str::from_utf8(key).ok()).and_then(|key| key.parse().ok());
        let Some(agent) = agent else { return Ok(None) };
        let Some(value) = record.value else { return Ok(Some(Read::Known(agent, Known::default()))) };
        let state = self.codec.read::<State<'_>>(value)?;
        if state.link.salesforce.account != self.account {
            return Ok(None);
        }
        let remembered = state.agent.remembered();
        let shown = remembered.salesforce.shown;
        let known = Known {
            shown: shown.map(|shown| shown.status),
            since_raw: shown.map(|shown| shown.since_raw),
            reachable: remembered.salesforce.reachable,
            epoch: remembered.epoch,
        };
        Ok(Some(Read::Known(agent, known)))
    }

    fn event(&self, value: &[u8]) -> Result<Option<Read>, codec::Error> {
        let event = self.codec.read::<Event<'_>>(value)?;
        let Some(agent) = event.agent else { return Ok(None) };
        Ok(match event.what {
            What::Connected(connection) => {
                let (gateway, epoch) = (connection.gateway.into_owned(), connection.epoch);
                Some(Read::Connected { agent, gateway, epoch })
            }
            What::Disconnected(connection) => {
                let (gateway, epoch) = (connection.gateway.into_owned(), connection.epoch);
                Some(Read::Disconnected { agent, gateway, epoch })
            }
            What::Outcome(outcome) if outcome.platform == Platform::Salesforce => {
                let (sequence, issued) = (outcome.sequence, outcome.issued);
                Some(Read::DealtWith(CommandName { agent, sequence, issued }))
            }
            _ => None,
        })
    }
}
