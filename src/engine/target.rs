//! What each platform should show.

use crate::domain::{Both, CxoneStatus, Platform, SalesforceStatus};
use crate::rules::{CxoneTarget, Row, SalesforceTarget};

use super::{Intent, Status, Step};

/// What a platform should show, and the row that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) status: Status,
    /// `None` where it is the agent's own choice.
    pub(super) row: Option<Row>,
    /// It is never sent: the agent's team lacks the code.
    pub(super) is_lacking: bool,
}

impl Target {
    const fn new(status: Status, row: Option<Row>) -> Self {
        Target { status, row, is_lacking: false }
    }
}

impl Step<'_> {
    /// What a platform should show: on the intent's own platform the intent, on the other the rule's row for it.
    /// No intent, or no row: nothing.
    pub(super) fn target(&self, platform: Platform) -> Option<Target> {
        let known = self.targets.of(platform);
        if let Some(target) = known.get() {
            return target;
        }
        let target = self.derive(platform);
        known.set(Some(target));
        target
    }

    /// What targets follow from has changed: the intent, the contact, *previous* or the rule.
    pub(super) fn retarget(&mut self) {
        self.targets = Both::default();
        self.is_retargeted = true;
    }

    fn derive(&self, platform: Platform) -> Option<Target> {
        let intent = self.state.intent()?;
        let overlay = if platform == Platform::Salesforce { self.contact_row(&intent) } else { None };
        if overlay.is_some() {
            return overlay;
        }
        if intent.platform() == platform {
            // A status that cannot be set is never commanded, on its own platform either.
            return intent.status.can_be_commanded().then(|| Target::new(intent.status, None));
        }
        match intent.status {
            Status::Cxone(status) => self.row_for(status),
            Status::Salesforce(status) => self.order_for(status),
        }
    }

    /// While a contact lasts whose state has a row, Salesforce shows that row, unless the agent chose in
    /// Salesforce after the contact began.
    fn contact_row(&self, intent: &Intent) -> Option<Target> {
        let contact = self.state.contact()?;
        let chose_since = intent.platform() == Platform::Salesforce && intent.since > contact.since;
        if chose_since { None } else { self.row_for(contact.status) }
    }

    fn row_for(&self, status: CxoneStatus) -> Option<Target> {
        match self.rule()?.salesforce_target(status) {
            SalesforceTarget::Nothing => None,
            SalesforceTarget::Set(status, row) => Some(Target::new(Status::Salesforce(status), Some(row))),
        }
    }

    fn order_for(&self, status: SalesforceStatus) -> Option<Target> {
        let rule = self.rule()?;
        let (status, row) = match rule.cxone_target(status) {
            CxoneTarget::Nothing => return None,
            CxoneTarget::Set(status, row) => (status, row),
            CxoneTarget::Lacks(code, row) => {
                let target = Target::new(Status::Cxone(CxoneStatus::Code(code)), Some(row));
                return Some(Target { is_lacking: true, ..target });
            }
            CxoneTarget::Previous(row) => {
                let previous = self.state.previous?;
                let skip = rule.options().skip_code_validation;
                match rule.team_lacks(previous) {
                    true if skip => (CxoneStatus::Unavailable, row),
                    true => {
                        let target = Target::new(Status::Cxone(previous), Some(row));
                        return Some(Target { is_lacking: true, ..target });
                    }
                    false => (previous, row),
                }
            }
        };
        let status = Status::Cxone(status);
        status.can_be_commanded().then(|| Target::new(status, Some(row)))
    }

    /// Whether a row of the rule mirrors this status to the other platform.
    pub(super) fn is_mirrored(&self, status: Status) -> bool {
        let Some(rule) = self.rule() else { return false };
        match status {
            Status::Salesforce(status) => rule.cxone_target(status) != CxoneTarget::Nothing,
            Status::Cxone(status) => rule.salesforce_target(status) != SalesforceTarget::Nothing,
        }
    }
}
